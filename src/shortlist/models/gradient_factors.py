"""Gradient factors: what BiasedMF and SVDpp share, the rounds of steps over the ratings and what comes of them.

Ratings are learnt in standard deviations from their mean, so that no rate hangs on their scale. The rate falls from its
first value to a tenth of it, a like factor each round; users come in an order drawn anew each round.

Shapes: U users, I items, E ratings, F factors, D = F + 1.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse

START = 0.03
"""Standard deviation of all vectors before the first round."""
FALL = 0.1
"""The last rate as a share of the first."""
BIAS_WEIGHT = 0.05
"""Of the squares of the biases."""

Round = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.float32, np.float32], None]
"""One round: order of the users, starts, items and values of the ratings, rate, and the biases' weight."""


def vectors(rows: int, factors: int, random: np.random.Generator) -> np.ndarray:
    """Vectors to begin with."""
    return random.standard_normal((rows, factors), dtype=np.float32) * np.float32(START)


def rounds(
    said_UI: sparse.csr_array, epochs: int, rate: float, random: np.random.Generator, turn: Round
) -> tuple[float, float]:
    """Takes all rounds, and gives the mean of the ratings and their standard deviation."""
    if not said_UI.nnz:
        return 0.0, 1.0
    mean, scale = float(said_UI.data.mean()), float(said_UI.data.std()) or 1.0
    value_E = ((said_UI.data - mean) / scale).astype(np.float32)
    order = np.arange(said_UI.shape[0])
    for number in range(epochs):
        random.shuffle(order)
        now = np.float32(rate * FALL ** (number / max(epochs - 1, 1)))
        turn(order, said_UI.indptr, said_UI.indices, value_E, now, np.float32(BIAS_WEIGHT))
    return mean, scale


def side(said_R: np.ndarray, vector_RF: np.ndarray, bias_R: np.ndarray) -> np.ndarray:
    """Vectors and biases side by side (float32, R + 1 × D); zeros for those who said nothing, the last a stranger's."""
    rows_RD = np.where(said_R[:, None] > 0, np.column_stack([vector_RF, bias_R]), 0)
    return np.vstack([rows_RD, np.zeros(rows_RD.shape[1])]).astype(np.float32)


def expected(mean: float, scale: float, x_ND: np.ndarray, y_ND: np.ndarray) -> np.ndarray:
    """Mean + scale (p · q + b + c), float64."""
    product_N = np.einsum("nf,nf->n", x_ND[:, :-1], y_ND[:, :-1], dtype=np.float64)
    told: np.ndarray = mean + scale * (product_N + x_ND[:, -1] + y_ND[:, -1])
    return told
