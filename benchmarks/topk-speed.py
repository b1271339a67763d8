"""Exact top-k: how long beside the bare product of the same matrices, which gives no answer yet.

20,000 queries × 100,000 items × 64 normal factors, k = 100, 50 items drawn for each query excluded. The product is
NumPy's in float32, 512 queries at a time into one buffer. Ours excludes, selects and sorts, exactly; once as it comes
(vectors rounded to bytes first, where the processor multiplies these) and once with float32 alone. `faiss.knn`, where
faiss is installed, selects without exclusions.

Each contestant has a process of its own, in turn, in five rounds, on all cores; a small call compiles and warms first.
Figures are medians, a ratio is of two of one round. `peak_mb` is what the call adds to the memory in use before it,
its answer (24 MB ours) included. Our lists are checked against products in float64 on some of the queries, to the last
item, and faiss's against ours without exclusions.

The limit, on one core of this machine: 128 G multiplications take 2.3 s in float32 at 113 GFLOP/s and 0.3 s in bytes.
"""

import json
import os
import resource
import subprocess
import sys
from collections import defaultdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from scipy import sparse

import _result

QUERIES, ITEMS, FACTORS, K, EXCLUDED = 20_000, 100_000, 64, 100, 50
REPEATS, SEED, CHECKED = 5, 0, 100
_BLOCK = 512


def main() -> None:
    """Let each contestant run in turn, check the answers, and write the result."""
    contestants = ["product", "shortlist", "shortlist, float32 alone"]
    try:
        version("faiss-cpu")
        contestants.append("faiss.knn")
    except PackageNotFoundError:
        print("faiss is not installed: it is left out", flush=True)
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _ in range(REPEATS):
        for name in contestants:
            command = [sys.executable, __file__, name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
            told[name].append(json.loads(done.stdout))
        print({name: round(runs[-1]["seconds"], 2) for name, runs in told.items()}, flush=True)
    _result.write("topk-speed", _figures(told), [row for name, runs in told.items() for row in _rows(name, runs)])


def contestant(name: str) -> dict[str, Any]:
    """The seconds and the memory of one contestant; its answer is checked."""
    from shortlist.topk import Catalogue, top_k

    query_QF, item_IF, exclude = world()

    def product(queries: int) -> None:
        score_QI = np.empty((_BLOCK, ITEMS), np.float32)
        for start in range(0, queries, _BLOCK):
            block_QF = query_QF[start : min(start + _BLOCK, queries)]
            np.dot(block_QF, item_IF.T, out=score_QI[: len(block_QF)])

    def ours(queries: int) -> np.ndarray:
        return top_k(query_QF[:queries], item_IF, K, exclude=exclude[:queries])[0]

    def ours_in_float32(queries: int) -> np.ndarray:
        catalogue = Catalogue.of(item_IF, rounded=False)
        return top_k(query_QF[:queries], catalogue, K, exclude=exclude[:queries])[0]

    def by_faiss(queries: int) -> np.ndarray:
        import faiss

        found: np.ndarray = faiss.knn(query_QF[:queries], item_IF, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
        return found

    runs = {
        "product": product,
        "shortlist": ours,
        "shortlist, float32 alone": ours_in_float32,
        "faiss.knn": by_faiss,
    }
    run = runs[name]
    run(2 * _BLOCK)
    before = _resident_mb()
    start = perf_counter()
    found = run(QUERIES)
    seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if found is not None:
        _check(name, found, query_QF, item_IF, None if name == "faiss.knn" else exclude)
    return {"seconds": seconds, "peak_mb": peak - before}


def world() -> tuple[np.ndarray, np.ndarray, sparse.csr_array]:
    """Queries, items, and the excluded pairs."""
    generator = np.random.default_rng(SEED)
    query_QF = generator.standard_normal((QUERIES, FACTORS), dtype=np.float32)
    item_IF = generator.standard_normal((ITEMS, FACTORS), dtype=np.float32)
    columns = np.sort(generator.integers(0, ITEMS, (QUERIES, EXCLUDED), dtype=np.int32), axis=1)
    starts = np.arange(QUERIES + 1, dtype=np.int32) * EXCLUDED
    values = np.ones(QUERIES * EXCLUDED, np.int8)
    return query_QF, item_IF, sparse.csr_array((values, columns.ravel(), starts), shape=(QUERIES, ITEMS))


def _check(name: str, found: np.ndarray, query_QF: np.ndarray, item_IF: np.ndarray, exclude: Any) -> None:
    some = np.linspace(0, QUERIES - 1, CHECKED).astype(np.int64)
    score_QI = query_QF[some].astype(np.float64) @ item_IF.astype(np.float64).T
    if exclude is not None:
        score_QI[exclude[some].toarray() > 0] = -np.inf
    wanted = np.argsort(-score_QI, axis=1, kind="stable")[:, :K]
    right = float(
        (np.sort(found[some]) == np.sort(wanted)).mean() if exclude is None else (found[some] == wanted).mean()
    )
    if right < (0.999 if exclude is None else 1):
        sys.exit(f"{name} finds {right:.2%} of the items of the exact lists")


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _figures(told: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    def rounds(name: str) -> np.ndarray:
        return np.array([run["seconds"] for run in told[name]])

    found = {
        "ratio_to_product": rounds("shortlist") / rounds("product"),
        "ratio_to_product_float32_alone": rounds("shortlist, float32 alone") / rounds("product"),
        "seconds": rounds("shortlist"),
        "peak_mb": np.array([run["peak_mb"] for run in told["shortlist"]]),
    }
    if "faiss.knn" in told:
        found["ratio_to_faiss_knn"] = rounds("shortlist") / rounds("faiss.knn")
    return {name: round(float(np.median(values)), 4) for name, values in found.items()}


def _rows(name: str, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    package = {"product": "numpy", "faiss.knn": "faiss-cpu"}.get(name)
    common = {
        "data": f"made up: {QUERIES:,} queries × {ITEMS:,} items × {FACTORS} factors, k = {K}",
        "split": "none" if name in ("product", "faiss.knn") else f"{EXCLUDED} items excluded a query",
        "model": name,
        "ours": name.startswith("shortlist"),
        "version": f"{package} {version(package)}" if package else f"shortlist {_result.version()}",
        "seed": SEED,
    }
    return [
        common | {"metric": metric, "value": round(median(values), 3), "repeats": [round(value, 3) for value in values]}
        for metric in ("seconds", "peak_mb")
        if (values := [run[metric] for run in runs])
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(contestant(sys.argv[1])))
    else:
        main()
