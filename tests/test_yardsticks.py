"""The baselines stand beside whatever is judged."""

import polars as pl
from polars.testing import assert_frame_equal

import shortlist as sl
from shortlist.tables import samples

MODELS = ["model", "popular", "popular_ever", "repurchase"]


def split_of(world):
    return sl.by_time(sl.Dataset.read(world.events, world.items, world.users), test="14d")


def test_lists_judged_on_a_split_stand_beside_every_baseline():
    split = split_of(samples.shop(users=30))
    lists = sl.baselines(split, k=5)
    found = sl.evaluate(lists["repurchase"], split, ["map@5", "coverage@5", "novelty@5", "diversity@5"])
    assert found.table["model"].unique(maintain_order=True).to_list() == MODELS
    mine, theirs = (found.table.filter(model=name).drop("model") for name in ("model", "repurchase"))
    # Where a column stands in a product of matrices may change the last bit of an end of its interval.
    assert_frame_equal(mine, theirs, rel_tol=1e-12)
    assert found.differences["p_holm"].drop_nulls().min() >= 0


def test_a_frame_of_what_came_before_brings_the_baselines_too():
    world = samples.shop(users=30)
    split = split_of(world)
    before = world.events.filter(pl.col("timestamp") < world.events["timestamp"].max() - pl.duration(days=14))
    lists = sl.baselines(split, k=5)["popular"]
    found = sl.evaluate(lists, split.test.pairs(), ["map@5"], history=before, against={"mine": lists})
    assert found.table["model"].to_list() == ["model", "mine", *MODELS[1:]]


def test_without_what_came_before_there_is_no_baseline_and_the_table_says_so():
    split = split_of(samples.shop(users=30))
    found = sl.evaluate(sl.baselines(split, k=5)["popular"], split.test.pairs(), ["map@5"])
    assert found.table["model"].to_list() == ["model"]
    assert "give history=" in str(found)


def test_popularity_of_all_time_and_of_late_differ_where_fashion_changes():
    days = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 4, 9), "1d", eager=True)
    events = pl.DataFrame({"user_id": range(100), "item_id": ["old"] * 71 + ["new"] * 29, "timestamp": days})
    lists = sl.baselines(sl.by_time(sl.Dataset.read(events), test="1d"), k=1)
    assert lists["popular"]["item_id"].to_list() == ["new"]
    assert lists["popular_ever"]["item_id"].to_list() == ["old"]
