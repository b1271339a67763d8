"""Popular: what many people wanted lately, the same list for everybody or one for each group of users.

score(item) = sum of the weights of its events in the window; with `by`, of the events of users of the same value.
Source: the oldest baseline there is; in a window, as in every winning solution of H&M 2022.
Cost: one pass over the window.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import ibis
import polars as pl
from pydantic import PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.dataset import relations
from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, nearest
from shortlist.models.retrieval import Request, best, most_excluded
from shortlist.moments import Duration, microseconds

EVERYBODY = "*"
"""The name of the list of everybody; those of groups begin with an equals sign."""


class Popular(Config):
    """Recipe for the items that were wanted most in a window before now."""

    kind: Literal["popular"] = "popular"
    window: Duration | None = "28d"
    """How far back events count; none reaches back to the beginning."""
    by: str | None = None
    """A column of the users table: each of its values gets a list of its own."""
    depth: PositiveInt = 2_000
    """Items kept for each list."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedPopular":
        """Count. Users without a value in `by`, and unknown users, are answered from the list of everybody."""
        window = None if self.window is None else microseconds(self.window)
        everybody = data.users.select("user", group=ibis.literal(EVERYBODY))
        groups = everybody.limit(0)
        if self.by is not None:
            if self.by not in data.users.columns:
                raise ColumnError(
                    f"popular: the users have no column {self.by!r}{nearest(self.by, data.users.columns)}"
                )
            valued = data.users.filter(data.users[self.by].notnull())
            groups = valued.select("user", group=ibis.literal("=") + valued[self.by].cast("string"))
        events = data.events.inner_join(everybody.union(groups), "user")
        counted = relations.popularity(events, as_of=data.as_of, window=window, keys=("group", "item"))
        lists = relations.strongest(counted, per=("group",), n=self.depth, tie="item")
        return FittedPopular(
            self,
            lists=data.engine.frame(lists.select("group", "item", "score")).sort(
                ["group", "score", "item"], descending=[False, True, False]
            ),
            groups=data.engine.frame(groups.order_by("user")),
        )


@dataclass(frozen=True)
class FittedPopular:
    """The `lists` (`group`, `item`, `score`, best first) and the users' `groups` (`user`, `group`)."""

    folds_in: ClassVar[bool] = True  # a history changes nothing here
    recipe: Popular
    lists: pl.DataFrame
    groups: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The list of the user's group, or of everybody where the group has none; at most `depth` long."""
        lists = self.lists
        if request.items is not None:
            allowed = pl.DataFrame({"item": pl.Series(request.items, dtype=pl.Int32)})
            lists = lists.join(allowed, on="item", how="semi", maintain_order="left")
        # As much of each list as can be answered once what is excluded has been taken out.
        lists = lists.group_by("group", maintain_order=True).head(request.k + most_excluded(request.exclude))
        groups = self.groups.join(lists.select("group").unique(), on="group", how="semi")
        users = request.user_frame.join(groups, on="user", how="left").with_columns(
            pl.col("group").fill_null(EVERYBODY)
        )
        return best(users.join(lists, on="group").select("user", "item", "score"), request)
