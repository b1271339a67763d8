"""Each metric of exposure by hand, as properties, and against the slow obvious way."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from shortlist.evaluation.exposure import coverage, diversity, gini, novelty, popularity_bias, serendipity

NAN = float("nan")


def test_novelty_is_the_mean_surprise_of_what_is_shown():
    shares_UK = np.array([[1 / 2, 1 / 8], [1 / 4, NAN], [NAN, NAN], [0.0, 1.0]])
    # An item that none of the 16 users had counts as had by one: log2(16) = 4 bits.
    assert novelty(shares_UK, 16).tolist() == [(1 + 3) / 2, 2.0, 0.0, (4 + 0) / 2]


def test_popularity_bias_is_the_mean_share_of_users_who_had_what_is_shown():
    shares_UK = np.array([[0.5, 0.25], [0.25, NAN], [NAN, NAN], [0.0, 1.0]])
    assert popularity_bias(shares_UK).tolist() == [0.375, 0.25, 0.0, 0.5]


def test_serendipity_counts_the_hits_that_popularity_would_not_have_shown():
    hits_UK = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 0]], dtype=bool)
    usual_UK = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 0]], dtype=bool)
    assert serendipity(hits_UK, usual_UK, 2).tolist() == [0.0, 1.0, 0.0]
    assert serendipity(hits_UK, usual_UK, 4).tolist() == [0.25, 0.5, 0.0]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=8), st.integers(1, 9), st.data())
def test_a_miss_that_becomes_a_hit_never_lowers_serendipity_which_precision_bounds(places, k, data):
    hits_UK, usual_UK = (np.array([side]) for side in zip(*places, strict=True))
    better = hits_UK.copy()
    better[0, data.draw(st.integers(0, len(places) - 1))] = True
    before, after = serendipity(hits_UK, usual_UK, k)[0], serendipity(better, usual_UK, k)[0]
    assert 0 <= before <= after <= better[:, :k].sum() / k


def labels(*sets):
    names = sorted(set().union(*sets))
    return sparse.csr_array([[float(name in its) / math.sqrt(max(1, len(its))) for name in names] for its in sets])


def test_diversity_is_one_minus_the_mean_cosine_of_the_pairs():
    labels_IL = labels({"film", "fun"}, {"film"}, {"book"}, set())
    lists_UI = sparse.csr_array([[1.0, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]])
    alike = 1 / math.sqrt(2)
    expected = [1 - alike, 1 - alike / 3, 0.0, 0.0, 1.0]
    assert diversity(lists_UI, labels_IL) == pytest.approx(expected, abs=1e-12)


@given(
    st.lists(st.sets(st.sampled_from("abcd")), min_size=2, max_size=6).filter(any),
    st.data(),
)
def test_diversity_agrees_with_looking_at_every_pair(sets, data):
    shown = data.draw(st.sets(st.integers(0, len(sets) - 1), min_size=2))
    vectors_IL = labels(*sets)
    pairs = list(combinations(sorted(shown), 2))
    dense = vectors_IL.toarray()
    slow = sum(1 - dense[i] @ dense[j] for i, j in pairs) / len(pairs)
    ones = sparse.csr_array([[float(item in shown) for item in range(len(sets))]])
    found = diversity(ones, vectors_IL)[0]
    assert found == pytest.approx(slow, abs=1e-12)
    assert -1e-12 <= found <= 1 + 1e-12


def test_coverage_is_the_share_of_the_catalogue_that_is_shown():
    assert coverage(np.array([1, 5, 9]), 12) == 0.25


def test_gini_is_0_where_all_are_shown_alike_and_near_1_where_one_has_all():
    assert gini(np.array([3, 3, 3, 3]), 4) == 0.0
    assert gini(np.array([7]), 10) == pytest.approx(0.9)
    assert gini(np.array([1, 3]), 2) == pytest.approx(0.25)
    assert gini(np.array([], dtype=np.int64), 5) == 0.0


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, 5), st.randoms(use_true_random=False))
def test_gini_is_half_the_mean_difference_over_the_mean_in_any_order(shown, unseen, chance):
    everything = [*shown, *[0] * unseen]
    mean = sum(everything) / len(everything)
    slow = sum(abs(a - b) for a in everything for b in everything) / (2 * len(everything) ** 2 * mean)
    chance.shuffle(shown)
    found = gini(np.array(shown), len(everything))
    assert found == pytest.approx(slow, abs=1e-12)
    assert 0 <= found + 1e-12 <= 1
