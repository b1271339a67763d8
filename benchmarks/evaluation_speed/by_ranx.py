"""ranx's evaluation of the lists in a folder, in the peers' Python: `by_ranx.py FOLDER THREADS`.

ranx judges a `Run` against `Qrels`: dictionaries of text ids. They are made in the fastest way we found, from Python
dictionaries whose ids are texts made once an item. Told apart: making them; `evaluate` of them, compiled, without
writing each user's value back into the run, which costs as much again; and the compiled kernels alone, on arrays into
which `evaluate` turns both first (its signature takes those too).
"""

import json
import resource
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from ranx import Qrels, Run, evaluate
from ranx.meta.evaluate import convert_qrels, convert_run

METRICS = ["map@12", "ndcg@10", "recall@100"]


def main(folder: str, threads: int) -> None:
    """Print the seconds of each part, the peak of memory, frames included, and the values."""
    lists, truth = (pd.read_parquet(f"{folder}/{name}.parquet", engine="fastparquet") for name in ("lists", "truth"))
    options = {"threads": threads, "save_results_in_run": False}
    few = 1000
    evaluate(*_made(lists.head(100 * few), truth.head(10 * few)), METRICS, **options)
    made, (qrels, run) = _timed(lambda: _made(lists, truth))
    evaluated, values = _timed(lambda: evaluate(qrels, run, METRICS, **options))
    arrays = convert_qrels(qrels), convert_run(run)
    evaluate(*arrays, METRICS, **options)
    kernels, _ = _timed(lambda: evaluate(*arrays, METRICS, **options))
    told = {
        "seconds": evaluated,
        "seconds_made": made,
        "seconds_kernels": kernels,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "values": {name: float(value) for name, value in values.items()},
        "version": f"ranx {version('ranx')}, numba {version('numba')}",
    }
    print(json.dumps(told))


def _made(lists: pd.DataFrame, truth: pd.DataFrame) -> tuple[Qrels, Run]:
    """Both as ranx wants them, from frames in which each user's rows stand together, equally many for all."""
    names = np.array([f"i{item}" for item in range(max(lists["item_id"].max(), truth["item_id"].max()) + 1)], object)

    def rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
        length = len(frame) // frame["user_id"].nunique()
        users = frame["user_id"].to_numpy()[::length].astype(str).tolist()
        return users, names[frame["item_id"].to_numpy().reshape(-1, length)].tolist()

    users, items = rows(lists)
    scores = (1.0 / np.arange(1, len(items[0]) + 1)).tolist()
    run = Run({user: dict(zip(its, scores)) for user, its in zip(users, items)})  # noqa: B905
    return Qrels({user: dict.fromkeys(its, 1) for user, its in zip(*rows(truth))}), run  # noqa: B905


def _timed(work: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
