"""Check: time order broken by ids.

*Ties.* Where a user's last train event and first test event share a moment, no clock says which came first: the split
went by the number of the item, or by the order of rows. It is a finding from 1 % of the users with events on both
sides, and three of them; below that a note. In a split by time, events of train at the first test moment are a finding
always: there, the cut can be put between two moments.

*Sequences.* A whole-number column of the events that never holds a value twice for one user, and rises with the clock
in at least 90 % of the steps, counts the events. Where by its count a train event comes after a test event of the same
user, ids and clock disagree about what is train and what is test.
"""

import ibis
import polars as pl
from ibis import _

from shortlist.leaks.findings import Finding, Looked
from shortlist.leaks.sides import KEY, Sides

TIED = 0.01
"""Share of the users from which ties at the cut are a finding."""
AT_LEAST = 3
RISES = 0.9
"""Share of the steps from one moment to the next in which a column that counts the events rises."""


def check(sides: Sides) -> Looked:
    """Cuts that no clock made."""
    if not sides.has_clock:
        return Looked(not_made="the events have no time that tells them apart")
    if sides.order == "unordered":
        return Looked(not_made="train and test are not divided in time")
    ties = _tied_cut(sides) if sides.order == "by time" else _tied_users(sides)
    return Looked(findings=(*ties.findings, *_sequences(sides)), notes=ties.notes)


def _tied_cut(sides: Sides) -> Looked:
    cut = sides.cut
    if not cut.tied:
        return Looked()
    at = sides.train.events.filter(_.timestamp == cut.moment).order_by(["user", "item"]).limit(3)
    some = sides.train.engine.frame(at.select("user", "item"))
    told = zip(sides.ids("user", some["user"]), sides.ids("item", some["item"]), strict=True)
    return Looked(
        findings=(
            Finding(
                "order",
                f"{cut.tied:,} train events happened at {sides.told(cut.moment)}, the moment at which the test part "
                "begins: ids or the order of rows alone put them into train",
                cut.tied,
                tuple(f"user {user}, item {item}" for user, item in told),
                "what happened at one moment lies on both sides, so train tells of the test part",
                "cut between two moments: by_time puts all of a moment on one side",
            ),
        )
    )


def _tied_users(sides: Sides) -> Looked:
    users = sides.per("user").filter((pl.col("train_events") > 0) & (pl.col("test_events") > 0))
    tied = users.filter(pl.col("train_last") == pl.col("test_first"))
    if tied.is_empty():
        return Looked()
    found = (
        f"of {users.height:,} users with events on both sides, {tied.height:,} have their cut inside one moment: ids "
        "or the order of rows alone say which event is the later one"
    )
    if tied.height < max(AT_LEAST, TIED * users.height):
        return Looked(notes=(found,))
    some = tied.sort("user").head(3)
    told = zip(sides.ids("user", some["user"]), some["test_first"], strict=True)
    return Looked(
        findings=(
            Finding(
                "order",
                found,
                tied.height,
                tuple(f"user {user}, {sides.told(when)}" for user, when in told),
                "what is train and what is test then follows from ids, which often follow popularity or the catalogue",
                "cut by time (by_time), judge on whole moments, or bring a finer clock",
            ),
        )
    )


def _sequences(sides: Sides) -> tuple[Finding, ...]:
    kinds = sides.train.events.schema()
    columns = [name for name, kind in kinds.items() if kind.is_integer() and name not in {*KEY, "weight"}]
    columns = [name for name in columns if name in sides.test.events.columns]
    return tuple(finding for column in columns for finding in _sequence(sides, column))


def _sequence(sides: Sides, column: str) -> tuple[Finding, ...]:
    engine = sides.train.engine
    parts = ((sides.train.events, False), (sides.test.events, True))
    rows = ibis.union(*(e.select("user", "timestamp", count=e[column], held=ibis.literal(held)) for e, held in parts))
    rows = rows.filter(_["count"].notnull())
    counted = engine.frame(
        rows.group_by(["user", "count"]).aggregate(n=_.count()).aggregate(rows=_.n.sum(), values=_.count())
    )
    if counted["rows"][0] != counted["values"][0] or not counted["rows"][0]:
        return ()
    before = ibis.window(group_by="user", order_by=["timestamp", "count"])
    steps = rows.mutate(was=_["count"].lag().over(before), then=_.timestamp.lag().over(before)).filter(
        _.then < _.timestamp
    )
    rising = engine.frame(steps.aggregate(rises=(_["count"] > _.was).mean()))["rises"][0]
    if rising is None or rising < RISES:
        return ()
    users = rows.group_by("user").aggregate(
        train=_["count"].max(where=~_.held),
        test=_["count"].min(where=_.held),
        train_last=_.timestamp.max(where=~_.held),
        test_first=_.timestamp.min(where=_.held),
    )
    wrong = engine.frame(users.filter((_.train > _.test) & (_.train_last <= _.test_first)).order_by("user"))
    if wrong.is_empty():
        return ()
    some = wrong.head(3)
    told = zip(sides.ids("user", some["user"]), some["train"], some["test"], strict=True)
    return (
        Finding(
            "order",
            f"by the events' column {column!r}, which counts them, {wrong.height:,} users have train events after "
            "their first test event, though the clock has them before",
            wrong.height,
            tuple(f"user {user}: train has {train:,}, test has {test:,}" for user, train, test in told),
            "ids and clock disagree about the order of events; if the ids are right, train knows what came later",
            f"find out which is right: mend the clock, or split by the order of {column!r}",
        ),
    )
