"""Alternating least squares on arrays: what `ALS` computes, step by step. See `als.py` for the loss.

Before every half step both sides are turned so that the Gram matrix of the fixed one is diagonal. No score changes; a
step of conjugate gradients then costs what the row's own entries cost, and its preconditioner is near perfect.

Shapes: R rows to solve for, C columns that are fixed, U users, I items, F factors.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import sparse

from shortlist.threads import blocks, cores, one_blas_thread, spread

ROWS_AT_ONCE = 16_384
"""Rows of a matrix product that one thread takes at a time."""
PARTS = 8
"""Stretches of rows for each core, of equal cost, so that none waits long for another."""
START = 0.05
"""The root mean square of a number of the start: near what comes out, so that no half step is spent on growing."""
OVERSAMPLED = 8
"""Directions that the random projection has beyond those that are kept."""


@dataclass(frozen=True)
class Loss:
    """The parameters of the loss: `regularization` λ, `frequency` ν, and w, what an `unobserved` cell weighs."""

    regularization: float
    frequency: float
    unobserved: float

    def penalties(self, matrix_RC: sparse.csr_array, mean: float | None = None) -> np.ndarray:
        """λ of each row (float32); `mean` is the number of entries of a mean row, where these rows do not say it."""
        counts = np.diff(matrix_RC.indptr)
        mean = mean_entries(matrix_RC) if mean is None else mean
        empty = self.unobserved * matrix_RC.shape[1]
        relative = (counts + empty) / max(mean + empty, np.finfo(np.float64).tiny)
        return np.asarray(self.regularization * relative**self.frequency, dtype=np.float32)

    def value(self, confident_UI: sparse.csr_array, x_UF: np.ndarray, y_IF: np.ndarray) -> float:
        """The loss itself, in float64."""
        x, y = x_UF.astype(np.float64), y_IF.astype(np.float64)
        rows = np.repeat(np.arange(len(x)), np.diff(confident_UI.indptr))
        total = self.unobserved * float(((x.T @ x) * (y.T @ y)).sum())
        for start, end in blocks(confident_UI.nnz, 1_000_000):
            s = np.einsum("ef,ef->e", x[rows[start:end]], y[confident_UI.indices[start:end]])
            c = confident_UI.data[start:end].astype(np.float64)
            total += float((c * (1 - s) ** 2 - self.unobserved * s**2).sum())
        total += float(self.penalties(confident_UI) @ (x**2).sum(axis=1))
        total += float(self.penalties(confident_UI.T.tocsr()) @ (y**2).sum(axis=1))
        return float(total)


def mean_entries(matrix_RC: sparse.csr_array) -> float:
    """Entries of a mean row among those that have any; 0 where none has."""
    return float(matrix_RC.nnz / max(int((np.diff(matrix_RC.indptr) > 0).sum()), 1))


def half_step(
    loss: Loss,
    confident_RC: sparse.csr_array,
    penalty_R: np.ndarray,
    y_CF: np.ndarray,
    x_RF: np.ndarray,
    steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Both sides after the rows have been solved for: the columns' vectors, turned, and the rows' new ones."""
    y_CF, x_RF, gram_F = turned(y_CF, x_RF)
    solve(loss, confident_RC, penalty_R, y_CF, gram_F, x_RF, steps)
    return y_CF, x_RF


def solve(
    loss: Loss,
    confident_RC: sparse.csr_array,
    penalty_R: np.ndarray,
    y_CF: np.ndarray,
    gram_F: np.ndarray,
    x_RF: np.ndarray,
    steps: int,
) -> None:
    """`steps` of conjugate gradients for every row from where `x_RF` stands, which is overwritten."""
    from shortlist.kernels.least_squares import solve_rows

    starts, columns, values = confident_RC.indptr, confident_RC.indices, confident_RC.data

    def work(first: int, last: int) -> None:
        solve_rows(first, last, starts, columns, values, y_CF, gram_F, penalty_R, loss.unobserved, steps, x_RF)

    spread(work, _stretches(starts))


def turned(y_CF: np.ndarray, x_RF: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both sides in the directions in which the first has a diagonal Gram matrix, and its diagonal; products stay."""
    with one_blas_thread():
        gram_F, turn_FF = np.linalg.eigh(_gram(y_CF))
    turn_FF = turn_FF[:, ::-1].astype(np.float32)
    return _product(y_CF, turn_FF), _product(x_RF, turn_FF), np.maximum(gram_F[::-1], 0).astype(np.float32)


def start(
    matrix_UI: sparse.csr_array, matrix_IU: sparse.csr_array, factors: int, random: np.random.Generator
) -> np.ndarray:
    """Item vectors (I × F, float32) to start from.

    The singular vectors of the matrix with its entries set to 1 / √(n_u n_i), times the root of an item's number of
    pairs, every direction scaled to the same length: found by random projection and one power iteration. Where the
    matrix has fewer than F directions, the missing ones are random.
    """
    n_U, n_I = (np.maximum(np.diff(m.indptr), 1).astype(np.float32) ** -0.5 for m in (matrix_UI, matrix_IU))
    a_UI = (matrix_UI.indptr, matrix_UI.indices, n_I[matrix_UI.indices], n_U)
    a_IU = (matrix_IU.indptr, matrix_IU.indices, n_U[matrix_IU.indices], n_I)
    wide = min(factors + OVERSAMPLED, *matrix_UI.shape)
    basis_IF = random.standard_normal((matrix_UI.shape[1], wide), dtype=np.float32)
    basis_IF = _orthonormal(_sums(*a_IU, _sums(*a_UI, basis_IF)))
    _, turned_IF, _ = turned(_sums(*a_UI, basis_IF), basis_IF)
    y_IF = np.empty((matrix_UI.shape[1], factors), np.float32)
    np.divide(turned_IF[:, :factors], n_I[:, None], out=y_IF[:, :wide])
    y_IF[:, wide:] = random.standard_normal((len(y_IF), max(factors - wide, 0)), dtype=np.float32)
    length_F = np.sqrt(np.einsum("if,if->f", y_IF, y_IF, dtype=np.float64))
    y_IF *= (START * len(y_IF) ** 0.5 / np.maximum(length_F, 1e-12)).astype(np.float32)
    return y_IF


def _sums(
    starts: np.ndarray, columns: np.ndarray, value: np.ndarray, scale_R: np.ndarray, y_CF: np.ndarray
) -> np.ndarray:
    from shortlist.kernels.least_squares import sum_rows

    out_RF = np.zeros((len(starts) - 1, y_CF.shape[1]), np.float32)
    spread(lambda first, last: sum_rows(first, last, starts, columns, value, scale_R, y_CF, out_RF), _stretches(starts))
    return out_RF


def _orthonormal(y_CF: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the columns, by their Gram matrix; directions of no length become zero."""
    out_CF, _, gram_F = turned(y_CF, y_CF[:0])
    small = gram_F <= gram_F.max(initial=0) * 1e-6
    out_CF *= np.where(small, 0, 1 / np.sqrt(np.where(small, 1, gram_F))).astype(np.float32)
    return out_CF


def _gram(y_CF: np.ndarray) -> np.ndarray:
    parts = spread(lambda a, b: (y_CF[a:b].T @ y_CF[a:b]).astype(np.float64), blocks(len(y_CF), ROWS_AT_ONCE))
    return np.asarray(sum(parts, start=np.zeros((y_CF.shape[1],) * 2)))


def _product(y_CF: np.ndarray, turn_FF: np.ndarray) -> np.ndarray:
    out_CF = np.empty((len(y_CF), turn_FF.shape[1]), np.float32)
    spread(lambda a, b: np.matmul(y_CF[a:b], turn_FF, out=out_CF[a:b]), blocks(len(y_CF), ROWS_AT_ONCE))
    return out_CF


def _stretches(starts: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of rows of about equal cost: their entries, and two more each for what a row costs anyway."""
    rows = len(starts) - 1
    cost = np.asarray(starts, dtype=np.int64) + 2 * np.arange(rows + 1)
    shares = np.linspace(0, cost[-1], PARTS * cores() + 1)[1:-1]
    cuts = np.unique([0, *np.searchsorted(cost, shares), rows]).tolist()
    return list(pairwise(cuts))
