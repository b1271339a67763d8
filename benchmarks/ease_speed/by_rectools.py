"""RecTools' EASE in the peers' Python: `by_rectools.py SET_FOLDER REGULARIZATION K`.

The clock runs from its own dataset, made outside, to the fitted model, and from there to the frame of all users' lists;
a small fit before loads and compiles. The inverse is NumPy's, on all cores, in float32.
"""

import json
import resource
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel

from defaults_quality.sets import read
from defaults_quality.tuning import seconds


def main(folder: str, regularization: float, k: int) -> None:
    """Print the seconds of fitting and of recommending, NDCG@10 and the peak of memory."""
    cut = read(folder)
    users = np.arange(cut.matrix.shape[0])
    few = cut.train[(cut.train["user_id"] < 100) & (cut.train["item_id"] < 100)]
    EASEModel(1.0).fit(_dataset(few)).recommend(few["user_id"].unique(), _dataset(few), k, filter_viewed=True)
    dataset, model, took = _dataset(cut.train), EASEModel(regularization), []
    with seconds(took):
        model.fit(dataset)
    with seconds(took):
        shown = model.recommend(users, dataset, k, filter_viewed=True)
    lists = np.full((len(users), k), -1)
    lists[shown[Columns.User], shown[Columns.Rank] - 1] = shown[Columns.Item]
    told = {
        "fit_seconds": took[0],
        "recommend_seconds": took[1],
        "ndcg@10": cut.ndcg(lists[cut.users]).mean(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "version": f"RecTools {version('rectools')}, numpy {version('numpy')}",
    }
    print(json.dumps(told))


def _dataset(train: pd.DataFrame) -> Dataset:
    events = train[["user_id", "item_id"]].set_axis([Columns.User, Columns.Item], axis=1)
    return Dataset.construct(events.assign(**{Columns.Weight: 1.0, Columns.Datetime: pd.Timestamp(0)}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
