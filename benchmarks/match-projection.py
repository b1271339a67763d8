"""Not a claim: what a projection learnt on the vectors of an encoder that stays as it is does, alone and in the whole.

    python benchmarks/match-projection.py

le_channels in the five folds of match-channels (depth 2). The encoder is multilingual-e5-small, in four bits
(`_encoders.py`); its vectors are made once and kept, so their seconds are not counted. The whole is that of
match-channels; what is added is one more source of candidates, and its scores among the features. recall@50 of what is
not cut is that of the first 50. Gains are paired by topic: of the projection over the encoder as it is, and of the
whole with it over the whole.

Intervals: 1.96 standard errors over topics.
"""

import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

import _encoders
import _result
import shortlist as sl
from match_channels import channels
from match_channels.whole import RECIPE, SOURCES, K, figures

FOLDS, DEPTH = 5, 2
E5 = sl.Pretrained(folder=str(_encoders.e5()))
PROJECTED = sl.TextMatch(encoder=E5, projection=True)
ALONE = {
    "multilingual-e5-small, as it is": sl.TextMatch(encoder=E5),
    "multilingual-e5-small, projection": PROJECTED,
}
WHOLE = {
    "the whole": RECIPE,
    "the whole and multilingual-e5-small, projection": RECIPE.model_copy(update={"retrievers": (*SOURCES, PROJECTED)}),
}


def main() -> None:
    """Measure and write the result."""
    told: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in (*ALONE, *WHOLE)}
    seconds = dict.fromkeys(told, 0.0)
    for number, fold in enumerate(sl.k_fold(channels.read(), FOLDS, by=sl.Tree(depth=DEPTH), keep_items=True), 1):
        for name in told:
            started = time.perf_counter()
            found = lists(name, fold)
            seconds[name] += time.perf_counter() - started
            for metric, each in found.items():
                told[name].setdefault(metric, []).append(each)
            means = {metric: round(float(each.mean()), 4) for metric, each in found.items()}
            print(f"fold {number}: {name}: {means}, {seconds[name]:.0f} s", file=sys.stderr, flush=True)
    rows = []
    for kind in (ALONE, WHOLE):
        first = next(iter(kind))
        for name in kind:
            for metric, parts in told[name].items():
                each = np.concatenate(parts)
                more = _result.interval(each) | {"topics": len(each)}
                if name != first:
                    more |= _result.gained(each - np.concatenate(told[first][metric]))
                rows.append(row(name, metric, float(each.mean()), **more))
            rows.append(row(name, "seconds", seconds[name]))
    _result.write("match-projection", {f"{each['model']}: {each['metric']}": each["value"] for each in rows}, rows)


def lists(name: str, fold: sl.Split) -> dict[str, np.ndarray]:
    """recall@50 of every topic of a fold, and F2 of what is cut."""
    truth = fold.test.pairs()
    users = truth["user_id"].unique(maintain_order=True)
    if name in ALONE:
        alone = sl.Pipeline(retrievers=(ALONE[name],), candidates=K, filter_seen=False).fit(fold.train)
        return {"recall@50": recall(alone.recommend(users, K), truth)}
    fitted = WHOLE[name].fit(fold.train)
    cut = figures(fitted.recommend(users, K), truth, cut=True)["f2"]
    return {"recall@50": recall(replace(fitted, cut=None).recommend(users, K), truth), "f2": cut}


def recall(found: pl.DataFrame, truth: pl.DataFrame) -> np.ndarray:
    """recall@50 of each topic, in one order."""
    return figures(found, truth, cut=False)["recall@50"]


def row(name: str, metric: str, value: float, **more: Any) -> dict[str, Any]:
    """A row of the result."""
    return _result.row("le_channels", name, f"shortlist {_result.version()}", metric, value, **more)


if __name__ == "__main__":
    main()
