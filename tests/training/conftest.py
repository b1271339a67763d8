import pytest
from small_network import Task


@pytest.fixture(scope="session")
def task() -> Task:
    return Task()
