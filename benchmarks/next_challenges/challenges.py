"""av_challenges as a split: the first seven of everybody, and of all but the validation users the next three too.

Positions stand for times. Those of a validation user's seven are three later, so that everybody's newest event is the
tenth: the moment from which on three are asked for is the same for all.
"""

import os
from pathlib import Path

import numpy as np
import polars as pl

import shortlist as sl

SHARE = 0.2
"""Of the users who are validated on."""


def shared_data() -> Path:
    """The folder of real data, from SHORTLIST_DATA."""
    return Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[3] / "shared/data")) / "av_challenges"


def tables(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, list[int]]:
    """The events, the items, and the validation users, drawn by a seed."""
    events, items = (pl.read_parquet(shared_data() / f"{name}.parquet") for name in ("interactions", "items"))
    users = events["user_id"].unique().sort().to_numpy()
    drawn = np.random.default_rng(seed).permutation(users)[: int(SHARE * len(users))].tolist()
    later = 3 * pl.col("user_id").is_in(drawn)
    return events.with_columns(position=pl.col("position").cast(pl.Int64) + later), items, drawn


def read(events: pl.DataFrame, items: pl.DataFrame) -> sl.Dataset:
    """The dataset; what has no place in a history yet is an item all the same."""
    return sl.Dataset.read(events, items, columns={"events": {"timestamp": "position"}})


def split(seed: int) -> sl.Split:
    """What may be learnt from, and the last three of the validation users."""
    events, items, _ = tables(seed)
    return sl.by_time(read(events, items), test="3us")
