"""A made-up curriculum of the size of a contest, end to end: `by_ours.py TOPICS CONTENTS PAIRS`.

Prints the seconds of each stage, the peak memory of the process, and F2 of topics that were held out.
"""

import json
import resource
import sys
import time

import numpy as np
import polars as pl

import shortlist as sl
from shortlist.models.retrieval import Request
from shortlist.tables import samples

RECIPE = sl.Pipeline(
    retrievers=(sl.TextSearch(),),
    ranker=sl.LambdaMART(objective="binary", leaves=31, min_rows=100, rounds=200),
    features=sl.MatchFeatures(),
    folds=sl.Folds(k=3, by=sl.Tree(depth=3)),
    candidates=50,
    negatives=1.0,
    filter_seen=False,
    cut=sl.Cut(),
)


def main(topics: int, contents: int, pairs: int) -> None:
    """Print what was measured."""
    told: dict[str, float] = {}

    def clock(name: str, started: float) -> None:
        told[name] = time.perf_counter() - started
        told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(name, round(told[name], 1), "s, peak", round(told["peak_mb"]), "MB", file=sys.stderr, flush=True)

    made = samples.curriculum(topics, contents, pairs, languages=20, seed=1)
    data = sl.Dataset.read(made.events, made.items, made.users)
    split = sl.k_fold(data, 10, by=sl.Tree(depth=3), keep_items=True)[0]
    begun = started = time.perf_counter()
    search = sl.TextSearch().fit(split.train)
    clock("index_seconds", started)
    started = time.perf_counter()
    search.retrieve(Request(np.arange(topics, dtype=np.int32), 50))
    clock("search_seconds", started)
    del search
    begun = started = time.perf_counter()
    fitted = RECIPE.fit(split.train)
    clock("fit_seconds", started)
    started = time.perf_counter()
    lists = fitted.recommend(None, 50)
    clock("lists_seconds", started)
    clock("seconds", begun)
    truth = split.test.pairs()
    held = lists.filter(pl.col("user_id").is_in(truth["user_id"].unique().implode()))
    table = sl.evaluate(held, split, ["f2", "recall@50"], name="it").table.filter(model="it")
    told |= {row["metric"]: row["value"] for row in table.to_dicts()}
    print(json.dumps(told | {"lists": lists["user_id"].n_unique(), "rows": lists.height}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
