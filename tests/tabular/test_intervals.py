"""Intervals hold what they promise on rows that they have not seen."""

import numpy as np
import pytest

from shortlist.tabular.intervals import Intervals


def test_they_hold_their_share_where_errors_grow_with_the_answer() -> None:
    random = np.random.default_rng(0)
    answer = random.uniform(0, 10, 40_000)
    truth = answer + random.standard_normal(40_000) * (0.1 + answer)
    made = Intervals.fit(answer[:20_000], truth[:20_000], 0.9)
    low, high = made.of(answer[20_000:])
    inside = (low <= truth[20_000:]) & (truth[20_000:] <= high)
    assert inside.mean() == pytest.approx(0.9, abs=0.015)
    for few in (answer[20_000:] < 2, answer[20_000:] > 8):
        assert inside[few].mean() == pytest.approx(0.9, abs=0.03)
    assert (high - low)[answer[20_000:] > 8].mean() > 3 * (high - low)[answer[20_000:] < 2].mean()


def test_ends_that_were_learnt_are_moved_until_they_hold_the_share() -> None:
    random = np.random.default_rng(0)
    width, truth = random.uniform(1, 5, 20_000), random.standard_normal(20_000)
    truth *= width
    narrow, wide = 0.5 * width, 4 * width
    for half in (narrow, wide):
        made = Intervals.beyond(-half[:10_000], half[:10_000], truth[:10_000], 0.8)
        low, high = made.of(-half[10_000:])[0], made.of(half[10_000:])[1]
        assert ((low <= truth[10_000:]) & (truth[10_000:] <= high)).mean() == pytest.approx(0.8, abs=0.015)
    few = Intervals.beyond(np.zeros(3), np.ones(3), np.array([5.0, 0.5, 0.5]), 0.9)
    assert few.above.tolist() == [4]


def test_few_rows_are_one_range() -> None:
    made = Intervals.fit(np.arange(5.0), np.array([1.0, 0, 2, 3, 4]), 0.9)
    low, high = made.of(np.array([2.0, 100.0]))
    assert low.tolist() == [1, 99]
    assert high.tolist() == [3, 101]
