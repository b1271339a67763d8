"""Cut: where a list ends, so that the set of what it answers is best.

Each candidate's probability p to be wanted is a logistic function of the ranker's score, fitted on lists that the
ranker has not learnt from (`logistic`). Rules:

- top_k: as many as `value`;
- threshold: while p ≥ value;
- margin: while p ≥ (1 - value) · the best p of the list (the winners of Kaggle's Learning Equality contest, 2023);
- expected: the n of the largest (1 + β²) Σ_{i ≤ n} p_i / (β² (Σ_i p_i + m) + n), about the expected F-beta of the first
  n (Jansche, "A maximum expected utility framework for binary sequence labeling", ACL 2007, by its first-order
  approximation), m how many wanted items are not among the candidates, on average.

Cost: one sort of each list.

Shapes: N candidates of all lists, L lists.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from shortlist.config import Config
from shortlist.ranking import logistic

VALUES = {
    "expected": (0.0,),
    "margin": tuple(np.round(np.arange(0.05, 1, 0.05), 2).tolist()),
    "threshold": (0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "top_k": (1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0, 50.0),
}
"""What is tried of each rule; of equal ones the first."""


class Cut(Config):
    """Recipe for the rule by which lists end."""

    beta: PositiveFloat = 2.0
    """The F-beta that is made as large as can be: how many times as much recall counts as precision."""
    rule: Literal["auto", "expected", "margin", "threshold", "top_k"] = "auto"
    """By what lists end; auto: by what is best on lists that the ranker has not learnt from."""
    value: float | None = Field(None, ge=0)
    """The rule's number; none: the best one. Expected has none."""
    at_least: PositiveInt = 1
    """Items that every list keeps, where it has so many."""

    @model_validator(mode="after")
    def _a_value_has_a_rule(self) -> "Cut":
        if self.value is not None and self.rule in ("auto", "expected"):
            raise ValueError(f"rule={self.rule!r} takes no value: name margin, threshold or top_k for {self.value}")
        if self.value is not None and self.rule == "top_k" and (self.value < 1 or self.value % 1):
            raise ValueError(f"top_k keeps a whole number of items, 1 at least, not {self.value}")
        if self.value is not None and self.rule in ("margin", "threshold") and self.value > 1:
            raise ValueError(f"a {self.rule} is a share, from 0 to 1, not {self.value}")
        return self

    def fit(self, scored: pl.DataFrame, wanted: pl.DataFrame) -> "FittedCut":
        """The rule that is best on `scored` (`list`, `score`, `hit`), lists that the ranker has not learnt from.

        `wanted` says how many items each `list` wants (`wanted`), found or not.
        """
        slope, intercept = logistic.fit(scored.select("score").to_numpy(), scored["hit"].to_numpy()).tolist()
        found = scored.group_by("list").agg(found=pl.col("hit").sum())
        missed = wanted.join(found, on="list", how="left").select(pl.col("wanted") - pl.col("found").fill_null(0))
        lost = float(missed.to_series().mean() or 0)  # type: ignore[arg-type]
        rules = tuple(VALUES) if self.rule == "auto" else (self.rule,)
        at = {}
        for rule in rules:
            for value in VALUES[rule] if self.value is None else (self.value,):
                recipe = self.model_copy(update={"rule": rule, "value": None if rule == "expected" else value})
                at[recipe] = FittedCut(recipe, slope, intercept, lost, {}).quality(scored, wanted)
        best = max(at, key=lambda recipe: at[recipe])
        told = {rule: max(quality for recipe, quality in at.items() if recipe.rule == rule) for rule in rules}
        return FittedCut(best, slope, intercept, lost, told)


@dataclass(frozen=True)
class FittedCut:
    """The rule, the line from scores to log-odds, how many wanted items no list has, on average, and the F-beta (`at`)
    of the best of each rule, on lists that the ranker had not learnt from.
    """

    recipe: Cut
    slope: float
    intercept: float
    missed: float
    at: dict[str, float]

    def __str__(self) -> str:
        """The rule, and what each reached."""
        rule = f"{self.recipe.rule} {self.recipe.value or ''}".strip()
        qualities = ", ".join(f"{name} {quality:.4f}" for name, quality in self.at.items())
        return f"lists end by {rule}; F{self.recipe.beta:g} on lists that the ranker had not learnt from: {qualities}"

    def keeps(self, lists: pl.Series, scores: pl.Series) -> pl.Series:
        """For each candidate (its list, and its score) whether it stays; those of a list need not stand together."""
        frame = pl.DataFrame({"list": lists, "score": scores, "p": self.probability(scores.to_numpy())})
        frame = frame.with_columns(place=pl.col("score").rank("ordinal", descending=True).over("list"))
        match self.recipe.rule:
            case "top_k":
                kept = pl.col("place") <= int(self.recipe.value or 1)
            case "threshold":
                kept = pl.col("p") >= self.recipe.value
            case "margin":
                kept = pl.col("p") >= (1 - (self.recipe.value or 0)) * pl.col("p").max().over("list")
            case _:
                kept = pl.col("place") <= self._longest(frame)
        return frame.select(kept | (pl.col("place") <= self.recipe.at_least)).to_series()

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """How likely a candidate of such a score is wanted (float64)."""
        return logistic.probability(self.slope * scores + self.intercept)

    def quality(self, scored: pl.DataFrame, wanted: pl.DataFrame) -> float:
        """The mean F-beta of the lists of `fit` after the cut; a list that nobody scored counts 0."""
        kept = scored.filter(self.keeps(scored["list"], scored["score"]))
        told = kept.group_by("list").agg(length=pl.len(), hits=pl.col("hit").sum())
        square = self.recipe.beta**2
        f_beta = (1 + square) * pl.col("hits") / (square * pl.col("wanted") + pl.col("length"))
        each = wanted.join(told, on="list", how="left").select(f_beta.fill_null(0.0))
        return float(each.to_series().mean() or 0)  # type: ignore[arg-type]

    def _longest(self, frame: pl.DataFrame) -> pl.Series:
        """For each candidate the length of its list of the largest expected F-beta."""
        square, p = self.recipe.beta**2, pl.col("p")
        ordered = frame.with_row_index("row").sort("list", "place")
        gain = p.cum_sum().over("list") / (square * (p.sum().over("list") + self.missed) + pl.col("place"))
        best = (
            ordered.with_columns(gain=gain).group_by("list").agg(longest=pl.col("place").get(pl.col("gain").arg_max()))
        )
        return ordered.join(best, on="list", how="left", maintain_order="left").sort("row")["longest"]
