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


def test_few_rows_are_one_range() -> None:
    made = Intervals.fit(np.arange(5.0), np.array([1.0, 0, 2, 3, 4]), 0.9)
    low, high = made.of(np.array([2.0, 100.0]))
    assert low.tolist() == [1, 99]
    assert high.tolist() == [3, 101]
