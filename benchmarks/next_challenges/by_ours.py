"""av_challenges by ours: `by_ours.py SEED pipeline`, `by_ours.py SEED RECIPE`, `by_ours.py SEED new SHARE`.

Prints map@3 with its interval, and recall@10: of the pipeline and of each of its retrievers by itself, or of a recipe.
With `new` a share of the items, drawn by the seed, is in no event that is learnt from, and recall@10 is that of these
alone among the last three.
"""

import json
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

import shortlist as sl
from next_challenges import challenges

TRAINING = sl.Next().training.model_copy(update={"epochs": 12})
DOCUMENT = sl.Training(epochs=60, batch_size=7 * 256, learning_rate=0.003, weight_decay=0.0, epsilon=1e-8)
"""256 histories a batch as in the document; where it went down plainly for 246 epochs, Adam does for 60."""
GRU = sl.Next(network="gru", factors=256, hidden=512, training=TRAINING)
RETRIEVERS: dict[str, Any] = {
    "Next gru": GRU,
    "CoVisit": sl.CoVisit(window="3us", decay=None, half_life="3us", direction="forward"),
    "EASE": sl.EASE(),
    "Popular": sl.Popular(window=None),
}
ALONE: dict[str, Any] = {
    "Next sasrec": sl.Next(network="sasrec", factors=256, layers=2, training=TRAINING),
    "Next mlp, focal, as in the document": sl.Next(
        network="mlp", factors=50, hidden=256, layers=2, length=7, ahead=3, places="last", loss="focal", dropout=0.2,
        attributes=(), tied=False, training=DOCUMENT,
    ),
}  # fmt: skip
FEATURES = sl.Features(half_lives=("2us", "5us"), windows=("2us", "5us"), habit_half_life="5us", habit_window="5us")
PIPELINE = sl.Pipeline(
    retrievers=tuple(RETRIEVERS.values()),
    ranker=sl.LambdaMART(objective="lambdarank", truncation=5),
    features=FEATURES,
    candidates=100,
    horizon="3us",
    slices=1,
    negatives=0.3,
    filter_seen=True,
)


def main(seed: int, name: str) -> None:
    """Print the figures of the pipeline and its retrievers, or of a recipe."""
    split = challenges.split(seed)
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    recipe = PIPELINE if name == "pipeline" else sl.Pipeline(retrievers=(ALONE[name],), filter_seen=True)
    started = time.perf_counter()
    fitted = recipe.fit(split.train)
    told = {"Pipeline" if name == "pipeline" else name: fitted} | (_alone(fitted) if name == "pipeline" else {})
    seconds = time.perf_counter() - started
    found = {}
    for model, one in told.items():
        table = sl.evaluate(one.recommend(users, 10), split, ["map@3", "recall@10"], name="it").table
        rows = table.filter(model="it").to_dicts()
        found[model] = {row["metric"]: {key: row[key] for key in ("value", "low", "high")} for row in rows}
    print(json.dumps({"seconds": seconds, "users": len(users), "models": found}))


def _alone(fitted: sl.FittedPipeline) -> dict[str, sl.FittedPipeline]:
    """A pipeline of each retriever, as it was fitted in the one given."""
    alone = {}
    for (name, recipe), (source, model) in zip(RETRIEVERS.items(), fitted.retrievers.items(), strict=True):
        made = sl.Pipeline(retrievers=(recipe,), filter_seen=True)
        alone[name] = replace(fitted, recipe=made, retrievers={source: model}, ranker=None, features=None)
    return alone


def new(seed: int, share: float) -> None:
    """Print recall@10 of items that nobody met in training."""
    events, items, drawn = challenges.tables(seed)
    met = events["item_id"].unique().sort().to_numpy()
    fresh = np.random.default_rng(seed + 1).permutation(met)[: int(share * len(met))].tolist()
    asked = pl.col("user_id").is_in(drawn) & (pl.col("position") > 10)
    train = events.filter(~asked & ~pl.col("item_id").is_in(fresh))
    truth = events.filter(asked & pl.col("item_id").is_in(fresh)).select("user_id", "item_id")
    data = challenges.read(train, items)
    # How many submissions a challenge had is known only once it is no longer new.
    columns = tuple(name for name in items.columns if name not in ("item_id", "total_submissions"))
    recipe = GRU.model_copy(update={"attributes": columns, "forget": 0.2})
    fitted = sl.Pipeline(retrievers=(recipe,), filter_seen=True).fit(data)
    users = truth["user_id"].unique(maintain_order=True).to_list()
    of_all, of_new = fitted.recommend(users, 10), fitted.recommend(users, 10, candidates=fresh)
    known, lists = events.filter(~asked), {"Next gru": of_all, "Next gru, among the new": of_new}
    submitted = items.select("item_id", n=pl.col("total_submissions").fill_null(0))
    for name, counted in {
        # Nobody could know this of items that are new: the strongest that popularity could be.
        "most popular, had it been known": known.group_by("item_id").agg(n=pl.len()),
        "most submissions": submitted,
    }.items():
        best = counted.sort(["n", "item_id"], descending=[True, False])
        for among, chosen in (("", best), (", among the new", best.filter(pl.col("item_id").is_in(fresh)))):
            ten = chosen.head(10).select("item_id").with_row_index("rank", offset=1)
            whom = pl.DataFrame({"user_id": users}, schema={"user_id": truth["user_id"].dtype})
            lists[name + among] = whom.join(ten, how="cross")
    found = {}
    for name, one in lists.items():
        table = sl.evaluate(one, truth, ["recall@10"], name="it", history=data).table
        found[name] = {key: table.filter(model="it")[key][0] for key in ("value", "low", "high")}
    chance = {"value": 10 / len(fresh), "low": None, "high": None}
    print(
        json.dumps(
            {
                "users": len(users),
                "new items": len(fresh),
                "metrics": found | {"drawn at random, among the new": chance},
            }
        )
    )


if __name__ == "__main__":
    if sys.argv[2] == "new":
        new(int(sys.argv[1]), float(sys.argv[3]))
    else:
        main(int(sys.argv[1]), sys.argv[2])
