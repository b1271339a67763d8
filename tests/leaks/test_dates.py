from datetime import UTC, date, datetime

import polars as pl
import pytest

from shortlist.leaks.dates import as_moments
from shortlist.moments import DAY


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([date(1970, 1, 3), None]),
        pl.Series([datetime(1970, 1, 3, tzinfo=UTC), None], dtype=pl.Datetime("ms", "UTC")),
        pl.Series(["1970-01-03", None]),
        pl.Series(["03-Jan-1970", ""]),
        pl.Series(["1970/01/03", None]),
        pl.Series(["1970-01-03 00:00:00", None]),
    ],
    ids=lambda values: f"{values.dtype} {values[0]}",
)
def test_dates_are_microseconds(values: pl.Series) -> None:
    found = as_moments(values, "calendar")
    assert found is not None
    assert found.to_list() == [2 * DAY, None]


@pytest.mark.parametrize("unit", [1_000_000, 1_000, 1])
def test_numbers_between_1995_and_2040_are_dates_unless_the_clock_is_an_order(unit: int) -> None:
    moment = 1_700_000_000_000_000
    values = pl.Series([moment // unit, None])
    found = as_moments(values, "seconds")
    assert found is not None
    assert found.to_list() == [moment // unit * unit, None]
    assert as_moments(values, "order") is None


@pytest.mark.parametrize(
    "values",
    [
        pl.Series(["red", "blue"]),
        pl.Series([3, 5]),
        pl.Series([3, 1_700_000_000]),
        pl.Series([None, None], dtype=pl.String),
        pl.Series([None], dtype=pl.Int64),
        pl.Series([True, False]),
    ],
    ids=str,
)
def test_other_values_are_no_dates(values: pl.Series) -> None:
    assert as_moments(values, "calendar") is None
