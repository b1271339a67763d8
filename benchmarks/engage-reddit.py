"""Claim engage-reddit: the score of a post from its title, columns and time, on a random part that was held out.

    python benchmarks/engage-reddit.py

reddit_top: 403,510 posts; 15 % drawn by seed 0 are judged, all else is learnt from, by the defaults of
`TabularRegression` for each metric. "everything": title, subreddit, domain, is_self, over_18, time. "without the
subreddit": the domain of a post without a link names the subreddit, and stays. "text and time": neither subreddit nor
domain nor is_self. `mse_to_constant` is the mean squared error by that of the mean of what was learnt from.

The split by time judges the last 15 % of the posts; what stops the trees and gives the intervals are then the last of
those before. Posts are each subreddit's best when they were collected: a split by time is not as hard as the future.

Intervals: 1.96 standard errors over posts, of the mean squared error of log(1 + score), its root taken.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import _result
import shortlist as sl

CATEGORIES = {
    "everything": ("subreddit", "domain", "is_self", "over_18"),
    "without the subreddit": ("domain", "is_self", "over_18"),
    "text and time": ("over_18",),
}
FIGURES = {"everything": "all", "without the subreddit": "without_subreddit", "text and time": "text_and_time"}
SHARE = 0.15
RANDOM, LATE = "random 85/15", "last 15 % in time"


def main() -> None:
    """Measure and write the result."""
    folder = Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[2] / "shared/data"))
    posts = pl.read_parquet(folder / "reddit_top/posts.parquet")
    count = posts.height
    drawn = np.zeros(count, bool)
    drawn[np.random.default_rng(0).permutation(count)[: int(SHARE * count)]] = True
    late = np.zeros(count, bool)
    late[np.argsort(posts["created_utc"].to_numpy(), kind="stable")[-int(SHARE * count) :]] = True
    rows: list[dict[str, Any]] = []
    figures = {}
    for name, figure in FIGURES.items():
        figures[f"rmsle_{figure}"] = judged(rows, posts, drawn, name, "rmsle", RANDOM)["rmsle"]
    figures["mse_to_constant"] = judged(rows, posts, drawn, "everything", "rmse", RANDOM)["mse_to_constant"]
    judged(rows, posts, late, "everything", "rmsle", LATE, last=True)
    judged(rows, posts, drawn, "everything", "rmsle", RANDOM, target="num_comments")
    for held, split, target in ((drawn, RANDOM, "score"), (late, LATE, "score"), (drawn, RANDOM, "num_comments")):
        rows += constants(posts, held, split, target)
    _result.write("engage-reddit", figures, rows)


def judged(
    rows: list[dict[str, Any]],
    posts: pl.DataFrame,
    held: np.ndarray,
    name: str,
    metric: Any,
    split: str,
    *,
    last: bool = False,
    target: str = "score",
) -> dict[str, float]:
    """Learn, answer what was held out, and tell of it in `rows`."""
    columns = sl.Columns(texts=("title",), categories=CATEGORIES[name], time="created_utc")
    recipe = sl.TabularRegression(targets=(target,), columns=columns, metric=metric, last=last)
    started = time.perf_counter()
    fitted = recipe.fit(posts.filter(pl.Series(~held)))
    seconds = time.perf_counter() - started
    answers = fitted.predict(posts.filter(pl.Series(held)))
    answer, low, high = (answers[part].to_numpy() for part in ("prediction", "low", "high"))
    true, known = numbers(posts, held, target)
    told = {
        "rmsle": float(np.sqrt(np.mean((np.log1p(answer) - np.log1p(true)) ** 2))),
        "mse_to_constant": float(np.mean((answer - true) ** 2) / np.mean((true - known.mean()) ** 2)),
        "mae": float(np.mean(np.abs(answer - true))),
        "share in the 90 % interval": float(np.mean((low <= true) & (true <= high))),
        "seconds of the fit": seconds,
    }
    squares = (np.log1p(answer) - np.log1p(true)) ** 2
    error = 1.96 * float(squares.std()) / np.sqrt(len(squares))
    ends = {"low": float(np.sqrt(squares.mean() - error)), "high": float(np.sqrt(squares.mean() + error))}
    model = f"TabularRegression for {metric}, {name}: {target}"
    for measured, value in told.items():
        more = (ends if measured == "rmsle" else {}) | {"split": split, "way": fitted.numbers[target].way}
        rows.append(_result.row("reddit_top", model, f"shortlist {_result.version()}", measured, value, **more))
    print(model, split, told, file=sys.stderr, flush=True)
    print(fitted, file=sys.stderr, flush=True)
    return told


def constants(posts: pl.DataFrame, held: np.ndarray, split: str, target: str) -> list[dict[str, Any]]:
    """Rows of what says the same of every post."""
    true, known = numbers(posts, held, target)
    said = {"mean": known.mean(), "mean of log(1 + number)": np.expm1(np.log1p(known).mean())}
    return [
        _result.row("reddit_top", f"{name}: {target}", "", "rmsle", rmsle, split=split)
        for name, value in said.items()
        for rmsle in [float(np.sqrt(np.mean((np.log1p(value) - np.log1p(true)) ** 2)))]
    ]


def numbers(posts: pl.DataFrame, held: np.ndarray, target: str) -> tuple[np.ndarray, np.ndarray]:
    """What is judged, and what is learnt from."""
    number = posts[target].to_numpy().astype(float)
    return number[held], number[~held]


if __name__ == "__main__":
    main()
