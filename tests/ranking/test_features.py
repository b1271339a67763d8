from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shortlist.config import parse
from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, ConfigError
from shortlist.moments import DAY
from shortlist.ranking.features import Features
from shortlist.tables import samples
from shortlist.tables.engine import Engine
from worlds import TYPES, World, tiny_data, tiny_world

RECIPE = Features(
    attributes=("type",),
    half_lives=("10us", "40us"),
    windows=("5us", "30us"),
    habit_half_life="20us",
    habit_window="30us",
)
CANDIDATES = pl.DataFrame(
    [(user, item) for user in range(9) for item in range(6)],
    schema={"user": pl.Int32, "item": pl.Int32},
    orient="row",
).with_columns(score_s=(pl.col("item") + 1).cast(pl.Float32), fused=pl.lit(0.5, pl.Float32), rank=pl.col("item") + 1)


@pytest.fixture(scope="module")
def world() -> World:
    return tiny_world()


@pytest.fixture(scope="module")
def rows(world: World) -> pl.DataFrame:
    return RECIPE.fit(world.data).of(CANDIDATES)


def of(rows: pl.DataFrame, user: int, item: int) -> dict[str, Any]:
    return rows.filter((pl.col("user") == user) & (pl.col("item") == item)).row(0, named=True)


def test_candidates_keep_their_columns_and_their_order(rows: pl.DataFrame) -> None:
    assert rows.select(CANDIDATES.columns).equals(CANDIDATES)
    assert rows.columns[: len(CANDIDATES.columns)] == CANDIDATES.columns


def test_features_of_a_pair_are_of_its_own_events(rows: pl.DataFrame, world: World) -> None:
    as_of = world.data.as_of
    for user in range(7):
        for item in range(5):
            mine = [(when, weight) for u, i, when, weight in world.rows if (u, i) == (user, item)]
            found = of(rows, user, item)
            if not mine:
                assert found["pair_events"] is None
                continue
            times = sorted({when for when, _ in mine})
            fading = sum(weight * 2 ** (-(as_of - when) / 10) for when, weight in mine)
            assert found["pair_events"] == len(mine)
            assert found["pair_times"] == len(times)
            assert found["pair_since"] == pytest.approx((as_of - times[-1]) / DAY)
            assert found["pair_age"] == pytest.approx((as_of - times[0]) / DAY)
            assert found["pair_fading_10us"] == pytest.approx(fading, abs=1e-5)
            assert found["pair_events_5us"] == sum(when >= as_of - 5 for when in [when for when, _ in mine])
            if len(times) > 1:
                interval = (times[-1] - times[0]) / (len(times) - 1)
                assert found["pair_interval"] == pytest.approx(interval / DAY)
                assert found["pair_due"] == pytest.approx((as_of - times[-1]) / interval)


def test_features_of_a_user_and_of_an_item_are_of_all_their_events(rows: pl.DataFrame, world: World) -> None:
    for user in range(7):
        assert of(rows, user, 5)["user_events"] == sum(u == user for u, *_ in world.rows)
    for item in range(5):
        assert of(rows, 8, item)["item_events"] == sum(i == item for _, i, *_ in world.rows)


def test_repetition_is_told_of_items_and_of_users(rows: pl.DataFrame, world: World) -> None:
    moments = {(user, item, when) for user, item, when, _ in world.rows}
    for item in range(5):
        times = [sum((u, item) == (user, i) for user, i, _ in moments) for u in range(7)]
        had, again = sum(n > 0 for n in times), sum(n > 1 for n in times)
        assert of(rows, 8, item)["item_again"] == pytest.approx((again + 0.5) / (had + 10))
    for user in range(7):
        times = [sum((user, i) == (u, item) for u, item, _ in moments) for i in range(6)]
        had, again = sum(n > 0 for n in times), sum(n > 1 for n in times)
        assert of(rows, user, 5)["user_again"] == pytest.approx((again + 0.5) / (had + 10))


def test_habits_are_of_all_items_of_the_same_value(rows: pl.DataFrame, world: World) -> None:
    for user in range(7):
        for item, kind in enumerate(TYPES):
            alike = [when for u, i, when, _ in world.rows if u == user and kind is not None and TYPES[i] == kind]
            assert of(rows, user, item)["habit_type_events"] == (len(alike) or None)


def test_what_never_happened_is_missing_not_zero(rows: pl.DataFrame) -> None:
    stranger, unsold = of(rows, 8, 0), of(rows, 0, 5)
    assert all(value is None for name, value in stranger.items() if name.startswith(("user_", "pair_", "habit_")))
    assert all(value is None for name, value in unsold.items() if name.startswith(("item_", "pair_")))
    assert stranger["item_events"] is not None
    features = rows.drop(CANDIDATES.columns)
    assert set(features.dtypes) <= {pl.Float32, pl.Int64, pl.Float64}
    assert features.select(pl.all().is_nan().any()).row(0).count(True) == 0


def test_scores_stand_beside_the_best_of_their_list(rows: pl.DataFrame) -> None:
    assert rows.filter(pl.col("user") == 3)["score_s_to_best"].to_list() == pytest.approx([n / 6 for n in range(1, 7)])
    assert set(rows["fused_to_best"]) == {1.0}


def test_a_batch_has_the_features_of_one_by_one(world: World, rows: pl.DataFrame) -> None:
    fitted = RECIPE.fit(world.data)
    lists = [fitted.of(CANDIDATES.filter(pl.col("user") == user)) for user in range(9)]
    assert pl.concat(lists).equals(rows)


def test_events_at_and_after_the_moment_change_no_feature(world: World) -> None:
    moment = 60
    honest = world.data.before(moment)
    past = [row for row in world.rows if row[2] < moment]
    planted = [(user, item, moment + after, 9.0) for user in range(8) for item in range(6) for after in (0, 1, 500)]
    leaky = tiny_data(past + planted).before(moment)
    assert RECIPE.fit(leaky).of(CANDIDATES).equals(RECIPE.fit(honest).of(CANDIDATES))


def test_an_attribute_that_items_do_not_have_is_told_with_the_nearest(world: World) -> None:
    with pytest.raises(ColumnError, match="no column 'tipe'; did you mean 'type'"):
        Features(attributes=("tipe",)).fit(world.data)


@pytest.mark.parametrize("name", ["rank", "fused", "pair", "user_events", "value", "score_s"])
def test_an_attribute_of_any_name_takes_no_other_columns_place(name: str, world: World, rows: pl.DataFrame) -> None:
    events = pl.DataFrame(world.rows, schema=["user_id", "item_id", "timestamp", "weight"], orient="row")
    items = pl.DataFrame({"item_id": range(6), name: TYPES})
    recipe = Features(**{**dict(RECIPE), "attributes": (name,)})
    found = recipe.fit(Dataset.read(events, items)).of(CANDIDATES)
    habits = [column for column in rows.columns if column.startswith("habit_")]
    assert found.drop([c for c in found.columns if c.startswith("habit_")]).equals(rows.drop(habits))
    assert found["habit_" + name + "_events"].equals(rows["habit_type_events"], check_names=False)


@pytest.mark.parametrize("spans", [{"half_lives": ()}, {"windows": ()}])
def test_no_spans_at_all_are_refused(spans: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="at least 1 item"):
        parse(Features, spans)


def test_no_order_in_which_the_engine_brings_rows_home_changes_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = samples.shop(users=60, items=20, days=98, seed=1)
    data = Dataset.read(made.events, made.items, made.users)
    one = Features().fit(data)
    frame = Engine.frame
    for seed in range(3):
        monkeypatch.setattr(Engine, "frame", lambda *given: frame(*given).sample(fraction=1, shuffle=True, seed=seed))  # noqa: B023
        other = Features().fit(data)
        for group, table in one.tables.items():
            assert_frame_equal(table, other.tables[group], check_exact=True, check_row_order=False)
