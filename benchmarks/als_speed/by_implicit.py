"""implicit's ALS in its own Python: `by_implicit.py SET_FOLDER FACTORS ALPHA REGULARIZATION ITERATIONS SOLVER [SEED]`.

SOLVER is `cg` (three steps of conjugate gradients a row, its default) or `cholesky`. Two threads of its own, BLAS has
one. After each iteration NDCG@10 is taken while the clock stands; the clock runs from the matrix of users × items. A
small fit before loads.

implicit minimises  Σ_ui c_ui (p_ui - x_u·y_i)² + λ (Σ_u |x_u|² + Σ_i |y_i|²)  over all cells, with p = 1 and
c = ALPHA where there is an event, p = 0 and c = 1 elsewhere: that value, in float64, is the objective told here.
"""

import json
import resource
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy import sparse
from threadpoolctl import threadpool_limits

from defaults_quality.sets import K, read

_BLOCK = 1 << 20


def main(
    folder: str, factors: int, alpha: float, regularization: float, iterations: int, solver: str, seed: int
) -> None:
    """Print the seconds and NDCG@10 after each iteration, the objective at the end and the peak of memory."""
    cut = read(folder)
    settings = {
        "factors": factors,
        "alpha": alpha,
        "regularization": regularization,
        "use_cg": {"cg": True, "cholesky": False}[solver],
        "random_state": seed,
        "num_threads": 2,
    }
    AlternatingLeastSquares(**settings, iterations=1).fit(cut.matrix[:100], show_progress=False)
    model = AlternatingLeastSquares(**settings, iterations=iterations)
    curve: list[dict[str, float]] = []
    judging = 0.0

    def judge(*_: Any) -> None:
        nonlocal judging
        now = time.perf_counter()
        lists, _ = model.recommend(cut.users, cut.matrix[cut.users], N=K, filter_already_liked_items=True)
        curve.append({"seconds": now - started - judging, "ndcg@10": cut.ndcg(lists).mean()})
        judging += time.perf_counter() - now

    started = time.perf_counter()
    model.fit(cut.matrix, show_progress=False, callback=judge)
    told = {
        "curve": curve,
        "objective": objective(cut.matrix, model.user_factors, model.item_factors, alpha, regularization),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "version": f"implicit {version('implicit')}",
    }
    print(json.dumps(told))


def objective(matrix: sparse.csr_matrix, x_UF: np.ndarray, y_IF: np.ndarray, alpha: float, l2: float) -> float:
    """The value above; the cells without an event come in as Σ (x·y)² over all = trace(XᵀX YᵀY)."""
    x_UF, y_IF = x_UF.astype(np.float64), y_IF.astype(np.float64)
    value = np.sum((x_UF.T @ x_UF) * (y_IF.T @ y_IF)) + l2 * (np.sum(x_UF**2) + np.sum(y_IF**2))
    user_N = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    for start in range(0, matrix.nnz, _BLOCK):
        block = slice(start, start + _BLOCK)
        score_B = np.einsum("bf,bf->b", x_UF[user_N[block]], y_IF[matrix.indices[block]])
        value += np.sum(alpha * matrix.data[block] * (1 - score_B) ** 2 - score_B**2)
    return float(value)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    folder, factors, alpha, regularization, iterations, solver, *seed = sys.argv[1:]
    with threadpool_limits(1, "blas"):
        main(folder, int(factors), float(alpha), float(regularization), int(iterations), solver, int((seed or [0])[0]))
