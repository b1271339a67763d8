"""Boosted trees of a number.

Source: LightGBM (Ke et al., NIPS 2017).  Cost: rows × features × rounds.

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

Objective = Literal["squared", "absolute", "poisson", "tweedie", "binary"]
_NAMES = {"squared": "regression", "absolute": "regression_l1"}
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
    ) -> "FittedTrees":
        """Learn from the features (float32, N × P) and numbers (N) of `learnt`; stop by those of `held`.

        `categories` are the features whose values are numbers of categories. A missing value is NaN.
        """
        lightgbm = lightgbm_for("boosted trees")
        settings = self.settings(_NAMES.get(objective, objective), seed) | {"cat_smooth": 20}
        of_categories = list(categories) or "auto"
        data = lightgbm.Dataset(learnt[0], learnt[1], categorical_feature=of_categories)
        judged = lightgbm.Dataset(held[0], held[1], reference=data)
        told = lightgbm.early_stopping(self.patience, verbose=False)
        booster = lightgbm.train(settings, data, self.rounds, valid_sets=[judged], callbacks=[told, _reached])
        text = booster.model_to_string(num_iteration=booster.best_iteration)
        return FittedTrees(self, tuple(names), text)


@dataclass(frozen=True)
class FittedTrees:
    """The trees as LightGBM's text, and the names of the features in their order."""

    recipe: BoostedTrees
    features: tuple[str, ...]
    trees: str

    def predict(self, feature_NP: np.ndarray) -> np.ndarray:
        """What is expected of rows (float64, N)."""
        if not len(feature_NP):
            return np.zeros(0)
        found: np.ndarray = self._booster.predict(feature_NP, num_threads=self.recipe.threads or 0)
        return found

    @cached_property
    def _booster(self) -> Any:
        return lightgbm_for("boosted trees").Booster(model_str=self.trees)


def _reached(made: Any) -> None:
    if (made.iteration + 1) % _TOLD == 0:
        reached(f"{made.iteration + 1} trees")


_reached.order = 30  # type: ignore[attr-defined]  # after the judging
