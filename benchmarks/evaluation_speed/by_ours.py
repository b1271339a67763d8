"""Shortlist's evaluation of the lists in a folder: `by_ours.py FOLDER DRAWS`, one timed call after a small one."""

import json
import resource
import sys
import time

import polars as pl

from shortlist.evaluation.evaluate import evaluate

METRICS = ["map@12", "ndcg@10", "recall@100"]
_FEW = 100_000


def main(folder: str, draws: int) -> None:
    """Print the seconds, the peak of memory, frames included, and the values with the ends of their intervals."""
    lists, truth = (pl.read_parquet(f"{folder}/{name}.parquet") for name in ("lists", "truth"))
    evaluate(lists.head(_FEW), truth, METRICS, draws=1)
    started = time.perf_counter()
    table = evaluate(lists, truth, METRICS, draws=draws).table
    told = {
        "seconds": time.perf_counter() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "values": dict(zip(table["metric"], table["value"], strict=True)),
        "ends": {row["metric"]: (row["low"], row["high"]) for row in table.iter_rows(named=True)},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
