"""SVDpp: factors and biases of ratings, where a user is known by what was met, too.

rating(u, i) = mean + scale (b_u + c_i + (p_u + Σ_{j met by u} y_j / √n_u) · q_i), by stochastic gradient steps in a
compiled loop: each rating moves b_u, c_i, p_u, q_i and the y_j of everything that u met.
Source: Koren, "Factorization Meets the Neighborhood", KDD 2008.
Differs: in standard deviations of the ratings, with a rate that falls to a tenth; the y_j of a user move together, once
for all of the user's ratings, to where steps one by one would bring them.
Cost of an epoch: 16 F flops a rating, whatever a user met, on one core, so that the bits do not depend on the threads.

Shapes: U users, I items, F factors, D = F + 1, N pairs.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import ratings
from shortlist.models.gradient_factors import expected, rounds, side, vectors
from shortlist.models.prediction import Inside, Predicted
from shortlist.seeds import Seeds


class SVDpp(Config):
    """Recipe for factors, biases and what was met by stochastic gradient steps."""

    kind: Literal["svdpp"] = "svdpp"
    factors: PositiveInt = 50
    """Length of a vector."""
    epochs: PositiveInt = 20
    """Rounds over all ratings."""
    rate: PositiveFloat = 0.06
    """Length of a step in the first round; in the last it is a tenth."""
    weight: NonNegativeFloat = 0.09
    """Of the squares of the vectors, for each rating."""
    seed: int = 0
    """Of the start and of the order of the users."""

    def fit(self, data: Dataset) -> "FittedSVDpp":
        """Take all steps. Users and items without ratings are strangers: nothing is added for them."""
        from shortlist.kernels.sgd import epoch_with_met

        said_UI = ratings(data)
        users, items = said_UI.shape
        random = Seeds(self.seed).generator("svdpp")
        p_UF, q_IF, y_IF = (vectors(rows, self.factors, random) for rows in (users, items, items))
        b_U, c_I = np.zeros(users, np.float32), np.zeros(items, np.float32)

        def turn(order: Any, starts: Any, item_E: Any, value_E: Any, rate: Any, bias_weight: Any) -> None:
            weight = np.float32(self.weight)
            epoch_with_met(order, starts, item_E, value_E, rate, weight, bias_weight, p_UF, q_IF, b_U, c_I, y_IF)

        mean, scale = rounds(said_UI, self.epochs, self.rate, random, turn)
        said_U, said_I = np.diff(said_UI.indptr), np.bincount(said_UI.indices, minlength=items)
        met_UI = sparse.csr_array((np.ones(said_UI.nnz), said_UI.indices, said_UI.indptr), shape=said_UI.shape)
        whole_UF = p_UF + (met_UI @ y_IF) / np.sqrt(np.maximum(said_U, 1))[:, None]
        return FittedSVDpp(self, mean, scale, side(said_U, whole_UF, b_U), side(said_I, q_IF, c_I))


@dataclass(frozen=True)
class FittedSVDpp:
    """The `mean` and the `scale` of the ratings, and a row for each user and item (D numbers, the bias last), the last
    row that of a stranger: nothing. What a user met is in the user's row.
    """

    recipe: SVDpp
    mean: float
    scale: float
    users: np.ndarray
    items: np.ndarray

    def predict(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """See `Predictor`."""
        return Predicted(expected(self.mean, self.scale, self.users[users], self.items[items]), None)

    def inside(self) -> Inside:
        """The biases in ratings, and the factors."""
        return Inside(self.scale * self.items[:-1, -1], self.scale * self.users[:-1, -1], self.items[:-1, :-1])
