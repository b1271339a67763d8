"""Bootstrap: how sure a mean over users is, and a difference of two.

A draw takes as many users as there are, at random and with replacement; the middle 95 % of the means of many
draws is the interval (the percentile bootstrap). Columns of one call are drawn together, so that the difference of
two models' columns is paired: what makes a user easy or hard for both falls out.

How often a draw takes each user is a multinomial, drawn exactly but not user by user. Users with the same
values in all columns are interchangeable, so many of them are one class; all others stand in blocks. A draw
is a multinomial over classes and blocks; within a block the users it takes are random integers, counted. The
sums of all columns are one matrix product, counts times values: no loop runs over users, metrics or models.

Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

Shapes: U users, M columns (metrics, models, differences), D draws, C classes, B users of a block.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Values = npt.NDArray[np.float64]

_CLASS = 32
"""Users from which on a class is drawn as one: a binomial costs about as much as counting so many."""
_BLOCK = 1 << 16
_DRAWS = 32
"""Draws that are counted at once: 32 x 65,536 counts are 16 MB."""


@dataclass(frozen=True, eq=False)
class Estimates:
    """The mean over users of each column and the two ends of its interval, `(M,)` each."""

    value: Values
    low: Values
    high: Values


def estimate(values_UM: Values, draws: int, generator: np.random.Generator) -> Estimates:
    """The mean of each column and its 95 % interval, all from the same draws."""
    low_M, high_M = interval(bootstrap_means(values_UM, draws, generator))
    return Estimates(values_UM.mean(axis=0), low_M, high_M)


def interval(means_DM: Values, level: float = 0.95) -> tuple[Values, Values]:
    """The two ends, `(M,)` each, between which the middle `level` of the draws lies."""
    low_M, high_M = np.quantile(means_DM, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low_M, high_M


def bootstrap_means(values_UM: Values, draws: int, generator: np.random.Generator) -> Values:
    """The mean of each column in each draw, `(D, M)`."""
    users, columns = values_UM.shape
    if not columns:
        return np.empty((draws, 0))
    values_CM, sizes_C, others_UM = _classes(values_UM)
    blocks = [others_UM[start : start + _BLOCK] for start in range(0, len(others_UM), _BLOCK)]
    shares = np.array([*sizes_C, *map(len, blocks)]) / users
    sums_DM: Values = np.empty((draws, columns))
    for start in range(0, draws, _DRAWS):
        few = slice(start, start + _DRAWS)
        takes = generator.multinomial(users, shares, size=len(sums_DM[few]))
        sums_DM[few] = takes[:, : len(sizes_C)] @ values_CM
        for block, values_BM in enumerate(blocks, start=len(sizes_C)):
            sums_DM[few] += _counts(takes[:, block], len(values_BM), generator) @ values_BM
    means_DM: Values = sums_DM / users
    return means_DM


def _classes(values_UM: Values) -> tuple[Values, npt.NDArray[np.integer], Values]:
    """The rows that many users share, `(C, M)`, how many share each, `(C,)`, and all other users' rows."""
    rows = pl.DataFrame(values_UM, schema=[f"column {m}" for m in range(values_UM.shape[1])])
    classes = rows.group_by(rows.columns, maintain_order=True).len("users")
    many, few = classes.filter(pl.col("users") >= _CLASS), classes.filter(pl.col("users") < _CLASS)
    values_CM, others_M = (np.ascontiguousarray(part.drop("users").to_numpy()) for part in (many, few))
    return values_CM, many["users"].to_numpy(), np.repeat(others_M, few["users"].to_numpy(), axis=0)


def _counts(takes_D: npt.NDArray[np.int64], users: int, generator: np.random.Generator) -> Values:
    """How often each user of a block is taken, `(D, B)`, where a draw takes so many from it."""
    counts_DB = np.empty((len(takes_D), users))
    for draw, takes in enumerate(takes_D):
        counts_DB[draw] = np.bincount(generator.integers(0, users, takes), minlength=users)
    return counts_DB
