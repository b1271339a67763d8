"""Stack: ridge towards equal shares, against the normal equations and against what must follow."""

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.models.prediction import Predicted
from shortlist.regression import FEW, Regression
from shortlist.stack import PENALTY, Stack


def made(seed: int = 0, pairs: int = 400) -> tuple[np.ndarray, list[Predicted]]:
    """A truth, and three models of which the second is the best and the third a copy of the first."""
    random = np.random.default_rng(seed)
    truth = random.normal(3, 1, pairs)
    first = truth + random.normal(0, 1, pairs)
    second = truth + random.normal(0.5, 0.5, pairs)
    return truth, [Predicted(first, None), Predicted(second, np.full(pairs, 0.25)), Predicted(first.copy(), None)]


def loss(truth: np.ndarray, told: list[Predicted], weights: np.ndarray, intercept: float) -> float:
    left = truth - intercept - np.column_stack([one.expected for one in told]) @ weights
    return float(left @ left + PENALTY * truth.var() * ((weights - 1 / len(told)) ** 2).sum())


def test_no_other_weights_have_less_loss() -> None:
    truth, told = made()
    found = Stack.fit(told, truth)
    least = loss(truth, told, found.weights, found.intercept)
    random = np.random.default_rng(1)
    for _ in range(50):
        step = random.normal(0, 0.05, 4)
        assert loss(truth, told, found.weights + step[:3], found.intercept + step[3]) > least


def test_models_that_say_the_same_share() -> None:
    truth, told = made()
    found = Stack.fit(told, truth)
    assert found.weights[0] == pytest.approx(found.weights[2])
    assert found.weights[1] > 2 * found.weights[0] > 0


def test_a_stack_errs_less_than_its_best_and_is_not_biased() -> None:
    truth, told = made()
    found = Stack.fit(told, truth)
    new_truth, new_told = made(seed=9, pairs=4_000)
    together = found.predict(new_told)
    assert np.abs(np.mean(together.expected - new_truth)) < 0.06
    assert np.std(together.expected - new_truth) < min(np.std(one.expected - new_truth) for one in new_told)


def test_a_deviation_is_made_as_large_as_the_errors_were() -> None:
    truth, told = made()
    together = Stack.fit(told, truth).predict(told)
    assert together.deviation is not None
    assert np.mean(((truth - together.expected) / together.deviation) ** 2) == pytest.approx(1)
    assert Stack.fit(told[::2], truth).predict(told[::2]).deviation is None


def test_numbers_that_never_differ_leave_equal_shares() -> None:
    told = [Predicted(np.full(9, 4.0), None), Predicted(np.full(9, 4.0), None)]
    found = Stack.fit(told, np.full(9, 4.0))
    assert found.weights == pytest.approx([0.5, 0.5])
    assert found.predict(told).expected == pytest.approx(np.full(9, 4.0))


def test_few_pairs_weigh_nothing() -> None:
    rows = [(place % 5, place // 5, float(place % 3)) for place in range(FEW)]
    data = sl.Dataset.read(pl.DataFrame(rows, schema=["user_id", "item_id", "rating"], orient="row"))
    fitted = Regression(models=(sl.Bias(), sl.Bias(regularization=1.0)), folds=2).fit(data)
    assert fitted.stack is not None
    assert fitted.stack.weights.tolist() == [0.5, 0.5]
    assert fitted.stack.intercept == 0


def test_what_overfits_weighs_less_than_its_error_on_what_it_saw_would_say() -> None:
    """Out of fold a model without shrinkage does worse than one with it, though it fits its own ratings better."""
    random = np.random.default_rng(2)
    rows = [(u, i, 3 + random.normal()) for u in range(80) for i in range(60) if random.random() < 0.1]
    data = sl.Dataset.read(pl.DataFrame(rows, schema=["user_id", "item_id", "rating"], orient="row"))
    fitted = Regression(models=(sl.Bias(regularization=0.0), sl.Bias(regularization=50.0))).fit(data)
    assert fitted.stack is not None
    assert fitted.stack.weights[0] < 0.3
