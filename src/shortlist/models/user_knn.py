"""UserKNN: what people with a like history had lately.

x(u, i) = √(h(u, i) · log(U/U_i)), h the fading count; sim(u, v) = cos(x(u), x(v))^sharpness for the nearest v;
score(u, j) = Σ_v sim(u, v) · min(r(v, j), 2), r the fading count of v's recent events.
Source: neighbourhoods of users (Resnick et al., CSCW 1994), inverse user frequency (Breese et al., UAI 1998).
Differs: events fade, and are forgotten when they count under `FAINT`; the likenesses of a user's neighbours are made to
sum to one; repeats are damped by the root and the cap.
Cost: the sparse product of users with users, a block of users at a time.

Shapes: U users, I items, B users of a block.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from pydantic import PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.dataset import relations
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import beyond, sparse_matrix
from shortlist.models.retrieval import USERS_AT_ONCE, Request, best_of_product
from shortlist.moments import Duration, microseconds

FAINT = 0.05
"""A fading count under which an event is forgotten: it costs as much as any, and says next to nothing."""


class UserKNN(Config):
    """Recipe for what like-minded users had lately."""

    kind: Literal["user_knn"] = "user_knn"
    neighbours: PositiveInt = 200
    """Users who speak for a user."""
    half_life: Duration = "60d"
    """Time after which an event counts half in how alike two users are."""
    recent: Duration = "30d"
    """Time after which an event of a neighbour counts half in what is answered."""
    sharpness: PositiveFloat = 1.5
    """Exponent of the likeness: the higher, the more the nearest alone speak."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedUserKNN":
        """Find the neighbours. Users without events, and unknown users, get nothing."""
        h = _fading(data, self.half_life)
        users = beyond(h["user"])
        shared = h.with_columns(log=(users / pl.len().over("item")).log()).filter(pl.col("log") > 0)
        weighed = shared.select("user", "item", score=(pl.col("score") * pl.col("log")).sqrt())
        unit = weighed.with_columns(pl.col("score") / (pl.col("score") ** 2).sum().over("user").sqrt())
        return FittedUserKNN(
            self,
            neighbours=_nearest(unit, users, self.neighbours, self.sharpness),
            recent=_fading(data, self.recent).with_columns(pl.col("score").clip(upper_bound=2)),
        )


@dataclass(frozen=True)
class FittedUserKNN:
    """Each user's `neighbours` (`user`, `via`, `score`) and everybody's `recent` items (`user`, `item`, `score`)."""

    recipe: UserKNN
    neighbours: pl.DataFrame
    recent: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The neighbours' recent items, the user's own among them where neighbours have them too."""
        return best_of_product(self.neighbours, self.recent.rename({"user": "via"}), request)


def _fading(data: Dataset, half_life: str) -> pl.DataFrame:
    counts = relations.decayed(data.events, as_of=data.as_of, half_life=microseconds(half_life))
    told = data.engine.frame(counts.filter(counts.score >= round(FAINT * relations.MICRO)))
    return told.with_columns(pl.col("score") / relations.MICRO).sort("user", "item")


def _nearest(unit: pl.DataFrame, users: int, n: int, sharpness: float) -> pl.DataFrame:
    x_UI = sparse_matrix(unit["user"], unit["item"], unit["score"], rows=users)
    found = []
    for start in range(0, users, USERS_AT_ONCE):
        alike = (x_UI[start : start + USERS_AT_ONCE] @ x_UI.T).tocoo()
        pairs = pl.DataFrame(
            {
                "user": (alike.row + start).astype(np.int32),
                "via": alike.col.astype(np.int32),
                "score": alike.data,
            }
        ).filter(pl.col("user") != pl.col("via"))
        found.append(
            pairs.filter(pl.col("score") >= pl.col("score").top_k(n).min().over("user"))
            .sort(["user", "score", "via"], descending=[False, True, False])
            .group_by("user", maintain_order=True)
            .head(n)
        )
    nearest = pl.concat(found).with_columns(pl.col("score") ** sharpness)
    return nearest.with_columns(pl.col("score") / pl.col("score").sum().over("user")).sort("user", "via")
