"""The two sides of a split as the data show them: which stands before which, and who is held out whole.

What a split was meant to be is read off its events, never off what its maker says:

- *by time*: hardly any event stands on the wrong side of one moment, the cut. Wrong are train events after the cut and
  test events before it; the cut is where they are fewest, and with the train events at the cut itself they may be 30 %
  of the smaller side (drawn at random, a split has about all of the smaller side wrong);
- *by each user's time*: users' train events come before their test events, more often than by chance. Of a user with
  a events on one side and b on the other, one order in C(a + b, a) is right by chance; the share of users in order,
  corrected for that as Cohen's kappa is, must be 0.5;
- *unordered*: neither.

Users (items) are *held out* where no more than 5 % of those in the test part have an event in train.

Rows that stand on both sides, the same to the microsecond, are a finding of their own (`pairs`) and are left out of
all else, so that one mistake is told once.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import ibis
import numpy as np
import polars as pl
from ibis import _
from scipy.special import gammaln

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import Split
from shortlist.errors import DataError
from shortlist.moments import written

Order = Literal["by time", "by each user's time", "unordered"]

WRONG_SIDE = 0.3
"""Share of the smaller side that may stand on the wrong side of the cut of a split by time."""
IN_ORDER = 0.5
"""Share of users in order, corrected for chance, from which a split is by each user's time."""
SHARED = 0.05
"""Share of the test part's users (items) that may be in train where users (items) are held out."""
KEY = ("user", "item", "timestamp")


@dataclass(frozen=True)
class Cut:
    """The moment that parts train from test best."""

    moment: int
    late: int
    """Train events after it."""
    tied: int
    """Train events at it."""
    early: int
    """Test events before it."""


@dataclass(frozen=True)
class Sides:
    """Train and test without the rows that stand on both, and what they show."""

    train: Dataset
    test: Dataset
    doubled: ibis.Table
    """The rows of the test part that stand in train too: `user`, `item`, `timestamp`."""
    has_clock: bool
    sizes: tuple[int, int]
    """Events of train and of test without those."""
    given: tuple[int, int]
    """Events of train and of test as they were given."""

    @cached_property
    def order(self) -> Order:
        """How the sides stand in time."""
        if not self.has_clock or not min(self.sizes):
            return "unordered"
        if not self.cut.late + self.cut.early:
            return "by time"
        torn = self.torn_users
        late = self.per("user").filter(pl.col("train_last") >= self.cut.moment)
        own = late.filter(pl.col("test_events") > 0).height / max(late.height, 1)
        if torn.height and not torn["late"].any() and own > 0.5:
            return "by each user's time"  # whoever has events after the cut has the test events after these
        if self.cut.late + self.cut.tied + self.cut.early <= WRONG_SIDE * min(self.sizes):
            return "by time"
        events, held = (torn[name].to_numpy() for name in ("events", "test_events"))
        chance = np.exp(gammaln(held + 1) + gammaln(events - held + 1) - gammaln(events + 1)).sum()
        kappa = ((~torn["late"]).sum() - chance) / max(torn.height - chance, 1e-9)
        return "by each user's time" if torn.height and kappa >= IN_ORDER else "unordered"

    @cached_property
    def cut(self) -> Cut:
        """The test moment with the fewest events on its wrong side; of several, that with the fewest of train at it."""
        so_far = ibis.window(order_by="timestamp", preceding=None, following=0)
        moments = self.both.group_by("timestamp").aggregate(
            train=(~_.held).cast("int64").sum(), test=_.held.cast("int64").sum()
        )
        running = moments.mutate(train_till=_.train.sum().over(so_far), test_till=_.test.sum().over(so_far))
        wrong = running.filter(_.test > 0).select(
            "timestamp", late=self.sizes[0] - _.train_till, tied=_.train, early=_.test_till - _.test
        )
        best = wrong.order_by([_.late + _.early, "tied", "timestamp"]).limit(1)
        return Cut(*(int(value) for value in self.train.engine.frame(best).row(0)))

    @cached_property
    def both(self) -> ibis.Table:
        """All events: `user`, `item`, `timestamp`, `held` (whether they are in the test part)."""
        sides = ((self.train.events, False), (self.test.events, True))
        return ibis.union(*(events.select(*KEY, held=ibis.literal(held)) for events, held in sides))

    def per(self, kind: str) -> pl.DataFrame:
        """For each user or item with events: the number, and the first and last moment, of either side."""
        return self._users if kind == "user" else self._items

    def held_out(self, kind: str) -> bool:
        """Whether users (or items) are held out whole, all but a few."""
        tested = self.per(kind).filter(pl.col("test_events") > 0)
        return tested.filter(pl.col("train_events") > 0).height <= SHARED * tested.height

    @cached_property
    def torn_users(self) -> pl.DataFrame:
        """The users with events on both sides and at several moments, and whether train goes on after test began."""
        users = self._users.filter((pl.col("train_events") > 0) & (pl.col("test_events") > 0))
        first, last = pl.min_horizontal("train_first", "test_first"), pl.max_horizontal("train_last", "test_last")
        return users.filter(first < last).with_columns(
            events=pl.col("train_events") + pl.col("test_events"), late=pl.col("train_last") > pl.col("test_first")
        )

    def table(self, kind: str) -> ibis.Table:
        """The attributes of users or items."""
        return self.test.items if kind == "item" else self.train.users

    def ids(self, kind: str, numbers: pl.Series) -> list[str]:
        """The caller's own ids, as they are told."""
        known = self.train.item_ids if kind == "item" else self.train.user_ids
        return [repr(value) for value in known.originals(numbers)]

    def told(self, moment: int) -> str:
        """A moment as people read it: a time, or a place in an order that has no clock."""
        return str(moment) if self.train.sources["events"].unit == "order" else written(moment)

    @cached_property
    def _users(self) -> pl.DataFrame:
        return self._counted("user")

    @cached_property
    def _items(self) -> pl.DataFrame:
        return self._counted("item")

    def _counted(self, kind: str) -> pl.DataFrame:
        sides = {"train": ~_.held, "test": _.held}
        columns: dict[str, ibis.Deferred] = {}
        for name, where in sides.items():
            columns |= {
                f"{name}_events": where.cast("int64").sum(),
                f"{name}_first": _.timestamp.min(where=where),
                f"{name}_last": _.timestamp.max(where=where),
            }
        return self.train.engine.frame(self.both.group_by(kind).aggregate(**columns).order_by(kind))

    def __str__(self) -> str:
        counted = f"the split: {self.given[0]:,} train and {self.given[1]:,} test events"
        if not min(self.sizes):
            return counted
        held = " and ".join(f"{kind}s" for kind in ("user", "item") if self.held_out(kind))
        told = {"by time": f"by time, from {self.told(self.cut.moment)} on"} if self.order == "by time" else {}
        how = told.get(self.order, self.order if self.has_clock else "without a clock")
        return f"{counted}, {how}" + (f"; {held} held out" if held else "")


def sides_of(split: Split) -> Sides:
    """The sides of a split. A side without events, and sides of two datasets, raise `DataError`."""
    train, test = split.train, split.test
    if train.engine is not test.engine or train.user_ids is not test.user_ids or train.item_ids is not test.item_ids:
        raise DataError("train and test are two datasets, so their numbers mean different users; split one dataset")
    engine = train.engine
    given = (_rows(train), _rows(test))
    for name, events in zip(("train", "test"), given, strict=True):
        if not events:
            raise DataError(f"the {name} part has no events, so there is nothing to check")
    moments = ibis.union(*(data.events.select("timestamp") for data in (train, test)))
    span = engine.frame(moments.aggregate(span=_.timestamp.max() - _.timestamp.min())).item()
    has_clock = "timestamp" in train.sources["events"].matched and span > 0
    doubled = test.events.select(*KEY).distinct().semi_join(train.events, KEY)
    doubled = engine.keep(doubled.filter(ibis.literal(has_clock)), "doubled")
    if engine.frame(doubled.limit(1)).height:
        train, test = (replace(data, events=data.events.anti_join(doubled, KEY)) for data in (train, test))
    return Sides(train, test, doubled, has_clock, (_rows(train), _rows(test)), given)


def _rows(data: Dataset) -> int:
    return int(data.engine.frame(data.events.aggregate(n=data.events.count())).item())
