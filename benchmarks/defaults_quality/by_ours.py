"""Our models on one set: `by_ours.py SET_FOLDER`; their defaults, and their best settings on the test set itself.

Defaults go the way of a user: tables, `Pipeline(...).fit`, `recommend`. A model is chosen as a user would choose by
`shortlist compare`: on the training events alone, the last item of up to 5,000 users left out where the order is
known (a fifth of the pairs else), the model of the highest NDCG@10. The search for the best settings starts where the
defaults are and climbs one setting after the other, twice, on the test set.
"""

import json
import sys
import time
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from defaults_quality.sets import Cut, K, read
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions
from shortlist.models import als, ease, item_knn
from shortlist.models.item_to_item import histories
from shortlist.models.validation import RECENCY, climbed
from shortlist.pipeline import Pipeline

JUDGED = 5_000
OPTIONS: dict[str, tuple[Any, dict[str, tuple[Any, ...]]]] = {
    "ease": (ease.EASE(), {"regularization": ease.REGULARIZATION, "recency": RECENCY}),
    "item_knn": (
        item_knn.ItemKNN(),
        {
            "weighting": item_knn.WEIGHTING,
            "shrinkage": item_knn.SHRINKAGE,
            "recency": RECENCY,
            "neighbours": (50, 100, 200, 500, 1000),
        },
    ),
    "als": (
        als.ALS(),
        {
            "unobserved": tuple(als.UNOBSERVED * value for value in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)),
            "regularization": als.REGULARIZATION,
            "recency": RECENCY,
        },
    ),
}


def measured(cut: Cut) -> list[dict[str, Any]]:
    """A row for each model: NDCG@10 of its defaults, of its best settings, and on what was left out of training."""
    data = Dataset.read(cut.train)
    inner, questions = _inner(cut)
    rows = []
    for name, (recipe, options) in OPTIONS.items():
        started = time.perf_counter()
        fitted = Pipeline(retrievers=(recipe,), filter_seen=True).fit(data)
        middle = time.perf_counter()
        values = cut.ndcg(_lists(fitted, cut.users))
        ended = time.perf_counter()
        settled = fitted.retrievers[name].recipe
        past = Pipeline(retrievers=(recipe,), filter_seen=True).fit(Dataset.read(inner))
        asked = np.unique(questions["user_id"])
        row = {
            "set": cut.name,
            "tool": "shortlist",
            "model": name,
            "users": len(cut.users),
            "ndcg@10": values.mean(),
            "standard_error": values.std() / len(values) ** 0.5,
            "settings": {option: getattr(settled, option) for option in options},
            "fit_seconds": middle - started,
            "recommend_seconds": ended - middle,
            "left_out_of_training": float(_ndcg(_lists(past, asked), asked, questions)),
        }
        best, tuned = _tuned(cut, data, settled, options, values.mean())
        rows.append(row | {"tuned": tuned, "tuned_settings": {option: getattr(best, option) for option in options}})
        print(json.dumps(rows[-1], default=float), file=sys.stderr, flush=True)
    return rows


def _tuned(cut: Cut, data: Dataset, recipe: Any, options: dict[str, Any], start: float) -> tuple[Any, float]:
    known = {recipe: start}
    seen_UI = interactions(data)

    @cache
    def fitted(tried: Any) -> Any:
        return Pipeline(retrievers=(tried,), filter_seen=True).fit(data)

    def of(tried: Any) -> Any:
        """The pipeline of a recipe; where only histories know the recency, it is fitted once for all of them."""
        if isinstance(tried, als.ALS):
            return fitted(tried)
        pipeline = fitted(tried.model_copy(update={"recency": None}))
        model = pipeline.retrievers[tried.kind]
        said = histories(data, seen_UI, tried.recency)
        return replace(pipeline, retrievers={tried.kind: replace(model, recipe=tried, histories=said)})

    def quality(tried: Any) -> float:
        if tried not in known:
            known[tried] = cut.ndcg(_lists(of(tried), cut.users)).mean()
        return known[tried]

    for _ in range(2):
        for name, values in options.items():
            recipe = climbed(recipe, name, values, quality)
    return recipe, quality(recipe)


def _lists(pipeline: Any, users: np.ndarray) -> np.ndarray:
    """(N, K) items for the users, -1 for none."""
    found = pipeline.recommend(pl.Series("user_id", users), K)
    lists = np.full((len(users), K), -1, np.int64)
    row = np.searchsorted(users, found["user_id"].to_numpy())
    lists[row, found["rank"].to_numpy() - 1] = found["item_id"].to_numpy()
    return lists


def _inner(cut: Cut) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training events without what is asked for, and that."""
    random = np.random.default_rng(0)
    order = next((name for name in ("timestamp", "position") if name in cut.train.columns), None)
    train = cut.train.reset_index(drop=True)
    chance = pd.Series(random.random(len(train)))
    of_user = train.assign(chance=chance).groupby("user_id")
    several = of_user["item_id"].transform("size") > 1
    chosen = train["user_id"].isin(random.permutation(train.loc[several, "user_id"].unique())[:JUDGED])
    if order is None:
        out = of_user["chance"].rank(method="first") <= np.maximum(1, of_user["item_id"].transform("size") // 5)
    else:
        out = of_user[order].rank(method="first", ascending=False) == 1
    out = out & chosen & several
    return train[~out], train[out]


def _ndcg(lists: np.ndarray, users: np.ndarray, true: pd.DataFrame) -> float:
    told = {user: set(items) for user, items in true.groupby("user_id")["item_id"]}
    discount = 1 / np.log2(np.arange(2, K + 2))
    values = []
    for user, row in zip(users, lists, strict=True):
        hits = np.array([item in told[user] for item in row])
        values.append((hits * discount).sum() / discount[: min(K, len(told[user]))].sum())
    return float(np.mean(values))


if __name__ == "__main__":
    print(json.dumps(measured(read(sys.argv[1])), default=float))
