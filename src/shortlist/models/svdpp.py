"""SVDpp: factors of ratings, with what users and items are known by: whom and what they met, whatever they said of it.

rating(u, i) = mean + b_u + b_i + (p_u + Σ_{j met by u} y_j / √n_u) · (q_i + Σ_{v who met i} z_v / √n_i)
by stochastic gradient steps, ratings in units of their standard deviation; λ √(n̄ / n_u) draws b_u and p_u to zero at
each rating of u, likewise those of items, and y and z at each row that they are met in.
Source: SVD++ of Koren, "Factorization Meets the Neighborhood", KDD 2008; the sum over users as in the "flipped" form of
Rendle, Zhang, Koren, arXiv:1905.01395; the sum kept along a user's ratings, and its change handed back once a user, as
in Chen et al., "SVDFeature", JMLR 13, 2012; `drift` after Koren, "Collaborative Filtering with Temporal Dynamics",
KDD 2009.
Differs: where `flipped`, passes by user and by item take turns, and the other side's sums stand still meanwhile;
without it z is zero. λ grows with the root of frequency; steps fall to nothing in a straight line, those of biases are
shorter. Of the temporal dynamics only a user's bias of a stretch of time is here: those of items, too, made two
MovieLens sets worse at random and did not help by time, one of four splits aside. One error counts for ten standard
deviations at most.
Cost of a pass: 18 F flops a rating, whatever the number of things met, on one thread.

Shapes: U users, I items, R rows of the side whose turn it is, F factors, E ratings, G stretches of users, N pairs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import moments, ratings
from shortlist.models.descent import BIAS_SHARE, REACH, FittedBiasedFactors, Rows, Standard, both_sides, falling
from shortlist.moments import Duration, microseconds
from shortlist.seeds import Seeds

ITEM_SHARE, USER_SHARE = 0.1, 0.8
"""The steps of y and of z, in steps of a vector."""


class SVDpp(Config):
    """Recipe for factors of ratings with what was met."""

    kind: Literal["svdpp"] = "svdpp"
    factors: PositiveInt = 128
    """Length of a vector."""
    epochs: PositiveInt = 14
    """Passes over all ratings."""
    rate: PositiveFloat = 0.037
    """Length of the first steps; the last are next to nothing."""
    regularization: NonNegativeFloat = 0.11
    """λ."""
    flipped: bool = True
    """Whether items too are known by whom they met; not so in plain SVD++."""
    drift: Duration | None = None
    """Length of the stretches of time of which each gives a user's bias a part of its own; none: time says nothing.
    Predictions are as of the user's newest stretch: for what comes next, not for gaps in the past."""
    seed: int = 0
    """Of the start and of the order of the ratings."""

    def fit(self, data: Dataset) -> FittedBiasedFactors:
        """Fit. The same seed gives the same bits, however many threads there are.

        A user without ratings is a stranger: the mean user of a rating. An item without ratings adds nothing.
        """
        said_UI = ratings(data)
        standard = Standard.of(said_UI.data)
        random = Seeds(self.seed).generator("svdpp")
        users, items = (_Side.of(rows, self, random) for rows in both_sides(said_UI, random))
        stretch_E, newest_U = _stretches(data, said_UI, self.drift)
        bias_G = np.zeros(int(newest_U.max(initial=-1)) + 1, np.float32)
        given = (standard.value_E, stretch_E, bias_G, np.float32(self.regularization))
        for epoch, rate in enumerate(falling(self.rate, self.epochs)):
            if self.flipped and epoch % 2:
                items.descend(users, rate, USER_SHARE, *given)
            else:
                users.descend(items, rate, ITEM_SHARE, *given)
        bias_U = users.bias_R.astype(float)
        bias_U[:-1] += np.where(newest_U < 0, 0, np.append(bias_G, 0)[newest_U])
        unit = standard.deviation
        bias_U, bias_I = unit * users.rows.with_strangers(bias_U), unit * items.bias_R.astype(float)
        whole_UF = np.float32(unit) * users.rows.with_strangers(users.x_RF + users.shift_RF)
        return FittedBiasedFactors(self, standard.mean, bias_U, bias_I, whole_UF, items.x_RF + items.shift_RF)


@dataclass(frozen=True)
class _Side:
    """Users or items while they are learnt: their ratings, and what changes at every step."""

    rows: Rows
    penalty_R: np.ndarray
    x_RF: np.ndarray
    """p, or q."""
    bias_R: np.ndarray
    source_RF: np.ndarray
    """What it says of somebody to have met this row: z, or y."""
    shift_RF: np.ndarray
    """The sum of the sources of what the row met, over the root of their number."""

    @classmethod
    def of(cls, rows: Rows, recipe: SVDpp, random: np.random.Generator) -> "_Side":
        x_RF = rows.vectors(recipe.factors, random)
        nothing = np.zeros(len(x_RF), np.float32), np.zeros_like(x_RF), np.zeros_like(x_RF)
        return cls(rows, rows.penalties(recipe.regularization), x_RF, *nothing)

    def descend(
        self,
        other: "_Side",
        rate: np.float32,
        source_share: float,
        value_E: np.ndarray,
        stretch_E: np.ndarray,
        bias_G: np.ndarray,
        penalty: np.float32,
    ) -> None:
        """A pass over the rows of this side, and their shifts as they are after it."""
        from shortlist.kernels.sgd import descend_met, shifts

        r = self.rows
        shares = np.float32(BIAS_SHARE), np.float32(source_share), np.float32(REACH)
        told = value_E[r.entry_E], stretch_E[r.entry_E] if len(bias_G) else stretch_E
        learnt = self.x_RF, other.x_RF, other.source_RF, other.shift_RF, self.bias_R, other.bias_R, bias_G
        penalties = self.penalty_R, other.penalty_R, penalty
        descend_met(r.filled, r.starts, r.column_E, *told, rate, *shares, *penalties, *learnt)
        shifts(r.filled, r.starts, r.column_E, other.source_RF, self.shift_RF)


def _stretches(data: Dataset, said_UI: sparse.csr_array, drift: str | None) -> tuple[np.ndarray, np.ndarray]:
    """For each rating its user's stretch of time, and for each user the newest one, -1 where there is none."""
    users = said_UI.shape[0]
    if drift is None:
        return np.zeros(0, np.int64), np.full(users, -1)
    _, moment_E = moments(data, said_UI)
    _, time_E = np.unique(moment_E // microseconds(drift), return_inverse=True)
    times = int(time_E.max(initial=0)) + 1
    user_E = np.repeat(np.arange(users), np.diff(said_UI.indptr))
    found, stretch_E = np.unique(user_E * times + time_E, return_inverse=True)
    newest_U = np.full(users, -1)
    # Ascending: of a user's stretches the newest is written last.
    newest_U[found // times] = np.arange(len(found))
    return stretch_E, newest_U
