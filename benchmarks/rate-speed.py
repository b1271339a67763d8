"""Claim rate-speed: DotProduct beside fastai's collaborative filtering, SVDpp beside Surprise's, the seconds of a fit.

    python benchmarks/rate-speed.py [REPEATS]

ml-100k, 80/20 (seed 42). DotProduct and fastai: 50 factors, five epochs; fastai with the settings of its book (batches
of 64, rate 0.005, decay 0.1), and beside it, not counted in the claim, with batches as large as ours and our rate and
decay. SVDpp: our defaults against Surprise's. Each in a process of its own, in turn; figures are medians of the ratios
of a turn. A ratio only counts with an RMSE no worse than theirs: `rmse` stands in the rows.

The limit: 80,000 ratings × 5 epochs × 12 · 50 flops is 0.24 GFLOP for DotProduct, 2 ms on two cores; what is left is
what a step costs around it, about 0.3 ms (785 of them).
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import _ours
import _peers
import _ratings
import _result
from defaults_quality.sets import shared_data

HERE = Path(__file__).parent / "rate_speed"
DATA, SPLIT = "ml-100k", "80/20"
FASTAI = {"as in its book": ("5", "64", "0.005", "0.1"), "in batches like ours": ("5", "512", "0.01", "0.5")}


def main(repeats: int) -> None:
    """Measure and write the result."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir())) / "shortlist-sets"
    folder = str(_ratings.write(DATA, SPLIT, shared_data(), cache).folder)
    told: dict[str, list[Any]] = {}
    for turn in range(repeats):
        runs = {
            "DotProduct": _ours.run(HERE / "by_ours.py", folder, "DotProduct"),
            **{
                f"fastai collab, {name}": _peers.run(HERE / "by_fastai.py", folder, *settings, peers="peers-fastai")
                for name, settings in FASTAI.items()
            },
            "SVDpp": _ours.run(HERE / "by_ours.py", folder, "SVDpp"),
            "Surprise SVDpp": _peers.run(HERE / "by_surprise.py", folder, peers="peers-surprise"),
        }
        for name, found in runs.items():
            told.setdefault(name, []).append(found)
        print(turn + 1, json.dumps(runs), file=sys.stderr, flush=True)

    def ratio(ours: str, theirs: str) -> float:
        return statistics.median(o["seconds"] / t["seconds"] for o, t in zip(told[ours], told[theirs], strict=True))

    rows = []
    for model, runs in told.items():
        version = runs[0].get("version", f"shortlist {_result.version()}")
        more = {"split": SPLIT, "seed": 42, "repeats": repeats}
        seconds, rmse = (statistics.median(run[name] for run in runs) for name in ("seconds", "rmse"))
        rows.append(_result.row(DATA, model, version, "seconds of fit", seconds, **more))
        rows.append(_result.row(DATA, model, version, "rmse", rmse, **more))
    figures = {
        "ratio_to_fastai": ratio("DotProduct", "fastai collab, as in its book"),
        "ratio_to_surprise_svdpp": ratio("SVDpp", "Surprise SVDpp"),
        "ratio_to_fastai_in_batches_like_ours": ratio("DotProduct", "fastai collab, in batches like ours"),
    }
    _result.write("rate-speed", figures, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
