"""Boosted trees of a number.

Source: LightGBM (Ke et al., NIPS 2017).  Cost: rows × features × rounds. The negative binomial, which it lacks, stands
here: μ = e^f of mean and μ + μ²/size of variance.

Shapes: N rows, P features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field, PositiveInt

from shortlist.boosted import Boosted, lightgbm_for
from shortlist.progress import reached

Objective = Literal["squared", "absolute", "poisson", "negative_binomial", "tweedie", "binary", "quantile"]
_NAMES = {"squared": "regression", "absolute": "regression_l1"}
_SIZES = (0.01, 1e4)
"""Between these the size of a negative binomial is held."""
_TOLD = 50


class BoostedTrees(Boosted):
    """Recipe for trees; they stop where rows that are held out gain no more."""

    rounds: PositiveInt = 1_000
    """Trees at most."""
    patience: PositiveInt = 50
    """Trees without a gain on the rows that are held out, after which no more are made."""
    leaves: int = Field(63, ge=2)
    """Leaves of each tree."""
    min_rows: PositiveInt = 60
    """Rows that a leaf needs."""
    feature_share: float = Field(0.4, gt=0, le=1)
    """Share of the features that each tree sees."""

    def fit(
        self,
        objective: Objective,
        names: Sequence[str],
        categories: Sequence[int],
        learnt: tuple[np.ndarray, np.ndarray],
        held: tuple[np.ndarray, np.ndarray],
        seed: int,
        quantile: float | None = None,
    ) -> "FittedTrees":
        """Learn from the features (float32, N × P) and numbers (N) of `learnt`; stop by those of `held`.

        `categories` are the features whose values are numbers of categories. A missing value is NaN. The objective
        "quantile" learns that `quantile` of the numbers.
        """
        lightgbm = lightgbm_for("boosted trees")
        settings = self.settings(_NAMES.get(objective, objective), seed) | {"cat_smooth": 20}
        settings |= {} if quantile is None else {"alpha": quantile}
        start, judge = 0.0, None
        starts: list[np.ndarray | None] = [None, None]
        if objective == "negative_binomial":
            counted = _NegativeBinomial.of(learnt[1])
            settings |= {"objective": counted.slopes, "metric": "none"}
            start, judge = float(np.log(learnt[1].mean())), counted.judge
            starts = [np.full(len(numbers), start) for numbers in (learnt[1], held[1])]
        of_categories = list(categories) or "auto"
        data = lightgbm.Dataset(learnt[0], learnt[1], categorical_feature=of_categories, init_score=starts[0])
        judged = lightgbm.Dataset(held[0], held[1], reference=data, init_score=starts[1])
        told = lightgbm.early_stopping(self.patience, verbose=False)
        booster = lightgbm.train(
            settings, data, self.rounds, valid_sets=[judged], feval=judge, callbacks=[told, _reached]
        )
        text = booster.model_to_string(num_iteration=booster.best_iteration)
        return FittedTrees(self, tuple(names), text, objective, start)


@dataclass(frozen=True)
class FittedTrees:
    """The trees as LightGBM's text, and the names of the features in their order; `start` is added to what they say."""

    recipe: BoostedTrees
    features: tuple[str, ...]
    trees: str
    objective: Objective
    start: float

    def predict(self, feature_NP: np.ndarray) -> np.ndarray:
        """What is expected of rows (float64, N)."""
        if not len(feature_NP):
            return np.zeros(0)
        found: np.ndarray = self._booster.predict(feature_NP, num_threads=self.recipe.threads or 0)
        return np.exp(self.start + found) if self.objective == "negative_binomial" else found

    @cached_property
    def _booster(self) -> Any:
        return lightgbm_for("boosted trees").Booster(model_str=self.trees)


@dataclass(frozen=True)
class _NegativeBinomial:
    """Its logarithmic loss, but for what no answer changes, and how this falls."""

    size: float

    @classmethod
    def of(cls, number_N: np.ndarray) -> "_NegativeBinomial":
        """Of the size that the moments of numbers tell."""
        mean, variance = float(number_N.mean()), float(number_N.var())
        return cls(float(np.clip(mean**2 / max(variance - mean, 1e-9), *_SIZES)))

    def slopes(self, told_N: np.ndarray, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """The first and second derivative of each row's loss by what is told of it."""
        mean_N, number_N = np.exp(told_N), data.get_label()
        share_N = self.size / (self.size + mean_N)
        return share_N * (mean_N - number_N), share_N**2 * mean_N * (1 + number_N / self.size)

    def judge(self, told_N: np.ndarray, data: Any) -> tuple[str, float, bool]:
        """The mean loss of rows."""
        number_N = data.get_label()
        loss_N = (self.size + number_N) * np.logaddexp(told_N, np.log(self.size)) - number_N * told_N
        return "negative_binomial", float(loss_N.mean()), False


def _reached(made: Any) -> None:
    if (made.iteration + 1) % _TOLD == 0:
        reached(f"{made.iteration + 1} trees")


_reached.order = 30  # type: ignore[attr-defined]  # after the judging
