# ruff: noqa: DTZ001  (times without a zone are what is tested)
import datetime as dt
import json
import random
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.errors import ColumnError, ConfigError, DataError, RejectsError
from shortlist.tables.engine import Engine
from shortlist.tables.read import Checked, read_events, read_items, read_users

DAY = 86_400_000_000
BROKEN = {
    "malformed": [
        b"1,1,2020-01-01,1", b"1,1,2020-01-01,1,a,b", b'1,"1,2020-01-01,1,a',
        b'1,"1"1,2020-01-01,1,a', b"1,\xff,2020-01-01,1,a",
    ],
    "user_id_missing": [b",1,2020-01-01,1,a", b"  ,1,2020-01-01,1,a", b'"",,,,'],
    "user_id_wrong_type": [b"guest,1,2020-01-01,1,a", b"1.5,1,2020-01-01,1,a"],
    "item_id_missing": [b"1,,2020-01-01,1,a"],
    "item_id_wrong_type": [b"1,99999999999999999999,2020-01-01,1,a"],
    "timestamp_missing": [b"1,1,,1,a"],
    "timestamp_unreadable": [b"1,1,soon,1,a", b"1,1,2020-02-30,1,a", b"1,1,1600000000,1,a"],
    "weight_missing": [b"1,1,2020-01-01,,a"],
    "weight_unreadable": [b"1,1,2020-01-01,heavy,a"],
    "weight_not_finite": [b"1,1,2020-01-01,nan,a", b"1,1,2020-01-01,-Infinity,a", b"1,1,2020-01-01,inf,a"],
}  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Engine.open(memory="500MB", threads=2, spill=tmp_path_factory.mktemp("spill")) as opened:
        yield opened


def rows(checked: Checked, engine: Engine) -> list[tuple[Any, ...]]:
    frame = engine.frame(checked.table)
    return sorted(frame.select(sorted(frame.columns)).rows(), key=repr)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_file_with_one_percent_of_broken_rows_is_accounted_for_line_by_line(
    engine: Engine, tmp_path: Path, newline: bytes
) -> None:
    bad = [line for lines in BROKEN.values() for line in lines]
    good = [
        f'{n},{n % 97},2020-01-01T00:00:{n % 60:02d},{n / 2},"said ""{n}"", twice"'.encode()
        for n in range(100 * len(bad))
    ]
    lines = [*good, *bad]
    random.Random(5).shuffle(lines)
    path = tmp_path / "events.csv"
    path.write_bytes(newline.join([b"userId,article_id,t_dat,rating,note", *lines, b""]))

    checked = read_events(path, engine)

    assert checked.rejects.counts == {rule: len(lines) for rule, lines in BROKEN.items()}
    assert (checked.rejects.rows, checked.rejects.total) == (len(bad), len(lines))
    apart = engine.frame(checked.rejects.table)
    assert dict(apart.group_by("rule").len().iter_rows()) == checked.rejects.counts
    assert apart.filter(pl.col("rule") == "malformed")["line"].null_count() == 0
    assert "soon" in apart["t_dat"].to_list()
    frame = engine.frame(checked.table).sort("user_id")
    assert frame.schema == {
        "user_id": pl.Int64, "item_id": pl.Int64, "timestamp": pl.Int64, "weight": pl.Float64,
        "note": pl.String,
    }  # fmt: skip
    assert frame["user_id"].to_list() == list(range(len(good)))
    assert frame["weight"].to_list() == [n / 2 for n in range(len(good))]
    assert frame["note"][7] == 'said "7", twice'


def test_the_account_is_told_in_two_lines(engine: Engine) -> None:
    checked = read_events(
        pl.DataFrame({"customer": [1, None], "sku": ["a", "b"], "ts": [5, 6]}), engine, max_rejects=0.5
    )
    assert str(checked) == (
        "columns: user_id from 'customer', item_id from 'sku', timestamp from 'ts' (order)\n"
        "rows: 1 of 2 rows set apart: user_id_missing 1"
    )
    assert checked.matched == {"user_id": "customer", "item_id": "sku", "timestamp": "ts"}


EVENTS = pl.DataFrame(
    {
        "user_id": [3, 1, 2, 1, 1],
        "item_id": ["b", "007", "é", "007", "x y"],
        "timestamp": [
            dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2, 3, 4, 5, 678901),
            dt.datetime(1969, 12, 31, 23), dt.datetime(2020, 1, 2, 3, 4, 5, 678901), dt.datetime(2020, 1, 5),
        ],
        "weight": [1.0, 2.5, 3.0, 2.5, 1e-3],
        "price": [1, 2, 3, 2, None],
    }
)  # fmt: skip


def _parts(folder: Path, ending: str, write: Callable[[pl.DataFrame, Path], Any]) -> Path:
    folder.mkdir()
    for n in (0, 2, 4):
        write(EVENTS[n : n + 2], folder / f"{n}.{ending}")
    return folder


def _written(path: Path, write: Callable[[Path], Any]) -> Path:
    write(path)
    return path


SOURCES: dict[str, Callable[[Path, Engine], Any]] = {
    "polars": lambda path, engine: EVENTS,
    "polars lazy": lambda path, engine: EVENTS.lazy(),
    "pandas": lambda path, engine: EVENTS.to_pandas().set_index("price", drop=False),
    "arrow": lambda path, engine: EVENTS.to_arrow(),
    "duckdb": lambda path, engine: duckdb.connect().from_arrow(EVENTS.to_arrow()),
    "ibis": lambda path, engine: engine.take(EVENTS),
    "csv": lambda path, engine: _written(path / "e.csv", EVENTS.write_csv),
    "csv as text": lambda path, engine: str(_written(path / "e.csv", EVENTS.write_csv)),
    "jsonl": lambda path, engine: _written(path / "e.jsonl", EVENTS.write_ndjson),
    "parquet": lambda path, engine: _written(path / "e.parquet", EVENTS.write_parquet),
    "parquet glob": lambda path, engine: f"{_parts(path / 'parts', 'parquet', pl.DataFrame.write_parquet)}/*.parquet",
    "parquet folder": lambda path, engine: _parts(path / "parts", "parquet", pl.DataFrame.write_parquet),
    "csv folder": lambda path, engine: _parts(path / "parts", "csv", pl.DataFrame.write_csv),
    "jsonl folder": lambda path, engine: _parts(path / "parts", "ndjson", pl.DataFrame.write_ndjson),
}


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_gives_the_same_checked_table(engine: Engine, tmp_path: Path, name: str) -> None:
    checked = read_events(SOURCES[name](tmp_path, engine), engine)
    frame = engine.frame(checked.table)
    moments = [1577836800_000000, 1577934245_678901, -3600_000000, 1577934245_678901, 1578182400_000000]
    expected = EVENTS.with_columns(timestamp=pl.Series(moments))
    assert frame.cast({"price": pl.Int64}).sort(frame.columns).equals(expected.sort(expected.columns))
    assert (checked.rejects.rows, checked.rejects.total, checked.unit) == (0, 5, "calendar")


def _times(values: Any, engine: Engine) -> tuple[list[int], str | None]:
    frame = values if isinstance(values, pl.DataFrame) else pl.DataFrame({"timestamp": values}, strict=False)
    checked = read_events(frame.with_columns(user_id=pl.int_range(pl.len()), item_id=pl.lit("a")), engine)
    return engine.frame(checked.table).sort("user_id")["timestamp"].to_list(), checked.unit


PLUS_TWO = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("given", "expected", "unit"),
    [
        ([dt.date(1970, 1, 2), dt.date(1969, 12, 31)], [DAY, -DAY], "calendar"),
        ([dt.datetime(1970, 1, 1, 0, 0, 1)], [1_000_000], "calendar"),
        ([dt.datetime(1970, 1, 1, 2, 0, 1, 5, PLUS_TWO)], [1_000_005], "calendar"),
        (["1970-01-02", "1970-01-02T00:00:00Z", "1970-01-02 02:00:00+02:00", "1970-01-01T23:59:59.5"],
         [DAY, DAY, DAY, DAY - 500_000], "calendar"),
        ([1, 99_999_999], [1, 99_999_999], "order"),
        ([1_600_000_000, 5], [1_600_000_000_000_000, 5_000_000], "seconds"),
        ([1_600_000_000.25], [1_600_000_000_250_000], "seconds"),
        ([1_600_000_000_123], [1_600_000_000_123_000], "milliseconds"),
        ([1_600_000_000_123_456], [1_600_000_000_123_456], "microseconds"),
        ([1_600_000_000_123_456_789], [1_600_000_000_123_456], "nanoseconds"),
        (["1600000000", "1600000001"], [1_600_000_000_000_000, 1_600_000_001_000_000], "seconds"),
        (["1600000000.5"], [1_600_000_000_500_000], "seconds"),
        (["1600000000123456789"], [1_600_000_000_123_456], "nanoseconds"),
        (["3", "1", "2"], [3, 1, 2], "order"),
    ],
)  # fmt: skip
def test_times_of_every_kind_become_microseconds(engine: Engine, given: Any, expected: list[int], unit: str) -> None:
    assert _times(given, engine) == (expected, unit)


@pytest.mark.parametrize("precision", ["ms", "us", "ns"])
def test_times_of_every_precision_become_microseconds(engine: Engine, precision: Any) -> None:
    given = pl.DataFrame({"timestamp": [dt.datetime(2020, 1, 1, 0, 0, 0, 7000)]}).cast(pl.Datetime(precision))
    assert _times(given, engine)[0] == [1_577_836_800_007_000]


@given(st.lists(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)), min_size=1, max_size=20))
@settings(max_examples=15, deadline=None)
def test_a_time_means_the_same_as_a_date_and_as_text(engine: Engine, moments: list[dt.datetime]) -> None:
    expected = [(m - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1) for m in moments]
    assert _times(moments, engine)[0] == expected
    assert _times([m.isoformat() for m in moments], engine)[0] == expected


def test_a_lone_number_far_too_large_does_not_change_the_unit_of_all_others(engine: Engine) -> None:
    frame = pl.DataFrame(
        {"user_id": 1, "item_id": 1, "ts": [*range(1_600_000_000, 1_600_000_200), 9_999_999_999_999_999]}
    )
    checked = read_events(frame, engine)
    assert checked.rejects.counts == {"timestamp_unreadable": 1}
    assert engine.frame(checked.table)["timestamp"].min() == 1_600_000_000_000_000


def test_ids_come_back_as_they_went_in(engine: Engine) -> None:
    one = uuid.UUID(int=77)
    checked = read_events(pd.DataFrame({"user_id": [one], "item_id": ["007 "]}), engine)
    assert checked.table.schema()["user_id"].is_uuid()
    assert engine.frame(checked.table).row(0) == (str(one), "007 ", 1.0)
    small = read_events(
        pl.DataFrame({"user_id": [2], "item_id": [1]}, schema={"user_id": pl.UInt8, "item_id": pl.UInt64}),
        engine,
    )
    assert engine.frame(small.table).schema["user_id"] == pl.UInt8


def test_integers_that_pandas_made_floats_are_integers_again(engine: Engine) -> None:
    checked = read_events(pd.DataFrame({"user_id": [1.0, 2.0, None], "item_id": [5, 6, 7]}), engine, max_rejects=0.5)
    assert checked.rejects.counts == {"user_id_missing": 1}
    assert sorted(engine.frame(checked.table)["user_id"].to_list()) == [1, 2]
    with pytest.raises(ColumnError, match="'user_id' has ids that are fractions"):
        read_events(pl.DataFrame({"user_id": [1.5, 2.5], "item_id": [1, 2]}), engine)


def _csv(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([*lines, ""]))
    return path


def test_ids_with_leading_zeros_stay_text(engine: Engine, tmp_path: Path) -> None:
    path = _csv(tmp_path / "e.csv", "user_id,item_id", *(f"{n},1{n:03d}" for n in range(99)), "99,0099")
    ids = engine.frame(read_events(path, engine).table)["item_id"]
    assert ids.dtype == pl.String
    assert "0099" in ids.to_list()


def test_ids_that_are_text_in_more_than_a_few_rows_are_text(engine: Engine, tmp_path: Path) -> None:
    path = _csv(tmp_path / "e.csv", "user_id,item_id", *(f"{n},a" for n in range(90)), *(f"x{n},a" for n in range(10)))
    checked = read_events(path, engine)
    assert checked.rejects.rows == 0
    assert checked.table.schema()["user_id"].is_string()


def test_other_columns_of_a_csv_are_numbers_where_all_their_cells_are(engine: Engine, tmp_path: Path) -> None:
    path = _csv(
        tmp_path / "i.csv",
        "item_id;price;year;name;code;nothing",
        "1; 2.50;2020;1;01;",
        "2;;2021;b;02;",
        "3;1e3;;c;03;",
    )
    frame = engine.frame(read_items(path, engine).table).sort("item_id")
    assert frame["price"].to_list() == [2.5, None, 1000.0]
    assert frame["year"].to_list() == [2020, 2021, None]
    assert frame["name"].to_list() == ["1", "b", "c"]
    assert frame["code"].to_list() == ["01", "02", "03"]
    assert frame["nothing"].to_list() == [None] * 3


def test_cells_may_hold_line_breaks_where_quotes_are_sound(engine: Engine, tmp_path: Path) -> None:
    path = _csv(tmp_path / "i.csv", "item_id,text", '1,"two', 'lines"', "2,one", "3")
    checked = read_items(path, engine, max_rejects=0.5)
    assert rows(checked, engine) == [(1, "two\nlines"), (2, "one")]
    assert checked.rejects.counts == {"malformed": 1}


def test_a_quote_that_is_never_closed_swallows_no_other_line(engine: Engine, tmp_path: Path) -> None:
    path = _csv(
        tmp_path / "i.csv",
        "item_id,text",
        *(f"{n},a" for n in range(50)),
        '50,"b',
        *(f'{n},"c"' for n in range(51, 90)),
    )
    checked = read_items(path, engine)
    assert [row[0] for row in sorted(rows(checked, engine))] == [n for n in range(90) if n != 50]
    assert engine.frame(checked.rejects.table)["line"].to_list() == ['50,"b']


@given(
    st.lists(
        st.lists(st.sampled_from(["1", ",", '"', '"2"', '",', "a", " "]), min_size=1, max_size=8),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_lines_none_is_lost(engine: Engine, pieces: list[list[str]]) -> None:
    lines = ["|" + "".join(line) for line in pieces]
    with tempfile.TemporaryDirectory() as folder:
        path = _csv(Path(folder) / "e.csv", "user_id,item_id", "1,1", *lines)
        checked = read_events(path, engine, max_rejects=1)
        inside = sum(str(cell).count("\n") for row in rows(checked, engine) for cell in row)
        inside += sum(
            str(cell).count("\n")
            for row in engine.frame(checked.rejects.table.drop("rule")).iter_rows()
            for cell in row
        )
    assert checked.rejects.total + inside == 1 + len(lines)


def test_broken_json_is_set_apart_and_types_are_as_json_tells_them(engine: Engine, tmp_path: Path) -> None:
    sound = [
        {
            "uid": n,
            "sku": f"{n:03d}",
            "created_utc": 1_600_000_000 + n,
            "tags": ["a"],
            "deep": {"k": n},
            "day": "2020-01-01",
        }
        for n in range(97)
    ]
    broken = ['{"uid": 1, "sku":', "[1, 2]", "nonsense", '{"uid": 1, "uid": 2, "sku": "a", "created_utc": 1}']
    lines = [
        *(json.dumps(row) for row in sound),
        *broken,
        '{"uid": 5, "sku": null, "created_utc": 1600000000}',
        "",
    ]
    path = _csv(tmp_path / "e.jsonl", *lines)
    checked = read_events(path, engine, max_rejects=0.1)
    assert checked.rejects.counts == {"malformed": 4, "item_id_missing": 1}
    assert checked.rejects.total == 102
    assert set(broken) <= set(engine.frame(checked.rejects.table)["line"].to_list())
    first = engine.frame(checked.table).sort("user_id").row(0, named=True)
    assert first["item_id"] == "000"
    assert first["timestamp"] == 1_600_000_000_000_000
    assert first["tags"] == ["a"]
    assert first["day"] == "2020-01-01"


def test_equal_events_are_all_kept(engine: Engine) -> None:
    checked = read_events(pl.DataFrame({"user_id": [1, 1], "item_id": [2, 2], "ts": [3, 3]}), engine)
    assert rows(checked, engine) == [(2, 3, 1, 1.0)] * 2


def test_of_doubled_items_the_smallest_row_is_kept(engine: Engine) -> None:
    frame = pl.DataFrame({"sku": [1, 2, 1, 1], "name": ["b", "x", None, "a"], "tags": [["k"], [], None, ["z"]]})
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        checked = read_items(frame[order], engine, max_rejects=0.5)
        assert checked.rejects.counts == {"duplicate_key": 2}
        assert engine.frame(checked.table).sort("item_id")["name"].to_list() == ["a", "x"]


def test_a_missing_id_is_no_doubled_one(engine: Engine) -> None:
    checked = read_users(pl.DataFrame({"user_id": [None, None, 1], "age": [1, 2, 3]}), engine, max_rejects=1)
    assert checked.rejects.counts == {"user_id_missing": 2}


def test_columns_that_are_said_beat_those_that_match(engine: Engine) -> None:
    frame = pl.DataFrame({"user_id": [1], "item_id": [2], "timestamp": [7], "day": [dt.date(1970, 1, 2)]})
    checked = read_events(frame, engine, columns={"timestamp": "day"})
    assert engine.frame(checked.table).to_dicts() == [{"user_id": 1, "item_id": 2, "timestamp": DAY, "weight": 1.0}]


def test_a_source_with_columns_named_like_the_account_keeps_them(engine: Engine) -> None:
    checked = read_events(
        pl.DataFrame({"user_id": [None, 1], "item_id": [2, 3], "rule": "r", "line": "l"}),
        engine,
        max_rejects=1,
    )
    assert engine.frame(checked.rejects.table).row(0, named=True) == {
        "rule": "user_id_missing", "line": None, "user_id": None, "item_id": "2", "rule_": "r", "line_": "l",
    }  # fmt: skip


def test_more_rejects_than_allowed_are_refused_with_counts_examples_and_a_way_out(engine: Engine) -> None:
    frame = pl.DataFrame({"user_id": [1, None, 3, 4, 5], "item_id": ["a", "b", "", " ", None]})
    with pytest.raises(RejectsError) as told:
        read_events(frame, engine)
    message = str(told.value)
    assert "4 of 5 rows set apart: user_id_missing 1, item_id_missing 3 (80.0%); max_rejects=0.05" in message
    assert message.count("\n  item_id_missing: ") + message.count("\n  user_id_missing: ") == 3
    assert "columns={" in message
    assert read_events(frame, engine, max_rejects=0.8).rejects.rows == 4


def test_a_table_of_nothing_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        read_events(
            pl.DataFrame({"user_id": [], "item_id": []}, schema={"user_id": pl.Int64, "item_id": pl.Int64}),
            engine,
        )
    with pytest.raises(DataError, match=r"e\.csv' has no rows"):
        read_events(_csv(tmp_path / "e.csv", "user_id,item_id"), engine)
    with pytest.raises(DataError, match="begins with an empty line"):
        read_events(_csv(tmp_path / "e.csv"), engine)
    with pytest.raises(DataError, match="no line that is a JSON object"):
        read_events(_csv(tmp_path / "e.jsonl", "[]"), engine)
    with pytest.raises(DataError, match="user_id_missing 2"):
        read_events(_csv(tmp_path / "e.csv", "user_id,item_id", ",", ","), engine, max_rejects=1)


def test_types_that_cannot_be_read_are_refused_with_the_column(engine: Engine) -> None:
    day = dt.date(2020, 1, 1)
    for column, value, told in (
        ("user_id", day, "has ids of type date"),
        ("timestamp", [1], "has times of type array"),
        ("weight", day, "it must hold numbers"),
    ):
        frame = pl.DataFrame({"user_id": [1], "item_id": [1]} | {column: [value]})
        with pytest.raises(ColumnError, match=f"'{column}'.*{told}"):
            read_events(frame, engine)


def test_max_rejects_is_a_share(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="max_rejects=5"):
        read_events(EVENTS, engine, max_rejects=5)


def test_files_of_one_table_have_one_header(engine: Engine, tmp_path: Path) -> None:
    _csv(tmp_path / "a.csv", "user_id,item_id", "1,2")
    _csv(tmp_path / "b.csv", "item_id,user_id", "1,2")
    with pytest.raises(ColumnError, match=r"a\.csv' and .*b\.csv' have different headers"):
        read_events(tmp_path, engine)


def test_a_header_with_a_doubled_name_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match="two columns 'User_id'"):
        read_events(_csv(tmp_path / "a.csv", "user_id,User_id,item_id", "1,2,3"), engine)


@pytest.mark.real
def test_a_year_of_groceries_is_read_whole(engine: Engine, data_folder: Path) -> None:
    checked = read_events(data_folder / "complete_journey" / "transactions.parquet", engine)
    assert checked.rejects.rows == 0
    assert checked.rejects.total == 1_355_054
