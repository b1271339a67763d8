"""BayesianMF: factors of ratings as a distribution, with what users and items are known by: whom and what they met.

rating(u, i) = mean + b_u + c_i + (p_u + Σ_{j met by u} y_j / √n_u) · (q_i + Σ_{v who met i} z_v / √n_i) + noise
(p_u, b_u) and (q_i, c_i) are normal around means with covariances of their own, which are unknown too (normal-Wishart);
a mean is moved by what is known of the user or the item, Σ_k B_k over the values that it has. y, z and B are normal
around zero. Gibbs sampling draws one of these after the other, given all else. What is expected of a
pair is the mean over the draws that were kept, its deviation that of the draws and of the noise together.
Source: Salakhutdinov, Mnih, "Bayesian Probabilistic Matrix Factorization using MCMC", ICML 2008; the sums over what was
met as in SVD++ (Koren, KDD 2008), on both sides ("flipped") as in Rendle, Zhang, Koren, arXiv:1905.01395;
attributes as in Macau (Simm et al., "Macau: Scalable Bayesian Multi-relational Factorization", 2015).
Differs: a whole vector is drawn at once, those of y and z too, which takes the Gram matrix of each user's items.
Cost of a sweep: 4 F² flops for a rating, 8 F² more with `implicit`, F³ for a user and an item. Memory: draws ·
(U + I) · (F + 1) · 4 bytes for what is kept, and (U + I) · F² · 4 bytes while it is fitted.

Shapes: U users, I items, R rows of one side, C of the other, K values of its attributes, F factors, D = F + 1, S draws,
N pairs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import NonNegativeInt, PositiveInt, model_validator
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.attributes import one_hot
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import ratings
from shortlist.models.prediction import Inside, Predicted
from shortlist.progress import reached
from shortlist.seeds import Seeds
from shortlist.threads import blocks, spread

ROWS_AT_ONCE = 64
"""Rows that a thread draws at a time."""
WEIGHT = 2.0
"""Rows that the prior of the means counts for: their mean is zero before any is seen."""
DRAWS, LARGEST = 100, 500_000_000
"""Draws that are kept at most, and the bytes that they take at most, where nobody names a number."""
SOURCES = 10.0
"""The precision of y, z and B in the first sweep; later it is drawn."""


class BayesianMF(Config):
    """Recipe for a distribution of factors of ratings."""

    kind: Literal["bayesian_mf"] = "bayesian_mf"
    factors: PositiveInt = 16
    """Length of a vector."""
    sweeps: PositiveInt = 240
    """Times that everything is drawn."""
    burn_in: NonNegativeInt = 40
    """First sweeps that are thrown away."""
    draws: PositiveInt | Literal["auto"] = "auto"
    """Sweeps that are kept at most, evenly spread over those after the first; auto: 100, or what fits in 500 MB."""
    implicit: bool = True
    """Whether whom and what somebody met says something beside the ratings."""
    attributes: bool = True
    """Whether what is known of users and items says something before their ratings do: see `one_hot`."""
    seed: int = 0
    """Of the draws."""

    @model_validator(mode="after")
    def _something_is_kept(self) -> "BayesianMF":
        if self.burn_in >= self.sweeps:
            raise ValueError(f"burn_in={self.burn_in} leaves none of sweeps={self.sweeps}")
        return self

    def fit(self, data: Dataset) -> "FittedBayesianMF":
        """Draw. The same seed gives the same bits, however many threads there are.

        A user or an item without ratings is drawn from what all have in common, and those of its attributes.
        """
        said_UI = ratings(data)
        mean = float(said_UI.data.mean()) if said_UI.nnz else 0.0
        left_UI = sparse.csr_array((said_UI.data - mean, said_UI.indices, said_UI.indptr), shape=said_UI.shape)
        fitting = max(1, min(DRAWS, LARGEST // (4 * (self.factors + 1) * (sum(said_UI.shape) + 2))))
        draws = fitting if self.draws == "auto" else self.draws
        kept = np.unique(np.linspace(self.burn_in, self.sweeps - 1, draws).round().astype(int))
        random = Seeds(self.seed).generator("bayesian_mf")
        known_UK, known_IK = (one_hot(data, kind) if self.attributes else None for kind in ("user", "item"))
        users = _Side.of(left_UI, known_UK, self.factors, random)
        items = _Side.of(left_UI.T.tocsr(), known_IK, self.factors, random)
        noise = 1 / max(float(left_UI.data.var()) if said_UI.nnz else 1.0, 1e-6)
        found = []
        for sweep in range(self.sweeps):
            users.draw(items, noise, random, implicit=self.implicit)
            items.draw(users, noise, random, implicit=self.implicit)
            noise = _noise(users, items, random)
            reached(f"sweep {sweep + 1} of {self.sweeps}")
            if sweep in kept:
                found.append((*users.kept(), *items.kept(), np.float64(1 / noise)))
        user_SUD, user_SDD, item_SID, item_SDD, variance_S = (np.stack(part) for part in zip(*found, strict=True))
        return FittedBayesianMF(self, mean, user_SUD, item_SID, user_SDD, item_SDD, float(variance_S.mean()))


@dataclass(frozen=True)
class FittedBayesianMF:
    """Draws of the vectors of users and items (S × rows × D, float32, the bias last), the last row that of a stranger.

    `user_spread` and `item_spread` (S × D × D) are the covariances of strangers, `noise` the variance of what no vector
    says.
    """

    recipe: BayesianMF
    mean: float
    user_draws: np.ndarray
    item_draws: np.ndarray
    user_spread: np.ndarray
    item_spread: np.ndarray
    noise: float

    def predict(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """The mean and the deviation over the draws; see `Predictor`."""
        from shortlist.kernels.gibbs import moments_of_pairs

        strange_user, strange_item = self.user_draws.shape[1] - 1, self.item_draws.shape[1] - 1
        user_N = np.where(users < 0, strange_user, users).astype(np.int64)
        item_N = np.where(items < 0, strange_item, items).astype(np.int64)
        mean_N, square_N = np.empty(len(user_N)), np.empty(len(user_N))
        drawn = self.user_draws, self.item_draws, self.user_spread, self.item_spread

        def work(first: int, last: int) -> None:
            moments_of_pairs(first, last, user_N, item_N, *drawn, mean_N, square_N)

        spread(work, blocks(len(user_N), 4_096))
        deviation_N = np.sqrt(np.maximum(square_N - mean_N**2, 0) + self.noise)
        return Predicted(self.mean + mean_N, deviation_N)

    def inside(self) -> Inside:
        """The biases, means over the draws, in ratings; and the factors of the last draw, as those of others turn."""
        user_SUD, item_SID = self.user_draws[:, :-1], self.item_draws[:, :-1]
        item_SI, user_SU = (
            np.einsum("srf,sf->sr", one[:, :, :-1], other[:, :, :-1].mean(axis=1)) + one[:, :, -1]
            for one, other in ((item_SID, user_SUD), (user_SUD, item_SID))
        )
        return Inside(item_SI.mean(axis=0), user_SU.mean(axis=0), item_SID[-1, :, :-1])


@dataclass
class _Side:
    """Users or items while they are drawn: their ratings, less the mean of all, and all that is drawn of them."""

    said_RC: sparse.csr_array
    row_RD: np.ndarray
    """p and b, or q and c."""
    source_CF: np.ndarray
    """y or z: what it says of a row to have met a column."""
    shift_RF: np.ndarray
    """The sums of these over what a row met."""
    share_R: np.ndarray
    precision: float
    mean_D: np.ndarray
    precision_DD: np.ndarray
    known_RK: sparse.csr_array
    """What is known of a row."""
    gram_KK: np.ndarray
    known_KD: np.ndarray
    """B: what it says of a row to have a value."""
    known_precision: float = SOURCES

    @classmethod
    def of(
        cls, said_RC: sparse.csr_array, known_RK: sparse.csr_array | None, factors: int, random: np.random.Generator
    ) -> "_Side":
        rows, columns = said_RC.shape
        row_RD = 0.1 * random.standard_normal((rows, factors + 1))
        row_RD[:, factors] = 0
        nothing = np.zeros((columns, factors)), np.zeros((rows, factors))
        share_R = 1 / np.sqrt(np.maximum(np.diff(said_RC.indptr), 1))
        common = np.zeros(factors + 1), np.eye(factors + 1)
        known_RK = sparse.csr_array((rows, 0)) if known_RK is None else known_RK
        known = known_RK, (known_RK.T @ known_RK).toarray(), np.zeros((known_RK.shape[1], factors + 1))
        return cls(said_RC, row_RD, *nothing, share_R, SOURCES, *common, *known)

    @property
    def vector_RF(self) -> np.ndarray:
        """A row's whole vector."""
        whole: np.ndarray = self.row_RD[:, :-1] + self.shift_RF
        return whole

    def draw(self, other: "_Side", noise: float, random: np.random.Generator, *, implicit: bool) -> None:
        """Draws what all rows have in common, every row, and where `implicit` the sources, given the other side."""
        from shortlist.kernels.gibbs import draw_rows, draw_sources, grams_of_sources

        starts, columns, values = self.said_RC.indptr, self.said_RC.indices, self.said_RC.data
        bias_C, x_CF = np.ascontiguousarray(other.row_RD[:, -1]), other.vector_RF
        x_CD = np.column_stack([x_CF, np.ones(len(x_CF))])
        moved_RD = self.known_RK @ self.known_KD
        prior = self.known_precision * self.known_KD.T @ self.known_KD, len(self.known_KD)
        self.mean_D, self.precision_DD = _in_common(self.row_RD - moved_RD, *prior, random)
        if len(self.known_KD):
            self._draw_known(random)
            moved_RD = self.known_RK @ self.known_KD
        given = (bias_C, x_CD, self.shift_RF, self.mean_D + moved_RD, self.precision_DD, noise)
        normal_RD = random.standard_normal(self.row_RD.shape)
        gram_RFF = np.empty((len(self.row_RD), *(2 * x_CF.shape[1:])), np.float32)
        left_RF = np.empty_like(self.shift_RF)

        def work(first: int, last: int) -> None:
            draw_rows(first, last, starts, columns, values, *given, normal_RD, self.row_RD, gram_RFF, left_RF)

        spread(work, blocks(len(self.row_RD), ROWS_AT_ONCE))
        if not implicit:
            return
        met = other.said_RC
        gram_CFF = np.empty((len(self.source_CF), *gram_RFF.shape[1:]), np.float32)

        def add(first: int, last: int) -> None:
            grams_of_sources(first, last, met.indptr, met.indices, self.share_R, gram_RFF, gram_CFF)

        spread(add, blocks(len(gram_CFF), ROWS_AT_ONCE))
        normal_CF = random.standard_normal(self.source_CF.shape)
        of_rows = (self.share_R, gram_RFF, gram_CFF, left_RF, self.precision, noise, normal_CF)
        draw_sources(met.indptr, met.indices, *of_rows, self.source_CF, self.shift_RF)
        squares = float((self.source_CF**2).sum())
        self.precision = float(random.gamma(1 + self.source_CF.size / 2, 1 / (1 + squares / 2)))

    def kept(self) -> tuple[np.ndarray, np.ndarray]:
        """Every row's whole vector and that of a stranger, and the covariance of strangers."""
        whole_RD = np.column_stack([self.vector_RF, self.row_RD[:, -1]])
        moved_RD = self.known_RK @ self.known_KD
        mean_D = moved_RD.mean(axis=0) if len(moved_RD) else np.zeros(len(self.mean_D))
        spread_DD = np.linalg.inv(self.precision_DD) + (moved_RD - mean_D).T @ (moved_RD - mean_D) / max(
            len(moved_RD), 1
        )
        return np.vstack([whole_RD, self.mean_D + mean_D]).astype(np.float32), spread_DD

    def _draw_known(self, random: np.random.Generator) -> None:
        """Draws B given the rows and what they have in common, and then its precision."""
        size, D = self.known_KD.shape
        gram_KK = self.gram_KK + self.known_precision * np.eye(size)
        mean_KD = np.linalg.solve(gram_KK, self.known_RK.T @ (self.row_RD - self.mean_D))
        left_KK, right_DD = np.linalg.cholesky(gram_KK), np.linalg.cholesky(self.precision_DD)
        noise_KD = np.linalg.solve(left_KK.T, random.standard_normal((size, D)))
        self.known_KD = mean_KD + np.linalg.solve(right_DD.T, noise_KD.T).T
        squares = float(np.einsum("kd,de,ke->", self.known_KD, self.precision_DD, self.known_KD))
        self.known_precision = float(random.gamma(1 + size * D / 2, 1 / (1 + squares / 2)))


def _in_common(
    row_RD: np.ndarray, known_DD: np.ndarray, known: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A mean and a precision drawn given the rows: normal-Wishart, with D degrees of freedom and the unit matrix.

    `known_DD` is what the `known` rows of B add, whose covariance is the same but for a factor.
    """
    rows, D = row_RD.shape
    mean_D = row_RD.mean(axis=0) if rows else np.zeros(D)
    apart_RD = row_RD - mean_D
    weight = WEIGHT + rows
    scale_DD = np.eye(D) + apart_RD.T @ apart_RD + rows * WEIGHT / weight * np.outer(mean_D, mean_D) + known_DD
    root_DD = np.linalg.cholesky(np.linalg.inv(scale_DD))
    bartlett_DD = np.tril(random.standard_normal((D, D)), -1)
    bartlett_DD[np.diag_indices(D)] = np.sqrt(random.chisquare(D + rows + known - np.arange(D)))
    half_DD = root_DD @ bartlett_DD
    precision_DD = half_DD @ half_DD.T
    away_D = np.linalg.solve(half_DD.T, random.standard_normal(D)) / weight**0.5
    return rows * mean_D / weight + away_D, precision_DD


def _noise(users: _Side, items: _Side, random: np.random.Generator) -> float:
    """The precision of the noise, drawn given everything else."""
    from shortlist.kernels.gibbs import squares

    said, bias_C, x_CF = users.said_RC, np.ascontiguousarray(items.row_RD[:, -1]), items.vector_RF

    def work(first: int, last: int) -> float:
        of_rows = (said.indptr, said.indices, said.data, users.row_RD, bias_C, x_CF, users.shift_RF)
        return float(squares(first, last, *of_rows))

    left = sum(spread(work, blocks(said.shape[0], ROWS_AT_ONCE)))
    return float(random.gamma(1 + said.nnz / 2, 1 / (1 + left / 2)))
