"""Heads: what stands between the vectors of an encoder and those that are compared.

y(u) = x(u) + A x(u) + Σ_r W_r · mean of x(v) over the relatives v of u in relation r, where users form a tree: parent,
siblings, children; y(i) = x(i) + B x(i). Both are made of length one. Each matrix starts at zero: before training the
vectors are those of the encoder. A and B are the projection; they learn much faster than an encoder, and where the
encoder does not learn its vectors are made once.

Source of relatives: Hamilton, Ying, Leskovec, "Inductive Representation Learning on Large Graphs" (GraphSAGE, mean),
NIPS 2017. Differs: each relation has a matrix of its own; no relatives are drawn, the first AT_MOST of a relation
count, in training as afterwards.
Cost: up to N R texts more are encoded for each user of a batch; 2 D² flops a user, an item and a relation.

Shapes: U users, I items, P projections (0 or 1), R relations, N texts, or relatives of a relation at most, D
numbers of a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from shortlist.models.factors import of_length_one

Relation = Literal["parent", "siblings", "children"]
AT_MOST = 4
"""Relatives of a relation that count: those of the smallest numbers."""


def relatives_of(above: pl.DataFrame, relations: Sequence[Relation]) -> np.ndarray:
    """The relatives (int32, R × U × N; -1 where there are no more) of users, who are numbered by their rows.

    `above` has a row for each user: its `id`, and `parent`, the id of the one above.
    """
    numbered = above.select(pl.int_range(pl.len(), dtype=pl.Int32).alias("user"), "id", "parent")
    up = numbered.join(numbered.select(parent="id", relative="user"), on="parent").select("user", "relative")
    children = up.select(user="relative", relative="user")
    # Of many children only so many can count beside one of them.
    some = children.sort("user", "relative").group_by("user", maintain_order=True).head(AT_MOST + 1)
    siblings = up.join(some, left_on="relative", right_on="user", suffix="_of_it")
    pairs = {
        "parent": up,
        "children": children,
        "siblings": siblings.select("user", relative="relative_of_it").filter(pl.col("user") != pl.col("relative")),
    }
    found = np.full((len(relations), above.height, AT_MOST), -1, np.int32)
    for place, relation in enumerate(relations):
        some = pairs[relation].sort("user", "relative").with_columns(nth=pl.int_range(pl.len()).over("user"))
        some = some.filter(pl.col("nth") < AT_MOST)
        found[place, some["user"].to_numpy(), some["nth"].to_numpy()] = some["relative"].to_numpy()
    return found


@dataclass(frozen=True)
class Vectors:
    """Texts as the vectors (float32, N × D) that an encoder made of them, which does not learn."""

    vector_ND: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Whether each text says anything."""
        return np.asarray(self.vector_ND.any(axis=1), np.int64)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The vectors."""
        return (self.vector_ND,)

    def tensors(self, rows: np.ndarray) -> tuple[Any, ...]:
        """The vectors of these rows."""
        import torch

        return (torch.from_numpy(self.vector_ND[rows]),)


@dataclass(frozen=True)
class FittedHeads:
    """The matrices (float32): of users and of items (P × D × D), and of relations (R × D × D); and the vectors of users
    by the encoder alone (`own`, float32, U × D), which relatives take: no rows where none count.
    """

    user_PDD: np.ndarray
    item_PDD: np.ndarray
    relation_RDD: np.ndarray
    own: np.ndarray

    def users(self, own_VD: np.ndarray, relative_RUN: np.ndarray) -> np.ndarray:
        """The vectors (float32, U × D, of length one) of the last U of those whom the encoder made `own_VD` of.

        A user without a text keeps zeros, and relatives without one do not count.
        """
        mine_UD = own_VD[len(own_VD) - relative_RUN.shape[1] :]
        summed_UD, there_V = mine_UD + _through(mine_UD, self.user_PDD), np.asarray(own_VD.any(axis=1))
        for relative_UN, weight_DD in zip(relative_RUN, self.relation_RDD, strict=True):
            counts_UN = (relative_UN >= 0) & there_V[relative_UN]
            mean_UD = np.zeros_like(mine_UD)
            for relative_U, counts_U in zip(relative_UN.T, counts_UN.T, strict=True):
                mean_UD[counts_U] += own_VD[relative_U[counts_U]]
            mean_UD /= np.maximum(counts_UN.sum(axis=1), 1)[:, None]
            summed_UD += mean_UD @ weight_DD
        summed_UD[~mine_UD.any(axis=1)] = 0
        return of_length_one(summed_UD)

    def items(self, own_ID: np.ndarray) -> np.ndarray:
        """The vectors (float32, I × D, of length one) of items; one without a text keeps zeros."""
        return of_length_one(own_ID + _through(own_ID, self.item_PDD))


def _through(own_ND: np.ndarray, weight_PDD: np.ndarray) -> np.ndarray:
    """What the projection adds; nothing where there is none."""
    added = np.zeros_like(own_ND)
    for weight_DD in weight_PDD:
        added += own_ND @ weight_DD
    return added
