"""BiasedMF: what users and items add to the mean, and the product of a vector of the user and one of the item.

rating(u, i) = mean + b_u + b_i + p_u · q_i, by stochastic gradient steps on
Σ (rating - expected)² + λ Σ_u √(n̄ n_u) (|p_u|² + b_u²) + the same for items, where n_u are the ratings of u and n̄ those
of a mean user; ratings are in units of their standard deviation.
Source: Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems", IEEE Computer 42(8), 2009.
Differs: λ that grows with the root of frequency; users are gone through one by one, in one random order for all
passes; steps fall to nothing in a straight line, those of biases are shorter. One error counts for ten standard
deviations at most.
Cost of a pass: 8 F flops a rating, on one thread.

Shapes: U users, I items, F factors, N pairs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import ratings
from shortlist.models.descent import BIAS_SHARE, REACH, Standard, both_sides, falling, products
from shortlist.models.prediction import Inside, Predicted
from shortlist.seeds import Seeds


class BiasedMF(Config):
    """Recipe for biases and factors of ratings, learnt in a moment."""

    kind: Literal["biased_mf"] = "biased_mf"
    factors: PositiveInt = 128
    """Length of a vector."""
    epochs: PositiveInt = 15
    """Passes over all ratings."""
    rate: PositiveFloat = 0.06
    """Length of the first steps; the last are next to nothing."""
    regularization: NonNegativeFloat = 0.11
    """λ."""
    seed: int = 0
    """Of the start and of the order of the ratings."""

    def fit(self, data: Dataset) -> "FittedBiasedMF":
        """Fit. The same seed gives the same bits, however many threads there are.

        A user without ratings is a stranger: the mean user of a rating. An item without ratings adds nothing.
        """
        from shortlist.kernels.sgd import descend

        said_UI = ratings(data)
        standard = Standard.of(said_UI.data)
        random = Seeds(self.seed).generator("biased_mf")
        users, items = both_sides(said_UI, random)
        p_UF, q_IF = users.vectors(self.factors, random), items.vectors(self.factors, random)
        b_U, b_I = np.zeros(len(p_UF), np.float32), np.zeros(len(q_IF), np.float32)
        given = (users.filled, users.starts, users.column_E, standard.value_E[users.entry_E])
        limits = (np.float32(BIAS_SHARE), np.float32(REACH))
        penalties = users.penalties(self.regularization), items.penalties(self.regularization)
        for rate in falling(self.rate, self.epochs):
            descend(*given, rate, *limits, *penalties, p_UF, q_IF, b_U, b_I)
        unit = standard.deviation
        bias_U, bias_I = unit * users.with_strangers(b_U.astype(float)), unit * b_I.astype(float)
        return FittedBiasedMF(self, standard.mean, bias_U, bias_I, np.float32(unit) * users.with_strangers(p_UF), q_IF)


@dataclass(frozen=True)
class FittedBiasedMF:
    """The `mean`, biases (float64) and vectors (rows × F, float32), the last row of each a stranger's.

    Of a user that is the mean over the ratings learnt from, of an item zero.
    """

    recipe: BiasedMF
    mean: float
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray

    def predict(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """The formula; see `Predictor`."""
        product_N = products(users, items, self.user_factors, self.item_factors)
        return Predicted(self.mean + self.user_bias[users] + self.item_bias[items] + product_N, None)

    def inside(self) -> Inside:
        """The biases, with what is added for the mean of the others, and the factors: in ratings."""
        item_I, user_U = (
            bias_R[:-1] + x_RF[:-1] @ y_RF[:-1].mean(axis=0)
            for bias_R, x_RF, y_RF in (
                (self.item_bias, self.item_factors, self.user_factors),
                (self.user_bias, self.user_factors, self.item_factors),
            )
        )
        return Inside(item_I, user_U, self.item_factors[:-1])
