"""Each relation on a world small enough to see, and beside a twin in plain Python on worlds that nobody chose."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import ibis
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.dataset import relations
from shortlist.tables.engine import Engine

Row = tuple[int, int, int, float]
"""user, item, timestamp, weight"""

# Users 0 and 1; items 10, 11, 12. User 0 buys 10 and 11 in one basket at 100, 10 again at 104, 12 at 110.
WORLD: list[Row] = [
    (0, 10, 100, 1.0),
    (0, 11, 100, 2.0),
    (0, 10, 104, 1.0),
    (0, 12, 110, 0.5),
    (1, 10, 102, 1.0),
    (1, 12, 110, 3.0),
]
AS_OF = 111


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.open(memory="500MB", threads=1) as engine:
        yield engine


def table(engine: Engine, rows: list[Row]) -> ibis.Table:
    schema = {"user": pl.Int32, "item": pl.Int32, "timestamp": pl.Int64, "weight": pl.Float64}
    return engine.take(pl.DataFrame(rows, schema=schema, orient="row"))


def rows_of(engine: Engine, found: ibis.Table) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = engine.frame(found).rows()
    return sorted(rows, key=repr) if any(None in row for row in rows) else sorted(rows)


# popularity


def test_popularity_sums_weights_in_micro_units_and_counts_users(engine: Engine) -> None:
    found = relations.popularity(table(engine, WORLD), as_of=AS_OF)
    assert found.columns == ("item", "score", "events", "users")
    assert rows_of(engine, found) == [(10, 3_000_000, 3, 2), (11, 2_000_000, 1, 1), (12, 3_500_000, 2, 2)]


def test_the_start_of_a_popularity_window_is_in_it_and_its_end_is_not(engine: Engine) -> None:
    within = relations.popularity(table(engine, WORLD), as_of=110, window=6)
    assert rows_of(engine, within) == [(10, 1_000_000, 1, 1)]
    assert rows_of(engine, relations.popularity(table(engine, WORLD), as_of=110, window=5)) == []


def test_popularity_of_other_keys(engine: Engine) -> None:
    found = relations.popularity(table(engine, WORLD), as_of=AS_OF, keys=("user", "item"))
    assert rows_of(engine, found)[0] == (0, 10, 2_000_000, 2, 1)


# decayed


def test_decayed_halves_with_each_half_life(engine: Engine) -> None:
    rows = [(0, 10, 90, 1.0), (0, 10, 80, 4.0), (0, 11, 99, 1.0), (0, 12, 100, 9.0)]
    found = relations.decayed(table(engine, rows), as_of=100, half_life=10)
    # 1 · 2⁻¹ + 4 · 2⁻² = 1.5;  1 · 2^(-1/10) = 0.933033
    assert rows_of(engine, found) == [(0, 10, 1_500_000), (0, 11, 933_033)]


def test_what_faded_to_zero_keeps_its_row(engine: Engine) -> None:
    found = relations.decayed(table(engine, [(0, 10, 0, 1.0)]), as_of=1_000, half_life=10)
    assert rows_of(engine, found) == [(0, 10, 0)]


# visits_since


def test_visits_since_counts_moments_not_rows(engine: Engine) -> None:
    found = relations.visits_since(table(engine, WORLD), as_of=AS_OF)
    assert found.columns == ("user", "item", "visits_since", "visits_since_first")
    # User 0 comes at 100, 104, 110: three visits. Item 10 was had at the first and the second.
    assert rows_of(engine, found) == [(0, 10, 1, 2), (0, 11, 2, 2), (0, 12, 0, 0), (1, 10, 1, 1), (1, 12, 0, 0)]


# activity


def test_activity_tells_how_often_recently_and_regularly(engine: Engine) -> None:
    rows = [(0, 10, 70, 1.0), (0, 10, 80, 1.0), (0, 10, 80, 1.0), (0, 10, 90, 2.0), (0, 11, 90, 1.0)]
    found = relations.activity(
        table(engine, rows), as_of=100, half_lives={"x": 10}, windows={"short": 10, "shorter": 9, "long": 30}
    )
    frame = engine.frame(found.order_by("item"))
    assert frame.columns == [
        *("user", "item", "events", "times", "since", "age", "interval"),
        *("fading_x", "events_short", "events_shorter", "events_long"),
    ]
    # fading: 2⁻³ + 2 · 2⁻² + 2 · 2⁻¹ = 1.625
    assert frame.rows() == [
        (0, 10, 4, 3, 10, 30, 10.0, 1_625_000, 1, 0, 4),
        (0, 11, 1, 1, 10, 10, None, 500_000, 1, 0, 1),
    ]


# covisitation

BASKETS: list[Row] = [(0, 1, 0, 1.0), (0, 2, 4, 1.0), (0, 3, 5, 1.0), (1, 1, 7, 1.0), (1, 2, 7, 1.0)]


def test_covisitation_within_a_window_both_ways(engine: Engine) -> None:
    found = relations.covisitation(table(engine, BASKETS), as_of=10, window=4)
    assert found.columns == ("item", "other", "users", "score")
    # User 0: 1 and 2 lie 4 apart (in), 2 and 3 one apart (in), 1 and 3 five apart (out). User 1: one basket.
    assert rows_of(engine, found) == [
        (1, 2, 2, 2_000_000),
        (2, 1, 2, 2_000_000),
        (2, 3, 1, 1_000_000),
        (3, 2, 1, 1_000_000),
    ]


def test_covisitation_forward_and_backward_mirror_each_other(engine: Engine) -> None:
    forward = relations.covisitation(table(engine, BASKETS), as_of=10, window=4, direction="forward")
    backward = relations.covisitation(table(engine, BASKETS), as_of=10, window=4, direction="backward")
    # At one moment there is no order: user 1's basket counts both ways.
    assert rows_of(engine, forward) == [(1, 2, 2, 2_000_000), (2, 1, 1, 1_000_000), (2, 3, 1, 1_000_000)]
    assert rows_of(engine, backward) == [(1, 2, 1, 1_000_000), (2, 1, 2, 2_000_000), (3, 2, 1, 1_000_000)]


def test_a_covisitation_is_as_old_as_its_newer_event(engine: Engine) -> None:
    rows = [(0, 1, 80, 1.0), (0, 2, 90, 1.0)]
    for direction in ("forward", "backward", "both"):
        found = relations.covisitation(table(engine, rows), as_of=100, window=10, half_life=10, direction=direction)
        assert {score for *_, score in rows_of(engine, found)} == {500_000}


def test_covisitation_forgets_what_is_older_than_old_age(engine: Engine) -> None:
    rows = [(0, 1, 60, 1.0), (0, 2, 60, 1.0), (1, 1, 59, 1.0), (1, 3, 59, 1.0)]
    found = relations.covisitation(table(engine, rows), as_of=100, window=1, half_life=10)
    assert rows_of(engine, found) == [(1, 2, 1, 62_500), (2, 1, 1, 62_500)]


def test_only_the_last_events_of_a_user_make_pairs(engine: Engine) -> None:
    rows = [(0, 1, 0, 1.0), (0, 1, 0, 1.0), (0, 2, 1, 1.0), (0, 3, 2, 1.0)]
    found = relations.covisitation(table(engine, rows), as_of=10, window=5, last=2)
    assert rows_of(engine, found) == [(2, 3, 1, 1_000_000), (3, 2, 1, 1_000_000)]


def test_an_item_is_no_neighbour_of_itself(engine: Engine) -> None:
    rows = [(0, 1, 0, 1.0), (0, 1, 1, 1.0)]
    assert rows_of(engine, relations.covisitation(table(engine, rows), as_of=10, window=5)) == []


# strongest, with_attribute


def test_the_strongest_are_kept_and_ties_go_to_the_smaller(engine: Engine) -> None:
    frame = pl.DataFrame({"user": [0, 0, 0, 1], "item": [3, 2, 1, 9], "score": [5, 5, 4, 0]})
    found = relations.strongest(engine.take(frame), per=("user",), n=1, tie="item")
    assert found.columns == ("user", "item", "score")
    assert rows_of(engine, found) == [(0, 2, 5), (1, 9, 0)]


def test_events_without_a_value_of_the_attribute_are_left_out(engine: Engine) -> None:
    items = engine.take(pl.DataFrame({"item": [10, 12], "type": ["food", None]}))
    found = relations.with_attribute(table(engine, WORLD), items, on="item", column="type")
    assert rows_of(engine, found.select("user", "item", "timestamp", "value")) == [
        (0, 10, 100, "food"),
        (0, 10, 104, "food"),
        (1, 10, 102, "food"),
    ]


# trailing_counts


def test_trailing_counts_are_strictly_before_and_reach_back_a_whole_window(engine: Engine) -> None:
    rows = [(0, 1, 0, 1.0), (1, 1, 0, 1.0), (2, 1, 5, 1.0), (3, 1, 6, 1.0), (4, 2, 6, 1.0)]
    found = relations.trailing_counts(table(engine, rows), window=5)
    assert found.columns == ("user", "item", "timestamp", "weight", "count")
    # At 5 the two of 0 count (exactly the window); at 6 they have left, and only the one of 5 counts.
    assert [(user, count) for user, *_, count in rows_of(engine, found)] == [(0, 0), (1, 0), (2, 2), (3, 1), (4, 0)]


def test_what_leaves_at_the_moment_of_an_event_has_left(engine: Engine) -> None:
    rows = [(0, 1, 0, 1.0), (1, 1, 3, 1.0), (2, 1, 6, 1.0)]
    found = relations.trailing_counts(table(engine, rows), window=2)
    assert [count for *_, count in rows_of(engine, found)] == [0, 0, 0]


# histories


def test_histories_are_in_order_and_the_smaller_of_one_moment_comes_first(engine: Engine) -> None:
    found = relations.histories(table(engine, [*WORLD, (0, 9, 104, 1.0)]), as_of=AS_OF)
    assert rows_of(engine, found) == [(0, [10, 11, 9, 10, 12]), (1, [10, 12])]


def test_histories_keep_the_newest(engine: Engine) -> None:
    found = relations.histories(table(engine, WORLD), as_of=AS_OF, last=2)
    assert rows_of(engine, found) == [(0, [10, 12]), (1, [10, 12])]


# every relation with a moment

AS_OF_RELATIONS: dict[str, Callable[..., ibis.Table]] = {
    "popularity": relations.popularity,
    "popularity in a window": lambda e, as_of: relations.popularity(e, as_of=as_of, window=8),
    "decayed": lambda e, as_of: relations.decayed(e, as_of=as_of, half_life=5),
    "visits_since": relations.visits_since,
    "activity": lambda e, as_of: relations.activity(e, as_of=as_of, half_lives={"a": 5}, windows={"b": 3}),
    "covisitation": lambda e, as_of: relations.covisitation(e, as_of=as_of, window=6),
    "covisitation with age": lambda e, as_of: relations.covisitation(
        e, as_of=as_of, window=6, half_life=9, direction="forward", last=3
    ),
    "histories": relations.histories,
    "histories cut": lambda e, as_of: relations.histories(e, as_of=as_of, last=2),
}


@pytest.mark.parametrize("name", AS_OF_RELATIONS)
@pytest.mark.parametrize("as_of", [104, 110, 111])
def test_events_at_and_after_the_moment_change_nothing(engine: Engine, name: str, as_of: int) -> None:
    planted = [(0, 10, as_of, 7.0), (1, 99, as_of, 7.0), (0, 11, as_of + 3, 7.0), (2, 12, as_of + 10**6, 7.0)]
    relation = AS_OF_RELATIONS[name]
    before = relation(table(engine, WORLD), as_of=as_of)
    after = relation(table(engine, WORLD + planted), as_of=as_of)
    assert rows_of(engine, before) == rows_of(engine, after)


@pytest.mark.parametrize("name", AS_OF_RELATIONS)
def test_before_the_beginning_there_is_nothing(engine: Engine, name: str) -> None:
    assert rows_of(engine, AS_OF_RELATIONS[name](table(engine, WORLD), as_of=100)) == []


@pytest.mark.parametrize("name", AS_OF_RELATIONS)
def test_the_order_of_rows_changes_nothing(engine: Engine, name: str) -> None:
    relation = AS_OF_RELATIONS[name]
    assert rows_of(engine, relation(table(engine, WORLD), as_of=AS_OF)) == rows_of(
        engine, relation(table(engine, WORLD[::-1]), as_of=AS_OF)
    )


# twins in plain Python

worlds = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 12), st.sampled_from([0.0, 0.25, 1.0, 3.5])),
    max_size=14,
)
moments = st.integers(0, 14)
spans = st.integers(1, 6)
twin = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def micro(value: float) -> int:
    return round(value * relations.MICRO)


def fading(age: int, half_life: int) -> float:
    return math.exp(age * (-math.log(2) / half_life))


def near(found: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> bool:
    """Equal but for a micro-unit in each addition: engines and Python may differ in the last bit of an exponential."""
    return len(found) == len(wanted) and all(
        a == b or (isinstance(a, int) and isinstance(b, int) and abs(a - b) <= 14 and abs(a) > 1_000)
        for left, right in zip(found, wanted, strict=True)
        for a, b in zip(left, right, strict=True)
    )


@twin
@given(worlds, moments, spans)
def test_decayed_is_its_formula(engine: Engine, world: list[Row], as_of: int, half_life: int) -> None:
    sums: Counter[tuple[int, int]] = Counter()
    for user, item, when, weight in world:
        if when < as_of:
            sums[user, item] += micro(weight * fading(as_of - when, half_life))
    found = relations.decayed(table(engine, world), as_of=as_of, half_life=half_life)
    assert near(rows_of(engine, found), sorted((*key, score) for key, score in sums.items()))


@twin
@given(worlds, moments)
def test_visits_since_is_its_definition(engine: Engine, world: list[Row], as_of: int) -> None:
    seen = [row for row in world if row[2] < as_of]
    wanted = []
    for user, item in {row[:2] for row in seen}:
        with_it = [when for u, i, when, _ in seen if (u, i) == (user, item)]
        visits = {when for u, _, when, _ in seen if u == user}
        since = sum(when > max(with_it) for when in visits)
        wanted.append((user, item, since, sum(when > min(with_it) for when in visits)))
    assert rows_of(engine, relations.visits_since(table(engine, world), as_of=as_of)) == sorted(wanted)


@twin
@given(worlds, moments, spans, spans, st.sampled_from([("user", "item"), ("item",), ("user",)]))
def test_activity_is_its_definition(
    engine: Engine, world: list[Row], as_of: int, half_life: int, window: int, keys: tuple[str, ...]
) -> None:
    groups: defaultdict[tuple[int, ...], list[Row]] = defaultdict(list)
    for row in world:
        if row[2] < as_of:
            groups[tuple(row[("user", "item").index(key)] for key in keys)].append(row)
    wanted = []
    for key, rows in groups.items():
        times = sorted({when for _, _, when, _ in rows})
        gaps = [later - earlier for earlier, later in pairwise(times)]
        wanted.append(
            (
                *key,
                len(rows),
                len(times),
                as_of - times[-1],
                as_of - times[0],
                pytest.approx(sum(gaps) / len(gaps)) if gaps else None,
                sum(
                    micro(sum(row[3] for row in rows if row[2] == when) * fading(as_of - when, half_life))
                    for when in times
                ),
                sum(as_of - window <= when for _, _, when, _ in rows),
            )
        )
    found = relations.activity(
        table(engine, world), as_of=as_of, keys=keys, half_lives={"h": half_life}, windows={"w": window}
    )
    by_key = lambda row: row[: len(keys)]  # noqa: E731
    assert near(sorted(engine.frame(found).rows(), key=by_key), sorted(wanted, key=by_key))


@twin
@given(
    worlds,
    moments,
    spans,
    st.none() | st.integers(1, 4),
    st.sampled_from(["both", "forward", "backward"]),
    st.integers(1, 6),
)
def test_covisitation_is_its_definition(
    engine: Engine,
    world: list[Row],
    as_of: int,
    window: int,
    half_life: int | None,
    direction: relations.Direction,
    last: int,
) -> None:
    scores: Counter[tuple[int, int]] = Counter()
    users: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for user in range(3):
        old = -math.inf if half_life is None else as_of - relations.OLD_AGE * half_life
        met = sorted({(when, item) for u, item, when, _ in world if u == user and old <= when < as_of})[-last:]
        for when, item in met:
            for then, other in met:
                in_order = {"both": True, "forward": then >= when, "backward": then <= when}[direction]
                if item != other and abs(then - when) <= window and in_order:
                    weight = 1.0 if half_life is None else fading(as_of - max(when, then), half_life)
                    scores[item, other] += micro(weight)
                    users[item, other].add(user)
    found = relations.covisitation(
        table(engine, world), as_of=as_of, window=window, half_life=half_life, direction=direction, last=last
    )
    wanted = sorted((*pair, len(users[pair]), score) for pair, score in scores.items())
    assert near(rows_of(engine, found), wanted)


@twin
@given(worlds, spans, st.sampled_from([("item",), ("user", "item")]))
def test_trailing_counts_are_their_definition(
    engine: Engine, world: list[Row], window: int, keys: tuple[str, ...]
) -> None:
    def key(row: Row) -> tuple[int, ...]:
        return row[1:2] if keys == ("item",) else row[:2]

    wanted = [
        (*row, sum(key(other) == key(row) and row[2] - window <= other[2] < row[2] for other in world)) for row in world
    ]
    found = relations.trailing_counts(table(engine, world), window=window, keys=keys)
    assert rows_of(engine, found) == sorted(wanted)


@twin
@given(worlds, moments, st.none() | st.integers(1, 4))
def test_histories_are_their_definition(engine: Engine, world: list[Row], as_of: int, last: int | None) -> None:
    met: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for user, item, when, _ in world:
        if when < as_of:
            met[user].append((when, item))
    wanted = [(user, [item for _, item in sorted(events)][-(last or 99) :]) for user, events in sorted(met.items())]
    assert rows_of(engine, relations.histories(table(engine, world), as_of=as_of, last=last)) == wanted
