from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config import Config, parse
from shortlist.errors import ConfigError
from shortlist.moments import DAY, SECOND, Duration, microseconds, moment, written


@pytest.mark.parametrize(
    ("duration", "length"),
    [
        ("1us", 1),
        ("3ms", 3_000),
        ("2s", 2_000_000),
        ("5min", 300_000_000),
        ("36h", 129_600_000_000),
        ("7d", 604_800_000_000),
        ("1.5w", 907_200_000_000),
        (" 7 D ", 604_800_000_000),
    ],
)
def test_a_duration_has_a_length_in_microseconds(duration: str, length: int) -> None:
    assert microseconds(duration) == length


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "0.1us", "7 days", "1e3s", "7d 3h", "9" * 400 + "d"])
def test_what_is_no_duration_is_refused_as_it_was_written(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a duration: write a number above zero and a unit"):
        microseconds(text)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("1970-01-02", DAY),
        ("1970-01-01T00:00:01", SECOND),
        ("1970-01-01 01:00:00+01:00", 0),
        (" 1970-01-02 ", DAY),
        (date(1970, 1, 2), DAY),
        (datetime(1970, 1, 1, 0, 0, 1), SECOND),  # noqa: DTZ001  a time without a zone is what is tested
        (datetime(1970, 1, 1, tzinfo=timezone(timedelta(hours=2))), -7200 * SECOND),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (12, 12),
        (np.int64(12), 12),
    ],
)
def test_moments_are_microseconds_since_1970_in_utc(when: Any, expected: int) -> None:
    assert moment(when) == expected
    assert type(moment(when)) is int


@pytest.mark.parametrize("text", ["yesterday", "", "2017-13-01", "27.11.2017"])
def test_what_is_no_time_is_refused_as_it_was_written(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a date or time"):
        moment(text)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001
def test_a_moment_is_exact_to_the_microsecond(when: datetime) -> None:
    assert datetime(1970, 1, 1) + timedelta(microseconds=moment(when)) == when  # noqa: DTZ001
    assert moment(when.isoformat()) == moment(when)


def test_a_moment_is_written_as_people_read_it() -> None:
    assert written(0) == "1970-01-01"
    assert written(DAY + 3 * SECOND) == "1970-01-02 00:00:03"
    assert written(moment("2017-11-27T18:00")) == "2017-11-27 18:00:00"
    assert written(2**62) == str(2**62)


def test_a_recipes_duration_is_checked_and_made_plain() -> None:
    class Recipe(Config):
        window: Duration = "7d"

    assert parse(Recipe, {"window": " 36H "}).window == "36h"
    with pytest.raises(ConfigError, match="window: 'soon' is not a duration"):
        parse(Recipe, {"window": "soon"})
