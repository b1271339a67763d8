"""The profile against counts made by hand, and against the slow way on any events."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as some

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.profile import profile

DAY = 86_400


def events(rows: list[tuple[str, str, int]]) -> pl.DataFrame:
    """Events from (user, item, day since 2024-01-01, a Monday)."""
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "day"], orient="row")
    when = pl.from_epoch(1_704_067_200 + DAY * pl.col("day"))
    return frame.select("user_id", "item_id", timestamp=when)


FIVE = events([("u", "a", 0), ("u", "a", 1), ("u", "b", 8), ("v", "a", 8), ("w", "c", 20)])


def test_the_counts_of_five_events_are_those_made_by_hand() -> None:
    found = profile(Dataset.read(FIVE))
    assert (found.events, found.users, found.items) == (5, 3, 3)
    assert (found.first, found.last) == ("2024-01-01", "2024-01-21")
    assert found.density == 4 / 9  # ua, ub, va, wc of three times three
    assert found.repeats == 1 - 4 / 5
    assert (found.per_user["least"], found.per_user["50 %"], found.per_user["most"]) == (1, 1, 3)
    assert found.top_items[0] == {"items": 0.01, "events": 3 / 5}  # one item, the most wanted


def test_steps_without_an_event_count_zero_and_weeks_begin_on_mondays() -> None:
    apart = events([("u", "a", 2), ("u", "b", 150), ("v", "a", 8)])
    found = profile(Dataset.read(apart))
    assert found.step == "week"
    assert found.over_time[:3] == [
        {"start": "2024-01-01", "events": 1},
        {"start": "2024-01-08", "events": 1},
        {"start": "2024-01-15", "events": 0},
    ]
    assert len(found.over_time) == 22
    assert sum(step["events"] for step in found.over_time) == 3


def test_events_without_a_clock_have_no_days() -> None:
    found = profile(Dataset.read(FIVE.drop("timestamp")))
    assert (found.first, found.last, found.step, found.over_time) == (None, None, None, [])
    ordered = FIVE.select("user_id", "item_id", position=pl.int_range(pl.len()))
    assert profile(Dataset.read(ordered)).first is None


def test_what_is_not_known_of_an_item_is_not_filled() -> None:
    items = pl.DataFrame({"item_id": ["a", "b", "z"], "type": ["x", None, "x"]})
    found = profile(Dataset.read(FIVE, items))
    # Four items are known: c has events alone, z has attributes alone.
    assert found.attributes == [{"table": "items", "column": "type", "filled": 0.5, "values": 1}]


def test_what_came_after_the_moment_is_not_counted() -> None:
    data = Dataset.read(FIVE)
    assert profile(data.before(1_704_067_200_000_000 + 8 * DAY * 1_000_000)).events == 2


def test_without_events_all_is_zero() -> None:
    empty = profile(Dataset.read(FIVE).before(0))
    assert (empty.events, empty.users, empty.density, empty.repeats, empty.per_user) == (0, 0, 0.0, 0.0, {})


@settings(max_examples=15, deadline=None)
@given(
    some.lists(
        some.tuples(some.sampled_from("uvwxyz"), some.sampled_from("abcdefgh"), some.integers(0, 900)),
        min_size=1,
        max_size=60,
    )
)
def test_any_events_are_counted_as_the_slow_way_counts_them(rows: list[tuple[str, str, int]]) -> None:
    found = profile(Dataset.read(events(rows)))
    lengths = sorted([user for user, _, _ in rows].count(user) for user in {user for user, _, _ in rows})
    for name, share in (("10 %", 0.1), ("50 %", 0.5), ("90 %", 0.9)):
        assert found.per_user[name] == next(n for n in lengths if sum(m <= n for m in lengths) >= share * len(lengths))
    wanted = sorted(([item for _, item, _ in rows].count(item) for item in {item for _, item, _ in rows}), reverse=True)
    for top in found.top_items:
        assert top["events"] == sum(wanted[: max(1, round(top["items"] * len(wanted)))]) / len(rows)
    assert sum(step["events"] for step in found.over_time) == len(rows)
    assert len(found.over_time) <= 121
