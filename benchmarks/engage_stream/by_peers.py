"""What people stream with today: `by_peers.py pandas|sklearn|datasets CSV`. Prints seconds, rows and the peak.

pandas: chunks of 100,000 rows, read and left. sklearn: the same, each learnt from by HashingVectorizer and SGDRegressor
(words and pairs of words, as many places as ours). datasets: Hugging Face's streaming, in batches of 100,000.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 100_000
CATEGORIES = ("subreddit", "author", "domain", "over_18", "is_self")


def main(what: str, path: str) -> None:
    """Print what was measured."""
    started = time.perf_counter()
    rows = sum({"pandas": by_pandas, "sklearn": by_sklearn, "datasets": by_datasets}[what](path))
    seconds = time.perf_counter() - started
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    peak = int(found[1]) * 1024 / 1e6 if found else float("nan")
    print(json.dumps({"seconds": seconds, "rows": rows, "peak_mb": peak}))


def by_pandas(path: str) -> Iterator[int]:
    """Chunks, read."""
    import pandas as pd

    for chunk in pd.read_csv(path, chunksize=CHUNK):
        yield len(chunk)


def by_sklearn(path: str) -> Iterator[int]:
    """Chunks, learnt from."""
    import numpy as np
    import pandas as pd
    from scipy import sparse
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDRegressor

    words = HashingVectorizer(n_features=2**20, ngram_range=(1, 2), token_pattern=r"\S+")
    values = FeatureHasher(n_features=2**20, input_type="string")
    model: Any = SGDRegressor(alpha=1e-7, random_state=0)
    for chunk in pd.read_csv(path, chunksize=CHUNK):
        told = zip(*([f"{name}={value}" for value in chunk[name]] for name in CATEGORIES), strict=True)
        numbers = np.column_stack([chunk["length"] / 40_000, (chunk["created_utc"] - 1.3e9) / 3e8])
        known = sparse.hstack([words.transform(chunk["title"]), values.transform(told), numbers], format="csr")
        model.partial_fit(known, np.log1p(chunk["score"]))
        yield len(chunk)


def by_datasets(path: str) -> Iterator[int]:
    """Batches of a streamed data set, read."""
    from datasets import load_dataset

    for batch in load_dataset("csv", data_files=path, split="train", streaming=True).iter(CHUNK):
        yield len(batch["score"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
