from collections.abc import Iterator
from typing import Any
from uuid import UUID

import ibis
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.dataset.ids import IdMap, dense_ids
from shortlist.errors import DataError
from shortlist.tables.engine import Engine

UUIDS = [str(UUID(int=number * 2**120 + 5)) for number in (200, 3, 77)]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.open(memory="500MB", threads=1) as engine:
        yield engine


def numbered(engine: Engine, *columns: pl.Series) -> tuple[IdMap, pl.DataFrame]:
    tables = [engine.take(column.alias("user_id").to_frame()) for column in columns]
    ids, table = dense_ids(engine, "user_id", tables)
    return ids, engine.frame(table.order_by("number"))


@pytest.mark.parametrize(
    "values",
    [pl.Series([30, 10, 20, 10]), pl.Series([3, 1, 2], dtype=pl.Int16), pl.Series(["b", "ä", "a", "B"])],
)
def test_ids_are_numbered_from_zero_in_their_own_order(engine: Engine, values: pl.Series) -> None:
    ids, table = numbered(engine, values)
    assert ids.ids.to_list() == sorted(set(values.to_list()))
    assert ids.ids.dtype == values.dtype
    assert table["number"].to_list() == list(range(len(ids)))
    assert table["number"].dtype == pl.Int32
    assert table["user_id"].to_list() == ids.ids.to_list()


def test_uuids_are_numbered_in_order_and_come_home_as_text(engine: Engine) -> None:
    schema = ibis.schema({"user_id": "uuid"})
    table = engine.take(pl.DataFrame({"user_id": UUIDS})).cast(schema)
    ids, _ = dense_ids(engine, "user_id", [table])
    assert ids.ids.to_list() == sorted(UUIDS)
    assert ids.numbers(UUIDS).tolist() == [2, 0, 1]


def test_the_order_of_rows_and_tables_changes_no_number(engine: Engine) -> None:
    first, second = pl.Series(["c", "a"]), pl.Series(["b", "a"])
    assert numbered(engine, first, second)[0].ids.equals(numbered(engine, second.reverse(), first)[0].ids)


@pytest.mark.parametrize("make", [lambda n: 3 * n - 50, lambda n: f"ä{n:05d}"], ids=["integers", "text"])
@given(asked=st.lists(st.integers(-20, 320), max_size=10))
@settings(max_examples=50)
def test_a_few_ids_among_many_get_the_numbers_that_they_get_among_few(make: Any, asked: list[int]) -> None:
    known = [make(n) for n in range(300)]
    wanted = [known.index(make(n)) if make(n) in known else -1 for n in asked]
    given_ids = pl.Series("user_id", [make(n) for n in asked], dtype=pl.Series(known).dtype)
    ids = IdMap(pl.Series("user_id", known))
    assert ids.numbers(given_ids).tolist() == wanted
    assert ids.numbers(given_ids.extend_constant(None, 1)).tolist() == [*wanted, -1]
    shuffled = IdMap(ids.ids.sample(fraction=1, shuffle=True, seed=1))
    assert shuffled.originals(shuffled.numbers(ids.ids[:5])).equals(ids.ids[:5])  # known in no order


def test_integers_of_different_width_are_widened(engine: Engine) -> None:
    ids, _ = numbered(engine, pl.Series([1, 2], dtype=pl.Int32), pl.Series([2**40], dtype=pl.Int64))
    assert ids.ids.to_list() == [1, 2, 2**40]


@pytest.mark.parametrize(
    "other", [pl.Series(["1"]), pl.Series([1], dtype=pl.UInt64)], ids=["text", "no signed type holds it"]
)
def test_ids_of_different_type_are_refused_with_both_types(engine: Engine, other: pl.Series) -> None:
    with pytest.raises(DataError, match=r"user_id is int64 but (string|uint64)"):
        numbered(engine, pl.Series([1]), other)


IDS = IdMap(pl.Series("item_id", ["a", "b", "c"]))
NUMBERS = IdMap(pl.Series("item_id", [10, 20, 2**40]))


def test_numbers_come_in_the_order_asked_and_the_unknown_is_minus_one() -> None:
    found = IDS.numbers(["c", "z", "a", "a", None])
    assert found.tolist() == [2, -1, 0, 0, -1]
    assert found.dtype == np.int32


@pytest.mark.parametrize("nothing", [[], pl.Series([], dtype=pl.Int64), pl.Series([], dtype=pl.String)])
def test_no_ids_have_no_numbers(nothing: Any) -> None:
    assert IDS.numbers(nothing).tolist() == []


def test_integers_of_any_width_find_theirs() -> None:
    assert NUMBERS.numbers(pl.Series([20, 11], dtype=pl.UInt8)).tolist() == [1, -1]
    narrow = IdMap(pl.Series("item_id", [1, 2], dtype=pl.Int8))
    assert narrow.numbers([2, 300]).tolist() == [1, -1]


@pytest.mark.parametrize("wrong", [["10"], [10.0], [True]])
def test_ids_of_another_type_are_refused(wrong: list[Any]) -> None:
    with pytest.raises(DataError, match=r"item_id: the ids given are .* those of the data are Int64"):
        NUMBERS.numbers(wrong)


@pytest.mark.parametrize("mixed", [[1, "a"], ["a", 1]])
def test_ids_of_no_one_type_are_refused(mixed: list[Any]) -> None:
    with pytest.raises(DataError, match="item_id"):
        NUMBERS.numbers(mixed)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=3), unique=True, max_size=8), st.lists(st.text(max_size=3), max_size=8))
def test_numbers_and_originals_undo_each_other(known: list[str], asked: list[str]) -> None:
    ids = IdMap(pl.Series("item_id", sorted(known), dtype=pl.String))
    numbers = ids.numbers(pl.Series(asked, dtype=pl.String))
    assert [number >= 0 for number in numbers] == [one in known for one in asked]
    found = numbers[numbers >= 0]
    assert ids.originals(found).to_list() == [one for one in asked if one in known]
