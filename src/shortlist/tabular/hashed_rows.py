"""Hashed rows: rows as terms below 2^bits and a few numbers, at a cost that does not depend on what was seen before.

Shapes: N rows, E terms, C categories, D numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa

from shortlist.kernels import ragged
from shortlist.tabular.columns import DAY, Columns
from shortlist.tabular.terms import calendar, hashed_values, hashed_words, joined

Table: TypeAlias = Any
"""A Polars frame or an Arrow table."""
TERMS = "terms"
OF_TIME = 3
"""Hour, weekday, month."""
_CATEGORY, _CALENDAR = 1_000, 2_000
"""Salts from which those of categories and of parts of a time are counted; those of texts begin with 1."""


@dataclass(frozen=True)
class HashedRows:
    """Of each row where its terms end (int64, N), the terms (int32, E), of which the last `categories` are those of
    its categories and its time, and its numbers (float32, N × D; days since 1970 last), NaN where they are missing.
    """

    ends: np.ndarray
    term_E: np.ndarray
    categories: int
    number_ND: np.ndarray

    @classmethod
    def of(cls, columns: Columns, table: Table, bits: int) -> "HashedRows":
        """Words and pairs of words of texts, whole categories, hours, weekdays and months, and numbers."""
        rows = len(table)
        parts = [hashed_words(table[name], salt, bits) for salt, name in enumerate(columns.texts, 1)]
        values = [hashed_values(table[name], _CATEGORY + place, bits) for place, name in enumerate(columns.categories)]
        numbers = [pl.Series(table[name]).cast(pl.Float64).fill_null(np.nan).to_numpy() for name in columns.numbers]
        if columns.time:
            second_N = columns.seconds(pl.DataFrame({columns.time: pl.Series(table[columns.time])}))
            numbers.append(second_N / DAY)
            of_time = calendar(second_N).values()
            values += [hashed_values(pl.Series(part), _CALENDAR + place, bits) for place, part in enumerate(of_time)]
        count = categories_of(columns)
        if count or not parts:
            each = np.column_stack(values) if values else np.zeros((rows, 0), np.int32)
            parts.append((np.arange(1, rows + 1, dtype=np.int64) * count, each.ravel()))
        return cls(*joined(parts), count, _columns(numbers, rows))

    def taken(self, order_N: np.ndarray) -> "HashedRows":
        """Rows in another order."""
        ends, term_E = np.empty(len(order_N), np.int64), np.empty_like(self.term_E)
        count, _ = ragged.taken(order_N, self.ends, self.term_E, ends, term_E)
        return HashedRows(ends, term_E[:count], self.categories, self.number_ND[order_N])

    def to_arrow(self, bits: int) -> Any:
        """As columns of a file: `terms`, the bytes of each row's, below 2^bits, and the numbers."""
        width = _bytes_of_a_term(bits)
        packed = self.term_E.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
        offsets = np.concatenate([[0], self.ends]) * width
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(packed))]
        told = {TERMS: pa.Array.from_buffers(pa.large_binary(), len(self.ends), buffers)}
        return pa.table(told | dict(zip(self._names(), map(pa.array, self.number_ND.T), strict=True)))

    @classmethod
    def of_arrow(cls, table: Any, categories: int, bits: int) -> "HashedRows":
        """Rows that were written so."""
        width = _bytes_of_a_term(bits)
        array = table[TERMS].combine_chunks()
        array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
        _, offsets, data = array.buffers()
        begun = np.frombuffer(offsets, np.int64, len(array) + 1, 8 * array.offset)
        packed = np.frombuffer(data if data is not None else b"", np.uint8)[begun[0] : begun[-1]]
        term_E = np.empty(len(packed) // width, np.int32)
        ragged.unpacked(packed, width, term_E)
        numbers = [table[name].to_numpy() for name in table.column_names if name.startswith(_NUMBER)]
        return cls((begun[1:] - begun[0]) // width, term_E, categories, _columns(numbers, len(table)))

    def _names(self) -> Sequence[str]:
        return [f"{_NUMBER}{place}" for place in range(self.number_ND.shape[1])]


_NUMBER = "number "


def _columns(numbers: Sequence[np.ndarray], rows: int) -> np.ndarray:
    found: np.ndarray = np.column_stack([np.zeros((rows, 0)), *numbers]).astype(np.float32)
    return found


def _bytes_of_a_term(bits: int) -> int:
    return 3 if bits <= 24 else 4


def categories_of(columns: Columns) -> int:
    """How many terms of a row are those of its categories and its time."""
    return len(columns.categories) + (OF_TIME if columns.time else 0)
