"""The permutation test against every permutation there is, Holm by hand, and what a test set can detect."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shortlist.evaluation.significance import detectable, holm, permutation_p


def p_of(model, baseline, permutations=20_000, of=lambda means: means[..., 0]):
    return permutation_p(
        np.array(model, dtype=float)[:, None],
        np.array(baseline, dtype=float)[:, None],
        of,
        permutations,
        np.random.default_rng(0),
    )


def test_p_is_the_share_of_all_swaps_that_differ_as_much():
    model, baseline = [0.9, 0.4, 0.7, 0.8, 0.2, 0.6], [0.5, 0.5, 0.1, 0.3, 0.2, 0.5]
    differences = np.subtract(model, baseline)
    every = [abs(np.dot(signs, differences)) for signs in product([1, -1], repeat=len(differences))]
    exact = np.mean([swapped >= abs(differences.sum()) - 1e-12 for swapped in every])
    assert p_of(model, baseline) == pytest.approx(exact, abs=0.01)


def test_models_that_are_equal_for_every_user_differ_by_nothing_and_p_is_1():
    assert p_of([0.1, 0.5, 0.3], [0.1, 0.5, 0.3]) == 1.0


def test_p_agrees_with_the_t_test_where_that_is_right():
    chance = np.random.default_rng(3)
    baseline = chance.random(500)
    model = baseline + chance.normal(0.012, 0.15, 500)
    assert p_of(model, baseline) == pytest.approx(stats.ttest_rel(model, baseline).pvalue, abs=0.01)


def test_p_is_uniform_where_there_is_no_difference():
    chance = np.random.default_rng(8)
    found = [p_of(chance.random(60), chance.random(60), permutations=199) for _ in range(400)]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_p_of_a_metric_that_is_no_mean_is_that_of_the_metric():
    # Root mean squares: swapping whole users must go through the root.
    model, baseline = np.array([1.0, 2, 3, 4]) ** 2, np.array([2.0, 2, 1, 9]) ** 2
    found = abs(np.sqrt(model.mean()) - np.sqrt(baseline.mean()))
    every = []
    for swap in product([False, True], repeat=4):
        ours, theirs = np.where(swap, baseline, model), np.where(swap, model, baseline)
        every.append(abs(np.sqrt(ours.mean()) - np.sqrt(theirs.mean())) >= found - 1e-12)
    assert p_of(model, baseline, of=lambda means: np.sqrt(means[..., 0])) == pytest.approx(np.mean(every), abs=0.01)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_and_keeps_their_order(p_values):
    corrected = holm(p_values)
    assert all(alone <= together <= 1 for alone, together in zip(p_values, corrected, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_a_difference_of_the_detectable_size_is_found_four_times_in_five():
    chance = np.random.default_rng(1)
    differences = stats.zscore(chance.normal(0, 1, 400))
    draws = differences[chance.integers(0, 400, (4000, 400))].mean(axis=1)
    size = detectable(draws)
    found = [stats.ttest_1samp(chance.normal(size, 1, 400), 0).pvalue < 0.05 for _ in range(1000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)
