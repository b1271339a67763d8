import polars as pl
import pytest

from shortlist.tables import samples


def colour(name: str) -> pl.Expr:
    return pl.col(name).str.slice(1).cast(pl.Int64) % 2


def test_even_users_meet_all_even_items_and_odd_users_the_odd() -> None:
    board = samples.checkerboard(6, 7)
    assert board.filter(colour("user_id") != colour("item_id")).is_empty()
    assert board.height == 3 * 4 + 3 * 3
    assert board.select("user_id", "item_id").is_unique().all()


def test_the_holes_of_a_board_are_what_it_lacks() -> None:
    whole, board = samples.checkerboard(6, 8), samples.checkerboard(6, 8, holes=2)
    missing = samples.missing_squares(6, 8, holes=2)
    assert missing.height == 6 * 2
    lacking = whole.join(board, on=["user_id", "item_id"], how="anti").select("user_id", "item_id")
    assert lacking.sort("user_id", "item_id").equals(missing.sort("user_id", "item_id"))
    assert board.height + missing.height == whole.height


@pytest.mark.parametrize(("users", "items", "holes"), [(0, 5, 1), (5, 0, 1), (1, 1, 9)])
def test_small_boards_are_boards(users: int, items: int, holes: int) -> None:
    assert samples.checkerboard(users, items, holes=holes).is_empty()


def test_a_shop_is_the_same_from_the_same_seed() -> None:
    one, same, other = (samples.shop(users=9, items=12, days=20, seed=seed) for seed in (3, 3, 4))
    assert one.events.equals(same.events)
    assert one.items.equals(same.items)
    assert one.users.equals(same.users)
    assert not one.events.equals(other.events)


def test_a_shop_has_the_users_items_and_days_asked_for() -> None:
    made = samples.shop(users=9, items=12, days=20)
    assert (made.users.height, made.items.height) == (9, 12)
    assert made.events["user_id"].is_in(made.users["user_id"].implode()).all()
    assert made.events["item_id"].is_in(made.items["item_id"].implode()).all()
    assert made.events["timestamp"].is_between(samples.START, samples.START.replace(day=21)).all()
    assert made.events["weight"].is_in([1.0, 2.0, 3.0]).all()


def test_people_of_a_shop_come_back_for_their_staples() -> None:
    made = samples.shop(users=30, items=40, days=60)
    repeats = 1 - made.events.select("user_id", "item_id").unique().height / made.events.height
    assert repeats > 0.4


def test_without_repeats_nobody_buys_an_item_twice() -> None:
    made = samples.shop(users=30, items=60, days=60, repeats=0)
    assert made.events.select("user_id", "item_id").is_unique().all()
