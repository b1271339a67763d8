"""implicit tuned on a set, in its own Python: `peers_implicit.py SET_FOLDER OUT`; see tuning.py."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from threadpoolctl import threadpool_limits

from defaults_quality.sets import Cut, K, read
from defaults_quality.tuning import Contestant, seconds, tune

_NEIGHBOURS = [5, 10, 20, 50, 100, 200, 500, 1000, 2000]
_ALS = {
    "alpha": [0.5, 1, 2, 5, 10, 20, 40, 100, 200, 400],
    "regularization": [0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200],
    "factors": [16, 32, 64, 128, 256, 512],
}
_BPR = {
    "learning_rate": [0.01, 0.03, 0.1],
    "regularization": [0.001, 0.01, 0.03, 0.1],
    "iterations": [100],
    "factors": [64, 128],
}


def _als(**settings: float) -> AlternatingLeastSquares:
    return AlternatingLeastSquares(**settings, iterations=15, random_state=0)


def _bpr(**settings: float) -> BayesianPersonalizedRanking:
    return BayesianPersonalizedRanking(**settings, random_state=0)


CONTESTANTS = {
    "cosine": Contestant(CosineRecommender, {"K": _NEIGHBOURS}),
    "tf-idf": Contestant(TFIDFRecommender, {"K": _NEIGHBOURS}),
    "bm25": Contestant(
        BM25Recommender,
        {"K": _NEIGHBOURS, "B": [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1], "K1": [0.2, 0.5, 1.2, 3, 10, 100]},
        [{"K": 20, "B": 0.75, "K1": 1.2}, {"K": 200, "B": 0.25, "K1": 10}],
    ),
    "als": Contestant(
        _als,
        _ALS,
        [{"alpha": 1, "regularization": 10, "factors": 64}, {"alpha": 10, "regularization": 50, "factors": 64}],
    ),
    "als with its defaults": Contestant(_als, {"alpha": [1], "regularization": [0.01], "factors": [100]}),
    "bpr": Contestant(_bpr, _BPR, [{"learning_rate": 0.03, "regularization": 0.01, "iterations": 100, "factors": 64}]),
}


def main(folder: str, out: str, *names: str) -> None:
    """Print every row that was measured."""
    cut = read(folder)
    told = {"tool": "implicit", "version": f"implicit {version('implicit')}"}
    rows = []
    for name in names or CONTESTANTS:
        rows += tune(cut, told, name, CONTESTANTS[name], _judge, Path(out))
    print(json.dumps(rows))


def _judge(model, cut: Cut) -> tuple[np.ndarray, float, float]:
    took: list[float] = []
    with seconds(took):
        model.fit(cut.matrix, show_progress=False)
    with seconds(took):
        lists, _ = model.recommend(cut.users, cut.matrix[cut.users], N=K, filter_already_liked_items=True)
    return lists, *took


if __name__ == "__main__":
    # implicit asks for this: its own threads stand above those of BLAS.
    with threadpool_limits(1, "blas"):
        main(*sys.argv[1:])
