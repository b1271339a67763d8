"""Columns: which columns of a table say what a row is, and how they are read.

Shapes: N rows.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from pydantic import model_validator

from shortlist.config import Config
from shortlist.errors import DataError

DAY = 86_400.0
"""Seconds."""
_PER_SECOND = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""From what size on whole numbers are so many parts of a second; smaller ones are seconds."""


class Columns(Config):
    """Which columns of a table say what a row is. All others are not looked at."""

    texts: tuple[str, ...] = ()
    """Columns of text, read by their words."""
    categories: tuple[str, ...] = ()
    """Columns of which equal values belong together: text, whole numbers, truth values."""
    numbers: tuple[str, ...] = ()
    """Columns whose size counts."""
    time: str | None = None
    """The column of when: dates, times, or whole numbers: seconds since 1970, or from 10¹¹ on milli-, from 10¹⁴ on
    micro-, from 10¹⁷ on nanoseconds."""

    @model_validator(mode="after")
    def _each_once(self) -> "Columns":
        names = self.names
        if not names:
            raise ValueError("name a column at least, under texts, categories, numbers or time")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is named twice: a column is read in one way")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.texts, *self.categories, *self.numbers, *((self.time,) if self.time else ()))

    def held(self, table: pl.DataFrame, also: Sequence[str] = ()) -> pl.DataFrame:
        """These columns, and others `also` that are numbers, of a table. One of the wrong type raises `DataError`."""
        for name in (*self.texts, *self.categories):
            if table[name].dtype.is_nested():
                raise DataError(f"{name!r} is of type {table[name].dtype}: make one text or number of it")
        for name in (*self.numbers, *also):
            kind = table[name].dtype
            if not (kind.is_numeric() or kind == pl.Boolean):
                raise DataError(f"{name!r} is of type {kind}, and read as a number: cast it, or name it elsewhere")
        return table.select(*self.names, *also)

    def seconds(self, table: pl.DataFrame) -> np.ndarray:
        """When each row was (float64, N): seconds since 1970; NaN where it is missing. What is no time: `DataError`."""
        if self.time is None:
            raise AssertionError("no column of time is named")
        column = table[self.time]
        if isinstance(column.dtype, pl.Date | pl.Datetime):
            micros = column.cast(pl.Datetime("us")).dt.epoch("us")
            return micros.cast(pl.Float64).fill_null(np.nan).to_numpy() / 1e6
        if not column.dtype.is_numeric():
            raise DataError(f"{self.time!r} is of type {column.dtype}: cast it to a date, a datetime, or seconds")
        found = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        size = np.nanmedian(np.abs(found)) if np.isfinite(found).any() else 0.0
        return found / next((parts for least, parts in _PER_SECOND if size >= least), 1.0)


def plain_texts(column: pl.Series) -> pl.Series:
    """A column as text; what is missing is empty."""
    return column.cast(pl.String).fill_null("")


def coded(columns: Sequence[pl.Series]) -> pl.Series:
    """One text for each combination of values of several columns; missing values are a value."""
    parts = [column.cast(pl.String).fill_null("\x00") for column in columns]
    return pl.select(pl.concat_str([pl.lit(part) for part in parts], separator="\x1f")).to_series()
