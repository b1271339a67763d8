"""Surprise's SVDpp in its own Python: `by_surprise.py FOLDER`. The clock runs over `fit`, from its own train set."""

import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from surprise import Dataset, Reader, SVDpp

from _ratings import rmse, told


def main(folder: str) -> None:
    """Print the seconds and the RMSE."""
    train, test = (pd.read_parquet(Path(folder) / f"{part}.parquet") for part in ("train", "test"))
    reader = Reader(rating_scale=(train["rating"].min(), train["rating"].max()))
    known = Dataset.load_from_df(train[["user_id", "item_id", "rating"]], reader).build_full_trainset()
    model = SVDpp(random_state=42)
    started = time.perf_counter()
    model.fit(known)
    seconds = time.perf_counter() - started
    pairs = zip(test["user_id"], test["item_id"])  # noqa: B905
    predicted = np.array([model.predict(user, item).est for user, item in pairs])
    told(
        version=f"surprise {version('scikit-surprise')}",
        seconds=seconds,
        rmse=rmse(predicted, test["rating"].to_numpy()),
    )


if __name__ == "__main__":
    main(sys.argv[1])
