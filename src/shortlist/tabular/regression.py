"""Tabular regression: numbers of a row, such as up-votes, from its texts, categories, numbers and time.

What trees learn of is told without a row's own number: see `features`. A number that is never below zero is looked at
as log(1 + number) there. How it is learnt (`Way`) is chosen by the metric on rows that are held out, of which one half
stops the trees and judges the ways, and the other brings answers to the mean and gives the intervals.
Source: log targets with a mean brought back: Duan, "Smearing Estimate", JASA 1983; here by isotonic regression on rows
held out, for errors grow with the answer. Tweedie: Jørgensen, JRSS B 1987.

Shapes: N rows, P features.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt, model_validator
from scipy.optimize import isotonic_regression

from shortlist import store
from shortlist.config import Config
from shortlist.errors import DataError
from shortlist.evaluation.closeness import Terms, mae, rmse, rmsle
from shortlist.progress import step
from shortlist.seeds import Seeds
from shortlist.tabular import features
from shortlist.tabular.category_means import CategoryMeans
from shortlist.tabular.columns import Columns
from shortlist.tabular.features import Features
from shortlist.tabular.intervals import Intervals
from shortlist.tabular.logarithm import from_log, to_log
from shortlist.tabular.source import rows_of
from shortlist.tabular.text_ridge import TextRidge
from shortlist.tabular.trees import BoostedTrees, FittedTrees, Objective

Metric = Literal["rmse", "mae", "rmsle"]
Way = Literal["squared", "absolute", "log", "poisson", "tweedie", "two_part"]
WAYS: Mapping[Metric, tuple[Way, ...]] = {
    "rmse": ("squared", "log", "tweedie"),
    "mae": ("absolute", "log"),
    "rmsle": ("log",),
}
"""What is tried for a metric where numbers are never below zero; else the first of them alone."""
_OBJECTIVES: Mapping[Way, tuple[Objective, ...]] = {
    "squared": ("squared",), "absolute": ("absolute",), "log": ("squared",), "poisson": ("poisson",),
    "tweedie": ("tweedie",), "two_part": ("binary", "squared"),
}  # fmt: skip
LEAST = 1_000
"""Rows that are held out where there are enough; a third at most."""
FEWEST = 20
"""Rows below which nothing is learnt."""


class TabularRegression(Config):
    """Recipe: what is told of a row, which numbers are wanted, and by what they are judged."""

    targets: tuple[str, ...] = Field(min_length=1)
    """The columns of the numbers. A row that lacks one says nothing of that one alone."""
    columns: Columns
    """What a row is."""
    metric: Metric = "rmse"
    """What answers are to be good in: the mean (rmse), the median (mae), or the mean of log(1 + number) (rmsle)."""
    way: Way | Literal["auto"] = "auto"
    """How a number is learnt: as it is, by squared or absolute errors; as log(1 + number); as a count (poisson) or a
    mass at zero with a long tail (tweedie); whether it is zero and how much else (two_part). auto: see `WAYS`."""
    text: TextRidge = TextRidge()
    """How texts are read."""
    trees: BoostedTrees = BoostedTrees()
    """What learns."""
    hold_out: float = Field(0.05, gt=0, lt=0.5)
    """Share of the rows that is held out, at least 1,000 where that is not above a third."""
    last: bool = False
    """Whether the last rows in time are held out, not any: for answers about times to come."""
    level: float = Field(0.9, gt=0, lt=1)
    """Share of the true numbers that intervals are to hold."""
    rows: PositiveInt = 2_000_000
    """Rows that are learnt from at most; of a file of more a sample is drawn."""

    @model_validator(mode="after")
    def _reads_no_target(self) -> "TabularRegression":
        read = sorted({*self.targets} & {*self.columns.names})
        if read:
            raise ValueError(f"{read[0]!r} is a target and may not be told of a row: take it out of the columns")
        if len({*self.targets}) < len(self.targets):
            raise ValueError(f"targets = {list(self.targets)} names a column twice: name each once")
        if self.last and self.columns.time is None:
            raise ValueError("last = true needs a column of time")
        if self.metric == "rmsle" and self.way not in {"auto", "log"}:
            raise ValueError(f"rmsle is the squared error of log(1 + number): way = {self.way!r} does not learn that")
        return self

    def fit(self, source: Any, *, seed: int = 0, memory: str = "1GB") -> "FittedTabularRegression":
        """Learn from a frame of any library, or from files (CSV, JSONL, Parquet): `memory` bounds how these are read.

        Columns that are not there raise `ColumnError`, columns that are no numbers or no times `DataError`, and so do
        targets below zero where the metric or the way is for counts, and fewer than 20 rows.
        """
        table = rows_of(source, (*self.columns.names, *self.targets), self.rows, seed, memory)
        held = self.columns.held(table, self.targets)
        numbers = {}
        for name in self.targets:
            with step(f"learn {name}"):
                numbers[name] = _fitted(self, held.filter(pl.col(name).is_not_null()), name, seed)
        return FittedTabularRegression(self, numbers)


@dataclass(frozen=True)
class FittedNumber:
    """How one target is answered: the `way` that was chosen, the trees of its parts, and what brings these back.

    `scores` are of the rows held out (`model`, `metric`, `value`), `tried` what each way had by the metric,
    `contributions` how far the trees' answers move where a column is shuffled: see `_contributions`.
    """

    way: str
    features: Features
    trees: tuple[FittedTrees, ...]
    counts: bool
    """Whether numbers are never below zero."""
    ends: np.ndarray
    """Answers between which `levels` are joined by lines; empty where answers are what they are."""
    levels: np.ndarray
    intervals: Intervals
    scores: pl.DataFrame
    tried: pl.DataFrame
    contributions: pl.DataFrame

    def predict(self, table: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The answer to each row, and the ends of its interval."""
        answer = self._brought(_answer(self.way, self.trees, self.features.of_new(table)))
        low, high = (from_log(side, self.counts) for side in self.intervals.of(to_log(answer, self.counts)))
        return answer, np.minimum(low, answer), np.maximum(high, answer)

    def _brought(self, answer: np.ndarray) -> np.ndarray:
        brought: np.ndarray = np.interp(answer, self.ends, self.levels) if len(self.ends) else answer
        return brought


@dataclass(frozen=True)
class FittedTabularRegression:
    """What answers each target, by its column."""

    recipe: TabularRegression
    numbers: Mapping[str, FittedNumber]

    def predict(self, rows: Any) -> pl.DataFrame:
        """For each row `prediction`, `low` and `high`, in the order of `rows`; of several targets `prediction_<target>`
        and so on.

        `rows` is a frame of any library with the columns of the recipe. Unknown categories, missing values and empty
        texts are answered as what is known of nothing; a column that is not there raises `ColumnError`.
        """
        table = self.recipe.columns.held(rows_of(rows, self.recipe.columns.names))
        told: dict[str, np.ndarray] = {}
        for name, number in self.numbers.items():
            end = f"_{name}" if len(self.numbers) > 1 else ""
            parts = ("prediction", "low", "high")
            told |= {f"{part}{end}": values for part, values in zip(parts, number.predict(table), strict=True)}
        return pl.DataFrame(told, schema=dict.fromkeys(told, pl.Float64))

    def __str__(self) -> str:
        parts = []
        with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
            for name, number in self.numbers.items():
                table = number.scores.pivot("metric", index="model", values="value")
                parts.append(f"{name}, learnt as {number.way}; rows held out\n{table}\n{number.contributions}")
        return "\n\n".join(parts)

    def save(self, path: str | Path) -> None:
        """Stores it in a directory, in place of what was there; killed midway, that stays as it was."""
        with store.replacing(Path(path)) as (contents, manifest):
            manifest["tabular"] = store.write(contents / "tabular", self)


@dataclass(frozen=True)
class _Rows:
    """Rows by what they are for, and what is known of them."""

    feature_NP: np.ndarray
    number_N: np.ndarray
    learnt: np.ndarray
    stops: np.ndarray
    brings: np.ndarray


def _fitted(recipe: TabularRegression, table: pl.DataFrame, name: str, seed: int) -> FittedNumber:
    if table.height < FEWEST:
        raise DataError(f"{table.height} rows have {name!r}: {FEWEST} are needed to learn from")
    number_N = table[name].cast(pl.Float64).to_numpy()
    if not np.isfinite(number_N).all():
        raise DataError(f"{name!r} has {int((~np.isfinite(number_N)).sum())} values that are not finite: take them out")
    if number_N.min() == number_N.max():
        raise DataError(f"{name!r} is {number_N[0]:g} in every row: there is nothing to learn")
    counts = bool(number_N.min() >= 0)
    ways = _ways(recipe, name, counts, float(number_N.min()))
    seeds = Seeds(seed)
    told, feature_NP = features.learnt(
        recipe.columns, recipe.text, table, to_log(number_N, counts), seeds.generator(f"{name} folds")
    )
    rows = _Rows(feature_NP, number_N, *_held(recipe, table, seeds.generator(f"{name} held out")))
    found = {}
    for way in ways:
        with step(f"trees, {way}"):
            trees = _trees(recipe, way, told, rows, seeds.number("trees"))
        answer = {
            part: _answer(way, trees, feature_NP[some])
            for part, some in (("stops", rows.stops), ("brings", rows.brings))
        }
        ends, levels = np.zeros(0), np.zeros(0)
        if recipe.metric == "rmse" and way in {"log", "two_part"}:
            ends, levels = _brought(answer["brings"], number_N[rows.brings])
            answer = {part: np.interp(values, ends, levels) for part, values in answer.items()}
        found[way] = _judged(recipe.metric, number_N[rows.stops], answer["stops"]), trees, ends, levels, answer
    way = min(found, key=lambda one: found[one][0])
    _, trees, ends, levels, answer = found[way]
    intervals = Intervals.fit(to_log(answer["brings"], counts), to_log(number_N[rows.brings], counts), recipe.level)
    tried = pl.DataFrame({"way": list(found), recipe.metric: [one[0] for one in found.values()]})
    held = np.concatenate([rows.stops, rows.brings])
    answers = {way: np.concatenate([answer["stops"], answer["brings"]])}
    scores = _scores(recipe, table, number_N, held, rows.learnt, counts, answers)
    shares = _contributions(told, trees, feature_NP[held], seeds.generator("shuffled"))
    return FittedNumber(way, told, trees, counts, ends, levels, intervals, scores, tried, shares)


def _ways(recipe: TabularRegression, name: str, counts: bool, least: float) -> tuple[Way, ...]:
    if not counts and (recipe.metric == "rmsle" or recipe.way in {"log", "poisson", "tweedie", "two_part"}):
        what = "rmsle" if recipe.metric == "rmsle" else f"way = {recipe.way!r}"
        raise DataError(f"{name!r} goes down to {least:g}, and {what} is for numbers that are never below zero")
    if recipe.way != "auto":
        return (recipe.way,)
    return WAYS[recipe.metric] if counts else WAYS[recipe.metric][:1]


def _held(
    recipe: TabularRegression, table: pl.DataFrame, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows that are learnt from, that stop the trees, and that bring answers to the mean."""
    count = table.height
    held = int(max(recipe.hold_out * count, min(LEAST, count / 3), 2))
    order = random.permutation(count)
    if recipe.last:
        time_N = recipe.columns.seconds(table)
        order = np.argsort(-np.where(np.isfinite(time_N), time_N, -np.inf), kind="stable")
        order = np.concatenate([random.permutation(order[:held]), order[held:]])
    return np.sort(order[held:]), order[: held // 2], order[held // 2 : held]


def _trees(recipe: TabularRegression, way: Way, told: Features, rows: _Rows, seed: int) -> tuple[FittedTrees, ...]:
    """The trees of each part of a way."""
    made = []
    for part, objective in enumerate(_OBJECTIVES[way]):
        target_N = _learnt_as(way, part, rows.number_N)
        learnt, stops = (some[np.isfinite(target_N[some])] for some in (rows.learnt, rows.stops))
        if not len(learnt) or not len(stops):
            raise DataError(f"way = {way!r}: all numbers that are learnt from are zero; name another way")
        pairs = [(rows.feature_NP[some], target_N[some]) for some in (learnt, stops)]
        made.append(recipe.trees.fit(objective, told.names, told.categories, pairs[0], pairs[1], seed + part))
    return tuple(made)


def _learnt_as(way: Way, part: int, number_N: np.ndarray) -> np.ndarray:
    """What the trees of a part are given; NaN of rows that say nothing to it."""
    match way, part:
        case "log", _:
            return to_log(number_N, counts=True)
        case "two_part", 0:
            return (number_N > 0).astype(np.float64)
        case "two_part", _:
            return np.where(number_N > 0, to_log(number_N, counts=True), np.nan)
        case _:
            return number_N


def _answer(way: str, trees: tuple[FittedTrees, ...], feature_NP: np.ndarray) -> np.ndarray:
    """What the trees say, in the numbers' own size, before it is brought to the mean."""
    told: list[np.ndarray] = [part.predict(feature_NP) for part in trees]
    match way:
        case "log":
            return from_log(told[0], counts=True)
        case "two_part":
            whole: np.ndarray = told[0] * from_log(told[1], counts=True)
            return whole
        case _:
            return told[0]


def _brought(answer_N: np.ndarray, truth_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers, and the mean of the truth at each, which never falls from one to the next: joined by lines."""
    order = np.argsort(answer_N, kind="stable")
    found = isotonic_regression(truth_N[order])
    middles = [answer_N[order][start:stop].mean() for start, stop in zip(found.blocks, found.blocks[1:], strict=False)]
    levels = found.x[found.blocks[:-1]]
    ends, first = np.unique(middles, return_index=True)
    return ends, levels[first]


def _judged(metric: Metric, true_N: np.ndarray, answer_N: np.ndarray) -> float:
    terms = _METRICS[metric](true_N, answer_N)
    return float(terms.of(terms.values.mean(axis=0)))


_METRICS: Mapping[Metric, Callable[[np.ndarray, np.ndarray], Terms]] = {"rmse": rmse, "mae": mae, "rmsle": rmsle}


def _scores(
    recipe: TabularRegression,
    table: pl.DataFrame,
    number_N: np.ndarray,
    held: np.ndarray,
    learnt: np.ndarray,
    counts: bool,
    answers: Mapping[Way, np.ndarray],
) -> pl.DataFrame:
    """Constants, the means of categories, and what was learnt, on the rows held out."""
    known, size_N = number_N[learnt], to_log(number_N[learnt], counts)
    told: dict[str, np.ndarray] = {
        "mean": np.full(len(held), known.mean()),
        "median": np.full(len(held), np.median(known)),
    }
    for name in recipe.columns.categories:
        means = CategoryMeans.fit((name,), table[learnt], size_N, None)
        told[f"mean of {name}"] = from_log(means.of_new(table[held], None)[:, 0].astype(np.float64), counts)
    rows = [
        {"model": model, "metric": metric, "value": _judged(metric, number_N[held], answer)}
        for model, answer in [*told.items(), *answers.items()]
        for metric in _METRICS
        if counts or metric != "rmsle"
    ]
    return pl.DataFrame(rows)


def _contributions(
    told: Features, trees: tuple[FittedTrees, ...], feature_NP: np.ndarray, random: np.random.Generator
) -> pl.DataFrame:
    """How far the trees' answers move where all that is told of a `column` is shuffled among rows: `moved`, the root of
    the mean square in deviations of the answers, the largest first.
    """
    before = trees[-1].predict(feature_NP)
    spread = float(before.std()) or 1.0
    moved = {}
    for name in told.columns.names:
        of_it = [place for place, source in enumerate(told.sources) if name in source.split(" x ")]
        shuffled = feature_NP.copy()
        shuffled[:, of_it] = feature_NP[random.permutation(len(feature_NP))][:, of_it]
        moved[name] = _judged("rmse", before, trees[-1].predict(shuffled)) / spread
    found = pl.DataFrame({"column": list(moved), "moved": list(moved.values())})
    return found.sort(["moved", "column"], descending=[True, False])
