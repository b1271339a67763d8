"""Audience: ids and what is told of users become dense numbers, whoever is unknown among them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import shortlist as sl
from shortlist.audience import Audience, audience, rows_of
from shortlist.dataset.ids import IdMap

USERS = IdMap(pl.Series("user_id", ["a", "b", "c"]))
ITEMS = IdMap(pl.Series("item_id", [10, 20, 30]))
SEEN = pl.DataFrame({"user": [0, 0, 2], "item": [0, 1, 2]}, schema_overrides={"user": pl.Int32, "item": pl.Int32})


def table(*rows: tuple[str, int, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["user_id", "item_id", "weight"], orient="row")


def history_of(whom: Audience) -> list[tuple[int, int, float]]:
    assert whom.history is not None
    assert whom.history.schema == {"user": pl.Int32, "item": pl.Int32, "weight": pl.Float32, "newer": pl.Int32}
    return whom.history.drop("newer").rows()


def test_strangers_have_numbers_beyond_all_that_are_known() -> None:
    whom = audience(["x", "c", "y", "x"], USERS, ITEMS)
    assert whom.ids.to_list() == ["x", "c", "y"]
    assert whom.users.tolist() == [3, 2, 4]
    assert (whom.history, whom.barred(None)) == (None, None)


def test_events_become_a_history_of_pairs() -> None:
    events = table(("a", 10, 1.5), ("a", 10, 2.0), ("a", 20, 1.0), ("x", 30, 1.0), ("b", 10, 1.0), ("a", 99, 1.0))
    whom = audience(["x", "a", "c"], USERS, ITEMS, events=events)
    assert whom.users.tolist() == [3, 0, 2]
    assert history_of(whom) == [(0, 0, 3.5), (0, 1, 1.0), (3, 2, 1.0)]


def test_newer_counts_the_items_that_came_later() -> None:
    events = table(("a", 10, 1.0), ("a", 20, 1.0), ("a", 30, 1.0), ("b", 10, 1.0), ("a", 20, 1.0), ("c", 10, -1.0))
    for moments in (
        [1, 2, 9, 7, 9, 3],
        ["2024-01-01", "2024-01-02", "2024-02-01", "2024-01-03", "2024-02-01", "2024-03-01"],
    ):
        whom = audience(["a", "b"], USERS, ITEMS, events=events.with_columns(timestamp=pl.Series(moments)))
        assert whom.history is not None
        assert whom.history.select("user", "item", "newer").rows() == [(0, 0, 2), (0, 1, 0), (0, 2, 0), (1, 0, 0)]
    for odd in (["x"] * 6, [1, None, 2, 3, 4, 5], [True] * 6):
        with pytest.raises(sl.DataError, match="timestamp"):
            audience(["a"], USERS, ITEMS, events=events.with_columns(timestamp=pl.Series(odd)))


def test_events_without_weights_count_one_each() -> None:
    events = table(("a", 10, 7.0), ("a", 10, 7.0)).drop("weight")
    assert history_of(audience(["a"], USERS, ITEMS, events=events)) == [(0, 0, 2.0)]


def test_pairs_that_sum_to_nothing_are_no_history_but_were_seen() -> None:
    events = table(("a", 10, 1.0), ("a", 10, -1.0), ("a", 20, 1.0), ("a", 30, 0.0))
    whom = audience(["a"], USERS, ITEMS, events=events)
    assert history_of(whom) == [(0, 1, 1.0)]
    barred = whom.barred(SEEN)
    assert barred is not None
    assert barred.sort("item").rows() == [(0, 0), (0, 1), (0, 2)]


def test_whose_events_come_to_nothing_is_a_stranger() -> None:
    events = table(("a", 10, -1.0), ("b", 99, 1.0))
    whom = audience(["a", "b", "c"], USERS, ITEMS, events=events)
    assert whom.users.tolist() == [3, 4, 2]
    assert history_of(whom) == []
    barred = whom.barred(SEEN)
    assert barred is not None
    assert barred.sort("user").rows() == [(2, 2), (3, 0)]  # what a did is left out still


def test_what_was_seen_is_replaced_for_those_with_events_alone() -> None:
    whom = audience(["c", "a"], USERS, ITEMS, events=table(("a", 30, 1.0)))
    barred = whom.barred(SEEN)
    assert barred is not None
    assert barred.sort("user").rows() == [(0, 2), (2, 2)]


def test_excluded_pairs_come_on_top_each_once() -> None:
    exclude = pl.DataFrame({"user_id": ["a", "a", "a", "b", "x"], "item_id": [10, 10, 99, 10, 20]})
    whom = audience(["a", "x"], USERS, ITEMS, exclude=exclude)
    alone, both = whom.barred(None), whom.barred(SEEN)
    assert alone is not None
    assert both is not None
    assert alone.sort("user").rows() == [(0, 0), (3, 1)]
    assert both.sort("user", "item").rows() == [(0, 0), (0, 1), (3, 1)]


def test_blocks_hold_everybody_with_what_is_theirs() -> None:
    exclude = pl.DataFrame({"user_id": ["c", "x"], "item_id": [10, 20]})
    whom = audience(["x", "c", "a"], USERS, ITEMS, exclude, table(("a", 30, 1.0), ("x", 10, 2.0)))
    parts = list(whom.blocks(2))
    assert [part.ids.to_list() for part in parts] == [["x", "c"], ["a"]]
    assert [history_of(part) for part in parts] == [[(3, 0, 2.0)], [(0, 2, 1.0)]]
    assert sum(part.barred(SEEN).height for part in parts) == whom.barred(SEEN).height  # type: ignore[union-attr]
    nobody = list(audience([], USERS, ITEMS).blocks(2))
    assert [len(part.users) for part in nobody] == [0]


@pytest.mark.parametrize("weight", [["much"], [float("nan")], [float("inf")]])
def test_weights_that_are_no_numbers_are_refused(weight: list[object]) -> None:
    events = pl.DataFrame({"user_id": ["a"], "item_id": [10], "weight": weight})
    with pytest.raises(sl.DataError, match="no finite numbers"):
        audience(["a"], USERS, ITEMS, events=events)


def test_events_need_their_columns_and_ids_of_the_known_type() -> None:
    with pytest.raises(sl.ColumnError, match="the events lack the column 'item_id'"):
        audience(["a"], USERS, ITEMS, events=pl.DataFrame({"user_id": ["a"]}))
    with pytest.raises(sl.DataError, match="item_id"):
        audience(["a"], USERS, ITEMS, events=pl.DataFrame({"user_id": ["a"], "item_id": ["10"]}))
    with pytest.raises(sl.DataError, match="1 rows have no weight"):
        audience(["a"], USERS, ITEMS, events=table(("a", 10, None)))  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 6), max_size=12), st.permutations(range(8)), st.integers(0, 8))
def test_the_rows_of_users_are_those_that_a_filter_finds(have: list[int], order: list[int], asked_for: int) -> None:
    frame = pl.DataFrame({"user": sorted(have), "item": range(len(have))}, schema={"user": pl.Int32, "item": pl.Int32})
    users = order[:asked_for]
    found = rows_of(frame, np.array(users, dtype=np.int32))
    assert found.rows() == [row for user in users for row in frame.rows() if row[0] == user]
    assert found.schema == frame.schema
