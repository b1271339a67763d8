"""Hashed rows: rows as terms below 2^bits and a few numbers, at a cost that does not depend on what was seen before.

Shapes: N rows, E terms of texts, C categories, D numbers.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from shortlist.kernels import linear
from shortlist.tabular.columns import DAY, Columns
from shortlist.tabular.terms import calendar, hashed_values, hashed_words, joined

REACH = 5.0
"""How many widths from the middle a number counts at most."""
_CATEGORY, _CALENDAR = 1_000, 2_000
"""Salts from which those of categories and of parts of a time are counted; those of texts begin with 1."""


@dataclass(frozen=True)
class HashedRows:
    """Of each row where its terms end (int64, N), the terms (int32, E), its categories (int32, N × C), its numbers."""

    ends: np.ndarray
    term_E: np.ndarray
    category_NC: np.ndarray
    number_ND: np.ndarray

    @classmethod
    def of(cls, columns: Columns, table: pl.DataFrame, scale: "Scale", bits: int) -> "HashedRows":
        """Words and pairs of words of texts, whole categories, hours, weekdays and months, and scaled numbers."""
        texts = [hashed_words(table[name], salt, bits) for salt, name in enumerate(columns.texts, 1)]
        ends, term_E = joined(texts) if texts else (np.zeros(table.height, np.int64), np.zeros(0, np.int32))
        found = [hashed_values(table[name], _CATEGORY + place, bits) for place, name in enumerate(columns.categories)]
        if columns.time:
            parts = calendar(columns.seconds(table)).values()
            found += [hashed_values(pl.Series(part), _CALENDAR + place, bits) for place, part in enumerate(parts)]
        category_NC = np.column_stack(found) if found else np.zeros((table.height, 0), np.int32)
        return cls(ends, term_E, category_NC, scale(_numbers(columns, table)))

    @property
    def parts(self) -> tuple[np.ndarray, ...]:
        """As the compiled loops take them."""
        return self.ends, self.term_E, self.category_NC, self.number_ND


@dataclass(frozen=True)
class Scale:
    """How numbers are brought to one size: the middle of each (D), and the width of its middle half (D)."""

    middle_D: np.ndarray
    width_D: np.ndarray

    @classmethod
    def of(cls, columns: Columns, table: pl.DataFrame) -> "Scale":
        """That of the numbers, and of the time, of these rows; what is missing is passed over."""
        number_ND = _numbers(columns, table)
        number_ND[~np.isfinite(number_ND)] = np.nan
        some = np.isfinite(number_ND).any(axis=0)
        low, middle, high = (np.zeros(number_ND.shape[1]) for _ in range(3))
        spread = np.zeros(number_ND.shape[1])
        if some.any():
            low[some], middle[some], high[some] = np.nanquantile(number_ND[:, some], (0.25, 0.5, 0.75), axis=0)
            spread[some] = np.nanstd(number_ND[:, some], axis=0)
        return cls(middle, np.where(high > low, high - low, np.where(spread > 0, spread, 1.0)))

    def __call__(self, number_ND: np.ndarray) -> np.ndarray:
        """The numbers (float32, N × 2 D): as widths from the middle, 0 where missing; and 1 where missing, else 0."""
        found = np.empty((len(number_ND), 2 * len(self.middle_D)), np.float32)
        linear.scaled(number_ND, self.middle_D, self.width_D, REACH, found)
        return found


def _numbers(columns: Columns, table: pl.DataFrame) -> np.ndarray:
    """The numbers of rows (float64, N × D), days since 1970 last where there is a time; NaN where missing."""
    parts = [table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in columns.numbers]
    if columns.time:
        parts.append(columns.seconds(table) / DAY)
    return np.column_stack(parts) if parts else np.zeros((table.height, 0))
