"""Scoreboard: models beside each other, every figure with its interval, every difference with its chance.

A model comes as `Terms` for each metric: a row for each user (or each predicted row), and how the metric follows from
the mean row. All models are drawn on the same users at once, so intervals of differences are paired.

Shapes: U users, S terms of all models and metrics together, D draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from shortlist.errors import ConfigError
from shortlist.evaluation.bootstrap import bootstrap_means, interval
from shortlist.evaluation.closeness import Terms, Values
from shortlist.evaluation.metrics import Metric
from shortlist.evaluation.significance import detectable, holm, permutation_p
from shortlist.seeds import Seeds

PERMUTATIONS = 10_000
"""Permutations behind a p-value: the smallest that can be told is one ten-thousandth."""

_ENDS = {"low": pl.Float64, "high": pl.Float64}
_TABLE = {"model": pl.String, "metric": pl.String, "value": pl.Float64, **_ENDS}
_DIFFERENCES = {
    "model": pl.String,
    "baseline": pl.String,
    "metric": pl.String,
    "difference": pl.Float64,
    **_ENDS,
    "p": pl.Float64,
    "p_holm": pl.Float64,
    "detectable": pl.Float64,
}


@dataclass(frozen=True, eq=False)
class Scoreboard:
    """Models, metrics and differences. `str` is a table to read, `to_dict` is ready for JSON."""

    table: pl.DataFrame
    """A row for each model and metric: model, metric, value, low, high (null where there is no interval)."""
    differences: pl.DataFrame
    """A row for each baseline and metric, null where there is no interval:

    - model, baseline, metric
    - difference: model minus baseline; low, high: its paired interval
    - p: of the paired permutation test; p_holm: corrected for there being several baselines
    - detectable: the smallest true difference that this test set would show, four times in five
    """
    draws: int
    """Draws of the bootstrap."""
    seed: int

    def __str__(self) -> str:
        told = [_rendered(self.table, ["model", "metric"], "value", "")]
        if self.differences.height:
            told.append(_rendered(self.differences, ["model", "baseline", "metric"], "difference", "+"))
        return "\n\n".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, dictionaries, numbers, text and None."""
        return {
            "draws": self.draws,
            "permutations": PERMUTATIONS,
            "seed": self.seed,
            "table": self.table.to_dicts(),
            "differences": self.differences.to_dicts(),
        }


def scoreboard(
    terms: Mapping[str, Mapping[Metric, Terms]],
    whole: Mapping[str, Mapping[Metric, float]],
    metrics: Sequence[Metric],
    *,
    draws: int,
    seed: int,
) -> Scoreboard:
    """The first model and its differences to the others.

    `terms` are by model, then by metric; a metric without terms has its one number for all in `whole`, and no interval.
    """
    if draws < 1:
        raise ConfigError(f"{draws} draws of the bootstrap give no interval: take 1,000")
    main, *baselines = terms
    drawn = _drawn(terms, draws, seed)
    table: list[tuple[str, str, float, float | None, float | None]] = []
    differences = []
    for model in terms:
        for metric in metrics:
            if metric in terms[model]:
                found = terms[model][metric]
                low, high = _interval(drawn[model, metric])
                table.append((model, str(metric), float(found.of(found.values.mean(axis=0))), low, high))
            else:
                table.append((model, str(metric), whole[model][metric], None, None))
    values = {(model, metric): value for model, metric, value, _, _ in table}
    p_values = _p_values(terms, metrics, seed)
    for baseline in baselines:
        for metric in metrics:
            difference = values[main, str(metric)] - values[baseline, str(metric)]
            told: tuple[float | None, ...] = (None,) * 5
            if metric in terms[main]:
                difference_D = drawn[main, metric] - drawn[baseline, metric]
                told = (*_interval(difference_D), *p_values[baseline, metric], detectable(difference_D))
            differences.append((main, baseline, str(metric), difference, *told))
    return Scoreboard(
        pl.DataFrame(table, schema=_TABLE, orient="row"),
        pl.DataFrame(differences, schema=_DIFFERENCES, orient="row"),
        draws,
        seed,
    )


def _interval(values_D: Values) -> tuple[float, float]:
    low_M, high_M = interval(values_D[:, None])
    return float(low_M[0]), float(high_M[0])


def _drawn(terms: Mapping[str, Mapping[Metric, Terms]], draws: int, seed: int) -> dict[tuple[str, Metric], Values]:
    """Each model's metric in each draw, `(D,)`: the terms of all stand side by side and are drawn once."""
    named = {(model, metric): found for model, of_model in terms.items() for metric, found in of_model.items()}
    if not named:
        return {}
    means_DS = bootstrap_means(
        np.hstack([found.values for found in named.values()]), draws, Seeds(seed).generator("bootstrap")
    )
    ends = np.cumsum([found.values.shape[1] for found in named.values()])
    parts = np.split(means_DS, ends[:-1], axis=1)
    return {name: named[name].of(part_DS) for name, part_DS in zip(named, parts, strict=True)}


def _p_values(
    terms: Mapping[str, Mapping[Metric, Terms]], metrics: Sequence[Metric], seed: int
) -> dict[tuple[str, Metric], tuple[float, float]]:
    """For each baseline and metric, p alone and p corrected: Holm's family is the baselines of one metric."""
    main, *baselines = terms
    found: dict[tuple[str, Metric], tuple[float, float]] = {}
    for metric in metrics:
        if metric not in terms[main]:
            continue
        ours = terms[main][metric]
        alone = [
            permutation_p(
                ours.values,
                terms[baseline][metric].values,
                ours.of,
                PERMUTATIONS,
                # The same swaps for each baseline and metric, whichever others stand beside them.
                Seeds(seed).generator("permutation"),
            )
            for baseline in baselines
        ]
        found |= {(b, metric): pair for b, pair in zip(baselines, zip(alone, holm(alone), strict=True), strict=True)}
    return found


def _rendered(rows: pl.DataFrame, names: list[str], value: str, sign: str) -> str:
    """The rows as aligned text: the interval in brackets, and the chance where it is told."""
    chance = "p_holm" in rows.columns
    lines = [[*names, value, "95 % interval", *(["p (Holm)", "detectable"] if chance else [])]]
    for row in rows.iter_rows(named=True):
        ends = "" if row["low"] is None else f"[{row['low']:{sign}.4f}, {row['high']:{sign}.4f}]"
        line = [*(row[name] for name in names), f"{row[value]:{sign}.4f}", ends]
        if chance:
            line += ["", ""] if row["low"] is None else [told_p(row["p_holm"]), f"{row['detectable']:.4f}"]
        lines.append(line)
    return aligned(lines)


def told_p(p: float) -> str:
    """A p-value as people read it: `< 0.001` below what matters."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Rows of cells as text with columns that stand under each other."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
