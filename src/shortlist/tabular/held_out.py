"""Held out: what is judged, told and set right by rows that were not learnt from.

Source of answers brought to the mean: Duan, "Smearing Estimate", JASA 1983; here by isotonic regression, for errors
grow with the answer. Of contributions: Breiman, "Random Forests", 2001, but of the answers, not of their errors.

Shapes: N rows, K rows of which contributions are told.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from scipy.optimize import isotonic_regression

from shortlist.evaluation.closeness import Terms, mae, rmse, rmsle
from shortlist.tabular.category_means import CategoryMeans
from shortlist.tabular.logarithm import from_log, to_log
from shortlist.tabular.ways import Metric

MOVED = 5_000
"""Rows whose columns are shuffled, at most."""
METRICS: Mapping[Metric, Callable[[np.ndarray, np.ndarray], Terms]] = {"rmse": rmse, "mae": mae, "rmsle": rmsle}


def judged(metric: Metric, true_N: np.ndarray, answer_N: np.ndarray) -> float:
    """The metric of answers."""
    terms = METRICS[metric](true_N, answer_N)
    return float(terms.of(terms.values.mean(axis=0)))


def levels(answer_N: np.ndarray, truth_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers, and the mean of the truth at each, which never falls from one to the next."""
    order = np.argsort(answer_N, kind="stable")
    found = isotonic_regression(truth_N[order])
    middles = [answer_N[order][start:stop].mean() for start, stop in zip(found.blocks, found.blocks[1:], strict=False)]
    means = found.x[found.blocks[:-1]]
    ends, first = np.unique(middles, return_index=True)
    return ends, means[first]


def brought(answer_N: np.ndarray, ends: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Answers brought to the mean, along the lines that join `levels`; as they are where there are none."""
    found_N: np.ndarray = np.interp(answer_N, ends, means) if len(ends) else answer_N
    return found_N


def scores(
    table: pl.DataFrame,
    categories: Sequence[str],
    number_N: np.ndarray,
    held: np.ndarray,
    learnt: np.ndarray,
    answers: Mapping[str, np.ndarray],
) -> pl.DataFrame:
    """Constants, the means of categories, and `answers`, on the rows held out: `model`, `metric`, `value`."""
    known, counts = number_N[learnt], bool(number_N.min() >= 0)
    constants = {"mean": np.full(len(held), known.mean()), "median": np.full(len(held), np.median(known))}
    told = constants | usual(categories, table[learnt], known, table[held])
    rows = [
        {"model": model, "metric": metric, "value": judged(metric, number_N[held], answer)}
        for model, answer in [*told.items(), *answers.items()]
        for metric in METRICS
        if counts or metric != "rmsle"
    ]
    return pl.DataFrame(rows)


def usual(
    categories: Sequence[str], table: pl.DataFrame, number_N: np.ndarray, asked: pl.DataFrame
) -> dict[str, np.ndarray]:
    """For each category the mean of the numbers of its value, in the logarithm where they are never below zero."""
    counts = bool(number_N.min() >= 0)
    told = {}
    for name in categories:
        means = CategoryMeans.fit((name,), table, to_log(number_N, counts), None)
        told[f"mean of {name}"] = from_log(means.of_new(asked, None)[:, 0].astype(np.float64), counts)
    return told


def contributions(
    names: Sequence[str],
    held: np.ndarray,
    answer: Callable[[str | None, np.ndarray, np.ndarray], np.ndarray],
    random: np.random.Generator,
) -> pl.DataFrame:
    """How far answers to rows `held` move where a `column` is shuffled among them: `moved`, the root of the mean square
    in deviations of the answers, the largest first.

    `answer` gives those of rows (K) of which the column named is that of others (K).
    """
    row_K = random.permutation(held)[:MOVED]
    before = answer(None, row_K, row_K)
    spread = float(before.std()) or 1.0
    moved = {name: judged("rmse", before, answer(name, row_K, random.permutation(row_K))) / spread for name in names}
    found = pl.DataFrame({"column": list(moved), "moved": list(moved.values())})
    return found.sort(["moved", "column"], descending=[True, False])
