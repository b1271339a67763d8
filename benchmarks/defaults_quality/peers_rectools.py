"""RecTools tuned on a set, in the peers' Python: `peers_rectools.py SET_FOLDER OUT [MODEL ...]`; see tuning.py.

Its nearest neighbours, ALS and BPR are implicit's own and are tuned there. Its EASE multiplies a history with the
transpose of the paper's matrix (release 0.19.0 divides by the diagonal along the wrong axis for how it scores), so it
finds less than LensKit's. It inverts by elimination, 2.7 times the operations of Cholesky's way: above the
limit of items it is left out, and the row says so.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, PureSVDModel

from defaults_quality.sets import Cut, K, read
from defaults_quality.tuning import Contestant, seconds, tune

EASE_ITEMS = 13_000


CONTESTANTS = {
    "puresvd": Contestant(
        PureSVDModel,
        {"factors": [10, 16, 32, 64, 128, 256, 512]},
        [{"factors": 10}, {"factors": 64}],
    ),
    "ease": Contestant(
        EASEModel,
        {"regularization": [1, 3, 10, 25, 50, 100, 250, 500, 1000, 2000, 4000]},
        [{"regularization": 500}],
    ),
}


def main(folder: str, out: str, *names: str) -> None:
    """Print every row that was measured."""
    cut = read(folder)
    told = {"tool": "RecTools", "version": f"RecTools {version('rectools')}"}
    rows = []
    for name in names or CONTESTANTS:
        items = cut.matrix.shape[1]
        if name == "ease" and items > EASE_ITEMS:
            why = f"{items:,} items: one inverse takes minutes, and LensKit's EASE is there"
            rows.append({"set": cut.name, **told, "model": name, "left_out": why})
        else:
            rows += tune(cut, told, name, CONTESTANTS[name], _judge, Path(out))
    print(json.dumps(rows))


def _judge(model, cut: Cut) -> tuple[np.ndarray, float, float]:
    events = cut.train[["user_id", "item_id"]].set_axis([Columns.User, Columns.Item], axis=1)
    dataset = Dataset.construct(events.assign(**{Columns.Weight: 1.0, Columns.Datetime: pd.Timestamp(0)}))
    took: list[float] = []
    with seconds(took):
        model.fit(dataset)
    with seconds(took):
        shown = model.recommend(users=cut.users, dataset=dataset, k=K, filter_viewed=True)
    lists = np.full((len(cut.users), K), -1)
    lists[np.searchsorted(cut.users, shown[Columns.User]), shown[Columns.Rank] - 1] = shown[Columns.Item]
    return lists, *took


if __name__ == "__main__":
    main(*sys.argv[1:])
