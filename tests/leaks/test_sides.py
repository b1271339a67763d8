import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import Split, at_random, by_item, by_time, by_user, last_n
from shortlist.errors import DataError
from shortlist.leaks.sides import Cut, Sides, sides_of
from shortlist.leaks.tables import split_of_tables
from shortlist.tables import samples
from shortlist.tables.engine import Engine


@pytest.fixture(scope="module")
def shop() -> Dataset:
    made = samples.shop(users=80, items=60, days=60, seed=5)
    return Dataset.read(made.events, made.items, made.users)


def sides(engine: Engine, train: list[tuple[int, int, int]], test: list[tuple[int, int, int]]) -> Sides:
    schema = ["user_id", "item_id", "timestamp"]
    frames = (pl.DataFrame(rows, schema=schema, orient="row") for rows in (train, test))
    return sides_of(split_of_tables(*frames, engine=engine))


@pytest.mark.parametrize(
    ("split", "order", "held_out"),
    [
        (lambda data: by_time(data, "7d"), "by time", []),
        (lambda data: last_n(data, 3), "by each user's time", []),
        (lambda data: at_random(data, 0.2), "unordered", []),
        (lambda data: by_user(data, 0.2), "unordered", ["user"]),
        (lambda data: by_item(data, 0.2), "unordered", ["item"]),
    ],
    ids=["by_time", "last_n", "at_random", "by_user", "by_item"],
)
def test_the_split_is_read_off_its_events(shop: Dataset, split: object, order: str, held_out: list[str]) -> None:
    found = sides_of(split(shop))  # type: ignore[operator]
    assert found.order == order
    assert [kind for kind in ("user", "item") if found.held_out(kind)] == held_out


def test_the_cut_is_where_the_fewest_stand_on_the_wrong_side(engine: Engine) -> None:
    train = [(1, 1, when) for when in (1, 2, 3, 4, 9, 10)]
    test = [(2, 2, when) for when in (3, 8, 9, 11, 12)]
    # At 8: late 9 and 10, early 3. At 9: late 10, tied 9, early 3 and 8. At 3: late 4, 9 and 10.
    assert sides(engine, train, test).cut == Cut(8, late=2, tied=0, early=1)


def test_of_cuts_as_good_the_one_with_fewer_ties_is_taken(engine: Engine) -> None:
    assert sides(engine, [(1, 1, 1), (1, 2, 5)], [(1, 3, 5), (1, 4, 6)]).cut == Cut(5, late=0, tied=1, early=0)


def test_rows_on_both_sides_are_set_apart(engine: Engine) -> None:
    found = sides(engine, [(1, 1, 1), (1, 2, 2), (1, 3, 3)], [(1, 3, 3), (1, 4, 4)])
    assert engine.frame(found.doubled).rows() == [(0, 2, 3)]
    assert (found.sizes, found.given) == ((2, 1), (3, 2))
    assert found.order == "by time"


def test_events_of_one_moment_have_no_clock(engine: Engine) -> None:
    assert not sides(engine, [(1, 1, 7)], [(1, 2, 7)]).has_clock


def test_a_few_users_in_order_by_chance_do_not_make_an_order(engine: Engine) -> None:
    # Two events each: half of the users are in order by chance, and half are.
    train = [(user, 1, 10 * user + (user % 2)) for user in range(40)]
    test = [(user, 2, 10 * user + 1 - (user % 2)) for user in range(40)]
    assert sides(engine, train, test).order == "unordered"


def test_a_side_without_events_and_sides_of_two_datasets_are_refused(shop: Dataset) -> None:
    split = by_time(shop, "7d")
    empty = shop.before(0)
    with pytest.raises(DataError, match="the train part has no events"):
        sides_of(Split(train=empty, test=split.test))
    other = Dataset.read(samples.shop(users=3).events)
    with pytest.raises(DataError, match="two datasets"):
        sides_of(Split(train=split.train, test=other))
