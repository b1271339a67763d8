import pytest

from worlds import World, tiny_world


@pytest.fixture(scope="session")
def world() -> World:
    return tiny_world()
