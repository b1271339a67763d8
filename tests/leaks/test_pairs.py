from collections.abc import Callable

import polars as pl

from shortlist.leaks.findings import Findings
from shortlist.tables import samples

COLUMNS = ["user_id", "item_id", "timestamp"]


def frame(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


TRAIN = [(user, item, 100 * item + user) for user in range(10) for item in range(20)]
TEST = [(user, item, 100 * item + user) for user in range(10) for item in range(20, 24)]


def test_a_row_on_both_sides_is_named(checked: Callable[..., Findings]) -> None:
    found = checked(frame([*TRAIN, TEST[3]]), frame(TEST))
    assert [finding.check for finding in found.findings] == ["pairs"]
    assert found.findings[0].count == 1
    assert found.findings[0].examples == ("user 0, item 23, 2300",)


def test_a_pair_on_both_sides_is_named_where_pairs_do_not_repeat(checked: Callable[..., Findings]) -> None:
    found = checked(frame([*TRAIN, (4, 21, 3)]), frame(TEST))
    assert [finding.check for finding in found.findings] == ["pairs"]
    assert found.findings[0].examples == ("user 4, item 21",)
    assert "1 of 40 pairs" in found.findings[0].found


def test_without_a_clock_a_pair_on_both_sides_is_told_once(checked: Callable[..., Findings]) -> None:
    found = checked(frame([*TRAIN, TEST[3]]).drop("timestamp"), frame(TEST).drop("timestamp"))
    assert [(finding.check, finding.count) for finding in found.findings] == [("pairs", 1)]


def test_what_is_bought_again_and_again_is_no_leak(checked: Callable[..., Findings]) -> None:
    events = samples.shop(users=40, days=60).events.sort("timestamp")
    cut = events["timestamp"].max() - pl.duration(days=7)
    found = checked(events.filter(pl.col("timestamp") < cut), events.filter(pl.col("timestamp") >= cut))
    assert found.clean, str(found)


def test_repeats_as_rare_as_in_train_are_no_leak(checked: Callable[..., Findings]) -> None:
    # One event in 201 of train is a repeat (0.5 %): ten times that is 5 % of 40 pairs, 2 of them.
    again = (0, 0, 1999)
    seen = [(user, 1, 2500 + user) for user in range(3)]
    assert checked(frame([*TRAIN, again]), frame([*TEST[:38], *seen[:1]])).clean
    assert not checked(frame([*TRAIN, again]), frame([*TEST[:37], *seen])).clean


def test_where_all_is_on_both_sides_nothing_else_is_checked(checked: Callable[..., Findings]) -> None:
    found = checked(frame([*TRAIN, *TEST]), frame(TEST))
    assert [(finding.check, finding.count) for finding in found.findings] == [("pairs", 40)]
    assert found.made == ("pairs",)
    assert set(found.not_made) == {"future", "order", "groups", "texts", "targets"}
