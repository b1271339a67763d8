from collections.abc import Callable

import polars as pl

from shortlist.leaks.findings import Findings

# 12 teams of 10 users with 3 events each, and no clock; teams 0 to 2 are held out.
EVENTS = pl.DataFrame(
    [(user, 1000 + 3 * user + n) for user in range(120) for n in range(3)],
    schema=["user_id", "item_id"],
    orient="row",
)
USERS = pl.DataFrame({"user_id": range(120), "team": [f"team {user // 10}" for user in range(120)]})
HELD = pl.col("user_id") < 30


def test_groups_that_are_held_out_whole_are_no_leak(checked: Callable[..., Findings]) -> None:
    found = checked(EVENTS.filter(~HELD), EVENTS.filter(HELD), users=USERS)
    assert found.clean, str(found)
    assert "users and items held out" in found.split


def test_a_member_in_train_of_a_group_that_is_held_out_is_named(checked: Callable[..., Findings]) -> None:
    held = HELD & (pl.col("user_id") != 7)
    found = checked(EVENTS.filter(~held), EVENTS.filter(held), users=USERS)
    assert [(finding.check, finding.count) for finding in found.findings] == [("groups", 1)]
    assert found.findings[0].examples == ("user 7 is in train, 0 of the same group and 8 more in the test part",)
    assert "'team'" in found.findings[0].found


def test_a_child_held_out_away_from_its_tree_is_named(checked: Callable[..., Findings]) -> None:
    parents = [None if user % 10 == 0 else user // 10 * 10 + (user % 10) // 3 for user in range(120)]
    tree = pl.DataFrame({"user_id": range(120), "parent_id": [p if p != u else u - 1 for u, p in enumerate(parents)]})
    assert checked(EVENTS.filter(~HELD), EVENTS.filter(HELD), users=tree).clean
    held = HELD | (pl.col("user_id") == 55)
    found = checked(EVENTS.filter(~held), EVENTS.filter(held), users=tree)
    assert [finding.check for finding in found.findings] == ["groups"]
    assert "trees over 'parent_id', depth 0" in found.findings[0].found
    assert found.findings[0].examples[0].startswith("user 55 is in the test part, 50 of the same group and 8 more")


def test_users_drawn_one_by_one_keep_no_group_whole_and_are_no_leak(checked: Callable[..., Findings]) -> None:
    held = pl.col("user_id").hash(1) % 4 == 0
    assert checked(EVENTS.filter(~held), EVENTS.filter(held), users=USERS).clean


def test_the_few_users_on_both_sides_of_a_split_by_user_are_named(checked: Callable[..., Findings]) -> None:
    held = HELD & ~((pl.col("user_id") == 4) & (pl.col("item_id") == 1012))
    found = checked(EVENTS.filter(~held), EVENTS.filter(held), users=USERS.drop("team"))
    assert [(finding.check, finding.count) for finding in found.findings] == [("groups", 1)]
    assert found.findings[0].examples == ("user 4",)


# 40 users come on 20 days; each visit is a basket of four.
VISITS = pl.DataFrame(
    [
        (user, (7 * user + 13 * day + 31 * n) % 90, 1_700_000_000 + 86_400 * day + 600 * user, 100 * user + day)
        for user in range(40)
        for day in range(20)
        for n in range(4)
    ],
    schema=["user_id", "item_id", "timestamp", "basket"],
    orient="row",
)
LATE = pl.col("timestamp") >= 1_700_000_000 + 86_400 * 16


def test_baskets_on_one_side_are_no_leak(checked: Callable[..., Findings]) -> None:
    found = checked(VISITS.filter(~LATE), VISITS.filter(LATE))
    assert "groups" not in {finding.check for finding in found.findings}


def test_a_basket_on_both_sides_of_a_cut_is_named(checked: Callable[..., Findings]) -> None:
    torn = (pl.col("basket") == 516) & (pl.int_range(pl.len()).over("basket") < 3)
    moved = VISITS.with_columns(timestamp=pl.col("timestamp") - pl.when(torn).then(7_200).otherwise(0))
    found = checked(moved.filter(~LATE), moved.filter(LATE))
    groups = [finding for finding in found.findings if finding.check == "groups"]
    assert [finding.count for finding in groups] == [1]
    assert groups[0].examples == ("basket 516 of user 5: 3 in train, 1 in test",)


def test_a_random_split_that_tears_most_baskets_is_a_note(checked: Callable[..., Findings]) -> None:
    held = pl.int_range(pl.len()).hash(2) % 3 == 0
    found = checked(VISITS.filter(~held), VISITS.filter(held))
    assert "groups" not in {finding.check for finding in found.findings}
    assert any("tears what belongs together" in note for note in found.notes)
