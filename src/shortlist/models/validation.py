"""Validation: what a model holds out of its own training data to choose the settings that nobody named.

Of at most `USERS` users, drawn at random from those with enough pairs, the newest fifth of each one's pairs is held out
(a fifth at random where the data know no times); whatever is tried is fitted on the rest and judged by NDCG@10 on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.seeds import Seeds

Recipe = TypeVar("Recipe", bound=Config)

USERS = 5_000
"""Users of whom something is held out."""
FEW = 300
"""Users who are judged however many pairs they have."""
SHARE = 0.2
"""Share of a user's pairs that is held out, at least one."""
K = 10
"""Places of a list that are judged."""


@dataclass(frozen=True)
class Validation:
    """A matrix to fit on, and what was held out of it.

    `train_UI` is users × items like the matrix it was taken from; `truth_VI` has a row for each of `users` (int32) and
    an entry for each pair held out.
    """

    train_UI: sparse.csr_array
    users: np.ndarray
    truth_VI: sparse.csr_array

    @property
    def history_VI(self) -> sparse.csr_array:
        """What is left of each of `users`."""
        return self.train_UI[self.users]

    def within(self, pairs: int, *, seed: int = 0) -> "Validation":
        """The same with no more than about so many pairs to fit on: half of them of judged users, at least `FEW` users.

        Which users stay is drawn at random. Rows of nobody are left out, so `users` are numbered anew.
        """
        random = Seeds(seed).generator("within")
        counts = np.diff(self.train_UI.indptr)
        places = random.permutation(len(self.users))
        judged = np.sort(places[(np.cumsum(counts[self.users[places]]) <= pairs // 2) | (np.arange(len(places)) < FEW)])
        users = self.users[judged]
        others = random.permutation(np.setdiff1d(np.flatnonzero(counts), users))
        others = others[np.cumsum(counts[others]) <= pairs - counts[users].sum()]
        kept = np.sort(np.concatenate([users, others]))
        return Validation(self.train_UI[kept], np.searchsorted(kept, users).astype(np.int32), self.truth_VI[judged])

    def ndcg(self, lists_VK: np.ndarray) -> float:
        """NDCG@10 of a list of items for each of `users`, best first, -1 for no item."""
        lists_VK = lists_VK[:, :K]
        width = self.truth_VI.shape[1] + 1
        places = np.repeat(np.arange(len(self.users), dtype=np.int64), np.diff(self.truth_VI.indptr))
        true = np.sort(places * width + self.truth_VI.indices)
        asked = np.arange(len(self.users), dtype=np.int64)[:, None] * width + lists_VK
        found = np.minimum(np.searchsorted(true, asked), len(true) - 1)
        hits = (true[found] == asked) & (lists_VK >= 0)
        discount = 1 / np.log2(np.arange(2, K + 2))
        ideal = np.cumsum(discount)[np.minimum(np.diff(self.truth_VI.indptr), K) - 1]
        return float(((hits * discount[: lists_VK.shape[1]]).sum(axis=1) / ideal).mean())


def hold_out(data: Dataset, x_UI: sparse.csr_array, *, users: int = USERS, seed: int = 0) -> Validation | None:
    """A validation for the matrix that `interactions` made of `data`; None where no user has two pairs."""
    random = Seeds(seed).generator("validation")
    able = np.flatnonzero(np.diff(x_UI.indptr) >= 2).astype(np.int32)
    if len(able) == 0:
        return None
    drawn = np.sort(random.choice(able, size=min(users, len(able)), replace=False))
    first = _first_met(data, drawn, x_UI)
    keep = np.ones(x_UI.nnz, dtype=bool)
    for user in drawn:
        start, end = x_UI.indptr[user], x_UI.indptr[user + 1]
        # Among equal moments the draw decides.
        order = np.lexsort((random.random(end - start), first[start:end]))
        keep[start + order[-max(1, round(SHARE * (end - start))) :]] = False
    rows = np.repeat(np.arange(x_UI.shape[0], dtype=np.int32), np.diff(x_UI.indptr))
    train_UI = _entries(x_UI, rows, keep)
    return Validation(train_UI, drawn, _entries(x_UI, rows, ~keep)[drawn])


def climbed(recipe: Recipe, name: str, values: Sequence[Any], quality: Callable[[Recipe], float]) -> Recipe:
    """The recipe with the best of the ordered `values` of the setting `name`.

    From where it stands it goes to the better neighbour until none is better, so that few values are tried.
    """
    tried: dict[int, float] = {}

    def at(place: int) -> float:
        if not 0 <= place < len(values):
            return -1.0
        if place not in tried:
            tried[place] = quality(recipe.model_copy(update={name: values[place]}))
        return tried[place]

    place = values.index(getattr(recipe, name))
    while (better := max((place, place - 1, place + 1), key=at)) != place:
        place = better
    return recipe.model_copy(update={name: values[place]})


def _entries(x_UI: sparse.csr_array, rows: np.ndarray, keep: np.ndarray) -> sparse.csr_array:
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows[keep], minlength=x_UI.shape[0]))])
    return sparse.csr_array((x_UI.data[keep], x_UI.indices[keep], starts), shape=x_UI.shape)


def _first_met(data: Dataset, users: np.ndarray, x_UI: sparse.csr_array) -> np.ndarray:
    """For each entry of the matrix the moment when the pair first met; 0 for those of other users."""
    e = data.events.filter((data.events.timestamp < data.as_of) & data.events.user.isin(users.tolist()))
    met = data.engine.frame(e.group_by(["user", "item"]).aggregate(first=e.timestamp.min()))
    width = x_UI.shape[1]
    rows = np.repeat(np.arange(x_UI.shape[0], dtype=np.int64), np.diff(x_UI.indptr))
    key = rows * width + x_UI.indices
    asked = met["user"].to_numpy().astype(np.int64) * width + met["item"].to_numpy()
    found = np.minimum(np.searchsorted(key, asked), max(len(key) - 1, 0))
    known = key[found] == asked if len(key) else np.zeros(len(asked), dtype=bool)
    first = np.zeros(x_UI.nnz, dtype=np.int64)
    first[found[known]] = met["first"].to_numpy()[known]
    return first
