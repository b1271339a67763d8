"""NeuralRatings: the vectors of a user and an item, one after the other, through a small network.

rating(u, i) = low + (high - low) · σ(w · h_L + b), h_0 = (p_u, q_i), h_l = relu(W_l h_{l-1} + b_l); low and high are
told in `rating_networks`.
Source: the neural collaborative filtering of fastai (Howard, Gugger, "Deep Learning for Coders", 2020, chapter 8).
Differs: no batch normalisation; batches as in `DotProduct`. A stranger is the mean of those who are known.
Cost of an epoch: 12 F H flops a rating (H numbers of the first hidden layer), and 16 F bytes of each user and item for
every step.

Shapes: U users, I items, F factors, L hidden layers, N pairs.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import ratings
from shortlist.models.networks import ROW_BYTES
from shortlist.models.prediction import Inside, Predicted
from shortlist.models.rating_networks import Range, learnt, with_strangers
from shortlist.threads import blocks
from shortlist.training.memory import Needs
from shortlist.training.plan import Training

PAIRS_AT_ONCE = 100_000


class NeuralRatings(Config):
    """Recipe for ratings by a network of several layers."""

    kind: Literal["neural_ratings"] = "neural_ratings"
    factors: PositiveInt = 50
    """Length of a vector."""
    layers: tuple[PositiveInt, ...] = Field((100, 50), min_length=1)
    """Numbers of each hidden layer."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of a hidden layer's numbers that a step does without."""
    recompute: bool = False
    """Whether hidden layers are computed again for the gradient in place of being held: slower, in less memory."""
    training: Training = Training(learning_rate=0.005)
    """How it is trained."""
    seed: int = 0
    """Of the start, of the order of the ratings and of the dropout."""

    def needs(self, users: int, items: int, rows: int) -> Needs:
        """What training will need where there are so many users, items and ratings."""
        sizes = (2 * self.factors, *self.layers, 1)
        dense = sum((a + 1) * b for a, b in pairwise(sizes))
        weights = (users + items) * self.factors + dense
        return Needs(weights, self._width, rows, ROW_BYTES, self.training.batch_of(rows))

    @property
    def _width(self) -> int:
        return 7 * self.factors + 2 * sum(self.layers)

    def fit(self, data: Dataset) -> "FittedNeuralRatings":
        """Train. Without torch installed, `MissingExtraError`."""
        said_UI = ratings(data)
        users, items = said_UI.shape

        def network(generator: Any) -> Any:
            from shortlist.nn.ratings import Concatenated

            shape = (users, items, self.factors, self.layers, self.dropout)
            return Concatenated(*shape, generator, recompute=self.recompute)

        found = learnt(self, self.training, self.seed, said_UI, network, self._width)
        said_U, said_I = np.diff(said_UI.indptr), np.bincount(said_UI.indices, minlength=items)
        numbers = range(len(self.layers) + 1)
        return FittedNeuralRatings(
            self.model_copy(update={"training": found.training}),
            found.range.low,
            found.range.high,
            with_strangers(found.weights["user.weight"], said_U),
            with_strangers(found.weights["item.weight"], said_I),
            tuple(found.weights[f"layers.{n}.weight"] for n in numbers),
            tuple(found.weights[f"layers.{n}.bias"] for n in numbers),
            found.losses,
            found.peak_mb,
        )


@dataclass(frozen=True)
class FittedNeuralRatings:
    """The ends of the range, a vector for each user and item, the last that of a stranger, and the layers (float32).

    `losses` is the path of the loss, `peak_mb` what training took: see `Learnt`. The `recipe` names the rate found.
    """

    recipe: NeuralRatings
    low: float
    high: float
    users: np.ndarray
    items: np.ndarray
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    losses: pl.DataFrame
    peak_mb: float | None

    def predict(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """See `Predictor`."""
        scores = np.empty(len(users))
        for start, end in blocks(len(users), PAIRS_AT_ONCE):
            # In float64 and rounded, so that no other pair of a product changes a bit.
            h_NH = np.hstack([self.users[users[start:end]], self.items[items[start:end]]]).astype(np.float64)
            for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
                h_NH = np.maximum(h_NH @ weight.T + bias, 0)
            scores[start:end] = (h_NH @ self.weights[-1][0] + self.biases[-1]).astype(np.float32)
        return Predicted(Range(self.low, self.high).ratings(scores), None)

    def inside(self) -> Inside:
        """The factors and the path of the loss; biases it has none."""
        return Inside(item_factors=self.items[:-1], losses=self.losses)
