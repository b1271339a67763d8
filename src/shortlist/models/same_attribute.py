"""SameAttribute: what is popular among the items that share an attribute with what the user meets.

score(user, i) = √h(user, v) · p(i) / √p(v),  v the item's value of the column, h the user's fading count of events with
that value, p(i) the item's popularity in the window and p(v) that of all items of its value: the geometric mean of how
much the user wants the value and how much of it the item is.
Source: the "same product code" retrieval of the H&M 2022 winners.  Differs: weighed by the user's affinity.
Cost: two passes over the events, with a join to the items.
"""

from dataclasses import dataclass
from typing import Literal

import polars as pl
from pydantic import PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.dataset import relations
from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, nearest
from shortlist.models.retrieval import Request, best_of_product
from shortlist.moments import Duration, microseconds


class SameAttribute(Config):
    """Recipe for popular items of the kinds that a user meets."""

    kind: Literal["same_attribute"] = "same_attribute"
    column: str
    """A column of the items table, such as a category, a brand or an author."""
    window: Duration | None = "28d"
    """How far back popularity counts; none reaches back to the beginning."""
    half_life: Duration = "60d"
    """Time after which an event of the user's own history counts half."""
    depth: PositiveInt = 100
    """Items kept for each value, the most popular."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedSameAttribute":
        """Count. Items without a value are never answered; users without events, and unknown users, get nothing."""
        if self.column not in data.items.columns:
            hint = nearest(self.column, data.items.columns)
            raise ColumnError(f"same_attribute: the items have no column {self.column!r}{hint}")
        values = data.engine.frame(data.items.select(data.items[self.column]).distinct().order_by(self.column))
        values = values.drop_nulls().with_row_index("via").with_columns(pl.col("via").cast(pl.Int32))
        events = relations.with_attribute(data.events, data.items, on="item", column=self.column)
        window = None if self.window is None else microseconds(self.window)
        wanted = relations.popularity(events, as_of=data.as_of, window=window, keys=("value", "item"))
        affinity = relations.decayed(
            events, as_of=data.as_of, half_life=microseconds(self.half_life), keys=("user", "value")
        )
        items = data.engine.frame(wanted.select("value", "item", "score")).join(
            values, left_on="value", right_on=self.column
        )
        users = data.engine.frame(affinity).join(values, left_on="value", right_on=self.column)
        share = (pl.col("score") / pl.col("score").sum().over("via").sqrt()).alias("score")
        return FittedSameAttribute(
            self,
            affinities=users.select("user", "via", pl.col("score").sqrt()).sort("user", "via"),
            items=items.filter(pl.col("score") > 0)
            .sort(["via", "score", "item"], descending=[False, True, False])
            .select("via", "item", share)
            .group_by("via", maintain_order=True)
            .head(self.depth),
        )


@dataclass(frozen=True)
class FittedSameAttribute:
    """`affinities` (`user`, `via`, `score`) and `items` (`via`, `item`, `score`); `via` numbers the values."""

    recipe: SameAttribute
    affinities: pl.DataFrame
    items: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        """Popular items of the user's values."""
        return best_of_product(self.affinities, self.items, request)
