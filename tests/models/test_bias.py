"""Bias: the least squares of it, by a plain solver."""

import numpy as np
import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.models.bias import Bias


@pytest.mark.parametrize("ridge", [0.5, 5.0])
def test_it_is_the_least_squares_of_mean_and_biases(ridge: float) -> None:
    random = np.random.default_rng(0)
    pairs = [(user, item) for user in range(8) for item in range(6) if random.random() < 0.6]
    rating = random.integers(1, 6, len(pairs)).astype(float)
    events = pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row").with_columns(rating=pl.Series(rating))
    fitted = Bias(regularization=ridge).fit(Dataset.read(events))
    known = np.zeros((len(pairs), 14))
    known[np.arange(len(pairs)), [user for user, _ in pairs]] = 1
    known[np.arange(len(pairs)), [8 + item for _, item in pairs]] = 1
    wanted = np.linalg.solve(known.T @ known + ridge * np.eye(14), known.T @ (rating - rating.mean()))
    assert fitted.mean == pytest.approx(rating.mean())
    assert np.allclose(fitted.user_bias, [*wanted[:8], 0], atol=1e-6)
    assert np.allclose(fitted.item_bias, [*wanted[8:], 0], atol=1e-6)
    expected = fitted.predict(np.array([2, -1, 2, -1], np.int32), np.array([1, 1, -1, -1], np.int32)).expected
    mean = rating.mean()
    assert np.allclose(expected, [mean + wanted[2] + wanted[9], mean + wanted[9], mean + wanted[2], mean], atol=1e-6)
