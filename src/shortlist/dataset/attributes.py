"""Attributes: what is known of items and users, as far as it puts them into groups."""

from collections.abc import Sequence
from typing import Literal

import ibis
import numpy as np
import polars as pl
from scipy import sparse

from shortlist.dataset.dataset import Dataset

FEW = 5
"""Members that a value needs to be told of one by one."""
VALUES = 300
"""Values of one column that are told at most, the most frequent."""

Kind = Literal["item", "user"]


def grouping_columns(data: Dataset, kind: Kind) -> tuple[str, ...]:
    """The columns that put items (or users) into groups: text or whole numbers, 2 members a value or more on average.

    Of two columns alike in what they tell, both stay.
    """
    table = _table(data, kind)
    types = table.schema()
    names = [n for n in own_columns(table, kind) if types[n].is_string() or types[n].is_integer()]
    if not names:
        return ()
    counted = table.aggregate(
        **{f"{n}_values": table[n].nunique() for n in names}, **{f"{n}_rows": table[n].count() for n in names}
    )
    counts = data.engine.frame(counted).row(0, named=True)
    return tuple(n for n in names if 2 <= counts[f"{n}_values"] <= counts[f"{n}_rows"] / 2)


def one_hot(data: Dataset, kind: Kind) -> sparse.csr_array:
    """A row for each item (or user), a column for each value of an attribute (float64): 1 where it has that value.

    Attributes are the columns that group, and those that hold lists of text, of which each of n values counts 1 / √n.
    Of a column the VALUES most frequent that FEW have or more; what is missing is zero.
    """
    table = _table(data, kind)
    lists = [n for n in own_columns(table, kind) if _is_list_of_text(table[n])]
    groups = [*grouping_columns(data, kind), *lists]
    size = len(data.item_ids if kind == "item" else data.user_ids)
    frame = data.engine.frame(table.select(kind, *groups))
    parts = [_column(frame.select(kind, value=name).drop_nulls(), kind, size) for name in groups]
    return sparse.hstack(parts, format="csr") if parts else sparse.csr_array((size, 0))


def _column(told: pl.DataFrame, kind: Kind, size: int) -> sparse.csr_array:
    if told["value"].dtype == pl.List:
        told = told.explode("value").drop_nulls().unique()
    told = told.with_columns(share=1 / pl.len().over(kind).cast(pl.Float64).sqrt())
    counted = told.group_by("value").len().filter(pl.col("len") >= FEW)
    values = counted.sort(["len", "value"], descending=[True, False]).head(VALUES).with_row_index("column")
    entries = told.join(values, on="value")
    places = (entries[kind].to_numpy(), entries["column"].to_numpy())
    return sparse.csr_array((entries["share"].to_numpy(), places), shape=(size, values.height))


def _table(data: Dataset, kind: Kind) -> ibis.Table:
    return data.items if kind == "item" else data.users


def table_of(data: Dataset, kind: Kind, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """What is known of the items (or users), a row for each number in order: the named columns, or all of their own.

    Of one that the table lacks, as a split may take items out, all is null.
    """
    table = _table(data, kind)
    chosen = own_columns(table, kind) if columns is None else list(columns)
    frame = data.engine.frame(table.select(kind, *chosen))
    size = len(data.item_ids if kind == "item" else data.user_ids)
    every = pl.DataFrame({kind: np.arange(size, dtype=np.int32)})
    return every.join(frame, on=kind, how="left", maintain_order="left").drop(kind)


def own_columns(table: ibis.Table, kind: Kind) -> list[str]:
    """The columns of a table of items or users that are not their ids."""
    return [name for name in table.columns if name not in {kind, f"{kind}_id"}]


def _is_list_of_text(column: ibis.Value) -> bool:
    kind = column.type()
    return bool(kind.is_array() and kind.value_type.is_string())
