"""Item to item: what models share whose score is score(u, j) = Σ_i h(u, i) W(i, j), h the history of a user.

h(u, i) = log₂(1 + weight) · what is left of it after so many newer items (`fading`). W is items × items, dense, or
sparse with the largest of a row. A score that is exactly zero means that the history says nothing of an item: such an
item is not answered. W never sees weights or order: they say more of what a user wants now than of what goes together.
Cost of lists: one addition for an entry of a history and an entry of its row of W.

Shapes: U users, I items, B users of a request, Q questions, K answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, TypeAlias, TypeVar

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import moments, newer
from shortlist.models.retrieval import Request, Steps, answered, fading
from shortlist.models.validation import Validation, climbed, hold_out
from shortlist.threads import blocks, cores, spread

Weights: TypeAlias = np.ndarray | sparse.csr_array
Recipe = TypeVar("Recipe", bound=Config)

TRIED_ON = 4_000
"""Items that a trial sees at most, where a model names no other number: the ones that most users met."""
_QUERIES = 1_024
"""Queries that a thread has in hand."""
_PLACES = 1 << 22
"""Places of the buffers that a thread has in hand, where k is large."""
_WORTH_A_COPY = 4
"""A block of columns is copied together where its rows are read so many times."""


@dataclass(frozen=True)
class FittedItemToItem:
    """What everybody's `histories` say (users × items) and the `weights` from items (rows) to items, dense or sparse.

    The `recipe` names the values that were chosen.
    """

    folds_in: ClassVar[bool] = True

    recipe: Any
    histories: sparse.csr_array
    weights: Weights

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The items of the largest score; users of `request.history` by what is told of them, others by theirs."""
        return best_items(self.histories, self.weights, request, self.recipe.recency)

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items of the largest weight from each: `item`, `similar` (int32), `score` (the weight), `rank`."""
        return similar(items, self.weights, k)


def strength(weights: np.ndarray, newer: np.ndarray, recency: Steps) -> np.ndarray:
    """What the entries of histories say (float32), by their weights and by how many items came later."""
    said: np.ndarray = np.log2(1 + weights).astype(np.float32) * fading(newer, recency)
    return said


def histories(data: Dataset, seen_UI: sparse.csr_array, recency: Steps) -> sparse.csr_array:
    """What everybody's history says (float32), for the matrix that `interactions` made of the data."""
    ages_E = np.zeros(seen_UI.nnz) if recency is None else newer(seen_UI.indptr, moments(data, seen_UI)[1])
    said_E = strength(seen_UI.data, ages_E, recency)
    return sparse.csr_array((said_E, seen_UI.indices, seen_UI.indptr), shape=seen_UI.shape)


def ones(seen_UI: sparse.csr_array) -> sparse.csr_array:
    """The same entries, each of them one (float32)."""
    return sparse.csr_array((np.ones(seen_UI.nnz, np.float32), seen_UI.indices, seen_UI.indptr), shape=seen_UI.shape)


def best_items(history_UI: sparse.csr_array, w_II: Weights, request: Request, recency: Steps) -> pl.DataFrame:
    """The answer to a request; users of `request.history` by what is told of them, all others by `history_UI`."""
    items = history_UI.shape[1]
    h_BI = rows_of(history_UI, request.users)
    told_BI = request.told(items, lambda weights, newer: strength(weights, newer, recency))
    if told_BI is not None:
        h_BI = rows_of(history_UI, np.where(request.is_told(), -1, request.users)) + told_BI
        h_BI.sort_indices()
    found = lists(h_BI, w_II, request.k, barred_BI=request.barred(items), allowed=request.items)
    return answered(request.users, *found)


def similar(items: np.ndarray, w_II: Weights, k: int) -> pl.DataFrame:
    """The `k` items that each of `items` (int32) says most of: `item`, `similar`, `score`, `rank`; never itself."""
    items = np.asarray(items, dtype=np.int32)
    places = (np.ones(len(items), np.float32), items, np.arange(len(items) + 1))
    one_BI = sparse.csr_array(places, shape=(len(items), w_II.shape[1]))
    found = answered(items, *lists(one_BI, w_II, k, barred_BI=one_BI))
    return found.rename({"user": "item", "item": "similar"})


def lists(
    history_BI: sparse.csr_array,
    w_II: Weights,
    k: int,
    *,
    barred_BI: sparse.csr_array | None = None,
    allowed: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` items (int32, B × K, best first) of the largest scores, and these (float32); -1 and -inf for none.

    Scores are the product of `history_BI` and `w_II`, whose columns are the items, whatever its rows are: a sparse one
    need not be square.
    """
    queries, items = history_BI.shape[0], w_II.shape[1]
    k = min(k, items)
    open_I = np.ones(items, np.bool_)
    if allowed is not None:
        open_I[:] = False
        open_I[allowed[(allowed >= 0) & (allowed < items)]] = True
    barred = sparse.csr_array((queries, items), dtype=np.float32) if barred_BI is None else barred_BI
    found = np.full((queries, k), -1, np.int32), np.full((queries, k), -np.inf, np.float32)
    asked = (history_BI.indptr, history_BI.indices, history_BI.data), (barred.indptr, barred.indices)
    size = max(1, min(_QUERIES, _PLACES // (2 * k + 64), -(-queries // cores())))
    by = _by_dense if isinstance(w_II, np.ndarray) else _by_sparse
    spread(lambda start, end: by(*asked, w_II, open_I, start, end, *found), blocks(queries, size))
    return found


def chosen(
    recipe: Recipe,
    data: Dataset,
    seen_UI: sparse.csr_array,
    options: Mapping[str, Sequence[Any]],
    middle: Mapping[str, Any],
    fitted: Callable[[Recipe, sparse.csr_array], Weights],
    *,
    tried_on: int = TRIED_ON,
) -> Recipe:
    """The recipe with the values of its settings that are "auto" which rank best what is held out of `data`.

    `options` are their ordered values, `middle` where the search starts, and all there is where nothing can be held
    out. `fitted` makes W of a matrix of ones, of the `tried_on` items at most that most users met. Every setting is
    searched twice, as what is best of one hangs on the others.
    """
    unsettled = [name for name in options if getattr(recipe, name) == "auto"]
    recipe = recipe.model_copy(update={name: middle[name] for name in unsettled})
    held = hold_out(data, seen_UI) if unsettled else None
    if held is None:
        return recipe
    held = _of_popular(held, tried_on)
    train_UI = ones(held.train_UI)

    @cache
    def weights(tried: Recipe) -> Weights:
        return fitted(tried, train_UI)

    def quality(tried: Recipe) -> float:
        w_II = weights(tried.model_copy(update={"recency": None}))
        history = held.history_QI
        said = strength(history.data, held.newer_QI.data, getattr(tried, "recency"))  # noqa: B009 - the type of all recipes does not promise it
        h_QI = sparse.csr_array((said, history.indices, history.indptr), shape=history.shape)
        return held.ndcg(lists(h_QI, w_II, 10, barred_BI=history)[0])

    for name in 2 * unsettled:
        if name != "recency" or held.ordered:
            recipe = climbed(recipe, name, options[name], quality)
    return recipe


def rows_of(matrix_UI: sparse.csr_array, users: np.ndarray) -> sparse.csr_array:
    """The rows of `users`; an empty one for a number that is none of a row."""
    users = np.where((users >= 0) & (users < matrix_UI.shape[0]), users, -1)
    counts = np.append(np.diff(matrix_UI.indptr), 0)[users]
    starts = np.concatenate([[0], np.cumsum(counts)])
    moved = np.append(matrix_UI.indptr[:-1], 0)[users] - starts[:-1]
    places = np.arange(starts[-1]) + np.repeat(moved, counts)
    entries = (matrix_UI.data[places], matrix_UI.indices[places], starts)
    return sparse.csr_array(entries, shape=(len(users), matrix_UI.shape[1]))


def _of_popular(held: Validation, items: int) -> Validation:
    """The same of no more items, the ones that most users met; numbered anew."""
    users_I = np.bincount(held.train_UI.indices, minlength=held.train_UI.shape[1])
    if len(users_I) <= items:
        return held
    kept = np.sort(np.argsort(-users_I, kind="stable")[:items])
    # newer_QI is kept in the form of history_QI, zeros included.
    parts = {name: _columns(getattr(held, name), kept) for name in ("train_UI", "history_QI", "newer_QI", "truth_QI")}
    return replace(held, **parts)


def _columns(matrix: sparse.csr_array, kept: np.ndarray) -> sparse.csr_array:
    number_I = np.full(matrix.shape[1], -1, np.int32)
    number_I[kept] = np.arange(len(kept))
    there = number_I[matrix.indices] >= 0
    starts = np.concatenate([[0], np.cumsum(there)])[matrix.indptr]
    return sparse.csr_array(
        (matrix.data[there], number_I[matrix.indices[there]], starts), shape=(matrix.shape[0], len(kept))
    )


def _by_sparse(history: Any, barred: Any, w_II: Any, open_I: Any, start: int, end: int, best: Any, score: Any) -> None:
    from shortlist.kernels.item_scores import best_by_sparse

    best_by_sparse(*history, w_II.indptr, w_II.indices, w_II.data, *barred, open_I, start, end, best, score)


def _by_dense(history: Any, barred: Any, w_II: Any, open_I: Any, start: int, end: int, best: Any, score: Any) -> None:
    from shortlist.kernels.item_scores import COLUMNS, best_by_dense, write_best
    from shortlist.kernels.ordering import LOWEST

    k, items = best.shape[1], len(w_II)
    buffers = np.empty((end - start, 2 * k + COLUMNS), np.int64), np.zeros(end - start, np.int64)
    least_Q, at_Q = np.full(end - start, LOWEST), barred[0][start:end].astype(np.int64)
    copied = history[0][end] - history[0][start] > _WORTH_A_COPY * items
    block_IB = np.zeros((items, COLUMNS), np.float32)
    for first, beyond in blocks(items, COLUMNS):
        w_IC, column = w_II, first
        if copied or beyond - first < COLUMNS:
            block_IB[:, : beyond - first] = w_II[:, first:beyond]
            w_IC, column = block_IB, 0
        best_by_dense(*history, w_IC, column, first, *barred, at_Q, open_I, start, end, *buffers, least_Q, k)
    write_best(*buffers, start, end, best, score)
