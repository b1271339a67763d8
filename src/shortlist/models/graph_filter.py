"""GraphFilter: a low-pass filter on the graph of users and items, without any training.

P = R̃ᵀR̃, R̃ = D_u^-½ X D_i^-½, X one where a user met an item, D the numbers of pairs; W = P̄ for order 1 and 2 P̄ - P̄² for
order 2, P̄ being P with every entry raised to `power`; score(u, j) = Σ_i h(u, i) W(i, j), h as in `item_to_item.py`.
Source: graph signal processing for recommendation: GF-CF (Shen et al., CIKM 2021), Turbo-CF (Park et al., SIGIR 2024).
Differs: no ideal low-pass part; beyond `limit` items order 1, of the `neighbours` of the largest weight; a history
speaks by weight and recency.
Cost: half of Σ_u n_u² additions for users of n_u items, and I³ flops for order 2; I² numbers.

Shapes: U users, I items.
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
from shortlist.threads import blocks, spread

POWER = (0.5, 0.7, 0.85, 1.0, 1.3)
ORDER = (1, 2)
"""What is tried where nobody named a value."""
_TILE = 512
"""Rows of a product that one thread takes at a time."""


class GraphFilter(Config):
    """Recipe for a low-pass filter on the graph of users and items."""

    kind: Literal["graph_filter"] = "graph_filter"
    order: Literal[1, 2, "auto"] = "auto"
    """Degree of the filter's polynomial; auto: the better one, held out."""
    power: PositiveFloat | Literal["auto"] = "auto"
    """Exponent of the entries: under 1 weak ties say more; auto: the best of five, held out."""
    recency: PositiveFloat | Literal["auto"] | None = "auto"
    """Items after which what a user met before counts half; none: all count the same; auto: the best of seven, held
    out, where the data know times."""
    limit: NonNegativeInt = 20_000
    """Items up to which the weights are dense."""
    neighbours: PositiveInt = 500
    """Others kept for each item where there are more than `limit`."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> FittedItemToItem:
        """Multiply. Settings that are auto are searched first, with at most ten filters of at most 4,000 items.

        Users without events, and unknown users, get nothing.
        """
        seen_UI = interactions(data)
        middle = {"recency": None, "power": 1.0, "order": 1}
        options = {"recency": RECENCY, "power": POWER, "order": ORDER}
        recipe = chosen(self, data, seen_UI, options, middle, filtered)
        return FittedItemToItem(recipe, histories(data, seen_UI, recipe.recency), filtered(recipe, seen_UI))


def filtered(recipe: GraphFilter, seen_UI: sparse.csr_array) -> Weights:
    """The weights from items to items; no setting but `recency` may be auto."""
    voice_U = 1 / np.maximum(np.diff(seen_UI.indptr), 1)
    length_I = np.sqrt(np.maximum(np.bincount(seen_UI.indices, minlength=seen_UI.shape[1]), 1))
    power = float(recipe.power)
    if seen_UI.shape[1] > recipe.limit:
        near_II = most_alike(seen_UI, voice_U, length_I, 0.0, recipe.neighbours)
        return sparse.csr_array((near_II.data**power, near_II.indices, near_II.indptr), shape=near_II.shape)
    p_II = together(seen_UI, voice_U)
    scale_I = (1 / length_I).astype(np.float32)
    tiles = blocks(len(p_II), _TILE)

    def scaled(start: int, end: int) -> None:
        part_TI = p_II[start:end, :end]
        part_TI *= scale_I[start:end, None] * scale_I[:end]
        np.power(part_TI, power, out=part_TI)

    def mirrored(start: int, end: int) -> None:
        corner_TT = np.tril(p_II[start:end, start:end])
        p_II[start:end, start:end] = corner_TT + np.tril(corner_TT, -1).T
        p_II[start:end, end:] = p_II[end:, start:end].T

    spread(scaled, tiles)
    spread(mirrored, tiles)
    if recipe.order == 1:
        return p_II
    w_II = np.empty_like(p_II)

    def filtered_twice(start: int, end: int) -> None:
        np.matmul(p_II[start:end], p_II, out=w_II[start:end])
        np.subtract(2 * p_II[start:end], w_II[start:end], out=w_II[start:end])

    spread(filtered_twice, tiles)
    return w_II
