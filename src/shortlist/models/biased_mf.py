"""BiasedMF: factors and biases of ratings by stochastic gradient steps in a compiled loop.

rating(u, i) = mean + scale (b_u + c_i + p_u · q_i); a step for each rating lowers its squared error + weight (|p_u|² +
|q_i|²) and a little of the biases' squares.
Source: Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems", IEEE Computer 2009.
Differs: in standard deviations of the ratings, with a rate that falls to a tenth.
Cost of an epoch: 10 F flops a rating, on one core, so that the bits do not depend on the threads.

Shapes: U users, I items, F factors, D = F + 1, N pairs.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import ratings
from shortlist.models.gradient_factors import expected, rounds, side, vectors
from shortlist.models.prediction import Inside, Predicted
from shortlist.seeds import Seeds


class BiasedMF(Config):
    """Recipe for factors and biases by stochastic gradient steps."""

    kind: Literal["biased_mf"] = "biased_mf"
    factors: PositiveInt = 100
    """Length of a vector."""
    epochs: PositiveInt = 40
    """Rounds over all ratings."""
    rate: PositiveFloat = 0.04
    """Length of a step in the first round; in the last it is a tenth."""
    weight: NonNegativeFloat = 0.09
    """Of the squares of the vectors, for each rating."""
    seed: int = 0
    """Of the start and of the order of the users."""

    def fit(self, data: Dataset) -> "FittedBiasedMF":
        """Take all steps. Users and items without ratings are strangers: nothing is added for them."""
        from shortlist.kernels.sgd import epoch

        said_UI = ratings(data)
        users, items = said_UI.shape
        random = Seeds(self.seed).generator("biased_mf")
        p_UF, q_IF = (vectors(rows, self.factors, random) for rows in (users, items))
        b_U, c_I = np.zeros(users, np.float32), np.zeros(items, np.float32)

        def turn(order: Any, starts: Any, item_E: Any, value_E: Any, rate: Any, bias_weight: Any) -> None:
            weight = np.float32(self.weight)
            epoch(order, starts, item_E, value_E, rate, weight, bias_weight, p_UF, q_IF, b_U, c_I)

        mean, scale = rounds(said_UI, self.epochs, self.rate, random, turn)
        said_U, said_I = np.diff(said_UI.indptr), np.bincount(said_UI.indices, minlength=items)
        return FittedBiasedMF(self, mean, scale, side(said_U, p_UF, b_U), side(said_I, q_IF, c_I))


@dataclass(frozen=True)
class FittedBiasedMF:
    """The `mean` and the `scale` of the ratings, and a row for each user and item (D numbers, the bias last), the last
    row that of a stranger: nothing.
    """

    recipe: BiasedMF
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
