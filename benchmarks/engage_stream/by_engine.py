"""The engine alone: `by_engine.py FILE MEMORY`. Reads every column of a file; prints the seconds.

Each column is read whole: of texts their bytes are added up, of numbers and flags the numbers.
"""

import json
import sys
import time

import duckdb

QUERY = """
SELECT count(*), sum(strlen(title)), sum(strlen(subreddit)), sum(strlen(author)), sum(strlen(domain)),
    sum(over_18::INT), sum(is_self::INT), sum(length), sum(created_utc), sum(score)
FROM {read}
"""


def main(path: str, memory: str) -> None:
    """Print what was measured."""
    engine = duckdb.connect(config={"memory_limit": memory, "threads": 2, "preserve_insertion_order": False})
    read = "read_csv(?)" if path.endswith(".csv") else "read_parquet(?)"
    started = time.perf_counter()
    rows = engine.execute(QUERY.format(read=read), [path]).fetchall()[0][0]
    print(json.dumps({"seconds": time.perf_counter() - started, "rows": rows}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
