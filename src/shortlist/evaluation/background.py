"""Background: what was known of users and items before the test, for the metrics of exposure and for slices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, DataError
from shortlist.evaluation.lists import common_type
from shortlist.tables.frames import columns_of

_LABELS = (pl.String, pl.Categorical, pl.Enum, pl.Boolean)


@dataclass(frozen=True, eq=False)
class History:
    """How many had what before the test."""

    items: pl.DataFrame
    """`item_id`, `users` (who had it), `place`: 1 for what most users had; of equal ones the smaller id."""
    users: pl.DataFrame
    """`user_id`, `items` (how many different ones the user had)."""


@dataclass(frozen=True, eq=False)
class Background:
    """What some metrics need beside lists and truth: None where it was not given."""

    catalogue: int | None = None
    """How many items could have been shown."""
    history: History | None = None
    """Who had what before."""
    items: Any = None
    """A frame of `item_id` and columns of labels."""


def read_history(history: Any) -> History:
    """The history in a `Dataset`, or in a frame of `user_id`, `item_id` of any library; further columns are ignored.

    One without rows raises `DataError`.
    """
    if isinstance(history, Dataset):
        pairs = history.events.select("user", "item").distinct()
        items = history.engine.frame(pairs.group_by("item").aggregate(users=pairs.count()))
        users = history.engine.frame(pairs.group_by("user").aggregate(items=pairs.count()))
        items = items.select(history.item_ids.originals(items["item"]).alias("item_id"), "users")
        users = users.select(history.user_ids.originals(users["user"]).alias("user_id"), "items")
    else:
        frame = columns_of(history, ("user_id", "item_id"), "the history").unique()
        items, users = frame.group_by("item_id").len("users"), frame.group_by("user_id").len("items")
    if items.is_empty():
        raise DataError("the history has no rows: give the events before the test, or leave history= out")
    items = items.sort(["users", "item_id"], descending=[True, False])
    return History(items.with_columns(place=pl.int_range(1, pl.len() + 1)), users.sort("user_id"))


def labelled(items: Any, wanted: pl.Series) -> sparse.csr_array:
    """The labels of the `wanted` items, `(I, L)`: a row of length 1 for each, of length 0 for one without labels.

    A label is a column's value, or each value of a column of lists; columns of text, categories, booleans and whole
    numbers have labels, others have none. `items` is a frame of any library with `item_id`; an item without a row has
    no labels. A frame in which no column has labels raises `ColumnError`.
    """
    known = columns_of(items, ("item_id",), "the items", rest=True)
    kind = common_type(wanted.dtype, known["item_id"].dtype, "item_id", "the lists", "the items")
    known = known.with_columns(pl.col("item_id").cast(kind))
    codes = pl.DataFrame({"item_id": wanted.cast(kind)}).with_row_index("row")
    parts = []
    for name in known.columns:
        column = known.select("item_id", label=name)
        if isinstance(column["label"].dtype, pl.List):
            column = column.explode("label")
        if name == "item_id" or not (column["label"].dtype in _LABELS or column["label"].dtype.is_integer()):
            continue
        valued = column.drop_nulls().select("item_id", pl.format("{}={}", pl.lit(name), "label").alias("label"))
        parts.append(valued.join(codes, on="item_id").select("row", "label"))
    if not parts:
        raise ColumnError(f"the items have no column of labels among {known.columns}: give text, categories or lists")
    labels = pl.concat(parts).unique().with_columns(code=pl.col("label").rank("dense") - 1)
    rows, columns = labels["row"].to_numpy(), labels["code"].to_numpy()
    lengths_I = np.bincount(rows, minlength=len(wanted))
    return sparse.csr_array(
        (1 / np.sqrt(lengths_I[rows]), (rows, columns)), shape=(len(wanted), labels["label"].n_unique())
    )
