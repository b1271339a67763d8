"""LensKit tuned on a set, in its own Python: `peers_lenskit.py SET_FOLDER OUT [MODEL ...]`; see tuning.py.

It makes lists one user after the other, so the search judges 5,000 users drawn at random; the best settings are then
judged on all. Its EASE would read its whole dense matrix for each user: its weights are its own, and the same lists are
made of them here, by a matrix product for many users at once.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from lenskit.als import ImplicitMFScorer
from lenskit.batch import recommend
from lenskit.data import from_interactions_df
from lenskit.knn import EASEScorer, ItemKNNScorer
from lenskit.pipeline import topn_pipeline
from lenskit.training import TrainingOptions

from defaults_quality.sets import Cut, K, read
from defaults_quality.tuning import Contestant, best, seconds, tune

USERS = 5000
EVENTS = 100_000
"""Of training, up to which ImplicitMF is searched."""
_BLOCK = 1024


def _item_knn(**settings: int) -> ItemKNNScorer:
    return ItemKNNScorer(feedback="implicit", **settings)


CONTESTANTS = {
    "itemknn": Contestant(_item_knn, {"max_nbrs": [5, 10, 20, 50, 100, 200]}, [{"max_nbrs": 20}]),
    "implicitmf": Contestant(
        ImplicitMFScorer,
        {
            "weight": [0.5, 1, 2, 5, 10, 20, 40],
            "regularization": [0.1, 1, 5, 10, 20, 50, 100],
            "embedding_size": [32, 64, 128, 256],
            "epochs": [15],
        },
        [{"weight": 5, "regularization": 20, "embedding_size": 64, "epochs": 15}],
    ),
    "implicitmf with its defaults": Contestant(ImplicitMFScorer, {"weight": [40]}),
    "ease": Contestant(
        EASEScorer, {"regularization": [1, 10, 25, 50, 100, 250, 500, 1000, 2000]}, [{"regularization": 50}]
    ),
    "ease with its defaults": Contestant(EASEScorer, {"regularization": [1]}),
}


def main(folder: str, out: str, *names: str) -> None:
    """Print every row that was measured."""
    cut = read(folder)
    told = {"tool": "LensKit", "version": f"LensKit {version('lenskit')}"}
    rows = []
    for name in names or CONTESTANTS:
        model = CONTESTANTS[name]
        if name == "implicitmf" and cut.matrix.nnz > EVENTS:
            why = (
                f"{cut.matrix.nnz:,} events: the loss of implicit's ALS, which is searched here in a tenth of the time"
            )
            rows.append({"set": cut.name, **told, "model": name, "left_out": why})
        elif name.startswith("ease"):
            rows += tune(cut, told, name, model, _judge_ease, Path(out))
        else:
            found = tune(cut.some(USERS), told, name, model, _judge, Path(out))
            if len(cut.users) > USERS:
                grid = {setting: [value] for setting, value in best(found)["settings"].items()}
                found += tune(cut, told, name, Contestant(model.make, grid), _judge, Path(out))
            rows += found
    print(json.dumps(rows))


def _judge(model, cut: Cut) -> tuple[np.ndarray, float, float]:
    data = from_interactions_df(cut.train[["user_id", "item_id"]])
    pipeline = topn_pipeline(model, n=K)
    took: list[float] = []
    with seconds(took):
        pipeline.train(data, TrainingOptions(rng=0))
    with seconds(took):
        shown = recommend(pipeline, cut.users.tolist(), n=K, n_jobs=1).to_df()
    lists = np.full((len(cut.users), K), -1)
    # Lists come best first.
    lists[np.searchsorted(cut.users, shown["user_id"]), shown.groupby("user_id").cumcount()] = shown["item_id"]
    return lists, *took


def _judge_ease(model, cut: Cut) -> tuple[np.ndarray, float, float]:
    data = from_interactions_df(cut.train[["user_id", "item_id"]])
    took: list[float] = []
    with seconds(took):
        model.train(data, TrainingOptions(rng=0))
    ids_I = model.items.ids()
    lists = np.empty((len(cut.users), K), np.int64)
    with seconds(took):
        for start in range(0, len(lists), _BLOCK):
            had_BI = cut.matrix[cut.users[start : start + _BLOCK]][:, ids_I]
            score_BI = had_BI @ model.weights
            score_BI[had_BI.nonzero()] = -np.inf
            some_BK = np.argpartition(-score_BI, K, axis=1)[:, :K]
            order_BK = np.argsort(-np.take_along_axis(score_BI, some_BK, axis=1), axis=1)
            lists[start : start + _BLOCK] = ids_I[np.take_along_axis(some_BK, order_BK, axis=1)]
    return lists, *took


if __name__ == "__main__":
    main(*sys.argv[1:])
