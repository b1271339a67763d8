"""What a predictor is asked, and what it answers: how much, for a pair of a user and an item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Predicted:
    """The number expected of each pair (float64), and how far from it the truth may be.

    `deviation` is the standard deviation of the truth around `expected`; None where a model does not know it.
    """

    expected: np.ndarray
    deviation: np.ndarray | None


def together(parts: Sequence[Predicted]) -> Predicted:
    """What one model said of one lot of pairs after another."""
    deviations = [part.deviation for part in parts if part.deviation is not None]
    expected = np.concatenate([part.expected for part in parts])
    return Predicted(expected, np.concatenate(deviations) if deviations else None)


@dataclass(frozen=True)
class Inside:
    """What a fitted model learnt, as far as it has such parts; a stranger has no row here.

    `item_bias` (I,) is what an item gets beyond the usual from the mean of the users, `user_bias` (U,) what a user
    gives to the mean of the items, in the units in which the model adds it; `item_factors` is I × F. `losses` is the
    path of training: `step`, `loss`, `of`.
    """

    item_bias: np.ndarray | None = None
    user_bias: np.ndarray | None = None
    item_factors: np.ndarray | None = None
    losses: pl.DataFrame | None = None


class Predictor(Protocol):
    """A fitted model that says how much."""

    @property
    def recipe(self) -> Any:
        """What it was fitted from; what it was to find by itself stands there as it was found."""
        ...

    def predict(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """What is expected of each pair of dense ids (int32, the same length); -1 stands for somebody unknown.

        The rows keep their order, and none hangs on another. An unknown user is one of whom nothing is known but what
        all users have in common, an unknown item alike.
        """
        ...

    def inside(self) -> Inside:
        """What it learnt, to be looked at."""
        ...
