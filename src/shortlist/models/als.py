"""ALS: factors by weighted least squares over every cell of the matrix, those that nobody filled included.

loss = Σ_(u,i) filled c(u, i) (1 - x_u · y_i)² + w Σ_(u,i) not filled (x_u · y_i)² + Σ_u λ_u |x_u|² + Σ_i λ_i |y_i|²
λ_u = λ ((n_u + w I) / (n̄ + w I))^ν, where n_u are the pairs of u and n̄ those of a mean user; λ_i alike.
Source: implicit ALS (Hu, Koren, Volinsky, ICDM 2008) by conjugate gradients (Takács, Pilászy, Tikk, RecSys 2011); λ
that grows with frequency (Rendle et al., RecSys 2022).
Differs: λ is that of a mean user and of a mean item, so that it means the same whatever ν and w are; both sides are
turned before every half step (`alternating.py`); the start is a singular value decomposition by random projection
(Halko, Martinsson, Tropp, SIAM Review 2011).
Cost of an iteration: 4 F (2 + STEPS) flops for an entry and side, and two eigendecompositions F × F.

Shapes: U users, I items, B users of a request, F factors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions, moments, newer
from shortlist.models.alternating import Loss, half_step, mean_entries, solve, start, turned
from shortlist.models.factors import folded, known_only, lists, most_alike, nearest_items
from shortlist.models.retrieval import Request, fading
from shortlist.models.validation import RECENCY, Validation, climbed, hold_out
from shortlist.moments import Duration
from shortlist.seeds import Seeds

STEPS = 2
"""Conjugate-gradient steps of a half step; the next one goes on where it ended."""
FOLD_STEPS = 12
"""Steps that find the vector of a user from nothing."""
REGULARIZATION = (0.1, 0.3, 1.0, 3.0, 10.0)
"""What is tried where nobody named a value."""
UNOBSERVED = 1 / 30
"""w in λ where nobody named it: of all pairs of both that were tried on six data sets, one on this line is as good as
the best, or nearly."""
TRIED_ON = 50_000_000
"""Pairs times factors that a trial sees at most, or a tenth of the pairs if these are more: all pairs of users drawn at
random."""


class ALS(Config):
    """Recipe for factors by weighted alternating least squares."""

    kind: Literal["als"] = "als"
    factors: PositiveInt = 256
    """Length of a vector."""
    iterations: PositiveInt = 6
    """Rounds over users and items."""
    regularization: NonNegativeFloat | Literal["auto"] = "auto"
    """λ of a user and an item of mean frequency; auto: the best of five on pairs that are held out."""
    frequency: float = Field(1.0, ge=0, le=1)
    """ν: how λ grows with the pairs of a user or an item; 0 is the same λ for all."""
    unobserved: PositiveFloat | Literal["auto"] = "auto"
    """w: what a cell that nobody filled weighs, where a filled one weighs one; auto: a thirtieth of λ."""
    confidence: Literal["one", "log", "linear"] = "log"
    """What a filled cell of weight v weighs: 1, log(1 + v) or v, divided by its mean over all of them."""
    half_life: Duration | None = None
    """Time after which an event counts half; none: all count the same."""
    recency: PositiveFloat | Literal["auto"] | None = "auto"
    """Items after which what a user met before counts half, where the user's own vector is found; none: all count the
    same; auto: the best of seven, held out, where the data know times."""
    seed: int = 0
    """Of the random projection."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedALS":
        """Fit. Settings that are auto are searched first: at most five fits, on TRIED_ON.

        Users and items without events get vectors of zeros: they are answered with nothing, and never answered.
        """
        seen_UI = interactions(data, half_life=self.half_life)
        recipe = self
        if "auto" in (self.regularization, self.recency):
            recipe = _chosen(self, hold_out(data, seen_UI, seed=self.seed))
        recipe = recipe.model_copy(update={"unobserved": _loss(recipe).unobserved})
        mean = _mean_confidence(recipe, seen_UI)
        *_, (_, y_IF) = iterations(recipe, _confident(recipe, seen_UI, mean))
        newer_E = newer(seen_UI.indptr, moments(data, seen_UI)[1])
        fitted = _of_items(recipe, y_IF, mean, mean_entries(seen_UI))
        strong_E = fitted.strength(seen_UI.data, newer_E)
        x_UF = fitted.fold_in(sparse.csr_array((strong_E, seen_UI.indices, seen_UI.indptr), shape=seen_UI.shape))
        return replace(fitted, user_factors=x_UF)


@dataclass(frozen=True)
class FittedALS:
    """Vectors of users and items (float32): zeros for those without events.

    What folding in needs beside them: `gram`, the diagonal of the items' Gram matrix; `mean_confidence`, what
    confidences were divided by; `mean_pairs`, the pairs of a mean user. The `recipe` names the values that were chosen.
    """

    folds_in: ClassVar[bool] = True

    recipe: ALS
    user_factors: np.ndarray
    item_factors: np.ndarray
    gram: np.ndarray
    mean_confidence: float
    mean_pairs: float

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The items of the largest product; users of `request.history` are folded in first."""
        x_BF = folded(request, self.user_factors, len(self.item_factors), self.strength, self.fold_in)
        return nearest_items(x_BF, self.item_factors, request)

    def strength(self, weights: np.ndarray, newer: np.ndarray) -> np.ndarray:
        """What the entries of a history say (float32): their confidence, less the more items came later."""
        recency = self.recipe.recency
        confidence = np.asarray(_confidence(self.recipe, weights) / self.mean_confidence, dtype=np.float32)
        strong: np.ndarray = confidence * fading(newer, recency)
        return strong

    def fold_in(self, strong_BI: sparse.csr_array) -> np.ndarray:
        """The vectors (B × F, float32) of users by their histories (see `strength`); nothing is refitted.

        For the history that a user of the training data had, it is the vector that the model has, to the bit.
        """
        strong_BI = known_only(strong_BI, self.item_factors)
        loss = _loss(self.recipe)
        x_BF = np.zeros((strong_BI.shape[0], self.item_factors.shape[1]), np.float32)
        penalty_B = loss.penalties(strong_BI, self.mean_pairs)
        solve(loss, strong_BI, penalty_B, self.item_factors, self.gram, x_BF, FOLD_STEPS)
        return x_BF

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items of the largest cosine: `item`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(items, self.item_factors, k, name="item")

    def similar_users(self, users: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` users of the largest cosine: `user`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(users, self.user_factors, k, name="user")


def iterations(
    recipe: ALS, confident_UI: sparse.csr_array, share: float = 1.0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The vectors of users and items after each iteration on a matrix of confidences; no setting may be auto.

    `share` is that of all users whom the matrix holds. Where it is below one, λ of items is as much smaller as the sum
    over users is shorter, so that the best λ is that of all.
    """
    confident_IU = confident_UI.T.tocsr()
    confident_IU.sort_indices()
    loss = _loss(recipe)
    penalty_U, penalty_I = loss.penalties(confident_UI), loss.penalties(confident_IU) * np.float32(share)
    y_IF = start(confident_UI, confident_IU, recipe.factors, Seeds(recipe.seed).generator("als"))
    x_UF = np.zeros((confident_UI.shape[0], recipe.factors), np.float32)
    for _ in range(recipe.iterations):
        y_IF, x_UF = half_step(loss, confident_UI, penalty_U, y_IF, x_UF, STEPS)
        x_UF, y_IF = half_step(loss, confident_IU, penalty_I, x_UF, y_IF, STEPS)
        yield x_UF, y_IF


def _of_items(recipe: ALS, y_IF: np.ndarray, mean_confidence: float, mean_pairs: float) -> FittedALS:
    """The fitted model of item vectors, turned once more so that their Gram matrix is diagonal, and of no users yet."""
    y_IF, x_UF, gram_F = turned(y_IF, y_IF[:0])
    return FittedALS(recipe, x_UF, y_IF, gram_F, mean_confidence, mean_pairs)


def _loss(recipe: ALS) -> Loss:
    ridge = float(recipe.regularization)
    unobserved = UNOBSERVED * (ridge or 1.0) if recipe.unobserved == "auto" else recipe.unobserved
    return Loss(ridge, recipe.frequency, unobserved)


def _confidence(recipe: ALS, weights: np.ndarray) -> np.ndarray:
    if recipe.confidence == "one":
        return np.ones_like(weights)
    return np.log1p(weights) if recipe.confidence == "log" else weights


def _mean_confidence(recipe: ALS, seen_UI: sparse.csr_array) -> float:
    return float(_confidence(recipe, seen_UI.data).mean()) if seen_UI.nnz else 1.0


def _confident(recipe: ALS, seen_UI: sparse.csr_array, mean: float) -> sparse.csr_array:
    confidence = (_confidence(recipe, seen_UI.data) / mean).astype(np.float32)
    return sparse.csr_array((confidence, seen_UI.indices, seen_UI.indptr), shape=seen_UI.shape)


def _chosen(recipe: ALS, held: Validation | None) -> ALS:
    """The recipe with the values of its open settings that rank best what was held out; the middle ones without."""
    unsettled = [name for name in ("recency", "regularization") if getattr(recipe, name) == "auto"]
    recipe = recipe.model_copy(update={name: {"recency": None, "regularization": 1.0}[name] for name in unsettled})
    if held is None:
        return recipe
    whole = held.train_UI.nnz
    held = held.within(max(TRIED_ON // recipe.factors, whole // 10), seed=recipe.seed)
    share = held.train_UI.nnz / max(whole, 1)
    mean, pairs = _mean_confidence(recipe, held.train_UI), mean_entries(held.train_UI)
    confident_UI = _confident(recipe, held.train_UI, mean)

    @cache
    def item_vectors(tried: ALS) -> np.ndarray:
        *_, (_, y_IF) = iterations(tried, confident_UI, share)
        return y_IF

    def quality(tried: ALS) -> float:
        y_IF = item_vectors(tried.model_copy(update={"recency": None}))
        fitted = _of_items(tried, y_IF, mean, pairs)
        strong_H = fitted.strength(held.history_QI.data, held.newer_QI.data)
        history = (strong_H, held.history_QI.indices, held.history_QI.indptr)
        x_QF = fitted.fold_in(sparse.csr_array(history, shape=held.history_QI.shape))
        return held.ndcg(lists(x_QF, fitted.item_factors, 10, held.history_QI))

    # Another recency needs no other fit, and what is best of it hangs on the vectors: so it is searched twice.
    for name, values in (("recency", RECENCY), ("regularization", REGULARIZATION), ("recency", RECENCY)):
        if name in unsettled and (held.ordered or name != "recency"):
            recipe = climbed(recipe, name, values, quality)
    return recipe
