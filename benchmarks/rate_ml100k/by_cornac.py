"""Cornac's MF on some splits: `by_cornac.py MODELS FOLDER...`, MODELS a JSON of name to settings."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from cornac.data import Dataset
from cornac.models import MF

from _ratings import rmse, told


def main(models: str, folders: list[str]) -> None:
    """Print for each model and folder the RMSE and the seconds of the fit."""
    found = {}
    for name, settings in json.loads(models).items():
        for folder in folders:
            train, test = (pd.read_parquet(Path(folder) / f"{part}.parquet") for part in ("train", "test"))
            rows = zip(train["user_id"], train["item_id"], train["rating"].astype(float))  # noqa: B905
            known = Dataset.from_uir(list(rows), seed=42)
            model = MF(use_bias=True, seed=42, verbose=False, **settings)
            started = time.perf_counter()
            model.fit(known)
            seconds = time.perf_counter() - started
            strange = len(known.uid_map), len(known.iid_map)
            pairs = zip(test["user_id"], test["item_id"])  # noqa: B905
            numbers = [(known.uid_map.get(u, strange[0]), known.iid_map.get(i, strange[1])) for u, i in pairs]
            predicted = np.array([model.rate(*pair) for pair in numbers])
            figures = {"rmse": rmse(predicted, test["rating"].to_numpy()), "seconds": seconds}
            found.setdefault(name, []).append(figures)
    told(version=f"cornac {version('cornac')}", models=found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
