"""Bias: how much more than usual a user gives, and an item gets.

rating(u, i) = mean + b_u + b_i, the least squares of it with REGULARIZATION · b² for each: b_u is what a user's ratings
leave on average, shrunk as if so many more ratings had left nothing.
Source: Koren, "Factorization Meets the Neighborhood", KDD 2008, 2.1; solved in turn (its "decoupled" estimates are the
first round).
Cost: a pass over the ratings for a round; on MovieLens-100K there are about ten.

Shapes: U users, I items, N pairs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import NonNegativeFloat
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import ratings
from shortlist.models.prediction import Inside, Predicted

ROUNDS = 200
"""Rounds over users and items at most."""
STILL = 1e-7
"""No more rounds once no bias moves by more, in standard deviations of the ratings."""


class Bias(Config):
    """Recipe for the mean and what users and items add to it."""

    kind: Literal["bias"] = "bias"
    regularization: NonNegativeFloat = 5.0
    """Ratings of nothing unusual that are added to those of a user or an item."""

    def fit(self, data: Dataset) -> "FittedBias":
        """Solve. Of nobody's ratings everything is zero."""
        said_UI = ratings(data)
        mean = float(said_UI.data.mean()) if said_UI.nnz else 0.0
        left_UI = sparse.csr_array((said_UI.data - mean, said_UI.indices, said_UI.indptr), shape=said_UI.shape)
        user_E = np.repeat(np.arange(said_UI.shape[0]), np.diff(said_UI.indptr))
        item_E, value_E = left_UI.indices, left_UI.data
        user_U, item_I = np.zeros(said_UI.shape[0]), np.zeros(said_UI.shape[1])
        enough = STILL * float(value_E.std()) if len(value_E) else 0.0
        for _ in range(ROUNDS):
            before = np.concatenate([user_U, item_I])
            user_U = self._shrunk(user_E, value_E - item_I[item_E], len(user_U))
            item_I = self._shrunk(item_E, value_E - user_U[user_E], len(item_I))
            if np.abs(np.concatenate([user_U, item_I]) - before).max(initial=0) <= enough:
                break
        return FittedBias(self, mean, np.append(user_U, 0.0), np.append(item_I, 0.0))

    def _shrunk(self, row_E: np.ndarray, left_E: np.ndarray, rows: int) -> np.ndarray:
        counts = np.bincount(row_E, minlength=rows) + self.regularization
        totals = np.bincount(row_E, left_E, minlength=rows)
        shrunk: np.ndarray = np.divide(totals, counts, out=np.zeros(rows), where=counts > 0)
        return shrunk


@dataclass(frozen=True)
class FittedBias:
    """The `mean`, and what users and items add to it; the last of each is a stranger's: nothing."""

    recipe: Bias
    mean: float
    user_bias: np.ndarray
    item_bias: np.ndarray

    def predict(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """The sum of the three; see `Predictor`."""
        return Predicted(self.mean + self.user_bias[users] + self.item_bias[items], None)

    def inside(self) -> Inside:
        """The biases, in ratings."""
        return Inside(self.item_bias[:-1], self.user_bias[:-1])
