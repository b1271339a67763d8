"""RecTools' evaluation of the lists in a folder, in the peers' Python: `by_rectools.py FOLDER`.

`calc_metrics` with all metrics at once is its fastest way: lists and truth are merged once for all of them.
"""

import json
import resource
import sys
import time
from importlib.metadata import version

import pandas as pd
from rectools.metrics import MAP, NDCG, Recall, calc_metrics

METRICS = {"map@12": MAP(k=12), "ndcg@10": NDCG(k=10, divide_by_achievable=True), "recall@100": Recall(k=100)}
_FEW = 10_000


def main(folder: str) -> None:
    """Print the seconds of one call after a small one, the peak of memory, frames included, and the values."""
    lists, truth = (pd.read_parquet(f"{folder}/{name}.parquet", engine="fastparquet") for name in ("lists", "truth"))
    calc_metrics(METRICS, reco=lists.head(10 * _FEW), interactions=truth.head(_FEW))
    started = time.perf_counter()
    values = calc_metrics(METRICS, reco=lists, interactions=truth)
    told = {
        "seconds": time.perf_counter() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "values": values,
        "version": f"RecTools {version('rectools')}, pandas {version('pandas')}",
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
