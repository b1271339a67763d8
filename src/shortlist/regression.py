"""Regression: how much. From a table of what was said to a number for any pair, with an interval where it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, model_validator
from scipy.special import ndtri

from shortlist import store
from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.folds import k_fold
from shortlist.dataset.ids import IdMap
from shortlist.dataset.views import ratings
from shortlist.errors import ConfigError, DataError, StoreError
from shortlist.models.bayesian_mf import BayesianMF, FittedBayesianMF
from shortlist.models.bias import Bias, FittedBias
from shortlist.models.biased_mf import BiasedMF
from shortlist.models.descent import FittedBiasedFactors
from shortlist.models.dot_product import DotProduct, FittedDotProduct
from shortlist.models.factors import most_alike
from shortlist.models.neural_ratings import FittedNeuralRatings, NeuralRatings
from shortlist.models.prediction import Inside, Predicted, Predictor, together
from shortlist.models.svdpp import SVDpp
from shortlist.progress import step
from shortlist.similar import similar
from shortlist.stack import Stack
from shortlist.tables.frames import columns_of
from shortlist.training.plan import Training

FEW = 20
"""Pairs for each fold, of which fewer weigh no models: then they have equal shares."""

AnyPredictor = Annotated[Bias | BiasedMF | SVDpp | BayesianMF | DotProduct | NeuralRatings, Field(discriminator="kind")]


class Regression(Config):
    """Recipe: one or several models of how much, and the range that the answers keep to."""

    models: tuple[AnyPredictor, ...] = Field((BayesianMF(),), min_length=1)
    """What learns the numbers; several are weighed by what they say of pairs that they have not seen."""
    folds: int = Field(5, ge=2)
    """Parts of the pairs, of which each is kept back once to weigh several models."""
    bounds: tuple[float, float] | Literal["auto"] | None = "auto"
    """The smallest and the largest answer; auto: the smallest and the largest number that was learnt from."""
    level: float = Field(0.9, gt=0, lt=1)
    """Share of the true numbers that intervals are to hold."""

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> "Regression":
        if isinstance(self.bounds, tuple) and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds={self.bounds}: the first is to be below the second")
        return self

    def fit(self, data: Dataset, *, seed: int = 0) -> "FittedRegression":
        """Learn the weights of events, which is where a column `rating` is read to. Of a pair the newest counts.

        The seed draws the folds; each model draws by its own.
        """
        said_UI = ratings(data)
        said = said_UI.data
        if not len(said):
            raise DataError("there is no rating to learn from: the events are empty")
        bounds = (float(said.min()), float(said.max())) if self.bounds == "auto" else self.bounds
        recipe = self.model_copy(update={"bounds": bounds})
        several = len(self.models) > 1
        few = len(said) < FEW * self.folds
        stack = Stack.equal(len(self.models)) if several and few else _stack(recipe, data, seed) if several else None
        with step("fit on everything"):
            models = tuple(model.fit(data) for model in self.models)
        counts = np.bincount(said_UI.indices, minlength=said_UI.shape[1])
        return FittedRegression(recipe, data.user_ids, data.item_ids, models, stack, counts)


def _stack(recipe: Regression, data: Dataset, seed: int) -> Stack:
    """The models weighed by what each says of a fold that it was fitted without."""
    told: list[list[Predicted]] = [[] for _ in recipe.models]
    truth = []
    for number, fold in enumerate(k_fold(data, recipe.folds, seed=seed), start=1):
        with step(f"fit the models without fold {number} of {recipe.folds}"):
            held_UI = ratings(fold.test)
            users, items = np.repeat(np.arange(held_UI.shape[0]), np.diff(held_UI.indptr)), held_UI.indices
            for model, answers in zip(recipe.models, told, strict=True):
                answers.append(kept_in_part(model, f"fold-{number}").fit(fold.train).predict(users, items))
            truth.append(held_UI.data)
    return Stack.fit([together(answers) for answers in told], np.concatenate(truth))


def kept_in_part(model: AnyPredictor, part: str) -> AnyPredictor:
    """The same recipe; where its training is kept in a folder, in one of a part of its own within."""
    training = getattr(model, "training", None)
    return model if training is None else model.model_copy(update={"training": training.in_part(part)})


@dataclass(frozen=True)
class FittedRegression:
    """What predicts, and the ids that it knows. The `recipe` names the bounds that were found."""

    recipe: Regression
    user_ids: IdMap
    item_ids: IdMap
    models: tuple[Predictor, ...]
    stack: Stack | None
    """How several models are weighed."""
    counts: np.ndarray
    """Ratings of each item."""

    def predict(self, rows: Any) -> pl.DataFrame:
        """The number of each row: `user_id`, `item_id` (as given), `prediction`, and where known `low`, `high`.

        `rows` is a table with `user_id` and `item_id`; further columns are ignored. The order is kept, a pair given
        twice is answered twice. Of an unknown id the answer is that of somebody of whom nothing is known; a missing one
        is a `DataError`. The interval is to hold the truth in `level` of the cases; a model that knows no deviation
        gives none.
        """
        given = columns_of(rows, ("user_id", "item_id"), "the rows")
        users, items = self.user_ids.numbers(given["user_id"]), self.item_ids.numbers(given["item_id"])
        found = self.answer(users, items)
        answers = {"prediction": found.expected}
        if found.deviation is not None:
            away = float(ndtri((1 + self.recipe.level) / 2)) * found.deviation
            answers |= {"low": found.expected - away, "high": found.expected + away}
        low, high = self.recipe.bounds if isinstance(self.recipe.bounds, tuple) else (-np.inf, np.inf)
        return given.with_columns(pl.Series(name, np.clip(values, low, high)) for name, values in answers.items())

    def answer(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """What is expected of pairs of dense ids, before it is held to the bounds; see `Predictor`."""
        told = [model.predict(users, items) for model in self.models]
        return told[0] if self.stack is None else self.stack.predict(told)

    def inside(self) -> Inside:
        """What was learnt, to be looked at: each part from the first of the models that has it."""
        told = [model.inside() for model in self.models]
        return Inside(
            *(
                next((part for one in told if (part := getattr(one, field.name)) is not None), None)
                for field in fields(Inside)
            )
        )

    def similar_items(self, items: Any, k: int = 10) -> pl.DataFrame:
        """The `k` items whose factors have the largest cosine: `item_id`, `similar_id`, `rank` (from 1), `score`.

        `items` are ids, or a table with a column `item_id`; each is answered once, in the order given; one that is not
        known has no rows, and of nobody's ratings an item is like nothing. Without factors, `ConfigError`.
        """
        factors_IF = self.inside().item_factors
        if factors_IF is None:
            names = ", ".join(model.kind for model in self.recipe.models)
            raise ConfigError(f"{names}: no model of this regression has factors, so nothing is known to be alike")
        known_IF = np.where(self.counts[:, None] > 0, factors_IF, 0).astype(np.float32)
        return similar({"regression": _Alike(known_IF)}, self.item_ids, items, k)

    def save(self, path: str | Path) -> None:
        """Stores it in a directory, in place of what was there; killed midway, that stays as it was."""
        with store.replacing(Path(path)) as (contents, manifest):
            manifest["regression"] = store.write(contents / "regression", self)


@dataclass(frozen=True)
class _Alike:
    """Items by their factors, as `similar` asks for them."""

    factors: np.ndarray

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        return most_alike(items, self.factors, k, name="item")


def read(path: Path, told: Mapping[str, Any]) -> FittedRegression:
    """The regression stored at `path`, whose manifest says `told`."""
    if "regression" not in told:
        raise StoreError(f"{str(path)!r} holds no regression: it was stored by something else")
    fitted: FittedRegression = store.read(path / told["contents"] / "regression", told["regression"], KINDS)
    return fitted


KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Regression, FittedRegression, Stack, IdMap, Training),
        *(Bias, FittedBias, BiasedMF, SVDpp, FittedBiasedFactors, BayesianMF, FittedBayesianMF),
        *(DotProduct, FittedDotProduct, NeuralRatings, FittedNeuralRatings),
    )
}
"""Every recipe and fitted thing of a regression, for the store."""
