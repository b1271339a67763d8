"""Our EASE: `by_ours.py SET_FOLDER REGULARIZATION K`.

The clock runs from the tables, read into a Dataset, to the fitted model, and from there to the frame of all users'
lists; a small fit before compiles. Histories without recency, so that the model is the peers'.
"""

import json
import sys
import time

import numpy as np

from defaults_quality.sets import read
from shortlist.account import peak_memory_mb
from shortlist.dataset.dataset import Dataset
from shortlist.models.ease import EASE
from shortlist.pipeline import Pipeline


def main(folder: str, regularization: float, k: int) -> None:
    """Print the seconds of fitting and of recommending, NDCG@10 and the peak of memory."""
    cut = read(folder)
    recipe = Pipeline(retrievers=(EASE(regularization=regularization, recency=None),), filter_seen=True)
    few = Dataset.read(cut.train[cut.train["user_id"] < 100])
    recipe.fit(few).recommend(few.user_ids.ids, k)
    data = Dataset.read(cut.train)
    started = time.perf_counter()
    fitted = recipe.fit(data)
    middle = time.perf_counter()
    shown = fitted.recommend(data.user_ids.ids, k)
    ended = time.perf_counter()
    lists = np.full((len(data.user_ids), k), -1)
    lists[shown["user_id"].to_numpy(), shown["rank"].to_numpy() - 1] = shown["item_id"].to_numpy()
    told = {
        "fit_seconds": middle - started,
        "recommend_seconds": ended - middle,
        "ndcg@10": cut.ndcg(lists[cut.users]).mean(),
        "peak_mb": peak_memory_mb(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
