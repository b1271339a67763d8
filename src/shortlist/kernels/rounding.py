"""Vectors rounded to bytes, and their products: four times the numbers in a register, each with a known error.

x ≈ x̂ = scale · c, c whole and |c| ≤ 127, scale = max |x| / 127. The processor multiplies unsigned with signed bytes, so
an item's c is kept as c + 128, and 128 Σ c of the query is taken off again (its `start`).

Shapes: Q queries, I items, N vectors, F factors (a multiple of 4), B items of a block, P panels of 64 items, W = 64 F.
"""

import numpy as np

from shortlist.kernels import compiled
from shortlist.kernels.vectors import TILE_COLUMNS, TILE_ROWS, tile


@compiled
def norms(vector_NF):
    """The lengths of vectors, rounded up; one that is tiny and not zero is told as 2⁻⁵⁰."""
    norm_N = np.empty(len(vector_NF), np.float32)
    for n in range(len(vector_NF)):
        square = 0.0
        for value in vector_NF[n]:
            square += np.float64(value) * np.float64(value)
        norm_N[n] = np.float32(max(np.sqrt(square) * (1 + 1e-6), 2.0**-50 if square > 0 else 0.0))
    return norm_N


@compiled
def rounded(vector_NF, code_NF, scale_N, length_N, error_N):
    """Writes the codes and scales of vectors, |x̂| and |x - x̂|, both rounded up; `code_NF` may be wider, of zeros."""
    for n in range(len(vector_NF)):
        largest = np.float32(0)
        for value in vector_NF[n]:
            largest = max(largest, abs(value))
        scale = largest / np.float32(127)
        length, error = 0.0, 0.0
        for f in range(vector_NF.shape[1]):
            value = vector_NF[n, f]
            code = min(max(np.rint(value / scale), np.float32(-127)), np.float32(127)) if scale > 0 else np.float32(0)
            code_NF[n, f] = np.int8(code)
            close = np.float64(scale) * np.float64(code)
            length += close * close
            error += (value - close) ** 2
        scale_N[n] = scale
        length_N[n], error_N[n] = np.sqrt(length) * (1 + 1e-6), np.sqrt(error) * (1 + 1e-6)


@compiled
def products(code_QF, start_Q, scale_Q, code_PW, scale_I, first, score_QB):
    """Writes the scores q̂ · î of all queries with the items from `first` on, as many as there are columns.

    Q is a multiple of 4, `first` and B of 64.
    """
    Q, B = score_QB.shape
    for b in range(0, B, TILE_COLUMNS):
        for q in range(0, Q, TILE_ROWS):
            tile(code_QF, start_Q, scale_Q, q, code_PW, scale_I, (first + b) // TILE_COLUMNS, score_QB, b)
