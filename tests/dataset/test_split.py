from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import Split, at_random, by_column, by_item, by_time, by_user, last_n
from shortlist.errors import ColumnError, ConfigError, DataError
from shortlist.tables import samples


@pytest.fixture(scope="module")
def shop() -> Dataset:
    made = samples.shop(users=120, items=30, days=60, seed=3)
    return Dataset.read(made.events, made.items, made.users)


def small(rows: list[tuple[Any, ...]]) -> Dataset:
    return Dataset.read(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))


def events(data: Dataset) -> Counter[tuple[Any, ...]]:
    return Counter(data.engine.frame(data.events.select("user", "item", "timestamp", "weight")).rows())


def users(data: Dataset) -> set[int]:
    return set(data.engine.frame(data.users)["user"])


SPLITS = {
    "by_time": lambda data: by_time(data, test="7d"),
    "last_n": lambda data: last_n(data, 2),
    "by_user": lambda data: by_user(data, 0.2, seed=1),
    "by_item": lambda data: by_item(data, 0.2, seed=1),
    "at_random": lambda data: at_random(data, 0.2, seed=1),
}


@pytest.mark.parametrize("name", SPLITS)
def test_nothing_is_lost_and_nothing_doubled(shop: Dataset, name: str) -> None:
    split: Split = SPLITS[name](shop)
    assert events(split.train) + events(split.test) == events(shop)
    assert events(split.train)
    assert events(split.test)


@pytest.mark.parametrize("name", SPLITS)
def test_the_users_of_the_test_part_have_something_to_find(shop: Dataset, name: str) -> None:
    split: Split = SPLITS[name](shop)
    assert users(split.test) == {user for user, *_ in events(split.test)}
    assert users(split.train) == users(shop)
    assert split.test.pairs()["user_id"].is_in(shop.user_ids.ids.implode()).all()


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_is_the_same_every_time(shop: Dataset, name: str) -> None:
    assert events(SPLITS[name](shop).test) == events(SPLITS[name](shop).test)


def test_by_time_learns_before_a_moment_and_judges_after_it(shop: Dataset) -> None:
    split = by_time(shop, test="7d")
    week = 7 * 86_400_000_000
    assert split.train.as_of == shop.as_of - week
    assert split.test.as_of == shop.as_of
    assert max(when for _, _, when, _ in events(split.train)) < split.train.as_of
    assert min(when for _, _, when, _ in events(split.test)) >= split.train.as_of


def test_by_time_at_a_moment_leaves_what_comes_later_in_neither_part() -> None:
    data = small([("u", "a", 1), ("u", "b", 5), ("u", "c", 6), ("u", "d", 7)])
    split = by_time(data, test="2us", at=5)
    assert split.train.pairs()["item_id"].to_list() == ["a"]
    assert split.test.pairs()["item_id"].to_list() == ["b", "c"]
    assert (split.train.as_of, split.test.as_of) == (5, 7)


def test_by_time_takes_a_date() -> None:
    made = samples.shop(users=5, days=20)
    split = by_time(Dataset.read(made.events), test="1w", at="2024-01-08")
    assert split.train.as_of == 1_704_672_000_000_000


@pytest.mark.parametrize(("at", "told"), [(0, "no events before"), (99, "the data end before"), (8, "the data end")])
def test_by_time_refuses_a_side_without_events(at: int, told: str) -> None:
    with pytest.raises(DataError, match=told):
        by_time(small([("u", "a", 1), ("u", "b", 7)]), test="1us", at=at)


def test_last_n_holds_out_the_newest_and_the_larger_item_of_one_moment() -> None:
    data = small([("u", "a", 1), ("u", "c", 2), ("u", "b", 2), ("v", "a", 1), ("w", "a", 1), ("w", "b", 0)])
    split = last_n(data, 1)
    assert split.test.pairs().rows() == [("u", "c"), ("w", "a")]
    assert split.train.pairs().rows() == [("u", "a"), ("u", "b"), ("v", "a"), ("w", "b")]


def test_last_n_leaves_those_with_few_events_in_train() -> None:
    data = small([("u", "a", 1), ("u", "b", 2), ("v", "a", 1), ("v", "b", 2), ("v", "c", 3)])
    assert last_n(data, 2).test.pairs().rows() == [("v", "b"), ("v", "c")]


def test_last_n_keeps_columns_of_any_name() -> None:
    rows = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": [1, 2], "length": [7, 8], "place": [5, 6]})
    split = last_n(Dataset.read(rows), 1)
    assert split.test.engine.frame(split.test.events.select("length", "place")).rows() == [(8, 6)]


def test_last_n_of_nothing_is_refused(shop: Dataset) -> None:
    with pytest.raises(ConfigError, match="1 or more, not 0"):
        last_n(shop, 0)


def test_by_user_shares_no_user(shop: Dataset) -> None:
    split = by_user(shop, 0.3, seed=2)
    trained = {user for user, *_ in events(split.train)}
    assert not trained & users(split.test)


def test_by_item_shares_no_item_yet_keeps_what_is_known_of_the_new_ones(shop: Dataset) -> None:
    split = by_item(shop, 0.3, seed=2)
    trained, tested = ({item for _, item, *_ in events(side)} for side in (split.train, split.test))
    assert not trained & tested
    items = split.train.engine.frame(split.train.items.select("item", "type", "price"))
    assert items.drop_nulls().height == len(shop.item_ids)


def test_at_random_keeps_all_events_of_a_pair_on_one_side(shop: Dataset) -> None:
    split = at_random(shop, 0.3, seed=2)
    train, test = ({(user, item) for user, item, *_ in events(side)} for side in (split.train, split.test))
    assert not train & test
    assert max(Counter(row[:2] for row in events(shop).elements()).values()) > 1


BOARD = [(user, item, 0) for user in range(40) for item in range(100)]


@pytest.fixture(scope="module")
def board() -> Dataset:
    return small(BOARD)


@pytest.fixture(scope="module")
def people() -> Dataset:
    return small([(user, 0, 0) for user in range(4_000)])


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_draws_are_near_their_share(board: Dataset, people: Dataset, share: float) -> None:
    for seed in (0, 2**40 + 7):
        # Four standard errors of 4,000 fair draws.
        near = pytest.approx(share, abs=4 * (share * (1 - share) / 4_000) ** 0.5)
        assert events(at_random(board, share, seed).test).total() / 4_000 == near
        assert events(by_user(people, share, seed).test).total() / 4_000 == near


@pytest.mark.parametrize("draw", [at_random, by_user])
def test_another_seed_draws_others(board: Dataset, people: Dataset, draw: Callable[..., Split]) -> None:
    data = board if draw is at_random else people
    first, second = (set(events(draw(data, 0.5, seed=seed).test)) for seed in (0, 1))
    both = len(first & second) / len(first)
    assert 0.45 < both < 0.55


def test_neighbouring_users_and_items_are_drawn_apart(board: Dataset) -> None:
    drawn = {row[:2] for row in events(at_random(board, 0.5).test)}
    for across, down in ((0, 1), (1, 0), (1, 1), (2, 7)):
        shifted = {(user + across, item + down) for user, item in drawn if user + across < 40 and item + down < 100}
        assert 0.45 < len(drawn & shifted) / len(shifted) < 0.55


@pytest.mark.parametrize("share", [0, 1, -0.1, 2])
def test_a_share_lies_between_0_and_1(shop: Dataset, share: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        at_random(shop, share)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        by_user(shop, share)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        by_item(shop, share)


def test_a_published_split_is_taken_from_its_column() -> None:
    events = pl.DataFrame(
        {"user_id": [1, 1, 2, 3], "item_id": [1, 2, 1, 2], "fold": [1, 2, 2, None], "test": [True, False, True, False]}
    )
    data = Dataset.read(events)
    second = by_column(data, "fold", 2)
    assert second.test.pairs().rows() == [(1, 2), (2, 1)]
    assert second.train.pairs().rows() == [(1, 1), (3, 2)]
    assert by_column(data, "fold", "2").test.pairs().equals(second.test.pairs())
    assert by_column(data, "test", True).test.pairs().rows() == [(1, 1), (2, 1)]
    with pytest.raises(ColumnError, match="no column 'folt'; did you mean 'fold'"):
        by_column(data, "folt", 1)
    with pytest.raises(DataError, match="no event has 3 in 'fold'; the values there are 1, 2"):
        by_column(data, "fold", 3)
    with pytest.raises(DataError, match="every event has 'x' in 'same'"):
        by_column(Dataset.read(events.with_columns(same=pl.lit("x"))), "same", "x")


@pytest.mark.real
def test_the_official_folds_of_movielens_are_its_fifths(data_folder: Path) -> None:
    folder = data_folder / "ml-100k"
    folds = pl.read_parquet(folder / "splits.parquet")
    said = pl.read_parquet(folder / "ratings.parquet").join(folds, on=["user_id", "item_id"])
    data = Dataset.read(said)
    parts = [by_column(data, "fold", number) for number in range(1, 6)]
    assert [part.test.pairs().height for part in parts] == [20_000] * 5
    assert by_column(data, "ua_test", True).test.pairs().height == 9_430
