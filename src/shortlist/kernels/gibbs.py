"""Gibbs sampling of a bilinear model: vectors drawn given everything else, and what draws say of pairs.

Shapes: R rows, C columns, F factors, D = F + 1 numbers of a row (its factors and its bias), E entries, J sources, S
draws, N pairs; the entries of row r are `column_E[starts[r] : starts[r + 1]]`.
"""

import numpy as np

from shortlist.kernels import compiled


@compiled
def draw_rows(
    first,
    last,
    starts,
    column_E,
    value_E,
    bias_C,
    x_CD,
    shift_RF,
    mean_RD,
    precision_DD,
    noise,
    normal_RD,
    row_RD,
    gram_RFF,
    left_RF,
):
    """Draws factors and bias for rows `first` to `last` and writes them into `row_RD`.

    A value is (row's factors + shift) · x_c + row's bias + bias_c + noise of precision `noise`; factors and bias are
    normal around the row's mean with `precision_DD` before its entries are seen. The last number of each x_c is 1.

    Into `gram_RFF` goes Σ x xᵀ, and into `left_RF` Σ (what the model leaves of a value) x, the bias left out of x.
    """
    D = x_CD.shape[1]
    F = D - 1
    longest = 0
    for r in range(first, last):
        longest = max(longest, starts[r + 1] - starts[r])
    x_ED, left_E = np.empty((longest, D)), np.empty(longest)
    v_D, p_DD, h_D = np.empty(D), np.empty((D, D)), np.empty(D)
    for r in range(first, last):
        n = starts[r + 1] - starts[r]
        for e in range(n):
            c = column_E[starts[r] + e]
            left_E[e] = value_E[starts[r] + e] - bias_C[c]
            for a in range(D):
                x_ED[e, a] = x_CD[c, a]
        gram_DD, told_D = np.dot(x_ED[:n].T, x_ED[:n]), np.dot(x_ED[:n].T, left_E[:n])
        for a in range(D):
            h_D[a] = told_D[a]
            for f in range(F):
                h_D[a] -= gram_DD[a, f] * shift_RF[r, f]
            h_D[a] *= noise
            for b in range(D):
                h_D[a] += precision_DD[a, b] * mean_RD[r, b]
            for b in range(a + 1):
                p_DD[a, b] = precision_DD[a, b] + noise * gram_DD[a, b]
        _draw(p_DD, h_D, normal_RD[r])
        for a in range(D):
            row_RD[r, a] = h_D[a]
            v_D[a] = h_D[a]
            if a < F:
                v_D[a] += shift_RF[r, a]
        for a in range(F):
            left_RF[r, a] = told_D[a]
            for b in range(D):
                left_RF[r, a] -= gram_DD[a, b] * v_D[b]
            for b in range(F):
                gram_RFF[r, a, b] = gram_DD[a, b]


@compiled
def squares(first, last, starts, column_E, value_E, row_RD, bias_C, x_CF, shift_RF):
    """The sum over the entries of rows `first` to `last` of the squares of what the model leaves of a value."""
    F = x_CF.shape[1]
    total = 0.0
    for r in range(first, last):
        for e in range(starts[r], starts[r + 1]):
            c = column_E[e]
            left = value_E[e] - row_RD[r, F] - bias_C[c]
            for f in range(F):
                left -= (row_RD[r, f] + shift_RF[r, f]) * x_CF[c, f]
            total += left * left
    return total


@compiled
def grams_of_sources(first, last, starts, row_E, share_R, gram_RFF, gram_JFF):
    """Into `gram_JFF`, for the sources `first` to `last`, the sum of their rows' Gram matrices by the squared share."""
    F = gram_RFF.shape[1]
    for j in range(first, last):
        gram_JFF[j] = 0.0
        for e in range(starts[j], starts[j + 1]):
            r = row_E[e]
            w = np.float32(share_R[r] * share_R[r])
            for a in range(F):
                for b in range(F):
                    gram_JFF[j, a, b] += w * gram_RFF[r, a, b]


@compiled
def draw_sources(starts, row_E, share_R, gram_RFF, gram_JFF, left_RF, precision, noise, normal_JF, source_JF, shift_RF):
    """Draws the vector of each source in turn, and moves `shift_RF` and `left_RF` along.

    The shift of a row is the sum of the vectors of its sources times its share; `gram_RFF` and `left_RF` are those of
    `draw_rows`, `gram_JFF` that of `grams_of_sources`. A source is normal around zero with `precision` before it is
    seen.
    """
    J, F = source_JF.shape
    p_FF, h_F, move_F, small_F = np.empty((F, F)), np.empty(F), np.empty(F), np.empty(F, np.float32)
    for j in range(J):
        for a in range(F):
            h_F[a] = 0.0
        for e in range(starts[j], starts[j + 1]):
            r = row_E[e]
            for a in range(F):
                h_F[a] += share_R[r] * left_RF[r, a]
        for a in range(F):
            for b in range(F):
                p_FF[a, b] = gram_JFF[j, a, b]
                h_F[a] += p_FF[a, b] * source_JF[j, b]
                p_FF[a, b] *= noise
            h_F[a] *= noise
            p_FF[a, a] += precision
        _draw(p_FF, h_F, normal_JF[j])
        for a in range(F):
            move_F[a] = h_F[a] - source_JF[j, a]
            small_F[a] = move_F[a]
            source_JF[j, a] = h_F[a]
        for e in range(starts[j], starts[j + 1]):
            r = row_E[e]
            w = share_R[r]
            for a in range(F):
                moved = np.float32(0.0)
                for b in range(F):
                    moved += gram_RFF[r, a, b] * small_F[b]
                left_RF[r, a] -= w * moved
                shift_RF[r, a] += w * move_F[a]


@compiled
def _draw(p_DD, h_D, normal_D):
    """Puts P⁻¹ h + L⁻ᵀ normal into `h_D`, P = L Lᵀ, of which the lower half is read and overwritten with L."""
    D = len(h_D)
    for j in range(D):
        for i in range(j, D):
            v = p_DD[i, j]
            for k in range(j):
                v -= p_DD[i, k] * p_DD[j, k]
            p_DD[i, j] = np.sqrt(v) if i == j else v / p_DD[j, j]
    for i in range(D):
        v = h_D[i]
        for k in range(i):
            v -= p_DD[i, k] * h_D[k]
        h_D[i] = v / p_DD[i, i]
    for i in range(D - 1, -1, -1):
        v = h_D[i] + normal_D[i]
        for k in range(i + 1, D):
            v -= p_DD[k, i] * h_D[k]
        h_D[i] = v / p_DD[i, i]


@compiled
def moments_of_pairs(first, last, user_N, item_N, user_SUD, item_SID, user_SDD, item_SDD, mean_N, square_N):
    """For the pairs `first` to `last` the mean of the scores over the draws, and the mean of their squares.

    The last row of each side is that of a stranger, whose spread (`user_SDD`, `item_SDD`) is added to the squares.
    """
    S, D = user_SUD.shape[0], user_SUD.shape[2]
    F = D - 1
    strange_user, strange_item = user_SUD.shape[1] - 1, item_SID.shape[1] - 1
    for n in range(first, last):
        u, i = user_N[n], item_N[n]
        total, squares = 0.0, 0.0
        for s in range(S):
            x_D, y_D = user_SUD[s, u], item_SID[s, i]
            score = float(x_D[F]) + y_D[F]
            for f in range(F):
                score += float(x_D[f]) * y_D[f]
            total += score
            squares += score * score
            if u == strange_user:
                squares += _spread(user_SDD[s], y_D)
            if i == strange_item:
                squares += _spread(item_SDD[s], x_D)
        mean_N[n], square_N[n] = total / S, squares / S


@compiled
def _spread(cov_DD, x_D):
    """The variance of (x, 1) · v, v of a covariance whose last row is that of the bias."""
    F = len(x_D) - 1
    out = float(cov_DD[F, F])
    for a in range(F):
        out += 2.0 * cov_DD[a, F] * x_D[a]
        for b in range(F):
            out += cov_DD[a, b] * x_D[a] * x_D[b]
    return out
