import numpy as np
import polars as pl
import pytest

from shortlist.dataset import attributes
from shortlist.dataset.attributes import grouping_columns, one_hot
from shortlist.dataset.dataset import Dataset
from worlds import TYPES

ITEMS = pl.DataFrame(
    {
        "item_id": range(6),
        "type": TYPES,
        "name": [f"name {number}" for number in range(6)],
        "shelf": [1, 1, 1, 2, 2, None],
        "same": ["x"] * 6,
        "price": [1.5] * 6,
        "tags": [["a", "b"], ["a"], ["a", "b", "c", "d"], [], None, ["b", "b"]],
    }
)
EVENTS = pl.DataFrame({"user_id": [1], "item_id": [1]})


def test_columns_that_group_are_found() -> None:
    assert grouping_columns(Dataset.read(EVENTS, ITEMS), "item") == ("shelf",)
    assert grouping_columns(Dataset.read(EVENTS), "item") == ()
    ages = pl.DataFrame({"user_id": [1, 2, 3, 4], "age": ["old", "old", "young", "young"]})
    assert grouping_columns(Dataset.read(EVENTS, users=ages), "user") == ("age",)


def test_a_row_has_a_one_for_its_value_and_shares_for_those_of_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "FEW", 2)
    data = Dataset.read(EVENTS, ITEMS)
    found = one_hot(data, "item").toarray()[data.item_ids.numbers(pl.Series(range(6)))]
    half = np.sqrt(1 / 2)
    shelves = [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 0]]
    tags = [[half, half], [1, 0], [1 / 2, 1 / 2], [0, 0], [0, 0], [0, 1]]
    np.testing.assert_allclose(found, np.hstack([shelves, tags]))


def test_values_that_few_have_and_the_rarest_of_many_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert one_hot(Dataset.read(EVENTS, ITEMS), "item").shape == (6, 0)
    monkeypatch.setattr(attributes, "FEW", 2)
    monkeypatch.setattr(attributes, "VALUES", 1)
    assert one_hot(Dataset.read(EVENTS, ITEMS), "item").shape == (6, 2)


def test_nothing_known_is_no_column() -> None:
    assert one_hot(Dataset.read(EVENTS), "user").shape == (1, 0)
