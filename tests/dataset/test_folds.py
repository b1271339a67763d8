from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.folds import Tree, k_fold, rolling, tree_groups
from shortlist.dataset.split import Split
from shortlist.errors import ColumnError, ConfigError, DataError
from shortlist.models.popular import Popular
from shortlist.models.same_attribute import SameAttribute
from shortlist.pipeline import Pipeline
from shortlist.tables import samples
from shortlist.tables.engine import Engine

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.open(memory="512MB", threads=1)


@pytest.fixture(scope="module")
def shop() -> Dataset:
    made = samples.shop(users=60, items=30, days=60, seed=3)
    return Dataset.read(made.events, made.items, made.users)


@pytest.fixture(scope="module")
def channels(data_folder: Path) -> Dataset:
    folder = data_folder / "le_channels"
    links = pl.read_parquet(folder / "correlations.parquet").explode("content_ids")
    return Dataset.read(
        links.rename({"content_ids": "content_id"}),
        items=str(folder / "contents.parquet"),
        users=str(folder / "topics.parquet"),
        columns={"events": {"user_id": "topic_id"}, "users": {"user_id": "topic_id"}},
    )


def events(data: Dataset) -> Counter[tuple[Any, ...]]:
    return Counter(data.engine.frame(data.events.select("user", "item", "timestamp", "weight")).rows())


def values(data: Dataset, kind: str, column: str) -> dict[int, Any]:
    table = data.users if kind == "user" else data.items
    return dict(data.engine.frame(table.select(kind, value=table[column])).rows())


def met(data: Dataset, kind: str) -> set[int]:
    return set(data.engine.frame(data.events.select(kind).distinct())[kind])


BYS: dict[str, str | Tree] = {
    "pair": "pair",
    "user": "user",
    "item": "item",
    "a column of the users": "age",
    "a column of the items": "type",
}


@pytest.mark.parametrize("name", BYS)
def test_every_event_is_held_out_once(shop: Dataset, name: str) -> None:
    folds = k_fold(shop, 3, by=BYS[name], seed=4)
    assert len(folds) == 3
    assert sum((events(fold.test) for fold in folds), Counter()) == events(shop)
    for fold in folds:
        assert events(fold.train) + events(fold.test) == events(shop)
        assert events(fold.train)
        assert events(fold.test)
        assert set(values(fold.test, "user", "user_id")) == met(fold.test, "user")


@pytest.mark.parametrize("name", BYS)
def test_the_same_seed_gives_the_same_folds_and_another_seed_others(shop: Dataset, name: str) -> None:
    def drawn(seed: int) -> list[Counter[tuple[Any, ...]]]:
        return [events(fold.test) for fold in k_fold(shop, 2, by=BYS[name], seed=seed)]

    assert drawn(1) == drawn(1)
    if not name.startswith("a column"):  # a few groups, all of different size: there is nothing to draw
        assert drawn(1) != drawn(2)


@pytest.mark.parametrize(("by", "kind"), [("user", "user"), ("item", "item"), ("age", "user"), ("items.type", "item")])
def test_what_belongs_together_is_never_torn_apart(shop: Dataset, by: str, kind: str) -> None:
    column = by.removeprefix("items.") if by in {"age", "items.type"} else f"{kind}_id"
    value = values(shop, kind, column)
    for fold in k_fold(shop, 3, by=by):
        train, test = ({value[number] for number in met(side, kind)} for side in (fold.train, fold.test))
        assert not train & test


def test_folds_differ_by_no_more_than_the_largest_group(shop: Dataset) -> None:
    largest = max(Counter(user for user, *_ in events(shop).elements()).values())
    sizes = [events(fold.test).total() for fold in k_fold(shop, 4, by="user")]
    assert max(sizes) - min(sizes) <= largest


def test_the_largest_groups_are_dealt_first_each_to_the_lightest_fold() -> None:
    sizes = {"a": 5, "b": 4, "c": 3, "d": 3, "e": 1}
    rows = [(user, item) for user, size in sizes.items() for item in range(size)]
    data = Dataset.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    held = [set(fold.test.pairs()["user_id"]) for fold in k_fold(data, 2, by="user")]
    # a5 | b4; b4 + 3 = 7; a5 + 3 = 8; the last one to the 7.
    assert {frozenset(users - {"c", "d"}) for users in held} == {frozenset("a"), frozenset("be")}
    assert all(len(users & {"c", "d"}) == 1 for users in held)


def test_those_without_a_value_stand_alone() -> None:
    users = pl.DataFrame({"user_id": [1, 2, 3, 4], "team": ["x", "x", None, None]})
    data = Dataset.read(pl.DataFrame({"user_id": [1, 2, 3, 4], "item_id": [1, 1, 1, 1]}), users=users)
    held = {frozenset(fold.test.pairs()["user_id"]) for fold in k_fold(data, 3, by="team")}
    assert held == {frozenset({1, 2}), frozenset({3}), frozenset({4})}


def test_too_few_groups_and_too_small_data_are_refused_and_so_is_one_fold(shop: Dataset) -> None:
    with pytest.raises(DataError, match=r"values of 'age': 3 of them .* do not fill 4 folds"):
        k_fold(shop, 4, by="age")
    with pytest.raises(DataError, match="drew no event"):
        k_fold(Dataset.read(pl.DataFrame({"user_id": [1], "item_id": [1]})), 2)
    with pytest.raises(ConfigError, match="2 or more, not 1"):
        k_fold(shop, 1)


def test_an_unknown_column_is_told_with_the_nearest(shop: Dataset) -> None:
    with pytest.raises(ColumnError, match="did you mean 'age'"):
        k_fold(shop, 2, by="agee")
    with pytest.raises(ColumnError, match="no column 'parent_id'"):
        k_fold(shop, 2, by=Tree())


# A tree by hand: two roots r and s, and o, whose parent is not in the table.
#   r -> a -> (c, d), r -> b;  s -> e
NODES = {"r": None, "a": "r", "b": "r", "c": "a", "d": "a", "s": None, "e": "s", "o": "gone"}


def forest(parents: dict[str, str | None]) -> Dataset:
    return Dataset.read(
        pl.DataFrame({"user_id": list(parents), "item_id": [f"of {node}" for node in parents]}),
        users=pl.DataFrame(
            {"user_id": list(parents), "parent_id": list(parents.values())}, schema_overrides={"parent_id": pl.String}
        ),
    )


@pytest.mark.parametrize(
    ("depth", "groups"),
    [
        (0, ["rabcd", "se", "o"]),
        (1, ["r", "acd", "b", "s", "e", "o"]),
        (2, ["r", "a", "b", "c", "d", "s", "e", "o"]),
    ],
)
def test_subtrees_of_a_depth_stay_together(depth: int, groups: list[str]) -> None:
    folds = k_fold(forest(NODES), len(groups), by=Tree(depth=depth))
    held = {frozenset(fold.test.pairs()["user_id"]) for fold in folds}
    assert held == {frozenset(group) for group in groups}


def test_a_cycle_is_told_with_a_node_that_is_in_it() -> None:
    with pytest.raises(DataError, match=r"'[xyz]' is its own ancestor by 'parent_id'"):
        k_fold(forest({"r": None, "x": "y", "y": "z", "z": "x", "under": "x"}), 2, by=Tree())


@given(st.lists(st.integers(0, 2**30), min_size=1, max_size=40), st.integers(0, 4))
def test_the_groups_of_a_tree_are_those_found_by_walking_up(draws: list[int], depth: int) -> None:
    parents = np.array([-1 if draw % 4 == 0 or node == 0 else draw % node for node, draw in enumerate(draws)])

    def above(node: int) -> list[int]:
        return [node] if parents[node] < 0 else [*above(parents[node]), node]

    expected = [path[min(depth, len(path) - 1)] for path in map(above, range(len(parents)))]
    assert tree_groups(parents, depth).tolist() == expected


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40),
    st.lists(st.sampled_from(["x", "y", "z", None]), min_size=10, max_size=10),
    st.integers(2, 4),
    st.sampled_from(["pair", "user", "item", "team"]),
)
def test_whatever_the_data_the_folds_are_whole_or_refused(
    engine: Engine, rows: list[tuple[int, int]], teams: list[str | None], k: int, by: str
) -> None:
    data = Dataset.read(
        pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"),
        users=pl.DataFrame({"user_id": range(10), "team": teams}, schema_overrides={"team": pl.String}),
        engine=engine,
    )
    together = {
        "pair": lambda user, item: (user, item),
        "user": lambda user, _: user,
        "item": lambda _, item: item,
        "team": lambda user, _: teams[user] or user,
    }[by]
    try:
        folds = k_fold(data, k, by=by)
    except DataError:
        # Dealt groups are refused only where they cannot fill the folds; pairs, where the draw left a fold empty.
        assert by == "pair" or len({together(*row) for row in rows}) < k
        return
    assert sum((events(fold.test) for fold in folds), Counter()) == events(data)
    for fold in folds:
        train, test = ({together(*row) for row in side.pairs().rows()} for side in (fold.train, fold.test))
        assert train
        assert test
        assert not train & test


def lonely(fold: Split) -> set[int]:
    """The items that only held-out users met."""
    return met(fold.test, "item") - met(fold.train, "item")


def test_items_that_only_held_out_groups_met_are_taken_out_of_what_is_learnt_from() -> None:
    users = pl.DataFrame({"user_id": [1, 2, 3], "team": ["x", "y", "y"]})
    rows = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": ["a", "b", "b", "c"]})
    data = Dataset.read(rows, items=pl.DataFrame({"item_id": ["a", "b", "c", "nobody's"]}), users=users)
    for take_out in (True, False):
        folds = k_fold(data, 2, by="team", keep_items=not take_out)
        for fold in folds:
            gone = lonely(fold) if take_out else set()
            assert set(values(fold.train, "item", "item_id")) == {0, 1, 2, 3} - gone
            assert set(values(fold.test, "item", "item_id")) == {0, 1, 2, 3}
        assert {len(lonely(fold)) for fold in folds} == {1}


@pytest.mark.parametrize("by", ["pair", "user", "item", "type"])
def test_items_stay_where_no_group_of_users_is_held_out(shop: Dataset, by: str) -> None:
    for fold in k_fold(shop, 2, by=by):
        assert values(fold.train, "item", "item_id") == values(shop, "item", "item_id")


def test_a_pipeline_learns_and_answers_on_a_fold_with_items_taken_out(shop: Dataset) -> None:
    fold = k_fold(shop, 3, by="age")[0]
    recipe = Pipeline(retrievers=(Popular(), SameAttribute(column="type")))
    lists = recipe.fit(fold.train).recommend(fold.test.pairs()["user_id"].unique(), k=3)
    assert lists["user_id"].n_unique() == len(met(fold.test, "user"))


def test_rolling_folds_follow_upon_each_other_the_newest_last(shop: Dataset) -> None:
    folds = rolling(shop, test="7d", folds=3)
    starts = [fold.train.as_of for fold in folds]
    assert starts == [shop.as_of - weeks * 7 * DAY for weeks in (3, 2, 1)]
    assert [fold.test.as_of for fold in folds] == [*starts[1:], shop.as_of]
    for fold, later in pairwise(folds):
        assert events(fold.train) + events(fold.test) == events(later.train)


def test_rolling_refuses_what_the_data_do_not_reach(shop: Dataset) -> None:
    with pytest.raises(DataError, match="no events before"):
        rolling(shop, test="7d", folds=12)
    with pytest.raises(ConfigError, match="1 fold or more, not 0"):
        rolling(shop, folds=0)


@pytest.mark.real
@pytest.mark.parametrize("by", [Tree(), Tree(depth=1), "channel"], ids=["tree", "subtree", "channel"])
def test_real_curricula_are_held_out_whole(channels: Dataset, by: str | Tree) -> None:
    topics = channels.engine.frame(channels.users.select("user", "user_id", "parent_id", "channel", "level"))
    number = dict(topics.select("user_id", "user").iter_rows())
    parent = {user: number.get(above, -1) for user, above in topics.select("user", "parent_id").iter_rows()}
    level = dict(topics.select("user", "level").iter_rows())
    channel = dict(topics.select("user", "channel").iter_rows())

    def group(user: int) -> Any:
        if by == "channel":
            return channel[user]
        while isinstance(by, Tree) and level[user] > by.depth:
            user = parent[user]
        return user

    folds = k_fold(channels, 5, by=by)
    assert sum((events(fold.test) for fold in folds), Counter()) == events(channels)
    for fold in folds:
        train, test = ({group(user) for user in met(side, "user")} for side in (fold.train, fold.test))
        assert not train & test
        assert 0.1 < events(fold.test).total() / events(channels).total() < 0.3
        assert lonely(fold)
        assert not lonely(fold) & set(values(fold.train, "item", "item_id"))
