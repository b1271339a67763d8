"""Claim defaults-quality: NDCG@10 of our defaults against our tuned best and the peers' tuned best, on six sets.

    python benchmarks/defaults-quality.py [--measured]

The sets and the measure: `defaults_quality/sets.py`. The peers (implicit, RecTools, LensKit, LightFM's fork) have the
best settings of a search on the test set itself, which takes hours; what was measured stands in the cache folder
(SHORTLIST_CACHE) and is not measured again, and with `--measured` nothing else is. Ours (`defaults_quality/by_ours.py`)
are `EASE()`, `ItemKNN()`, `ALS()` as they come.

worst_to_own_tuned: the lowest, over sets and models, of a model's default to its own best settings on the test set.
worst_to_best_peer: the lowest, over sets, of the default of the model that comes first on what was left out of the
training events, to the best peer.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import _ours
import _result
from defaults_quality import peers, sets

HERE = Path(__file__).parent
NOTE = (
    "Intervals are 1.96 standard errors. What the peers' search did not cover: RecTools' EASE beyond 13,000 items, and "
    "LensKit's ImplicitMF tuned on the three largest sets, where others stand for the same loss. implicit's ALS is "
    "best at 512 factors, the end of its grid, on five sets."
)
"""What a reader must know of the figures."""
NAMES = (
    "ml-100k",
    "amazon-video_sasrec",
    "amazon-beauty_s3rec",
    "av_challenges",
    "lastfm_lightgcn",
    "citeulike-a",
)


def main(*, measured: bool) -> None:
    """Measure all sets and write the result."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir()))
    known = cache / "peers_quality"
    theirs = peers.known_rows(NAMES, known) if measured else peers.rows(NAMES, cache / "shortlist-sets", known)
    rows = [row for found in theirs for row in _rows(found)]
    own, against = [], []
    for name in NAMES:
        ours = _ours.run(
            HERE / "defaults_quality/by_ours.py", sets.write(name, sets.shared_data(), cache / "shortlist-sets")
        )
        chosen = max(ours, key=lambda row: row["left_out_of_training"])
        best = max(row["ndcg@10"] for row in theirs if row["set"] == name and "ndcg@10" in row)
        own += [row["ndcg@10"] / row["tuned"] for row in ours]
        against.append(chosen["ndcg@10"] / best)
        for row in ours:
            rows += _rows(row | {"to_best_peer": row["ndcg@10"] / best, "chosen": row is chosen})
        print(name, chosen["model"], own[-len(ours) :], against[-1], file=sys.stderr, flush=True)
    _result.write("defaults-quality", {"worst_to_own_tuned": min(own), "worst_to_best_peer": min(against)}, rows, NOTE)


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What was measured of a model with one set of settings; of ours, the best settings of the test set too."""
    version = found.get("version", f"shortlist {_result.version()}")
    if "ndcg@10" not in found:
        return []
    error = 1.96 * found["standard_error"]
    value, kind = found["ndcg@10"], "defaults" if "tuned" in found else "tuned"
    keys = ("settings", "users", "fit_seconds", "recommend_seconds", "tried", "to_best_peer", "chosen")
    told = {key: found[key] for key in (*keys, "left_out_of_training") if key in found}
    model = f"{found['tool']} {found['model']}"
    rows = [
        _result.row(
            found["set"], f"{model}, {kind}", version, "ndcg@10", value, low=value - error, high=value + error, **told
        )
    ]
    if "tuned" in found:
        best = {"settings": found["tuned_settings"], "default_to_tuned": value / found["tuned"]}
        rows.append(_result.row(found["set"], f"{model}, tuned", version, "ndcg@10", found["tuned"], **best))
    return rows


if __name__ == "__main__":
    main(measured="--measured" in sys.argv[1:])
