"""Stochastic gradient steps over ratings, a user after the other: factors, biases, and what users met.

Shapes: U users, I items, E ratings, F factors; user u has the ratings `starts[u]` to `starts[u + 1]`. All float32.
"""

import numpy as np

from shortlist.kernels import compiled


@compiled
def epoch(order, starts, item_E, value_E, rate, weight, bias_weight, p_UF, q_IF, b_U, c_I):
    """A step for each rating r of (u, i), users in `order`: e = r - b_u - c_i - p_u · q_i, and

    b_u += rate (e - bias_weight b_u), c_i alike; p_u += rate (e q_i - weight p_u), q_i alike, of the values before.
    """
    F = p_UF.shape[1]
    for u in order:
        for n in range(starts[u], starts[u + 1]):
            i = item_E[n]
            e = value_E[n] - b_U[u] - c_I[i]
            for f in range(F):
                e -= p_UF[u, f] * q_IF[i, f]
            b_U[u] += rate * (e - bias_weight * b_U[u])
            c_I[i] += rate * (e - bias_weight * c_I[i])
            for f in range(F):
                p, q = p_UF[u, f], q_IF[i, f]
                p_UF[u, f] = p + rate * (e * q - weight * p)
                q_IF[i, f] = q + rate * (e * p - weight * q)


@compiled
def epoch_with_met(order, starts, item_E, value_E, rate, weight, bias_weight, p_UF, q_IF, b_U, c_I, y_IF):
    """The same with p_u + Σ_{j met by u} y_j / √n in the place of p_u, where each step moves all of these y_j too:

    y_j += rate (e q_i / √n - weight y_j). Between the ratings of a user all of them move by the same but for a factor,
    so their sum is moved in a step, and each of them once, by what all steps of the user came to: the numbers are those
    of steps one by one.
    """
    F = p_UF.shape[1]
    sum_F, moved_F = np.empty(F, np.float32), np.empty(F, np.float32)
    keep = np.float32(1) - rate * weight
    for u in order:
        count = starts[u + 1] - starts[u]
        if count == 0:
            continue
        share = np.float32(1 / np.sqrt(count))
        for f in range(F):
            sum_F[f] = 0
            moved_F[f] = 0
        for n in range(starts[u], starts[u + 1]):
            for f in range(F):
                sum_F[f] += y_IF[item_E[n], f]
        for f in range(F):
            sum_F[f] *= share
        kept = np.float32(1)
        for n in range(starts[u], starts[u + 1]):
            i = item_E[n]
            e = value_E[n] - b_U[u] - c_I[i]
            for f in range(F):
                e -= (p_UF[u, f] + sum_F[f]) * q_IF[i, f]
            b_U[u] += rate * (e - bias_weight * b_U[u])
            c_I[i] += rate * (e - bias_weight * c_I[i])
            kept *= keep
            for f in range(F):
                p, q, s = p_UF[u, f], q_IF[i, f], sum_F[f]
                p_UF[u, f] = p + rate * (e * q - weight * p)
                q_IF[i, f] = q + rate * (e * (p + s) - weight * q)
                sum_F[f] = keep * s + rate * e * q
                moved_F[f] = keep * moved_F[f] + rate * e * q * share
        for n in range(starts[u], starts[u + 1]):
            for f in range(F):
                y_IF[item_E[n], f] = kept * y_IF[item_E[n], f] + moved_F[f]
