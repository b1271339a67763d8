"""Text ridge, against the closed form; hashed words, against Python's."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shortlist.tabular.terms import calendar, hashed_words, joined
from shortlist.tabular.text_ridge import TextRidge, fitted, met_in, ranked, ridge, weighed


def terms_of(texts: list[str], **options: bool) -> list[list[int]]:
    ends, terms = hashed_words(pl.Series(texts, dtype=pl.String), 1, 30, **options)
    return [terms[start:end].tolist() for start, end in zip([0, *ends[:-1]], ends, strict=False)]


@settings(deadline=None)  # the first example may wait for the compiler
@given(st.lists(st.text(alphabet="aB1 é-.\x00", max_size=12), max_size=6))
def test_a_text_has_a_term_for_each_word_and_each_two_that_follow(texts: list[str]) -> None:
    rows = terms_of(texts)
    for text, row in zip(texts, rows, strict=True):
        words = "".join(c if c.isalnum() else " " for c in text).split()
        assert len(row) == max(0, 2 * len(words) - 1)
    assert terms_of([text.replace("B", "b") for text in texts]) == rows


def test_runs_of_characters_are_those_of_words_longer_than_they() -> None:
    plain, runs = terms_of(["abcde xyz"])[0], terms_of(["abcde xyz"], runs=True)[0]
    assert set(plain) < set(runs)
    assert len(runs) == len(plain) + 3 + 2  # abc bcd cde, abcd bcde; a word of three is its own run
    assert terms_of(["", " .. "], runs=True) == [[], []]


def test_what_is_missing_has_no_terms_and_slices_are_read_where_they_begin() -> None:
    column = pl.Series(["left out", None, "kept here", "kept here"])
    assert terms_of(["kept here"])[0] == hashed_words(column[2:3], 1, 30)[1].tolist()
    ends, _ = hashed_words(column[1:3], 1, 30)
    assert ends.tolist() == [0, 3]


def test_the_terms_of_several_columns_of_a_row_stand_together() -> None:
    first = np.array([1, 1, 3]), np.array([10, 11, 12], np.int32)
    second = np.array([0, 2, 3]), np.array([20, 21, 22], np.int32)
    ends, terms = joined([first, second])
    assert ends.tolist() == [1, 3, 6]
    assert terms.tolist() == [10, 20, 21, 11, 12, 22]


def test_ridge_is_the_closed_form() -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 8)).astype(np.float32)
    y = random.standard_normal((60, 3)).astype(np.float32)
    weight, mean = ridge(sparse.csr_array(x), y, 2.0, 50)
    x64 = x.astype(np.float64)
    expected = np.linalg.solve(x64.T @ x64 + 2 * np.eye(8), x64.T @ (y - y.mean(axis=0)))
    assert weight == pytest.approx(expected, abs=1e-3)
    assert mean == pytest.approx(y.mean(axis=0), abs=1e-6)


def test_rare_terms_do_not_count_and_rows_have_length_one() -> None:
    ends, terms = hashed_words(pl.Series(["a b", "a c", "a", "."]), 1, 20)
    kept, idf = met_in(ends, terms, TextRidge(bits=20, min_rows=2))
    assert len(kept) == 1
    assert idf == pytest.approx([np.log(5 / 4) + 1])
    x = weighed(ends, terms, kept, idf)
    assert np.asarray(x.multiply(x).sum(axis=1)).ravel() == pytest.approx([1, 1, 1, 0])


def test_a_row_is_expected_to_be_what_others_say() -> None:
    texts = pl.Series(["good"] * 20 + ["bad"] * 20 + ["lonely"])
    numbers = np.array([1.0] * 20 + [0.0] * 20 + [50.0])
    ends, terms = hashed_words(texts, 1, 16)
    folds = np.arange(41) % 4
    found, told = fitted(TextRidge(bits=16, min_rows=1), ends, terms, folds, lambda rows: numbers[rows][:, None])
    assert told[:20, 0].mean() > told[20:40, 0].mean()
    assert told[40, 0] < 5  # nobody else has that word
    assert found.predict(ends, terms)[40, 0] > 5


def test_ranks_are_of_one_spread_and_equal_cuts_count_once() -> None:
    told = ranked(np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 1, 9]), (0.1, 0.3, 0.9))
    assert told.shape == (10, 3)
    assert told.std(axis=0) == pytest.approx([1, 1, 1], abs=1e-5)


def test_the_calendar_is_that_of_utc() -> None:
    # 2024-02-29 13:05:00 UTC was a Thursday.
    told = calendar(np.array([1_709_211_900.0, np.nan]))
    assert {name: part.tolist() for name, part in told.items()} == {
        "hour": [13, -1],
        "weekday": [3, -1],
        "month": [2, -1],
    }
