"""Evaluate: lists of anybody's making against what the users then took, with intervals and beside baselines.

Who is judged: the users with truth. One of them without a list scores 0; a user with a list but without truth
is left out; both are counted. A number is a mean over the judged users with a 95 % interval by bootstrap over
users (`compare`), and a difference to a baseline is paired: the same users, the same draws.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.errors import ConfigError, DataError
from shortlist.evaluation.compare import estimate
from shortlist.evaluation.lists import Truth, distinct_items, judged_lists, read_lists, read_truth
from shortlist.evaluation.metrics import Metric, coverage, metrics_of
from shortlist.progress import step
from shortlist.seeds import Seeds


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured. `str` is a table to read, `to_dict` is ready for JSON."""

    table: pl.DataFrame
    """A row for each model and metric: model, metric, value, low, high (null where there is no interval)."""
    differences: pl.DataFrame
    """A row for each baseline and metric: model, baseline, metric, difference (model minus it), low, high."""
    per_user: pl.DataFrame
    """A row for each judged user, by id: user_id, and the value of each metric that has one for a user."""
    users: int
    """Users judged: those with truth."""
    users_without_list: int
    """Those of them without a list, who score 0."""
    users_without_truth: int
    """Users with a list but no truth, who are left out."""
    draws: int
    """Draws of the bootstrap."""
    seed: int

    def __str__(self) -> str:
        users = (
            f"{self.users:,} users judged, {self.users_without_list:,} of them without a list; "
            f"{self.users_without_truth:,} users without truth left out"
        )
        told = [users, _rendered(self.table, ["model", "metric"], "value", "")]
        if self.differences.height:
            told.append(_rendered(self.differences, ["model", "baseline", "metric"], "difference", "+"))
        return "\n\n".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the values of single users, as plain lists, dictionaries, numbers, text and None."""
        return {
            "users": self.users,
            "users_without_list": self.users_without_list,
            "users_without_truth": self.users_without_truth,
            "draws": self.draws,
            "seed": self.seed,
            "table": self.table.to_dicts(),
            "differences": self.differences.to_dicts(),
        }


def evaluate(
    recommendations: Any,
    truth: Any,
    metrics: Iterable[str | Metric],
    *,
    against: Mapping[str, Any] | None = None,
    catalogue: int | None = None,
    draws: int = 1000,
    seed: int = 0,
    name: str = "model",
) -> Evaluation:
    """The metrics of the lists, with intervals, and their paired differences to the lists in `against`.

    Frames may come from any library that narwhals knows. Lists: `user_id, item_id, rank`, ranks 1, 2, 3, ...;
    further columns are ignored. Truth: `user_id, item_id`; a pair that stands there twice counts once.
    `catalogue` is the number of items that could have been shown, for `coverage`. `name` is what the tables
    call the lists.

    Raises `DataError` for a list that shows an item twice or whose ranks have a gap, for ids that are numbers
    on one side and text on the other, for an empty truth; `ColumnError` for a missing column; `ConfigError`
    for a metric that does not exist or lacks what it needs.

    >>> lists = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"], "rank": [1, 2, 1]})
    >>> truth = pl.DataFrame({"user_id": [1, 2], "item_id": ["b", "a"]})
    >>> evaluate(lists, truth, ["mrr@2"]).table["value"].item()
    0.75
    """
    chosen = metrics_of(metrics)
    models = _models(name, recommendations, against or {})
    _check(chosen, catalogue, draws)
    true = read_truth(truth)
    judged = {model: _judged(frame, true, chosen, catalogue, model) for model, frame in models.items()}
    main = judged[name]
    baselines = [model for model in models if model != name]
    with step("bootstrap"):
        columns = [judged[model].values for model in models]
        columns += [main.values - judged[baseline].values for baseline in baselines]
        found = iter(_estimates(np.hstack(columns), draws, seed))

    table, differences = [], []
    for model in models:
        for metric in chosen:
            value, low, high = next(found) if metric.per_user else (judged[model].shared[metric], None, None)
            table.append((model, str(metric), value, low, high))
    for baseline in baselines:
        for metric in chosen:
            shared = None if metric.per_user else main.shared[metric] - judged[baseline].shared[metric]
            value, low, high = next(found) if shared is None else (shared, None, None)
            differences.append((name, baseline, str(metric), value, low, high))
    per_user = dict(zip(map(str, _per_user(chosen)), main.values.T, strict=True))
    return Evaluation(
        table=pl.DataFrame(table, schema=_TABLE, orient="row"),
        differences=pl.DataFrame(differences, schema=_DIFFERENCES, orient="row"),
        per_user=pl.DataFrame({"user_id": true.users, **per_user}),
        users=len(true.users),
        users_without_list=main.users_without_list,
        users_without_truth=main.users_without_truth,
        draws=draws,
        seed=seed,
    )


_INTERVAL = {"low": pl.Float64, "high": pl.Float64}
_TABLE = {"model": pl.String, "metric": pl.String, "value": pl.Float64, **_INTERVAL}
_DIFFERENCES = {
    "model": pl.String,
    "baseline": pl.String,
    "metric": pl.String,
    "difference": pl.Float64,
    **_INTERVAL,
}


@dataclass(frozen=True, eq=False)
class _Model:
    """What one model's lists came to."""

    values: npt.NDArray[np.float64]  # (U, M): a column for each metric that has a value for a user
    shared: dict[Metric, float]
    users_without_list: int
    users_without_truth: int


def _judged(frame: Any, truth: Truth, metrics: list[Metric], catalogue: int | None, name: str) -> _Model:
    with step(f"judge {name}"):
        lists = read_lists(frame, name)
        found = judged_lists(lists, truth, max(metric.k for metric in metrics), name)
        values_UM = np.empty((len(truth.users), len(_per_user(metrics))))
        for column, metric in enumerate(_per_user(metrics)):
            values_UM[:, column] = metric.values(found.hits, truth.sizes)
        shared = {m: _coverage(lists, m.k, catalogue or 0, name) for m in metrics if not m.per_user}
        return _Model(values_UM, shared, found.users_without_list, found.users_without_truth)


def _coverage(lists: pl.DataFrame, k: int, catalogue: int, name: str) -> float:
    shown = distinct_items(lists, k)
    if shown > catalogue:
        raise DataError(
            f"the lists of {name!r} show {shown:,} different items, but catalogue={catalogue:,}: "
            "give the number of all items that could have been shown"
        )
    return coverage(shown, catalogue)


def _estimates(values_UM: npt.NDArray[np.float64], draws: int, seed: int) -> Iterator[tuple[float, float, float]]:
    found = estimate(values_UM, draws, Seeds(seed).generator("bootstrap"))
    return zip(found.value.tolist(), found.low.tolist(), found.high.tolist(), strict=True)


def _models(name: str, recommendations: Any, against: Mapping[str, Any]) -> dict[str, Any]:
    if name in against:
        raise ConfigError(f"two models are called {name!r}: give the judged lists another name, or the baseline")
    return {name: recommendations, **against}


def _check(metrics: list[Metric], catalogue: int | None, draws: int) -> None:
    for metric in metrics:
        if not metric.per_user and (catalogue is None or catalogue < 1):
            raise ConfigError(f"{metric} needs the number of items that could have been shown: give catalogue=, from 1")
    if draws < 1:
        raise ConfigError(f"{draws} draws of the bootstrap give no interval: take 1,000")


def _per_user(metrics: list[Metric]) -> list[Metric]:
    return [metric for metric in metrics if metric.per_user]


def _rendered(rows: pl.DataFrame, names: list[str], value: str, sign: str) -> str:
    """The rows as aligned text, with the interval in brackets."""
    lines = [[*names, value, "95 % interval"]]
    for row in rows.iter_rows(named=True):
        ends = "" if row["low"] is None else f"[{row['low']:{sign}.4f}, {row['high']:{sign}.4f}]"
        lines.append([*(row[name] for name in names), f"{row[value]:{sign}.4f}", ends])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
