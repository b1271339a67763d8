"""Terms: words of texts and whole values as hashes, and what a time is a category of.

Shapes: N rows, E terms.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa

from shortlist.kernels import ragged, words
from shortlist.kernels.calendar import parts

Column: TypeAlias = Any
"""A column of a Polars frame or of an Arrow table."""
_MISSING = -(2**62)


def calendar(seconds_N: np.ndarray) -> Mapping[str, np.ndarray]:
    """The hour, the weekday (from 0, a Monday) and the month (from 1) of times (UTC); -1 where the time is missing."""
    found = {name: np.empty(len(seconds_N), np.int64) for name in ("hour", "weekday", "month")}
    parts(seconds_N, *found.values())
    return found


def hashed_words(column: Column, salt: int, bits: int, *, runs: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Where the terms of each text end (int64, N), and the terms (int32, E)."""
    bytes_, offsets = _bytes(column, "")
    ends = np.empty(len(column), np.int64)
    # A word and the space after it are two bytes at least, and make two terms at most.
    term_E = np.empty((6 if runs else 1) * (len(bytes_) + len(column)), np.int32)
    count = words.words(bytes_, offsets, salt, bits, runs, ends, term_E)
    if count > len(term_E):
        raise AssertionError("more terms than places for them")
    return ends, term_E[:count]


def hashed_values(column: Column, salt: int, bits: int) -> np.ndarray:
    """The term of each value (int32, N): that of its text, so that 5 is "5"; what is missing has one of its own."""
    found = np.empty(len(column), np.int32)
    if not _holds_texts(column):
        values = pl.Series(column)
        if values.dtype == pl.Boolean:
            three = hashed_values(pl.Series(["false", "true", None], dtype=pl.String), salt, bits)
            found[:] = three[values.cast(pl.Int8).fill_null(2).to_numpy()]
            return found
        if values.dtype.is_integer() and values.dtype != pl.UInt64:
            words.numbers(values.cast(pl.Int64).fill_null(_MISSING).to_numpy(), _MISSING, salt, bits, found)
            return found
    bytes_, offsets = _bytes(column, "\x00")
    words.values(bytes_, offsets, salt, bits, found)
    return found


def joined(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The terms of each row of several parts behind one another: where they end, and they themselves."""
    found, *others = parts
    for other in others:
        ends, term_E = np.empty(len(found[0]), np.int64), np.empty(len(found[1]) + len(other[1]), np.int32)
        ragged.merged(*found, *other, ends, term_E)
        found = ends, term_E
    return found


def _bytes(column: Column, missing: str) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of texts, one after the other, and where each begins (int32 or int64), the end behind them.

    Those of an Arrow column in one piece are where they are, not copied.
    """
    array: Any = column
    if _holds_texts(column) and array.num_chunks == 1 and not array.null_count:
        array = array.chunk(0)
    else:
        texts = pl.Series(column).cast(pl.String).fill_null(missing)
        array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    kind = np.int64 if pa.types.is_large_string(array.type) else np.int32
    starts = np.frombuffer(offsets, kind, len(array) + 1, kind().itemsize * array.offset)
    return np.frombuffer(data if data is not None else b"", np.uint8), starts


def _holds_texts(column: Column) -> bool:
    if isinstance(column, pl.Series):
        return False
    kind = column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
