"""Yardsticks: the baselines that anything must beat, and anybody's lists judged beside it.

Whoever gives what came before the test gets a table with the baselines in it: there is no other.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import polars as pl

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import Split
from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.evaluate import evaluate as judge
from shortlist.evaluation.metrics import Metric, depth, metrics_of
from shortlist.models.popular import Popular
from shortlist.models.repurchase import Repurchase
from shortlist.pipeline import Pipeline
from shortlist.progress import step
from shortlist.tables.engine import Engine
from shortlist.tables.frames import columns_of

BASELINES = {
    "popular": Pipeline(retrievers=(Popular(),)),
    "popular_ever": Pipeline(retrievers=(Popular(window=None),)),
    "repurchase": Pipeline(retrievers=(Repurchase(),), filter_seen=False),
}
"""What anything must beat, by the name it has in tables of figures."""


def baselines(split: Split, *, k: int = 12) -> dict[str, pl.DataFrame]:
    """The lists that anything must beat, for the users of the test part; they know the train part alone.

    - `popular`: what most users took lately, without what a user had where repeats are rare
    - `popular_ever`: the same since the beginning
    - `repurchase`: what the user took most and most recently
    """
    return _lists(split.train, _users(split.test.pairs()), k)


def evaluate(
    recommendations: Any,
    truth: Any,
    metrics: Iterable[str | Metric],
    *,
    history: Any = None,
    items: Any = None,
    against: Mapping[str, Any] | None = None,
    catalogue: int | None = None,
    draws: int = 1000,
    seed: int = 0,
    name: str = "model",
) -> Evaluation:
    """The metrics of anybody's lists, with intervals, beside the baselines and the lists in `against`.

    `truth` is a `Split`, or a frame of `user_id`, `item_id`. The baselines, the catalogue and the items come from the
    train part of the split, or from `history`: a `Dataset`, or a frame of events (`user_id`, `item_id`, `timestamp`
    where there is one) from before the test. Without either no baseline can stand beside the lists, and the answer says
    so. All else as in `shortlist.evaluation.evaluate.evaluate`, which knows no baselines.

    >>> lists = pl.DataFrame({"user_id": [1, 1], "item_id": ["a", "b"], "rank": [1, 2]})
    >>> truth = pl.DataFrame({"user_id": [1], "item_id": ["b"]})
    >>> before = pl.DataFrame({"user_id": [1, 2, 2], "item_id": ["b", "b", "a"]})
    >>> evaluate(lists, truth, ["mrr@2"], history=before).table["value"].to_list()
    [0.5, 0.0, 0.0, 1.0]
    """
    chosen = metrics_of(metrics)
    true = truth.test.pairs() if isinstance(truth, Split) else columns_of(truth, ("user_id", "item_id"), "the truth")
    with _train(truth, history, items) as train:
        if train is not None:
            taken = set(against or {}) | {name}
            lists = _lists(train, _users(true), depth(chosen) or _typical_length(recommendations))
            against = {**(against or {}), **{baseline: lists[baseline] for baseline in lists if baseline not in taken}}
            needed = {metric.family.needs for metric in chosen}
            catalogue = catalogue or len(train.item_ids)
            history = train if "history" in needed else None
            if items is None and "items" in needed:
                items = train.engine.frame(train.items.drop("item"))
        return judge(
            recommendations,
            true,
            chosen,
            against=against,
            catalogue=catalogue,
            history=history,
            items=items,
            draws=draws,
            seed=seed,
            name=name,
        )


@contextmanager
def _train(truth: Any, history: Any, items: Any) -> Iterator[Dataset | None]:
    """What was known before the test, as a dataset; None where nothing was given."""
    if history is None and isinstance(truth, Split):
        yield truth.train
    elif history is None or isinstance(history, Dataset):
        yield history
    else:
        with Engine.open() as engine:
            yield Dataset.read(history, items, engine=engine)


def _lists(train: Dataset, users: pl.Series, k: int) -> dict[str, pl.DataFrame]:
    lists = {}
    for name, recipe in BASELINES.items():
        with step(f"baseline {name}"):
            lists[name] = recipe.fit(train).recommend(users, k)
    return lists


def _typical_length(recommendations: Any) -> int:
    """How long the lists are on average: baselines of sets show as much as the sets that they are compared with."""
    users = columns_of(recommendations, ("user_id",), "the lists")["user_id"]
    return max(1, round(len(users) / max(1, users.n_unique())))


def _users(truth: pl.DataFrame) -> pl.Series:
    return truth["user_id"].unique(maintain_order=True)
