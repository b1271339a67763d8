"""Claim als-speed: seconds until 99 % of the better final NDCG@10, ours against implicit's ALS at its best settings.

    python benchmarks/als-speed.py [REPEATS [SET ...]]

Sets: amazon-video_sasrec, ml-100k, complete_journey (`defaults_quality/sets.py`), and a made-up world of ten
million events (`als_speed/world.py`). On the first two both sides have their best settings of a search on the test set
itself (`SETTINGS`, `OURS`; implicit's found by `defaults_quality/peers_implicit.py`), on the others the best on the
test set, after 15 iterations, of `TRIED` and `OURS_TRIED` at 64 factors. Both run in turn, each in a process of its
own, 15 iterations; the target is 99 % of the higher of the two last NDCG@10, that of the first repeat. Who never comes
there is given the seconds of all iterations, and the row says so; where the last value is below the best one, the
target may be passed on the way down. BLAS has one thread for implicit, as it asks for. Recency is left out: the other
side has none. The seconds that our defaults need with their search for settings stand in the rows.
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
RESULT = _result.RESULTS / "als-speed.json"
ITERATIONS = 15
FACTORS = (64, 256)
SETTINGS = {  # alpha, regularization
    ("ml-100k", 64): (2, 10),
    ("ml-100k", 256): (2, 10),
    ("amazon-video_sasrec", 64): (20, 20),
    ("amazon-video_sasrec", 256): (20, 10),
}
OURS = {  # regularization, unobserved, frequency
    ("ml-100k", 64): (5, 0.4, 0.5),
    ("ml-100k", 256): (5, 0.2, 1),
    ("amazon-video_sasrec", 64): (3, 0.04, 1),
    ("amazon-video_sasrec", 256): (1, 0.05, 1),
}
TRIED = ((1, 10), (1, 30), (2, 30), (5, 10), (5, 100), (5, 400), (20, 50), (20, 800))
OURS_TRIED = ((3, 0.1, 1), (10, 0.3, 1), (10, 1, 1), (30, 1, 1), (20, 1, 0.5), (30, 0.03, 1), (40, 0.05, 0.5))
MOST = {"world": 3}
"""Repeats where one takes minutes."""


def main(repeats: int, names: list[str]) -> None:
    """Measure the sets named, all where none is, and write the result; rows of other sets stay as they were."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir())) / "shortlist-sets"
    names = names or ["ml-100k", "amazon-video_sasrec", "complete_journey", "world"]
    before = RESULT.exists() and json.loads(RESULT.read_text(encoding="utf-8"))["rows"]
    rows: list[dict[str, Any]] = [row for row in before or [] if row["data"] not in names]
    for name in names:
        folder = world.write(cache / "world") if name == "world" else sets.write(name, sets.shared_data(), cache)
        for factors in FACTORS:
            row = _measured(name, folder, factors, min(repeats, MOST.get(name, repeats)))
            print(json.dumps(row), file=sys.stderr, flush=True)
            rows += _rows(row)
        if name == "ml-100k":
            rows += _same_objective(folder)
    ratios = {f: max(row["ratio"] for row in rows if "ratio" in row and row["factors"] == f) for f in FACTORS}
    _result.write("als-speed", {f"ratio_to_implicit_{factors}": ratio for factors, ratio in ratios.items()}, rows)


def _measured(name: str, folder: Path, factors: int, repeats: int) -> dict[str, Any]:
    chosen = _ours.run(HERE / "als_speed/by_ours.py", "choose", folder, str(factors))
    if (name, factors) not in SETTINGS:
        SETTINGS[name, factors] = SETTINGS.get((name, 64)) or max(
            TRIED, key=lambda tried: _last(_implicit(folder, 64, *tried))
        )
        OURS[name, factors] = OURS.get((name, 64)) or max(
            OURS_TRIED, key=lambda tried: _last(_of_ours(folder, 64, *tried))
        )
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(_of_ours(folder, factors, *OURS[name, factors]))
        theirs.append(_implicit(folder, factors, *SETTINGS[name, factors]))
    target = 0.99 * max(_last(ours[0]), _last(theirs[0]))
    seconds = statistics.median(_until(curve, target) for curve in ours)
    their_seconds = statistics.median(_until(curve, target) for curve in theirs)
    return {
        "set": name,
        "factors": factors,
        "target": target,
        "ours_s": seconds,
        "implicit_s": their_seconds,
        "ratio": seconds / their_seconds,
        "ours_ndcg": _last(ours[0]),
        "implicit_ndcg": _last(theirs[0]),
        "ours_reaches": _reaches(ours[0], target),
        "implicit_reaches": _reaches(theirs[0], target),
        "ours_15_s": statistics.median(told["curve"][-1]["seconds"] for told in ours),
        "implicit_15_s": statistics.median(told["curve"][-1]["seconds"] for told in theirs),
        "ours_with_search_s": chosen["fit_s"],
        "ours_settings": dict(zip(("regularization", "unobserved", "frequency"), OURS[name, factors], strict=True)),
        "implicit_settings": dict(zip(("alpha", "regularization"), SETTINGS[name, factors], strict=True)),
        "ours_mb": ours[0]["peak_mb"],
        "implicit_mb": theirs[0]["peak_mb"],
        "repeats": repeats,
    }


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for side, version in (("ours", f"shortlist {_result.version()}"), ("implicit", "implicit 0.7.3")):
        model = f"ALS of {side}, {found['factors']} factors"
        told = {
            "target": found["target"],
            "reached": found[f"{side}_reaches"],
            "settings": found[f"{side}_settings"],
            "seconds_of_15_iterations": found[f"{side}_15_s"],
            "repeats": found["repeats"],
            "peak_mb": found[f"{side}_mb"],
        }
        if side == "ours":
            told |= {
                "factors": found["factors"],
                "ratio": found["ratio"],
                "seconds_of_fit_with_search": found["ours_with_search_s"],
            }
        rows.append(_result.row(found["set"], model, version, "seconds to the target", found[f"{side}_s"], **told))
        rows.append(_result.row(found["set"], model, version, "ndcg@10", found[f"{side}_ndcg"]))
    return rows


def _same_objective(folder: Path) -> list[dict[str, Any]]:
    """The value of the same objective after a hundred iterations at the same settings."""
    alpha, regularization = 10, 10
    ours = _of_ours(folder, 64, regularization / alpha, 1 / alpha, 0, iterations=100)["objective"]
    theirs = _implicit(folder, 64, alpha, regularization, iterations=100)["objective"]
    sides = (("ours", f"shortlist {_result.version()}", ours), ("implicit", "implicit 0.7.3", theirs))
    return [
        _result.row(folder.name, f"ALS of {side}, 64 factors, 100 iterations", version, "the same objective", value)
        for side, version, value in sides
    ]


def _of_ours(
    folder: Path, factors: int, regularization: float, unobserved: float, frequency: float, iterations: int = ITERATIONS
) -> Any:
    settings = {"regularization": regularization, "unobserved": unobserved, "frequency": frequency}
    recipe = json.dumps(settings | {"factors": factors, "iterations": iterations})
    return _ours.run(HERE / "als_speed/by_ours.py", "curve", folder, recipe)


def _implicit(folder: Path, factors: int, alpha: float, regularization: float, iterations: int = ITERATIONS) -> Any:
    settings = (factors, alpha, regularization, iterations, "cg")
    script = HERE / "als_speed/by_implicit.py"
    return _peers.run(script, str(folder), *map(str, settings), peers="peers-implicit")


def _last(told: dict[str, Any]) -> float:
    return float(told["curve"][-1]["ndcg@10"])


def _reaches(told: dict[str, Any], target: float) -> bool:
    return any(point["ndcg@10"] >= target for point in told["curve"])


def _until(told: dict[str, Any], target: float) -> float:
    there = (point["seconds"] for point in told["curve"] if point["ndcg@10"] >= target)
    return float(next(there, told["curve"][-1]["seconds"]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2:])
