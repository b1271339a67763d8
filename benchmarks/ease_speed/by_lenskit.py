"""LensKit's EASE in its own Python: `by_lenskit.py SET_FOLDER REGULARIZATION K [USERS]`.

The clock runs from its own dataset, made outside, to the trained pipeline, and from there to the collection of all
users' lists, which are made once by one process and once by two; a small pipeline before loads and compiles. Of USERS
users, drawn at random, where that is given: it multiplies the whole dense matrix for each user, so the time of all is
theirs by proportion.
"""

import json
import resource
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from lenskit.batch import recommend
from lenskit.data import Dataset, from_interactions_df
from lenskit.knn import EASEScorer
from lenskit.pipeline import topn_pipeline

from defaults_quality.sets import read
from defaults_quality.tuning import seconds


def main(folder: str, regularization: float, k: int, count: int | None = None) -> None:
    """Print the seconds of fitting and of recommending by each number of processes, NDCG@10 and the peak of memory."""
    cut = read(folder)
    users = np.unique(cut.train["user_id"])
    if count is not None and count < len(users):
        users = np.sort(np.random.default_rng(0).choice(users, count, replace=False))
    few = cut.train[(cut.train["user_id"] < 100) & (cut.train["item_id"] < 100)]
    small = topn_pipeline(EASEScorer(), n=k)
    small.train(_dataset(few))
    recommend(small, few["user_id"].unique().tolist(), n=k, n_jobs=1)
    dataset, took, recommended = _dataset(cut.train), [], {}
    pipeline = topn_pipeline(EASEScorer(regularization=regularization), n=k)
    with seconds(took):
        pipeline.train(dataset)
    for jobs in (1, 2):
        with seconds(took):
            shown = recommend(pipeline, users.tolist(), n=k, n_jobs=jobs)
        recommended[jobs] = took[-1]
    frame = shown.to_df()
    lists = np.full((cut.matrix.shape[0], k), -1)
    lists[frame["user_id"], frame.groupby("user_id").cumcount()] = frame["item_id"]
    told = {
        "fit_seconds": took[0],
        "recommend_seconds": min(recommended.values()),
        "recommend_seconds_by_processes": recommended,
        "users": len(users),
        "ndcg@10": cut.ndcg(lists[cut.users])[np.isin(cut.users, users)].mean(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "version": f"LensKit {version('lenskit')}, torch {version('torch')}",
    }
    print(json.dumps(told))


def _dataset(train: pd.DataFrame) -> Dataset:
    return from_interactions_df(train[["user_id", "item_id"]])


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:]))
