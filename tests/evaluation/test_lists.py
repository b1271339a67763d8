"""Lists and truth as they are read: pairs once and in order, counts, places, sets without ranks."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.errors import ColumnError
from shortlist.evaluation.lists import places, read_lists, read_truth, times_shown

TRUTH = pl.DataFrame({"user_id": [7, 3, 3, 3], "item_id": [30, 10, 20, 10]})
LISTS = pl.DataFrame({"user_id": [3, 3, 9, 3], "item_id": [50, 20, 10, 10], "rank": [1, 2, 1, 3], "score": 0.5})


def test_a_true_pair_that_stands_there_twice_counts_once():
    truth = read_truth(TRUTH)
    assert truth.users.to_list() == [3, 7]
    assert truth.sizes.tolist() == [2, 1]
    assert truth.items.to_list() == [10, 20, 30]


ENDS = st.sampled_from([-(2**63), -(2**40), -1, 0, 7, 2**31, 2**40, 2**63 - 1])


@given(st.lists(st.tuples(ENDS, ENDS), min_size=1, max_size=12))
def test_true_pairs_stand_in_order_however_far_apart_the_ids_are(pairs):
    truth = read_truth(pl.DataFrame(pairs, schema={"user_id": pl.Int64, "item_id": pl.Int64}, orient="row"))
    users = np.repeat(truth.users.to_numpy(), truth.sizes).tolist()
    assert list(zip(users, truth.items.to_list(), strict=True)) == sorted(set(pairs))
    assert (truth.users.dtype, truth.items.dtype) == (pl.Int64, pl.Int64)


def test_ids_keep_their_type_in_the_truth():
    truth = read_truth(TRUTH.cast({"user_id": pl.UInt8, "item_id": pl.Int16}))
    assert (truth.users.dtype, truth.items.dtype) == (pl.UInt8, pl.Int16)


def test_items_are_counted_over_all_lists_within_k():
    assert times_shown(read_lists(LISTS, "ours"), 1).tolist() == [1, 1]
    assert times_shown(read_lists(LISTS, "ours"), 3).tolist() == [1, 1, 2]


def test_the_filled_places_of_judged_lists_are_told_by_row_and_place():
    found = places(read_lists(LISTS, "ours"), read_truth(TRUTH), 2).sort("row", "place")
    assert found.rows() == [(0, 0, 50), (0, 1, 20)]  # user 3; user 7 has no list, and user 9 no truth


def test_a_set_needs_no_ranks_where_no_metric_looks_at_them():
    numbered = read_lists(LISTS.drop("rank"), "ours", ordered=False)
    assert numbered.rows() == [(3, 50, 1), (3, 20, 2), (9, 10, 1), (3, 10, 3)]
    with pytest.raises(ColumnError, match="lack the column 'rank'"):
        read_lists(LISTS.drop("rank"), "ours")
