"""Claim knn-speed: nearest neighbours of items, fit and lists of 20 for all users, ours against implicit's.

    python benchmarks/knn-speed.py [REPEATS]

Cosine and BM25 with 20 and 100 neighbours, the same definitions; both run in turn, each in a process of its own, two
threads. The figure is the worst, over sets, models and neighbours, of the median ratio; `equal_items` the share of
places of all lists that hold the same item (where scores tie the two may differ).

The limit: Σ_u n_u² additions, a nanosecond each, over two cores.
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
from als_speed import world
from defaults_quality import sets

HERE = Path(__file__).parent
SETS = ("ml-100k", "amazon-beauty_s3rec", "av_challenges", "citeulike-a")
NEIGHBOURS = ("20", "100")
COUNT = "20"


def main(repeats: int) -> None:
    """Measure all sets and write the result."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir()))
    folders = {name: sets.write(name, sets.shared_data(), cache / "shortlist-sets") for name in SETS}
    folders["world of a million"] = world.write(cache / "shortlist-sets/world-1m", 6_000, 3_500, 1_000_000, 5_000)
    rows: list[dict[str, Any]] = []
    ratios: list[float] = []
    for name, folder in folders.items():
        told: dict[str, list[Any]] = {"ours": [], "implicit": []}
        arguments = (str(folder), COUNT, str(cache / "shortlist-sets" / folder.name / "implicit"), *NEIGHBOURS)
        for _ in range(repeats):
            script = HERE / "knn_speed/by_implicit.py"
            told["implicit"].append(_peers.run(script, *arguments, peers="peers-implicit")["rows"])
            told["ours"].append(_ours.run(HERE / "knn_speed/by_ours.py", *arguments)["rows"])
        for place, row in enumerate(told["ours"][0]):
            ours, theirs = ([_total(run[place]) for run in told[library]] for library in ("ours", "implicit"))
            ratio = statistics.median(o / t for o, t in zip(ours, theirs, strict=True))
            found = (
                row
                | {"set": name, "ratio": ratio, "ours_s": statistics.median(ours)}
                | {"implicit_s": statistics.median(theirs), "implicit_ndcg": told["implicit"][0][place]["ndcg@10"]}
            )
            print(json.dumps(found), file=sys.stderr, flush=True)
            ratios.append(ratio)
            rows += _rows(found)
    _result.write("knn-speed", {"ratio_to_implicit": max(ratios)}, rows)


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    model = f"{found['model']}, {found['neighbours']} neighbours"
    ours = {name: found[name] for name in ("ratio", "equal_items", "entries")}
    sides = (
        (f"shortlist {_result.version()}", found["ours_s"], found["ndcg@10"], ours),
        ("implicit 0.7.3", found["implicit_s"], found["implicit_ndcg"], {}),
    )
    rows = []
    for version, seconds, quality, more in sides:
        named = f"{model}, {version.split()[0]}"
        rows.append(_result.row(found["set"], named, version, "seconds of fit and lists", seconds, **more))
        rows.append(_result.row(found["set"], named, version, "ndcg@10", quality))
    return rows


def _total(row: dict[str, Any]) -> float:
    return float(row["fit_seconds"] + row["recommend_seconds"])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
