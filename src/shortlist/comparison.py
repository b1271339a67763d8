"""Comparison: any number of runs, recipes, and of anybody's lists, on one truth, beside the baselines."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from shortlist import experiment
from shortlist.errors import ConfigError, DataError
from shortlist.evaluation.metrics import depth, metrics_of
from shortlist.evaluation.scoreboard import aligned, told_p
from shortlist.exchange import lists_in
from shortlist.run import Run, open_run
from shortlist.settings import read_settings

RECIPE = ".toml"
"""The ending of a file that is fitted before it is compared."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was measured. `str` is a table to read, `to_dict` is ready for JSON."""

    table: pl.DataFrame
    """A row for each model and metric: model, metric, value, low, high."""
    differences: pl.DataFrame
    """A row for each other model and metric, as `Scoreboard.differences`, turned: baseline is the first model."""
    users: int
    """Users judged."""

    def __str__(self) -> str:
        metrics = self.table["metric"].unique(maintain_order=True).to_list()
        told = [f"{self.users:,} users judged; 95 % intervals", _side_by_side(self.table, "value", "", metrics)]
        told.append(f"paired difference to {self.table['model'][0]}; p after Holm's correction")
        told.append(_side_by_side(self.differences, "difference", "+", metrics))
        return "\n\n".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, dictionaries, numbers, text and None."""
        return {"users": self.users, "table": self.table.to_dicts(), "differences": self.differences.to_dicts()}


def compare(paths: Iterable[str | Path]) -> Comparison:
    """Runs, recipes (`.toml`, fitted first) and files of lists side by side, each with its difference to the first.

    The first must be a run or a recipe: all are judged on its truth and by its metrics, and its baselines stand beside
    them. Lists are `user_id`, `item_id`, `rank`. A difference is paired: that model minus the first, over the same
    users and draws. A run with another truth raises `DataError`; one whose lists are shorter than the metrics look, and
    a path that is named twice, raise `ConfigError`.
    """
    names = [str(path) for path in paths]
    if not names:
        raise ConfigError("there is nothing to compare: name a run")
    if len(set(names)) < len(names):
        raise ConfigError(f"a path is named twice: {', '.join(names)}")
    if _is_lists(names[0]):
        raise ConfigError(f"{names[0]!r} is a file: name a run first, for all are judged on the truth of the first")
    first = _run(names[0])
    truth = first.truth
    others = {name: _lists(name, first, truth) for name in names[1:]}
    others |= {name: lists for name, lists in first.baselines.items() if name not in names}
    found = experiment.judged_as(first, first.recommendations, others, name=names[0])
    # There, the first minus each other; here, each other minus the first.
    turned = found.differences.with_columns(
        pl.col("baseline").alias("model"),
        pl.col("model").alias("baseline"),
        difference=-pl.col("difference"),
        low=-pl.col("high"),
        high=-pl.col("low"),
    )
    return Comparison(found.table, turned, found.users)


def _is_lists(name: str) -> bool:
    return Path(name).is_file() and Path(name).suffix.lower() != RECIPE


def _run(name: str) -> Run:
    return experiment.fit(read_settings(name)) if Path(name).is_file() else open_run(name)


def _lists(name: str, first: Run, truth: pl.DataFrame) -> pl.DataFrame:
    if _is_lists(name):
        return lists_in(name)
    run = _run(name)
    order = ["user_id", "item_id"]
    theirs = run.truth
    if theirs.schema != truth.schema or not theirs.sort(order).equals(truth.sort(order)):
        raise DataError(
            f"{name!r} was judged on another truth ({_size(theirs)}) than {str(first.path)!r} ({_size(truth)}): "
            "fit both with the same data and [split]"
        )
    looked_at = depth(metrics_of(first.settings.metrics)) or first.settings.k
    if run.settings.k < looked_at:
        raise ConfigError(
            f"the lists of {name!r} are {run.settings.k} long, but {looked_at} places are looked at: "
            "fit with a larger k"
        )
    return run.recommendations


def _size(truth: pl.DataFrame) -> str:
    return f"{truth.height:,} pairs of {truth['user_id'].n_unique():,} users"


def _side_by_side(rows: pl.DataFrame, value: str, sign: str, metrics: list[str]) -> str:
    """A line for each model, a column for each metric, as aligned text."""
    lines = [["", *metrics]]
    for model in rows["model"].unique(maintain_order=True):
        cells = []
        for row in rows.filter(model=model).iter_rows(named=True):
            ends = "" if row["low"] is None else f" [{row['low']:{sign}.4f}, {row['high']:{sign}.4f}]"
            chance = "" if row.get("p_holm") is None else f" p {told_p(row['p_holm'])}"
            cells.append(f"{row[value]:{sign}.4f}{ends}{chance}")
        lines.append([model, *cells])
    return aligned(lines)
