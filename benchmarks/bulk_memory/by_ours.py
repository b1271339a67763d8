"""Lists written from a stored pipeline: `by_ours.py PIPELINE OUT USERS K`, the first USERS that it knows."""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

from shortlist.pipeline import FittedPipeline, load


def main(path: str, out: str, users: int, k: int) -> None:
    """Print what the loaded pipeline holds in memory, the peak above that, the seconds and the rows."""
    pipeline = load(path)
    _touch(pipeline)
    model = _memory("VmRSS")
    started = time.perf_counter()
    asked = None if users == len(pipeline.user_ids) else pipeline.user_ids.ids.head(users)
    written = pipeline.write(out, asked, k)
    told = {
        "mb_above_model": _memory("VmHWM") - model,
        "mb_model": model,
        "seconds": time.perf_counter() - started,
        "rows": written.rows,
    }
    print(json.dumps(told))


def _touch(pipeline: FittedPipeline) -> None:
    """Reads every page of the model once."""
    for value in vars(pipeline.retrievers["als"]).values():
        if isinstance(value, np.ndarray):
            value.sum()
    pipeline.seen.select("user", "item").sum()


def _memory(name: str) -> float:
    """What this process uses (VmRSS) or has used at most (VmHWM), in MB. Only Linux tells this."""
    told = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    if told is None:
        sys.exit("this system does not tell what a process uses")
    return int(told[1]) * 1024 / 1e6


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
