"""Made-up posts as CSV: `made_up.py OUT ROWS`; 168 bytes a row. Prints the bytes.

A title of 12 words of a vocabulary of 50,000 (the n-th is met as often as 1 / n), a subreddit of 5,000 and an author of
a million met likewise, a domain, two flags, a length, a time, and a score that hangs on the subreddit and on words.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl

ROWS, WORDS, VOCABULARY, SUBREDDITS, AUTHORS, DOMAINS = 500_000, 12, 50_000, 5_000, 1_000_000, 20_000


class World:
    """What all rows are drawn from."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        letters = np.array(list("etaoinshrdlucmfwypvbgk"))
        lengths = random.integers(3, 12, VOCABULARY)
        self.words = pl.Series("word", ["".join(random.choice(letters, size)) for size in lengths])
        self.worth = (0.5 * random.standard_normal(VOCABULARY)).astype(np.float32)
        self.liked = (1.5 * random.standard_normal(SUBREDDITS)).astype(np.float32)

    def rows(self, block: int, count: int) -> bytes:
        """The rows of a block as CSV, without names."""
        random = np.random.default_rng([1, block])

        def often(most: int, *shape: int) -> np.ndarray:
            # Uniform in the logarithm: the n-th about as often as 1 / n.
            drawn: np.ndarray = (np.exp(random.random(shape, np.float32) * np.log(most)) - 1).astype(np.int32)
            return np.minimum(drawn, most - 1)

        word_NW = often(VOCABULARY, count, WORDS)
        subreddit_N = often(SUBREDDITS, count)
        size_N = 3 + self.liked[subreddit_N] + self.worth[word_NW].mean(axis=1) * 3 + random.standard_normal(count)
        titles = pl.select(
            pl.concat_str([pl.lit(self.words.gather(word_NW[:, w])) for w in range(WORDS)], separator=" ")
        )
        table = pl.DataFrame(
            {
                "title": titles.to_series(),
                "subreddit": subreddit_N,
                "author": often(AUTHORS, count),
                "domain": often(DOMAINS, count),
                "over_18": random.random(count) < 0.1,
                "is_self": random.random(count) < 0.4,
                "length": random.integers(0, 40_000, count),
                "created_utc": 1_300_000_000 + random.integers(0, 300_000_000, count),
                "score": np.expm1(np.clip(size_N, 0, 12)).astype(np.int64),
            }
        ).with_columns(
            subreddit=pl.format("community_{}", "subreddit"),
            author=pl.format("somebody_{}", "author"),
            domain=pl.format("place{}.org", "domain"),
        )
        return table.write_csv(include_header=not block).encode()


def main(out: Path, rows: int) -> None:
    """Write the file, aside and then into its place."""
    world = World()
    blocks = [(block, min(ROWS, rows - block * ROWS)) for block in range(-(-rows // ROWS))]
    aside = out.with_suffix(".part")
    with aside.open("wb") as file, ThreadPoolExecutor(2) as pool:
        for start in range(0, len(blocks), 4):
            for told in pool.map(lambda one: world.rows(*one), blocks[start : start + 4]):
                file.write(told)
            if start % 40 == 0:
                print(f"{start} of {len(blocks)} blocks made", file=sys.stderr, flush=True)
    aside.replace(out)
    print(json.dumps({"bytes": out.stat().st_size, "rows": rows}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
