"""The relational functions: Ibis tables in, an Ibis table out; nothing is computed until somebody asks.

Every trick that makes an answer the same on every engine lives here and nowhere else:

- Whatever could see the future takes `as_of` and looks only at events strictly before it.
- Sums of weights are sums of whole micro-units (int64), so that no order of addition changes a bit.
- Ties are broken by id, and order is always explicit.
- Ordered lists are sorted collections of structs; trailing counts are +1 and -1 events with a running sum.

`events` has the columns `user`, `item` (int32), `timestamp` (int64 microseconds), `weight` (float64), as in `Dataset`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import ibis
from ibis import _

MICRO = 1_000_000
"""Micro-units in a unit of weight: scores of this module are int64 in micro-units."""

OLD_AGE = 4
"""Half-lives after which a pair of items is no longer counted: it would weigh a sixteenth."""

Direction = Literal["both", "forward", "backward"]


def popularity(
    events: ibis.Table, *, as_of: int, window: int | None = None, keys: Sequence[str] = ("item",)
) -> ibis.Table:
    """How much each item (or each combination of `keys`) was wanted in the `window` before a moment.

    Columns: `keys`, `score` (sum of weights, micro-units), `events` (how many), `users` (how many different). `window`
    is in microseconds, its start included; None reaches back to the beginning. A combination without an event in the
    window has no row.
    """
    return (
        _seen(events, as_of, window)
        .group_by(list(keys))
        .aggregate(score=_micro(_.weight).sum(), events=_.count(), users=_.user.nunique())
    )


def decayed(events: ibis.Table, *, as_of: int, half_life: int, keys: Sequence[str] = ("user", "item")) -> ibis.Table:
    """For each user and item (or each combination of `keys`), how much, fading with age.

    Columns: `keys`, `score`: the sum of weight · 2^(-age / half_life) in micro-units, the age being counted from the
    event to `as_of`; both in microseconds. Combinations whose score rounds to zero keep their row.
    """
    seen = _seen(events, as_of)
    return seen.group_by(list(keys)).aggregate(score=_micro(_.weight * _fading(as_of - _.timestamp, half_life)).sum())


def visits_since(events: ibis.Table, *, as_of: int) -> ibis.Table:
    """For each user and item, how often the user was there since.

    Columns: `user`, `item`, `visits_since` (different moments of the user's events after the last one with the item)
    and `visits_since_first` (after the first one). Rows of one basket share a moment and so a visit.
    """
    in_time = ibis.window(group_by="user", order_by="timestamp")
    numbered = _seen(events, as_of).mutate(visit=ibis.dense_rank().over(in_time).cast("int64"))
    newest = numbered.group_by("user").aggregate(newest=_.visit.max())
    pairs = numbered.group_by(["user", "item"]).aggregate(last=_.visit.max(), first=_.visit.min())
    return pairs.inner_join(newest, "user").select(
        "user", "item", visits_since=_.newest - _.last, visits_since_first=_.newest - _.first
    )


def activity(
    events: ibis.Table,
    *,
    as_of: int,
    keys: Sequence[str] = ("user", "item"),
    half_lives: Mapping[str, int] = MappingProxyType({}),
    windows: Mapping[str, int] = MappingProxyType({}),
) -> ibis.Table:
    """How often, how recently and how regularly each combination of `keys` happened before a moment.

    Columns: `keys`; `events` (how many); `times` (at how many different moments: rows of one basket share theirs);
    `since` (microseconds from the last one to `as_of`); `age` (from the first one to `as_of`); `interval` (mean
    microseconds between consecutive different moments, float64; null where there is only one); `fading_<name>` for each
    of `half_lives` (as the score of `decayed`, rows of one moment rounded together) and `events_<name>` for each of
    `windows` (how many in the window before `as_of`).
    """
    # Rows of one moment first: a distinct count in the second step would hold a set for every combination.
    moments = _seen(events, as_of).group_by([*keys, "timestamp"]).aggregate(rows=_.count(), weight=_.weight.sum())
    newest, oldest, times = _.timestamp.max(), _.timestamp.min(), _.count()
    fading = {f"fading_{n}": _micro(_.weight * _fading(as_of - _.timestamp, h)).sum() for n, h in half_lives.items()}
    within = {f"events_{n}": ibis.ifelse(_.timestamp >= as_of - w, _.rows, 0).sum() for n, w in windows.items()}
    return moments.group_by(list(keys)).aggregate(
        events=_.rows.sum(),
        times=times,
        since=as_of - newest,
        age=as_of - oldest,
        interval=(newest - oldest).cast("float64") / (times - 1).nullif(0),
        **fading,
        **within,
    )


def covisitation(
    events: ibis.Table,
    *,
    as_of: int,
    window: int,
    half_life: int | None = None,
    direction: Direction = "both",
    last: int = 500,
) -> ibis.Table:
    """Which other items people met within a `window` of meeting an item.

    Columns: `item`, `other`, `users` (how many different users), `score` (micro-units: over all pairs of one user's
    events at most `window` microseconds apart, 2^(-age / half_life), the age being that of the pair's newer event; 1
    each without a half-life). `direction`: "forward" counts others that came later, "backward" earlier ones; at one
    moment there is no order, so such pairs count in every direction. An item is no neighbour of itself.

    Pairs grow with the square, so each user contributes the `last` most recent different (item, moment) alone, and with
    a half-life only what is younger than `OLD_AGE` of them.
    """
    newest_first = ibis.window(group_by="user", order_by=[ibis.desc("timestamp"), ibis.desc("item")])
    met = (
        _seen(events, as_of, None if half_life is None else OLD_AGE * half_life)
        .select("user", "item", "timestamp")
        .distinct()
        .mutate(place=ibis.row_number().over(newest_first))
        .filter(_.place < last)
        .select("user", "item", "timestamp", span=_.timestamp // (window + 1))
    )
    # Two moments at most a window apart lie in the same span or in neighbouring ones: an equality join, not a square.
    later = ibis.union(met, met.mutate(span=_.span - 1)).select("user", "span", other=_.item, later=_.timestamp)
    pairs = met.inner_join(later, ["user", "span"]).filter(
        (_.item != _.other) & (_.later - _.timestamp).between(0, window)
    )
    one = ibis.literal(1).cast("float64")
    weight = one if half_life is None else _fading(as_of - _.later, half_life)
    # Pairs of one moment come out of the join in both orders already.
    forward = pairs.select("user", "item", "other", weight=_micro(weight), apart=_.later > _.timestamp)
    backward = forward.select("user", "weight", "apart", item=_.other, other=_.item)
    counted = {
        "forward": lambda: forward,
        "backward": lambda: backward,
        "both": lambda: ibis.union(forward, backward.filter(_.apart).select(*forward.columns)),
    }[direction]()
    return counted.group_by(["item", "other"]).aggregate(users=_.user.nunique(), score=_.weight.sum())


def strongest(table: ibis.Table, *, per: Sequence[str], n: int, tie: str) -> ibis.Table:
    """The `n` rows of the highest `score` for each combination of `per`; ties go to the smaller `tie`."""
    best_first = ibis.window(group_by=list(per), order_by=[ibis.desc("score"), tie])
    return table.mutate(place=ibis.row_number().over(best_first)).filter(_.place < n).drop("place")


def with_attribute(
    events: ibis.Table, attributes: ibis.Table, *, on: str, column: str, name: str = "value"
) -> ibis.Table:
    """The events that have a value in an attribute table's `column`, with that value as `name`.

    `on` is the key of the attribute table: `"item"` or `"user"`. Events whose value is null or not known are left out.
    """
    known = attributes.filter(attributes[column].notnull()).select(on, **{name: attributes[column]})
    return events.inner_join(known, on)


def trailing_counts(events: ibis.Table, *, window: int, keys: Sequence[str] = ("item",)) -> ibis.Table:
    """For every event, how many events with the same `keys` came in the `window` microseconds before it.

    Columns: those of `events` and `count`. Strictly before: events of the same moment do not count each other; an event
    exactly `window` earlier does count.
    """
    arriving = events.select(*keys, moment=_.timestamp, change=ibis.literal(1, "int64"))
    leaving = events.select(*keys, moment=_.timestamp + window + 1, change=ibis.literal(-1, "int64"))
    changes = ibis.union(arriving, leaving).group_by([*keys, "moment"]).aggregate(change=_.change.sum())
    running = changes.mutate(
        count=_.change.sum().over(ibis.window(group_by=list(keys), order_by="moment", preceding=None, following=0))
        - _.change
    )
    # What leaves at this very moment has left; what arrives at it has not come before it.
    leavers = leaving.group_by([*keys, "moment"]).aggregate(left=-_.change.sum())
    settled = running.left_join(leavers, [*keys, "moment"]).select(
        *keys, "moment", count=running["count"] - ibis.coalesce(leavers.left, 0)
    )
    return events.inner_join(settled, [*((key, key) for key in keys), ("timestamp", "moment")]).select(
        *(events[name] for name in events.columns), settled["count"]
    )


def histories(events: ibis.Table, *, as_of: int, last: int | None = None) -> ibis.Table:
    """Each user's items in order, oldest first: columns `user`, `items` (array of int32).

    With `last`, only that many of the newest. Of events at one moment the smaller item id comes first.
    """
    seen = _seen(events, as_of)
    newest_first = ibis.window(group_by="user", order_by=[ibis.desc("timestamp"), ibis.desc("item")])
    placed = seen.mutate(place=ibis.row_number().over(newest_first).cast("int64"))
    if last is not None:
        placed = placed.filter(_.place < last)
    gathered = placed.group_by("user").aggregate(ordered=ibis.struct({"place": -_.place, "item": _.item}).collect())
    return gathered.select("user", items=gathered.ordered.sort().map(lambda step: step.item))


def _seen(events: ibis.Table, as_of: int, window: int | None = None) -> ibis.Table:
    before = events.filter(events.timestamp < as_of)
    return before if window is None else before.filter(before.timestamp >= as_of - window)


def _micro(weight: ibis.Value) -> ibis.Value:
    return (weight * MICRO).round().cast("int64")


def _fading(age: ibis.Value, half_life: int) -> ibis.Value:
    return (age.cast("float64") * (-0.693147180559945309 / half_life)).exp()
