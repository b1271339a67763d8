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

from typing import Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import ratings
from shortlist.models.descent import BIAS_SHARE, REACH, FittedBiasedFactors, Standard, both_sides, falling
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

    def fit(self, data: Dataset) -> FittedBiasedFactors:
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
        return FittedBiasedFactors(
            self, standard.mean, bias_U, bias_I, np.float32(unit) * users.with_strangers(p_UF), q_IF
        )
