"""DotProduct: factors and biases of users and items, learnt by gradients through the one training loop.

rating(u, i) = low + (high - low) · σ(p_u · q_i + b_u + c_i); low and high are told in `rating_networks`.
Source: the collaborative filtering of fastai (Howard, Gugger, "Deep Learning for Coders", 2020, chapter 8).
Differs: batches are as large as makes 80 to 160 steps of an epoch. A stranger is the mean of those who are known.
Cost of an epoch: 12 F flops a rating, and 16 F bytes of each user and item for every step.

Shapes: U users, I items, F factors, N pairs; D = F + 1, the bias last.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import PositiveInt

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


class DotProduct(Config):
    """Recipe for factors and biases by gradients."""

    kind: Literal["dot_product"] = "dot_product"
    factors: PositiveInt = 50
    """Length of a vector."""
    training: Training = Training()
    """How it is trained."""
    seed: int = 0
    """Of the start and of the order of the ratings."""

    def needs(self, users: int, items: int, rows: int) -> Needs:
        """What training will need where there are so many users, items and ratings."""
        weights = (users + items) * (self.factors + 1)
        return Needs(weights, self._width, rows, ROW_BYTES, self.training.batch_of(rows))

    @property
    def _width(self) -> int:
        return 3 * self.factors + 2

    def fit(self, data: Dataset) -> "FittedDotProduct":
        """Train. Without torch installed, `MissingExtraError`."""
        said_UI = ratings(data)
        users, items = said_UI.shape

        def network(generator: Any) -> Any:
            from shortlist.nn.ratings import DotProduct as Network

            return Network(users, items, self.factors, generator)

        found = learnt(self, self.training, self.seed, said_UI, network, self._width)
        said_U, said_I = np.diff(said_UI.indptr), np.bincount(said_UI.indices, minlength=items)
        return FittedDotProduct(
            self.model_copy(update={"training": found.training}),
            found.range.low,
            found.range.high,
            with_strangers(found.weights["user.weight"], said_U),
            with_strangers(found.weights["item.weight"], said_I),
            found.losses,
            found.peak_mb,
        )


@dataclass(frozen=True)
class FittedDotProduct:
    """The ends of the range, and a row for each user and item (D numbers, float32), the last that of a stranger.

    `losses` is the path of the loss, `peak_mb` what training took: see `Learnt`. The `recipe` names the rate found.
    """

    recipe: DotProduct
    low: float
    high: float
    users: np.ndarray
    items: np.ndarray
    losses: pl.DataFrame
    peak_mb: float | None

    def predict(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """See `Predictor`."""
        scores = np.empty(len(users))
        for start, end in blocks(len(users), PAIRS_AT_ONCE):
            x_ND, y_ND = self.users[users[start:end]], self.items[items[start:end]]
            product_N = np.einsum("nf,nf->n", x_ND[:, :-1], y_ND[:, :-1], dtype=np.float64)
            scores[start:end] = product_N + x_ND[:, -1] + y_ND[:, -1]
        return Predicted(Range(self.low, self.high).ratings(scores), None)

    def inside(self) -> Inside:
        """The biases before they are squashed, the factors, and the path of the loss."""
        item_I, user_U = (
            one[:-1, :-1] @ other[-1, :-1] + one[:-1, -1]
            for one, other in ((self.items, self.users), (self.users, self.items))
        )
        return Inside(item_I, user_U, self.items[:-1, :-1], self.losses)
