"""One of our models on a set: `by_ours.py FOLDER SOURCE MODEL [EPOCHS]`. SOURCE: the folder of the set itself.

Prints NDCG@10 and HR@10 with their standard errors, and the seconds of the fit.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import shortlist as sl
from defaults_quality import sets
from shortlist.models.retrieval import Request

MODELS: dict[str, Any] = {"Next": sl.Next(), "Next, no attributes": sl.Next(attributes=()), "EASE": sl.EASE()}


def read(cut: sets.Cut, source: Path) -> sl.Dataset:
    """The training part; the order of a user's events is that of the rows, and all items are known."""
    frame = pl.from_pandas(cut.train[["user_id", "item_id"]]).with_row_index("position").cast(pl.Int64)
    return sl.Dataset.read(frame, items_of(cut, source), columns={"events": {"timestamp": "position"}})


def items_of(cut: sets.Cut, source: Path) -> pl.DataFrame:
    """The items by their numbers, and what the set knows of them."""
    numbered = pl.DataFrame({"item_id": np.arange(cut.true.shape[1])})
    if not (source / "items.parquet").exists():
        return numbered
    train, test = (set(part["item_id"]) for part in sets.SETS[cut.name](source))
    # As sets.py numbers them: those of train first.
    own = pl.DataFrame({"own": [*sorted(train), *sorted(test - train)]}).with_row_index("item_id").cast(pl.Int64)
    table = pl.read_parquet(source / "items.parquet").with_columns(pl.col("item_id").cast(pl.Int64))
    return own.join(table, left_on="own", right_on="item_id", how="left").drop("own")


def main(folder: str, source: str, name: str, *epochs: str) -> None:
    """Print the figures of a model."""
    cut = sets.read(folder)
    data = read(cut, Path(source))
    started = time.perf_counter()
    recipe = MODELS[name]
    if epochs:
        training = recipe.training.model_copy(update={"epochs": int(*epochs)})
        recipe = recipe.model_copy(update={"training": training})
    fitted = recipe.fit(data)
    seconds = time.perf_counter() - started
    users = data.user_ids.numbers(pl.Series(cut.users.astype(np.int64)))
    seen = data.engine.frame(data.events.select("user", "item").distinct())
    found = fitted.retrieve(Request(users, sets.K, exclude=seen))
    lists = np.full((len(users), sets.K), -1)
    row = np.searchsorted(users, found["user"].to_numpy())
    lists[row, found["rank"].to_numpy() - 1] = data.item_ids.originals(found["item"]).to_numpy()
    gained, hit = cut.ndcg(lists), (lists[:, :, None] == cut.true.indices[:, None, None]).any(axis=(1, 2))
    told = {"ndcg@10": gained, "hit_rate@10": hit.astype(float)}
    figures = {key: {"value": one.mean(), "error": one.std() / np.sqrt(len(one))} for key, one in told.items()}
    print(json.dumps({"seconds": seconds, "users": len(users), "metrics": figures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
