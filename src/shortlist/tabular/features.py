"""Features: what trees read of a row: its numbers, its time, and what others of its categories and words had.

Shapes: N rows, P features.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from shortlist.progress import step
from shortlist.tabular import text_ridge
from shortlist.tabular.category_means import CategoryMeans, placed
from shortlist.tabular.columns import DAY, Columns, coded, plain_texts
from shortlist.tabular.terms import calendar, hashed_words, joined
from shortlist.tabular.text_ridge import FittedTextRidge, TextRidge

FOLDS = 5
"""Parts of the rows; what others had is told without a row's own."""
CROSSED = 4
"""Categories up to which each two of them are looked at together."""
AS_THEY_ARE = 1_000
"""Values up to which a category is a feature as it is too."""
VIEWS = (False, True)
"""Texts are read by their words, and by runs of characters too."""
_SIGNS = {
    "characters": None, "spaces": " ", "capitals": r"\p{Lu}", "digits": r"\d", "question marks": r"\?",
    "exclamation marks": "!", "brackets": r"[\[(]", "quotes": "[\"“”]", "beyond ASCII": r"[^\x00-\x7f]",
}  # fmt: skip


@dataclass(frozen=True)
class Features:
    """What was learnt of rows to tell of others."""

    columns: Columns
    ridge: TextRidge
    means: tuple[CategoryMeans, ...]
    known: Mapping[str, pl.DataFrame]
    """The `value`s of categories that are features as they are, and their `place`s."""
    texts: tuple[FittedTextRidge, ...]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    """The columns that each feature is made of, separated by " x "."""

    @property
    def categories(self) -> tuple[int, ...]:
        """The features that are numbers of categories."""
        return tuple(place for place, name in enumerate(self.names) if name in self.known)

    def of_new(self, table: pl.DataFrame) -> np.ndarray:
        """The features (float32, N × P) of rows that were not learnt from."""
        time_N = self.columns.seconds(table) if self.columns.time else None
        told = [means.of_new(table, time_N) for means in self.means]
        if self.texts:
            views = zip(self.texts, VIEWS, strict=True)
            told += [text.predict(*_terms(self.columns, table, self.ridge, runs)) for text, runs in views]
        told += [values for _, _, values in _plain(self.columns, self.known, table)]
        return np.column_stack(told).astype(np.float32)


def learnt(
    columns: Columns, ridge: TextRidge, table: pl.DataFrame, target_N: np.ndarray, random: np.random.Generator
) -> tuple[Features, np.ndarray]:
    """What was learnt of all rows, and their own features (float32, N × P), each without its own number."""
    fold_N = random.permutation(table.height) % FOLDS
    time_N = columns.seconds(table) if columns.time else None
    keys: list[tuple[str, ...]] = [(name,) for name in columns.categories]
    crossed = combinations(columns.categories, 2) if len(columns.categories) <= CROSSED else ()
    names: list[str] = []
    sources: list[str] = []
    told: list[np.ndarray] = []
    means = []
    with step("means of categories"):
        for key in [*keys, *crossed]:
            mean = CategoryMeans.fit(key, table, target_N, time_N if len(key) == 1 else None)
            means.append(mean)
            told.append(mean.of_training(table, target_N, time_N, fold_N))
            names += mean.names
            sources += [" x ".join(key)] * len(mean.names)
    known = {name: _known(table[name]) for name in columns.categories if table[name].n_unique() <= AS_THEY_ARE}
    texts = []
    if columns.texts:
        numbers = _Numbers(table, target_N, _closest([mean for mean in means if len(mean.columns) == 1]), ridge)
        for runs in VIEWS:
            with step("runs of characters" if runs else "words"):
                found, own = text_ridge.fitted(ridge, *_terms(columns, table, ridge, runs), fold_N, numbers)
            texts.append(found)
            told.append(own)
            what = "runs" if runs else "words"
            key = " x ".join(columns.texts)
            names += [f"{key}: {what} {place}" for place in range(own.shape[1])]
            sources += [key] * own.shape[1]
    for name, source, values in _plain(columns, known, table):
        names.append(name)
        sources.append(source)
        told.append(values)
    made = Features(columns, ridge, tuple(means), known, tuple(texts), tuple(names), tuple(sources))
    return made, np.column_stack(told).astype(np.float32)


@dataclass(frozen=True)
class _Numbers:
    """What texts are to tell: the number, its rank, and what is left of it after the category that says the most."""

    table: pl.DataFrame
    target_N: np.ndarray
    key: str | None
    ridge: TextRidge

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        number = self.target_N[rows]
        told = text_ridge.ranked(number, self.ridge.levels)
        if self.key is None:
            return told
        mean = CategoryMeans.fit((self.key,), self.table.filter(rows), number, None)
        left = number - mean.of_new(self.table.filter(rows), None)[:, 0]
        return np.column_stack([told, left / (left.std() or 1.0)]).astype(np.float32)


def _closest(means: Sequence[CategoryMeans]) -> str | None:
    """The category whose means differ the most, by rows."""

    def explained(mean: CategoryMeans) -> float:
        held = mean.sum_V / np.maximum(mean.count_V + 1, 1)
        return float(np.average((held - mean.prior) ** 2, weights=mean.count_V))

    return max(means, key=explained).columns[0] if means else None


def _known(column: pl.Series) -> pl.DataFrame:
    values = coded([column]).unique().sort()
    return pl.DataFrame({"value": values, "place": np.arange(len(values))})


def _terms(columns: Columns, table: pl.DataFrame, ridge: TextRidge, runs: bool) -> tuple[np.ndarray, np.ndarray]:
    parts = [hashed_words(table[name], salt, ridge.bits, runs=runs) for salt, name in enumerate(columns.texts, 1)]
    return joined(parts)


def _plain(
    columns: Columns, known: Mapping[str, pl.DataFrame], table: pl.DataFrame
) -> Iterator[tuple[str, str, np.ndarray]]:
    """The other features: the name of each, its column, and its values."""
    for name in columns.numbers:
        yield name, name, table[name].cast(pl.Float32).fill_null(np.nan).to_numpy()
    for name, values in known.items():
        place_N = placed(values, coded([table[name]]))
        yield name, name, np.where(place_N < 0, np.nan, place_N)
    for name in columns.texts:
        text = plain_texts(table[name])
        for sign, pattern in _SIGNS.items():
            counted = text.str.count_matches(pattern) if pattern else text.str.len_chars()
            yield f"{name}: {sign}", name, counted.to_numpy()
    if columns.time:
        second_N = columns.seconds(table)
        for part, values_N in {"day": second_N / DAY, **calendar(second_N)}.items():
            yield f"{columns.time}: {part}", columns.time, values_N
