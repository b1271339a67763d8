"""Alternating least squares: new vectors for a stretch of rows, the vectors of the other side being fixed.

Shapes: R rows, C columns, F factors, E entries, N entries in hand; the entries of row r are
`column_E[starts[r] : starts[r + 1]]`.
"""

import numpy as np

from shortlist.kernels import compiled

IN_HAND = 1 << 16
"""Numbers of the vectors that are copied side by side: 256 KiB, a share of the second cache."""


@compiled
def solve_rows(first, last, starts, column_E, confidence_E, y_CF, gram_F, penalty_R, unobserved, steps, x_RF):
    """Conjugate gradients, from where `x_RF` stands, for rows `first` to `last`; `x_RF` is overwritten.

    A row's system is (unobserved · diag(gram) + penalty + Σ (c - unobserved) y yᵀ) x = Σ c y over its entries. `y_CF`
    has been turned to make its Gram matrix diagonal: a step then costs what the row's own entries cost, and the
    diagonal is a near perfect preconditioner. At most `steps` steps; a row without entries becomes zero.
    """
    F = y_CF.shape[1]
    room = max(IN_HAND // F // 4 * 4, 4)
    y_NF = np.empty((room, F), np.float32)
    c_N, w_N = np.empty(room, np.float32), np.empty(room, np.float32)
    fixed_F, scale_F, residual_F = np.empty(F, np.float32), np.empty(F, np.float32), np.empty(F, np.float32)
    direction_F, product_F = np.empty(F, np.float32), np.empty(F, np.float32)
    w0 = np.float32(unobserved)
    for r in range(first, last):
        start, n = starts[r], starts[r + 1] - starts[r]
        x_F = x_RF[r]
        if n == 0:
            x_F[:] = 0
            continue
        for f in range(F):
            fixed_F[f] = w0 * gram_F[f] + np.float32(penalty_R[r])
            scale_F[f] = fixed_F[f]
            residual_F[f] = -fixed_F[f] * x_F[f]
        for begin in range(0, n, room):
            there = min(room, n - begin)
            _gather(start + begin, there, column_E, confidence_E, w0, y_CF, y_NF, c_N, w_N)
            _begin(there, y_NF, c_N, w_N, x_F, residual_F, scale_F)
        old = np.float32(0)
        for f in range(F):
            scale_F[f] = np.float32(1) / max(scale_F[f], np.float32(1e-20))
            direction_F[f] = scale_F[f] * residual_F[f]
            old += residual_F[f] * direction_F[f]
        enough = max(old * np.float32(1e-12), np.float32(1e-30))
        for _ in range(steps):
            if not old > enough:
                break
            for f in range(F):
                product_F[f] = fixed_F[f] * direction_F[f]
            for begin in range(0, n, room):
                there = min(room, n - begin)
                if n > room:
                    _gather(start + begin, there, column_E, confidence_E, w0, y_CF, y_NF, c_N, w_N)
                _multiply(there, y_NF, w_N, direction_F, product_F)
            curved = np.float32(0)
            for f in range(F):
                curved += direction_F[f] * product_F[f]
            if not curved > 0:
                break
            length = old / curved
            new = np.float32(0)
            for f in range(F):
                x_F[f] += length * direction_F[f]
                residual_F[f] -= length * product_F[f]
                new += residual_F[f] * scale_F[f] * residual_F[f]
            turn = new / old
            old = new
            for f in range(F):
                direction_F[f] = scale_F[f] * residual_F[f] + turn * direction_F[f]


@compiled
def _gather(start, n, column_E, confidence_E, w0, y_CF, y_NF, c_N, w_N):
    """Copies the vectors and weights of `n` entries side by side, and zeros up to a multiple of four."""
    F = y_CF.shape[1]
    for e in range(n):
        c = column_E[start + e]
        c_N[e] = confidence_E[start + e]
        w_N[e] = c_N[e] - w0
        for f in range(F):
            y_NF[e, f] = y_CF[c, f]
    for e in range(n, (n + 3) // 4 * 4):
        c_N[e], w_N[e] = 0, 0
        for f in range(F):
            y_NF[e, f] = 0


@compiled
def _begin(n, y_NF, c_N, w_N, x_F, residual_F, scale_F):
    """Adds to the residual Σ (c - w y · x) y, and to the diagonal Σ w y², four entries at a time."""
    F = y_NF.shape[1]
    for e in range(0, n, 4):
        s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for f in range(F):
            v = x_F[f]
            s0 += y_NF[e, f] * v
            s1 += y_NF[e + 1, f] * v
            s2 += y_NF[e + 2, f] * v
            s3 += y_NF[e + 3, f] * v
        w0, w1, w2, w3 = w_N[e], w_N[e + 1], w_N[e + 2], w_N[e + 3]
        s0, s1 = c_N[e] - w0 * s0, c_N[e + 1] - w1 * s1
        s2, s3 = c_N[e + 2] - w2 * s2, c_N[e + 3] - w3 * s3
        for f in range(F):
            a, b, c, d = y_NF[e, f], y_NF[e + 1, f], y_NF[e + 2, f], y_NF[e + 3, f]
            residual_F[f] += s0 * a + s1 * b + s2 * c + s3 * d
            scale_F[f] += w0 * a * a + w1 * b * b + w2 * c * c + w3 * d * d


@compiled
def _multiply(n, y_NF, w_N, p_F, product_F):
    """Adds Σ w (y · p) y to the product, four entries at a time."""
    F = y_NF.shape[1]
    for e in range(0, n, 4):
        s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for f in range(F):
            v = p_F[f]
            s0 += y_NF[e, f] * v
            s1 += y_NF[e + 1, f] * v
            s2 += y_NF[e + 2, f] * v
            s3 += y_NF[e + 3, f] * v
        s0, s1, s2, s3 = s0 * w_N[e], s1 * w_N[e + 1], s2 * w_N[e + 2], s3 * w_N[e + 3]
        for f in range(F):
            product_F[f] += s0 * y_NF[e, f] + s1 * y_NF[e + 1, f] + s2 * y_NF[e + 2, f] + s3 * y_NF[e + 3, f]


@compiled
def sum_rows(first, last, starts, column_E, value_E, scale_R, y_CF, out_RF):
    """For rows `first` to `last`: scale · Σ value · y over the row's entries, added to `out_RF`."""
    F = y_CF.shape[1]
    for r in range(first, last):
        for e in range(starts[r], starts[r + 1]):
            c = column_E[e]
            v = value_E[e] * scale_R[r]
            for f in range(F):
                out_RF[r, f] += v * y_CF[c, f]
