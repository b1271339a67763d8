"""Splits of a dataset into what may be learnt from and what is judged on: lazy views, nothing is copied."""

from dataclasses import dataclass, replace
from typing import Any

import ibis
import polars as pl

from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, ConfigError, DataError, nearest
from shortlist.moments import microseconds, moment, written
from shortlist.seeds import Seeds

PRIME = 2**31 - 1
"""What draws stay below."""


@dataclass(frozen=True)
class Split:
    """Two views of one dataset. `test.users` are those who have something to find in the test part."""

    train: Dataset
    test: Dataset


def by_time(data: Dataset, test: str = "7d", at: str | int | None = None) -> Split:
    """Everything before a moment to learn from, and the `test` duration that follows it to judge on.

    Without `at`, the test part is the end of the data. Events after the test part are in neither. This is the split
    that resembles use: nothing of the test can be seen from the train part, its `as_of` included.
    """
    if "timestamp" not in data.sources["events"].matched:
        raise DataError(
            "the events have no time to split by: no column of theirs was taken for a timestamp; name it, "
            'columns={"events": {"timestamp": "..."}}, or split with at_random'
        )
    length = microseconds(test)
    start = data.as_of - length if at is None else moment(at)
    split = Split(train=data.before(start), test=data.between(start, start + length))
    if not _has_rows(split.train) or not _has_rows(split.test):
        side = "before" if not _has_rows(split.train) else "in the test part from"
        raise DataError(f"there are no events {side} {written(start)}: the data end before {written(data.as_of)}")
    return split


def last_n(data: Dataset, n: int = 1) -> Split:
    """The last `n` events of each user to judge on; users with no more than `n` events stay wholly in train.

    With `n` of 1 this is leave-one-out. Others' events go on in train after a user's test event, so it does not
    resemble use as `by_time` does.

    Of events at one moment, the one with the larger dense item id counts as later.
    """
    if n < 1:
        raise ConfigError(f"last_n takes n of 1 or more, not {n}")
    newest_first = ibis.window(group_by="user", order_by=[ibis.desc("timestamp"), ibis.desc("item")])
    # Long names, so that no column of the events is hidden.
    place, length = "last_n place", "last_n length"
    placed = data.events.mutate(
        **{place: ibis.row_number().over(newest_first), length: ibis._.count().over(ibis.window(group_by="user"))}
    )
    return cut(data, placed, (placed[place] < n) & (placed[length] > n), drop=(place, length))


def by_user(data: Dataset, share: float = 0.1, seed: int = 0) -> Split:
    """All events of a share of the users to judge on: users that the train part has never seen."""
    return cut(data, data.events, _drawn(data.events.user, share, seed))


def by_item(data: Dataset, share: float = 0.1, seed: int = 0) -> Split:
    """All events of a share of the items to judge on: items that train has never seen in an event.

    They stay in the table of items with their attributes: they are new, not unknown.
    """
    return cut(data, data.events, _drawn(data.events.item, share, seed))


def at_random(data: Dataset, share: float = 0.2, seed: int = 0) -> Split:
    """A share of the (user, item) pairs to judge on; all events of a pair fall on the same side.

    The order of time is ignored, so the train part may know what came after a test event: use `by_time` wherever
    there is a clock.
    """
    return cut(data, data.events, _drawn(pair_number(data.events), share, seed))


def by_column(data: Dataset, column: str, value: Any) -> Split:
    """The events whose `column` holds `value` to judge on, all others to learn from: for splits that others published.

    A column that the events lack raises `ColumnError`; a value that no event has, or all have, `DataError`.
    """
    if column not in data.events.columns:
        raise ColumnError(f"by_column: the events have no column {column!r}{nearest(column, data.events.columns)}")
    counts = data.engine.frame(data.events.group_by(column).aggregate(events=data.events.count()))
    held = counts.filter(pl.col(column).cast(pl.String) == _as_text(value))
    if held.height != 1 or counts.height == 1:
        there = ", ".join(sorted(str(known) for known in counts[column].drop_nulls().to_list())[:20])
        which = "no event has" if held.height != 1 else "every event has"
        raise DataError(f"by_column: {which} {value!r} in {column!r}; the values there are {there}")
    return cut(data, data.events, (data.events[column] == held[column].item()).fill_null(False))


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def cut(data: Dataset, events: ibis.Table, held_out: ibis.Value, drop: tuple[str, ...] = ()) -> Split:
    """The split whose test part has the `events` that are `held_out` (a condition on them), without columns `drop`."""
    train, test = events.filter(~held_out).drop(*drop), events.filter(held_out).drop(*drop)
    return Split(
        train=replace(data, events=train),
        test=replace(data, events=test, users=data.users.semi_join(test, "user")),
    )


def pair_number(events: ibis.Table) -> ibis.Value:
    """A number for each event that is the same for all events of one (user, item)."""
    return events.user.cast("int64") * 2_654_435 + events.item.cast("int64") * 40_503


def draw(number: ibis.Value, seed: int) -> ibis.Value:
    """For each number, one from 0 to `PRIME` - 1 as if drawn at random; equal numbers draw the same.

    By arithmetic, so the same on every engine: a number is squared thrice modulo a prime. The seed enters between the
    squares, so that two seeds draw independently. Products stay below 2⁶².
    """
    seeds, mixed = Seeds(seed), number.cast("int64")
    for round_ in range(3):
        mixed = (mixed + seeds.number(f"split {round_}")) % PRIME
        mixed = mixed * mixed % PRIME
    return mixed


def _drawn(number: ibis.Value, share: float, seed: int) -> ibis.Value:
    if not 0 < share < 1:
        raise ConfigError(f"a share lies between 0 and 1, not {share}")
    return draw(number, seed) < round(share * PRIME)


def _has_rows(data: Dataset) -> bool:
    return data.engine.frame(data.events.limit(1).select("user")).height > 0
