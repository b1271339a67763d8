"""Tabular regression: numbers of a row, such as up-votes, from its texts, categories, numbers and time.

Trees learn of features, which are told without a row's own number (see `features`); a network learns of the row
itself. A number that is never below zero is looked at as log(1 + number) there. How trees learn it (`ways`) is chosen
by the metric on rows that are held out, of which one half stops the trees, judges the ways and weighs trees against the
network, and the other brings answers to the mean and gives the intervals.
Source: Tweedie: Jørgensen, JRSS B 1987; answers weighed: Breiman, "Stacked Regressions", 1996.

Shapes: N rows, H rows held out, K of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt, model_validator

from shortlist import store
from shortlist.config import Config
from shortlist.errors import DataError
from shortlist.progress import step
from shortlist.seeds import Seeds
from shortlist.tabular import features, held_out, own_numbers
from shortlist.tabular.columns import Columns
from shortlist.tabular.intervals import Intervals
from shortlist.tabular.logarithm import from_log, to_log
from shortlist.tabular.network import TabularNetwork
from shortlist.tabular.number import FittedNumber, ends_of, mixed
from shortlist.tabular.source import rows_of
from shortlist.tabular.text_ridge import TextRidge
from shortlist.tabular.trees import BoostedTrees, FittedTrees
from shortlist.tabular.ways import IN_LOGARITHMS, FittedWay, Learnt, Metric, Way, ways_of

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
    """How trees learn a number: as it is, by squared or absolute errors; as log(1 + number); as a count (poisson, or
    negative_binomial where these vary more than their mean) or a mass at zero with a long tail (tweedie); whether it is
    zero and how much else (two_part). auto: see `WAYS`."""
    known: tuple[str, ...] = ()
    """Numbers that are known before the targets are though they tell them: all others that do are refused."""
    text: TextRidge = TextRidge()
    """How texts are told to the trees."""
    trees: BoostedTrees | None = BoostedTrees()
    """What learns of features; none: the network alone."""
    network: TabularNetwork | None = None
    """What learns of rows as they are; with trees the answers of both are weighed by rows held out."""
    hold_out: float = Field(0.05, gt=0, lt=0.5)
    """Share of the rows that is held out, at least 1,000 where that is not above a third."""
    last: bool = False
    """Whether the last rows in time are held out, not any: for answers about times to come."""
    level: float = Field(0.9, gt=0, lt=1)
    """Share of the true numbers that intervals are to hold."""
    intervals: Literal["residuals", "quantiles"] = "residuals"
    """How intervals are found: by how far off answers of like size were, or by trees of their own that learn the ends
    (twice the time); both are then made to hold `level` of rows held out."""
    rows: PositiveInt = 2_000_000
    """Rows that are learnt from at most; of a file of more a sample is drawn."""

    @model_validator(mode="after")
    def _reads_no_target(self) -> "TabularRegression":
        read = sorted({*self.targets} & {*self.columns.names})
        if read:
            raise ValueError(f"{read[0]!r} is a target and may not be told of a row: take it out of the columns")
        if len({*self.targets}) < len(self.targets):
            raise ValueError(f"targets = {list(self.targets)} names a column twice: name each once")
        unknown = sorted({*self.known} - {*self.columns.numbers})
        if unknown:
            raise ValueError(f"known names {unknown[0]!r}, which is none of the numbers under columns")
        if self.last and self.columns.time is None:
            raise ValueError("last = true needs a column of time")
        if self.trees is None and self.network is None:
            raise ValueError("neither trees nor a network: name one of them at least")
        if self.trees is None and self.intervals == "quantiles":
            raise ValueError("intervals = 'quantiles' are learnt by trees: name some, or leave it out")
        if self.trees is None and self.way not in {"auto", "squared", "log"}:
            raise ValueError(f"way = {self.way!r} is for trees: a network learns by squared errors, or of logarithms")
        if self.metric == "rmsle" and self.way not in {"auto", "log"}:
            raise ValueError(f"rmsle is the squared error of log(1 + number): way = {self.way!r} does not learn that")
        return self

    def fit(self, source: Any, *, seed: int = 0, memory: str = "1GB") -> "FittedTabularRegression":
        """Learn from a frame of any library, or from files (CSV, JSONL, Parquet): `memory` bounds how these are read.

        Columns that are not there raise `ColumnError`, columns that are no numbers or no times `DataError`, and so do
        targets below zero where the metric or the way is for counts, fewer than 20 rows, and a number that tells rows
        their own target, such as a mean made with the row in it: see `own_numbers`.
        """
        table = rows_of(source, (*self.columns.names, *self.targets), self.rows, seed, memory)
        held = self.columns.held(table, self.targets)
        numbers = {}
        for name in self.targets:
            with step(f"learn {name}"):
                numbers[name] = _fitted(self, held.filter(pl.col(name).is_not_null()), name, seed)
        return FittedTabularRegression(self, numbers)


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
            parts = (f"{part}{self.end_of(name)}" for part in ("prediction", "low", "high"))
            told |= dict(zip(parts, number.predict(table), strict=True))
        return pl.DataFrame(told, schema=dict.fromkeys(told, pl.Float64))

    def end_of(self, target: str) -> str:
        """What the columns of a target's answers end in: its name where there are several."""
        return f"_{target}" if len(self.numbers) > 1 else ""

    def __str__(self) -> str:
        parts = []
        with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
            for name, number in self.numbers.items():
                table = number.scores.pivot("metric", index="model", values="value")
                parts.append(f"{name}, learnt by {number.by}; rows held out\n{table}\n{number.contributions}")
        return "\n\n".join(parts)

    def save(self, path: str | Path) -> None:
        """Stores it in a directory, in place of what was there; killed midway, that stays as it was."""
        with store.replacing(Path(path)) as (contents, manifest):
            manifest["tabular"] = store.write(contents / "tabular", self)


def _fitted(recipe: TabularRegression, table: pl.DataFrame, name: str, seed: int) -> FittedNumber:
    number_N = _numbers(table, name)
    with step("look for columns that tell it"):
        others = [number for number in recipe.columns.numbers if number not in recipe.known]
        own_numbers.check(table, others, recipe.columns.categories, name)
    least = float(number_N.min())
    counts, ways = least >= 0, ways_of(recipe.metric, recipe.way, name, least)
    log_N, seeds = to_log(number_N, counts), Seeds(seed)
    learnt, stops, brings = _held(recipe, table, seeds.generator(f"{name} held out"))
    held = np.concatenate([stops, brings])
    network, by_network_H = None, None
    if recipe.network is not None:
        with step("network"):
            of_it = recipe.network.kept_in_part(name) if len(recipe.targets) > 1 else recipe.network
            network = of_it.fit(recipe.columns, table, log_N, learnt, stops, seeds.number(f"{name} network"))
            by_network_H = network.predict(table[held])
    judges = partial(_candidate, recipe.metric, counts, number_N[held], len(stops), by_network_H)
    rows, candidates = None, []
    if recipe.trees is None:
        candidates.append(judges("network", None, None))
    else:
        told = features.learnt(recipe.columns, recipe.text, table, log_N, seeds.generator(f"{name} folds"))
        rows = Learnt(*told, number_N, learnt, stops)
        for way in ways:
            with step(f"trees, {way}"):
                trees = rows.trees(recipe.trees, way, seeds.number("trees"))
            candidates.append(judges(way, trees, to_log(trees.of_features(rows.feature_NP[held]), counts)))
    best = min(candidates, key=lambda one: one.value)
    tried = pl.DataFrame({"way": [one.way for one in candidates], recipe.metric: [one.value for one in candidates]})
    answer_H = to_log(best.answers[[*best.answers][-1]], counts)
    intervals = Intervals.fit(answer_H[len(stops) :], log_N[brings], recipe.level)
    sides: tuple[FittedTrees, ...] = ()
    if recipe.intervals == "quantiles" and recipe.trees is not None and rows is not None:
        with step("ends of intervals"):
            sides = rows.ends(recipe.trees, log_N, recipe.level, seeds.number("ends"))
        intervals = Intervals.beyond(*ends_of(sides, rows.feature_NP[brings]), log_N[brings], recipe.level)
    scores = held_out.scores(table, recipe.columns.categories, number_N, held, learnt, best.answers)

    def answer(column: str | None, row_K: np.ndarray, other_K: np.ndarray) -> np.ndarray:
        parts: list[np.ndarray | None] = [None, None]
        if best.trees is not None and rows is not None:
            parts[0] = to_log(best.trees.of_features(rows.of_others(column, row_K, other_K)), counts)
        if network is not None:
            others = table[row_K] if column is None else table[row_K].with_columns(table[column][other_K])
            parts[1] = network.predict(others)
        return mixed(parts[0], parts[1], best.share)

    moved = held_out.contributions(recipe.columns.names, held, answer, seeds.generator("shuffled"))
    brings_back = best.ends, best.levels
    return FittedNumber(
        best.way, best.trees, network, best.share, counts, *brings_back, intervals, sides, scores, tried, moved
    )


@dataclass(frozen=True)
class _Candidate:
    """What might answer a target, the metric's `value` of it, and `answers` on the rows held out: of the trees, of the
    network, of both; the last of these is what would be answered.
    """

    way: Way | Literal["network"]
    trees: FittedWay | None
    share: float
    ends: np.ndarray
    levels: np.ndarray
    value: float
    answers: Mapping[str, np.ndarray]


def _candidate(
    metric: Metric,
    counts: bool,
    true_H: np.ndarray,
    stops: int,
    by_network_H: np.ndarray | None,
    way: Way | Literal["network"],
    trees: FittedWay | None,
    by_trees_H: np.ndarray | None,
) -> _Candidate:
    """One way, judged by the first rows that are held out, the `stops`; the others bring it to the mean."""
    answers = {}
    if by_trees_H is not None:
        answers[str(way)] = from_log(by_trees_H, counts)
    if by_network_H is not None:
        answers["network"] = from_log(by_network_H, counts)
    share = float(by_trees_H is None)
    if by_trees_H is not None and by_network_H is not None:
        share = _share(to_log(true_H[:stops], counts), by_trees_H[:stops], by_network_H[:stops])
        answers["both"] = from_log(mixed(by_trees_H, by_network_H, share), counts)
    name, told_H = list(answers.items())[-1]
    ends, means = np.zeros(0), np.zeros(0)
    if metric == "rmse" and counts and (way in IN_LOGARITHMS or by_network_H is not None):
        ends, means = held_out.levels(told_H[stops:], true_H[stops:])
    answers[name] = held_out.brought(told_H, ends, means)
    value = held_out.judged(metric, true_H[:stops], answers[name][:stops])
    return _Candidate(way, trees, share, ends, means, value, answers)


def _share(true_N: np.ndarray, one_N: np.ndarray, other_N: np.ndarray) -> float:
    """What the other of two answers is to count, between 0 and 1, for the least squared error."""
    apart_N = other_N - one_N
    size = float(apart_N @ apart_N)
    return float(np.clip(apart_N @ (true_N - one_N) / size, 0, 1)) if size else 0.0


def _numbers(table: pl.DataFrame, name: str) -> np.ndarray:
    """The numbers of a target that something can be learnt of."""
    if table.height < FEWEST:
        raise DataError(f"{table.height} rows have {name!r}: {FEWEST} are needed to learn from")
    number_N = table[name].cast(pl.Float64).to_numpy()
    if not np.isfinite(number_N).all():
        raise DataError(f"{name!r} has {int((~np.isfinite(number_N)).sum())} values that are not finite: take them out")
    if number_N.min() == number_N.max():
        raise DataError(f"{name!r} is {number_N[0]:g} in every row: there is nothing to learn")
    return number_N


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
