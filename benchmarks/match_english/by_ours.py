"""What match-english measures, a process of its own each.

python by_ours.py recall search|frozen|projected|tuned FOLDER
python by_ours.py whole none|ours FOLDER
python by_ours.py memory nothing|layers|texts FOLDER
"""

import json
import sys
import time
from typing import Any

import polars as pl

import shortlist as sl
from match_channels import channels
from match_channels.whole import RECIPE, K, figures
from shortlist.training.memory import peak

FOLDS, TOKENS, BATCH, STEPS = 5, 64, 64, 5
PLAN = {"epochs": 3, "batch_size": BATCH, "learning_rate": 5e-5, "weight_decay": 0.01, "warm_up": 0.1, "epsilon": 1e-8}


def english() -> sl.Dataset:
    """The topics and contents that are in English."""
    data = channels.read()
    users = data.engine.frame(data.users).filter(language="en").drop("user")
    items = data.engine.frame(data.items).filter(language="en").drop("item")
    pairs = data.pairs()
    mine = pl.col("user_id").is_in(users["user_id"].implode()) & pl.col("item_id").is_in(items["item_id"].implode())
    return sl.Dataset.read(pairs.filter(mine), items, users)


def recall(name: str, folder: str) -> dict[str, Any]:
    """recall@50 of every topic, in one order, and the path of the loss."""
    tuned = sl.Pretrained(folder=folder, fine_tune=True)
    recipes = {
        "search": sl.TextSearch(),
        "frozen": sl.TextMatch(encoder=sl.Pretrained(folder=folder, cache="none")),
        "projected": sl.TextMatch(encoder=sl.Pretrained(folder=folder), projection=True),
        "tuned": sl.TextMatch(encoder=tuned, training=sl.Training(**PLAN, precision="bf16")),
    }
    told: dict[str, Any] = {"recall@50": [], "first loss": [], "last loss": []}
    started = time.perf_counter()
    for fold in sl.k_fold(english(), FOLDS, by=sl.Tree(depth=2), keep_items=True):
        pipeline = sl.Pipeline(retrievers=(recipes[name],), candidates=K, filter_seen=False).fit(fold.train)
        truth = fold.test.pairs()
        lists = pipeline.recommend(truth["user_id"].unique(maintain_order=True), K)
        hits = lists.join(truth.with_columns(hit=1), on=["user_id", "item_id"]).group_by("user_id").agg(hits=pl.len())
        wanted = truth.group_by("user_id").agg(wanted=pl.len()).join(hits, on="user_id", how="left").fill_null(0)
        told["recall@50"] += wanted.sort("user_id").select(pl.col("hits") / pl.col("wanted")).to_series().to_list()
        if name in ("projected", "tuned"):
            (fitted,) = pipeline.retrievers.values()
            losses = fitted.losses["loss"]
            told["first loss"].append(losses[0])
            told["last loss"].append(losses[-1])
        print(name, len(told["recall@50"]), "topics", file=sys.stderr, flush=True)
    return told | {"seconds": time.perf_counter() - started}


def whole(name: str, _: str) -> dict[str, Any]:
    """F2 of every topic by the whole, in one order, with what reads the best again; and what that is worth."""
    rerankers = {"none": None, "ours": sl.CrossEncoder()}
    told: dict[str, Any] = {"f2": [], "losses": []}
    started = time.perf_counter()
    for fold in sl.k_fold(english(), FOLDS, by=sl.Tree(depth=2), keep_items=True):
        pipeline = RECIPE.model_copy(update={"reranker": rerankers[name]}).fit(fold.train)
        truth = fold.test.pairs()
        lists = pipeline.recommend(truth["user_id"].unique(maintain_order=True), K)
        told["f2"] += figures(lists, truth, cut=True)["f2"].tolist()
        told["losses"].append(None if pipeline.reranker is None else dict(pipeline.reranker.losses))
        print(name, len(told["f2"]), "topics", pipeline.reranker or "", file=sys.stderr, flush=True)
    return told | {"seconds": time.perf_counter() - started}


def memory(recompute: Any, folder: str) -> dict[str, float]:
    """The memory that is told, and that is taken, of texts that are all longer than is looked at."""
    import pytorch_lightning  # noqa: F401
    import sentence_transformers  # noqa: F401

    count = BATCH * STEPS
    long = [" ".join(f"word {row} {place}" for place in range(TOKENS)) for row in range(count)]
    users = pl.DataFrame({"user_id": range(count), "title": long})
    items = pl.DataFrame({"item_id": range(count), "title": long})
    data = sl.Dataset.read(pl.DataFrame({"user_id": range(count), "item_id": range(count)}), items, users)
    encoder = sl.Pretrained(folder=folder, fine_tune=True, recompute=recompute, tokens=TOKENS)
    model = sl.TextMatch(encoder=encoder, training=sl.Training(**PLAN | {"epochs": 1}))
    told = sl.memory_report(model, data).of()["total"] / 1e6
    started = time.perf_counter()
    with peak() as most:
        model.fit(data)
    return {"told_mb": told, "peak_mb": most.mb or 0.0, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    made = {"recall": recall, "whole": whole, "memory": memory}[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(made))
