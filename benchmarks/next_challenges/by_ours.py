"""One recipe on av_challenges: `by_ours.py SEED RECIPE`, or `by_ours.py SEED new SHARE` for items that are new.

Prints map@3 with its interval, and recall@10; with `new` a share of the items, drawn by the seed, is in no event that
is learnt from, and recall@10 is that of these alone among the last three.
"""

import json
import sys
import time
from typing import Any

import numpy as np
import polars as pl

import shortlist as sl
from next_challenges import challenges

TRAINING = sl.Next().training.model_copy(update={"epochs": 12})
DOCUMENT = sl.Training(epochs=200, batch_size=256, learning_rate=0.003, weight_decay=0.0, epsilon=1e-8)
"""256 histories a batch as in the document; its plain gradient descent is ours by Adam."""
COVISIT = sl.CoVisit(window="3us", decay=None, half_life="3us", direction="forward")
SINGLE: dict[str, Any] = {
    "Next gru": sl.Next(network="gru", factors=256, hidden=512, training=TRAINING),
    "Next sasrec": sl.Next(network="sasrec", factors=256, layers=2, training=TRAINING),
    "Next mlp, focal, as in the document": sl.Next(
        network="mlp", factors=50, hidden=256, layers=2, length=7, ahead=3, places="last", loss="focal", dropout=0.2,
        attributes=(), tied=False, training=DOCUMENT,
    ),
    "CoVisit": COVISIT,
    "EASE": sl.EASE(),
    "ItemKNN": sl.ItemKNN(),
    "Popular": sl.Popular(window=None),
}  # fmt: skip
FEATURES = sl.Features(half_lives=("2us", "5us"), windows=("2us", "5us"), habit_half_life="5us", habit_window="5us")
PIPELINE = sl.Pipeline(
    retrievers=(SINGLE["Next gru"], SINGLE["Next sasrec"], COVISIT, sl.EASE(), sl.Popular(window=None)),
    ranker=sl.LambdaMART(objective="lambdarank", truncation=5),
    features=FEATURES,
    candidates=100,
    horizon="3us",
    slices=1,
    negatives=0.3,
    filter_seen=True,
)


def main(seed: int, name: str) -> None:
    """Print the figures of a recipe."""
    split = challenges.split(seed)
    single = name in SINGLE
    recipe = sl.Pipeline(retrievers=(SINGLE[name],), filter_seen=True) if single else PIPELINE
    started = time.perf_counter()
    fitted = recipe.fit(split.train)
    seconds = time.perf_counter() - started
    lists = fitted.recommend(split.test.pairs()["user_id"].unique(maintain_order=True), 10)
    told = sl.evaluate(lists, split, ["map@3", "recall@10"], name="it").table.filter(model="it")
    rows = {row["metric"]: {key: row[key] for key in ("value", "low", "high")} for row in told.to_dicts()}
    print(json.dumps({"seconds": seconds, "users": lists["user_id"].n_unique(), "metrics": rows}))


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
    recipe = SINGLE["Next gru"].model_copy(update={"attributes": columns, "forget": 0.2})
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
