"""What people call an item, by the rule."""

from typing import Any

import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.titles import title_columns, titles

EVENTS = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 20, 30]})


def read(**columns: Any) -> Dataset:
    return Dataset.read(EVENTS, pl.DataFrame({"item_id": [10, 20, 30], **columns}))


def told(data: Dataset) -> list[str]:
    found = titles(data, pl.Series([0, 1, 2], dtype=pl.Int32))
    return [found[item] for item in range(3)]


@pytest.mark.parametrize("name", ["title", "Name", "productName", "Movie-Title", "item_label"])
def test_a_column_that_is_called_a_title_is_the_title(name: str) -> None:
    data = read(blurb=["much more to say", "than any of", "the titles has"], **{name: ["A", "B", "C"]})
    assert title_columns(data) == (name,)
    assert told(data) == ["A", "B", "C"]


def test_title_comes_before_name() -> None:
    assert title_columns(read(name=["A", "B", "C"], title=["D", "E", "F"])) == ("title",)


@pytest.mark.parametrize("name", ["brand_name", "filename", "surname"])
def test_the_name_of_something_else_is_no_title_of_its_own(name: str) -> None:
    data = read(**{name: ["x", "x", "y"]}, kind=["milk", "bread", "eggs"])
    assert title_columns(data) == ("kind", name)


def test_else_the_two_columns_with_the_most_letters_are_joined() -> None:
    data = read(brand=["x", "x", "y"], kind=["milk", "bread", "eggs"], size=["1 l", "500 g", None])
    assert told(data) == ["milk · 1 l", "bread · 500 g", "eggs"]


def test_columns_that_few_have_and_long_texts_are_passed_over() -> None:
    data = read(rare=["a very telling text", None, None], essay=["word " * 50] * 3, kind=["milk", "bread", "eggs"])
    assert title_columns(data) == ("kind",)


def test_without_a_text_the_id_is_the_title() -> None:
    assert told(read(price=[1.0, 2.0, 3.0])) == ["10", "20", "30"]
    assert told(Dataset.read(EVENTS)) == ["10", "20", "30"]
    assert told(read(title=["A", None, " "])) == ["A", "20", "30"]


def test_a_long_title_ends_in_dots() -> None:
    assert told(read(title=["x" * 200, "B", "C"]))[0] == "x" * 77 + "..."
