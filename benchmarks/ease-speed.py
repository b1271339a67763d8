"""Claim ease-speed: EASE, fit and lists of 20 for all users, ours against RecTools' and LensKit's.

    python benchmarks/ease-speed.py [REPEATS]

The same regularisation for all, so that NDCG@10 must agree. Sets: ml-100k and lastfm_lightgcn; av_challenges (29,672
users, 4,419 items) without LensKit, whose lists take minutes there. Each has a process of its own, in turn; figures are
the worst over sets of the median ratio. Ours goes the way of a user, from a Dataset to a frame of lists in the caller's
ids.

The limit: one inverse of I × I items is I³ multiplications and additions
(4,489 items: 0.8 s on two cores at 113 GFLOP/s).
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
import _result
from defaults_quality import sets

HERE = Path(__file__).parent
SETS = {"ml-100k": 300.0, "lastfm_lightgcn": 100.0, "av_challenges": 10.0}
WITHOUT_LENSKIT = ("av_challenges",)
K = 20


def main(repeats: int) -> None:
    """Measure all sets and write the result."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir())) / "shortlist-sets"
    rows: list[dict[str, Any]] = []
    worst = {"rectools": 0.0, "lenskit": 0.0}
    for name, regularization in SETS.items():
        folder = sets.write(name, sets.shared_data(), cache)
        arguments = (str(folder), str(regularization), str(K))
        told: dict[str, list[Any]] = {"ours": [], "rectools": [], "lenskit": []}
        for _ in range(repeats):
            told["ours"].append(_ours.run(HERE / "ease_speed/by_ours.py", *arguments))
            told["rectools"].append(_peers.run(HERE / "ease_speed/by_rectools.py", *arguments, peers="peers"))
            if name not in WITHOUT_LENSKIT:
                told["lenskit"].append(_peers.run(HERE / "ease_speed/by_lenskit.py", *arguments, peers="peers-lenskit"))
        for peer in worst:
            if told[peer]:
                ratios = [_total(o) / _total(t) for o, t in zip(told["ours"], told[peer], strict=True)]
                worst[peer] = max(worst[peer], statistics.median(ratios))
        found = [
            {"set": name, "library": library, "repeats": repeats, "regularization": regularization} | _median(runs)
            for library, runs in told.items()
            if runs
        ]
        print(json.dumps(found), file=sys.stderr, flush=True)
        rows += [row for measured in found for row in _rows(measured)]
    _result.write("ease-speed", {f"ratio_to_{peer}": ratio for peer, ratio in worst.items()}, rows)


def _rows(measured: dict[str, Any]) -> list[dict[str, Any]]:
    version = measured.pop("version", f"shortlist {_result.version()}")
    name, quality = measured.pop("set"), measured.pop("ndcg@10")
    model = f"EASE of {measured.pop('library')}, λ = {measured.pop('regularization'):g}"
    told = {"seconds": _total(measured), **measured}
    return [
        _result.row(name, model, version, "seconds of fit and lists", _total(measured), **told),
        _result.row(name, model, version, "ndcg@10", quality),
    ]


def _total(told: dict[str, Any]) -> float:
    return float(told["fit_seconds"] + told["recommend_seconds"])


def _median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of every number; of a text the first."""
    return {
        name: statistics.median(run[name] for run in runs) if isinstance(value, int | float) else value
        for name, value in runs[0].items()
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
