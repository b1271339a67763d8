"""The posts of engage-reddit, and which of them are judged."""

import os
from pathlib import Path

import numpy as np
import polars as pl

SHARE = 0.15
RANDOM, LATE = "random 85/15", "last 15 % in time"


def posts(split: str) -> tuple[pl.DataFrame, np.ndarray]:
    """All posts, and which of them (bool) are held out."""
    folder = Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[3] / "shared/data"))
    table = pl.read_parquet(folder / "reddit_top/posts.parquet")
    held, count = np.zeros(table.height, bool), int(SHARE * table.height)
    if split == RANDOM:
        held[np.random.default_rng(0).permutation(table.height)[:count]] = True
    else:
        held[np.argsort(table["created_utc"].to_numpy(), kind="stable")[-count:]] = True
    return table, held


def numbers(table: pl.DataFrame, held: np.ndarray, target: str) -> tuple[np.ndarray, np.ndarray]:
    """What is judged, and what is learnt from."""
    number = table[target].to_numpy().astype(float)
    return number[held], number[~held]
