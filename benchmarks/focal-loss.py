"""The study of focal loss: map@3 of one network with one loss after the other, at an equal budget, on av_challenges.

    python benchmarks/focal-loss.py

The document's network (the vectors of the seven side by side, two hidden layers, the next three at once, from the last
place alone; 30 epochs, the better of two learning rates on the users judged, for all alike), and gated recurrent units
that learn at every place what comes next (5 epochs, one rate). The users are those that seed 7
draws, a fifth; differences to softmax are paired, by bootstrap over users. Not a claim: docs/studies/focal-loss.md
tells what came of it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import _ours
import _result

HERE = Path(__file__).parent / "focal_loss"
NETWORKS = ("mlp, last place, next three", "gru, every place, next one")


def main() -> None:
    """Measure and write the result."""
    rows: list[dict[str, Any]] = []
    figures = {}
    for network in NETWORKS:
        for found in _ours.run(HERE / "by_ours.py", network):
            model = f"{network}: {found['loss']}"
            more = {key: found[key] for key in ("low", "high", "rate", "fit_seconds", "less", "p")} | {"seed": 7}
            rows.append(
                _result.row(
                    "av_challenges", model, f"shortlist {_result.version()}", "map@3", found["value"], split="", **more
                )
            )
            figures[f"map@3 {network.split(',')[0]} {found['loss']}"] = found["value"]
            print(model, json.dumps(found), file=sys.stderr, flush=True)
    _result.write("focal-loss", figures, rows)


if __name__ == "__main__":
    main()
