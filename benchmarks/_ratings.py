"""Splits of explicit ratings as files that every library reads: `train.parquet`, `test.parquet`, `known.json`.

`ml-100k 80/20` is drawn with the seed 42, as is `ml-latest-small 80/20`; `ml-100k u1` to `u5` are the official folds;
`ml-100k 1 of 5` to `5 of 5` are five random folds of the seed 42. Columns: user_id, item_id, rating, timestamp.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RANDOM = "80/20"
OFFICIAL = tuple(f"u{number}" for number in range(1, 6))
FIVE = tuple(f"{number} of 5" for number in range(1, 6))


@dataclass(frozen=True)
class Cut:
    """A folder with both parts, and the files of items and users."""

    folder: Path
    tables: Path

    @property
    def train(self) -> Path:
        """What is learnt from."""
        return self.folder / "train.parquet"

    @property
    def test(self) -> Path:
        """What is judged on."""
        return self.folder / "test.parquet"


def write(name: str, split: str, data: Path, cache: Path) -> Cut:
    """The files of a split of a set of the shared data, written where they are not there yet."""
    import polars as pl

    cut = Cut(cache / f"{name} {split.replace('/', '-')}", data / name)
    if cut.test.exists():
        return cut
    ratings = pl.read_parquet(data / name / "ratings.parquet").select("user_id", "item_id", "rating", "timestamp")
    ratings = ratings.with_columns(pl.col("rating").cast(pl.Float64))
    if split in OFFICIAL:
        folds = pl.read_parquet(data / name / "splits.parquet").select("user_id", "item_id", "fold")
        held = ratings.join(folds, on=["user_id", "item_id"], how="left", maintain_order="left")["fold"]
        test = held == OFFICIAL.index(split) + 1
    else:
        order = np.random.default_rng(42).permutation(ratings.height)
        fifth = int(0.2 * ratings.height)
        number = FIVE.index(split) if split in FIVE else 0
        chosen = np.zeros(ratings.height, dtype=bool)
        chosen[order[number * fifth : (number + 1) * fifth]] = True
        test = pl.Series(chosen)
    cut.folder.mkdir(parents=True, exist_ok=True)
    ratings.filter(~test).write_parquet(cut.train)
    ratings.filter(test).write_parquet(cut.test)
    return cut


def told(**figures: object) -> None:
    """Prints what a script that runs in a process of its own came to."""
    print(json.dumps(figures))


def rmse(predicted: np.ndarray, true: np.ndarray) -> float:
    """The root of the mean squared error, of predictions cut to the range of the truth."""
    cut = np.clip(np.asarray(predicted, dtype=float), np.min(true), np.max(true))
    return float(np.sqrt(np.mean((cut - true) ** 2)))
