"""Claim next-amazon: NDCG@10 of the last item of each user among all items, after all that came before.

    python benchmarks/next-amazon.py

Beauty and Sports as S3-Rec prepared them, Video as SASRec did; leave-one-out, the whole catalogue, what a user had left
out. `Next()` and `EASE()` as they come. The best published on Beauty and Sports, by networks that know no attributes:
0.0531 and 0.0314 (SASRec with sampled softmax, as told in the eSASRec paper).

RecTools' SASRec on Video: sampled softmax with 64 others, 64 factors, 2 blocks, its documentation's rate and dropout,
30 epochs, judged after each on the very events that count, and the best of them kept, which favours it.

A fit takes minutes: what was measured stands in the cache folder (SHORTLIST_CACHE) and is not measured again.
Intervals: 1.96 standard errors over users.
"""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import _ours
import _peers
import _result
from defaults_quality import sets

HERE = Path(__file__).parent / "next_amazon"
DATA = {
    "amazon-beauty_s3rec": ("Next", "EASE", "Next, no attributes"),
    "amazon-sports_s3rec": ("Next", "EASE"),
    "amazon-video_sasrec": ("Next", "EASE"),
}


def main() -> None:
    """Measure and write the result."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir()))
    rows: list[dict[str, Any]] = []
    of: dict[tuple[str, str], float] = {}
    for data, names in DATA.items():
        folder = sets.write(data, sets.shared_data(), cache / "shortlist-sets")
        for name in names:
            found = _ours.once(
                "next-amazon", f"{data}, {name}", HERE / "by_ours.py", folder, sets.shared_data() / data, name
            )
            told = found["told"]
            for metric, figure in told["metrics"].items():
                value, error = figure["value"], 1.96 * figure["error"]
                more = {"low": value - error, "high": value + error, "users": told["users"], "commit": found["commit"]}
                more["fit_seconds"] = told["seconds"]
                rows.append(_result.row(data, name, f"shortlist {_result.version()}", metric, value, **more))
            of[data, name] = told["metrics"]["ndcg@10"]["value"]
    rows.append(rectools(cache))
    figures = {f"{name}_ndcg@10": of[f"amazon-{name}_s3rec", "Next"] for name in ("beauty", "sports")}
    _result.write("next-amazon", figures, rows)


def rectools(cache: Path) -> dict[str, Any]:
    """The row of RecTools' SASRec at the best of its epochs."""
    data = "amazon-video_sasrec"
    folder = sets.write(data, sets.shared_data(), cache / "shortlist-sets")
    found = _ours.once(
        "next-amazon", f"{data}, RecTools SASRec", HERE.parent / "next_speed/by_rectools.py",
        folder, "sampled_softmax", "64", "50", "30", "64", "judged",
        by=partial(_peers.run, peers="peers-rectools-torch"),
    )  # fmt: skip
    path = found["told"]["path"]
    epoch = max(range(len(path)), key=lambda place: path[place][1])
    more = {"epochs": epoch + 1, "fit_seconds": path[epoch][0], "commit": found["commit"]}
    return _result.row(data, "SASRec", found["told"]["version"], "ndcg@10", path[epoch][1], **more)


if __name__ == "__main__":
    main()
