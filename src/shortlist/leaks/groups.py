"""Check: one group on both sides.

*Groups of events.* A column of the events is a basket, a session or an order where each of its values belongs to one
user and, where there is a clock, to no more than a day; a fifth of them have several events, and there are half again
as many of them as users. Where a split is in time and every value has one moment only, no cut can tear one: each torn
one is a finding. Where they span some time, a cut at midnight tears a few, so they are one from 1 %, and three. In an
unordered split that tears half of them or more, it is a note: such a split tears all that belongs together.

*Groups of users (items).* Looked for where users (items) are held out: values of a column, subtrees of a column that
names parents, at each depth. Strays are, of each group, the side with fewer members. A split holds the groups whole
where strays are no more than 30 % of the smaller side (drawn at random, they are nearly all of it), among groups of
two members or more that hold half of the members. Of several such groupings the one with the fewest strays is meant;
of the depths of one tree, the first. If that one has strays, they are a finding.

*Users themselves*: where users are held out, the few that are in train too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import ibis
import numpy as np
import polars as pl
from ibis import _

from shortlist.dataset.folds import tree_groups
from shortlist.errors import DataError
from shortlist.leaks.findings import Finding, Looked
from shortlist.leaks.sides import KEY, Sides
from shortlist.moments import DAY

STRAYS = 0.3
"""Share of the smaller side that strays may be where groups are held whole."""
SMALLEST = 5
"""Members of groups that the smaller side must have."""
ONE_OWNER = 0.99
"""Share of the values of a basket's column that must have one user (and a day at most)."""
TORN = 0.01
"""Share of groups that span some time from which torn ones are a finding."""
_DEEPEST = 8


def check(sides: Sides) -> Looked:
    """Groups whose members stand on both sides, of a split that keeps groups whole otherwise."""
    baskets = [_baskets(sides, column) for column in _basket_columns(sides)]
    # Whoever is new in a split by time was not held out: time brought them. And where users are held out, items follow.
    kinds = [kind for kind in ("user", "item") if sides.order != "by time" and sides.held_out(kind)][:1]
    of_members = [finding for kind in kinds for finding in _members(sides, kind)]
    return Looked(
        findings=(*(f for looked in baskets for f in looked.findings), *of_members, *_shared_users(sides, kinds)),
        notes=tuple(note for looked in baskets for note in looked.notes),
    )


def _basket_columns(sides: Sides) -> list[str]:
    kinds = sides.train.events.schema()
    return [
        name
        for name, kind in kinds.items()
        if (kind.is_integer() or kind.is_string() or kind.is_uuid())
        and name not in {*KEY, "weight"}
        and name in sides.test.events.columns
    ]


def _baskets(sides: Sides, column: str) -> Looked:
    engine = sides.train.engine
    parts = ((sides.train.events, 0), (sides.test.events, 1))
    rows = ibis.union(
        *(e.select("user", "timestamp", value=e[column], held=ibis.literal(held, "int64")) for e, held in parts)
    ).filter(_.value.notnull())
    values = rows.group_by("value").aggregate(
        rows=_.count(), held=_.held.sum(), user=_.user.min(), other=_.user.max(),
        span=_.timestamp.max() - _.timestamp.min(),
    )  # fmt: skip
    several = values.filter(_.rows > 1)
    torn = several.filter((_.held > 0) & (_.held < _.rows))
    counted = values.aggregate(
        values=_.count(),
        several=(_.rows > 1).sum(),
        own=((_.user == _.other) & (_.span <= DAY)).sum(),
        moment=(_.span == 0).sum(),
        in_test=((_.held > 0) & (_.rows > 1)).sum(),
        torn=((_.held > 0) & (_.held < _.rows)).sum(),
    )
    found = {name: int(value or 0) for name, value in engine.frame(counted).row(0, named=True).items()}
    users = sides.per("user").height
    if found["own"] < ONE_OWNER * found["values"] or found["several"] < 0.2 * found["values"]:
        return Looked()
    if found["values"] < 1.5 * users or not found["torn"]:
        return Looked()
    said = f"{found['torn']:,} of {found['in_test']:,} values of the events' column {column!r} in the test part"
    if sides.order == "unordered":
        if found["torn"] >= 0.5 * found["in_test"]:
            return Looked(notes=(f"the split tears what belongs together: {said} have events in train too",))
    elif found["moment"] < ONE_OWNER * found["values"] and found["torn"] < max(3, TORN * found["in_test"]):
        return Looked(notes=(f"the cut falls into some: {said} have events in train too",))
    some = engine.frame(torn.order_by("value").limit(3))
    told = zip(some["value"], sides.ids("user", some["user"]), some["rows"], some["held"], strict=True)
    return Looked(
        findings=(
            Finding(
                "groups",
                f"{said} have events in train too, though each is one user's at one time",
                found["torn"],
                tuple(
                    f"{column} {value!r} of user {user}: {n - held} in train, {held} in test"
                    for value, user, n, held in told
                ),
                "the part of a basket or session that is in train tells the part that is asked for",
                f"put all events of one {column!r} on one side",
            ),
        )
    )


@dataclass(frozen=True)
class _Grouping:
    """Members and their groups, and how many stray."""

    said: str
    members: pl.DataFrame
    """Columns: number, group, held, stray; those in groups of several."""
    share: float

    @property
    def strays(self) -> pl.DataFrame:
        return self.members.filter("stray")


def _members(sides: Sides, kind: str) -> tuple[Finding, ...]:
    known = sides.per(kind).filter((pl.col("train_events") > 0) != (pl.col("test_events") > 0))
    side = known.select(number=kind, held=pl.col("test_events") > 0)
    meant = [grouping for grouping in _groupings(sides, kind, side) if grouping.share <= STRAYS]
    if not meant:
        return ()
    best = min(meant, key=lambda grouping: grouping.share)
    strays = best.strays
    if strays.is_empty():
        return ()
    groups = strays["group"].n_unique()
    told = []
    for number, group, held in strays.sort("group", "number").select("number", "group", "held").head(3).iter_rows():
        beside = best.members.filter((pl.col("group") == group) & (pl.col("held") != held))["number"]
        ids = sides.ids(kind, pl.Series([number, beside.min()]))
        here, there = ("the test part", "train") if held else ("train", "the test part")
        told.append(f"{kind} {ids[0]} is in {here}, {ids[1]} of the same group and {len(beside) - 1} more in {there}")
    return (
        Finding(
            "groups",
            f"{strays.height:,} {kind}s stand apart from their group: by {best.said} the split holds groups out "
            f"whole, all but {groups:,}",
            strays.height,
            tuple(told),
            "what is learnt from members in train tells of those held out, which a new group will not have",
            f"split by the group (k_fold), or take these {kind}s out of train",
        ),
    )


def _groupings(sides: Sides, kind: str, side: pl.DataFrame) -> Iterator[_Grouping]:
    table = sides.table(kind)
    for column, type_ in table.schema().items():
        if column in {kind, f"{kind}_id"} or not (type_.is_integer() or type_.is_string() or type_.is_uuid()):
            continue
        values = sides.train.engine.frame(table.select(number=table[kind], value=table[column])).sort("number")
        tree = _tree(sides, kind, values)
        if tree is None:
            grouped = _strays(side.join(values.drop_nulls(), on="number").rename({"value": "group"}))
            if grouped is not None:
                yield _Grouping(f"the column {column!r}", *grouped)
            continue
        for depth in range(_DEEPEST):
            groups = values.select("number", group=pl.Series(tree_groups(tree, depth)))
            grouped = _strays(side.join(groups, on="number"))
            if grouped is not None and grouped[1] <= STRAYS:
                yield _Grouping(f"the trees over {column!r}, depth {depth},", *grouped)
                break


def _strays(members: pl.DataFrame) -> tuple[pl.DataFrame, float] | None:
    """The members of groups of several, which of them stray, and their share; None where too few are in such groups."""
    held, size = pl.col("held").sum().over("group"), pl.len().over("group")
    several = members.filter(size > 1)
    smaller = min(int(several["held"].sum()), int((~several["held"]).sum()))
    if smaller < SMALLEST or several.height < 0.5 * members.height or several["group"].n_unique() < 2:
        return None
    minority = pl.when(held * 2 <= size).then(pl.col("held")).otherwise(~pl.col("held"))
    marked = several.with_columns(stray=minority & (held > 0) & (held < size))
    return marked, int(marked["stray"].sum()) / smaller


def _tree(sides: Sides, kind: str, values: pl.DataFrame) -> np.ndarray | None:
    """The parents, by number, that a column names; None where it does not."""
    ids = sides.train.item_ids if kind == "item" else sides.train.user_ids
    named = values["value"]
    if named.null_count() == len(named):
        return None
    try:
        parents = ids.numbers(named)
    except DataError:
        return None
    if (parents >= 0).sum() < 0.9 * (len(named) - named.null_count()):
        return None
    return None if (tree_groups(parents, 0) < 0).any() else parents


def _shared_users(sides: Sides, kinds: list[str]) -> tuple[Finding, ...]:
    if "user" not in kinds:
        return ()
    users = sides.per("user").filter(pl.col("test_events") > 0)
    shared = users.filter(pl.col("train_events") > 0).sort("user")
    if shared.is_empty():
        return ()
    return (
        Finding(
            "groups",
            f"{shared.height:,} of {users.height:,} users of the test part have events in train, though all others "
            "are held out",
            shared.height,
            tuple(f"user {user}" for user in sides.ids("user", shared["user"].head(3))),
            "users of whom nothing is known are judged, and of these something is",
            "take their events out of train",
        ),
    )
