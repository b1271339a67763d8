"""The bootstrap against a slow resampling, and what must hold exactly."""

import numpy as np
import pytest

from shortlist.evaluation import bootstrap
from shortlist.evaluation.bootstrap import bootstrap_means, estimate, interval


def generator(seed=0):
    return np.random.default_rng(seed)


def slow_means(values_UM, draws, seed):
    """Users drawn one by one, with replacement."""
    random = generator(seed)
    users = len(values_UM)
    return np.array([values_UM[random.integers(0, users, users)].mean(axis=0) for _ in range(draws)])


def some_values(users=400, seed=1):
    """A column of many equal values, one of values all different, one of both."""
    random = generator(seed)
    coarse = random.integers(0, 3, users) / 2
    fine = random.random(users)
    return np.column_stack([coarse, fine, np.where(coarse > 0, fine, 0.0)])


@pytest.mark.parametrize("columns", [[0], [1], [0, 1, 2]])
@pytest.mark.parametrize("block", [1 << 16, 64])
def test_the_draws_spread_as_those_of_a_slow_resampling(monkeypatch, columns, block):
    monkeypatch.setattr(bootstrap, "_BLOCK", block)
    values = some_values()[:, columns]
    fast, slow = bootstrap_means(values, 4000, generator()), slow_means(values, 4000, seed=2)
    error = values.std(axis=0) / np.sqrt(len(values))
    assert np.abs(fast.mean(axis=0) - values.mean(axis=0)).max() < 0.1 * error.min()
    assert fast.std(axis=0) == pytest.approx(slow.std(axis=0), rel=0.06)
    for ours, theirs in zip(interval(fast), interval(slow), strict=True):
        assert (np.abs(ours - theirs) < 0.2 * error).all()


def test_draws_of_two_columns_are_paired():
    values = some_values()[:, [1]]
    means = bootstrap_means(np.hstack([values, 1 - values]), 200, generator())
    assert means.sum(axis=1) == pytest.approx(1.0, abs=1e-12)


def test_each_draw_takes_as_many_users_as_there_are():
    values = np.column_stack([np.ones(1000), generator().random(1000)])
    assert bootstrap_means(values, 50, generator())[:, 0] == pytest.approx(1.0, abs=1e-12)


def test_a_paired_interval_is_narrower_than_that_of_two_alike_models():
    hard = generator(3).random((500, 1))
    means = bootstrap_means(np.hstack([hard + 0.01, hard, hard.copy()]), 500, generator())
    assert means[:, 0] - means[:, 1] == pytest.approx(np.full(500, 0.01), abs=1e-12)
    assert (means[:, 1] == means[:, 2]).all()
    alone = estimate(hard, 500, generator())
    assert alone.high - alone.low > 0.01


def test_the_same_seed_gives_the_same_bits():
    values = some_values()
    first, again = (bootstrap_means(values, 70, generator(5)) for _ in range(2))
    assert (first == again).all()
    assert (first != bootstrap_means(values, 70, generator(6))).any()


def test_the_interval_holds_the_middle_of_the_draws():
    draws = np.arange(1001.0)
    assert interval(draws) == pytest.approx((25, 975))
    assert interval(draws, level=0.5) == pytest.approx((250, 750))


def test_one_user_and_no_column_are_no_trouble():
    one = estimate(np.array([[0.3]]), 10, generator())
    assert (one.value, one.low, one.high) == (0.3, 0.3, 0.3)
    assert bootstrap_means(np.empty((5, 0)), 10, generator()).shape == (10, 0)
