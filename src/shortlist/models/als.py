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
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions
from shortlist.models.alternating import Loss, half_step, mean_entries, solve, start, turned
from shortlist.models.factors import folded, known_only, lists, most_alike, nearest_items
from shortlist.models.retrieval import Request
from shortlist.models.validation import Validation, climbed, hold_out
from shortlist.moments import Duration
from shortlist.seeds import Seeds

STEPS = 2
"""Conjugate-gradient steps of a half step; the next one goes on where it ended."""
FOLD_STEPS = 12
"""Steps that find the vector of a user from nothing."""
UNOBSERVED = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
REGULARIZATION = (0.3, 1.0, 3.0, 10.0)
"""What is tried where nobody named a value."""
TRIED_ON = 50_000_000
"""Pairs times factors that a trial sees at most: all pairs of users drawn at random."""


class ALS(Config):
    """Recipe for factors by weighted alternating least squares."""

    kind: Literal["als"] = "als"
    factors: PositiveInt = 64
    """Length of a vector."""
    iterations: PositiveInt = 6
    """Rounds over users and items."""
    regularization: NonNegativeFloat | Literal["auto"] = "auto"
    """λ of a user and an item of mean frequency; auto: the best of four on pairs that are held out."""
    frequency: float = Field(1.0, ge=0, le=1)
    """ν: how λ grows with the pairs of a user or an item; 0 is the same λ for all."""
    unobserved: PositiveFloat | Literal["auto"] = "auto"
    """w: what a cell that nobody filled weighs, where a filled one weighs one; auto: the best of seven, held out."""
    confidence: Literal["one", "log", "linear"] = "log"
    """What a filled cell of weight v weighs: 1, log(1 + v) or v, divided by its mean over all of them."""
    half_life: Duration | None = None
    """Time after which an event counts half; none: all count the same."""
    seed: int = 0
    """Of the random projection."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedALS":
        """Fit. Settings that are auto are searched first: at most ten fits of half the iterations, on TRIED_ON.

        Users and items without events get vectors of zeros: they are answered with nothing, and never answered.
        """
        seen_UI = interactions(data, half_life=self.half_life)
        recipe = self
        if "auto" in (self.regularization, self.unobserved):
            recipe = _chosen(self, hold_out(data, seen_UI, seed=self.seed))
        mean = float(_confidence(recipe, seen_UI.data).mean()) if seen_UI.nnz else 1.0
        *_, (_, y_IF) = iterations(recipe, _confident(recipe, seen_UI, mean))
        return _settled(recipe, seen_UI, y_IF, mean)


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
        x_BF = folded(request, self.user_factors, len(self.item_factors), self.fold_in)
        return nearest_items(x_BF, self.item_factors, request)

    def fold_in(self, history_BI: sparse.csr_array) -> np.ndarray:
        """The vectors (B × F, float32) of users who did what the rows say (weights above zero); nothing is refitted.

        For the history that a user of the training data had, it is the vector that the model has, to the bit.
        """
        history_BI = known_only(history_BI, self.item_factors)
        confident_BI = _confident(self.recipe, history_BI, self.mean_confidence)
        loss = _loss(self.recipe)
        x_BF = np.zeros((history_BI.shape[0], self.item_factors.shape[1]), np.float32)
        penalty_B = loss.penalties(confident_BI, self.mean_pairs)
        solve(loss, confident_BI, penalty_B, self.item_factors, self.gram, x_BF, FOLD_STEPS)
        return x_BF

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items of the largest cosine: `item`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(items, self.item_factors, k, name="item")

    def similar_users(self, users: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` users of the largest cosine: `user`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(users, self.user_factors, k, name="user")


def iterations(recipe: ALS, confident_UI: sparse.csr_array) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The vectors of users and items after each iteration on a matrix of confidences; no setting may be auto."""
    confident_IU = confident_UI.T.tocsr()
    confident_IU.sort_indices()
    loss = _loss(recipe)
    penalty_U, penalty_I = loss.penalties(confident_UI), loss.penalties(confident_IU)
    y_IF = start(confident_UI, confident_IU, recipe.factors, Seeds(recipe.seed).generator("als"))
    x_UF = np.zeros((confident_UI.shape[0], recipe.factors), np.float32)
    for _ in range(recipe.iterations):
        y_IF, x_UF = half_step(loss, confident_UI, penalty_U, y_IF, x_UF, STEPS)
        x_UF, y_IF = half_step(loss, confident_IU, penalty_I, x_UF, y_IF, STEPS)
        yield x_UF, y_IF


def _settled(recipe: ALS, seen_UI: sparse.csr_array, y_IF: np.ndarray, mean: float) -> FittedALS:
    """The fitted model of item vectors: turned once more, every user's vector found from nothing, as in folding in."""
    y_IF, x_UF, gram_F = turned(y_IF, y_IF[:0])
    fitted = FittedALS(recipe, x_UF, y_IF, gram_F, mean, mean_entries(seen_UI))
    return FittedALS(recipe, fitted.fold_in(seen_UI), y_IF, gram_F, mean, fitted.mean_pairs)


def _loss(recipe: ALS) -> Loss:
    return Loss(float(recipe.regularization), recipe.frequency, float(recipe.unobserved))


def _confidence(recipe: ALS, weights: np.ndarray) -> np.ndarray:
    if recipe.confidence == "one":
        return np.ones_like(weights)
    return np.log1p(weights) if recipe.confidence == "log" else weights


def _confident(recipe: ALS, seen_UI: sparse.csr_array, mean: float) -> sparse.csr_array:
    confidence = (_confidence(recipe, seen_UI.data) / mean).astype(np.float32)
    return sparse.csr_array((confidence, seen_UI.indices, seen_UI.indptr), shape=seen_UI.shape)


def _chosen(recipe: ALS, held: Validation | None) -> ALS:
    """The recipe with the values of its open settings that rank best what was held out; the middle ones without."""
    middle = {"unobserved": 0.1, "regularization": 3.0}
    options = {"unobserved": UNOBSERVED, "regularization": REGULARIZATION}
    open_settings = [name for name in middle if getattr(recipe, name) == "auto"]
    recipe = recipe.model_copy(update={name: middle[name] for name in open_settings})
    if held is None:
        return recipe
    held = held.within(TRIED_ON // recipe.factors, seed=recipe.seed)
    mean = float(_confidence(recipe, held.train_UI.data).mean())
    confident_UI = _confident(recipe, held.train_UI, mean)
    barred, trial = held.history_VI, {"iterations": (recipe.iterations + 1) // 2}

    def quality(tried: ALS) -> float:
        *_, (x_UF, y_IF) = iterations(tried.model_copy(update=trial), confident_UI)
        return held.ndcg(lists(x_UF[held.users], y_IF, 10, barred))

    for name in open_settings:
        recipe = climbed(recipe, name, options[name], quality)
    return recipe
