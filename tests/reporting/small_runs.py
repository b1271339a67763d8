"""The small run that the tests of the report look at: a made-up shop with a name that tries to break out."""

from pathlib import Path
from typing import Any

import polars as pl

from shortlist.config import parse
from shortlist.experiment import fit
from shortlist.run import Run
from shortlist.settings import Settings
from shortlist.tables import samples

SLY = "</script><img src=x onerror=alert(1)>"
"""The title of the most wanted item, and the name of a group of users."""


def small_run(folder: Path, **changes: Any) -> Run:
    """A run over 60 users and 40 items, all of whom have a sly title or group somewhere."""
    shop = samples.shop()
    wanted = shop.events["item_id"].mode().sort()[0]
    title = pl.when(pl.col("item_id") == wanted).then(pl.lit(SLY)).otherwise(pl.format("thing {}", "item_id"))
    shop.events.write_parquet(folder / "events.parquet")
    shop.items.with_columns(title=title).write_parquet(folder / "items.parquet")
    shop.users.with_columns(pl.col("age").replace("old", SLY)).write_parquet(folder / "users.parquet")
    values: dict[str, Any] = {
        "data": {name: str(folder / f"{name}.parquet") for name in ("events", "items", "users")},
        "split": {"kind": "by_time", "test": "7d"},
        "pipeline": {
            "retrievers": [{"kind": "repurchase"}, {"kind": "popular"}, {"kind": "same_attribute", "column": "type"}],
            "ranker": {"rounds": 4, "min_rows": 5, "threads": 1},
            "slices": 1,
        },
        "metrics": ["map@5", "recall@5", "coverage@5"],
        "k": 5,
        "out": str(folder / "run"),
    }
    return fit(parse(Settings, values | changes))
