"""What a retriever is asked, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol, TypeAlias

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import beyond, sparse_matrix

USERS_AT_ONCE = 256
"""Users whose scores are held at one time."""


@dataclass(frozen=True)
class Request:
    """The best `k` items for each of `users`, without what is excluded.

    `users` are dense ids (int32); a number that no user of the training data had stands for somebody unknown. `exclude`
    has columns `user` and `item`: pairs that must not be answered. `items`, where given, are the only ones allowed.
    `history` has columns `user`, `item`, `weight` (float32), each pair once, and where the order is known `newer` (how
    many of the user's items came later): what those of its users did, in place of what the model saw of them; a model
    that does not fold in (see `folds_in`) must not be given one.
    """

    users: np.ndarray
    k: int
    exclude: pl.DataFrame | None = None
    items: np.ndarray | None = None
    history: pl.DataFrame | None = None

    @property
    def user_frame(self) -> pl.DataFrame:
        """The users as a frame with the column `user`."""
        return pl.DataFrame({"user": pl.Series(self.users, dtype=pl.Int32)})

    def barred(self, items: int) -> sparse.csr_array | None:
        """The excluded pairs as a matrix: a row for each of `users` in their order, `items` columns."""
        if self.exclude is None or self.exclude.is_empty():
            return None
        placed = self.exclude.join(self.user_frame.with_row_index("row"), on="user", how="inner")
        pairs = placed.filter(pl.col("item") < items).select("row", "item").unique()
        return sparse_matrix(
            pairs["row"], pairs["item"], pl.repeat(1.0, pairs.height, eager=True), rows=len(self.users), columns=items
        )

    def told(self, items: int, strength: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> sparse.csr_array | None:
        """The histories as a matrix like `barred`, float32: `strength` of weight and newer; None where there are none.

        Where the order is not known, all are the newest.
        """
        if self.history is None:
            return None
        placed = self.history.join(self.user_frame.with_row_index("row"), on="user", how="inner")
        placed = placed.filter(pl.col("item") < items)
        there = "newer" in placed.columns
        newer = placed["newer"].to_numpy() if there else np.zeros(placed.height, np.int32)
        values = pl.Series(strength(placed["weight"].to_numpy(), newer))
        told = sparse_matrix(placed["row"], placed["item"], values, rows=len(self.users), columns=items)
        return told.astype(np.float32)

    def is_told(self) -> np.ndarray:
        """For each of `users` whether `history` says what they did."""
        return np.isin(self.users, [] if self.history is None else self.history["user"].to_numpy())


class Retriever(Protocol):
    """A fitted model that finds items for users."""

    def retrieve(self, request: Request) -> pl.DataFrame:
        """Columns `user`, `item` (int32), `score` (float64, higher is better), `rank` (int32, from 1): see `best`."""
        ...


class RetrieverRecipe(Protocol):
    """A description that can be fitted into a retriever."""

    def fit(self, data: Dataset) -> Retriever:
        """The fitted model. It sees no event at or after `data.as_of`."""
        ...


Steps: TypeAlias = float | Literal["auto"] | None
"""Items after which what came before counts half: none, or a number once it is settled."""


def fading(newer: np.ndarray, steps: Steps) -> np.ndarray:
    """2^(-newer / steps) (float32): how much of a history's entry is left after so many newer ones; all without steps.

    >>> fading(np.array([0, 5, 10]), 5).tolist()
    [1.0, 0.5, 0.25]
    """
    return np.ones(len(newer), np.float32) if steps is None else np.exp2(-newer / float(steps)).astype(np.float32)


def best(scored: pl.DataFrame, request: Request) -> pl.DataFrame:
    """The answer to a request from all scored pairs (`user`, `item`, `score`): at most `k` a user, best first.

    Ties go to the smaller item. What is excluded or not allowed is gone before the ranks are given.
    """
    if request.items is not None:
        scored = scored.join(_item_frame(request.items), on="item", how="semi")
    if request.exclude is not None:
        scored = scored.join(request.exclude, on=["user", "item"], how="anti")
    # The k-th best score of each user is found without a sort, so that only what can be answered is sorted.
    return (
        scored.filter(pl.col("score") >= pl.col("score").top_k(request.k).min().over("user"))
        .sort(["user", "score", "item"], descending=[False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user"))
        .filter(pl.col("rank") <= request.k)
        .select("user", "item", pl.col("score").cast(pl.Float64), "rank")
    )


def answered(users: np.ndarray, items_BK: np.ndarray, scores_BK: np.ndarray) -> pl.DataFrame:
    """The answer whose lists are the rows of `items_BK` and `scores_BK`, best first; -1 where a list has ended."""
    there = items_BK >= 0
    ranks = np.broadcast_to(np.arange(1, items_BK.shape[1] + 1, dtype=np.int32), items_BK.shape)
    return pl.DataFrame(
        {
            "user": np.repeat(users.astype(np.int32), there.sum(axis=1)),
            "item": items_BK[there].astype(np.int32),
            "score": scores_BK[there].astype(np.float64),
            "rank": ranks[there],
        }
    )


def best_of_product(known: pl.DataFrame, reached: pl.DataFrame, request: Request) -> pl.DataFrame:
    """The answer to a request where score(user, item) = Σ_via known(user, via) · reached(via, item).

    `known` has columns `user`, `via` (or `item`), `score`; `reached` `via`, `item`, `score`; absent is zero. A block
    of users at a time, so that memory stays bounded; a user's sum is added in the same order in any block.
    """
    known = known.rename({"item": "via"}) if "via" not in known.columns else known
    if request.items is not None:
        reached = reached.join(_item_frame(request.items), on="item", how="semi")
    width = beyond(known["via"], reached["via"])
    reached_VI = sparse_matrix(reached["via"], reached["item"], reached["score"], rows=width)
    spare = most_excluded(request.exclude)
    answers = []
    for start in range(0, len(request.users), USERS_AT_ONCE):
        users = pl.DataFrame({"user": pl.Series(request.users[start : start + USERS_AT_ONCE], dtype=pl.Int32)})
        mine = known.join(users.with_row_index("row"), on="user", how="inner")
        known_UV = sparse_matrix(mine["row"], mine["via"], mine["score"], rows=users.height, columns=width)
        product = _largest(known_UV @ reached_VI, request.k + spare).tocoo()
        scored = pl.DataFrame({"user": users["user"].gather(product.row), "item": product.col, "score": product.data})
        answers.append(best(scored.with_columns(pl.col("item").cast(pl.Int32)), request))
    return pl.concat(answers) if answers else best(known.select("user", item="via", score="score").clear(), request)


def _largest(scores_UI: sparse.csr_array, n: int) -> sparse.csr_array:
    """The same without what cannot be among the `n` largest of its row; ties with the n-th stay."""
    keep = np.ones(scores_UI.nnz, dtype=bool)
    for start, end in pairwise(scores_UI.indptr):
        if end - start > n:
            row = scores_UI.data[start:end]
            keep[start:end] = row >= np.partition(row, end - start - n)[end - start - n]
    rows = np.repeat(np.arange(scores_UI.shape[0]), np.diff(scores_UI.indptr))
    kept = (rows[keep], scores_UI.indices[keep])
    return sparse.csr_array((scores_UI.data[keep], kept), shape=scores_UI.shape)


def most_excluded(exclude: pl.DataFrame | None) -> int:
    """The largest number of items that are excluded for one user."""
    return 0 if exclude is None or exclude.is_empty() else int(exclude.group_by("user").len()["len"].to_numpy().max())


def _item_frame(items: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"item": pl.Series(items, dtype=pl.Int32)})
