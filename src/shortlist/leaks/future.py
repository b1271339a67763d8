"""Check: events after the cut, and columns that see past it.

*Events.* In a split by time no train event is later than the first test moment; in one by each user's time none is
later than the first test event of its user. What stands at the very moment is told by `order`.

*Columns.* A date after the cut is no leak by itself: an item may well be released next month. It is one where it tells
of the test events: of the users (items) that train knows and that have a date after the cut, at least half have the
very day (moment, for dates with a time of day) of their own first or last test event, and at least three do. By chance
a date in a week of test would fall upon such a day for fewer. Dates after the cut that fall short of this are a note
where they are more than a few.
"""

import ibis
import polars as pl
from ibis import _

from shortlist.leaks.dates import as_moments, may_be_dates
from shortlist.leaks.findings import Finding, Looked
from shortlist.leaks.sides import KEY, Sides
from shortlist.moments import DAY

COINCIDE = 0.5
"""Share of the dates after the cut that must be those of test events."""
AT_LEAST = 3
MENTIONED = 0.05
"""Share of a column's dates that must be after the cut to be worth a note."""
_ROWS = 200_000
"""Rows of train with a date after the cut that are looked at."""


def check(sides: Sides) -> Looked:
    """Train events and dates that are later than what is judged."""
    if not sides.has_clock:
        return Looked(not_made="the events have no time that tells them apart")
    if sides.order == "unordered":
        return Looked(
            not_made="train and test are not divided in time",
            notes=("the split pays no heed to time: train knows what came after test events (by_time does not)",),
        )
    late = _late_events(sides) if sides.order == "by time" else _late_by_user(sides)
    tables = [_attributes(sides, kind) for kind in ("user", "item") if kind == "user" or sides.order == "by time"]
    looked = [late, *(column for table in tables for column in table), *_event_columns(sides)]
    return Looked(
        findings=tuple(finding for one in looked for finding in one.findings),
        notes=tuple(note for one in looked for note in one.notes),
    )


def _late_events(sides: Sides) -> Looked:
    cut = sides.cut
    if not cut.late + cut.early:
        return Looked()
    parts = []
    if cut.late:
        parts.append(f"{cut.late:,} train events are later than {sides.told(cut.moment)}, where the test part begins")
    if cut.early:
        parts.append(f"{cut.early:,} test events are earlier than {sides.told(cut.moment)}, where all others begin")
    wrong = ibis.ifelse(_.held, _.timestamp < cut.moment, _.timestamp > cut.moment)
    some = sides.train.engine.frame(sides.both.filter(wrong).order_by(["timestamp", "user", "item"]).limit(3))
    return Looked(findings=(_late("; ".join(parts), cut.late + cut.early, sides, some),))


def _late_by_user(sides: Sides) -> Looked:
    users = sides.torn_users.filter("late")
    if users.is_empty():
        return Looked()
    first = sides.train.engine.take(users.select("user", "test_first"))
    late = sides.train.events.select(*KEY, held=False).inner_join(first, "user").filter(_.timestamp > _.test_first)
    rows = sides.train.engine.frame(late.aggregate(n=_.count())).item()
    some = sides.train.engine.frame(late.order_by(["user", "timestamp", "item"]).limit(3))
    found = f"{rows:,} train events of {users.height:,} users are later than these users' first test event"
    return Looked(findings=(_late(found, rows, sides, some),))


def _late(found: str, count: int, sides: Sides, some: pl.DataFrame) -> Finding:
    told = zip(
        sides.ids("user", some["user"]), sides.ids("item", some["item"]), some["timestamp"], some["held"], strict=True
    )
    return Finding(
        "future",
        found,
        count,
        tuple(f"{'test' if held else 'train'}: user {u}, item {i}, {sides.told(when)}" for u, i, when, held in told),
        "in use nothing is known of what comes later, so what was learnt from these events cannot be had",
        "cut again by the clock alone (by_time, or last_n for each user)",
    )


def _attributes(sides: Sides, kind: str) -> list[Looked]:
    table = sides.table(kind)
    known = sides.per(kind).filter(pl.col("train_events") > 0)
    looked = []
    for column in may_be_dates(table, {kind, f"{kind}_id"}):
        values = sides.train.engine.frame(table.select(kind, value=table[column]))
        moments = as_moments(values["value"], sides.train.sources["events"].unit)
        if moments is not None:
            dated = values.select(kind, moment=moments).drop_nulls().join(known, on=kind)
            looked.append(_coinciding(sides, dated, kind, f"the {kind}s' column {column!r}"))
    return looked


def _event_columns(sides: Sides) -> list[Looked]:
    events = sides.train.events
    looked = []
    for column in may_be_dates(events, set(KEY), typed=True):
        floor = sides.cut.moment if sides.order == "by time" else 0
        later = events.select("user", value=events[column]).filter(
            _.value.cast("timestamp").epoch_seconds().cast("int64") * 1_000_000 >= floor // DAY * DAY
        )
        values = sides.train.engine.frame(later.limit(_ROWS))
        moments = as_moments(values["value"], None)
        if moments is not None:
            dated = values.select("user", moment=moments).drop_nulls().join(sides.per("user"), on="user")
            looked.append(_coinciding(sides, dated, "user", f"the train events' column {column!r}"))
    return looked


def _coinciding(sides: Sides, dated: pl.DataFrame, kind: str, what: str) -> Looked:
    """Whether the moments after the cut are those of test events of the same user (item)."""
    daily = bool((dated["moment"] % DAY == 0).all())
    grain = DAY if daily else 1
    if sides.order == "by time":
        later = dated.filter(pl.col("moment") >= sides.cut.moment // grain * grain)
    else:
        later = dated.filter(pl.col("moment") // grain > pl.col("train_last") // grain)
    if later.is_empty():
        return Looked()
    own = [pl.col("moment") // grain == pl.col(name) // grain for name in ("test_first", "test_last")]
    found = later.filter(pl.any_horizontal(own).fill_null(value=False))
    if found.height < max(AT_LEAST, COINCIDE * later.height):
        if later.height < MENTIONED * dated.height:
            return Looked()
        note = (
            f"{what} has {later.height:,} dates after the cut: they do not follow the test events, yet make sure that "
            "the table is as it was at the cut"
        )
        return Looked(notes=(note,))
    some = found.sort(kind).head(3)
    told = zip(sides.ids(kind, some[kind]), some["moment"], strict=True)
    return Looked(
        findings=(
            Finding(
                "future",
                f"{what} knows the test part: {found.height:,} of its {later.height:,} dates after the cut are those "
                f"of a test event of the same {kind}",
                found.height,
                tuple(f"{kind} {name}, {sides.told(when)}" for name, when in told),
                "it was computed from events that are to be predicted",
                "compute it from the events before the cut, or leave it out",
            ),
        )
    )
