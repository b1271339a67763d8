"""Terms: words of texts and whole values as hashes, and what a time is a category of.

Shapes: N rows, E terms.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from shortlist.kernels import words
from shortlist.kernels.calendar import parts
from shortlist.tabular.columns import plain_texts

_MISSING = -(2**62)


def calendar(seconds_N: np.ndarray) -> Mapping[str, np.ndarray]:
    """The hour, the weekday (from 0, a Monday) and the month (from 1) of times (UTC); -1 where the time is missing."""
    found = {name: np.empty(len(seconds_N), np.int64) for name in ("hour", "weekday", "month")}
    parts(seconds_N, *found.values())
    return found


def hashed_words(column: pl.Series, salt: int, bits: int, *, runs: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Where the terms of each text end (int64, N), and the terms (int32, E)."""
    bytes_, offsets = _bytes(plain_texts(column))
    ends = np.empty(len(column), np.int64)
    # A word and the space after it are two bytes at least, and make two terms at most.
    term_E = np.empty((6 if runs else 1) * (len(bytes_) + len(column)), np.int32)
    count = words.words(bytes_, offsets, salt, bits, runs, ends, term_E)
    if count > len(term_E):
        raise AssertionError("more terms than places for them")
    return ends, term_E[:count]


def hashed_values(column: pl.Series, salt: int, bits: int) -> np.ndarray:
    """The term of each value (int32, N); what is missing has one of its own."""
    found = np.empty(len(column), np.int32)
    if column.dtype.is_integer() or column.dtype == pl.Boolean:
        whole = column.cast(pl.Int64, wrap_numerical=True)
        words.numbers(whole.fill_null(_MISSING).to_numpy(), salt, bits, found)
        return found
    bytes_, offsets = _bytes(column.cast(pl.String).fill_null("\x00"))
    words.values(bytes_, offsets, salt, bits, found)
    return found


def joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The terms of several texts of each row behind one another: where they end, and they themselves."""
    if len(parts) == 1:
        return parts[0]
    lengths = [np.diff(ends, prepend=0) for ends, _ in parts]
    ends = np.cumsum(np.sum(lengths, axis=0))
    term_E = np.empty(sum(len(own) for _, own in parts), np.int32)
    at = ends - np.sum(lengths, axis=0)
    for (own_ends, own), length in zip(parts, lengths, strict=True):
        places = np.repeat(at - (own_ends - length), length) + np.arange(len(own))
        term_E[places] = own
        at = at + length
    return ends, term_E


def _bytes(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of texts, one after the other, and where each begins (int64), the end behind them."""
    array: Any = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64, len(array) + 1, 8 * array.offset)
    return np.frombuffer(data if data is not None else b"", np.uint8), starts
