"""Which items go together: a row of the sparse product XᵀSX at a time (Gustavson, ACM TOMS 1978), its best kept.

X is a matrix of ones in two forms: by users (`of_user`, `item_E`) and by items (`of_item`, `user_E`), both ascending.
S is diagonal: how much a user's voice counts.

Shapes: U users, I items, E entries, R rows to compute, C places of a buffer.
"""

import numpy as np

from shortlist.kernels import compiled
from shortlist.kernels.ordering import LOWEST, key, score_of, to_front, write_by_number

_SPARSE = 8
"""A row of fewer than I / _SPARSE additions is looked through where something was added, others as a whole."""


@compiled
def additions(of_user, of_item, user_E):
    """How many additions each row of the product takes."""
    cost_I = np.zeros(len(of_item) - 1, np.int64)
    for i in range(len(cost_I)):
        for e in range(of_item[i], of_item[i + 1]):
            cost_I[i] += of_user[user_E[e] + 1] - of_user[user_E[e]]
    return cost_I


@compiled
def most_alike(
    of_user, item_E, of_item, user_E, voice_U, norm_I, shrinkage, row_R, cost_I, n, start_R, alike_K, score_K, count_R
):
    """Writes for each row i the at most `n` other items j of the highest (XᵀSX)_ij / (norm_i norm_j + shrinkage).

    Those of row `row_R[r]` stand from `start_R[r]` on, as many as `count_R[r]`, in the order of the items. What shares
    no user with i is none of them.
    """
    I = len(norm_I)
    sum_I = np.zeros(I, np.float64)
    touched_I = np.empty(I, np.int32)
    key_C = np.empty(2 * n + 64, np.int64)
    for r in range(len(row_R)):
        i = row_R[r]
        few = cost_I[i] * _SPARSE < I
        touched = 0
        for e in range(of_item[i], of_item[i + 1]):
            u = user_E[e]
            voice = voice_U[u]
            if few:
                for f in range(of_user[u], of_user[u + 1]):
                    j = np.uint32(item_E[f])
                    if sum_I[j] == 0:
                        touched_I[touched] = j
                        touched += 1
                    sum_I[j] += voice
            else:
                for f in range(of_user[u], of_user[u + 1]):
                    sum_I[np.uint32(item_E[f])] += voice
        sum_I[i] = 0
        count, least, worst = 0, LOWEST, np.float32(-np.inf)
        for place in range(touched if few else I):
            j = touched_I[place] if few else place
            if sum_I[j] == 0:
                continue
            score = np.float32(sum_I[j] / (norm_I[i] * norm_I[j] + shrinkage))
            sum_I[j] = 0
            if score < worst:
                continue
            k = key(score, j)
            if k <= least:
                continue
            if count == len(key_C):
                least = to_front(key_C, count, n)
                count, worst = n, score_of(least)
            key_C[count] = k
            count += 1
        if count > n:
            to_front(key_C, count, n)
            count = n
        write_by_number(key_C, count, alike_K[start_R[r] :], score_K[start_R[r] :])
        count_R[r] = count


@compiled
def together(of_user, item_E, of_item, user_E, place_E, voice_U, start, end, product_II):
    """Writes the rows `start` to `end` of XᵀSX up to the diagonal into a dense matrix.

    `place_E` says for each entry of X by items where the same entry stands in X by users.
    """
    sum_I = np.zeros(product_II.shape[1], np.float64)
    for i in range(start, end):
        sum_I[: i + 1] = 0
        for e in range(of_item[i], of_item[i + 1]):
            u = user_E[e]
            voice = voice_U[u]
            for f in range(of_user[u], place_E[e] + 1):
                sum_I[np.uint32(item_E[f])] += voice
        product_II[i, : i + 1] = sum_I[: i + 1]
