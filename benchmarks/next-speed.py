"""Claim next-speed: how many targets our SASRec learns in a second, beside RecTools' and a plain repository's.

    python benchmarks/next-speed.py [REPEATS]

A target is a next item that is learnt from. Beauty (histories of 8, length 50) and ml-100k (of 105, length 200); 64
factors, 2 blocks, 2 heads, dropout 0.2, batches of about as many events. Against RecTools: softmax over all items. As
for pmixer/SASRec.pytorch: BCE, there with one negative drawn for each target, here with 256 that a batch shares.
Our blocks are the larger ones: hidden layers of 256 units where theirs have 64. Each in a process of its own, in turn,
on all cores; figures are medians of the ratios of a turn, theirs to ours, of targets in a second.

million_items_peak_mb: all memory of a process that makes 2 million events of 1 million items, and trains on them.

The limit: an event costs about 24 F² flops a block forth and twice that back (0.6 MFLOP with 64 factors, 2 blocks and
the wider layers), a target of softmax 6 F flops an item: 4.6 MFLOP on Beauty. 154,000 targets are 0.8 TFLOP: 4 s at 200
GFLOPS in float32, less in bfloat16.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _ours
import _peers
import _result
from defaults_quality import sets

HERE = Path(__file__).parent / "next_speed"
PEERS = "peers-rectools-torch"
PLAIN, COMMIT = "https://github.com/pmixer/SASRec.pytorch", "fde8a9c"
DATA = {"amazon-beauty_s3rec": ("50", "1", "6"), "ml-100k": ("200", "3", "10")}
"""The length, and the epochs of RecTools' softmax and of the others; of theirs the first of several is left out."""


def main(repeats: int) -> None:
    """Measure and write the result."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir()))
    checkout = plain(cache)
    rows: list[dict[str, Any]] = []
    ratios: dict[tuple[str, str], list[float]] = {}
    for data, (length, few, many) in DATA.items():
        folder = str(sets.write(data, sets.shared_data(), cache / "shortlist-sets"))
        told: dict[str, list[Any]] = {}
        for turn in range(repeats):
            runs = {
                "Next sasrec, softmax": _ours.run(HERE / "by_ours.py", folder, "softmax", "all", length, many),
                "RecTools SASRec, softmax": _peers.run(
                    HERE / "by_rectools.py", folder, "softmax", "1", length, few, "64", peers=PEERS
                ),
                "Next sasrec, bce": _ours.run(HERE / "by_ours.py", folder, "bce", "256", length, many),
                "SASRec.pytorch, bce": _peers.run(
                    HERE / "by_plain.py", folder, str(checkout), length, many, peers=PEERS
                ),
            }
            speed = {name: run["targets"] / run["seconds"] for name, run in runs.items()}
            for name, run in runs.items():
                told.setdefault(name, []).append(run | {"speed": speed[name]})
            for peer, ours in (("rectools", "softmax"), ("plain", "bce")):
                theirs = next(value for name, value in speed.items() if name.endswith(ours) and "Next" not in name)
                ratios.setdefault((peer, data), []).append(theirs / speed[f"Next sasrec, {ours}"])
            print(data, turn + 1, json.dumps(speed), file=sys.stderr, flush=True)
        for name, found in told.items():
            version = found[0].get("version", f"shortlist {_result.version()}")
            speeds, seconds = ([run[key] for run in found] for key in ("speed", "seconds"))
            more = {"repeats": repeats, "low": min(speeds), "high": max(speeds), "length": int(length)}
            more["seconds of an epoch"] = statistics.median(seconds)
            rows.append(_result.row(data, name, version, "targets a second", statistics.median(speeds), **more))
    large = _ours.run(HERE / "by_ours.py", "million")
    version = f"shortlist {_result.version()}"
    rows.append(_result.row("a million items", "Next sasrec, 4,096 negatives", version, "peak MB", large["peak_mb"]))
    rows[-1] |= {key: large[key] for key in ("items", "seconds", "loss")}
    figures = {
        f"ratio_to_{peer}_{'beauty' if 'beauty' in data else 'ml100k'}": statistics.median(found)
        for (peer, data), found in ratios.items()
    }
    _result.write("next-speed", figures | {"million_items_peak_mb": large["peak_mb"]}, rows)


def plain(cache: Path) -> Path:
    """The checkout of the plain repository; SHORTLIST_SASREC names one that is at hand."""
    if "SHORTLIST_SASREC" in os.environ:
        return Path(os.environ["SHORTLIST_SASREC"])
    checkout = cache / "SASRec.pytorch"
    if not checkout.exists():
        subprocess.run(["git", "clone", "--quiet", PLAIN, str(checkout)], check=True)
        subprocess.run(["git", "-C", str(checkout), "checkout", "--quiet", COMMIT], check=True)
    return checkout


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
