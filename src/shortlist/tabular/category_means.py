"""Category means: what rows of the same category had, without the row that asks.

For training every row asks either the rows of other folds (its mean, deviation and count), or the rows strictly before
it in time (the means of the last few, how often they come). A new row asks all of training, or what of it was before.
No row is ever answered with its own number, nor, of the past, with a later one.
Source: target encoding: Micci-Barreca, SIGKDD Explorations 2001; past only: Prokhorenkova et al., "CatBoost", NIPS
2018. Differs: time orders the rows, not a permutation; and a window of the last few rather than all.

Shapes: N rows, V values, F folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from shortlist.tabular.columns import coded

PRIOR = 10.0
"""Rows of the mean of everything that each category is given besides its own."""
RECENT = (10, 100)
"""How many rows before are looked back on."""
RECENT_PRIOR = 3.0


@dataclass(frozen=True)
class CategoryMeans:
    """Sums of the numbers of each value of one or several columns together, and of each when it was."""

    columns: tuple[str, ...]
    values: pl.DataFrame
    """`value` and its `place`, from 0."""
    count_V: np.ndarray
    sum_V: np.ndarray
    square_V: np.ndarray
    prior: float
    """The mean of all rows."""
    spread: float
    """Their variance."""
    starts: np.ndarray
    """Where the rows of each value begin among those in order of value and time (int64, V + 1); empty without time."""
    seconds: np.ndarray
    """When they were."""
    sums: np.ndarray
    """Sums of their numbers up to each, 0 before them."""

    @classmethod
    def fit(
        cls, columns: Sequence[str], table: pl.DataFrame, target_N: np.ndarray, time_N: np.ndarray | None
    ) -> "CategoryMeans":
        """Of these rows; `time_N` (float64 seconds) only where the past is to be asked for. The missing come first."""
        code = coded([table[name] for name in columns])
        values = (
            pl.DataFrame({"value": code.unique().sort()})
            .with_row_index("place")
            .with_columns(pl.col("place").cast(pl.Int64))
        )
        place_N = placed(values, code)
        count = np.bincount(place_N, minlength=values.height).astype(np.float64)
        total = np.bincount(place_N, target_N, values.height)
        square = np.bincount(place_N, target_N**2, values.height)
        starts, seconds, sums = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        if time_N is not None:
            told = np.where(np.isfinite(time_N), time_N, -np.inf)
            order = np.lexsort((told, place_N))
            starts = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
            seconds, sums = told[order], np.concatenate([[0.0], np.cumsum(target_N[order])])
        spread = float(target_N.var()) if len(target_N) else 0.0
        return cls(tuple(columns), values, count, total, square, float(target_N.mean()), spread, starts, seconds, sums)

    @property
    def names(self) -> tuple[str, ...]:
        """What is told of a row."""
        key = " x ".join(self.columns)
        always = tuple(f"{key}: {what}" for what in ("mean", "deviation", "count"))
        if not len(self.starts):
            return always
        recent = tuple(f"{key}: mean of the last {rows}" for rows in RECENT)
        return (*always, *recent, f"{key}: seconds a row", f"{key}: seconds since", f"{key}: rows before")

    def of_training(
        self, table: pl.DataFrame, target_N: np.ndarray, time_N: np.ndarray | None, fold_N: np.ndarray
    ) -> np.ndarray:
        """What is told of the rows that were learnt from (float32): means without those of the row's fold."""
        place_N = placed(self.values, coded([table[name] for name in self.columns]))
        folds = int(fold_N.max()) + 1
        at = place_N * folds + fold_N
        powers = [target_N**power for power in range(3)]
        own = [np.bincount(at, power, len(self.count_V) * folds)[at] for power in powers]
        whole = (self.count_V, self.sum_V, self.square_V)
        count, total, square = (all_[place_N] - mine for all_, mine in zip(whole, own, strict=True))
        rows, sums, squares = (power.sum() - np.bincount(fold_N, power, folds) for power in powers)
        prior_N = (sums / np.maximum(rows, 1))[fold_N]
        square_N = (squares / np.maximum(rows, 1))[fold_N]
        means = _means(count, total, square, prior_N, square_N)
        return self._told(place_N, [*means, count * folds / (folds - 1)], time_N, prior_N)

    def of_new(self, table: pl.DataFrame, time_N: np.ndarray | None) -> np.ndarray:
        """What is told of rows that were not learnt from (float32); of an unknown value as of one without rows."""
        place_N = placed(self.values, coded([table[name] for name in self.columns]))
        whole = (self.count_V, self.sum_V, self.square_V)
        count, total, square = (np.where(place_N >= 0, all_[place_N], 0.0) for all_ in whole)
        prior_N = np.full(len(place_N), self.prior)
        means = _means(count, total, square, prior_N, prior_N**2 + self.spread)
        return self._told(place_N, [*means, count], time_N, prior_N)

    def _told(
        self, place_N: np.ndarray, told: list[np.ndarray], time_N: np.ndarray | None, prior_N: np.ndarray
    ) -> np.ndarray:
        if len(self.starts):
            if time_N is None:
                raise AssertionError("what has a past is asked at a time")
            told = told + self._past(place_N, np.where(np.isfinite(time_N), time_N, -np.inf), prior_N)
        return np.column_stack(told).astype(np.float32)

    def _past(self, place_N: np.ndarray, time_N: np.ndarray, prior_N: np.ndarray) -> list[np.ndarray]:
        """The rows strictly before: their means, how far apart they are, how long ago the last, how many."""
        moments = np.unique(self.seconds)
        lines = len(moments) + 1  # for each value a line of moments, and one behind the last
        value_S = np.repeat(np.arange(len(self.count_V)), np.diff(self.starts))
        at_S = value_S * lines + np.searchsorted(moments, self.seconds)
        known = place_N >= 0
        at = np.where(known, np.searchsorted(at_S, place_N * lines + np.searchsorted(moments, time_N)), 0)
        first = np.where(known, self.starts[place_N], 0)
        told = []
        for rows in RECENT:
            begin = np.maximum(at - rows, first)
            mean = (self.sums[at] - self.sums[begin] + RECENT_PRIOR * prior_N) / (at - begin + RECENT_PRIOR)
            told.append(mean)
        begin = np.maximum(at - RECENT[0], first)
        with np.errstate(invalid="ignore"):
            since_first, since_last = (time_N - self.seconds[np.clip(row, 0, None)] for row in (begin, at - 1))
        gaps = (since_first / np.maximum(at - begin, 1), since_last)
        told += [np.where((at > first) & np.isfinite(gap), gap, np.nan) for gap in gaps]
        return [*told, (at - first).astype(np.float64)]


def _means(
    count: np.ndarray, total: np.ndarray, square: np.ndarray, prior: np.ndarray, prior_square: np.ndarray
) -> list[np.ndarray]:
    """The mean and the deviation, with `PRIOR` rows as all are."""
    mean = (total + PRIOR * prior) / (count + PRIOR)
    variance = (square + PRIOR * prior_square) / (count + PRIOR) - mean**2
    return [mean, np.sqrt(np.maximum(variance, 0))]


def placed(values: pl.DataFrame, code: pl.Series) -> np.ndarray:
    """The place of each value (int64, N); -1 of what is not among them."""
    found = pl.DataFrame({"value": code}).join(values, on="value", how="left", maintain_order="left")["place"]
    return found.fill_null(-1).to_numpy()
