"""Category means, against loops over rows; and that no row is told anything of its own number."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.tabular.category_means import PRIOR, RECENT_PRIOR, CategoryMeans


def table(values: list[int], times: list[float]) -> tuple[pl.DataFrame, np.ndarray]:
    return pl.DataFrame({"who": [f"w{value}" for value in values]}), np.array(times, float)


ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.floats(-10, 10, allow_subnormal=False)), min_size=6, max_size=30
)


@given(ROWS, st.integers(0, 2**31))
def test_a_row_is_told_the_mean_of_other_folds_and_of_what_was_before(
    rows: list[tuple[int, int, float]], seed: int
) -> None:
    who, when, numbers = (np.array(column) for column in zip(*rows, strict=True))
    folds = np.random.default_rng(seed).permutation(len(rows)) % 3
    frame, time = table(who.tolist(), when.tolist())
    made = CategoryMeans.fit(("who",), frame, numbers, time)
    told = made.of_training(frame, numbers, time, folds)
    for row in range(len(rows)):
        others = folds != folds[row]
        prior = numbers[others].mean()
        mine = numbers[others & (who == who[row])]
        assert told[row, 0] == pytest.approx((mine.sum() + PRIOR * prior) / (len(mine) + PRIOR), abs=1e-4)
        before = (who == who[row]) & (when < when[row])
        last = numbers[before][np.argsort(when[before], kind="stable")]
        if len(np.unique(when[before])) == len(last):  # else which are the last ten is open
            expected = (last[-10:].sum() + RECENT_PRIOR * prior) / (min(len(last), 10) + RECENT_PRIOR)
            assert told[row, 3] == pytest.approx(expected, abs=1e-4)
        assert told[row, -1] == before.sum()


@given(ROWS, st.integers(0, 5), st.floats(-100, 100))
def test_no_row_is_told_of_its_own_number(rows: list[tuple[int, int, float]], row: int, other: float) -> None:
    who, when, numbers = (np.array(column) for column in zip(*rows, strict=True))
    folds = np.arange(len(rows)) % 3
    frame, time = table(who.tolist(), when.tolist())

    def told(numbers: np.ndarray) -> np.ndarray:
        return CategoryMeans.fit(("who",), frame, numbers, time).of_training(frame, numbers, time, folds)[row]

    changed = numbers.copy()
    changed[row] = other
    assert told(changed) == pytest.approx(told(numbers), abs=2e-4, nan_ok=True)


def test_an_author_of_one_post_tells_nothing_of_it() -> None:
    """A mean computed with the row itself would tell all."""
    random = np.random.default_rng(0)
    numbers = random.standard_normal(3_000)
    frame = pl.DataFrame({"author": random.integers(0, 2_000, 3_000)})
    folds = random.permutation(3_000) % 5
    told = CategoryMeans.fit(("author",), frame, numbers, None).of_training(frame, numbers, None, folds)[:, 0]
    place = frame["author"].to_numpy()
    leaking = (np.bincount(place, numbers) / np.maximum(np.bincount(place), 1))[place]
    assert abs(np.corrcoef(told, numbers)[0, 1]) < 0.06
    assert np.corrcoef(leaking, numbers)[0, 1] > 0.5


def test_new_rows_are_told_of_all_and_the_unknown_of_nothing() -> None:
    frame, time = table([0, 0, 1], [1, 2, 3])
    made = CategoryMeans.fit(("who",), frame, np.array([1.0, 3.0, 8.0]), time)
    new, at = table([0, 9, 0], [2, 5, np.nan])
    told = made.of_new(new, at)
    assert told[:, 0] == pytest.approx([(4 + 10 * 4) / 12, 4, (4 + 10 * 4) / 12])
    assert told[:, 2].tolist() == [2, 0, 2]
    assert told[:, -1].tolist() == [1, 0, 0]  # strictly before; of a time that is missing nothing was
    assert len(made.names) == told.shape[1]
