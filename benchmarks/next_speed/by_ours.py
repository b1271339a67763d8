"""Our SASRec: `by_ours.py FOLDER LOSS NEGATIVES LENGTH EPOCHS`, or `by_ours.py million`.

64 factors, 2 blocks, dropout 0.2, batches of about as many events as theirs. An epoch is what one fit of EPOCHS takes
longer than one of a single epoch, each epoch of it.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

import shortlist as sl
from defaults_quality import sets


def data_of(cut: sets.Cut) -> sl.Dataset:
    """The training part, in the order of its rows."""
    frame = pl.from_pandas(cut.train[["user_id", "item_id"]]).with_row_index("position")
    return sl.Dataset.read(frame.cast(pl.Int64), columns={"events": {"timestamp": "position"}})


def recipe(loss: str, negatives: str, length: int, epochs: int, batch: int) -> sl.Next:
    """The model of the comparison."""
    training = sl.Training(
        epochs=epochs, batch_size=batch, learning_rate=1e-3, schedule="constant", weight_decay=0.0, epsilon=1e-8
    )
    return sl.Next(
        network="sasrec",
        factors=64,
        layers=2,
        dropout=0.2,
        length=length,
        loss=loss,
        negatives=negatives if negatives == "all" else int(negatives),
        attributes=(),
        training=training,
    )


def main(folder: str, loss: str, negatives: str, length: int, epochs: int) -> None:
    """Print the targets learnt in a second."""
    cut = sets.read(folder)
    data = data_of(cut)
    targets = int(np.maximum(np.bincount(cut.train["user_id"]) - 1, 0).sum())
    batch = round(128 * targets / len(cut.matrix.indptr))
    seconds = {}
    for count in (1, 1 + epochs):
        started = time.perf_counter()
        recipe(loss, negatives, length, count, batch).fit(data)
        seconds[count] = time.perf_counter() - started
    taken = (seconds[1 + epochs] - seconds[1]) / epochs
    print(json.dumps({"seconds": taken, "targets": targets, "batch": batch}))


def million() -> None:
    """Print the peak memory of training where there are a million items."""
    random = np.random.default_rng(0)
    users, items, length = 200_000, 1_000_000, 10
    # Every item is met, a few far more often than others.
    met = np.concatenate([random.permutation(items), (items * random.random(users * length - items) ** 3).astype(int)])
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(np.arange(users), length),
            "item_id": random.permutation(met),
            "position": np.tile(np.arange(length), users),
        }
    )
    started = time.perf_counter()
    data = sl.Dataset.read(frame, columns={"events": {"timestamp": "position"}})
    fitted = recipe("softmax", "4096", 50, 1, 16_384).fit(data)
    told = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(int(line.split()[1]) for line in told if line.startswith("VmHWM"))
    found = {"peak_mb": peak / 1024, "seconds": time.perf_counter() - started}
    print(json.dumps(found | {"items": len(fitted.item_factors), "loss": fitted.losses["loss"][-1]}))


if __name__ == "__main__":
    if sys.argv[1] == "million":
        million()
    else:
        main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
