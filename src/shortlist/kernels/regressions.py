"""Ridge regressions of each item on a few others: who met those, who met this one too?

Shapes: U users, I items, S items of a support, N entries of all supports, R items to solve for, M entries of those who
met a support.
"""

import numpy as np

from shortlist.kernels import compiled


@compiled
def regressed(of_item, user_E, users, of_support, other_N, ridge, item_R, weight_N):
    """Writes the weights w of the support of each item of `item_R`: (XᵀX + ridge) w = Xᵀy, in float64 within.

    The columns of X are those of the support, y that of the item, in a matrix of ones given by items (`of_item`,
    `user_E`); the support of i is `other_N[of_support[i]:of_support[i + 1]]`, and i is not in it.
    """
    largest, most = 0, 0
    for i in item_R:
        met = of_item[i + 1] - of_item[i]
        for n in range(of_support[i], of_support[i + 1]):
            met += of_item[other_N[n] + 1] - of_item[other_N[n]]
        largest, most = max(largest, of_support[i + 1] - of_support[i]), max(most, met)
    member_S = np.empty(largest + 1, np.int32)
    gram_SS = np.empty((largest + 1, largest + 1), np.float64)
    member_M, touched_M, place_M = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most + 1, np.int64)
    next_U = np.zeros(users, np.int64)
    for i in item_R:
        start, size = of_support[i], of_support[i + 1] - of_support[i]
        if size == 0:
            continue
        member_S[:size] = other_N[start : start + size]
        member_S[size] = i
        touched = _by_user(of_item, user_E, member_S[: size + 1], next_U, member_M, touched_M, place_M)
        gram_SS[: size + 1, : size + 1] = 0
        for t in range(touched):
            for a in range(place_M[t], place_M[t + 1]):
                row_S = gram_SS[member_M[a]]
                for b in range(a, place_M[t + 1]):
                    row_S[np.uint32(member_M[b])] += 1
        for s in range(size):
            gram_SS[s, s] += ridge
        _solve(gram_SS, size)
        weight_N[start : start + size] = gram_SS[:size, size]


@compiled
def _by_user(of_item, user_E, member_S, next_U, member_M, touched_M, place_M):
    """Writes for each user who met a member which ones, ascending, from `place_M` on; gives how many users there are.

    `next_U` is zero, before and after.
    """
    touched = 0
    for s in range(len(member_S)):
        for e in range(of_item[member_S[s]], of_item[member_S[s] + 1]):
            u = user_E[e]
            if next_U[u] == 0:
                touched_M[touched] = u
                touched += 1
            next_U[u] += 1
    place = 0
    for t in range(touched):
        place_M[t] = place
        place += next_U[touched_M[t]]
        next_U[touched_M[t]] = place_M[t]
    place_M[touched] = place
    for s in range(len(member_S)):
        for e in range(of_item[member_S[s]], of_item[member_S[s] + 1]):
            u = user_E[e]
            member_M[next_U[u]] = s
            next_U[u] += 1
    for t in range(touched):
        next_U[touched_M[t]] = 0
    return touched


@compiled
def _solve(a_SS, size):
    """Writes x with A x = b over b, the last column; A is positive definite, of `size`, and its upper half is given.

    By Cholesky, four rows at a time; the last column is carried along.
    """
    end = size + 1
    for k in range(0, size, 4):
        for r in range(k, min(k + 4, size)):
            row_S = a_SS[r]
            for q in range(k, r):
                above_S, factor = a_SS[q], a_SS[q, r]
                for j in range(r, end):
                    row_S[j] -= factor * above_S[j]
            scale = 1 / np.sqrt(row_S[r])
            for j in range(r, end):
                row_S[j] *= scale
        if k + 4 < size:
            a_S, b_S, c_S, d_S = a_SS[k], a_SS[k + 1], a_SS[k + 2], a_SS[k + 3]
            for r in range(k + 4, size):
                row_S = a_SS[r]
                a, b, c, d = a_S[r], b_S[r], c_S[r], d_S[r]
                for j in range(r, end):
                    row_S[j] -= a * a_S[j] + b * b_S[j] + c * c_S[j] + d * d_S[j]
    for r in range(size - 1, -1, -1):
        row_S = a_SS[r]
        total = row_S[size]
        for j in range(r + 1, size):
            total -= row_S[j] * a_SS[j, size]
        a_SS[r, size] = total / row_S[r]
