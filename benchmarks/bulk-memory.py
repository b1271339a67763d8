"""A list of 100 out of 50,000 items for each of a million users, straight to Parquet: the memory that it takes.

A made-up factor model of 64 factors, standard normal, in a pipeline that knows 20 seen items of each user and leaves
them out; it is stored, so that the memory of the model is that of what any user loads. Each run is a process of its
own: it loads the pipeline, touches every page of it (arrays are mapped: they are in memory once they are read), notes
what it has in memory, and writes the lists of all users with `FittedPipeline.write`. `mb_above_model` is the peak of
the whole process, loading included, minus what was noted; the libraries that only writing and searching need (Arrow's
Parquet writer, Numba and its compiled loops) are on top of the model and count. A small run comes first and counts for
nothing: on a fresh machine it compiles the loops, which takes some 50 MB more, once.

The other rows ask for longer lists of fewer users, where a block that did not shrink would grow.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

import _result
from shortlist.dataset.ids import IdMap
from shortlist.models.als import ALS, FittedALS
from shortlist.pipeline import FittedPipeline, Pipeline

SCRIPT = Path(__file__).parent / "bulk_memory/by_ours.py"
USERS, ITEMS, FACTORS, SEEN = 1_000_000, 50_000, 64, 20
ASKED = ((USERS, 100), (USERS // 10, 1_000), (USERS // 500, 50_000))
"""Users, and the length of their lists."""
REPEATS, SEED = 1, 0
MEASURED = ("mb_above_model", "mb_model", "seconds", "file_mb")


def main() -> None:
    """Store the made-up pipeline, let fresh processes write from it, and write the result."""
    with tempfile.TemporaryDirectory() as folder:
        made_up().save(Path(folder, "pipeline"))
        written(Path(folder), 2_000, 100)
        told = {asked: [written(Path(folder), *asked) for _ in range(REPEATS)] for asked in ASKED}
    figures = {"mb_above_model": told[ASKED[0]], "seconds": told[ASKED[0]]}
    _result.write(
        "bulk-memory",
        {name: round(median(run[name] for run in runs), 1) for name, runs in figures.items()},
        [row for asked, runs in told.items() for row in _rows(*asked, runs)],
    )


def made_up(users: int = USERS) -> FittedPipeline:
    """The pipeline: ids are numbers in no order of their own, as those of databases are."""
    random = np.random.default_rng(SEED)
    recipe = ALS(factors=FACTORS, regularization=1.0, unobserved=0.1)
    x_UF, y_IF = (random.standard_normal((rows, FACTORS), dtype=np.float32) for rows in (users, ITEMS))
    seen_US = np.sort(random.integers(0, ITEMS, (users, SEEN), dtype=np.int32), axis=1)
    seen = pl.DataFrame({"user": np.repeat(np.arange(users, dtype=np.int32), SEEN), "item": seen_US.ravel()})
    return FittedPipeline(
        recipe=Pipeline(retrievers=(recipe,), filter_seen=True),
        user_ids=IdMap(pl.Series("user_id", np.sort(random.choice(8 * users, users, replace=False)))),
        item_ids=IdMap(pl.Series("item_id", np.sort(random.choice(8 * ITEMS, ITEMS, replace=False)))),
        retrievers={"als": FittedALS(recipe, x_UF, y_IF, np.ones(FACTORS, np.float32), 1.0, float(SEEN))},
        features=None,
        ranker=None,
        seen=seen.unique(maintain_order=True),
    )


def written(folder: Path, users: int, k: int) -> dict[str, Any]:
    """What a fresh process tells that writes the lists of the first `users`."""
    lists = folder / "lists.parquet"
    command = [sys.executable, str(SCRIPT), str(folder / "pipeline"), str(lists), str(users), str(k)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    if told["rows"] != users * min(k, ITEMS) and k < ITEMS - SEEN:
        sys.exit(f"{users:,} lists of {k} should have {users * k:,} rows, not {told['rows']:,}")
    told["file_mb"] = lists.stat().st_size / 1e6
    lists.unlink()
    print(told, flush=True)
    return told


def _rows(users: int, k: int, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    common = {
        "data": f"made up: {USERS:,} users, {ITEMS:,} items, {FACTORS} factors",
        "split": f"{users:,} lists of {k:,}",
        "model": "shortlist",
        "ours": True,
        "version": f"shortlist {_result.version()}",
        "seed": SEED,
    }
    return [
        common
        | {
            "metric": name,
            "value": round(median(run[name] for run in runs), 1),
            "repeats": [round(run[name], 1) for run in runs],
        }
        for name in MEASURED
    ]


if __name__ == "__main__":
    main()
