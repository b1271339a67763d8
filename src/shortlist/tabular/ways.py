"""Ways: as what trees learn a number, and how their answers become the number again.

Source of the negative binomial: Hilbe, "Negative Binomial Regression", 2011; its size is told by the moments of all
rows, and the mean is learnt rightly whatever the size is.

Shapes: N rows, P features.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from shortlist.errors import DataError
from shortlist.tabular.features import Features
from shortlist.tabular.logarithm import from_log, to_log
from shortlist.tabular.trees import BoostedTrees, FittedTrees, Objective

Metric = Literal["rmse", "mae", "rmsle"]
Way = Literal["squared", "absolute", "log", "poisson", "negative_binomial", "tweedie", "two_part"]
WAYS: Mapping[Metric, tuple[Way, ...]] = {
    "rmse": ("squared", "log", "tweedie"),
    "mae": ("absolute", "log"),
    "rmsle": ("log",),
}
"""What is tried for a metric where numbers are never below zero; else the first of them alone."""
OF_COUNTS = ("log", "poisson", "negative_binomial", "tweedie", "two_part")
"""Ways of numbers that are never below zero."""
IN_LOGARITHMS = ("log", "two_part", "network")
"""Ways that learn logarithms: their answers lie below the mean until they are brought to it."""
_OBJECTIVES: Mapping[Way, tuple[Objective, ...]] = {
    "squared": ("squared",), "absolute": ("absolute",), "log": ("squared",), "poisson": ("poisson",),
    "negative_binomial": ("negative_binomial",), "tweedie": ("tweedie",), "two_part": ("binary", "squared"),
}  # fmt: skip


@dataclass(frozen=True)
class Learnt:
    """The features (float32, N × P) and numbers (N) of all rows; which are learnt from, and which stop the trees."""

    features: Features
    feature_NP: np.ndarray
    number_N: np.ndarray
    learnt: np.ndarray
    stops: np.ndarray

    def trees(self, recipe: BoostedTrees, way: Way, seed: int) -> "FittedWay":
        """The trees of each part of a way."""
        made = []
        for part, objective in enumerate(_OBJECTIVES[way]):
            target_N = _learnt_as(way, part, self.number_N)
            learnt, stops = (some[np.isfinite(target_N[some])] for some in (self.learnt, self.stops))
            if not len(learnt) or not len(stops):
                raise DataError(f"way = {way!r}: all numbers that are learnt from are zero; name another way")
            pairs = [(self.feature_NP[some], target_N[some]) for some in (learnt, stops)]
            told = self.features.names, self.features.categories
            made.append(recipe.fit(objective, *told, pairs[0], pairs[1], seed + part))
        return FittedWay(way, self.features, tuple(made))

    def ends(self, recipe: BoostedTrees, log_N: np.ndarray, level: float, seed: int) -> tuple[FittedTrees, FittedTrees]:
        """Trees of the two quantiles of the number, as it is looked at, between which a share `level` of it lies."""
        told = self.features.names, self.features.categories
        pairs = [(self.feature_NP[some], log_N[some]) for some in (self.learnt, self.stops)]
        low, high = (
            recipe.fit("quantile", *told, pairs[0], pairs[1], seed, quantile)
            for quantile in ((1 - level) / 2, (1 + level) / 2)
        )
        return low, high

    def of_others(self, column: str | None, row_K: np.ndarray, other_K: np.ndarray) -> np.ndarray:
        """The features of rows (K), but what is told of a column as of other rows."""
        of_it = [place for place, source in enumerate(self.features.sources) if column in source.split(" x ")]
        feature_KP: np.ndarray = self.feature_NP[row_K]
        feature_KP[:, of_it] = self.feature_NP[other_K][:, of_it]
        return feature_KP


@dataclass(frozen=True)
class FittedWay:
    """What trees read of a row, and the trees of each part of a way."""

    way: Way
    features: Features
    trees: tuple[FittedTrees, ...]

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        """The numbers of rows that were not learnt from, in their own size, before they are brought to the mean."""
        return self.of_features(self.features.of_new(table))

    def of_features(self, feature_NP: np.ndarray) -> np.ndarray:
        """The same of their features."""
        told: list[np.ndarray] = [part.predict(feature_NP) for part in self.trees]
        match self.way:
            case "log":
                return from_log(told[0], counts=True)
            case "two_part":
                whole: np.ndarray = told[0] * from_log(told[1], counts=True)
                return whole
            case _:
                return told[0]


def ways_of(metric: Metric, way: Way | Literal["auto"], name: str, least: float) -> tuple[Way, ...]:
    """The ways that are tried for a number that goes down to `least`. One that cannot learn it: `DataError`."""
    counts = least >= 0
    if not counts and (metric == "rmsle" or way in OF_COUNTS):
        what = "rmsle" if metric == "rmsle" else f"way = {way!r}"
        raise DataError(f"{name!r} goes down to {least:g}, and {what} is for numbers that are never below zero")
    if way != "auto":
        return (way,)
    return WAYS[metric] if counts else WAYS[metric][:1]


def _learnt_as(way: Way, part: int, number_N: np.ndarray) -> np.ndarray:
    """What the trees of a part are given; NaN of rows that say nothing to it."""
    match way, part:
        case "log", _:
            return to_log(number_N, counts=True)
        case "two_part", 0:
            return (number_N > 0).astype(np.float64)
        case "two_part", _:
            return np.where(number_N > 0, to_log(number_N, counts=True), np.nan)
        case _:
            return number_N
