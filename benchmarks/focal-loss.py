"""The study of focal loss: map@3 of one network with one loss after the other, at an equal budget, on av_challenges.

    python benchmarks/focal-loss.py

The document's network (the vectors of the seven side by side, two hidden layers, the next three at once, from the last
place alone; 40 epochs), and gated recurrent units that learn at every place what comes next (4 epochs): one rate, the
same epochs for every loss. The users are those that seed 7 draws, a fifth; differences to softmax are paired, by
bootstrap over users. Not a claim: docs/studies/focal-loss.md tells what came of it. The two networks are measured
beside each other, each on a core of its own where there are two; what was measured stands in the cache folder
(SHORTLIST_CACHE) and is not measured again.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import _ours
import _result

HERE = Path(__file__).parent / "focal_loss"
LOSSES = ("softmax; bce; focal, α 0.25, γ 2", "softmax; gbce, 256")
NETWORKS = ("mlp, last place, next three", "gru, every place, next one")


def main() -> None:
    """Measure and write the result."""
    rows: list[dict[str, Any]] = []
    figures = {}
    parts = [(network, losses) for losses in LOSSES for network in NETWORKS]
    with ThreadPoolExecutor(len(NETWORKS)) as pool:
        told = list(pool.map(lambda part: _ours.once("focal-loss", "; ".join(part), HERE / "by_ours.py", *part), parts))
    for (network, losses), runs in zip(parts, told, strict=True):
        for found in runs["told"]:
            if losses is not LOSSES[0] and found["loss"] == "softmax":
                continue  # the same again, so that the others are paired with it
            model = f"{network}: {found['loss']}"
            more = {key: found[key] for key in ("low", "high", "fit_seconds", "less", "p")} | {
                "seed": 7,
                "commit": runs["commit"],
            }
            rows.append(
                _result.row(
                    "av_challenges", model, f"shortlist {_result.version()}", "map@3", found["value"], split="", **more
                )
            )
            figures[f"map@3 {network.split(',')[0]} {found['loss']}"] = found["value"]
    _result.write("focal-loss", figures, rows)


if __name__ == "__main__":
    main()
