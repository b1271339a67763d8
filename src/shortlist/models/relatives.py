"""Relatives: a user's vector beside those of its relatives, where users form a tree: parent, siblings and children.

y(u) = x(u) + Σ_r W_r · mean of x(v) over the relatives v of u in relation r, made of length one. Each matrix starts at
zero: before training a vector is that of the user's own text.

Source: Hamilton, Ying, Leskovec, "Inductive Representation Learning on Large Graphs" (GraphSAGE, mean), NIPS 2017.
Differs: each relation has a matrix of its own and the own text has none; no relatives are drawn, the first AT_MOST of
a relation count, in training as afterwards.
Cost: up to N R texts more are encoded for each user of a batch; 2 D² flops a user and relation.

Shapes: U users, R relations, N relatives of a relation at most, D numbers of a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
    siblings = up.join(children, left_on="relative", right_on="user", suffix="_of_it")
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
class FittedRelatives:
    """The vectors of users by their texts alone (`own`, float32, U × D), and the `weights` (float32, R × D × D)."""

    own: np.ndarray
    weights: np.ndarray

    def vectors(self, relative_RUN: np.ndarray) -> np.ndarray:
        """The vectors (float32, U × D, of length one) of the last U users beside their relatives.

        A user without a text keeps zeros, and relatives without one do not count.
        """
        mine_UD = self.own[len(self.own) - relative_RUN.shape[1] :]
        summed_UD, there_V = mine_UD.copy(), np.asarray(self.own.any(axis=1))
        for relative_UN, weight_DD in zip(relative_RUN, self.weights, strict=True):
            counts_UN = (relative_UN >= 0) & there_V[relative_UN]
            mean_UD = np.zeros_like(mine_UD)
            for relative_U, counts_U in zip(relative_UN.T, counts_UN.T, strict=True):
                mean_UD[counts_U] += self.own[relative_U[counts_U]]
            mean_UD /= np.maximum(counts_UN.sum(axis=1), 1)[:, None]
            summed_UD += mean_UD @ weight_DD
        summed_UD[~mine_UD.any(axis=1)] = 0
        return of_length_one(summed_UD)
