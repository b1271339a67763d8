"""Repurchase: what a user had before, the more and the later the better.

score(user, item) = Σ weight · 2^(-age / half_life) over the user's events with the item.
Source: exponential smoothing of counts; the strongest single source of candidates in H&M 2022 and OTTO 2023.
Cost: one pass over the events; keeps every pair that ever happened, at most `depth` a user.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl
from pydantic import PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.dataset import relations
from shortlist.dataset.dataset import Dataset
from shortlist.models.retrieval import Request, best
from shortlist.moments import Duration, microseconds


class Repurchase(Config):
    """Recipe for the user's own items, fading with age."""

    kind: Literal["repurchase"] = "repurchase"
    half_life: Duration = "60d"
    """Time after which an event counts half."""
    depth: PositiveInt = 2_000
    """Items kept for each user."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedRepurchase":
        """Sum. Users without events, and unknown users, get nothing."""
        scored = relations.decayed(data.events, as_of=data.as_of, half_life=microseconds(self.half_life))
        kept = relations.strongest(scored, per=("user",), n=self.depth, tie="item")
        return FittedRepurchase(self, data.engine.frame(kept.select("user", "item", "score")).sort("user", "item"))


@dataclass(frozen=True)
class FittedRepurchase:
    """Every kept (`user`, `item`) with its `score`."""

    recipe: Repurchase
    scores: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The user's own items; nobody gets an item that they never had."""
        return best(self.scores.join(request.user_frame, on="user", how="semi"), request)
