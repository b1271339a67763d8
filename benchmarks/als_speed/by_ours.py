"""Our ALS: `by_ours.py choose SET_FOLDER FACTORS` or `by_ours.py curve SET_FOLDER RECIPE_JSON`.

`choose` fits with the defaults, but without recency, which the other side has not, and tells the recipe that these came
to and the seconds of it all. `curve` tells the seconds and NDCG@10 after each iteration, the clock standing while it is
judged; it runs from the matrix of users × items. A small fit before compiles. The objective at the end is the one of
`by_implicit.py`: ours times what a filled cell weighs there, where an empty one weighs one.
"""

import json
import resource
import sys
import time
from typing import Any

import numpy as np
from scipy import sparse

from defaults_quality.sets import Cut, K, read
from shortlist.dataset.dataset import Dataset
from shortlist.models.als import ALS, iterations
from shortlist.models.alternating import Loss
from shortlist.models.factors import lists


def choose(cut: Cut, factors: int) -> dict[str, Any]:
    """The recipe that the defaults come to, and what finding it took."""
    data = Dataset.read(cut.train)
    ALS(factors=2, iterations=1).fit(data)
    started = time.perf_counter()
    fitted = ALS(factors=factors, recency=None).fit(data)
    return {"recipe": fitted.recipe.model_dump(mode="json"), "fit_s": time.perf_counter() - started}


def curve(cut: Cut, recipe: ALS) -> dict[str, Any]:
    """Seconds and NDCG@10 after each iteration, the objective at the end, and the peak of memory."""
    matrix_UI = sparse.csr_array(cut.matrix)
    seen_NI = matrix_UI[cut.users]
    for x_UF, y_IF in iterations(recipe.model_copy(update={"iterations": 1}), matrix_UI[:100]):
        lists(x_UF, y_IF, K)
    told = []
    spent, resumed = 0.0, time.perf_counter()
    for x_UF, y_IF in iterations(recipe, matrix_UI):
        spent += time.perf_counter() - resumed
        found = lists(x_UF[cut.users], y_IF, K, seen_NI)
        told.append({"seconds": spent, "ndcg@10": cut.ndcg(found).mean()})
        resumed = time.perf_counter()
    loss = Loss(float(recipe.regularization), recipe.frequency, float(recipe.unobserved))
    return {
        "curve": told,
        "objective": loss.value(matrix_UI, x_UF, y_IF) / float(recipe.unobserved),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    mode, folder, argument = sys.argv[1:]
    cut = read(folder)
    told = choose(cut, int(argument)) if mode == "choose" else curve(cut, ALS(**json.loads(argument)))
    print(json.dumps(told, default=np.ndarray.tolist))
