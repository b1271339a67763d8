"""LensKit on some splits: `by_lenskit.py MODELS FOLDER...`, MODELS a JSON of name to [class, settings]."""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from lenskit.als import BiasedMFScorer
from lenskit.batch import predict
from lenskit.data import ItemListCollection, from_interactions_df
from lenskit.knn import ItemKNNScorer
from lenskit.pipeline import predict_pipeline

from _ratings import rmse, told

KINDS = {"BiasedMFScorer": BiasedMFScorer, "ItemKNNScorer": ItemKNNScorer}


def main(models: str, folders: list[str]) -> None:
    """Print for each model and folder the RMSE and the seconds of the fit."""
    found = {}
    for name, (kind, settings) in json.loads(models).items():
        for folder in folders:
            train, test = (pd.read_parquet(Path(folder) / f"{part}.parquet") for part in ("train", "test"))
            known = from_interactions_df(train)
            asked = ItemListCollection.from_df(test[["user_id", "item_id", "rating"]], "user_id")
            pipeline = predict_pipeline(KINDS[kind](**settings), fallback=True)
            started = time.perf_counter()
            pipeline.train(known)
            seconds = time.perf_counter() - started
            answers = predict(pipeline, asked, n_jobs=1).to_df()
            rows = test.merge(answers[["user_id", "item_id", "score"]], on=["user_id", "item_id"], how="left")
            figures = {"rmse": rmse(rows["score"].to_numpy(), rows["rating"].to_numpy()), "seconds": seconds}
            found.setdefault(name, []).append(figures)
    told(version=f"lenskit {version('lenskit')}", models=found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
