"""Texts: what the columns of a table say of an item or a user in words, and what those above it are called."""

from collections.abc import Sequence
from typing import Literal

import ibis
import polars as pl
from pydantic import Field

from shortlist.config import Config
from shortlist.dataset.attributes import Kind, own_columns
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.titles import called_titles
from shortlist.errors import ColumnError, DataError, nearest

REST = 0.5
"""What a term counts in a text that is not the first, where one of the first counts 1."""
PARENT = "parent_id"
"""The usual name of the column that holds the id of the one above."""
LANGUAGES = ("language", "lang")
"""Usual names of the column that says in which language a text is."""


class Text(Config):
    """What speaks of an item or a user: its texts, and the first text of each that stands above it in a tree."""

    columns: tuple[str, ...] | None = Field(None, min_length=1)
    """Columns of text; the first one counts whole, every other half. None named: a title first, then all texts."""
    parent: str | Literal["auto"] | None = "auto"
    """The column that holds the id of the one above; auto: parent_id where there is such a column."""
    ancestors: int = Field(3, ge=0)
    """How many above it count, half each; the nearest."""

    def settled(self, table: ibis.Table, told: pl.DataFrame, kind: Kind) -> "Text":
        """The same with its columns named. One that the table lacks or that holds lists, and no text at all, raise
        `ColumnError`.
        """
        own = own_columns(table, kind)
        for name in (*(self.columns or ()), *([self.parent] if self.parent not in (None, "auto") else [])):
            if name not in own:
                raise ColumnError(f"the {kind}s have no column {name!r}{nearest(str(name), own)}")
            if told[str(name)].dtype.is_nested():
                held = told[str(name)].dtype
                raise ColumnError(f"the {kind}s' column {name!r} holds no text but {held}: join its entries to a text")
        parent = self.parent
        if parent == "auto":
            parent = PARENT if PARENT in own else None
        columns = self.columns
        if columns is None:
            texts = [name for name in own if name != parent and is_worded(told[name])]
            titles = called_titles([name for name in own if told[name].dtype == pl.String])
            columns = (*titles, *(name for name in texts if name not in titles))
        if not columns:
            raise ColumnError(f"the {kind}s have no column of texts among {', '.join(own) or 'none'}: name one")
        return self.model_copy(update={"columns": columns, "parent": parent})

    def of(self, table: pl.DataFrame, above: pl.DataFrame) -> list[tuple[pl.Series, float]]:
        """The texts of each row of a table, and what a term in them counts: the first, those above it, the others.

        Call it on `settled` texts.
        `above` are those of `named` that may stand above it. Columns that the table lacks say nothing.
        """
        fields = [
            (table[name].cast(pl.String), 1.0 if place == 0 else REST)
            for place, name in enumerate(self.columns or ())
            if name in table.columns
        ]
        if self.parent is not None and self.parent in table.columns and self.ancestors:
            parents = parents_of(table, self.parent, above["id"])
            fields.insert(1, (_breadcrumb(parents, above, self.ancestors), REST))
        return fields or [(pl.repeat("", table.height, eager=True, dtype=pl.String), 1.0)]

    def named(self, table: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
        """What `of` needs to know of those above: `id`, `parent`, `title`; no rows where there is no tree."""
        if self.parent is None or self.parent not in table.columns or not self.columns:
            return pl.DataFrame(schema={"id": ids.dtype, "parent": ids.dtype, "title": pl.String})
        title = pl.col(self.columns[0]) if self.columns[0] in table.columns else pl.lit(None)
        parents = parents_of(table, self.parent, ids)
        return table.select(ids.alias("id"), parents, title=title.cast(pl.String))


def parents_of(table: pl.DataFrame, column: str, ids: pl.Series) -> pl.Series:
    """The ids of those above the rows of a table, as `parent`; null where the table lacks the column.

    Such as cannot be ids of the type of `ids` raise `DataError`.
    """
    if column not in table.columns:
        return pl.repeat(None, table.height, eager=True, dtype=ids.dtype).alias("parent")
    try:
        return table[column].cast(ids.dtype).alias("parent")
    except pl.exceptions.PolarsError:
        raise DataError(
            f"{column!r} is {table[column].dtype} (such as {table[column].drop_nulls()[0]!r}), but {ids.name} is "
            f"{ids.dtype}: the ones above are told by their ids; make both one type, or name no parent"
        ) from None


def shared_columns(data: Dataset, columns: Sequence[str] | None) -> tuple[str, ...]:
    """The columns in which texts must agree to be held against each other; none named, the language where both tell it.

    One that the items or the users lack raises `ColumnError`.
    """
    if columns is None:
        return tuple(name for name in LANGUAGES if name in data.items.columns and name in data.users.columns)[:1]
    for kind, table in (("items", data.items), ("users", data.users)):
        for name in columns:
            if name not in table.columns:
                raise ColumnError(f"the {kind} have no column {name!r}{nearest(name, table.columns)}")
    return tuple(columns)


def is_worded(values: pl.Series) -> bool:
    """Whether these are texts: a fifth of them differ, and a third have several words, or letters beyond ASCII."""
    if values.dtype != pl.String:
        return False
    known = values.drop_nulls()
    if known.is_empty() or known.n_unique() < 0.2 * len(known):
        return False
    worded = known.str.strip_chars().str.contains(r"\s") | known.str.contains(r"[^\x00-\x7F]")
    return bool(worded.mean() >= 1 / 3)  # type: ignore[operator]


def _breadcrumb(parents: pl.Series, above: pl.DataFrame, ancestors: int) -> pl.Series:
    """The titles of the nearest `ancestors`, the nearest first."""
    tree = above.unique("id", keep="first", maintain_order=True)
    at, titles = pl.DataFrame({"id": parents}), []
    for _ in range(ancestors):
        found = at.join(tree, on="id", how="left", maintain_order="left")
        titles.append(found["title"].replace("", None))
        at = found.select(id="parent")
    return pl.select(pl.concat_str(titles, separator=". ", ignore_nulls=True)).to_series()
