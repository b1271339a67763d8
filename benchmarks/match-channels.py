"""Claim match-channels: the contents of topics that nobody has linked yet, step by step, out of fold.

    python benchmarks/match-channels.py

le_channels: 743 topics with known links, 7,794 contents, 33 languages, five folds of topics. Topics of level 3 and 4
stay with the one of level 2 above them, so that their contents are unknown together; other depths stand in the rows.
Contents that only held-out topics have stay candidates. Fitted and cut on four folds, judged on the fifth: nothing of
a fold is known when its lists are made, the number of items at which they end included.

What is not cut has no length of its own: its F2 is the best of lengths 1 to 20 and of margins below the best score,
found on the very topics that it is judged on, which favours it. recall@50 of the steps without a ranker is that of
their first 50; "union" is the first 50 of the ranker among the candidates of the union. A step's gain over the one
before is paired by topic. Of the whole it is told what a source less, one more, and a cross-encoder that reads the best
20 of each list again do. multilingual-e5-small, in four bits, is asked as it is (`_encoders.py`), by itself and in the
whole; its vectors are kept between folds, so its seconds are not counted.

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
from match_channels.whole import RECIPE, SEARCH, SEARCHES, SOURCES, K, figures

FOLDS, DEPTH = 5, 2
E5 = sl.TextMatch(encoder=sl.Pretrained(folder=str(_encoders.e5())))
STEPS: dict[str, tuple[Any, ...]] = {
    "TF-IDF in the language": (SEARCH,),
    "BM25 in the language": (sl.TextSearch(weighting="bm25"),),
    "TextMatch in the language": (SOURCES[4],),
    "multilingual-e5-small in the language, as it is": (E5,),
    "TF-IDF in language and channel": (SOURCES[1],),
    "four searches fused": SEARCHES,
    "four searches and TextMatch fused": SOURCES,
}
RANKED, CUT = "+ LambdaMART on features of pairs", "+ cut"


def main() -> None:
    """Measure and write the result."""
    data = channels.read()
    version = f"shortlist {_result.version()}"
    rows: list[dict[str, Any]] = []
    whole = judged(data, DEPTH, STEPS)
    last: dict[str, np.ndarray] = {}
    for name, told in whole["steps"].items():
        for metric, each in told.items():
            more = _result.interval(each) | {"split": f"{FOLDS} folds, depth {DEPTH}", "topics": len(each)}
            if metric in last:
                more |= _result.gained(each - last[metric])
            rows.append(_result.row("le_channels", name, version, metric, float(each.mean()), **more))
            last[metric] = each
    others = {("the whole", depth): judged(data, depth, {}) for depth in (1, 3)}
    others["the whole without TextMatch", DEPTH] = judged(data, DEPTH, {}, retrievers=SEARCHES)
    others["the whole and multilingual-e5-small", DEPTH] = judged(data, DEPTH, {}, retrievers=(*SOURCES, E5))
    others["the whole and a cross-encoder, our own", DEPTH] = judged(data, DEPTH, {}, reranker=sl.CrossEncoder())
    for (name, depth), other in others.items():
        for metric, step in {"recall@50": RANKED, "f2": CUT}.items():
            each = other["steps"][step][metric]
            more = _result.interval(each) | {"split": f"{FOLDS} folds, depth {depth}", "topics": len(each)}
            if depth == DEPTH:  # what a source less, or more, does by topic
                more |= _result.gained(each - whole["steps"][step][metric]) | {"gain_over": "over the whole"}
            rows.append(_result.row("le_channels", name, version, metric, float(each.mean()), **more))
    rows.append(_result.row("le_channels", "the whole", version, "seconds", whole["seconds"], rules=whole["rules"]))
    figures = {
        "recall@50_union": float(whole["steps"][RANKED]["recall@50"].mean()),
        "f2": float(whole["steps"][CUT]["f2"].mean()),
        "minutes": whole["seconds"] / 60,
    }
    _result.write("match-channels", figures, rows)


def judged(data: sl.Dataset, depth: int, steps: dict[str, tuple[Any, ...]], **changed: Any) -> dict[str, Any]:
    """The figures of every topic for the steps, the ranker and the cut; and the seconds of the whole alone.

    `changed` are parts of the whole that are others.
    """
    lists: dict[str, list[pl.DataFrame]] = {}
    truths, seconds, rules = [], 0.0, []
    for number, fold in enumerate(sl.k_fold(data, FOLDS, by=sl.Tree(depth=depth), keep_items=True), 1):
        truth = fold.test.pairs()
        truths.append(truth)
        users = truth["user_id"].unique(maintain_order=True)
        for name, those in steps.items():
            alone = sl.Pipeline(retrievers=those, candidates=RECIPE.candidates, filter_seen=False).fit(fold.train)
            lists.setdefault(name, []).append(alone.recommend(users, K))
        started = time.perf_counter()
        recipe = RECIPE.model_copy(update={"folds": sl.Folds(by=sl.Tree(depth=depth)), **changed})
        fitted = recipe.fit(fold.train)
        lists.setdefault(CUT, []).append(fitted.recommend(users, K))
        seconds += time.perf_counter() - started
        lists.setdefault(RANKED, []).append(replace(fitted, cut=None).recommend(users, K))
        rules.append(f"{fitted.cut.recipe.rule} {fitted.cut.recipe.value or ''}".strip())
        print(f"depth {depth}, fold {number}: {rules[-1]}, {seconds:.0f} s", file=sys.stderr, flush=True)
    truth = pl.concat(truths)
    order = [*steps, RANKED, CUT]
    told = {name: figures(pl.concat(lists[name]), truth, cut=name == CUT) for name in order}
    return {"steps": told, "seconds": seconds, "rules": rules}


if __name__ == "__main__":
    main()
