"""What the tests of models, ranking and pipeline share: a tiny world whose dense ids are its ids, and how to ask."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from shortlist.dataset.dataset import Dataset
from shortlist.models.retrieval import Request

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


def answered(recipe: Any, world: World, k: int) -> dict[int, dict[int, float]]:
    """What a fitted recipe answers to each user from 0 to 8 who gets anything, 8 being a stranger: item to score."""
    lists: dict[int, dict[int, float]] = {}
    answer = recipe.fit(world.data).retrieve(Request(np.arange(9, dtype=np.int32), k))
    for user, item, score, _ in answer.rows():
        lists.setdefault(user, {})[item] = score
    return lists
