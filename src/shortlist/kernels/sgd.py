"""Factors of ratings by stochastic gradient steps, row by row: one pass over all ratings, on one thread.

Shapes: R rows, C columns, F factors, E ratings, G stretches of time, N pairs; the ratings of row r are
`column_E[starts[r] : starts[r + 1]]`, in the order in which they are gone through. An error counts for at most `reach`.
`penalty_R` and `penalty_C` are λ of a rating of that row and that column; `share` is the step of a bias in steps of a
vector.
"""

import numpy as np

from shortlist.kernels import compiled

ONE = np.float32(1)


@compiled
def descend(rows, starts, column_E, value_E, rate, share, reach, penalty_R, penalty_C, x_RF, y_CF, bias_R, bias_C):
    """One step for each rating of `rows`, of which x_r · y_c + b_r + b_c is expected."""
    F = x_RF.shape[1]
    for r in rows:
        x = x_RF[r]
        keep_x = ONE - min(rate * penalty_R[r], ONE)
        for o in range(starts[r], starts[r + 1]):
            c = column_E[o]
            y = y_CF[c]
            dot = np.float32(0)
            for f in range(F):
                dot += x[f] * y[f]
            error = max(-reach, min(reach, value_E[o] - bias_R[r] - bias_C[c] - dot))
            bias_R[r] += _bias_step(rate * share, error, penalty_R[r], bias_R[r])
            bias_C[c] += _bias_step(rate * share, error, penalty_C[c], bias_C[c])
            step = rate * error
            keep_y = ONE - min(rate * penalty_C[c], ONE)
            for f in range(F):
                old = x[f]
                x[f] = keep_x * old + step * y[f]
                y[f] = keep_y * y[f] + step * old


@compiled
def descend_met(
    rows, starts, column_E, value_E, stretch_E, rate, share, source_share, reach, penalty_R, penalty_C, penalty,
    x_RF, y_CF, source_CF, shift_CF, bias_R, bias_C, bias_G,
):  # fmt: skip
    """One step for each rating of `rows`, of which (x_r + shift_r) · (y_c + shift_c) + b_r + b_c is expected.

    shift_r is the sum of the `source_CF` of the row's columns over the root of their number. It moves with every
    rating as if each source did; the sources follow at the end of the row, in steps of `source_share`, where each is
    also drawn to zero once. `shift_CF` stays. Where there are any, b_g of the rating's stretch (`stretch_E`) is added,
    with λ = `penalty`.
    """
    F = x_RF.shape[1]
    timed = len(bias_G) > 0
    shift, before = np.empty(F, np.float32), np.empty(F, np.float32)
    source_rate = rate * source_share
    for r in rows:
        first, last = starts[r], starts[r + 1]
        root = ONE / np.sqrt(np.float32(last - first))
        _sum_of(source_CF, column_E, first, last, root, shift)
        for f in range(F):
            before[f] = shift[f]
        x = x_RF[r]
        keep_x = ONE - min(rate * penalty_R[r], ONE)
        for o in range(first, last):
            c = column_E[o]
            y, moved = y_CF[c], shift_CF[c]
            dot = np.float32(0)
            for f in range(F):
                dot += (x[f] + shift[f]) * (y[f] + moved[f])
            error = value_E[o] - bias_R[r] - bias_C[c] - dot
            if timed:
                error -= bias_G[stretch_E[o]]
            error = max(-reach, min(reach, error))
            bias_R[r] += _bias_step(rate * share, error, penalty_R[r], bias_R[r])
            bias_C[c] += _bias_step(rate * share, error, penalty_C[c], bias_C[c])
            if timed:
                g = stretch_E[o]
                bias_G[g] += _bias_step(rate * share, error, penalty, bias_G[g])
            step, source_step = rate * error, source_rate * error
            keep_y = ONE - min(rate * penalty_C[c], ONE)
            for f in range(F):
                whole = y[f] + moved[f]
                y[f] = keep_y * y[f] + step * (x[f] + shift[f])
                x[f] = keep_x * x[f] + step * whole
                shift[f] += source_step * whole
        for f in range(F):
            shift[f] = root * (shift[f] - before[f])
        for o in range(first, last):
            source = source_CF[column_E[o]]
            keep = ONE - min(source_rate * penalty_C[column_E[o]], ONE)
            for f in range(F):
                source[f] = keep * source[f] + shift[f]


@compiled
def shifts(rows, starts, column_E, source_CF, shift_RF):
    """Writes into `shift_RF` for each of `rows` the sum of its columns' sources over the root of their number."""
    for r in rows:
        first, last = starts[r], starts[r + 1]
        _sum_of(source_CF, column_E, first, last, ONE / np.sqrt(np.float32(last - first)), shift_RF[r])


@compiled
def _sum_of(source_CF, column_E, first, last, root, out_F):
    """The sum of the sources of `column_E[first:last]`, times `root`."""
    F = len(out_F)
    for f in range(F):
        out_F[f] = 0
    for o in range(first, last):
        source = source_CF[column_E[o]]
        for f in range(F):
            out_F[f] += source[f]
    for f in range(F):
        out_F[f] *= root


@compiled
def _bias_step(rate, error, penalty, bias):
    """How far a bias moves: down the gradient of error² / 2 + λ b² / 2, and by λ never past zero."""
    return rate * error - min(rate * penalty, ONE) * bias


@compiled
def products(first, last, row_N, column_N, x_RF, y_CF, out_N):
    """x_r · y_c of the pairs `first` to `last`."""
    F = x_RF.shape[1]
    for n in range(first, last):
        x, y = x_RF[row_N[n]], y_CF[column_N[n]]
        dot = np.float32(0)
        for f in range(F):
            dot += x[f] * y[f]
        out_N[n] = dot
