"""BayesianMF: factors of ratings as a distribution, with what users and items are known by: whom and what they met.

rating(u, i) = mean + b_u + c_i + (p_u + Σ_{j met by u} y_j / √n_u) · (q_i + Σ_{v who met i} z_v / √n_i) + noise
(p_u, b_u) and (q_i, c_i) are normal around means with covariances of their own, which are unknown too (normal-Wishart);
y and z are normal around zero. Gibbs sampling draws one of these after the other, given all else. What is expected of a
pair is the mean over the draws that were kept, its deviation that of the draws and of the noise together.
Source: Salakhutdinov, Mnih, "Bayesian Probabilistic Matrix Factorization using MCMC", ICML 2008; the sums over what was
met as in SVD++ (Koren, KDD 2008), on both sides ("flipped") as in Rendle, Zhang, Koren, arXiv:1905.01395.
Differs: a whole vector is drawn at once, those of y and z too, which takes the Gram matrix of each user's items.
Cost of a sweep: 4 F² flops for a rating, 12 F² more with `implicit`, F³ for a user and an item. Memory: draws ·
(U + I) · (F + 1) · 4 bytes for what is kept, and with `implicit` max(U, I) · F² · 4 bytes while it is fitted.

Shapes: U users, I items, R rows of one side, C of the other, F factors, D = F + 1, S draws, N pairs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import NonNegativeInt, PositiveInt, model_validator
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import ratings
from shortlist.models.prediction import Predicted
from shortlist.seeds import Seeds
from shortlist.threads import blocks, spread

ROWS_AT_ONCE = 64
"""Rows that a thread draws at a time."""
WEIGHT = 2.0
"""Rows that the prior of the means counts for: their mean is zero before any is seen."""
SOURCES = 10.0
"""The precision of y and z in the first sweep; later it is drawn."""


class BayesianMF(Config):
    """Recipe for a distribution of factors of ratings."""

    kind: Literal["bayesian_mf"] = "bayesian_mf"
    factors: PositiveInt = 16
    """Length of a vector."""
    sweeps: PositiveInt = 120
    """Times that everything is drawn."""
    burn_in: NonNegativeInt = 40
    """First sweeps that are thrown away."""
    draws: PositiveInt = 40
    """Sweeps that are kept at most, evenly spread over those after the first."""
    implicit: bool = True
    """Whether whom and what somebody met says something beside the ratings."""
    seed: int = 0
    """Of the draws."""

    @model_validator(mode="after")
    def _something_is_kept(self) -> "BayesianMF":
        if self.burn_in >= self.sweeps:
            raise ValueError(f"burn_in={self.burn_in} leaves none of sweeps={self.sweeps}")
        return self

    def fit(self, data: Dataset) -> "FittedBayesianMF":
        """Draw. The same seed gives the same bits, however many threads there are.

        A user or an item without ratings is drawn from what all have in common, like a stranger.
        """
        said_UI = ratings(data)
        mean = float(said_UI.data.mean()) if said_UI.nnz else 0.0
        left_UI = sparse.csr_array((said_UI.data - mean, said_UI.indices, said_UI.indptr), shape=said_UI.shape)
        kept = np.unique(np.linspace(self.burn_in, self.sweeps - 1, self.draws).round().astype(int))
        random = Seeds(self.seed).generator("bayesian_mf")
        users, items = _Side.of(left_UI, self.factors, random), _Side.of(left_UI.T.tocsr(), self.factors, random)
        noise = 1 / max(float(left_UI.data.var()) if said_UI.nnz else 1.0, 1e-6)
        found = []
        for sweep in range(self.sweeps):
            users.draw(items, noise, random, implicit=self.implicit)
            items.draw(users, noise, random, implicit=self.implicit)
            noise = _noise(users, items, random)
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

    @classmethod
    def of(cls, said_RC: sparse.csr_array, factors: int, random: np.random.Generator) -> "_Side":
        rows, columns = said_RC.shape
        row_RD = 0.1 * random.standard_normal((rows, factors + 1))
        row_RD[:, factors] = 0
        nothing = np.zeros((columns, factors)), np.zeros((rows, factors))
        share_R = 1 / np.sqrt(np.maximum(np.diff(said_RC.indptr), 1))
        return cls(said_RC, row_RD, *nothing, share_R, SOURCES, np.zeros(factors + 1), np.eye(factors + 1))

    @property
    def vector_RF(self) -> np.ndarray:
        """A row's whole vector."""
        whole: np.ndarray = self.row_RD[:, :-1] + self.shift_RF
        return whole

    def draw(self, other: "_Side", noise: float, random: np.random.Generator, *, implicit: bool) -> None:
        """Draws what all rows have in common, every row, and where `implicit` the sources, given the other side."""
        from shortlist.kernels.gibbs import draw_rows, draw_sources, sums

        starts, columns, values = self.said_RC.indptr, self.said_RC.indices, self.said_RC.data
        bias_C, x_CF = np.ascontiguousarray(other.row_RD[:, -1]), other.vector_RF
        self.mean_D, self.precision_DD = _in_common(self.row_RD, random)
        normal_RD = random.standard_normal(self.row_RD.shape)
        rows = blocks(len(self.row_RD), ROWS_AT_ONCE)
        common = (noise, normal_RD, self.row_RD)

        def work(first: int, last: int) -> None:
            given = (bias_C, x_CF, self.shift_RF, self.mean_D, self.precision_DD)
            draw_rows(first, last, starts, columns, values, *given, *common)

        spread(work, rows)
        if not implicit:
            return
        factors = x_CF.shape[1]
        gram_RFF, left_RF = np.empty((len(self.row_RD), factors, factors), np.float32), np.empty_like(self.shift_RF)

        def add(first: int, last: int) -> None:
            sums(first, last, starts, columns, values, self.row_RD, bias_C, x_CF, self.shift_RF, gram_RFF, left_RF)

        spread(add, rows)
        met = other.said_RC
        normal_CF = random.standard_normal(self.source_CF.shape)
        of_rows = (self.share_R, gram_RFF, left_RF, self.precision, noise, normal_CF)
        draw_sources(met.indptr, met.indices, *of_rows, self.source_CF, self.shift_RF)
        squares = float((self.source_CF**2).sum())
        self.precision = float(random.gamma(1 + self.source_CF.size / 2, 1 / (1 + squares / 2)))

    def kept(self) -> tuple[np.ndarray, np.ndarray]:
        """Every row's whole vector and that of a stranger, and the covariance of strangers."""
        whole_RD = np.column_stack([self.vector_RF, self.row_RD[:, -1]])
        return np.vstack([whole_RD, self.mean_D]).astype(np.float32), np.linalg.inv(self.precision_DD)


def _in_common(row_RD: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A mean and a precision drawn given the rows: normal-Wishart, with D degrees of freedom and the unit matrix."""
    rows, D = row_RD.shape
    mean_D = row_RD.mean(axis=0) if rows else np.zeros(D)
    apart_RD = row_RD - mean_D
    weight = WEIGHT + rows
    scale_DD = np.eye(D) + apart_RD.T @ apart_RD + rows * WEIGHT / weight * np.outer(mean_D, mean_D)
    root_DD = np.linalg.cholesky(np.linalg.inv(scale_DD))
    bartlett_DD = np.tril(random.standard_normal((D, D)), -1)
    bartlett_DD[np.diag_indices(D)] = np.sqrt(random.chisquare(D + rows - np.arange(D)))
    half_DD = root_DD @ bartlett_DD
    precision_DD = half_DD @ half_DD.T
    away_D = np.linalg.solve(half_DD.T, random.standard_normal(D)) / weight**0.5
    return rows * mean_D / weight + away_D, precision_DD


def _noise(users: _Side, items: _Side, random: np.random.Generator) -> float:
    """The precision of the noise, drawn given everything else."""
    said = users.said_RC
    x_UF, y_IF = users.vector_RF, items.vector_RF
    squares = 0.0
    row_E = np.repeat(np.arange(said.shape[0]), np.diff(said.indptr))
    for first, last in blocks(said.nnz, 1_000_000):
        u, i = row_E[first:last], said.indices[first:last]
        left = said.data[first:last] - users.row_RD[u, -1] - items.row_RD[i, -1]
        left -= np.einsum("ef,ef->e", x_UF[u], y_IF[i])
        squares += float(left @ left)
    return float(random.gamma(1 + said.nnz / 2, 1 / (1 + squares / 2)))
