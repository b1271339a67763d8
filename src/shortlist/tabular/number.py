"""Number: what answers one target of a row, from what trees and a network say to the ends of an interval."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from shortlist.tabular import held_out
from shortlist.tabular.intervals import Intervals
from shortlist.tabular.logarithm import from_log, to_log
from shortlist.tabular.network import FittedTabularNetwork
from shortlist.tabular.trees import FittedTrees
from shortlist.tabular.ways import FittedWay, Way


@dataclass(frozen=True)
class FittedNumber:
    """How one target is answered: by trees that learnt it in a `way`, by a network, or by both, and what brings this
    back.

    `scores` are of the rows held out (`model`, `metric`, `value`), `tried` what each way had by the metric,
    `contributions` how far answers move where a column is shuffled: see `held_out`.
    """

    way: Way | Literal["network"]
    trees: FittedWay | None
    network: FittedTabularNetwork | None
    share: float
    """What the network counts in the logarithm of the answer; the trees count the rest."""
    counts: bool
    """Whether numbers are never below zero."""
    ends: np.ndarray
    """Answers between which `levels` are joined by lines; empty where answers are what they are."""
    levels: np.ndarray
    intervals: Intervals
    sides: tuple[FittedTrees, ...]
    """The trees of the ends of intervals, which `intervals` move; none where these stand around the answer."""
    scores: pl.DataFrame
    tried: pl.DataFrame
    contributions: pl.DataFrame

    @property
    def by(self) -> str:
        """What answers, in words."""
        if self.trees is None or self.network is None:
            return "a network" if self.trees is None else f"trees, {self.way}"
        return f"trees, {self.way}, and a network that counts {self.share:.0%}"

    def predict(self, table: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The answer to each row, and the ends of its interval."""
        feature_NP = None if self.trees is None else self.trees.features.of_new(table)
        by_trees = None
        if self.trees is not None and feature_NP is not None:
            by_trees = to_log(self.trees.of_features(feature_NP), self.counts)
        by_network = None if self.network is None else self.network.predict(table)
        told = from_log(mixed(by_trees, by_network, self.share), self.counts)
        answer = held_out.brought(told, self.ends, self.levels)
        log_N = to_log(answer, self.counts)
        sides = (log_N, log_N) if feature_NP is None or not self.sides else ends_of(self.sides, feature_NP)
        low, high = (from_log(self.intervals.of(side)[place], self.counts) for place, side in enumerate(sides))
        return answer, np.minimum(low, answer), np.maximum(high, answer)


def mixed(by_trees_N: np.ndarray | None, by_network_N: np.ndarray | None, share: float) -> np.ndarray:
    """The logarithm of the answer."""
    if by_trees_N is None or by_network_N is None:
        found_N = by_network_N if by_trees_N is None else by_trees_N
        if found_N is None:
            raise AssertionError("neither trees nor a network")
        return found_N
    return (1 - share) * by_trees_N + share * by_network_N


def ends_of(sides: tuple[FittedTrees, ...], feature_NP: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper ends that trees tell, the lower never above."""
    low_N, high_N = (side.predict(feature_NP) for side in sides)
    return np.minimum(low_N, high_N), np.maximum(low_N, high_N)
