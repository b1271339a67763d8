"""Profile: what a dataset looks like, in some dozen numbers.

Cost: two group-bys of the events, one of their pairs, and one pass over each attribute. Only counts of counts leave the
engine, never a row for each user or item: how many users have one event, how many have two, and so on.
"""

from dataclasses import asdict, dataclass
from typing import Any

import ibis
import numpy as np
import polars as pl
from ibis import _

from shortlist.dataset.dataset import Dataset
from shortlist.moments import DAY, written

QUANTILES = {"10 %": 0.1, "25 %": 0.25, "50 %": 0.5, "75 %": 0.75, "90 %": 0.9, "99 %": 0.99}
"""Which quantiles are told: that share of the users (or items) has at most so many events."""
TOP_SHARES = (0.01, 0.05, 0.2)
"""Shares of the items, the most wanted first, whose part of all events is told."""
_STEPS = {"day": DAY, "week": 7 * DAY, "four weeks": 28 * DAY, "52 weeks": 364 * DAY}
_MOST_STEPS = 120
_MONDAY = 4 * DAY
"""From the start of 1970, a Thursday, to the Monday that follows: so weeks begin on Mondays."""


@dataclass(frozen=True)
class Profile:
    """What the events of a dataset look like. `to_dict` is ready for JSON."""

    events: int
    users: int
    """Users who have an event."""
    items: int
    """Items that have an event."""
    first: str | None
    """The day or time of the first event (UTC); None where the events have no clock. The same for `last`."""
    last: str | None
    density: float
    """Share of all pairs of such a user and such an item that happened."""
    repeats: float
    """Share of the events whose user has another event with the item, before or at the same moment."""
    per_user: dict[str, int]
    """Events of a user: the least, the quantiles, the most."""
    per_item: dict[str, int]
    """Events of an item: the least, the quantiles, the most."""
    top_items: list[dict[str, float]]
    """`items` (a share of the items, the most wanted first) and `events` (their share of the events)."""
    step: str | None
    """What `over_time` counts by; None where the events have no clock."""
    over_time: list[dict[str, Any]]
    """`start` (a day) and `events`, in order; the ends of the data cut the first and the last step."""
    attributes: list[dict[str, Any]]
    """`table`, `column`, `filled` (share of the known rows that have a value), `values` (how many different ones)."""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain lists, dictionaries, numbers, text and None."""
        return asdict(self)


def profile(data: Dataset) -> Profile:
    """The profile of the events before `data.as_of`, and of what is known of users and items.

    Without events, counts and shares are zero.
    """
    by_user, by_item = _sizes(data, "user"), _sizes(data, "item")
    users, items = (int(sizes["number"].sum()) for sizes in (by_user, by_item))
    events = int((by_user["events"] * by_user["number"]).sum())
    pairs = data.engine.frame(data.events.select("user", "item").distinct().count().as_table())[0, 0]
    first, last, step, over_time = _over_time(data)
    return Profile(
        events=events,
        users=users,
        items=items,
        first=first,
        last=last,
        density=pairs / max(users * items, 1),
        repeats=1 - pairs / max(events, pairs, 1) if events else 0.0,
        per_user=_quantiles(by_user),
        per_item=_quantiles(by_item),
        top_items=[{"items": share, "events": _top(by_item, share)} for share in TOP_SHARES],
        step=step,
        over_time=over_time,
        attributes=_attributes(data),
    )


def has_clock(data: Dataset) -> bool:
    """Whether the moments of the events are times, not mere places in an order."""
    return data.sources["events"].unit not in {None, "order"}


def _sizes(data: Dataset, key: str) -> pl.DataFrame:
    """How many users (or items) have how many events: `events`, rising, and `number`."""
    each = data.events.group_by(key).aggregate(events=_.count())
    return data.engine.frame(each.group_by("events").aggregate(number=_.count()).order_by("events"))


def _quantiles(sizes: pl.DataFrame) -> dict[str, int]:
    """The smallest size that at least that share of them does not exceed, so that every quantile is a true size."""
    if sizes.is_empty():
        return {}
    values, reached = sizes["events"].to_numpy(), np.cumsum(sizes["number"].to_numpy())
    # Whole ranks: 0.1 of 10 is the first, though the float product may lie a hair above it.
    ranks = {name: max(1, int(np.ceil(share * reached[-1] - 1e-9))) for name, share in QUANTILES.items()}
    found = {name: int(values[np.searchsorted(reached, rank)]) for name, rank in ranks.items()}
    return {"least": int(values[0]), **found, "most": int(values[-1])}


def _top(sizes: pl.DataFrame, share: float) -> float:
    """The share of the events that the `share` of the items with most events have; at least one item."""
    if sizes.is_empty():
        return 0.0
    falling = sizes.reverse()
    wanted = max(1, round(share * int(sizes["number"].sum())))
    before = falling["number"].cum_sum() - falling["number"]
    taken = (wanted - before).clip(0, falling["number"])
    have, all_have = taken * falling["events"], falling["number"] * falling["events"]
    return int(have.sum()) / int(all_have.sum())


def _over_time(data: Dataset) -> tuple[str | None, str | None, str | None, list[dict[str, Any]]]:
    """The first and the last moment, the step, and the events in each."""
    ends = data.engine.frame(data.events.aggregate(first=_.timestamp.min(), last=_.timestamp.max())).row(0)
    if ends[0] is None or not has_clock(data):
        return None, None, None, []
    first, last = map(int, ends)
    fitting = [name for name, length in _STEPS.items() if (last - first) // length < _MOST_STEPS]
    step = fitting[0] if fitting else list(_STEPS)[-1]
    length = _STEPS[step]
    counted = data.events.mutate(place=(_.timestamp - _MONDAY) // length).group_by("place").aggregate(events=_.count())
    found = dict(data.engine.frame(counted.order_by("place")).iter_rows())
    over_time = [
        {"start": written(place * length + _MONDAY), "events": int(found.get(place, 0))}
        for place in range(min(found), max(found) + 1)
    ]
    return written(first), written(last), step, over_time


def _attributes(data: Dataset) -> list[dict[str, Any]]:
    found = []
    for name, table in {"items": data.items, "users": data.users}.items():
        if name not in data.sources:
            continue
        columns = [column for column in table.columns if column not in {"item", "item_id", "user", "user_id"}]
        if not columns:
            continue
        counts = {f"filled {n}": table[column].count() for n, column in enumerate(columns)}
        values = {f"values {n}": table[column].nunique() for n, column in enumerate(columns)}
        row = data.engine.frame(table.aggregate(rows=ibis._.count(), **counts, **values)).row(0, named=True)
        found += [
            {
                "table": name,
                "column": column,
                "filled": int(row[f"filled {n}"]) / max(int(row["rows"]), 1),
                "values": int(row[f"values {n}"]),
            }
            for n, column in enumerate(columns)
        ]
    return found
