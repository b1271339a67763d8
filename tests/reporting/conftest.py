"""The run that all tests of the report share."""

import pytest
from small_runs import small_run

from shortlist.run import Run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run(tmp_path_factory.mktemp("shop"))
