"""Slices by hand, and against judging each group alone."""

import polars as pl
import pytest

from shortlist.errors import ConfigError
from shortlist.evaluation import slices as slices_module
from shortlist.evaluation.evaluate import evaluate
from shortlist.evaluation.slices import slices

USERS = 40
# Even users are shown what they take, odd ones are not; user n had n % 4 items before, so a quarter is cold.
TRUTH = pl.DataFrame({"user_id": [u for u in range(USERS) for _ in range(2)], "item_id": ["hit", "rare"] * USERS})
LISTS = pl.DataFrame({"user_id": range(USERS), "item_id": ["hit", "miss"] * (USERS // 2), "rank": 1})
HISTORY = pl.DataFrame(
    [(u, item) for u in range(USERS) for item in ["hit", "old", "rare"][: u % 4]],
    schema=["user_id", "item_id"],
    orient="row",
)
PEOPLE = pl.DataFrame(
    {
        "user_id": range(USERS),
        "kind": ["even", "odd"] * (USERS // 2),
        "name": [f"n{u}" for u in range(USERS)],
        "age": [None if u < 20 else 30 for u in range(USERS)],
    }
)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(slices_module, "FEWEST", 5)


def found(**given):
    return slices({"ours": LISTS}, TRUTH, ["recall@1"], **given)


def values(frame, name):
    return {row["group"]: (row["users"], row["value"]) for row in frame.filter(slice=name).iter_rows(named=True)}


def test_warm_and_cold_users_and_lengths_of_history_are_told_apart():
    frame = found(history=HISTORY)
    # Cold users are 0, 4, 8, ...: all even. Of the warm, those with 1 or 3 items are odd.
    assert values(frame, "user") == {"warm": (30, 10 * 0.5 / 30), "cold": (10, 0.5)}
    lengths = values(frame, "history length")
    assert lengths == {"1 items": (10, 0.0), "2 items": (10, 0.5), "3 items": (10, 0.0)}


def test_item_popularity_cuts_the_truth_down_and_leaves_the_lists():
    frame = found(history=HISTORY)
    # 60 pairs: 30 with hit, 20 with old, 10 with rare; the head is the third that comes first.
    assert values(frame, "item popularity") == {"head": (40, 0.5), "tail": (40, 0.0)}


def test_each_column_that_groups_the_users_is_a_slice():
    frame = found(users=PEOPLE)
    assert values(frame, "kind") == {"even": (20, 0.5), "odd": (20, 0.0)}
    assert frame["slice"].unique().to_list() == ["kind"]  # names are too many, and ages one alone


def test_a_group_is_judged_as_its_users_alone_would_be():
    row = found(users=PEOPLE).filter(group="even").row(0, named=True)
    alone = evaluate(LISTS, TRUTH.filter(pl.col("user_id") % 2 == 0), ["recall@1"]).table.row(0, named=True)
    assert row["value"] == alone["value"]
    assert row["low"] <= row["value"] <= row["high"]


def test_groups_of_few_users_are_left_out(monkeypatch):
    monkeypatch.setattr(slices_module, "FEWEST", 11)
    assert set(values(found(history=HISTORY), "user")) == {"warm"}


def test_every_model_and_metric_has_a_row_and_no_metric_has_none():
    frame = slices({"ours": LISTS, "theirs": LISTS}, TRUTH, ["recall@1", "map@1"], users=PEOPLE)
    assert frame.filter(group="odd").select("model", "metric").rows() == [
        ("ours", "recall@1"),
        ("ours", "map@1"),
        ("theirs", "recall@1"),
        ("theirs", "map@1"),
    ]
    assert slices({"ours": LISTS}, TRUTH, [], users=PEOPLE).is_empty()
    with pytest.raises(ConfigError, match="coverage@3 is not told by slices"):
        slices({"ours": LISTS}, TRUTH, ["coverage@3"])
