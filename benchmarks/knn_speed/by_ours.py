"""Our ItemKNN: `by_ours.py SET_FOLDER N OUT NEIGHBOURS...`, the same work as `by_implicit.py`.

implicit counts an item among its own neighbours, so ours keep one fewer; as the items that a user met are left out, the
lists are the same: scores are held to implicit's, and the share of equal items is told. The clock runs from the matrix
of users × items to the neighbours, and from there to N items for each user; a small fit before compiles.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy import sparse

from defaults_quality.sets import read
from shortlist.account import peak_memory_mb
from shortlist.models.item_knn import ItemKNN, neighbours
from shortlist.models.item_to_item import lists


def main(folder: str, count: int, out: Path, *numbers: int) -> None:
    """Print, by model and neighbours, the seconds of fitting and of recommending and NDCG@10."""
    cut = read(folder)
    seen_UI = sparse.csr_array(cut.matrix)
    found = []
    for weighting in ("cosine", "bm25"):
        small = ItemKNN(weighting=weighting, shrinkage=0, neighbours=2, recency=None)
        few_UI = seen_UI[:100]
        lists(few_UI, neighbours(small, few_UI), count, barred_BI=few_UI)
        for number in numbers:
            recipe = ItemKNN(weighting=weighting, shrinkage=0, neighbours=number - 1, recency=None)
            started = time.perf_counter()
            w_II = neighbours(recipe, seen_UI)
            middle = time.perf_counter()
            items, _ = lists(seen_UI, w_II, count, barred_BI=seen_UI)
            ended = time.perf_counter()
            theirs = np.load(out / f"{weighting}-{number}.npz")
            found.append(
                {
                    "model": weighting,
                    "neighbours": number,
                    "fit_seconds": middle - started,
                    "recommend_seconds": ended - middle,
                    "ndcg@10": cut.ndcg(items[cut.users].astype(np.int64)).mean(),
                    "equal_items": float((items == theirs["items"]).mean()),
                    "entries": int(w_II.nnz),
                }
            )
    print(json.dumps({"rows": found, "peak_mb": peak_memory_mb()}, default=float))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:]))
