"""Claim next-amazon: NDCG@10 of the last item of each user among all items, after all that came before.

    python benchmarks/next-amazon.py [SET ...]

Beauty and Sports as S3-Rec prepared them, Video as SASRec did; leave-one-out, the whole catalogue, what a user had left
out. The settings of `Next` were chosen on the items before the last of Beauty and are the same for all sets; `Next,
default` is what nobody set. The figures are those of the better of gated units and self-attention with attributes. The
best published on Beauty and Sports, by networks that know no attributes: 0.0531 and 0.0314 (SASRec with sampled
softmax, as told in the eSASRec paper).

Intervals: 1.96 standard errors over users.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import _ours
import _result
from defaults_quality import sets

HERE = Path(__file__).parent / "next_amazon"
NAMES = ("Next, default", "Next gru", "Next sasrec", "EASE")
DATA = {
    "amazon-beauty_s3rec": (*NAMES, "Next gru, no attributes", "ALS"),
    "amazon-sports_s3rec": ("Next gru", "EASE"),
    "amazon-video_sasrec": ("Next gru", "EASE"),
}
SINGLE = ("Next gru", "Next sasrec", "Next, default")


def main(chosen: list[str]) -> None:
    """Measure and write the result; with names of sets, theirs alone, in place of what stood there of them."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir())) / "shortlist-sets"
    before = json.loads((_result.RESULTS / "next-amazon.json").read_text(encoding="utf-8"))["rows"] if chosen else []
    rows: list[dict[str, Any]] = [row for row in before if row["data"] not in chosen]
    for data in chosen or DATA:
        folder = sets.write(data, sets.shared_data(), cache)
        for name in DATA[data]:
            told = _ours.run(HERE / "by_ours.py", folder, sets.shared_data() / data, name)
            print(data, name, json.dumps(told), file=sys.stderr, flush=True)
            for metric, figure in told["metrics"].items():
                value, error = figure["value"], 1.96 * figure["error"]
                more = {"low": value - error, "high": value + error, "users": told["users"]}
                more["fit_seconds"] = told["seconds"]
                rows.append(_result.row(data, name, f"shortlist {_result.version()}", metric, value, **more))

    def best(data: str) -> float:
        return max(
            row["value"] for row in rows if (row["data"], row["metric"]) == (data, "ndcg@10") and row["model"] in SINGLE
        )

    figures = {"beauty_ndcg@10": best("amazon-beauty_s3rec"), "sports_ndcg@10": best("amazon-sports_s3rec")}
    _result.write("next-amazon", figures, rows)


if __name__ == "__main__":
    main(sys.argv[1:])
