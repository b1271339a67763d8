"""Moments and durations: `"2017-11-27"` and `"7d"` as whole microseconds (UTC).

All of Shortlist computes on int64 microseconds since 1970, so that no engine's calendar, time zone or float can
make two answers differ. Events that have an order but no clock use their position in its place.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator

from shortlist.errors import ConfigError

SECOND = 1_000_000
DAY = 86_400 * SECOND

_UNITS = {"us": 1, "ms": 1_000, "s": SECOND, "min": 60 * SECOND, "h": 3_600 * SECOND, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|w)\s*", re.IGNORECASE)


def microseconds(duration: str) -> int:
    """The length of a duration such as `"7d"`, `"36h"`, `"1.5w"`. Units: us, ms, s, min, h, d, w.

    A text that is no duration, one of length zero, and one beyond all calendars raise `ConfigError`.
    """
    match = _DURATION.fullmatch(duration)
    length = float(match[1]) * _UNITS[match[2].lower()] if match else 0.0
    if not 0.5 < length < 2**62:
        raise ConfigError(
            f"{duration!r} is not a duration: write a number above zero and a unit, such as '7d' or '36h'"
        )
    return round(length)


def moment(when: str | date | datetime | int) -> int:
    """Microseconds since 1970 of an ISO date or time, a date, a datetime, or such a number already.

    A time without a zone is taken as UTC. A text that is no time raises `ConfigError`.
    """
    if not isinstance(when, str | date):
        return int(when)
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when.strip())
        except ValueError:
            raise ConfigError(
                f"{when!r} is not a date or time: write it as '2017-11-27' or '2017-11-27T18:00'"
            ) from None
    elif not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day, tzinfo=UTC)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def written(when: int) -> str:
    """A moment as people read it: `2017-11-27`, or `2017-11-27 18:00:00` where the day is not enough."""
    try:
        text = datetime.fromtimestamp(when // SECOND, tz=UTC).isoformat(sep=" ").removesuffix("+00:00")
    except (OverflowError, ValueError):
        return str(when)
    return text.removesuffix(" 00:00:00")


def _checked(duration: str) -> str:
    try:
        microseconds(duration)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return duration.strip().lower()


Duration = Annotated[str, AfterValidator(_checked)]
"""The type of a recipe's field that holds a duration."""
