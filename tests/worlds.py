"""What the tests of models, ranking and pipeline share: a tiny world whose dense ids are its ids, and how to ask."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from hypothesis import strategies as st

from shortlist.dataset.dataset import Dataset
from shortlist.models.retrieval import Request, best

AGES = ["young", "old", "young", None, "old", None, "young", "old"]
TYPES = ["food", "drink", "food", None, "drink", "toy"]


@dataclass(frozen=True)
class World:
    """The dataset, and its events as (user, item, timestamp, weight). User 7 and item 5 have none."""

    data: Dataset
    rows: list[tuple[int, int, int, float]]


def tiny_world() -> World:
    """Seven users, five items and 45 events at moments from 0 to 99."""
    random = np.random.default_rng(5)
    rows = [
        (int(random.integers(7)), int(random.integers(5)), int(random.integers(100)), float(random.choice([0.5, 1, 2])))
        for _ in range(45)
    ]
    return World(tiny_data(rows), rows)


def tiny_data(rows: list[tuple[int, int, int, float]]) -> Dataset:
    """The dataset of such events, with all items and users of the tiny world."""
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "weight"], orient="row")
    items = pl.DataFrame({"item_id": range(6), "type": TYPES})
    users = pl.DataFrame({"user_id": range(8), "age": AGES})
    return Dataset.read(events, items, users)


TINY_EVENTS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 3), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0])),
    min_size=1,
    max_size=30,
)
"""Events for `tiny_data`: doubled, of no weight and of negative weight among them."""


def check_answers_are_of_what_was_met(found: pl.DataFrame, rows: list[tuple[int, int, int, float]]) -> None:
    """Finite scores, and no user and no item without a pair of positive weight."""
    assert found["score"].is_finite().all()
    total: dict[tuple[int, int], float] = {}
    for user, item, _, weight in rows:
        total[user, item] = total.get((user, item), 0.0) + weight
    met = {pair for pair, weight in total.items() if weight > 0}
    assert set(found["item"]) <= {item for _, item in met}
    assert set(found["user"]) <= {user for user, _ in met}


def answered(recipe: Any, world: World, k: int) -> dict[int, dict[int, float]]:
    """What a fitted recipe answers to each user from 0 to 8 who gets anything, 8 being a stranger: item to score."""
    lists: dict[int, dict[int, float]] = {}
    answer = recipe.fit(world.data).retrieve(Request(np.arange(9, dtype=np.int32), k))
    for user, item, score, _ in answer.rows():
        lists.setdefault(user, {})[item] = score
    return lists


@dataclass(frozen=True)
class Companions:
    """A fitted model that folds in, small enough to see: an item scores the weight of the user's items below it.

    `history` is what the model saw: `user`, `item`, `weight`. Items that follow each other are alike.
    """

    folds_in: ClassVar[bool] = True
    history: pl.DataFrame
    items: int

    def retrieve(self, request: Request) -> pl.DataFrame:
        """All items above one that the user met, the heaviest first."""
        had = self.history
        if request.history is not None:
            told = request.history.select("user", "item", "weight")
            had = pl.concat([had.join(told, on="user", how="anti"), told])
        had = had.join(request.user_frame, on="user", how="semi")
        every = pl.DataFrame({"item": np.arange(self.items, dtype=np.int32)})
        pairs = had.join(every, how="cross", suffix="_met").filter(pl.col("item_met") > pl.col("item"))
        return best(pairs.group_by("user", item="item_met").agg(score=pl.col("weight").cast(pl.Float64).sum()), request)

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items that follow."""
        return self._following(items, k, self.items).rename({"of": "item"})

    def similar_users(self, users: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` users that follow."""
        return self._following(users, k, 1 + int(self.history["user"].to_numpy().max())).rename({"of": "user"})

    def _following(self, asked: np.ndarray, k: int, end: int) -> pl.DataFrame:
        rows = [(of, of + n, 1 / n, n) for of in asked.tolist() for n in range(1, k + 1) if of + n < end]
        schema = {"of": pl.Int32, "similar": pl.Int32, "score": pl.Float64, "rank": pl.Int32}
        return pl.DataFrame(rows, schema=schema, orient="row")
