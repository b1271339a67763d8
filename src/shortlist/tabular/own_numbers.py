"""Own numbers: columns that tell a row its own target, such as a mean that somebody made with the row itself in it.

Three marks are looked for. A mean is the mean of the rows that share it. In small groups a mean, sum or largest of
the group, also a smoothed one, lies on one line with what the group has, for each size of groups: those of a category,
or else rows that share their value. And a mean without the row itself falls as its own number rises, on one line
within each group of a category. Where only a part of the rows is there that it was made of, and no category is named
that it was made by, it may not be found.
Source of the last mark: Prokhorenkova et al., "CatBoost", NIPS 2018 (why leave-one-out means leak).

Shapes: G groups of one size.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from shortlist.errors import DataError
from shortlist.tabular.logarithm import to_log

SIZES = (1, 2, 3)
"""Rows of a group: in larger ones a row tells little of itself."""
FEWEST = 10
"""Values on a line, or groups, without which nothing is said."""
SHARE = 0.5
"""Share of the groups on one line from which on a column is refused."""
_LINES, _NEAR, _STRAIGHT = 200, 1e-5, 0.999_99
_VALUE, _TARGET = "the value", "the target"


def check(table: pl.DataFrame, numbers: Sequence[str], categories: Sequence[str], target: str) -> None:
    """Raises `DataError` where a column of numbers tells the target of its own row. Rows without it are passed over."""
    told = table.with_columns(pl.col(target).cast(pl.Float64).alias(_TARGET)).filter(pl.col(_TARGET).is_finite())
    counts = bool((told[_TARGET] >= 0).all())
    scales = [told[_TARGET].to_numpy()] + ([to_log(told[_TARGET].to_numpy(), counts)] if counts else [])
    for name in numbers:
        for number_N in scales:
            rows = told.select(pl.col(name).cast(pl.Float64).alias(_VALUE), pl.Series(_TARGET, number_N), *categories)
            share = _share(rows.filter(pl.col(_VALUE).is_finite()), categories)
            if share > SHARE:
                raise DataError(
                    f"{name!r} tells rows their own {target!r}: {share:.0%} of the groups that show it lie on one line "
                    "with it. Was it made with the row in it? Make it of rows before, or of other folds, or leave it "
                    "out: a column under `categories` is averaged without the row itself. Where it is known before the "
                    "target all the same, name it under `known`"
                )


def _share(rows: pl.DataFrame, categories: Sequence[str]) -> float:
    """The largest share of groups that show one of the marks."""
    shared = rows.group_by(_VALUE).agg(pl.len().alias("size"), pl.mean(_TARGET))
    shares = [_same(shared), *(_on_a_line(shared.filter(size=size)) for size in SIZES)]
    for name in categories:
        found = rows.group_by(name).agg(
            pl.len().alias("size"),
            pl.first(_VALUE),
            pl.mean(_TARGET),
            pl.corr(_VALUE, _TARGET).fill_nan(0).alias("straight"),
            pl.col(_VALUE).n_unique().alias("values"),
            pl.col(_TARGET).n_unique().alias("targets"),
        )
        shares += [_on_a_line(found.filter(size=size, values=1)) for size in SIZES]
        several = found.filter((pl.col("values") > 2) & (pl.col("targets") > 2))
        if several.height >= FEWEST:
            shares.append(float((several["straight"] < -_STRAIGHT).mean()))  # type: ignore[arg-type]
    return max(shares)


def _same(shared: pl.DataFrame) -> float:
    """The share of rows whose value is the mean of the rows that share it."""
    near = _NEAR * float(shared[_TARGET].std() or 0.0)  # type: ignore[arg-type]
    mine = shared.filter((pl.col(_VALUE) - pl.col(_TARGET)).abs() <= near)
    return float(mine["size"].sum()) / float(shared["size"].sum()) if mine.height >= FEWEST else 0.0


def _on_a_line(groups: pl.DataFrame) -> float:
    """The share of groups on the fullest of the lines through two of them, which are drawn.

    Level lines do not count, nor those with fewer than `FEWEST` values of the column.
    """
    value_G, mean_G = groups[_VALUE].to_numpy(), groups[_TARGET].to_numpy()
    if len(np.unique(value_G)) < FEWEST:
        return 0.0
    random = np.random.default_rng(0)
    near, most = _NEAR * float(mean_G.std()), 0
    for _ in range(_LINES):
        one, other = random.choice(len(value_G), 2, replace=False)
        run, rise = value_G[other] - value_G[one], mean_G[other] - mean_G[one]
        if not run or not rise:
            continue
        on_G = np.abs(mean_G[one] + rise / run * (value_G - value_G[one]) - mean_G) <= near
        if on_G.sum() > most and len(np.unique(value_G[on_G])) >= FEWEST:
            most = int(on_G.sum())
    return most / len(value_G)
