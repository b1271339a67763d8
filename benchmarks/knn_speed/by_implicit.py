"""implicit's nearest neighbours in its own Python: `by_implicit.py SET_FOLDER N OUT NEIGHBOURS...`.

Cosine and BM25 (K1 1.2, B 0.75) with each number of neighbours. The clock runs from the matrix of users × items to the
fitted model, and from there to N items for each user; a small fit before loads. The lists are left in
OUT/MODEL-NEIGHBOURS.npz (items (U, N), -1 where there is none, and scores), so that they can be held to ours.
implicit counts an item among its own neighbours.
"""

import json
import resource
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from threadpoolctl import threadpool_limits

from defaults_quality.sets import read
from defaults_quality.tuning import seconds

MODELS = {"cosine": CosineRecommender, "bm25": BM25Recommender}


def main(folder: str, count: int, out: Path, *neighbours: int) -> None:
    """Print, by model and neighbours, the seconds of fitting and of recommending and NDCG@10."""
    cut = read(folder)
    users = np.arange(cut.matrix.shape[0])
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for name, model in MODELS.items():
        few = cut.matrix[:100, :100]
        small = model(K=2)
        small.fit(few, show_progress=False)
        small.recommend(users[:100], few, count)
        for k in neighbours:
            took: list[float] = []
            fitted = model(K=k)
            with seconds(took):
                fitted.fit(cut.matrix, show_progress=False)
            with seconds(took):
                items, scores = fitted.recommend(users, cut.matrix, count)
            np.savez(out / f"{name}-{k}.npz", items=items, scores=scores)
            row = {"model": name, "neighbours": k, "fit_seconds": took[0], "recommend_seconds": took[1]}
            found.append(row | {"ndcg@10": cut.ndcg(items[cut.users]).mean(), "entries": fitted.similarity.nnz})
    told = {
        "rows": found,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "version": f"implicit {version('implicit')}",
    }
    print(json.dumps(told))


if __name__ == "__main__":
    # implicit asks for this: its own threads stand above those of BLAS.
    with threadpool_limits(1, "blas"):
        main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:]))
