"""Validation: what a model holds out of its own training data to choose the settings that nobody named.

Of at most `USERS` users drawn at random the newest pairs are held out, a fifth of each one's and no more than `NEWEST`.
Each is a question of its own: what would have come next, after all that the user had met before it? Where the data know
no times a fifth at random is held out, and is one question. What is tried is fitted on the rest, folds in the histories
of the questions, and is judged by NDCG@10.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import moments, newer
from shortlist.seeds import Seeds

Recipe = TypeVar("Recipe", bound=Config)

USERS = 2_000
"""Users of whom something is held out."""
SHARE = 0.2
"""Share of a user's pairs that is held out, at least one."""
NEWEST = 5
"""Pairs of a user that are held out at most, where there is an order."""
RECENCY = (None, 30.0, 10.0, 5.0, 3.0, 2.0, 1.0)
"""What is tried for a model's `recency` where nobody named a value."""
K = 10
"""Places of a list that are judged."""


@dataclass(frozen=True)
class Validation:
    """A matrix to fit on (`train_UI`), and questions about what was held out of it.

    Each row of the others is a question: `history_QI` holds the weights of the pairs before, `newer_QI` with the same
    entries how many of these came later, `truth_QI` an entry for each true item.
    """

    train_UI: sparse.csr_array
    history_QI: sparse.csr_array
    newer_QI: sparse.csr_array
    truth_QI: sparse.csr_array
    ordered: bool
    """Whether the data know times, so that newer and older differ."""

    def within(self, pairs: int, *, seed: int = 0) -> "Validation":
        """The same with the pairs of users drawn at random to fit on: about so many at most. Empty rows go."""
        counts = np.diff(self.train_UI.indptr)
        users = Seeds(seed).generator("within").permutation(np.flatnonzero(counts))
        kept = np.sort(users[np.cumsum(counts[users]) <= max(pairs, counts[users[:1]].sum())])
        return replace(self, train_UI=self.train_UI[kept])

    def ndcg(self, lists_QK: np.ndarray) -> float:
        """NDCG@10 of a list of items for each question, best first, -1 for no item; 0 where nothing is true."""
        if not self.truth_QI.nnz:
            return 0.0
        lists_QK = lists_QK[:, :K]
        questions, width = len(lists_QK), self.truth_QI.shape[1] + 1
        rows = np.repeat(np.arange(questions, dtype=np.int64), np.diff(self.truth_QI.indptr))
        true = np.sort(rows * width + self.truth_QI.indices)
        asked = np.arange(questions, dtype=np.int64)[:, None] * width + lists_QK
        found = np.minimum(np.searchsorted(true, asked), len(true) - 1)
        hits = (true[found] == asked) & (lists_QK >= 0)
        discount = 1 / np.log2(np.arange(2, K + 2))
        ideal = np.cumsum(discount)[np.minimum(np.diff(self.truth_QI.indptr), K) - 1]
        return float(((hits * discount[: lists_QK.shape[1]]).sum(axis=1) / ideal).mean())


def hold_out(data: Dataset, x_UI: sparse.csr_array, *, seed: int = 0) -> Validation | None:
    """A validation for the matrix that `interactions` made of `data`; None where no user has two pairs."""
    random = Seeds(seed).generator("validation")
    able = np.flatnonzero(np.diff(x_UI.indptr) >= 2)
    if len(able) == 0:
        return None
    first_E, last_E = moments(data, x_UI)
    ordered = len(first_E) > 0 and bool(first_E.min() < first_E.max())
    keep_E = np.ones(x_UI.nnz, dtype=bool)
    histories, truths = [], []
    for user in np.sort(random.choice(able, size=min(USERS, len(able)), replace=False)):
        entries = np.arange(x_UI.indptr[user], x_UI.indptr[user + 1])
        # Among equal moments the draw decides.
        entries = entries[np.lexsort((random.random(len(entries)), first_E[entries]))]
        out = max(1, round(SHARE * len(entries)))
        out = min(out, NEWEST) if ordered else out
        keep_E[entries[-out:]] = False
        for place in range(len(entries) - out, len(entries)) if ordered else [len(entries) - out]:
            histories.append(np.sort(entries[:place]))
            truths.append(np.sort(entries[place : place + 1] if ordered else entries[place:]))
    history_QI, truth_QI = _rows(x_UI, histories), _rows(x_UI, truths)
    newer_H = newer(history_QI.indptr, last_E[np.concatenate(histories)])
    newer_QI = sparse.csr_array((newer_H, history_QI.indices, history_QI.indptr), shape=history_QI.shape)
    rows_E = np.repeat(np.arange(x_UI.shape[0]), np.diff(x_UI.indptr))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows_E[keep_E], minlength=x_UI.shape[0]))])
    train_UI = sparse.csr_array((x_UI.data[keep_E], x_UI.indices[keep_E], starts), shape=x_UI.shape)
    return Validation(train_UI, history_QI, newer_QI, truth_QI, ordered)


def climbed(recipe: Recipe, name: str, values: Sequence[Any], quality: Callable[[Recipe], float]) -> Recipe:
    """The recipe with the best of the ordered `values` of the setting `name`.

    From where it stands it goes to the better neighbour until none is better, so that few values are tried.
    """
    tried: dict[int, float] = {}

    def at(place: int) -> float:
        if not 0 <= place < len(values):
            return -np.inf
        if place not in tried:
            tried[place] = quality(recipe.model_copy(update={name: values[place]}))
        return tried[place]

    place = values.index(getattr(recipe, name))
    while (better := max((place, place - 1, place + 1), key=at)) != place:
        place = better
    return recipe.model_copy(update={name: values[place]})


def _rows(x_UI: sparse.csr_array, entries: list[np.ndarray]) -> sparse.csr_array:
    """A matrix whose rows are these entries of another."""
    every = np.concatenate(entries)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in entries])])
    return sparse.csr_array((x_UI.data[every], x_UI.indices[every], starts), shape=(len(entries), x_UI.shape[1]))
