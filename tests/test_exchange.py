"""Exchange: ids find their type, and lists come and go whole."""

from pathlib import Path

import polars as pl
import pytest

import shortlist as sl
from shortlist.exchange import ids_like, lists_in, users_in, write_lists


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


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_written_lists_are_read_again(ending: str, tmp_path: Path) -> None:
    lists = pl.DataFrame({"user_id": [2, 1], "item_id": ["b", "a"], "rank": [1, 1], "score": [0.5, 0.25]})
    write_lists(lists, tmp_path / f"lists.{ending}")
    assert lists_in(tmp_path / f"lists.{ending}").sort("user_id").equals(lists.drop("score").sort("user_id"))


def test_a_write_that_fails_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    file = tmp_path / "lists.csv"
    file.write_text("before")
    with pytest.raises(pl.exceptions.PolarsError):
        write_lists(pl.DataFrame({"user_id": [[1]]}), file)  # a list has no place in a CSV
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


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
