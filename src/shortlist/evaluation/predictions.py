"""Predictions: predicted numbers of anybody's making against the truth, with intervals and beside the constants.

Every row of the truth is judged. A row without a prediction is taken to be predicted by the mean, which is what a model
that says nothing says; such rows are counted. The mean and the median stand in every table: of the target in `train`
where it is given, else of the truth itself, which no model can know, so that the bar is rather too high.

Rows of one user are not independent, so the bootstrap draws users with all their rows where the rows have a `user_id`,
else rows; a difference is paired.

Shapes: N rows, U units that are drawn (users, or rows), S terms of a metric.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.errors import ColumnError, ConfigError, DataError, nearest
from shortlist.evaluation.closeness import Terms, Values, bins_of
from shortlist.evaluation.metrics import Metric, metrics_of, of_numbers
from shortlist.evaluation.scoreboard import Scoreboard, scoreboard
from shortlist.progress import step
from shortlist.tables.frames import column_names, columns_of

PREDICTION = "prediction"
"""The column of the predicted number."""
TARGETS = ("target", "rating", "score", "weight")
"""Columns of the truth that are taken for the target where none is named, the first that is there."""
METRICS = ("rmse", "mae", "r2", "spearman", "calibration_error")
"""What is measured where nothing is said."""
CONSTANTS = ("mean", "median")
"""The baselines that stand in every table."""


@dataclass(frozen=True, eq=False)
class PredictionEvaluation:
    """What was measured. `str` is a table to read, `to_dict` is ready for JSON."""

    scores: Scoreboard
    rows: pl.DataFrame
    """Every judged row: its keys, `truth`, `prediction`."""
    units: int
    """Users or rows that the bootstrap draws."""
    rows_without_prediction: int
    """Rows that were taken to be predicted by the mean."""

    @property
    def table(self) -> pl.DataFrame:
        """A row for each model and metric: see `Scoreboard.table`."""
        return self.scores.table

    @property
    def differences(self) -> pl.DataFrame:
        """A row for each baseline and metric: see `Scoreboard.differences`."""
        return self.scores.differences

    def calibration(self) -> pl.DataFrame:
        """The bins of the calibration error: see `bins_by_prediction`."""
        return bins_by_prediction(self.rows)

    def __str__(self) -> str:
        drawn = "users" if "user_id" in self.rows.columns else "rows"
        rows = (
            f"{self.rows.height:,} rows judged, {self.rows_without_prediction:,} of them without a prediction; "
            f"intervals over {self.units:,} {drawn}"
        )
        return f"{rows}\n\n{self.scores}"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single rows, as plain lists, dictionaries, numbers, text and None."""
        return {
            "rows": self.rows.height,
            "rows_without_prediction": self.rows_without_prediction,
            "units": self.units,
            **self.scores.to_dict(),
            "calibration": self.calibration().to_dicts(),
        }


def bins_by_prediction(rows: pl.DataFrame) -> pl.DataFrame:
    """The bins of the calibration error, by rising prediction: `rows`, mean `prediction`, mean `truth`."""
    bins = bins_of(rows["prediction"].to_numpy())
    return (
        rows.group_by(pl.Series("bin", bins))
        .agg(pl.len().alias("rows"), pl.mean("prediction"), pl.mean("truth"))
        .sort("bin")
        .drop("bin")
    )


def intervals_of(rows: pl.DataFrame, level: float) -> dict[str, float]:
    """How intervals did (`low`, `high` beside `truth`): the `level` that they are to hold, their `coverage`, the share
    of the truth that lies in them, and their mean `width`.
    """
    held = (rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])
    width = rows["high"] - rows["low"]
    return {"level": level, "coverage": held.mean(), "width": width.mean()}  # type: ignore[dict-item]


def said_of_intervals(told: Mapping[str, float]) -> str:
    """The same in words."""
    return (
        f"{told['coverage']:.1%} of the true numbers lie in their intervals, which are to hold {told['level']:.0%}; an "
        f"interval is {told['width']:.3g} wide on average"
    )


def evaluate_predictions(
    predictions: Any,
    truth: Any,
    metrics: Iterable[str | Metric] = METRICS,
    *,
    target: str | None = None,
    keys: Sequence[str] | None = None,
    against: Mapping[str, Any] | None = None,
    train: Any = None,
    draws: int = 1000,
    seed: int = 0,
    name: str = "model",
) -> PredictionEvaluation:
    """The metrics of the predictions, with intervals, beside the constants and what stands in `against`.

    Frames may come from any library that narwhals knows. Truth: key columns and the `target` (None: the first of
    `TARGETS` that is there). Predictions, and each of `against`: the same keys and `prediction`; further columns are
    ignored. `keys` say which row is which (None: the columns of both whose names end in `id`); each row of the truth
    has keys of its own. `train` is a frame with the target, whose mean and median are the constants.

    Raises `ColumnError` for a missing column, `DataError` for keys that are there twice, for numbers that are missing
    or not finite, and for an empty truth; `ConfigError` for metrics of lists.

    >>> truth = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"], "rating": [5.0, 3.0, 4.0]})
    >>> told = truth.select("user_id", "item_id", prediction=pl.col("rating") + 0.5)
    >>> evaluate_predictions(told, truth, ["rmse"]).table.filter(model="model")["value"].item()
    0.5
    """
    chosen = metrics_of(metrics)
    if not of_numbers(chosen):
        raise ConfigError(f"{chosen[0]} judges lists, not predicted numbers: use evaluate")
    for taken in (name, *CONSTANTS):
        if taken in (against or {}) or name in CONSTANTS:
            raise ConfigError(f"two models are called {taken!r}: give one another name")
    target = target or _target(truth)
    keys = tuple(keys or _keys(predictions, truth))
    true = _numbers(truth, keys, target, "the truth").rename({target: "truth"})
    if true.is_empty():
        raise DataError("the truth has no rows, so nothing can be judged")
    learnt_from = true["truth"] if train is None else _finite(columns_of(train, (target,), "the train part"), target)
    constants = {"mean": float(learnt_from.mean()), "median": float(learnt_from.median())}  # type: ignore[arg-type]
    truth_N = true["truth"].to_numpy().astype(np.float64)
    models: dict[str, Values] = {}
    missing = {}
    for model, frame in {name: predictions, **(against or {})}.items():
        models[model], missing[model] = _aligned(frame, true, keys, constants["mean"], model)
    models |= {constant: np.full(len(truth_N), value) for constant, value in constants.items()}
    unit_N, units = _units(true)
    with step("bootstrap"):
        terms = {
            model: {m: _by_unit(m.family.function(truth_N, predicted_N), unit_N, units) for m in chosen}
            for model, predicted_N in models.items()
        }
        scores = scoreboard(terms, {}, chosen, draws=draws, seed=seed)
    rows = true.with_columns(prediction=pl.Series(models[name]))
    return PredictionEvaluation(scores, rows, units, missing[name])


def _by_unit(terms: Terms, unit_N: npt.NDArray[np.int64], units: int) -> Terms:
    """The terms summed up for each unit, beside its number of rows: the mean over rows is a ratio of two means."""
    if units == len(unit_N):
        return terms
    columns = [*terms.values.T, np.ones(len(unit_N))]
    sums_US: Values = np.column_stack([np.bincount(unit_N, weights=column_N, minlength=units) for column_N in columns])
    return Terms(sums_US, lambda means: terms.of(means[..., :-1] / means[..., -1:]))


def _units(true: pl.DataFrame) -> tuple[npt.NDArray[np.int64], int]:
    """The number of the unit of each row, and how many there are: users where rows have one, else rows."""
    if "user_id" not in true.columns:
        return np.arange(true.height), true.height
    unit_N = (true["user_id"].rank("dense") - 1).cast(pl.Int64).to_numpy()
    return unit_N, int(unit_N.max()) + 1


def _aligned(frame: Any, true: pl.DataFrame, keys: Sequence[str], mean: float, name: str) -> tuple[Values, int]:
    """The prediction of each row of the truth, in its order, and how many had none."""
    what = f"the predictions of {name!r}"
    told = _numbers(frame, keys, PREDICTION, what)
    for key in keys:
        if (told[key].dtype == pl.String) != (true[key].dtype == pl.String):
            raise DataError(
                f"{key} is {told[key].dtype} in {what} but {true[key].dtype} in the truth, "
                "so none could match: cast one of them"
            )
    told = told.with_columns(pl.col(key).cast(true[key].dtype) for key in keys)
    found = true.select(keys).join(told, on=keys, how="left", maintain_order="left")[PREDICTION]
    return found.fill_null(mean).to_numpy().astype(np.float64), found.null_count()


def _numbers(frame: Any, keys: Sequence[str], column: str, what: str) -> pl.DataFrame:
    """The keys, each once, and one column of finite numbers."""
    rows = columns_of(frame, (*keys, column), what)
    _finite(rows, column, what)
    doubled = rows.select(keys).is_duplicated()
    if doubled.any():
        raise DataError(
            f"{what}: the row {rows.filter(doubled).select(keys).row(0, named=True)} is there twice: "
            "keep one, or name keys= that tell rows apart"
        )
    return rows.with_columns(pl.col(column).cast(pl.Float64))


def _finite(rows: pl.DataFrame, column: str, what: str = "the train part") -> pl.Series:
    numbers = rows[column]
    if not numbers.dtype.is_numeric():
        raise DataError(f"{what}: {column} is of type {numbers.dtype}; cast it to numbers")
    endless = (~numbers.cast(pl.Float64).is_finite()).sum()
    if endless:
        raise DataError(f"{what}: {endless:,} rows have a {column} that is not finite; drop them or fill it in")
    return numbers


def _target(truth: Any) -> str:
    there = column_names(truth, "the truth")
    for name in TARGETS:
        if name in there:
            return name
    raise ColumnError(f"the truth has none of {', '.join(TARGETS)} among {there}: say target='...'")


def _keys(predictions: Any, truth: Any) -> list[str]:
    theirs, ours = column_names(predictions, "the predictions"), column_names(truth, "the truth")
    if PREDICTION not in theirs:
        raise ColumnError(f"the predictions lack the column {PREDICTION!r}{nearest(PREDICTION, theirs)}")
    keys = [name for name in ours if name in theirs and name.lower().endswith("id")]
    if not keys:
        raise ColumnError(
            f"predictions ({', '.join(theirs)}) and truth ({', '.join(ours)}) share no id: say keys=[...]"
        )
    return keys
