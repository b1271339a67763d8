"""Terms of texts, held against those that are counted one by one."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.dataset import ngrams
from shortlist.dataset.ngrams import counted, plain, salts

TEXTS = st.lists(st.one_of(st.none(), st.text(alphabet="abcé ध्न! ﬁ", max_size=12)), min_size=1, max_size=8)


def slowly(texts: list[str | None], shortest: int, longest: int) -> list[Counter[str]]:
    """The runs of characters of each text."""
    found = []
    for text in plain(pl.Series(texts, dtype=pl.String)):
        runs = [text[at : at + n] for n in range(shortest, longest + 1) for at in range(len(text) - n + 1)]
        found.append(Counter(runs))
    return found


@given(TEXTS, st.integers(1, 3), st.integers(0, 2))
def test_terms_are_the_runs_of_characters(texts: list[str | None], shortest: int, more: int) -> None:
    column = pl.Series(texts, dtype=pl.String)
    text, term, times = counted([(column, 1.0)], np.zeros(len(texts), np.uint64), shortest, shortest + more)
    wanted = slowly(texts, shortest, shortest + more)
    for row, runs in enumerate(wanted):
        assert sorted(times[text == row].tolist()) == sorted(map(float, runs.values()))
    # A term has one number wherever it stands: as many different numbers as different runs.
    assert len(np.unique(term)) == len(set().union(*wanted))
    order = np.lexsort((term, text))
    assert (order == np.arange(len(order))).all()


def test_terms_of_several_columns_are_summed_by_what_each_counts() -> None:
    one, other = pl.Series(["ab", "b"]), pl.Series(["ab", None], dtype=pl.String)
    text, term, times = counted([(one, 1.0), (other, 0.5)], np.zeros(2, np.uint64), 1, 1)
    assert sorted(times[text == 0].tolist()) == [1.5, 1.5, 3.0]
    assert sorted(times[text == 1].tolist()) == [1.0, 2.0]
    assert len(np.unique(term)) == 3


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    column = pl.Series([f"text number {n} of many" for n in range(50)])
    salt = salts(pl.DataFrame({"language": ["en", "de"] * 25}), ["language"])
    whole = counted([(column, 1.0)], salt, 2, 4)
    monkeypatch.setattr(ngrams, "_AT_ONCE", 70)
    for one, other in zip(whole, counted([(column, 1.0)], salt, 2, 4), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


def test_only_so_many_characters_of_a_text_count() -> None:
    salt = np.zeros(1, np.uint64)
    short = counted([(pl.Series(["abc"]), 1.0)], salt, 2, 3)
    longer = counted([(pl.Series(["abcdef"]), 1.0)], salt, 2, 3, characters=3)
    assert all(np.array_equal(one, other) for one, other in zip(short, longer, strict=True))


def test_texts_of_different_salts_share_no_term() -> None:
    table = pl.DataFrame({"language": ["en", "de", "en", None, None]})
    salt = salts(table, ["language"])
    assert salt[0] == salt[2] != salt[1]
    assert salt[3] == salt[4] != salt[0]
    assert not salts(table, []).any()
    text, term, _ = counted([(pl.Series(["same words"] * 5), 1.0)], salt, 2, 4)
    assert set(term[text == 0]) == set(term[text == 2])
    assert set(term[text == 0]).isdisjoint(term[text == 1])


def test_numbers_of_terms_stay_what_they_are() -> None:
    # Stored models know terms by these: if they change, the store's FORMAT must rise.
    _, term, _ = counted([(pl.Series(["a"]), 1.0)], salts(pl.DataFrame({"language": ["en"]}), ["language"]), 1, 2)
    stored = [-8238125441865287871, -7216683020916145637, -6650354601609061826, 88317412907121154]
    assert term.tolist() == stored
