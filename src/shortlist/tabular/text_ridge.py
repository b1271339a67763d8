"""Text ridge: ridge regression of several numbers at once on hashed words, held as a sparse matrix.

Terms are words and pairs of words (and with `runs` runs of 3 and 4 characters), weighed by TF-IDF, rows of length one.
Beside the number itself its rank is learnt, as whether it is above each of several of its quantiles: where numbers are
spread over orders of magnitude, or a text tells one end of them apart from the rest, that says more than their mean.
Source: conjugate gradients on the normal equations (Hestenes, Stiefel, 1952); TF-IDF as usual.
Cost: rounds × terms of all texts × numbers, for each fold.

Shapes: N rows, E entries, T terms, M numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.kernels.words import counted
from shortlist.threads import spread

Numbers = Callable[[np.ndarray], np.ndarray]
"""Of the rows (a mask of N) that are learnt from, the numbers that are learnt (float32, their rows × M)."""


class TextRidge(Config):
    """Recipe: how texts are turned into numbers that trees can read."""

    bits: int = Field(22, ge=8, le=26)
    """Terms are told apart by so many bits of their hash."""
    penalty: NonNegativeFloat = 3.0
    """Ridge on the weights, in rows."""
    levels: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    """Quantiles of the number of which it is learnt whether a row is above."""
    rounds: PositiveInt = 15
    """Steps of conjugate gradients at most."""
    min_rows: PositiveInt = 3
    """Rows that a term needs to count."""


@dataclass(frozen=True)
class FittedTextRidge:
    """The terms that count (int32, T, rising), the idf (float32, T) and the weights (float32, T × M) of each, and the
    means (M) that the rest is added to.
    """

    terms: np.ndarray
    idf_T: np.ndarray
    weight_TM: np.ndarray
    mean_M: np.ndarray

    def predict(self, ends: np.ndarray, term_E: np.ndarray) -> np.ndarray:
        """The numbers (float32, N × M) of rows of terms."""
        found: np.ndarray = weighed(ends, term_E, self.terms, self.idf_T) @ self.weight_TM + self.mean_M
        return found.astype(np.float32)


def met_in(ends: np.ndarray, term_E: np.ndarray, recipe: TextRidge) -> tuple[np.ndarray, np.ndarray]:
    """The terms that enough rows have (int32, T, rising), and their idf (float32, T)."""
    row_E = np.repeat(np.arange(len(ends), dtype=np.int32), np.diff(ends, prepend=0))
    last = np.full(2**recipe.bits, -1, np.int32)
    met = np.zeros(2**recipe.bits, np.int32)
    counted(row_E, term_E, last, met)
    terms = np.flatnonzero(met >= recipe.min_rows).astype(np.int32)
    return terms, (np.log((1 + len(ends)) / (1 + met[terms])) + 1).astype(np.float32)


def weighed(ends: np.ndarray, term_E: np.ndarray, terms: np.ndarray, idf_T: np.ndarray) -> sparse.csr_array:
    """The TF-IDF of rows (float32, N × T), each of length one; of what no known term is in, of length zero."""
    place = np.searchsorted(terms, term_E).astype(np.int32)
    known = place < len(terms)
    known[known] = terms[place[known]] == term_E[known]
    starts = np.concatenate([[0], np.cumsum(known)])[np.concatenate([[0], ends])]
    entries = np.ones(int(starts[-1]), np.float32), place[known], starts
    found = sparse.csr_array(entries, shape=(len(ends), len(terms)))
    found.sum_duplicates()
    found.data = (1 + np.log(found.data)) * idf_T[found.indices]
    length = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    found.data /= np.repeat(np.where(length > 0, length, 1), np.diff(found.indptr))
    return found.astype(np.float32)


def ranked(number_N: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """The number and whether it is above its quantiles, each in deviations (float32, N × M)."""
    above = [number_N > cut for cut in (np.unique(np.quantile(number_N, levels)) if levels else ())]
    both = np.column_stack([number_N, *above]).astype(np.float64)
    spread_M = both.std(axis=0)
    return (both / np.where(spread_M > 0, spread_M, 1)).astype(np.float32)


def ridge(x_NT: sparse.csr_array, y_NM: np.ndarray, penalty: float, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """The weights (float32, T × M) and means (float32, M) of each number, by conjugate gradients on all at once."""
    mean_M = y_NM.mean(axis=0)
    back_TN = x_NT.T.tocsr()
    left = back_TN @ (y_NM - mean_M)
    weight = np.zeros_like(left)
    way, size = left.copy(), np.einsum("tm,tm->m", left, left)
    enough = size * 1e-6
    for _ in range(rounds):
        turned = back_TN @ (x_NT @ way) + penalty * way
        share = size / np.maximum(np.einsum("tm,tm->m", way, turned), 1e-30)
        weight += share * way
        left -= share * turned
        now = np.einsum("tm,tm->m", left, left)
        if (now <= enough).all():
            break
        way = left + (now / np.maximum(size, 1e-30)) * way
        size = now
    return weight.astype(np.float32), mean_M.astype(np.float32)


def fitted(
    recipe: TextRidge, ends: np.ndarray, term_E: np.ndarray, fold_N: np.ndarray, numbers: Numbers
) -> tuple[FittedTextRidge, np.ndarray]:
    """What was learnt of all rows, and what each row is expected to be by those of the other folds (float32, N × M)."""
    terms, idf_T = met_in(ends, term_E, recipe)
    x_NT = weighed(ends, term_E, terms, idf_T)
    folds = [*range(int(fold_N.max()) + 1), -1]

    def learn(start: int, _: int) -> tuple[np.ndarray, np.ndarray]:
        others = fold_N != folds[start]
        return ridge(x_NT[others], numbers(others), recipe.penalty, recipe.rounds)

    learnt = spread(learn, [(place, place + 1) for place in range(len(folds))])
    told = np.zeros((len(ends), learnt[-1][0].shape[1]), np.float32)
    for fold, (weight_TM, mean_M) in zip(folds[:-1], learnt, strict=False):
        told[fold_N == fold] = x_NT[fold_N == fold] @ weight_TM + mean_M
    return FittedTextRidge(terms, idf_T, *learnt[-1]), told
