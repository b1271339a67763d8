"""What the peers say of a world, in the peers' Python: `_ask_peers.py QUESTION.json`, answered as JSON on one line.

A question is a list of worlds; see `World` for what a world holds. An answer is, for each world, the value of every
user by the call that gave it, or one number where the library tells no more. A call stands there as a reader of the
library's own documentation would write it, with k for the number; so the same answers serve the tests, which hold ours
to the calls that mean the same, and docs/metrics.md, which shows those that do not.
"""

import json
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import ir_measures
import numpy as np
import pandas as pd
import sklearn.metrics
from implicit.evaluation import ranking_metrics_at_k
from ranx import Qrels, Run, evaluate
from rectools import metrics as rectools
from rectools.metrics.debias import DebiasConfig
from rectools.metrics.distances import PairwiseDistanceCalculator
from scipy import sparse

Answer = dict[str, dict[str, float] | float]


class World(TypedDict, total=False):
    """Lists against truth, or predicted numbers against true ones."""

    k: int
    catalogue: list[str]
    """The items that could have been shown."""
    lists: dict[str, list[str]]
    """The items shown to each user, best first."""
    truth: dict[str, list[str]]
    """The true items of each user."""
    history: dict[str, list[str]]
    """What each user had before."""
    labels: dict[str, list[str]]
    """The labels of each item."""
    true: list[float]
    predicted: list[float]


def main(question: str) -> None:
    """Answer each world in turn."""
    worlds: list[World] = json.loads(Path(question).read_text(encoding="utf-8"))
    print(json.dumps([_numbers(world) if "true" in world else _lists(world) for world in worlds]))


def _lists(world: World) -> Answer:
    return {**_ranx(world), **_ir_measures(world), **_rectools(world), **_scikit_learn(world), **_implicit(world)}


def _ranx(world: World) -> Answer:
    names = ("precision", "recall", "f1", "hit_rate", "mrr", "map", "ndcg")
    qrels = Qrels({user: dict.fromkeys(items, 1) for user, items in world["truth"].items()})
    scores = {user: _scores(items) for user, items in world["lists"].items() if user in world["truth"]}
    run = Run(scores).make_comparable(qrels)
    evaluate(qrels, run, [f"{name}@{world['k']}" for name in names])
    return {f"ranx {name}@k": _floats(run.scores[f"{name}@{world['k']}"]) for name in names}


def _ir_measures(world: World) -> Answer:
    k = world["k"]
    measures = {
        "P@k": ir_measures.P @ k,
        "R@k": ir_measures.R @ k,
        "Success@k": ir_measures.Success @ k,
        "AP@k": ir_measures.AP @ k,
        "nDCG@k": ir_measures.nDCG @ k,
        "RR": ir_measures.RR,
        "SetP": ir_measures.SetP,
        "SetR": ir_measures.SetR,
        "SetF": ir_measures.SetF,
        "SetF(beta=2)": ir_measures.SetF(beta=2.0),
        "SetF(beta=4)": ir_measures.SetF(beta=4.0),
    }
    qrels = [ir_measures.Qrel(user, item, 1) for user, items in world["truth"].items() for item in items]
    run = [
        ir_measures.ScoredDoc(user, item, score)
        for user, items in world["lists"].items()
        for item, score in _scores(items).items()
    ]
    found: dict[Any, dict[str, float]] = {measure: {} for measure in measures.values()}
    for told in ir_measures.pytrec_eval.iter_calc(list(measures.values()), qrels, run):
        found[told.measure][told.query_id] = float(told.value)
    return {f"ir_measures {name}": dict(found[measure]) for name, measure in measures.items()}


def _rectools(world: World) -> Answer:
    k, catalogue = world["k"], world["catalogue"]
    lists = _frame(world["lists"]).rename(columns={"place": "rank"})
    truth, history = _frame(world["truth"]), _frame(world["history"])
    debias = DebiasConfig(iqr_coef=1.5, random_state=0)
    of_truth = {
        "Precision(k)": rectools.Precision(k),
        "Precision(k, r_precision=True)": rectools.Precision(k, r_precision=True),
        "Recall(k)": rectools.Recall(k),
        "HitRate(k)": rectools.HitRate(k),
        "F1Beta(k, beta=1)": rectools.F1Beta(k, beta=1.0),
        "F1Beta(k, beta=2)": rectools.F1Beta(k, beta=2.0),
        "MRR(k)": rectools.MRR(k),
        "MAP(k)": rectools.MAP(k),
        "MAP(k, divide_by_k=True)": rectools.MAP(k, divide_by_k=True),
        "MAP(k, debias_config=DebiasConfig(1.5))": rectools.MAP(k, debias_config=debias),
        "NDCG(k)": rectools.NDCG(k),
        "NDCG(k, divide_by_achievable=True)": rectools.NDCG(k, divide_by_achievable=True),
    }
    of_history = {
        "MeanInvUserFreq(k)": rectools.MeanInvUserFreq(k),
        "AvgRecPopularity(k)": rectools.AvgRecPopularity(k),
        "AvgRecPopularity(k, normalize=True)": rectools.AvgRecPopularity(k, normalize=True),
    }
    diversity = rectools.IntraListDiversity(k, _Cosine(world["labels"]))
    found: dict[str, Any] = {
        **{name: metric.calc_per_user(lists, truth) for name, metric in of_truth.items()},
        **{name: metric.calc_per_user(lists, history) for name, metric in of_history.items()},
        "Serendipity(k)": rectools.Serendipity(k).calc_per_user(lists, truth, history, catalogue),
        "IntraListDiversity(k, cosine distance)": diversity.calc_per_user(lists),
    }
    coverage = rectools.CatalogCoverage(k, normalize=True).calc(lists, catalogue)
    told = {f"RecTools {name}": _floats(values) for name, values in found.items()}
    return {**told, "RecTools CatalogCoverage(k, normalize=True)": float(coverage)}


class _Cosine(PairwiseDistanceCalculator):
    """One minus the cosine of two items' labels: RecTools brings the Hamming distance and takes any other."""

    def __init__(self, labels: Mapping[str, list[str]]) -> None:
        self.labels = {item: set(its) for item, its in labels.items()}

    def _get_distances_for_item_pairs(self, items_0: Any, items_1: Any) -> Any:
        return np.array([self._distance(a, b) for a, b in zip(items_0, items_1)])  # noqa: B905

    def _distance(self, item: str, other: str) -> float:
        ours, theirs = self.labels.get(item, set()), self.labels.get(other, set())
        return 1 - len(ours & theirs) / math.sqrt(len(ours) * len(theirs)) if ours and theirs else 1.0


def _scikit_learn(world: World) -> Answer:
    """An item that is not shown has score 0, as a matrix of scores must give it some."""
    found: dict[str, dict[str, float]] = {"ndcg_score(k=k)": {}, "ndcg_score(k=k, ignore_ties=True)": {}}
    for user, true in world["truth"].items():
        scores = _scores(world["lists"].get(user, []))
        score_I = [[scores.get(item, 0.0) for item in world["catalogue"]]]
        true_I = [[float(item in true) for item in world["catalogue"]]]
        for name, ties in (("ndcg_score(k=k)", False), ("ndcg_score(k=k, ignore_ties=True)", True)):
            value = sklearn.metrics.ndcg_score(true_I, score_I, k=world["k"], ignore_ties=ties)
            found[name][user] = float(value)
    return {f"scikit-learn {name}": values for name, values in found.items()}


def _implicit(world: World) -> Answer:
    """It judges models, so it is given one that knows its lists by heart; it tells means alone."""
    rows = {item: row for row, item in enumerate(world["catalogue"])}
    users = list(world["truth"])
    lists_UK = np.full((len(users), world["k"]), -1, dtype=np.int32)
    for row, user in enumerate(users):
        items = world["lists"].get(user, [])[: world["k"]]
        lists_UK[row, : len(items)] = [rows[item] for item in items]
    pairs = [(row, rows[item]) for row, user in enumerate(users) for item in world["truth"][user]]
    user_N, item_N = np.array(pairs).T
    test = sparse.csr_matrix((np.ones(len(pairs)), (user_N, item_N)), shape=(len(users), len(rows)))

    class ByHeart:
        def recommend(self, userid: Any, user_items: Any, N: int) -> tuple[Any, Any]:  # noqa: ARG002
            return lists_UK[np.asarray(userid)], np.zeros((len(userid), N), dtype=np.float32)

    nothing = sparse.csr_matrix(test.shape)
    told = ranking_metrics_at_k(ByHeart(), nothing, test, K=world["k"], show_progress=False, num_threads=1)
    return {f"implicit ranking_metrics_at_k {name}": float(told[name]) for name in ("precision", "map", "ndcg")}


def _numbers(world: World) -> Answer:
    true, predicted = world["true"], world["predicted"]
    calls: dict[str, Callable[..., float]] = {
        "mean_squared_error": sklearn.metrics.mean_squared_error,
        "root_mean_squared_error": sklearn.metrics.root_mean_squared_error,
        "mean_absolute_error": sklearn.metrics.mean_absolute_error,
        "r2_score": sklearn.metrics.r2_score,
    }
    if min(true) >= 0 and min(predicted) >= 0:
        calls["root_mean_squared_log_error"] = sklearn.metrics.root_mean_squared_log_error
    return {f"scikit-learn {name}": float(call(true, predicted)) for name, call in calls.items()}


def _scores(items: list[str]) -> dict[str, float]:
    """A score for each item of a list, for libraries that know no order but that of scores."""
    return {item: 1.0 - place / 1000 for place, item in enumerate(items)}


def _frame(of_users: Mapping[str, list[str]]) -> pd.DataFrame:
    rows = [(user, item, place) for user, items in of_users.items() for place, item in enumerate(items, start=1)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "place"])


def _floats(values: Mapping[str, Any] | pd.Series) -> dict[str, float]:
    return {str(user): float(value) for user, value in values.items()}


if __name__ == "__main__":
    # numba says that hashes of 64 bits may not fit; that is ranx's own affair.
    warnings.simplefilter("ignore")
    main(sys.argv[1])
