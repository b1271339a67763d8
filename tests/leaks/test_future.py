from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import by_time
from shortlist.errors import DataError
from shortlist.leaks.check import check
from shortlist.leaks.findings import Findings
from shortlist.tables import samples
from shortlist.tables.engine import Engine

CUT = datetime(2024, 2, 20, tzinfo=UTC)
SHOP = samples.shop(users=40, items=40, days=60, seed=1)
TRAIN = SHOP.events.filter(pl.col("timestamp") < CUT)
TEST = SHOP.events.filter(pl.col("timestamp") >= CUT)


def named(found: Any) -> list[str]:
    return [finding.check for finding in found.findings]


def of(kind: str, **columns: Any) -> pl.DataFrame:
    """The first or last test moment of each user or item that has one, and the caller's columns from it."""
    moments = TEST.group_by(kind).agg(first=pl.col("timestamp").min(), last=pl.col("timestamp").max())
    table = SHOP.users if kind == "user_id" else SHOP.items
    return table.join(moments, on=kind, how="left").with_columns(**columns).drop("first", "last")


def test_a_clean_split_by_time_is_silent(checked: Callable[..., Findings]) -> None:
    found = checked(TRAIN, TEST, items=SHOP.items, users=SHOP.users)
    assert found.clean, str(found)
    assert "by time, from 2024-02-20 09:" in found.split


def test_train_events_after_the_cut_are_counted(checked: Callable[..., Findings]) -> None:
    late = TEST.filter(pl.col("user_id") == "u003")
    found = checked(pl.concat([TRAIN, late]), TEST.filter(pl.col("user_id") != "u003"))
    assert named(found) == ["future"]
    assert found.findings[0].count == late.height
    assert "user 'u003'" in found.findings[0].examples[0]


def test_a_test_event_before_the_cut_is_told_as_such(checked: Callable[..., Findings]) -> None:
    early = TRAIN.filter(pl.col("user_id") == "u003").head(1)
    found = checked(TRAIN.join(early, on=TRAIN.columns, how="anti"), pl.concat([TEST, early]))
    assert named(found) == ["future"]
    assert found.findings[0].found.startswith(f"{early.height} test events are earlier")


def by_each_user(leak: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The last two days of each user to judge on, with one event of five users' last day given back to train.

    Every user's days begin ten days after the one before's.
    """
    shift = pl.duration(days=10 * pl.col("user_id").rank("dense").cast(pl.Int64))
    days = SHOP.events.with_columns(pl.col("timestamp") + shift)
    days = days.with_columns(place=pl.col("timestamp").rank("dense", descending=True).over("user_id"))
    newest = pl.int_range(pl.len()).over("user_id", "place") == 0
    back = (pl.col("place") == 1) & newest & pl.col("user_id").is_in([f"u{user:03}" for user in range(5)])
    held = (pl.col("place") <= 2) & (~back if leak else True)
    return days.filter(~held).drop("place"), days.filter(held).drop("place")


def test_train_events_after_the_users_own_test_events_are_counted(checked: Callable[..., Findings]) -> None:
    assert checked(*by_each_user(leak=False)).clean
    found = checked(*by_each_user(leak=True))
    assert named(found) == ["future"]
    assert "5 train events of 5 users" in found.findings[0].found


@pytest.mark.parametrize(
    "column",
    [
        pl.col("last"),
        pl.col("last").dt.date(),
        pl.col("first").dt.strftime("%Y-%m-%d"),
        pl.col("last").dt.epoch("s"),
    ],
    ids=["moment", "day", "text", "seconds"],
)
def test_a_date_that_is_that_of_the_test_events_knows_them(checked: Callable[..., Findings], column: pl.Expr) -> None:
    found = checked(TRAIN, TEST, users=of("user_id", last_purchase=column))
    assert named(found) == ["future"]
    assert "the users' column 'last_purchase' knows the test part" in found.findings[0].found
    assert named(checked(TRAIN, TEST, items=of("item_id", last_sold=column))) == ["future"]


def test_a_train_events_own_date_that_is_that_of_the_next_visit_knows_it(checked: Callable[..., Findings]) -> None:
    nearest = TEST.group_by("user_id").agg(next_visit=pl.col("timestamp").min().dt.date())
    train, test = (side.join(nearest, on="user_id", how="left") for side in (TRAIN, TEST))
    found = checked(train, test)
    assert named(found) == ["future"]
    assert "'next_visit'" in found.findings[0].found


def test_dates_that_do_not_follow_the_test_events_are_a_note(checked: Callable[..., Findings]) -> None:
    later = [CUT.date() + timedelta(days=200 + place) for place in range(SHOP.items.height)]
    found = checked(TRAIN, TEST, items=SHOP.items.with_columns(discontinued=pl.Series(later)))
    assert found.clean
    assert any("'discontinued' has 40 dates after the cut" in note for note in found.notes)


def test_new_items_may_appear_after_the_cut(checked: Callable[..., Findings]) -> None:
    new = TEST.with_columns(item_id=pl.lit("new ") + pl.col("item_id"))
    released = TEST.group_by("item_id").agg(released=pl.col("timestamp").min().dt.date())
    items = pl.concat(
        [
            SHOP.items.select("item_id", released=pl.lit(date(2023, 12, 1))),
            released.with_columns(item_id=pl.lit("new ") + pl.col("item_id")),
        ]
    )
    assert checked(TRAIN, pl.concat([TEST, new]), items=items).clean


def test_a_random_split_is_not_divided_in_time_and_this_is_a_note(checked: Callable[..., Findings]) -> None:
    drawn = pl.int_range(pl.len()).hash(3) % 5 == 0
    found = checked(SHOP.events.filter(~drawn), SHOP.events.filter(drawn))
    assert "future" in found.not_made
    assert any("pays no heed to time" in note for note in found.notes)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 20)), min_size=2, max_size=40))
def test_whatever_the_data_a_split_by_time_sees_no_future_and_needs_no_ids(
    engine: Engine, rows: list[tuple[int, int, int]]
) -> None:
    data = Dataset.read(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"), engine=engine)
    try:
        split = by_time(data, "5us")
    except DataError:  # all events happened within the test part
        return
    assert not {"future", "order"} & {finding.check for finding in check(split).findings}
