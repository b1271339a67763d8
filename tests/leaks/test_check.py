"""Real data: silence where they are clean, and each planted leak named, and no other."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import shortlist as sl
from shortlist.leaks.findings import CHECKS, Findings

pytestmark = pytest.mark.real
TOPIC = {"events": {"user_id": "topic_id"}, "users": {"user_id": "topic_id"}}


@pytest.fixture(scope="module")
def read(data_folder: Path) -> Callable[[str], pl.DataFrame]:
    return lambda name: pl.read_parquet(data_folder / f"{name}.parquet")


@pytest.fixture(scope="module")
def ratings(read: Any) -> dict[str, pl.DataFrame]:
    events = read("ml-100k/ratings")
    late = pl.col("timestamp") >= events["timestamp"].max() - 7 * 86_400
    tables = {"items": read("ml-100k/items"), "users": read("ml-100k/users")}
    return {"train": events.filter(~late), "test": events.filter(late), **tables}


@pytest.fixture(scope="module")
def groceries(read: Any) -> dict[str, pl.DataFrame]:
    events, cut = read("complete_journey/transactions"), datetime(2017, 11, 20)  # noqa: DTZ001
    late = pl.col("timestamp") >= cut
    test = events.filter(late & (pl.col("timestamp") < cut + timedelta(days=7)))
    tables = {"items": read("complete_journey/items"), "users": read("complete_journey/users")}
    return {"train": events.filter(~late), "test": test, **tables}


@pytest.fixture(scope="module")
def curricula(read: Any) -> dict[str, Any]:
    links = read("le_channels/correlations").explode("content_ids").rename({"content_ids": "content_id"})
    topics, contents = read("le_channels/topics"), read("le_channels/contents")
    data = sl.Dataset.read(links, contents, topics, columns=TOPIC)
    pairs = [part.pairs() for part in (lambda fold: (fold.train, fold.test))(sl.k_fold(data, 5, by="channel")[0])]
    train, test = (side.rename({"user_id": "topic_id", "item_id": "content_id"}) for side in pairs)
    return {"train": train, "test": test, "items": contents, "users": topics, "columns": TOPIC, "data": data}


def named(found: Findings) -> list[str]:
    return [finding.check for finding in found.findings]


def moved(world: dict[str, Any], rows: pl.DataFrame) -> dict[str, Any]:
    """The world with some rows of its test part in train instead."""
    test = world["test"].join(rows, on=rows.columns, how="anti")
    return {**world, "train": pl.concat([world["train"], rows]), "test": test}


def tables(world: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in world.items() if name != "data"}


def test_clean_ratings_and_groceries_are_silent(checked: Any, ratings: Any, groceries: Any) -> None:
    for world in (ratings, groceries):
        found = checked(**world)
        assert found.clean, str(found)
        assert {"pairs", "future", "order", "groups", "targets"} <= set(found.made)


@pytest.mark.parametrize("by", ["channel", sl.Tree()], ids=str)
def test_clean_curricula_are_silent(curricula: Any, by: Any) -> None:
    for fold in sl.k_fold(curricula["data"], 5, by=by):
        found = sl.check(fold)
        assert found.clean, str(found)
        assert {"pairs", "groups", "texts"} <= set(found.made)


def test_events_after_the_cut(checked: Any, ratings: Any, groceries: Any) -> None:
    assert named(checked(**moved(ratings, ratings["test"].sample(100, seed=1)))) == ["future"]
    baskets = groceries["test"]["basket_id"].unique().sort().tail(20)
    whole = groceries["test"].filter(pl.col("basket_id").is_in(baskets.implode()))
    assert named(checked(**moved(groceries, whole))) == ["future"]


def test_a_last_purchase_that_is_still_to_come(checked: Any, groceries: Any) -> None:
    events = pl.concat([groceries["train"], groceries["test"]])
    last = events.group_by("user_id").agg(last_purchase=pl.col("timestamp").max().dt.date())
    users = groceries["users"].join(last, on="user_id", how="left")
    assert named(checked(**{**groceries, "users": users})) == ["future"]


def test_rows_and_pairs_on_both_sides(checked: Any, ratings: Any, groceries: Any) -> None:
    for world in (ratings, groceries):
        copied = world["test"].sample(50, seed=2)
        assert named(checked(**{**world, "train": pl.concat([world["train"], copied])})) == ["pairs"]
    before = ratings["test"].sample(50, seed=3).with_columns(pl.col("timestamp") - 30 * 86_400)
    assert named(checked(**{**ratings, "train": pl.concat([ratings["train"], before])})) == ["pairs"]


def test_texts_that_train_knows_nearly_word_for_word(checked: Any, curricula: Any) -> None:
    contents = curricula["items"]
    length = pl.concat_str(["title", "description"], ignore_nulls=True).str.len_chars()
    held = contents.join(curricula["test"], on="content_id", how="semi").filter(length > 60).sample(40, seed=1)
    trained = contents.join(curricula["train"], on="content_id", how="semi").sample(40, seed=1)
    copies = trained.with_columns(held["title"] + " (new)", held["description"])
    changed = pl.concat([contents.join(copies, on="content_id", how="anti"), copies])
    assert named(checked(**tables({**curricula, "items": changed}))) == ["texts"]


def test_columns_made_from_what_is_to_be_found(checked: Any, ratings: Any, groceries: Any) -> None:
    liked = [
        ratings[side].with_columns(liked=pl.col("rating") * 20 + pl.col("item_id") % 3) for side in ("train", "test")
    ]
    assert named(checked(**{**ratings, "train": liked[0], "test": liked[1]})) == ["targets"]
    sold = groceries["test"].group_by("item_id").agg(next_week=pl.len())
    items = groceries["items"].join(sold, on="item_id", how="left").with_columns(pl.col("next_week").fill_null(0))
    assert named(checked(**{**groceries, "items": items})) == ["targets"]


def test_a_cut_in_time_that_the_order_of_rows_decides(checked: Any, ratings: Any) -> None:
    day = pl.from_epoch("timestamp").dt.date().alias("timestamp")
    coarse = {side: ratings[side].with_columns(day) for side in ("train", "test")}
    assert named(checked(**{**ratings, **coarse})) == ["order"]


def test_a_leave_one_out_that_ids_decide(checked: Any, ratings: Any) -> None:
    events = pl.concat([ratings["train"], ratings["test"]]).with_columns(pl.from_epoch("timestamp").dt.date())
    events = events.sort("user_id", "timestamp", "item_id")
    last = pl.int_range(pl.len(), 0, -1).over("user_id") == 1
    assert named(checked(**{**ratings, "train": events.filter(~last), "test": events.filter(last)})) == ["order"]


def test_topics_and_baskets_on_both_sides(checked: Any, curricula: Any, groceries: Any) -> None:
    topics = curricula["test"]["topic_id"].unique().sort().sample(4, seed=0)
    stray = curricula["test"].filter(pl.col("topic_id").is_in(topics.implode()))
    assert named(checked(**tables(moved(curricula, stray)))) == ["groups"]
    several = groceries["test"].filter(pl.len().over("basket_id") > 3)
    torn = several.filter(pl.col("basket_id").is_in(several["basket_id"].unique().sort().head(20).implode()))
    torn = torn.filter(pl.int_range(pl.len()).over("basket_id") % 2 == 0)
    before = groceries["train"]["timestamp"].max()
    world = moved(groceries, torn)
    early = pl.when(pl.col("timestamp") > before).then(before).otherwise("timestamp").alias("timestamp")
    assert named(checked(**{**world, "train": world["train"].with_columns(early)})) == ["groups"]


def test_findings_read_plainly_and_are_ready_for_json(checked: Any, ratings: Any) -> None:
    found = checked(**moved(ratings, ratings["test"].sample(100, seed=1)))
    told = str(found)
    assert told.startswith("1 leak found, by ")
    assert f"1. {CHECKS['future']}: 100 train events are later than" in told
    assert "such as: train: user " in told
    written = json.loads(json.dumps(found.to_dict()))
    assert written["clean"] is False
    assert written["findings"][0]["count"] == 100
    assert sorted([*written["made"], *written["not_made"]]) == sorted(CHECKS)
