"""CoVisit: items that others met together with those the user met lately.

w(i, j) = c(i, j) / (n_i^normalise · n_j^normalise), c counting pairs of events of one user at most `window` apart;
score(user, j) = Σ_i h(user, i) · w(i, j), h the user's own fading count of i.
Source: co-visitation matrices as in OTTO 2023 (3rd place: rules alone 0.590 of 0.605); with normalise = 0.5 a cosine.
Differs: a pair that only one user made is noise and is not counted.
Cost: a self-join of each user's last `history` events within the window.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl
from ibis import _
from pydantic import Field, PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.dataset import relations
from shortlist.dataset.dataset import Dataset
from shortlist.models.retrieval import Request, best_of_product
from shortlist.moments import Duration, microseconds


class CoVisit(Config):
    """Recipe for the neighbours of what a user met lately."""

    kind: Literal["covisit"] = "covisit"
    window: Duration = "1d"
    """How far apart two events of a user may lie to be a pair."""
    decay: Duration | None = "30d"
    """Age at which a pair counts half; none counts all alike."""
    direction: relations.Direction = "both"
    """Whether others count that came later (forward), earlier (backward) or both."""
    normalise: float = Field(0.3, ge=0, le=1)
    """Exponent by which popular items are held back: 0 not at all, 0.5 a cosine."""
    neighbours: PositiveInt = 100
    """Others kept for each item."""
    half_life: Duration = "60d"
    """Time after which an event of the user's own history counts half."""
    history: PositiveInt = 200
    """Items of the user's own history that speak, the strongest."""
    last: PositiveInt = 1_000
    """Events of each user, the newest, from which pairs are counted."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedCoVisit":
        """Count pairs. Users without events, and unknown users, get nothing."""
        pairs = relations.covisitation(
            data.events,
            as_of=data.as_of,
            window=microseconds(self.window),
            half_life=None if self.decay is None else microseconds(self.decay),
            direction=self.direction,
            last=self.last,
        )
        counts = data.engine.keep(relations.popularity(data.events, as_of=data.as_of).select("item", "events"))
        others = counts.select(other=counts.item, other_events=counts.events)
        pairs = pairs.filter(_.users > 1).inner_join(counts, "item").inner_join(others, "other")
        held_back = (pairs.events * pairs.other_events).cast("float64").pow(self.normalise)
        weighed = pairs.select("item", "other", score=(pairs.score * relations.MICRO / held_back).round().cast("int64"))
        kept = relations.strongest(weighed, per=("item",), n=self.neighbours, tie="other")
        mine = relations.decayed(data.events, as_of=data.as_of, half_life=microseconds(self.half_life))
        mine = relations.strongest(mine, per=("user",), n=self.history, tie="item")
        return FittedCoVisit(
            self,
            neighbours=data.engine.frame(kept).sort("item", "other"),
            histories=data.engine.frame(mine).sort("user", "item"),
        )


@dataclass(frozen=True)
class FittedCoVisit:
    """`neighbours` (`item`, `other`, `score`) and the users' own `histories` (`user`, `item`, `score`)."""

    recipe: CoVisit
    neighbours: pl.DataFrame
    histories: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        """Neighbours of the user's history; nobody without a history gets any."""
        return best_of_product(self.histories, self.neighbours.rename({"item": "via", "other": "item"}), request)
