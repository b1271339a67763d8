"""BPR: factors learnt from pairs of items, one that a user met and one that the user did not.

Each step raises log σ(x_u · y_i - x_u · y_j) - λ/2 (|x_u|² + |y_i|² + |y_j|²) for an item i met and an item j not met.
Source: Bayesian personalised ranking (Rendle et al., UAI 2009); j is the one of the highest score among several drawn
at random (Zhang et al., SIGIR 2013); step sizes by AdaGrad (Duchi, Hazan, Singer, JMLR 2011) with one rate a row.
Differs: a round is cut into BLOCKS × BLOCKS cells of users and items, drawn anew each time, of which those that share
no row run at once (Gemulla et al., KDD 2011), so that the bits do not depend on the threads; j is of the cell's items.
At the end every user's vector is found anew while the items stay, as in folding in.
Cost of a round: 2 F (negatives + 6) flops a pair.

Shapes: U users, I items, B users of a request, F factors.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions
from shortlist.models.factors import folded, known_only, lists, most_alike, nearest_items
from shortlist.models.retrieval import Request
from shortlist.models.validation import Validation, climbed, hold_out
from shortlist.seeds import Seeds
from shortlist.threads import blocks, spread

BLOCKS = 8
"""Blocks of users and of items in a round."""
FOLD_ROUNDS = 20
"""Rounds over a user's own items that find the vector of that user from nothing."""
REGULARIZATION = (0.003, 0.01, 0.03, 0.1)
"""What is tried where nobody named a value."""
TRIED_ON = 20_000_000
"""Pairs times factors that a trial sees at most: all pairs of users drawn at random."""


class BPR(Config):
    """Recipe for factors by Bayesian personalised ranking."""

    kind: Literal["bpr"] = "bpr"
    factors: PositiveInt = 64
    """Length of a vector."""
    iterations: PositiveInt = 40
    """Rounds over all pairs."""
    negatives: PositiveInt = 16
    """Items drawn for each step, of which the one of the highest score is taken; 1 is plain BPR."""
    rate: PositiveFloat = 0.1
    """Length of a row's first step, which AdaGrad shortens."""
    regularization: NonNegativeFloat | Literal["auto"] = "auto"
    """λ; auto: the best of four on pairs that are held out."""
    seed: int = 0
    """Of the start, of the order of the pairs, and of the items that a step may draw from."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedBPR":
        """Fit. With auto, at most four fits of half the rounds, on TRIED_ON, come first.

        A pair counts once, however often it happened. Users and items without events get vectors of zeros.
        """
        seen_UI = interactions(data)
        recipe = self
        if self.regularization == "auto":
            recipe = _chosen(self, hold_out(data, seen_UI, seed=self.seed))
        _, y_IF = trained(recipe, seen_UI)
        fitted = FittedBPR(recipe, y_IF[:0], y_IF)
        return FittedBPR(recipe, fitted.fold_in(seen_UI), y_IF)


@dataclass(frozen=True)
class FittedBPR:
    """Vectors of users and items (float32): zeros for those without events. The `recipe` names the λ chosen."""

    folds_in: ClassVar[bool] = True

    recipe: BPR
    user_factors: np.ndarray
    item_factors: np.ndarray

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The items of the largest product; users of `request.history` are folded in first."""
        x_BF = folded(request, self.user_factors, len(self.item_factors), _as_it_is, self.fold_in)
        return nearest_items(x_BF, self.item_factors, request)

    def fold_in(self, history_BI: sparse.csr_array) -> np.ndarray:
        """The vectors (B × F, float32) of users who met the items of the rows (weights above zero); items stay.

        For the history that a user of the training data had, it is the vector that the model has, to the bit.
        """
        from shortlist.kernels.pairwise import fold_rows

        met_BI = known_only(history_BI, self.item_factors)
        items = np.flatnonzero(self.item_factors.any(axis=1)).astype(np.int32)
        x_BF = np.zeros((met_BI.shape[0], self.item_factors.shape[1]), np.float32)
        if len(items) > 1:
            r = self.recipe
            rest = (FOLD_ROUNDS, items, r.negatives, np.float32(r.rate), np.float32(r.regularization))

            def work(first: int, last: int) -> None:
                fold_rows(first, last, met_BI.indptr, met_BI.indices, *rest, x_BF, self.item_factors)

            spread(work, blocks(len(x_BF), 256))
        return x_BF

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items of the largest cosine: `item`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(items, self.item_factors, k, name="item")

    def similar_users(self, users: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` users of the largest cosine: `user`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(users, self.user_factors, k, name="user")


def trained(recipe: BPR, seen_UI: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of users and items after all rounds; the regularisation must not be auto."""
    random = Seeds(recipe.seed).generator("bpr")
    users, items = seen_UI.shape
    x_UF, y_IF = (
        random.standard_normal((n, recipe.factors), dtype=np.float32) * np.float32(0.1) for n in (users, items)
    )
    x_past_U, y_past_I = np.zeros(users, np.float32), np.zeros(items, np.float32)
    user_E = np.repeat(np.arange(users, dtype=np.int32), np.diff(seen_UI.indptr))
    item_E = seen_UI.indices.astype(np.int32)
    known_I = np.bincount(item_E, minlength=items) > 0
    y_IF[~known_I] = 0
    x_UF[np.diff(seen_UI.indptr) == 0] = 0
    settings = (recipe.negatives, np.float32(recipe.rate), np.float32(recipe.regularization))
    state = (x_UF, y_IF, x_past_U, y_past_I)
    for turn in range(recipe.iterations):
        block_U, block_I = random.integers(0, BLOCKS, users), random.permutation(items) % BLOCKS
        cell_E = block_U[user_E] * BLOCKS + block_I[item_E]
        shuffled = random.permutation(len(user_E))
        order = shuffled[np.argsort(cell_E[shuffled], kind="stable")]
        cells = np.split(order, np.cumsum(np.bincount(cell_E, minlength=BLOCKS**2))[:-1])
        others = [np.flatnonzero((block_I == b) & known_I).astype(np.int32) for b in range(BLOCKS)]
        for shift in range(BLOCKS):
            places = [(a, (a + shift) % BLOCKS, (turn * BLOCKS + shift) * BLOCKS + a) for a in range(BLOCKS)]
            _at_once(
                [
                    (user_E[cells[a * BLOCKS + b]], item_E[cells[a * BLOCKS + b]], others[b], seed)
                    for a, b, seed in places
                    if len(cells[a * BLOCKS + b])
                ],
                (seen_UI.indptr, item_E, *settings, *state),
            )
    return x_UF, y_IF


def _at_once(cells: list[tuple[Any, ...]], shared: tuple[Any, ...]) -> None:
    """The steps of cells that have no row in common."""
    from shortlist.kernels.pairwise import climb

    spread(lambda first, last: [climb(*cell, *shared) for cell in cells[first:last]], blocks(len(cells), 1))


def _chosen(recipe: BPR, held: Validation | None) -> BPR:
    """The recipe with the λ that ranks best what was held out; 0.03 where nothing can be."""
    recipe = recipe.model_copy(update={"regularization": 0.03})
    if held is None:
        return recipe
    held = held.within(TRIED_ON // recipe.factors, seed=recipe.seed)

    def quality(tried: BPR) -> float:
        _, y_IF = trained(tried.model_copy(update={"iterations": (recipe.iterations + 1) // 2}), held.train_UI)
        x_QF = FittedBPR(tried, y_IF[:0], y_IF).fold_in(held.history_QI)
        return held.ndcg(lists(x_QF, y_IF, 10, held.history_QI))

    return climbed(recipe, "regularization", REGULARIZATION, quality)


def _as_it_is(weights: np.ndarray, _: np.ndarray) -> np.ndarray:
    return weights
