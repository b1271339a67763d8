"""ItemKNN: the items most like what a user met, by the users whom they share.

alike(i, j) = Σ_u s_u x(u, i) x(u, j) / (l_i l_j + shrinkage), x one where a user met an item; score(u, j) = Σ_i h(u, i)
alike(i, j) over the neighbours j of i, h as in `item_to_item.py`.
- cosine: s_u = 1, l_i = √n_i.
- tfidf: s_u = log²(I / (1 + n_u)), divided by its mean over the users, l_i = √Σ_u s_u x(u, i).
- bm25: s_u as for tfidf, l_i = (K1 (1 - B + B n_i / n̄) + 1) / (K1 + 1), K1 = 1.2, B = 0.75.
Source: item-based neighbourhoods (Sarwar et al., WWW 2001; Deshpande, Karypis, TOIS 2004), the weights of text search
(Robertson, Zaragoza, 2009) as in implicit; a shrunk denominator as in Ferrari Dacrema et al., RecSys 2019.
Differs: an item is no neighbour of itself; voices are of mean one, so that `shrinkage` counts users whatever the
weighting; a history speaks by weight and recency.
Cost: Σ_u n_u² additions; memory of items × neighbours, never the whole product.

Shapes: U users, I items.
"""

from typing import Literal

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions
from shortlist.models.item_to_item import FittedItemToItem, chosen, histories
from shortlist.models.neighbourhoods import most_alike
from shortlist.models.validation import RECENCY

K1, B = 1.2, 0.75
"""The parameters of BM25."""
WEIGHTING = ("cosine", "tfidf", "bm25")
SHRINKAGE = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0)
"""What is tried where nobody named a value."""
TRIED_ON = 50_000
"""Items that a trial sees at most, the ones that most users met."""


class ItemKNN(Config):
    """Recipe for the items most like those that a user met."""

    kind: Literal["item_knn"] = "item_knn"
    neighbours: PositiveInt = 500
    """Others kept for each item."""
    weighting: Literal["cosine", "tfidf", "bm25", "auto"] = "auto"
    """How users and items are weighed; auto: the best, held out."""
    shrinkage: NonNegativeFloat | Literal["auto"] = "auto"
    """Users that are added to the denominator: the more, the less few common users say; auto: the best of eight, held
    out."""
    recency: PositiveFloat | Literal["auto"] | None = "auto"
    """Items after which what a user met before counts half; none: all count the same; auto: the best of seven, held
    out, where the data know times."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> FittedItemToItem:
        """Find the neighbours. Settings that are auto are searched first, on at most TRIED_ON items.

        Users without events, and unknown users, get nothing.
        """
        seen_UI = interactions(data)
        middle = {"recency": None, "weighting": "tfidf", "shrinkage": 3.0}
        options = {"recency": RECENCY, "weighting": WEIGHTING, "shrinkage": SHRINKAGE}
        recipe = chosen(self, data, seen_UI, options, middle, neighbours, tried_on=TRIED_ON)
        return FittedItemToItem(recipe, histories(data, seen_UI, recipe.recency), neighbours(recipe, seen_UI))


def neighbours(recipe: ItemKNN, seen_UI: sparse.csr_array) -> sparse.csr_array:
    """The neighbours of each item (items × items, float32); no setting but `recency` may be auto."""
    users, items = seen_UI.shape
    met_I = np.bincount(seen_UI.indices, minlength=items).astype(np.float64)
    voice_U = np.ones(users)
    if recipe.weighting != "cosine":
        counts_U = np.diff(seen_UI.indptr)
        voice_U = (np.log(max(items, 1)) - np.log1p(counts_U)) ** 2
        # Of nobody, or where nobody's voice counts, there is no mean to divide by.
        voice_U /= voice_U.mean(where=counts_U > 0) if voice_U[counts_U > 0].any() else 1.0
    if recipe.weighting == "bm25":
        mean = met_I.mean() if met_I.any() else 1.0
        length_I = (K1 * (1 - B + B * met_I / mean) + 1) / (K1 + 1)
    else:
        heard_E = np.repeat(voice_U, np.diff(seen_UI.indptr))
        length_I = np.sqrt(np.bincount(seen_UI.indices, heard_E, minlength=items))
    length_I[length_I == 0] = 1
    return most_alike(seen_UI, voice_U, length_I, float(recipe.shrinkage), recipe.neighbours)
