"""What factors of ratings by stochastic gradients share: ratings in order, penalties, the start, the products of pairs.

A row is a user, or an item where it is the items' turn.

Shapes: R rows, F factors, E ratings, N pairs.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from shortlist.config import Config
from shortlist.models.prediction import Inside, Predicted
from shortlist.threads import blocks, spread

REACH = 10.0
"""The largest error that counts in a step, in standard deviations of the ratings: a wild rating breaks nothing."""
BIAS_SHARE = 0.2
"""The step of a bias, in steps of a vector."""
WIDTH = 0.3
"""Length of a vector at the start, about."""


@dataclass(frozen=True)
class Standard:
    """Ratings in units of their standard deviation, from their mean (float32): as long as the entries of a matrix."""

    value_E: np.ndarray
    mean: float
    deviation: float

    @classmethod
    def of(cls, rating_E: np.ndarray) -> "Standard":
        """Those of the ratings; of none the mean is zero, and of equal ones the unit is one."""
        mean = float(rating_E.mean()) if len(rating_E) else 0.0
        deviation = float(rating_E.std()) if len(rating_E) else 0.0
        # What is left of equal ratings is rounding.
        deviation = deviation if deviation > 1e-9 * abs(mean) else 1.0
        return cls(((rating_E - mean) / deviation).astype(np.float32), mean, deviation)


@dataclass(frozen=True)
class Rows:
    """Ratings row by row, as they are gone through: rows in random order, and the ratings of each in random order.

    The ratings of row r are those from `starts[r]` to `starts[r + 1]`; `entry_E` says which they were before.
    `filled` are the rows that have any; one more row, the last, is that of a stranger and has none.
    """

    filled: np.ndarray
    starts: np.ndarray
    column_E: np.ndarray
    entry_E: np.ndarray

    @classmethod
    def of(cls, row_E: np.ndarray, column_E: np.ndarray, rows: int, random: np.random.Generator) -> "Rows":
        """The ratings of `rows` rows and of the stranger."""
        shuffled = random.permutation(len(row_E))
        entry_E = shuffled[np.argsort(row_E[shuffled], kind="stable")]
        count_R = np.bincount(row_E, minlength=rows + 1)
        filled = random.permutation(np.flatnonzero(count_R))
        return cls(filled, np.append(0, np.cumsum(count_R)), column_E[entry_E].astype(np.int32), entry_E)

    def penalties(self, regularization: float) -> np.ndarray:
        """λ √(n̄ / n_r) of a rating of each row: λ √(n̄ n_r) of all of them, n̄ the mean of the rows that have any."""
        count_R = np.maximum(np.diff(self.starts), 1)
        mean = count_R[self.filled].mean() if len(self.filled) else 1.0
        penalty_R: np.ndarray = (regularization * np.sqrt(mean / count_R)).astype(np.float32)
        return penalty_R

    def vectors(self, factors: int, random: np.random.Generator) -> np.ndarray:
        """Where the vectors (R × F, float32) begin: at random, and zero without ratings."""
        x_RF = random.standard_normal((len(self.starts) - 1, factors), np.float32) * np.float32(WIDTH / factors**0.5)
        x_RF[np.diff(self.starts) == 0] = 0
        return x_RF

    def with_strangers(self, learnt: np.ndarray) -> np.ndarray:
        """What was learnt of rows (R, or R × F); rows without ratings get the mean of it over all ratings."""
        count_R = np.diff(self.starts)
        # Not a matrix product: its bits may hang on the number of threads.
        mean = np.einsum("r,r...->...", count_R / max(1, count_R.sum()), learnt)
        return np.where((count_R == 0).reshape(-1, *[1] * (learnt.ndim - 1)), mean, learnt).astype(learnt.dtype)


def both_sides(said_UI: sparse.csr_array, random: np.random.Generator) -> tuple[Rows, Rows]:
    """The ratings by user and by item."""
    users, items = said_UI.shape
    user_E = np.repeat(np.arange(users), np.diff(said_UI.indptr))
    return Rows.of(user_E, said_UI.indices, users, random), Rows.of(said_UI.indices, user_E, items, random)


def falling(rate: float, epochs: int) -> list[np.float32]:
    """The step of each pass: from `rate` in a straight line towards nothing."""
    return [np.float32(rate * (1 - epoch / epochs)) for epoch in range(epochs)]


@dataclass(frozen=True)
class FittedBiasedFactors:
    """The `mean`, biases (float64) and vectors (rows × F, float32), the last row of each a stranger's.

    Of a user that is the mean over the ratings learnt from, of an item zero.
    """

    recipe: Config
    mean: float
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray

    def predict(self, users: np.ndarray, items: np.ndarray) -> Predicted:
        """The formula; see `Predictor`."""
        product_N = products(users, items, self.user_factors, self.item_factors)
        return Predicted(self.mean + self.user_bias[users] + self.item_bias[items] + product_N, None)

    def inside(self) -> Inside:
        """The biases, with what is added for the mean of the others, and the factors: in ratings."""
        item_I, user_U = (
            bias_R[:-1] + x_RF[:-1] @ y_RF[:-1].mean(axis=0)
            for bias_R, x_RF, y_RF in (
                (self.item_bias, self.item_factors, self.user_factors),
                (self.user_bias, self.user_factors, self.item_factors),
            )
        )
        return Inside(item_I, user_U, self.item_factors[:-1])


def products(users: np.ndarray, items: np.ndarray, x_UF: np.ndarray, y_IF: np.ndarray) -> np.ndarray:
    """The product of the vectors of each pair (float64); -1 is the last row, a stranger's."""
    from shortlist.kernels import sgd

    user_N, item_N = (np.where(ids < 0, len(known) - 1, ids) for ids, known in ((users, x_UF), (items, y_IF)))
    product_N = np.empty(len(user_N))
    spread(
        lambda first, last: sgd.products(first, last, user_N, item_N, x_UF, y_IF, product_N),
        blocks(len(user_N), 65_536),
    )
    return product_N
