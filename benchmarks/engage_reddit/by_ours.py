"""What engage-reddit measures, a process of its own each.

python by_ours.py NAME METRIC SPLIT TARGET [FOLDER of an encoder]
"""

import json
import sys
import time
from functools import partial
from typing import Any

import numpy as np
import polars as pl

import shortlist as sl
from engage_reddit.posts import LATE, numbers, posts
from shortlist import progress

CATEGORIES = {
    "everything": ("subreddit", "domain", "is_self", "over_18"),
    "without the subreddit": ("domain", "is_self", "over_18"),
    "text and time": ("over_18",),
}


def judged(name: str, metric: Any, split: str, target: str, folder: str = "") -> dict[str, Any]:
    """Learn, answer what was held out, and tell of it."""
    table, held = posts(split)
    columns = sl.Columns(texts=("title",), categories=CATEGORIES[name], time="created_utc")
    network = None
    if folder:
        encoder = sl.Pretrained(folder=folder, fine_tune=True)
        plan = sl.TabularNetwork(encoder=encoder).plan()
        network = sl.TabularNetwork(encoder=encoder, training=plan.model_copy(update={"epochs": 1}))
    recipe = sl.TabularRegression(
        targets=(target,), columns=columns, metric=metric, last=split == LATE, network=network
    )
    started = time.perf_counter()
    told = partial(print, file=sys.stderr, flush=True)
    with progress.heard(lambda what, took: told(f"{took:7.1f} s {what}"), told):
        fitted = recipe.fit(table.filter(pl.Series(~held)))
    seconds = time.perf_counter() - started
    answers = fitted.predict(table.filter(pl.Series(held)))
    answer, low, high = (answers[part].to_numpy() for part in ("prediction", "low", "high"))
    true, known = numbers(table, held, target)
    squares = (np.log1p(answer) - np.log1p(true)) ** 2
    figures = {
        "rmsle": float(np.sqrt(np.mean(squares))),
        "mse_to_constant": float(np.mean((answer - true) ** 2) / np.mean((true - known.mean()) ** 2)),
        "mae": float(np.mean(np.abs(answer - true))),
        "share in the 90 % interval": float(np.mean((low <= true) & (true <= high))),
        "seconds of the fit": seconds,
    }
    print(name, metric, split, target, figures, file=sys.stderr, flush=True)
    print(fitted, file=sys.stderr, flush=True)
    return {"figures": figures, "squares": squares.tolist(), "by": fitted.numbers[target].by}


if __name__ == "__main__":
    print(json.dumps(judged(*sys.argv[1:])))
