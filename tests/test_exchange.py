"""Exchange: ids find their type, and what comes in files comes whole or not at all."""

from pathlib import Path

import polars as pl
import pytest

import shortlist as sl
from shortlist.exchange import events_in, ids_like, lists_in, users_in


def test_typed_ids_become_those_of_the_data() -> None:
    numbers, texts = pl.Series("user_id", [1], dtype=pl.Int32), pl.Series("user_id", ["a"])
    assert ids_like(pl.Series("user_id", [" 7", "-1"]), numbers).equals(pl.Series("user_id", [7, -1], dtype=pl.Int32))
    assert ids_like(pl.Series("user_id", [7]), texts).to_list() == ["7"]
    assert ids_like(pl.Series("user_id", ["007"]), texts).to_list() == ["007"]


def test_numbers_too_large_to_be_known_stay_as_they_are() -> None:
    known = pl.Series("user_id", [1], dtype=pl.Int32)
    assert ids_like(pl.Series("user_id", ["99999999999"]), known).to_list() == [99_999_999_999]


def test_text_that_is_no_number_is_named() -> None:
    with pytest.raises(sl.ConfigError, match=r"user_id: '1\.5' is not a whole number"):
        ids_like(pl.Series("user_id", ["1", "1.5"]), pl.Series("user_id", [1]))


def test_events_come_with_their_weight_or_with_one(tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text("customer,sku\n1,a\n1,a\n")
    (tmp_path / "rated.csv").write_text("user_id,item_id,rating,date\n1,a,4.5,2024-01-01\n")
    assert events_in(tmp_path / "plain.csv").rows() == [(1, "a", 1.0), (1, "a", 1.0)]
    rated = events_in(tmp_path / "rated.csv")
    assert rated.drop("timestamp").rows() == [(1, "a", 4.5)]
    assert rated["timestamp"].to_list() == [1_704_067_200_000_000]


def test_users_may_stand_there_twice_but_pairs_of_lists_may_not(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user\n1\n1\n")
    assert users_in(tmp_path / "users.csv").to_list() == [1, 1]
    (tmp_path / "lists.csv").write_text("user,item,rank\n1,a,1\n1,a,2\n")
    with pytest.raises(sl.RejectsError, match="duplicate_key"):
        lists_in(tmp_path / "lists.csv")


def test_ranks_that_are_no_whole_numbers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "lists.csv").write_text("user,item,rank\n1,a,1.5\n")
    with pytest.raises(sl.DataError, match="no whole numbers"):
        lists_in(tmp_path / "lists.csv")
