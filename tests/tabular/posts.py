"""Made-up posts whose scores hang on the subreddit, on a word, and on when they are."""

import numpy as np
import polars as pl

import shortlist as sl

COLUMNS = sl.Columns(texts=("title",), categories=("subreddit",), numbers=("length",), time="when")
QUICK = sl.BoostedTrees(rounds=60, min_rows=10, learning_rate=0.2)
TEXT = sl.TextRidge(bits=14, min_rows=1)


def posts(count: int = 1_500, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    sub = random.integers(0, 8, count)
    good = random.random(count) < 0.3
    words = random.choice(np.array(["cell", "atom", "star", "leaf", "stone"]), (count, 4))
    size = 1 + sub / 3 + 1.5 * good + 0.3 * random.standard_normal(count)
    return pl.DataFrame(
        {
            "title": [
                " ".join([*row, "wonderful"] if is_good else row) for row, is_good in zip(words, good, strict=True)
            ],
            "subreddit": [f"r{number}" for number in sub],
            "length": random.integers(1, 50, count),
            "when": 1_300_000_000 + random.integers(0, 10_000_000, count),
            "score": np.floor(np.expm1(size)).clip(0).astype(np.int64),
        }
    )
