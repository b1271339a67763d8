"""Between texts: what models share that hold the texts of users against those of items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
import polars as pl
from pydantic import PositiveInt, model_validator

from shortlist.config import Config
from shortlist.dataset.attributes import table_of
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.ngrams import CHARACTERS, counted, salts
from shortlist.dataset.texts import Text, shared_columns

Fields: TypeAlias = Sequence[tuple[pl.Series, float]]
"""Columns of texts, and what a term in each counts."""


class Terms(Config):
    """What terms texts are made of."""

    shortest: PositiveInt = 2
    """Characters of the shortest term."""
    longest: PositiveInt = 4
    """Characters of the longest term."""
    characters: PositiveInt = CHARACTERS
    """Characters of a text that are looked at, the first."""

    @model_validator(mode="after")
    def _terms_have_a_length(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError(f"the shortest term has {self.shortest} characters, the longest only {self.longest}")
        return self

    def terms(self, fields: Fields, salts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The terms of texts: see `counted`; those of texts of different `salts` (int64) never meet."""
        return counted(fields, salts.view(np.uint64), self.shortest, self.longest, self.characters)


class BetweenTexts(Config):
    """Which texts are held against each other."""

    users: Text = Text()
    """What speaks of a user (a topic, a question)."""
    items: Text = Text()
    """What speaks of an item."""
    within: tuple[str, ...] | None = None
    """Columns of both in which they must agree; none named, the language where both tell it; () for no column."""

    def settled(self, data: Dataset) -> "tuple[Self, Sides]":
        """The same with all columns named, and what the dataset says in them.

        Tables without a text, and columns that they lack, raise `ColumnError`.
        """
        user_table, item_table = table_of(data, "user"), table_of(data, "item")
        recipe = self.model_copy(
            update={
                "users": self.users.settled(data.users, user_table, "user"),
                "items": self.items.settled(data.items, item_table, "item"),
                "within": shared_columns(data, self.within),
            }
        )
        above_users = recipe.users.named(user_table, data.user_ids.ids)
        above_items = recipe.items.named(item_table, data.item_ids.ids)
        return recipe, Sides(user_table, item_table, above_users, above_items)

    def kinds(self, table: pl.DataFrame) -> np.ndarray:
        """A number (int64) for what each row is in the columns that must agree; one that the table lacks is null."""
        named = self.within or ()
        missing = [pl.lit(None, pl.String).alias(name) for name in named if name not in table.columns]
        return salts(table.with_columns(missing), named).view(np.int64)


@dataclass(frozen=True)
class Sides:
    """The tables of users and items, and what of them stands above others: see `Text.named`."""

    users: pl.DataFrame
    items: pl.DataFrame
    above_users: pl.DataFrame
    above_items: pl.DataFrame


def joined(fields: Fields) -> pl.Series:
    """Each text in one: what its fields say, one after the other."""
    columns = {str(place): texts.fill_null("").str.strip_chars() for place, (texts, _) in enumerate(fields)}
    table = pl.DataFrame(columns).with_columns(pl.all().replace("", None))
    return table.select(pl.concat_str(pl.all(), separator=". ", ignore_nulls=True)).to_series()
