"""One epoch of the stream ridge: `by_ours.py CSV MEMORY SPILL`. Prints seconds of each step, the peak, and errors."""

import json
import os
import re
import sys
import tempfile
from pathlib import Path

import shortlist as sl
from shortlist.progress import heard

RECIPE = sl.StreamRidge(
    target="score",
    metric="rmsle",
    columns=sl.Columns(
        texts=("title",),
        categories=("subreddit", "author", "domain", "over_18", "is_self"),
        numbers=("length",),
        time="created_utc",
    ),
)


def main(csv: str, memory: str, spill: str) -> None:
    """Print what was measured."""
    tempfile.tempdir = spill
    seconds: dict[str, float] = {}

    def listener(name: str, took: float) -> None:
        seconds[name.strip()] = took
        print(name, round(took, 1), "s, peak", round(peak()), "MB", file=sys.stderr, flush=True)

    with heard(listener):
        fitted = RECIPE.fit(csv, memory=memory)
    scores = dict(zip(fitted.scores["model"], fitted.scores["value"], strict=True))
    told = {
        "open_seconds": seconds["open the files"],
        "epoch_seconds": seconds["learn row by row"],
        "peak_mb": peak(),
        "rows": fitted.scores["rows"][0],
        "rmsle_mean": scores["mean"],
        "rmsle": scores["StreamRidge"],
    }
    print(json.dumps(told))


def peak() -> float:
    """The most memory that this process, which starts no other, has had, in MB."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        sys.exit(f"{os.name}: this system does not tell what a process uses")
    return int(found[1]) * 1024 / 1e6


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
