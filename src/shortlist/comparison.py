"""Comparison: any number of runs, and of anybody's lists, on one truth."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from shortlist.errors import ConfigError, DataError
from shortlist.evaluation.evaluate import evaluate
from shortlist.evaluation.metrics import metrics_of
from shortlist.exchange import lists_in
from shortlist.run import Run, open_run


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was measured. `str` is a table to read, `to_dict` is ready for JSON."""

    table: pl.DataFrame
    """A row for each model and metric: model, metric, value, low, high."""
    differences: pl.DataFrame
    """A row for each other model and metric: model, baseline (the first), metric, difference, low, high."""
    users: int
    """Users judged."""

    def __str__(self) -> str:
        metrics = self.table["metric"].unique(maintain_order=True).to_list()
        told = [f"{self.users:,} users judged; 95 % intervals", _side_by_side(self.table, "value", "", metrics)]
        if self.differences.height:
            told.append(f"paired difference to {self.differences['baseline'][0]}")
            told.append(_side_by_side(self.differences, "difference", "+", metrics))
        return "\n\n".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, dictionaries, numbers, text and None."""
        return {"users": self.users, "table": self.table.to_dicts(), "differences": self.differences.to_dicts()}


def compare(paths: Iterable[str | Path]) -> Comparison:
    """Runs, and files of lists (`user_id`, `item_id`, `rank`), side by side, each with its difference to the first.

    The first must be a run: all are judged on its truth and by its metrics. A difference is paired: that model minus
    the first, over the same users and draws. A run with another truth raises `DataError`; one whose lists are shorter
    than the metrics look, and a path that is named twice, raise `ConfigError`.
    """
    names = [str(path) for path in paths]
    if not names:
        raise ConfigError("there is nothing to compare: name a run")
    if len(set(names)) < len(names):
        raise ConfigError(f"a path is named twice: {', '.join(names)}")
    if Path(names[0]).is_file():
        raise ConfigError(f"{names[0]!r} is a file: name a run first, for all are judged on the truth of the first")
    first = open_run(names[0])
    truth = first.truth
    others = {name: _lists(name, first, truth) for name in names[1:]}
    found = evaluate(
        first.recommendations,
        truth,
        first.settings.metrics,
        against=others,
        catalogue=len(first.pipeline.item_ids),
        seed=first.settings.seed,
        name=names[0],
    )
    # There, the first minus each other; here, each other minus the first.
    turned = found.differences.select(
        pl.col("baseline").alias("model"),
        pl.col("model").alias("baseline"),
        "metric",
        difference=-pl.col("difference"),
        low=-pl.col("high"),
        high=-pl.col("low"),
    )
    return Comparison(found.table, turned, found.users)


def _lists(name: str, first: Run, truth: pl.DataFrame) -> pl.DataFrame:
    if Path(name).is_file():
        return lists_in(name)
    run = open_run(name)
    order = ["user_id", "item_id"]
    theirs = run.truth
    if theirs.schema != truth.schema or not theirs.sort(order).equals(truth.sort(order)):
        raise DataError(
            f"{name!r} was judged on another truth ({_size(theirs)}) than {str(first.path)!r} ({_size(truth)}): "
            "fit both with the same data and [split]"
        )
    deepest = max(metrics_of(first.settings.metrics), key=lambda metric: metric.k)
    if run.settings.k < deepest.k:
        raise ConfigError(
            f"the lists of {name!r} are {run.settings.k} long, but {deepest} looks further: fit with a larger k"
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
            cells.append(f"{row[value]:{sign}.4f}{ends}")
        lines.append([model, *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
