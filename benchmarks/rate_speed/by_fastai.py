"""fastai's collaborative filtering in its own Python: `by_fastai.py FOLDER EPOCHS BATCH RATE DECAY`.

50 factors and `y_range=(0, 5.5)`, as in the book. The clock runs over `fit_one_cycle`, from data that it has already
in its own form; each number of threads is timed, the faster one counts.
"""

import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch
from fastai.basics import set_seed
from fastai.collab import CollabDataLoaders, collab_learner

from _ratings import rmse, told


def main(folder: str, epochs: int, batch: int, rate: float, decay: float) -> None:
    """Print the seconds and the RMSE."""
    train, test = (pd.read_parquet(Path(folder) / f"{part}.parquet") for part in ("train", "test"))
    best = None
    for threads in (1, 2):
        torch.set_num_threads(threads)
        set_seed(42, reproducible=True)
        loaders = CollabDataLoaders.from_df(
            train, user_name="user_id", item_name="item_id", rating_name="rating", valid_pct=0.01, seed=42, bs=batch
        )
        learner = collab_learner(loaders, n_factors=50, y_range=(0, 5.5))
        with learner.no_bar(), learner.no_logging():
            started = time.perf_counter()
            learner.fit_one_cycle(epochs, rate, wd=decay)
            seconds = time.perf_counter() - started
            predicted = learner.get_preds(dl=loaders.test_dl(test, bs=4096))[0].numpy().ravel()
        found = {"seconds": seconds, "threads": threads, "rmse": rmse(predicted, test["rating"].to_numpy())}
        best = found if best is None or seconds < best["seconds"] else best
    told(version=f"fastai {version('fastai')}", **best)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
