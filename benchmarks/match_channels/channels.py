"""le_channels as a dataset: topics are the users, contents the items, links the events.

`has_content` says of a topic whether anything is to be found, links that are not in this copy among it, and is dropped.
"""

import os
from pathlib import Path

import polars as pl

import shortlist as sl

COLUMNS = {
    "events": {"user_id": "topic_id", "item_id": "content_ids"},
    "users": {"user_id": "topic_id"},
    "items": {"item_id": "content_id"},
}


def read() -> sl.Dataset:
    """All topics, contents and links."""
    folder = Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[3] / "shared/data")) / "le_channels"
    topics, contents, links = (
        pl.read_parquet(folder / f"{name}.parquet") for name in ("topics", "contents", "correlations")
    )
    return sl.Dataset.read(links.explode("content_ids"), contents, topics.drop("has_content"), columns=COLUMNS)
