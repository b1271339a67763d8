"""Judged rows: what a tabular regression says of rows that were kept back, judged, looked into, and written down.

The means of its categories in the part that was learnt from stand beside it: whatever learns has to be better.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from shortlist.account import spent
from shortlist.errors import DataError
from shortlist.evaluation.predictions import PredictionEvaluation, evaluate_predictions, intervals_of, said_of_intervals
from shortlist.moments import microseconds, moment, written
from shortlist.progress import step
from shortlist.run import Run, write_figures
from shortlist.seeds import Seeds
from shortlist.settings import AtRandom, ByColumn, ByTime, Settings
from shortlist.tabular.held_out import usual
from shortlist.tabular.regression import FittedTabularRegression, TabularRegression
from shortlist.tabular.source import rows_of

KEYS = ("row",)
MODEL = "regression"
"""What tables of figures call it."""
_MICROSECONDS = 1e6


@dataclass(frozen=True)
class Parts:
    """The rows that are learnt from, and those that are judged on: none without a split."""

    train: pl.DataFrame
    test: pl.DataFrame | None


@dataclass(frozen=True)
class RowsEvaluation:
    """What was measured of each target, and how its intervals did: `level`, `coverage`, `width`."""

    targets: Mapping[str, PredictionEvaluation]
    intervals: Mapping[str, Mapping[str, float]]

    def __str__(self) -> str:
        return "\n\n".join(
            f"{name}: {found}\n\n{said_of_intervals(self.intervals[name])}" for name, found in self.targets.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single rows, as plain lists, dictionaries, numbers, text and None."""
        return {
            "targets": {
                name: found.to_dict() | {"intervals": dict(self.intervals[name])}
                for name, found in self.targets.items()
            }
        }


def read(settings: Settings, recipe: TabularRegression) -> Parts:
    """The rows of the files that the settings name, at most as many as the recipe allows and those to judge on.

    A split that leaves nothing to learn from or to judge on, and a value that no row has, raise `DataError`.
    """
    if settings.data.rows is None:
        raise AssertionError("there are rows: see the validator of the settings")
    split, names = settings.split, [*recipe.columns.names, *recipe.targets]
    if isinstance(split, ByColumn) and split.column not in names:
        names.append(split.column)
    most = recipe.rows if not isinstance(split, AtRandom) else int(recipe.rows / (1 - split.share))
    found = settings.data.rows
    table = rows_of(found if isinstance(found, str) else list(found), names, most, settings.seed, settings.data.memory)
    if split is None:
        return Parts(table, None)
    test_N = _test(settings, recipe, table)
    if test_N.all() or not test_N.any():
        side = "to learn from" if test_N.all() else "to judge on"
        raise DataError(f"{split.kind} leaves none of {table.height:,} rows {side}: look at [split]")
    kept = table.select(*recipe.columns.names, *recipe.targets)
    return Parts(kept.filter(~pl.Series(test_N)), kept.filter(pl.Series(test_N)))


def account_of(parts: Parts) -> dict[str, Any]:
    """What was read, as the account of a table: see `account`."""
    rows = parts.train.height + (0 if parts.test is None else parts.test.height)
    return {"rows": rows, "rejects": {}, "matched": {}, "unit": None}


def _test(settings: Settings, recipe: TabularRegression, table: pl.DataFrame) -> np.ndarray:
    """Which rows are to be judged on."""
    match settings.split:
        case AtRandom(share=share):
            order = Seeds(settings.seed).generator("split").permutation(table.height)
            drawn = np.zeros(table.height, bool)
            drawn[order[: round(share * table.height)]] = True
            return drawn
        case ByTime(test=test, at=at):
            second_N = recipe.columns.seconds(table)
            there = second_N[np.isfinite(second_N)]
            if not len(there):
                raise DataError(f"by_time: no row has a time in {recipe.columns.time!r}")
            length = microseconds(test) / _MICROSECONDS
            start = float(there.max()) - length if at is None else moment(at) / _MICROSECONDS
            late: np.ndarray = second_N > start if at is None else (second_N >= start) & (second_N < start + length)
            if late.all() or not late.any():
                side = "before" if late.all() else "in the test part from"
                raise DataError(f"there are no rows {side} {written(int(start * _MICROSECONDS))}")
            return late
        case ByColumn(column=column, value=value):
            told = str(value).lower() if isinstance(value, bool) else str(value)
            return (table[column].cast(pl.String) == told).fill_null(value=False).to_numpy()
        case _:
            raise AssertionError("other splits are of events: see the validator of the settings")


def judged(
    settings: Settings, parts: Parts, fitted: FittedTabularRegression, contents: Path, costs: dict[str, Any]
) -> str:
    """Numbers for the rows of the test part, judged; writes them and figures under `contents`, gives the summary."""
    if parts.test is None:
        raise AssertionError("there is something to judge on")
    with step("predict"), spent(costs, "predict"):
        told = fitted.predict(parts.test)
    frames = []
    for name in fitted.numbers:
        there = parts.test[name].is_not_null()
        train = parts.train.filter(pl.col(name).is_not_null())
        number_N = train[name].cast(pl.Float64).to_numpy()
        beside = usual(fitted.recipe.columns.categories, train, number_N, parts.test.filter(there))
        rows = pl.DataFrame({"target": name, "row": np.flatnonzero(there.to_numpy())}).with_columns(
            parts.test[name].filter(there).cast(pl.Float64).alias("truth"),
            *(told[f"{part}{fitted.end_of(name)}"].filter(there).alias(part) for part in ("prediction", "low", "high")),
            *(pl.Series(model, answers) for model, answers in beside.items()),
        )
        frames.append(rows)
    rows = pl.concat(frames)
    said = parts.train.select(*fitted.numbers)
    rows.write_parquet(contents / "predictions.parquet")
    parts.test.write_parquet(contents / "rows.parquet")
    said.write_parquet(contents / "said.parquet")
    found = _judged(settings, rows, said, fitted.recipe.level)
    write_figures(contents, "evaluation", found.to_dict())
    return f"\n\n{found}"


def evaluate(run: Run) -> RowsEvaluation:
    """What the stored regression says, asked and judged again."""
    fitted, rows = run.tabular, run.predictions
    told = fitted.predict(run.rows)
    again = []
    for name in fitted.numbers:
        mine = rows.filter(target=name)
        parts = ("prediction", "low", "high")
        again.append(
            mine.with_columns(told[f"{part}{fitted.end_of(name)}"].gather(mine["row"]).alias(part) for part in parts)
        )
    return _judged(run.settings, pl.concat(again), run.said, fitted.recipe.level)


def looked_into(fitted: FittedTabularRegression) -> dict[str, Any]:
    """What was learnt of each target, for a report: by what, what was tried, what each column contributes."""
    told = {}
    for name, number in fitted.numbers.items():
        told[name] = {
            "by": number.by,
            "tried": number.tried.to_dicts(),
            "contributions": number.contributions.to_dicts(),
            "losses": None if number.network is None else number.network.losses.to_dicts(),
        }
    return {"targets": told}


def _judged(settings: Settings, rows: pl.DataFrame, said: pl.DataFrame, level: float) -> RowsEvaluation:
    """The evaluation of predictions that stand beside the truth; `said` was learnt from."""
    found, intervals = {}, {}
    told = {"target", "row", "truth", "prediction", "low", "high"}
    for name in said.columns:
        mine = rows.filter(target=name)
        with step(f"judge {name}"):
            found[name] = evaluate_predictions(
                mine.select("row", "prediction"),
                mine.select("row", "truth"),
                settings.metrics,
                target="truth",
                keys=KEYS,
                against={other: mine.select("row", prediction=other) for other in mine.columns if other not in told},
                train=said.select(truth=pl.col(name).drop_nulls().cast(pl.Float64)),
                seed=settings.seed,
                name=MODEL,
            )
        intervals[name] = intervals_of(mine, level)
    return RowsEvaluation(found, intervals)
