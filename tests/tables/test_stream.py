"""Streams: every row once, the same order however they are read, gone on with by one number."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.tables.sizes import bytes_of


def written(folder: Path, files: list[list[int]]) -> Path:
    """Parquet files whose row groups have so many rows, numbered through."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = 0
    schema = pa.schema({"row": pa.int64(), "text": pa.string()})
    for number, groups in enumerate(files):
        with pa.parquet.ParquetWriter(folder / f"{number:03d}.parquet", schema) as writer:
            for rows in groups:
                told = range(begun, begun + rows)
                writer.write_table(pa.table({"row": told, "text": [f"t{n}" for n in told]}, schema=schema))
                begun += rows
    return folder


def rows_of(stream: sl.Stream, start: int = 0, stop: int | None = None, **every: int) -> list[list[int]]:
    batches = stream.batches(start, len(stream) if stop is None else stop, **every)
    return [batch.column("row").to_pylist() for batch in batches]


FILES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=4).filter(
    lambda files: sum(map(sum, files)) >= 6
)


@settings(max_examples=60, deadline=None)
@given(FILES, st.integers(1, 7), st.integers(1, 5), st.integers(0, 3), st.integers(0, 2), st.booleans())
def test_every_row_comes_once_an_epoch_in_equally_many_batches(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[int]],
    batch: int,
    ranks: int,
    seed: int,
    epoch: int,
    shuffle: bool,
) -> None:
    where = written(tmp_path_factory.mktemp("rows"), files)
    streams = [
        sl.Stream.open(where, batch=batch, seed=seed, rank=r, ranks=ranks, shuffle=shuffle) for r in range(ranks)
    ]
    each = [rows_of(stream, epoch * len(stream), (epoch + 1) * len(stream)) for stream in streams]
    assert sorted(row for batches in each for one in batches for row in one) == list(range(sum(map(sum, files))))
    assert len({len(batches) for batches in each}) == 1
    for batches in each:
        sizes = [len(one) for one in batches]
        assert max(sizes) <= batch
        assert max(sizes) - min(sizes) <= 1


@settings(max_examples=60, deadline=None)
@given(FILES, st.integers(1, 4), st.integers(1, 4), st.integers(0, 30), st.integers(1, 25))
def test_readers_that_share_the_batches_and_those_that_go_on_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int]], batch: int, workers: int, start: int, count: int
) -> None:
    where = written(tmp_path_factory.mktemp("rows"), files)
    stream = sl.Stream.open(where, batch=batch, seed=5)
    whole = rows_of(stream, 0, start + count)
    assert rows_of(stream, start, start + count) == whole[start:]
    shared = [rows_of(stream, start, start + count, every=workers, first=worker) for worker in range(workers)]
    in_turn = [shared[number % workers][number // workers] for number in range(count)]
    assert in_turn == whole[start:]


def test_epochs_differ_seeds_differ_and_blocks_are_mixed(tmp_path: Path) -> None:
    where = written(tmp_path / "rows", [[50] * 20])
    stream = sl.Stream.open(where, batch=100)
    first, second = rows_of(stream), rows_of(stream, len(stream), 2 * len(stream))
    assert first != second
    assert rows_of(sl.Stream.open(where, batch=100, seed=1)) != first
    assert len({row // 50 for row in first[0]}) > 4
    assert rows_of(sl.Stream.open(where, batch=100, shuffle=False)) == [
        [*range(n, n + 100)] for n in range(0, 1000, 100)
    ]


def test_columns_are_those_named_and_types_stay(tmp_path: Path) -> None:
    stream = sl.Stream.open(written(tmp_path / "rows", [[3]]), ["text"])
    (batch,) = stream.batches(0, 1)
    assert batch.column_names == ["text"]
    assert sorted(batch.column("text").to_pylist()) == ["t0", "t1", "t2"]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz"])
def test_text_files_are_turned_into_parquet_once(tmp_path: Path, ending: str) -> None:
    table = pl.DataFrame({"row": range(10), "text": ["a"] * 10})
    raw = (table.write_csv() if "csv" in ending else table.write_ndjson()).encode()
    (tmp_path / f"rows{ending}").write_bytes(gzip.compress(raw) if ending.endswith("gz") else raw)
    stream = sl.Stream.open(tmp_path / f"rows{ending}", batch=4)
    assert sorted(row for batch in rows_of(stream) for row in batch) == list(range(10))


def test_text_files_can_be_turned_into_something_else_on_their_way(tmp_path: Path) -> None:
    place, count = tmp_path / "rows.csv", 350_000
    pl.DataFrame({"row": range(count), "text": ["a"] * count}).write_csv(place)

    def turn(table: pa.Table) -> pa.Table:
        return pa.table({"double": [2 * row for row in table["row"].to_pylist()]})

    stream = sl.Stream.open(place, ["row"], shuffle=False, batch=100_000, turn=turn)
    told = [row for batch in stream.batches(0, len(stream)) for row in batch.column("double").to_pylist()]
    assert told == [2 * row for row in range(count)]
    assert len(stream.block_rows) > 2
    place.write_text("row,text\n")
    with pytest.raises(sl.DataError, match="no rows"):
        sl.Stream.open(place, ["row"], turn=turn)
    with place.open("a") as file:
        file.write("1,a\n" * 30_000 + "many,b\n")
    with pytest.raises(sl.DataError, match=r"rows.csv' cannot be read: .*Line: 30002"):
        sl.Stream.open(place, ["row"], turn=turn)


def test_text_files_keep_their_order_and_tell_what_is_wrong(tmp_path: Path) -> None:
    place, count = tmp_path / "rows.csv", 300_000
    pl.DataFrame({"row": range(count)}).write_csv(place)
    stream = sl.Stream.open(place, shuffle=False, batch=50_000)
    assert [row for batch in rows_of(stream) for row in batch] == list(range(count))
    with pytest.raises(sl.ColumnError, match=r"rows.csv' lack the column 'rwo'; did you mean 'row'"):
        sl.Stream.open(place, ["rwo"])
    with place.open("a") as file:
        file.write("many\n")
    with pytest.raises(sl.DataError, match=r"rows.csv' cannot be read: .*Line: 300002.*mend or take out"):
        sl.Stream.open(place)
    place.write_text("row\n")
    with pytest.raises(sl.DataError, match=r"no rows in '.*rows.csv'"):
        sl.Stream.open(place)
    (tmp_path / "broken.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(sl.DataError, match=r"broken.csv.gz' cannot be read"):
        sl.Stream.open(tmp_path / "broken.csv.gz")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    where = written(tmp_path / "rows", [[4], [0], [3]])
    with pytest.raises(sl.ColumnError, match="lacks the column 'rows'; did you mean 'row'"):
        sl.Stream.open(where, ["rows"])
    with pytest.raises(sl.DataError, match=r"7 rows in .* and 2 more, too few for 8 ranks"):
        sl.Stream.open(where, ranks=8)
    with pytest.raises(sl.ConfigError, match="rank=2 of 2"):
        sl.Stream.open(where, rank=2, ranks=2)
    with pytest.raises(sl.ConfigError, match="one row is needed"):
        sl.Stream.open(where, batch=0)
    pl.DataFrame({"row": ["text"], "text": ["x"]}).write_parquet(where / "009.parquet")
    with pytest.raises(sl.DataError, match=r"009.parquet': 'row' is of type (large_)?string.*int64 in"):
        sl.Stream.open(where)
    whole = (where / "000.parquet").read_bytes()
    (where / "009.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(sl.DataError, match=r"009.parquet' cannot be read as Parquet"):
        sl.Stream.open(where)


def test_a_file_that_is_damaged_inside_is_told_when_it_is_reached(tmp_path: Path) -> None:
    where = written(tmp_path / "rows", [[2_000]])
    raw = bytearray((where / "000.parquet").read_bytes())
    raw[4:400] = bytes(396)
    (where / "000.parquet").write_bytes(bytes(raw))
    stream = sl.Stream.open(where)
    with pytest.raises(sl.DataError, match=r"000.parquet' cannot be read"):
        list(stream.batches(0, 1))


def test_row_groups_that_do_not_fit_are_told(tmp_path: Path) -> None:
    place = tmp_path / "large.parquet"
    pl.DataFrame({"number": np.random.default_rng(0).random(100_000)}).write_parquet(place, row_group_size=100_000)
    with pytest.raises(sl.DataError, match=r"row group 0 has 1 MB.*smaller row groups, or allow more memory"):
        sl.Stream.open(place, memory="1MB")
    assert sl.Stream.open(place, memory="4MB").rows == 100_000


def test_amounts_of_memory() -> None:
    assert bytes_of(" 1.5 gb ") == 1_500_000_000
    assert bytes_of("1KiB") == 1024
    for wrong in ("", "0GB", "4", "GB", "-1GB", "1XB"):
        with pytest.raises(sl.ConfigError, match="is not an amount of memory"):
            bytes_of(wrong)
