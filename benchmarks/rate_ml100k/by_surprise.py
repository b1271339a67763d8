"""Surprise on some splits: `by_surprise.py MODELS FOLDER...`, MODELS a JSON of name to [class, settings]."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import surprise

from _ratings import rmse, told


def main(models: str, folders: list[str]) -> None:
    """Print for each model and folder the RMSE and the seconds of the fit."""
    found = {}
    for name, (kind, settings) in json.loads(models).items():
        for folder in folders:
            train, test = (pd.read_parquet(Path(folder) / f"{part}.parquet") for part in ("train", "test"))
            reader = surprise.Reader(rating_scale=(train["rating"].min(), train["rating"].max()))
            rows = train[["user_id", "item_id", "rating"]]
            known = surprise.Dataset.load_from_df(rows, reader).build_full_trainset()
            model = getattr(surprise, kind)(**settings)
            started = time.perf_counter()
            model.fit(known)
            seconds = time.perf_counter() - started
            pairs = zip(test["user_id"], test["item_id"])  # noqa: B905
            predicted = np.array([model.predict(user, item).est for user, item in pairs])
            figures = {"rmse": rmse(predicted, test["rating"].to_numpy()), "seconds": seconds}
            found.setdefault(name, []).append(figures)
    told(version=f"surprise {version('scikit-surprise')}", models=found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
