"""Frames of any library become the same hits; what cannot be judged is refused with its user and item."""

import ibis
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.errors import ColumnError, DataError
from shortlist.evaluation import hits as hits_module
from shortlist.evaluation.hits import hits_of
from shortlist.evaluation.lists import read_lists, read_truth

TRUTH = pl.DataFrame({"user_id": [7, 3, 3, 3], "item_id": [30, 10, 20, 10]})
LISTS = pl.DataFrame({"user_id": [3, 3, 9, 3], "item_id": [50, 20, 10, 10], "rank": [1, 2, 1, 3], "score": 0.5})


def judged(recommendations, truth, depth=4):
    return hits_of(read_lists(recommendations, "ours"), read_truth(truth), depth, "ours")


def hits(recommendations, truth, depth=4):
    return judged(recommendations, truth, depth)[0]


def test_hits_stand_at_the_rank_of_the_item_and_users_in_the_order_of_their_ids():
    found, users_without_truth = judged(LISTS, TRUTH)
    assert found.hits.tolist() == [[False, True, True, False], [False] * 4]
    assert (found.lengths.tolist(), found.truth_sizes.tolist()) == ([3, 0], [2, 1])
    assert (found.users_without_list, users_without_truth) == (1, 1)


def test_only_the_first_places_are_looked_at():
    assert hits(LISTS, TRUTH, depth=2).hits.tolist() == [[False, True], [False, False]]


def test_no_lists_at_all_are_all_misses():
    found, users_without_truth = judged(pd.DataFrame({"user_id": [], "item_id": [], "rank": []}), TRUTH)
    assert not found.hits.any()
    assert (found.users_without_list, users_without_truth) == (2, 0)


MAKINGS = {
    "pandas": lambda frame: frame.to_pandas(),
    "arrow": lambda frame: frame.to_arrow(),
    "lazy polars": lambda frame: frame.lazy(),
    "ibis": lambda frame: ibis.memtable(frame.to_arrow()),
}


@pytest.mark.parametrize("making", MAKINGS)
def test_a_frame_of_any_library_gives_the_same_hits(making):
    made = MAKINGS[making]
    assert hits(made(LISTS), made(TRUTH)).hits.tolist() == hits(LISTS, TRUTH).hits.tolist()


KINDS = {
    "narrow integers": (pl.Int8, pl.Int64),
    "unsigned": (pl.UInt64, pl.UInt64),
    "unsigned and signed": (pl.UInt64, pl.Int32),
    "text": (pl.String, pl.String),
    "categories and text": (pl.Categorical, pl.String),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_type_of_the_ids_does_not_matter_where_they_compare(kind):
    ours, theirs = KINDS[kind]

    def cast(frame, to):
        ids = pl.col("user_id", "item_id")
        return frame.with_columns(ids.cast(pl.String).cast(to) if to == pl.Categorical else ids.cast(to))

    assert hits(cast(LISTS, ours), cast(TRUTH, theirs)).hits.tolist() == hits(LISTS, TRUTH).hits.tolist()


def test_ids_as_far_apart_as_hashes_match():
    far = {10: -(2**62), 20: 2**62, 30: 5, 50: 6}
    spread = pl.col("item_id").replace_strict(far, return_dtype=pl.Int64)
    found = hits(LISTS.with_columns(spread), TRUTH.with_columns(spread))
    assert found.hits.tolist() == hits(LISTS, TRUTH).hits.tolist()


@pytest.mark.parametrize("last", [65_534, 65_535, 65_536, 2**31 - 2, 2**31 - 1, 2**31])
@pytest.mark.parametrize("first", [0, -(2**62), -(2**63)])
def test_items_match_whatever_the_width_of_their_codes(first, last):
    ids = {10: first + last, 20: first, 30: first + 1, 50: first + last - 1}
    spread = pl.col("item_id").replace_strict(ids, return_dtype=pl.Int64)
    found = hits(LISTS.with_columns(spread), TRUTH.with_columns(spread))
    assert found.hits.tolist() == hits(LISTS, TRUTH).hits.tolist()


@st.composite
def worlds(draw):
    """Lists and truth of a few users, with the rows of the lists in any order."""
    users, items = st.integers(0, 5), st.integers(0, 9)
    truth = draw(st.lists(st.tuples(users, items), min_size=1, max_size=15))
    chosen = draw(st.dictionaries(users, st.lists(items, unique=True, max_size=6), max_size=6))
    rows = [(user, item, rank) for user, its in chosen.items() for rank, item in enumerate(its, start=1)]
    return draw(st.permutations(rows)), truth


@settings(deadline=None)
@given(worlds(), st.integers(1, 7), st.sampled_from([1, 3, 1 << 12]), st.sampled_from([pl.Int64, pl.String]))
def test_hits_agree_with_sets_in_any_order_of_rows_and_any_slicing(world, depth, size, kind):
    rows, pairs = world
    ids = pl.col("user_id", "item_id").cast(kind)
    recommendations = pl.DataFrame(
        rows, schema=dict.fromkeys(["user_id", "item_id", "rank"], pl.Int64), orient="row"
    ).with_columns(ids)
    truth = pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row").with_columns(ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hits_module, "_ROWS", size)
        patch.setattr(hits_module, "_USERS", size)
        found, users_without_truth = judged(recommendations, truth, depth)
    users = sorted({user for user, _ in pairs})
    expected = np.zeros((len(users), depth), dtype=bool)
    for user, item, rank in rows:
        if user in users and rank <= depth:
            expected[users.index(user), rank - 1] = (user, item) in pairs
    listed = {user for user, _, _ in rows}
    assert found.hits.tolist() == expected.tolist()
    assert found.users_without_list == len(set(users) - listed)
    assert users_without_truth == len(listed - set(users))


def with_items(*items, ranks=None):
    return pl.DataFrame({"user_id": 3, "item_id": items, "rank": ranks or range(1, len(items) + 1)})


REFUSED = {
    "list of user 3 .* shows item 20 twice, at ranks 2 and 3": with_items(10, 20, 20),
    "list of user 3 .* uses a rank twice or skips one": with_items(10, 20, ranks=[1, 1]),
    "list of user 3 .* uses a rank twice or skips": with_items(10, 20, ranks=[1, 3]),
    "best rank is 0": with_items(10, 20, ranks=[0, 1]),
    "rank is of type Float64": with_items(10, 20, ranks=[1.0, 2.0]),
    "item_id is text .* in the lists of 'ours' but whole numbers": with_items("10", "20"),
    "user_id is text": LISTS.with_columns(pl.col("user_id").cast(pl.String)),
    "item_id is of type Float64": with_items(10.5, 20.0),
    "1 rows have no item_id": with_items(10, None),
    "are no table": [1, 2],
    "have a column of mixed types": pd.DataFrame({"user_id": [3, "x"], "item_id": 10, "rank": 1}),
}


@pytest.mark.parametrize("told", REFUSED)
def test_lists_that_cannot_be_judged_are_refused(told):
    with pytest.raises(DataError, match=told):
        hits(REFUSED[told], TRUTH)


def test_a_repeat_beyond_the_places_that_count_is_no_matter():
    assert hits(with_items(10, 20, 20), TRUTH, depth=2).hits[0].all()


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(ColumnError, match="the truth lack the column 'user_id'; did you mean 'userid'"):
        read_truth(TRUTH.rename({"user_id": "userid"}))


def test_an_empty_truth_is_refused():
    with pytest.raises(DataError, match="nobody can be judged"):
        read_truth(TRUTH.clear())
