"""The k best items by score(q, j) = Σ_i h(q, i) W(i, j), h the history of a query: scored and selected in one pass.

A score is the sum in the order of the history, whatever else is asked with it. Ties go to the smaller item. Histories
(`of_query`, `item_H`, `weight_H`) and barred items (`of_barred`, `barred_N`) are rows of CSR matrices, ascending.

Shapes: Q queries, I items, H entries of the histories, W entries of a sparse W, C columns of a dense one, B items of a
block, K answers.
"""

import numpy as np

from shortlist.kernels import compiled
from shortlist.kernels.ordering import LOWEST, best_first, key, number_of, score_of, to_front
from shortlist.kernels.vectors import above, add_rows, lowest_bit

COLUMNS = 64
"""Columns of a dense W that are taken at a time."""
_SPARSE = 8
"""As in `neighbours`: fewer additions than I / _SPARSE are remembered."""


@compiled
def best_by_sparse(
    of_query, item_H, weight_H, of_item, other_W, value_W, of_barred, barred_N, open_I, start, end, best_QK, score_QK
):
    """Writes the best of queries `start` to `end` by a sparse W (`of_item`, `other_W`, `value_W`).

    Only items whose score is not zero and that are open are answered; where they end, `best_QK` stays as it is.
    """
    I, k = len(open_I), best_QK.shape[1]
    sum_I = np.zeros((I + COLUMNS - 1) // COLUMNS * COLUMNS, np.float32)
    no_error_I = np.zeros(len(sum_I), np.float32)
    touched_I = np.empty(I, np.int32)
    key_C = np.empty(2 * k + COLUMNS, np.int64)
    for q in range(start, end):
        first, last = of_query[q], of_query[q + 1]
        cost = 0
        for h in range(first, last):
            cost += of_item[item_H[h] + 1] - of_item[item_H[h]]
        few, touched = cost * _SPARSE < I, 0
        for h in range(first, last):
            weight = weight_H[h]
            for w in range(of_item[item_H[h]], of_item[item_H[h] + 1]):
                j = np.uint32(other_W[w])
                if few and sum_I[j] == 0:
                    touched_I[touched] = j
                    touched += 1
                sum_I[j] += weight * value_W[w]
        for n in range(of_barred[q], of_barred[q + 1]):
            sum_I[barred_N[n]] = 0
        count, least, worst = 0, LOWEST, np.float32(-np.inf)
        if few:
            for place in range(touched):
                j = touched_I[place]
                if sum_I[j] != 0 and open_I[j]:
                    count, least, worst = _admitted(key_C, count, least, worst, sum_I[j], j, k)
                sum_I[j] = 0
        else:
            for block in range(0, len(sum_I), COLUMNS):
                bits = above(sum_I, no_error_I, block, np.float32(0), worst)
                while bits:
                    j = block + lowest_bit(bits)
                    bits &= bits - np.uint64(1)
                    if sum_I[j] != 0 and open_I[j]:
                        count, least, worst = _admitted(key_C, count, least, worst, sum_I[j], j, k)
            sum_I[:] = 0
        _write(key_C, count, k, best_QK[q], score_QK[q])


@compiled
def best_by_dense(
    of_query,
    item_H,
    weight_H,
    w_IC,
    column,
    first,
    of_barred,
    barred_N,
    at_Q,
    open_I,
    start,
    end,
    key_QC,
    count_Q,
    least_Q,
    k,
):
    """Admits to the buffers of queries `start` to `end` what a block of columns of a dense W may have for the best.

    The block are the `COLUMNS` columns of `w_IC` from `column` on, of the items from `first` on; those beyond the last
    item may hold anything. `at_Q` is where in `barred_N` the block's items begin, and moves on. `at_Q` and the buffers
    are of these queries alone.
    """
    sum_B = np.empty(COLUMNS, np.float32)
    no_error_B = np.zeros(COLUMNS, np.float32)
    for n in range(end - start):
        q = start + n
        add_rows(item_H, weight_H, np.int64(of_query[q]), np.int64(of_query[q + 1]), w_IC, column, sum_B)
        at, last = at_Q[n], of_barred[q + 1]
        while at < last and barred_N[at] < first + COLUMNS:
            sum_B[barred_N[at] - first] = 0
            at += 1
        at_Q[n] = at
        count, least = count_Q[n], least_Q[n]
        worst = score_of(least) if least > LOWEST else np.float32(-np.inf)
        bits = above(sum_B, no_error_B, 0, np.float32(0), worst)
        while bits:
            b = lowest_bit(bits)
            bits &= bits - np.uint64(1)
            if sum_B[b] != 0 and first + b < len(open_I) and open_I[first + b]:
                count, least, worst = _admitted(key_QC[n], count, least, worst, sum_B[b], first + b, k)
        count_Q[n], least_Q[n] = count, least


@compiled
def write_best(key_QC, count_Q, start, end, best_QK, score_QK):
    """Writes what the buffers of queries `start` to `end` hold, best first."""
    for n in range(end - start):
        _write(key_QC[n], count_Q[n], best_QK.shape[1], best_QK[start + n], score_QK[start + n])


@compiled
def _admitted(key_C, count, least, worst, score, item, k):
    """The buffer's count, its k-th largest key as far as is known, and that key's score, after one more score."""
    found = key(score, item)
    if found <= least:
        return count, least, worst
    if count == len(key_C):
        least = to_front(key_C, count, k)
        count, worst = k, score_of(least)
        if found <= least:
            return count, least, worst
    key_C[count] = found
    return count + 1, least, worst


@compiled
def _write(key_C, count, k, best_K, score_K):
    ordered_K = best_first(key_C, count, k)
    for place in range(len(ordered_K)):
        best_K[place] = number_of(ordered_K[place])
        score_K[place] = score_of(ordered_K[place])
