"""Each metric of predicted numbers by hand, as properties, and against scipy and the slow obvious way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shortlist.errors import DataError
from shortlist.evaluation.closeness import bins_of, spearman
from shortlist.evaluation.metrics import FAMILIES

NAMES = [name for name, family in FAMILIES.items() if family.kind == "closeness"]
TRUE = [1.0, 2.0, 3.0, 6.0]
PREDICTED = [2.0, 2.0, 1.0, 7.0]
BY_HAND = {
    "mse": (1 + 0 + 4 + 1) / 4,
    "rmse": math.sqrt(6 / 4),
    "mae": (1 + 0 + 2 + 1) / 4,
    "rmsle": math.sqrt((math.log(3 / 2) ** 2 + math.log(2 / 4) ** 2 + math.log(8 / 7) ** 2) / 4),
    "r2": 1 - 6 / (4 + 1 + 0 + 9),
    # Ranks 1 2 3 4 and 2.5 2.5 1 4: covariance (-1.5·0 + -0.5·0 + 0.5·-1.5 + 1.5·1.5) = 1.5, variances 5 and 4.5.
    "spearman": 1.5 / math.sqrt(5 * 4.5),
    # Four rows fall into bins of their own, but for the two predictions of 2, which share one.
    "calibration_error": (abs(2 + 2 - 1 - 2) + abs(1 - 3) + abs(7 - 6)) / 4,
}


def value(name, true, predicted):
    terms = FAMILIES[name].function(np.array(true, dtype=float), np.array(predicted, dtype=float))
    return float(terms.of(terms.values.mean(axis=0)))


@pytest.mark.parametrize("name", NAMES)
def test_the_value_is_the_one_computed_by_hand(name):
    assert value(name, TRUE, PREDICTED) == pytest.approx(BY_HAND[name], abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_perfect_predictions_are_perfect(name):
    assert value(name, TRUE, TRUE) == pytest.approx(1.0 if name in {"r2", "spearman"} else 0.0, abs=1e-12)


ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=30)


@given(ROWS, st.sampled_from(NAMES), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_and_bounds_hold(rows, name, chance):
    true, predicted = zip(*rows, strict=True)
    found = value(name, true, predicted)
    chance.shuffle(rows)
    assert value(name, *zip(*rows, strict=True)) == pytest.approx(found, abs=1e-9)
    low, high = {"r2": (-math.inf, 1), "spearman": (-1, 1)}.get(name, (0, math.inf))
    assert low - 1e-9 <= found <= high + 1e-9


@given(ROWS)
def test_spearman_is_scipys_where_either_side_varies(rows):
    true, predicted = (np.array(side, dtype=float) for side in zip(*rows, strict=True))
    if np.ptp(true) and np.ptp(predicted):
        assert value("spearman", true, predicted) == pytest.approx(stats.spearmanr(true, predicted).statistic, abs=1e-9)
    else:
        assert value("spearman", true, predicted) == 0.0


@pytest.mark.parametrize("kind", ["continuous", "ties"])
@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_the_terms_of_spearman_spread_as_a_bootstrap_that_ranks_anew(kind, noise):
    chance = np.random.default_rng(4)
    true = chance.normal(size=400)
    predicted = true + noise * chance.normal(size=400)
    if kind == "ties":
        true, predicted = np.round(true), np.round(predicted)
    terms = spearman(true, predicted).values[:, 0]
    draws = chance.integers(0, 400, (1500, 400))
    quick = terms[draws].mean(axis=1)
    slow = [stats.spearmanr(true[draw], predicted[draw]).statistic for draw in draws]
    assert quick.std() == pytest.approx(np.std(slow), rel=0.1)
    assert np.corrcoef(quick, slow)[0, 1] > 0.97


def test_the_bins_hold_equally_many_and_equal_predictions_share_one():
    assert np.bincount(bins_of(np.arange(100.0))).tolist() == [10] * 10
    assert set(bins_of(np.array([3.0] * 7 + [9.0]))[:7].tolist()) == {4}


def test_r2_of_a_constant_truth_is_1_only_for_the_truth_itself():
    assert value("r2", [2, 2, 2], [2, 2, 2]) == 1.0
    assert value("r2", [2, 2, 2], [2, 2, 3]) == 0.0


def test_rmsle_takes_a_prediction_below_0_as_0_and_refuses_such_a_truth():
    assert value("rmsle", [0, 3], [-5, 3]) == 0.0
    with pytest.raises(DataError, match="the truth has -1: use rmse or mae"):
        value("rmsle", [-1, 3], [0, 3])
