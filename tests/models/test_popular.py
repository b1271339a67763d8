from collections import Counter

import numpy as np
import pytest

from shortlist.errors import ColumnError
from shortlist.models.popular import Popular
from shortlist.models.retrieval import Request
from worlds import AGES, World, answered


def wanted(world: World, start: int, users: set[int]) -> dict[int, float]:
    sums: Counter[int] = Counter()
    for user, item, when, weight in world.rows:
        if when >= start and user in users:
            sums[item] += round(weight * 1_000_000)
    return dict(sums)


@pytest.mark.parametrize(("window", "length"), [("20us", 20), (None, 10**9)])
def test_everybody_gets_the_sums_of_weights_in_the_window(world: World, window: str | None, length: int) -> None:
    found = answered(Popular(window=window), world, k=10)
    expected = wanted(world, world.data.as_of - length, set(range(8)))
    assert found == dict.fromkeys(range(9), expected)


def test_each_group_has_its_own_list_and_the_rest_get_everybodys(world: World) -> None:
    found = answered(Popular(window=None, by="age"), world, k=10)
    for user in range(8):
        like = {other for other, age in enumerate(AGES) if age == AGES[user]} if AGES[user] else set(range(8))
        assert found[user] == wanted(world, 0, like)
    assert found[8] == wanted(world, 0, set(range(8)))


def test_a_group_without_events_in_the_window_gets_everybodys(world: World) -> None:
    newest = world.data.as_of - 1
    found = answered(Popular(window="1us", by="age"), world, k=10)
    everybody = wanted(world, newest, set(range(8)))
    assert everybody
    assert all(lists for lists in found.values())
    assert found[8] == everybody


def test_depth_keeps_the_most_wanted(world: World) -> None:
    fitted = Popular(window=None, depth=2).fit(world.data)
    assert fitted.lists.height == 2
    assert fitted.lists["score"].to_list() == sorted(wanted(world, 0, set(range(8))).values())[:-3:-1]


def test_what_is_excluded_is_made_up_for_from_further_down_the_list(world: World) -> None:
    fitted = Popular(window=None).fit(world.data)
    users = np.arange(3, dtype=np.int32)
    full = fitted.retrieve(Request(users, 5))
    exclude = full.filter((full["user"] == 1) & (full["rank"] <= 3)).select("user", "item")
    found = fitted.retrieve(Request(users, 2, exclude))
    assert found.filter(found["user"] == 1)["item"].to_list() == full.filter(full["user"] == 1)["item"].to_list()[3:5]
    assert found.filter(found["user"] == 2)["item"].to_list() == full.filter(full["user"] == 2)["item"].to_list()[:2]


def test_a_column_that_users_do_not_have_is_told_with_the_nearest(world: World) -> None:
    with pytest.raises(ColumnError, match="no column 'agee'; did you mean 'age'"):
        Popular(by="agee").fit(world.data)
