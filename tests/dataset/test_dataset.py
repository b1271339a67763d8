from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import ibis
import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.errors import DataError
from shortlist.moments import moment
from shortlist.tables.engine import Engine

EVENTS = pl.DataFrame(
    {
        "user_id": ["ann", "bob", "ann", "cid", "ann"],
        "item_id": [7, 7, 5, 9, 7],
        "timestamp": [3, 1, 2, 4, 5],
        "weight": [1.0, 2.0, 1.0, 0.5, 1.0],
    }
)

ENGINE = Engine.open(memory="500MB", threads=1)


@pytest.fixture(scope="module")
def data() -> Dataset:
    items = pl.DataFrame({"item_id": [1, 5, 7], "type": ["x", "y", None]})
    users = pl.DataFrame({"user_id": ["zoe", "ann"], "age": [50, 20]})
    return Dataset.read(EVENTS, items, users, engine=ENGINE)


@pytest.fixture(scope="module")
def fingerprint() -> dict[str, int]:
    return Dataset.read(EVENTS, engine=ENGINE).fingerprint()


def rows(data: Dataset) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = data.engine.frame(data.events.order_by("timestamp", "user", "item")).rows()
    return found


def test_events_are_in_dense_ids_that_follow_the_order_of_the_ids(data: Dataset) -> None:
    assert data.user_ids.ids.to_list() == ["ann", "bob", "cid", "zoe"]
    assert data.item_ids.ids.to_list() == [1, 5, 7, 9]
    frame = data.engine.frame(data.events)
    assert frame.schema == {"user": pl.Int32, "item": pl.Int32, "timestamp": pl.Int64, "weight": pl.Float64}
    assert rows(data) == [(1, 2, 1, 2.0), (0, 1, 2, 1.0), (0, 2, 3, 1.0), (2, 3, 4, 0.5), (0, 2, 5, 1.0)]


def test_whoever_is_only_in_an_attribute_table_has_an_id_too(data: Dataset) -> None:
    assert data.engine.frame(data.users.order_by("user")).rows() == [
        (0, "ann", 20),
        (1, "bob", None),
        (2, "cid", None),
        (3, "zoe", 50),
    ]
    assert data.engine.frame(data.items.order_by("item")).rows() == [
        (0, 1, "x"),
        (1, 5, "y"),
        (2, 7, None),
        (3, 9, None),
    ]


def test_the_moment_of_the_data_is_just_after_the_newest_event(data: Dataset) -> None:
    assert data.as_of == 6


def test_the_order_of_rows_changes_nothing(data: Dataset) -> None:
    again = Dataset.read(EVENTS.reverse(), pl.DataFrame({"item_id": [7, 5, 1]}), pl.DataFrame({"user_id": ["zoe"]}))
    assert again.user_ids.ids.equals(data.user_ids.ids)
    assert again.item_ids.ids.equals(data.item_ids.ids)
    assert rows(again) == rows(data)
    assert again.fingerprint() == data.fingerprint()


@pytest.mark.parametrize(
    "ids",
    [["b", "a", "b"], [2**40, -3, 2**40], [str(UUID(int=9)), str(UUID(int=1)), str(UUID(int=9))]],
    ids=["text", "integers", "uuids"],
)
def test_ids_come_back_as_they_went_in(ids: list[Any]) -> None:
    data = Dataset.read(pl.DataFrame({"user_id": ids, "item_id": ids, "timestamp": [1, 2, 3]}))
    assert data.pairs().rows() == sorted({(one, one) for one in ids})


def test_uuid_columns_come_back_as_text() -> None:
    ids = [str(UUID(int=9)), str(UUID(int=1))]
    schema = {"user_id": "uuid", "item_id": "int64"}
    data = Dataset.read(ibis.memtable({"user_id": ids, "item_id": [1, 2]}, schema=ibis.schema(schema)))
    assert data.pairs().rows() == [(ids[1], 2), (ids[0], 1)]


def test_events_without_a_weight_weigh_one_and_without_a_time_happen_at_once() -> None:
    data = Dataset.read(EVENTS.select("user_id", "item_id"))
    assert data.as_of == 1
    assert {(when, weight) for *_, when, weight in rows(data)} == {(0, 1.0)}
    assert data.engine.frame(data.events)["weight"].dtype == pl.Float64


def test_columns_called_like_the_dense_ids_do_not_take_their_place() -> None:
    data = Dataset.read(
        EVENTS.with_columns(user=pl.lit("?"), item=pl.lit("?")),
        pl.DataFrame({"item_id": [5], "item": ["?"]}),
        columns={"events": {"user_id": "user_id", "item_id": "item_id"}},
    )
    assert [row[:2] for row in rows(data)] == [(1, 1), (0, 0), (0, 1), (2, 2), (0, 1)]


def test_other_columns_of_the_events_stay() -> None:
    data = Dataset.read(EVENTS.with_columns(price=pl.col("weight") * 2))
    assert data.engine.frame(data.events).columns == ["user", "item", "timestamp", "weight", "price"]


def test_integer_ids_of_different_width_are_the_same_ids() -> None:
    items = pl.DataFrame({"item_id": pl.Series([5], dtype=pl.Int32), "type": ["x"]})
    data = Dataset.read(EVENTS, items)
    assert data.engine.frame(data.items.filter(data.items.type.notnull())).rows() == [(0, 5, "x")]


def test_ids_of_different_type_in_events_and_items_are_refused() -> None:
    with pytest.raises(DataError, match="item_id is int64 but string"):
        Dataset.read(EVENTS, pl.DataFrame({"item_id": ["5"], "type": ["x"]}))


def test_before_keeps_what_is_strictly_before(data: Dataset) -> None:
    then = data.before(3)
    assert then.as_of == 3
    assert [row[2] for row in rows(then)] == [1, 2]
    assert len(then.user_ids) == len(data.user_ids)


def test_the_data_cannot_be_seen_as_of_a_later_moment(data: Dataset) -> None:
    assert rows(data.before(data.as_of)) == rows(data)
    with pytest.raises(DataError, match="the data end before"):
        data.before(data.as_of + 1)


def test_between_includes_its_start_and_not_its_end_and_knows_its_users(data: Dataset) -> None:
    part = data.between(2, 4)
    assert part.as_of == 4
    assert [row[2] for row in rows(part)] == [2, 3]
    assert data.engine.frame(part.users)["user_id"].to_list() == ["ann"]
    assert data.between(2, 99).as_of == data.as_of


def test_pairs_name_each_pair_once_in_the_callers_ids(data: Dataset) -> None:
    assert data.pairs().rows() == [("ann", 5), ("ann", 7), ("bob", 7), ("cid", 9)]
    assert data.pairs().columns == ["user_id", "item_id"]
    assert data.before(1).pairs().rows() == []


def test_calendar_times_are_microseconds_in_utc() -> None:
    when = datetime(2024, 2, 29, 12, tzinfo=UTC)
    data = Dataset.read(pl.DataFrame({"user_id": [1], "item_id": [1], "timestamp": [when]}))
    assert data.as_of == moment(when) + 1


@pytest.mark.parametrize(
    "changed",
    [
        EVENTS.with_columns(timestamp=pl.Series([3, 1, 2, 4, 6])),
        EVENTS.with_columns(timestamp=pl.Series([1, 3, 2, 4, 5])),
        EVENTS.with_columns(item_id=pl.Series([7, 7, 5, 7, 9])),
        EVENTS.with_columns(user_id=pl.Series(["bob", "ann", "ann", "cid", "ann"])),
        EVENTS.with_columns(weight=pl.Series([1.0, 2.0, 1.0, 0.5, 1.5])),
        EVENTS.with_columns(weight=pl.Series([2.0, 1.0, 1.0, 0.5, 1.0])),
        pl.concat([EVENTS, EVENTS.head(1)]),
        EVENTS.head(4),
    ],
    ids=[
        *("another time", "times swapped", "items swapped", "users swapped"),
        *("another weight", "weights swapped", "an event twice", "an event less"),
    ],
)
def test_the_fingerprint_changes_when_any_event_does(changed: pl.DataFrame, fingerprint: dict[str, int]) -> None:
    assert Dataset.read(changed, engine=ENGINE).fingerprint() != fingerprint


def test_no_events_have_a_fingerprint_of_noughts(data: Dataset) -> None:
    assert data.before(0).fingerprint() == {"events": 0, "users": 0, "items": 0, "checksum": 0}
