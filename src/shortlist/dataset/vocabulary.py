"""Vocabulary: what attributes say of items, as numbers; also of those that come later.

Text says its whole value and each of its words, a list each of its entries, a whole number or a truth its value, a
time its day; of numbers and times with many values the stretch counts too in which they lie, of `STRETCHES` that hold
as many items each.
What fewer than `FEW` items say is not learnt, and neither is what nobody says.

Shapes: I items, C values of an item at most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from shortlist.dataset.attributes import own_columns, table_of
from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, nearest

FEW = 2
"""Items that must say a value."""
STRETCHES = 20
"""Stretches of a number or a time."""
AT_MOST = 100_000
"""Values that are learnt, the most frequent."""
OF_ONE = 64
"""Values of one item that count, the rarest."""


@dataclass(frozen=True)
class Vocabulary:
    """The `values` (`column`, `value` as text, `number` from 0) and the `edges` of stretches (`column`, `edge`)."""

    values: pl.DataFrame
    edges: pl.DataFrame

    def __len__(self) -> int:
        return self.values.height

    def numbers(self, told: pl.DataFrame) -> np.ndarray:
        """The numbers of what each row says (int32, I × C), in order; `len` of this where there is none.

        Columns that the rows lack say nothing, and neither do values that were not learnt.
        """
        said = pl.concat([_NOTHING, *_said(told, self.edges, self.edges["column"].unique().to_list())])
        found = said.unique().join(self.values, on=["column", "value"])
        # Numbers rise from the frequent to the rare.
        found = found.sort("row", "number", descending=[False, True]).with_columns(
            place=pl.int_range(pl.len()).over("row")
        )
        found = found.filter(pl.col("place") < OF_ONE)
        width = int(found["place"].max() or 0) + 1 if found.height else 1  # type: ignore[arg-type]
        numbers_IC = np.full((told.height, width), len(self), np.int32)
        numbers_IC[found["row"].to_numpy(), found["place"].to_numpy()] = found["number"].to_numpy()
        numbers_IC.sort(axis=1)
        return numbers_IC


def learnt(told: pl.DataFrame) -> Vocabulary:
    """What the rows of a frame say, a row an item and a column an attribute."""
    wide = [name for name in told.columns if _is_wide(told[name])]
    edges = pl.concat([_NO_EDGES, *(_edges(told[name]) for name in wide)])
    said = pl.concat([_NOTHING, *_said(told, edges, wide)]).unique()
    counted = said.group_by("column", "value").len().filter(pl.col("len") >= FEW)
    kept = counted.sort("len", "column", "value", descending=[True, False, False]).head(AT_MOST)
    return Vocabulary(kept.select("column", "value").with_row_index("number").cast({"number": pl.Int32}), edges)


def attributes(data: Dataset, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """What is known of the items of a dataset, a row each in their order: the named columns, or all.

    A name that the table lacks raises `ColumnError`.
    """
    own = own_columns(data.items, "item")
    for name in columns or ():
        if name not in own:
            raise ColumnError(f"the items have no column {name!r}{nearest(name, own)}")
    return table_of(data, "item", columns)


def _said(told: pl.DataFrame, edges: pl.DataFrame, wide: Sequence[str]) -> Iterator[pl.DataFrame]:
    """What each row says: `row`, `column`, `value`."""
    rows = told.with_row_index("the row of it")
    for name in told.columns:
        one = rows.select(row=pl.col("the row of it").cast(pl.Int64), value=pl.col(name)).drop_nulls()
        kind = one["value"].dtype
        column = pl.lit(name).alias("column")
        if name in wide and (kind.is_numeric() or kind.is_temporal()):
            stretch = np.searchsorted(edges.filter(column=name)["edge"].to_numpy(), _numbers(one["value"]), "right")
            yield one.select("row", column, value=pl.Series([f"stretch {k}" for k in stretch], dtype=pl.String))
        if isinstance(kind, pl.List | pl.Array):
            entries = one.explode("value").drop_nulls()
            if not entries["value"].dtype.is_nested() and not entries["value"].dtype.is_float():
                yield entries.select("row", column, pl.col("value").cast(pl.String))
        elif kind == pl.String or isinstance(kind, pl.Categorical | pl.Enum):
            text = one.with_columns(pl.col("value").cast(pl.String))
            yield text.select("row", column, "value")
            words = text.with_columns(pl.col("value").str.to_lowercase().str.extract_all(r"\w+"))
            words = words.filter(pl.col("value").list.len() > 1).explode("value")
            yield words.select("row", pl.lit(f"{name}, a word").alias("column"), "value")
        elif kind == pl.Date or isinstance(kind, pl.Datetime):
            yield one.select("row", column, pl.col("value").cast(pl.Date).cast(pl.String))
        elif kind.is_integer() or kind == pl.Boolean:
            yield one.select("row", column, pl.col("value").cast(pl.String))


def _is_wide(values: pl.Series) -> bool:
    """Whether these are numbers or times of more values than there are stretches."""
    return (values.dtype.is_numeric() or values.dtype.is_temporal()) and values.drop_nulls().n_unique() > STRETCHES


def _numbers(values: pl.Series) -> np.ndarray:
    physical = values.to_physical() if values.dtype.is_temporal() else values
    numbers: np.ndarray = physical.cast(pl.Float64).to_numpy()
    return numbers


def _edges(values: pl.Series) -> pl.DataFrame:
    numbers = _numbers(values.drop_nulls())
    numbers = numbers[np.isfinite(numbers)]
    edges = np.unique(np.quantile(numbers, np.arange(1, STRETCHES) / STRETCHES)) if len(numbers) else np.zeros(0)
    return pl.DataFrame({"column": pl.repeat(values.name, len(edges), eager=True, dtype=pl.String), "edge": edges})


_NOTHING = pl.DataFrame(schema={"row": pl.Int64, "column": pl.String, "value": pl.String})
_NO_EDGES = pl.DataFrame(schema={"column": pl.String, "edge": pl.Float64})
