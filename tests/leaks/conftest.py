"""What the tests of the leak checker share: two tables in, findings out."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shortlist.leaks.check import check
from shortlist.leaks.findings import Findings
from shortlist.leaks.tables import split_of_tables
from shortlist.tables.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine.open(memory="2GB") as opened:
        yield opened


@pytest.fixture(scope="session")
def checked(engine: Engine) -> Callable[..., Findings]:
    """The findings for two tables of events, with what is known of the items and users."""

    def findings(train: Any, test: Any, *, target: str | None = None, **tables: Any) -> Findings:
        return check(split_of_tables(train, test, engine=engine, **tables), target=target)

    return findings
