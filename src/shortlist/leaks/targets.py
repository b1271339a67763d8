"""Check: columns made from what is to be found.

*How much.* The target is a column of the events, else their weight. A column of the events, users or items that alone
explains `EXPLAINED` of the variance of its ranks was made from it: rows are halved at random, and each half is
predicted by the other half's mean rank of the value (of a hundredth part of the values, where they are many numbers).
Rows beyond `ROWS` are drawn. Rank variance, so that neither a bent scale nor one large number matters.

*Which.* How often items (users) are met in the test part is foretold by how often they were met before, in train's
last stretch of the same length and in all of train. A number column that leaves less than half of what the better of
these leaves unexplained, and explains half of it at least (squared rank correlation), knows the test part. For users
only in a split in time, for those held out were not met before.
"""

from typing import Any

import ibis
import numpy as np
import polars as pl
from ibis import _

from shortlist.dataset.split import PRIME, draw, pair_number
from shortlist.errors import ColumnError, nearest
from shortlist.leaks.findings import Finding, Looked
from shortlist.leaks.sides import KEY, Sides
from shortlist.seeds import Seeds

EXPLAINED = 0.95
"""Share of the variance of the target's ranks."""
ROWS = 100_000
"""Rows of train that are looked at."""
BINS = 100
HALF = 0.5
FEWEST = 30
"""Rows, users or items without which nothing can be said."""


def check(sides: Sides, target: str | None = None) -> Looked:
    """Columns that predict too well."""
    counted = [finding for kind in ("item", "user") for finding in _foretold(sides, kind)]
    column = _target(sides, target)
    explained = () if column is None else _explained(sides, column, target or column)
    notes = () if column is not None else ("the events have no target, so only counts were held against columns",)
    return Looked(findings=(*explained, *counted), notes=notes)


def _target(sides: Sides, target: str | None) -> str | None:
    """The events' column that is to be predicted; None where there is none."""
    events, named = sides.train.events, sides.train.sources["events"].matched
    if target is None:
        return "weight" if "weight" in named else None
    column = "weight" if named.get("weight") == target else target
    if column not in events.columns or column in {"user", "item"}:
        raise ColumnError(f"target {target!r}: the events have no such column{nearest(target, events.columns)}")
    if not events.schema()[column].is_numeric() and not events.schema()[column].is_boolean():
        raise ColumnError(f"target {target!r} holds {events.schema()[column]}, and a target is a number; name another")
    return column


def _explained(sides: Sides, target: str, said: str) -> tuple[Finding, ...]:
    rows = _rows(sides, target)
    y = rows["target"].rank().to_numpy()
    if len(y) < FEWEST or y.var() == 0:
        return ()
    halves = Seeds().generator("targets").random(len(y)) < HALF
    found = []
    for name in rows.columns:
        if name == "target":
            continue
        share = _share(_values(rows[name]), y, halves)
        if share >= EXPLAINED:
            found.append((share, name))
    return tuple(
        Finding(
            "targets",
            f"{name} alone explains {share:.1%} of the variance of {said!r} (ranks, out of fold)",
            1,
            tuple(f"{name} {a!r}, {said} {b!r}" for a, b in _spread(rows.select(name, "target"))),
            "such a column is made from the target or is known only after it; in use it is not there",
            "leave it out, or make sure that it is known before the target is",
        )
        for share, name in sorted(found, reverse=True)
    )


def _spread(rows: pl.DataFrame) -> list[tuple[Any, Any]]:
    """Three rows from all over the target."""
    sorted_ = rows.drop_nulls().sort("target")
    return sorted_.gather_every(max(1, sorted_.height // 3), offset=sorted_.height // 6).head(3).rows()


def _rows(sides: Sides, target: str) -> pl.DataFrame:
    """The target and every column that could be made from it, under names that say whose they are."""
    events = sides.train.events
    share = min(1.0, ROWS / max(sides.sizes[0], 1))
    drawn = events.filter(draw(pair_number(events), seed=0) < round(share * PRIME))
    wanted = {"target": drawn[target].cast("float64")}
    wanted |= {f"the events' {n}": drawn[n] for n in _plain(drawn, {*KEY, "weight", target})}
    if target != "weight" and "weight" in sides.train.sources["events"].matched:
        wanted["the events' weight"] = drawn.weight
    joined = drawn.select("user", "item", **wanted)
    for kind in ("user", "item"):
        table = sides.table(kind)
        names = {f"the {kind}s' {n}": table[n] for n in _plain(table, {kind, f"{kind}_id"})}
        if names:
            # Attribute tables may have a row less than the events, never two for one.
            joined = joined.left_join(table.select(kind, **names), kind).drop(f"{kind}_right")
    frame = sides.train.engine.frame(joined.drop("user", "item"))
    return frame.filter(pl.col("target").is_not_null() & ~pl.col("target").is_nan()).sort(pl.all())


def _plain(table: ibis.Table, without: set[str]) -> list[str]:
    kinds = {name: kind for name, kind in table.schema().items() if name not in without}
    return [n for n, kind in kinds.items() if kind.is_numeric() or kind.is_string() or kind.is_boolean()]


def _values(column: pl.Series) -> np.ndarray:
    """A number for each different value, or for each hundredth part of the values where they are many numbers."""
    if column.dtype.is_numeric() and column.n_unique() > 2 * BINS:
        column = (column.cast(pl.Float64).rank("dense") * BINS // (column.n_unique() + 1)).fill_null(-1)
    return column.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()


def _share(values: np.ndarray, y: np.ndarray, halves: np.ndarray) -> float:
    """The share of the variance that each half's means explain of the other half."""
    left = 0.0
    for half in (halves, ~halves):
        counts = np.bincount(values[~half], minlength=values.max() + 1)
        sums = np.bincount(values[~half], weights=y[~half], minlength=values.max() + 1)
        mean = y[~half].mean() if (~half).any() else y.mean()
        means = np.where(counts > 0, sums / np.maximum(counts, 1), mean)
        left += float(((y[half] - means[values[half]]) ** 2).sum())
    return 1 - left / float(((y - y.mean()) ** 2).sum())


def _foretold(sides: Sides, kind: str) -> list[Finding]:
    table = sides.table(kind)
    columns = [n for n, t in table.schema().items() if t.is_numeric() and n not in {kind, f"{kind}_id"}]
    if not columns or (kind == "user" and sides.order != "by time"):
        return []
    counts = sides.per(kind).select(kind, "train_events", pl.col("test_events").alias("test"))
    before = _stretch(sides, kind)
    counts = counts.join(before, on=kind, how="left").with_columns(pl.col("before").fill_null(0))
    counts = counts.filter((pl.col("test") > 0) | (pl.col("before") > 0))
    values = sides.train.engine.frame(table.select(kind, **{f"column {n}": table[n] for n in columns}))
    found = []
    for name in columns:
        rows = counts.join(values.select(kind, value=f"column {name}"), on=kind).drop_nulls().sort(kind)
        rows = rows.filter(~pl.col("value").cast(pl.Float64).is_nan())
        if rows.height < max(FEWEST, HALF * counts.height) or rows["test"].n_unique() < 3:
            continue
        told = _alike(rows["value"], rows["test"])
        honest = max(_alike(rows[past], rows["test"]) for past in ("before", "train_events"))
        if told >= HALF and 1 - told <= HALF * (1 - honest):
            found.append(_knows(sides, kind, name, rows, (told, honest)))
    return found


def _knows(sides: Sides, kind: str, name: str, rows: pl.DataFrame, shares: tuple[float, float]) -> Finding:
    some = rows.sort("test", descending=True, maintain_order=True).head(3)
    told = zip(sides.ids(kind, some[kind]), some["value"], some["test"], some["before"], strict=True)
    return Finding(
        "targets",
        f"the {kind}s' column {name!r} explains {shares[0]:.0%} of the variance of how often {kind}s are met in the "
        f"test part (ranks), where what they had before explains {shares[1]:.0%}",
        1,
        tuple(f"{kind} {a}: {name} {b!r}, {c:,} test events, {d:,} as long before" for a, b, c, d in told),
        "nothing that is known before the test part tells it so much better than the past does",
        "compute it from events before the cut, or leave it out",
    )


def _stretch(sides: Sides, kind: str) -> pl.DataFrame:
    """How often each is met in the stretch before the cut that is as long as the test part; else in all of train."""
    events = sides.train.events
    if sides.order == "by time":
        last = sides.per("user")["test_last"].max()
        events = events.filter(events.timestamp >= 2 * sides.cut.moment - int(last) - 1)  # type: ignore[arg-type]
    return sides.train.engine.frame(events.group_by(kind).aggregate(before=_.count()))


def _alike(values: pl.Series, counts: pl.Series) -> float:
    """The squared rank correlation; 0 where one of them does not vary."""
    a, b = (series.cast(pl.Float64).rank().to_numpy() for series in (values, counts))
    return float(np.corrcoef(a, b)[0, 1] ** 2) if a.std() > 0 and b.std() > 0 else 0.0
