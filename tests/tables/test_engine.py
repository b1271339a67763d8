import datetime as dt
import gc
import gzip
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.errors import ConfigError, DataError, MissingExtraError
from shortlist.tables.engine import ROW_GROUP, Engine
from shortlist.tables.files import files_at

FRAME = pl.DataFrame({"n": [1, 2, 3], "word": ["a", "b", None]})


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    with Engine.open(memory="500MB", threads=1, spill=tmp_path / "spill") as opened:
        yield opened


def test_memory_threads_and_the_zone_are_as_asked(engine: Engine) -> None:
    settings = engine.connection.raw_sql(
        "select current_setting('memory_limit'), current_setting('threads'), current_setting('TimeZone'), "
        "current_setting('preserve_insertion_order')"
    ).fetchone()
    assert settings == ("476.8 MiB", 1, "UTC", False)


@pytest.mark.parametrize("where", ["duck", "spark", "", "local[", "http://host", "spark://"])
def test_text_that_names_no_engine_is_refused_with_what_does(where: str) -> None:
    with pytest.raises(ConfigError, match=r"is not an engine: write 'duckdb'.*spark://host:7077.*sc://.*local\[2\]"):
        Engine.open(where)


@pytest.mark.parametrize("memory", ["4", "lots", "0GB", "-1GB", "4 gigabytes"])
def test_memory_is_a_number_and_a_unit(memory: str) -> None:
    with pytest.raises(ConfigError, match="is not an amount of memory"):
        Engine.open(memory=memory)


def test_no_threads_are_too_few() -> None:
    with pytest.raises(ConfigError, match="threads=0"):
        Engine.open(threads=0)


def test_spark_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql", None)
    with pytest.raises(MissingExtraError, match=r"shortlist\[spark\]"):
        Engine.open("local[2]", spill=tmp_path)
    assert not list(tmp_path.iterdir())


def test_closing_clears_the_spill_folder_and_may_be_done_twice(tmp_path: Path) -> None:
    engine = Engine.open(threads=1, spill=tmp_path)
    engine.take(FRAME)
    assert list(tmp_path.iterdir())
    engine.close()
    engine.close()
    assert not list(tmp_path.iterdir())


def test_the_spill_folder_lives_as_long_as_a_table_and_no_longer(tmp_path: Path) -> None:
    engine = Engine.open(threads=1, spill=tmp_path)
    table = engine.take(FRAME)
    del engine
    gc.collect()
    assert table.count().to_pyarrow().as_py() == 3
    del table
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "jsonl", "ndjson", "parquet"])
def test_files_are_told_by_their_ending(engine: Engine, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    if ending == "parquet":
        FRAME.write_parquet(path)
    elif ending in {"jsonl", "ndjson"}:
        FRAME.write_ndjson(path)
    else:
        text = FRAME.write_csv(separator="\t" if ending == "tsv" else ",").encode()
        path.write_bytes(gzip.compress(text) if ending == "csv.gz" else text)
    assert engine.frame(engine.scan(path)).sort("n").equals(FRAME)


def test_a_folder_and_a_glob_are_all_their_files(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for n in range(3):
        FRAME[n : n + 1].write_parquet(folder / f"part-{n}.parquet")
    (folder / "_SUCCESS").touch()
    (folder / ".part-0.crc").touch()
    for where in (folder, str(folder / "*.parquet"), [folder / f"part-{n}.parquet" for n in range(3)]):
        assert engine.frame(engine.scan(where)).sort("n").equals(FRAME)


def test_nothing_unknown_endings_and_mixed_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file at '.*\*\.csv'"):
        files_at(tmp_path / "*.csv")
    (tmp_path / "a.xlsx").touch()
    with pytest.raises(DataError, match=r"a\.xlsx' has an ending that is not read"):
        files_at(tmp_path)
    (tmp_path / "a.xlsx").unlink()
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.parquet").touch()
    with pytest.raises(DataError, match=r"mixes csv and parquet"):
        files_at(tmp_path)


def _on_another_engine(frame: pl.DataFrame) -> Any:
    other = ibis.duckdb.connect()
    other.con.register("given", frame.to_arrow())
    return other.table("given")


FRAMES: dict[str, Callable[[], Any]] = {
    "polars": lambda: FRAME,
    "polars lazy": FRAME.lazy,
    "pandas": lambda: pd.DataFrame({"n": [1, 2, 3], "word": ["a", "b", None]}, index=[7, 8, 9]),
    "arrow": FRAME.to_arrow,
    "duckdb": lambda: duckdb.connect().sql("select * from (values (1, 'a'), (2, 'b'), (3, null)) t(n, word)"),
    "ibis without an engine": lambda: ibis.memtable(FRAME.to_arrow()),
    "ibis on another engine": lambda: _on_another_engine(FRAME),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_of_any_library_is_taken(engine: Engine, name: str) -> None:
    assert engine.frame(engine.take(FRAMES[name]())).sort("n").cast({"n": pl.Int64}).equals(FRAME)


def test_a_table_of_this_engine_is_used_as_it_is(engine: Engine) -> None:
    table = engine.take(FRAME)
    assert engine.take(table) is table


def test_what_is_no_table_is_refused(engine: Engine) -> None:
    with pytest.raises(DataError, match="a dict is not a table"):
        engine.take({"n": [1]})


def test_a_column_of_many_types_is_refused(engine: Engine) -> None:
    with pytest.raises(DataError, match="no one type"):
        engine.take(pd.DataFrame({"n": [1, "a", dt.date(2020, 1, 1)]}))


def test_a_lazy_frame_is_streamed_and_never_collected(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def seen(batch: pl.DataFrame) -> pl.DataFrame:
        sizes.append(len(batch))
        return batch

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("collected")

    monkeypatch.setattr(pl.LazyFrame, "collect", refuse)
    rows = 1_000_000
    lazy = pl.LazyFrame({"n": pl.int_range(rows, eager=True)}).map_batches(seen, streamable=True)
    table = engine.take(lazy)
    assert engine.frame(table.aggregate(n=table.count())).item() == rows
    assert max(sizes) < rows


def test_another_engines_table_is_streamed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    given = _on_another_engine(pl.DataFrame({"n": range(250_000)}))

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("collected")

    with monkeypatch.context() as patched:
        for collect in ("to_pyarrow", "to_polars", "execute"):
            patched.setattr(type(engine.connection), collect, refuse)
        taken = engine.take(given)
    assert engine.frame(taken.aggregate(n=taken.n.sum())).item() == sum(range(250_000))


def test_row_groups_stay_small(engine: Engine, tmp_path: Path) -> None:
    engine.write(engine.take(pl.DataFrame({"n": range(250_000)})), tmp_path / "n.parquet")
    taken = next((tmp_path / "spill").glob("*/*-taken.parquet"))
    for path in (taken, tmp_path / "n.parquet"):
        layout = pq.ParquetFile(path).metadata
        assert max(layout.row_group(g).num_rows for g in range(layout.num_row_groups)) <= 1.25 * ROW_GROUP


def test_what_is_kept_is_computed_once(engine: Engine) -> None:
    table = engine.take(FRAME)
    kept = engine.keep(table.mutate(chance=ibis.random()))
    assert engine.frame(kept).sort("n").equals(engine.frame(kept).sort("n"))


def test_a_uuid_stays_one_on_the_engine_and_is_text_in_a_frame(engine: Engine) -> None:
    one = uuid.UUID(int=5)
    for frame in (
        duckdb.connect().sql(f"select uuid '{one}' as id"),
        pd.DataFrame({"id": [one]}),
        pa.table({"id": pa.array([one.bytes], pa.uuid())}),
    ):
        table = engine.take(frame)
        assert table.id.type().is_uuid()
        assert engine.frame(table)["id"].to_list() == [str(one)]


def test_a_file_is_written_whole_or_not_at_all(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "new" / "t.parquet"
    engine.write(engine.take(FRAME), path)
    table = engine.take(FRAME)
    with pytest.raises(duckdb.Error):
        engine.write(table.mutate(n=table.word.cast("int64")), path)
    assert pl.read_parquet(path).sort("n").equals(FRAME)
    assert [p.name for p in path.parent.iterdir()] == ["t.parquet"]


def test_threads_take_turns(engine: Engine) -> None:
    def work(n: int) -> int:
        table = engine.take(pl.DataFrame({"n": range(n)}))
        kept = engine.keep(table.filter(table.n % 2 == 0))
        return int(engine.frame(kept.aggregate(n=kept.count())).item())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(0, 40, 2))) == list(range(20))
