"""The whole that match-channels measures: sources, a ranker on features of pairs, a cut; and the figures of lists."""

import numpy as np
import polars as pl

import shortlist as sl

K = 50
CHANNEL = ("language", "channel")
SEARCH = sl.TextSearch()
SEARCHES = (
    SEARCH,
    sl.TextSearch(within=CHANNEL),
    sl.TextSearch(within=CHANNEL, weighting="bm25"),
    sl.TextSearch(users=sl.Text(columns=("title",), ancestors=0), items=sl.Text(columns=("title",))),
)
SOURCES = (*SEARCHES, sl.TextMatch())
RECIPE = sl.Pipeline(
    retrievers=SOURCES,
    ranker=sl.LambdaMART(objective="binary", leaves=15, min_rows=40, rounds=200),
    features=sl.MatchFeatures(),
    folds=sl.Folds(by=sl.Tree(depth=2)),
    candidates=400,
    negatives=1.0,
    filter_seen=False,
    cut=sl.Cut(),
)


def figures(lists: pl.DataFrame, truth: pl.DataFrame, *, cut: bool) -> dict[str, np.ndarray]:
    """recall@50 and F2 of each topic, in one order; F2 of what is not cut at the best of all lengths and margins."""
    wanted = truth.group_by("user_id").agg(wanted=pl.len()).sort("user_id")
    hits = lists.join(truth.with_columns(hit=1), on=["user_id", "item_id"], how="left").fill_null(0)

    def each(kept: pl.Expr) -> tuple[np.ndarray, np.ndarray]:
        told = hits.filter(kept).group_by("user_id").agg(hits=pl.col("hit").sum(), length=pl.len())
        joined = wanted.join(told, on="user_id", how="left").fill_null(0).sort("user_id")
        found, length, true = (joined[name].to_numpy() for name in ("hits", "length", "wanted"))
        return found / true, 5 * found / (4 * true + length)

    recall, f2 = each(pl.col("rank") <= K)
    if cut:
        return {"f2": f2}
    rules = [pl.col("rank") <= k for k in range(1, 21)]
    if (lists["score"] > 0).all():
        best = pl.col("score").max().over("user_id")
        rules += [pl.col("score") >= (1 - margin) * best for margin in np.arange(0.05, 1, 0.05)]
    return {"recall@50": recall, "f2": max((each(rule)[1] for rule in rules), key=lambda f2: float(f2.mean()))}
