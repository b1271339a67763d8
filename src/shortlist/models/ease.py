"""EASE: a linear model that rebuilds each user's row from the other items in it.

Minimise |X - XW|² + λ |W|² with diag(W) = 0, X one where a user met an item: W = I - P / diag(P), P = (XᵀX + λ)⁻¹;
score(u, j) = Σ_i h(u, i) W(i, j), h as in `item_to_item.py`.
Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
Differs: beyond `limit` items each is rebuilt from the `support` items of the largest cosine to it alone, by a ridge
regression of its own (as SLIM restricted to neighbours: Ning, Karypis, ICDM 2011); a history speaks by weight and
recency.
Cost: half of Σ_u n_u² additions for users of n_u items, I³ flops and I² numbers in float32; in float64 where rounding
could be felt (see `BLURRED`). Beyond the limit for each item S³ / 3 flops and a look at all who met its support.

Shapes: U users, I items, S items of a support, B of a block.
"""

from typing import Literal

import numpy as np
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions
from shortlist.models.item_to_item import FittedItemToItem, Weights, chosen, histories
from shortlist.models.neighbourhoods import most_alike, together
from shortlist.models.validation import RECENCY
from shortlist.threads import blocks, one_blas_thread, spread

REGULARIZATION = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0)
"""What is tried where nobody named a value."""
BLURRED = 1e5
"""A bound of the condition beyond which float32 is not enough: (largest row sum of XᵀX + λ) / λ."""
_STEP = 256
"""Items that are swept out at a time."""
_TILE = 512
"""Rows and columns of a product that one thread takes at a time."""


class EASE(Config):
    """Recipe for a linear model from items to items."""

    kind: Literal["ease"] = "ease"
    regularization: PositiveFloat | Literal["auto"] = "auto"
    """λ; auto: the best of eight, held out."""
    recency: PositiveFloat | Literal["auto"] | None = "auto"
    """Items after which what a user met before counts half; none: all count the same; auto: the best of seven, held
    out, where the data know times."""
    limit: NonNegativeInt = 20_000
    """Items up to which the weights are exact and dense."""
    support: PositiveInt = 200
    """Items from which each is rebuilt where there are more than `limit`."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> FittedItemToItem:
        """Solve. Settings that are auto are searched first: at most eight fits on at most 4,000 items.

        Users without events, and unknown users, get nothing.
        """
        seen_UI = interactions(data)
        middle = {"recency": None, "regularization": 100.0}
        options = {"recency": RECENCY, "regularization": REGULARIZATION}
        recipe = chosen(self, data, seen_UI, options, middle, weights)
        return FittedItemToItem(recipe, histories(data, seen_UI, recipe.recency), weights(recipe, seen_UI))


def weights(recipe: EASE, seen_UI: sparse.csr_array) -> Weights:
    """The weights from items (rows) to items; no setting but `recency` may be auto."""
    ridge = float(recipe.regularization)
    if seen_UI.shape[1] > recipe.limit:
        return _restricted(seen_UI, ridge, recipe.support)
    w_II = together(seen_UI, np.ones(seen_UI.shape[0]))
    counts_U = np.diff(seen_UI.indptr)
    row_sum_I = np.bincount(seen_UI.indices, np.repeat(counts_U, counts_U))
    if row_sum_I.max(initial=0) + ridge > BLURRED * ridge:
        w_II = w_II.astype(np.float64)
    w_II.flat[:: len(w_II) + 1] += ridge
    invert(w_II)
    diagonal_I = w_II.diagonal().copy()
    for start, end in blocks(len(w_II), _TILE):
        w_II[start:end] /= -diagonal_I
    w_II.flat[:: len(w_II) + 1] = 0
    return w_II.astype(np.float32, copy=False)


def invert(a_II: np.ndarray) -> None:
    """Puts the inverse of a symmetric positive definite matrix, of which the lower half is read, in its place.

    A block of rows and columns after the other is swept out (Goodnight, The American Statistician 1979): I³ flops, all
    in matrix products of one shape, so that the bits do not depend on the number of threads.
    """
    tiles = blocks(len(a_II), _TILE)
    corners = [(row, column) for row in range(len(tiles)) for column in range(row + 1)]
    for start, end in blocks(len(a_II), _STEP):
        with one_blas_thread():
            inverse_BB = np.linalg.inv(_mirrored(a_II[start:end, start:end]).astype(np.float64)).astype(a_II.dtype)
        column_IB = np.concatenate([a_II[start:end, :start].T, np.zeros_like(inverse_BB), a_II[end:, start:end]])
        swept_IB = np.empty_like(column_IB)
        _sweep(a_II, column_IB, inverse_BB, swept_IB, tiles, corners)
        a_II[start:end, :start], a_II[end:, start:end] = swept_IB[:start].T, swept_IB[end:]
        a_II[start:end, start:end] = -inverse_BB
    for start, end in tiles:
        a_II[start:end, start:end] = -_mirrored(a_II[start:end, start:end])
        a_II[end:, start:end] *= -1
        a_II[start:end, end:] = a_II[end:, start:end].T


def _sweep(
    a_II: np.ndarray,
    column_IB: np.ndarray,
    inverse_BB: np.ndarray,
    swept_IB: np.ndarray,
    tiles: list[tuple[int, int]],
    corners: list[tuple[int, int]],
) -> None:
    """Takes column · inverse · columnᵀ off the lower half, and writes column · inverse."""

    def multiply(first: int, last: int) -> None:
        np.matmul(column_IB[first:last], inverse_BB, out=swept_IB[first:last])

    def subtract(first: int, last: int) -> None:
        for row, column in corners[first:last]:
            (top, bottom), (left, right) = tiles[row], tiles[column]
            a_II[top:bottom, left:right] -= swept_IB[top:bottom] @ column_IB[left:right].T

    spread(multiply, tiles)
    spread(subtract, blocks(len(corners), 4))


def _mirrored(a_BB: np.ndarray) -> np.ndarray:
    """The symmetric matrix of which the lower half is given."""
    below_BB = np.tril(a_BB, -1)
    whole_BB: np.ndarray = below_BB + below_BB.T + np.diag(a_BB.diagonal())
    return whole_BB


def _restricted(seen_UI: sparse.csr_array, ridge: float, support: int) -> sparse.csr_array:
    """The weights to each item from those of its support alone."""
    from shortlist.kernels.regressions import regressed

    users, items = seen_UI.shape
    x_IU = seen_UI.T.tocsr()
    met_I = np.diff(x_IU.indptr)
    near_II = most_alike(seen_UI, np.ones(users), np.sqrt(np.maximum(met_I, 1)), 0.0, support)
    weight_N = np.empty(near_II.nnz, np.float32)
    # The items whose supports more users met come first, so that none waits long for another.
    looks_I = np.add.reduceat(np.append(met_I[near_II.indices], 0), np.minimum(near_II.indptr[:-1], near_II.nnz))
    order_I = np.argsort(-looks_I * (np.diff(near_II.indptr) > 0), kind="stable").astype(np.int32)

    def solve(first: int, last: int) -> None:
        of_item = x_IU.indptr, x_IU.indices, users
        regressed(*of_item, near_II.indptr, near_II.indices, ridge, order_I[first:last], weight_N)

    spread(solve, blocks(items, 64))
    # What was found for an item are the weights to it: its column.
    w_II = sparse.csr_array((weight_N, near_II.indices, near_II.indptr), shape=near_II.shape).T.tocsr()
    w_II.sort_indices()
    return w_II
