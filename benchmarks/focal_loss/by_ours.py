"""All losses with one network: `by_ours.py NETWORK LOSS;...`. Prints a row for each loss, the highest first."""

import json
import os
import sys
import time
from typing import Any

import shortlist as sl
from next_challenges import challenges

SEED = 7
TRAINING = sl.Next().training
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mlp, last place, next three": (
        {"network": "mlp", "factors": 50, "layers": 2, "length": 7, "ahead": 3, "places": "last", "tied": False},
        {"epochs": 40, "batch_size": 7 * 256},
    ),
    "gru, every place, next one": ({"network": "gru", "factors": 128, "hidden": 256}, {"epochs": 4}),
}
LOSSES: dict[str, dict[str, Any]] = {
    "softmax": {"loss": "softmax"},
    "bce": {"loss": "bce"},
    "focal, α 0.25, γ 2": {"loss": "focal"},
    "gbce, 256": {"loss": "gbce", "negatives": 256},
}


def main(network: str, losses: str) -> None:
    """Print the rows."""
    if hasattr(os, "sched_setaffinity"):  # each on a core of its own
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[list(NETWORKS).index(network) % len(cores)]})
    split = challenges.split(SEED)
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    shape, plan = NETWORKS[network]
    found_of: dict[str, Any] = {}
    for name in losses.split("; "):
        recipe = sl.Next(**shape, **LOSSES[name], attributes=(), training=TRAINING.model_copy(update=plan))
        started = time.perf_counter()
        fitted = sl.Pipeline(retrievers=(recipe,), filter_seen=True).fit(split.train)
        seconds = time.perf_counter() - started
        lists = fitted.recommend(users, 3)
        table = sl.evaluate(lists, split, ["map@3"], name="it").table.filter(model="it")
        row = {key: table[key][0] for key in ("value", "low", "high")}
        print(network, name, row["value"], seconds, file=sys.stderr, flush=True)
        found_of[name] = {"loss": name, **row, "fit_seconds": seconds, "lists": lists}
    others = {name: found["lists"] for name, found in found_of.items() if name != "softmax"}
    told = sl.evaluate(found_of["softmax"]["lists"], split, ["map@3"], against=others, name="softmax").differences
    for name, found in found_of.items():
        del found["lists"]
        row = told.filter(baseline=name).to_dicts()
        found["less"] = None if not row else f"{row[0]['difference']:.4f} [{row[0]['low']:.4f}, {row[0]['high']:.4f}]"
        found["p"] = None if not row else row[0]["p_holm"]
    print(json.dumps(sorted(found_of.values(), key=lambda found: -found["value"])))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
