"""LightFM tuned on a set, in its own Python: `peers_lightfm.py SET_FOLDER OUT`; see tuning.py.

Without features, by its WARP loss. It predicts pairs one by one; the same lists are made here of its own vectors and
biases, by a matrix product for many users at once. With two threads its fits are not the same twice, so it has one.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from lightfm import LightFM

from defaults_quality.sets import Cut, K, read
from defaults_quality.tuning import Contestant, seconds, tune

_BLOCK = 1024


class _Warp:
    """A LightFM and the number of epochs, which its `fit` asks for."""

    def __init__(self, epochs: int, l2: float, **settings: float) -> None:
        self.model = LightFM(loss="warp", random_state=0, item_alpha=l2, user_alpha=l2, **settings)
        self.epochs = epochs


WARP = Contestant(
    _Warp,
    {
        "epochs": [10, 30],
        "l2": [0, 1e-6, 1e-5, 1e-4],
        "learning_rate": [0.05],
        "no_components": [32, 64, 128],
    },
    [{"epochs": 30, "l2": 0, "learning_rate": 0.05, "no_components": 64}],
)


def main(folder: str, out: str) -> None:
    """Print every row that was measured."""
    told = {"tool": "LightFM", "version": f"rectools-lightfm {version('rectools-lightfm')}"}
    print(json.dumps(tune(read(folder), told, "warp", WARP, _judge, Path(out))))


def _judge(warp: _Warp, cut: Cut) -> tuple[np.ndarray, float, float]:
    took: list[float] = []
    with seconds(took):
        warp.model.fit(cut.matrix, epochs=warp.epochs, num_threads=1)
    lists = np.empty((len(cut.users), K), np.int64)
    with seconds(took):
        bias_I, y_IF = warp.model.get_item_representations()
        _, x_UF = warp.model.get_user_representations()
        for start in range(0, len(lists), _BLOCK):
            users = cut.users[start : start + _BLOCK]
            score_BI = x_UF[users] @ y_IF.T + bias_I
            score_BI[cut.matrix[users].nonzero()] = -np.inf
            some_BK = np.argpartition(-score_BI, K, axis=1)[:, :K]
            order_BK = np.argsort(-np.take_along_axis(score_BI, some_BK, axis=1), axis=1)
            lists[start : start + _BLOCK] = np.take_along_axis(some_BK, order_BK, axis=1)
    return lists, *took


if __name__ == "__main__":
    main(*sys.argv[1:])
