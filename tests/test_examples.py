"""Some real users: whom they show, what they say, and that it is true."""

from datetime import datetime

import polars as pl
import pytest

import shortlist as sl
from shortlist.examples import examples
from shortlist.tables import samples


@pytest.fixture(scope="module")
def shop() -> samples.Shop:
    return samples.shop()


@pytest.fixture(scope="module")
def made(shop: samples.Shop) -> tuple[sl.FittedPipeline, sl.Split, pl.DataFrame, pl.DataFrame]:
    data = sl.Dataset.read(shop.events, shop.items, shop.users)
    split = sl.by_time(data, test="7d")
    retrievers = [sl.Repurchase(half_life="60d"), sl.Repurchase(half_life="7d"), sl.Popular(), sl.CoVisit()]
    pipeline = sl.Pipeline(retrievers=retrievers, filter_seen=False).fit(split.train)
    truth = split.test.pairs()
    return pipeline, split, pipeline.recommend(truth["user_id"].unique(maintain_order=True), k=5), truth


def test_ten_users_are_shown_from_the_shortest_history_to_the_longest(made: tuple) -> None:
    pipeline, split, lists, truth = made
    found = examples(pipeline, split.train, lists, truth, seed=0)
    lengths = [user["events"] for user in found]
    assert len(found) == len({user["user_id"] for user in found}) == 10
    assert lengths == sorted(lengths)
    counted = split.train.engine.frame(split.train.events.group_by("user").count())
    judged = pipeline.user_ids.numbers(truth["user_id"].unique())
    all_lengths = counted.filter(pl.col("user").is_in(judged.tolist()))[counted.columns[1]]
    assert (lengths[0], lengths[-1]) == (all_lengths.min(), all_lengths.max())


def test_the_same_seed_shows_the_same_users(made: tuple) -> None:
    pipeline, split, lists, truth = made
    first = examples(pipeline, split.train, lists, truth, seed=4)
    assert examples(pipeline, split.train, lists, truth.reverse(), seed=4) == first


def test_what_is_said_of_a_user_is_what_the_events_say(made: tuple, shop: samples.Shop) -> None:
    pipeline, split, lists, truth = made
    past = shop.events.filter(pl.col("timestamp").dt.epoch("us") < split.train.as_of)
    for user in examples(pipeline, split.train, lists, truth, seed=0):
        mine = past.filter(user_id=user["user_id"])
        true = set(truth.filter(user_id=user["user_id"])["item_id"])
        assert (user["events"], user["items"], user["taken"]) == (mine.height, mine["item_id"].n_unique(), len(true))
        assert user["about"] == {"age": shop.users.filter(user_id=user["user_id"])["age"].item()}
        for row in user["history"]:
            same = mine.filter(item_id=row["item_id"])
            assert row["times"] == same["timestamp"].n_unique()
            assert row["last"] == same["timestamp"].max().date().isoformat()
        shown = lists.filter(user_id=user["user_id"])
        assert [row["item_id"] for row in user["list"]] == shown["item_id"].to_list()
        for row in user["list"]:
            assert row["taken"] == (row["item_id"] in true)
            had = mine.filter(item_id=row["item_id"])["timestamp"]
            assert ("new to them" in row["reasons"]) == had.is_empty()
            if len(had):
                moment = datetime.fromtimestamp(split.train.as_of / 1e6, tz=had.max().tzinfo)
                days = (moment - had.max()).days
                told = "the day before" if days <= 1 else f"{days} days before"
                times = "had it once" if had.n_unique() == 1 else f"had it {had.n_unique()} times"
                assert row["reasons"][0] == f"{times}, last {told}"


def test_a_reason_tells_the_best_rank_among_sources_of_one_kind(made: tuple) -> None:
    pipeline, split, lists, truth = made
    rows = [row for user in examples(pipeline, split.train, lists, truth, seed=0) for row in user["list"]]
    both = [row for row in rows if {"repurchase", "repurchase_2"} <= row["ranks"].keys()]
    assert both
    for row in both:
        best = min(row["ranks"]["repurchase"], row["ranks"]["repurchase_2"])
        assert [reason for reason in row["reasons"] if reason.endswith("of what they had before")] == [
            f"rank {best} of what they had before"
        ]


def test_users_without_a_history_are_strangers_and_events_without_a_clock_have_no_days(shop: samples.Shop) -> None:
    data = sl.Dataset.read(shop.events.drop("timestamp"), shop.items)
    split = sl.by_user(data, share=0.3)
    pipeline = sl.Pipeline(retrievers=[sl.Popular(window=None)]).fit(split.train)
    truth = split.test.pairs()
    lists = pipeline.recommend(truth["user_id"].unique(), k=3)
    for user in examples(pipeline, split.train, lists, truth, seed=0):
        assert (user["events"], user["history"], user["about"]) == (0, [], {})
        assert user["list"][0]["reasons"] == ["new to them", "rank 1 of what is popular"]


def test_only_the_drawn_users_leave_the_engine(made: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, split, lists, truth = made
    taken = []
    frame = type(split.train.engine).frame
    monkeypatch.setattr(
        type(split.train.engine), "frame", lambda self, table: taken.append(frame(self, table)) or taken[-1]
    )
    found = examples(pipeline, split.train, lists, truth, seed=0)
    most = max(60, sum(user["items"] for user in found))
    assert max(answer.height for answer in taken) <= most
