"""Write: any number of frames in one file, whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

import shortlist as sl
from shortlist.exchange import lists_in
from shortlist.tables.write import write_frames

LISTS = pl.DataFrame({"user_id": [2, 1], "item_id": ["b", "a"], "rank": [1, 1], "score": [0.5, 0.25]})


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "PARQUET"])
def test_frames_stand_below_each_other_and_are_read_again(ending: str, tmp_path: Path) -> None:
    file = tmp_path / "new" / f"lists.{ending}"
    write_frames((LISTS[n : n + 1] for n in range(2)), file)
    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}[ending.lower()]
    assert read(file).equals(LISTS)
    assert list(file.parent.iterdir()) == [file]


def test_written_lists_are_lists_that_can_be_judged(tmp_path: Path) -> None:
    write_frames([LISTS], tmp_path / "lists.csv")
    assert lists_in(tmp_path / "lists.csv").sort("user_id").equals(LISTS.drop("score").sort("user_id"))


def test_each_frame_is_a_row_group(tmp_path: Path) -> None:
    write_frames([LISTS, LISTS.clear(), LISTS[:1]], tmp_path / "lists.parquet")
    told = pq.ParquetFile(tmp_path / "lists.parquet").metadata
    assert [told.row_group(n).num_rows for n in range(told.num_row_groups)] == [2, 0, 1]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_empty_frame_says_the_columns(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"lists.{ending}"
    write_frames([LISTS.clear()], file)
    found = pl.read_parquet(file) if ending == "parquet" else pl.read_csv(file)
    assert (found.columns, found.height) == (LISTS.columns, 0)


def test_a_write_that_fails_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    def failing() -> Iterator[pl.DataFrame]:
        yield LISTS
        raise sl.DataError("no more")

    for file in (tmp_path / "lists.csv", tmp_path / "lists.parquet"):
        file.write_text("before")
        with pytest.raises(sl.DataError, match="no more"):
            write_frames(failing(), file)
        assert file.read_text() == "before"
    with pytest.raises(pl.exceptions.PolarsError):
        write_frames([pl.DataFrame({"user_id": [[1]]})], tmp_path / "lists.csv")  # a list has no place in a CSV
    assert {path.name for path in tmp_path.iterdir()} == {"lists.csv", "lists.parquet"}


def test_another_ending_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(sl.ConfigError, match=r"'.*lists\.xls' has an ending that is not written"):
        write_frames([LISTS], tmp_path / "new" / "lists.xls")
    assert not (tmp_path / "new").exists()
