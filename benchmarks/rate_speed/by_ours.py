"""Our side: `by_ours.py FOLDER MODEL`, DotProduct or SVDpp with defaults, from a Dataset to the fitted model.

A fit of a few ratings before loads and compiles, as the peers' imports do for them.
"""

import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

import shortlist as sl
from _ratings import rmse, told


def main(folder: str, name: str) -> None:
    """Print the seconds and the RMSE."""
    train, test = (pl.read_parquet(Path(folder) / f"{part}.parquet") for part in ("train", "test"))
    model = getattr(sl, name)()
    model.fit(sl.Dataset.read(train.head(500)))
    data = sl.Dataset.read(train)
    started = time.perf_counter()
    fitted = model.fit(data)
    seconds = time.perf_counter() - started
    pairs = data.user_ids.numbers(test["user_id"]), data.item_ids.numbers(test["item_id"])
    predicted = np.clip(fitted.predict(*pairs).expected, train["rating"].min(), train["rating"].max())
    told(seconds=seconds, rmse=rmse(predicted, test["rating"].to_numpy()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
