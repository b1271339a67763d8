"""The best k of many scores that are known up to an error: admit, compress, settle.

A score a with error e lies in [a - e, a + e]. The k-th largest lower end that a query has met is its threshold: an item
whose upper end does not exceed it is beaten by k others. Items come in ascending order and a tie goes to the smaller
item, so an equal score is beaten too. What may still be among the best is kept in a buffer; where it is full, the
threshold is raised, and where that does not empty it, because nearly everything is equal, its items are scored exactly.

The bounds of errors must leave room for the rounding of the few sums here, which are in float32.

Shapes: Q queries, I items, B items of a block, F factors, C places of a buffer, K answers.
"""

import numpy as np

from shortlist.kernels import compiled
from shortlist.kernels.vectors import above, lowest_bit

CHUNK = 64
"""Items that are looked at together. B is a multiple of it, and C at least 2 k + 2 CHUNK."""


@compiled
def admit(
    score_QB, first, error_I, norm_Q, barred_QN, barred, query_QF, item_IF, k, threshold_Q, count_Q, item_QC, score_QC
):
    """Takes what may be among the best `k` from a block of scores, whose first column is item `first`, into buffers.

    The error of a score is `norm_Q · error_I`. `barred[barred_QN[q, 0]:barred_QN[q, 1]]` are the items that query `q`
    must not get, ascending, from `first` on; the start moves on. Without factors the scores are exact as they are.
    Gives the number of scores that were computed exactly.
    """
    Q, B = score_QB.shape
    C = item_QC.shape[1]
    lower_C = np.empty(C, np.float32)
    error_B = error_I[first : first + B]
    computed = 0
    for q in range(Q):
        row_B = score_QB[q]
        at, end = barred_QN[q]
        while at < end and barred[at] < first + B:
            row_B[barred[at] - first] = -np.inf
            at += 1
        barred_QN[q, 0] = at
        norm, threshold, count = norm_Q[q], threshold_Q[q], count_Q[q]
        for start in range(0, B, CHUNK):
            bits = above(row_B, error_B, start, norm, threshold)
            if bits == 0:
                continue
            if count + CHUNK > C:
                count, threshold, more = _compressed(
                    item_QC[q], score_QC[q], count, threshold, norm, error_I, query_QF[q], item_IF, k, lower_C
                )
                computed += more
            while bits:
                b = start + lowest_bit(bits)
                item_QC[q, count] = first + b
                score_QC[q, count] = row_B[b]
                count += 1
                bits &= bits - np.uint64(1)
        threshold_Q[q], count_Q[q] = threshold, count
    return computed


@compiled
def settle(norm_Q, error_I, query_QF, item_IF, k, threshold_Q, count_Q, item_QC, score_QC, best_QK, best_score_QK):
    """Writes the best `k` of what was admitted, best first; places beyond their number stay as they are.

    Gives the number of scores that were computed exactly.
    """
    lower_C = np.empty(item_QC.shape[1], np.float32)
    computed = 0
    for q in range(len(item_QC)):
        item_C, score_C = item_QC[q], score_QC[q]
        count, _ = _raised(item_C, score_C, count_Q[q], threshold_Q[q], norm_Q[q], error_I, k, lower_C)
        exact_N = exact(query_QF[q], item_IF, item_C[:count], score_C)
        _rank(item_C[:count], exact_N, best_QK[q], best_score_QK[q])
        computed += count
    return computed


@compiled
def settle_all(query_QF, item_IF, item_QC, count_Q, best_QK, best_score_QK):
    """Writes the best of the first `count_Q` items of each row, which ascend, by their exact scores."""
    unused_N = np.empty(0, np.float32)
    for q in range(len(item_QC)):
        item_N = item_QC[q, : count_Q[q]]
        _rank(item_N, exact(query_QF[q], item_IF, item_N, unused_N), best_QK[q], best_score_QK[q])


@compiled
def _rank(item_N, exact_N, best_K, best_score_K):
    order_N = np.argsort(-exact_N, kind="mergesort")
    for place in range(min(len(best_K), len(order_N))):
        best_K[place] = item_N[order_N[place]]
        best_score_K[place] = exact_N[order_N[place]]


@compiled
def exact(query_F, item_IF, item_N, score_N):
    """The scores of some items in float64; those given where there are no factors."""
    exact_N = np.empty(len(item_N), np.float64)
    for n in range(len(item_N)):
        if len(query_F) == 0:
            exact_N[n] = score_N[n]
            continue
        row_F = item_IF[item_N[n]]
        total = 0.0
        for f in range(len(query_F)):
            total += np.float64(query_F[f]) * np.float64(row_F[f])
        exact_N[n] = total
    return exact_N


@compiled
def _compressed(item_C, score_C, count, threshold, norm, error_I, query_F, item_IF, k, lower_C):
    """The count and the threshold after a buffer was made to have room, and how many scores it took."""
    count, threshold = _raised(item_C, score_C, count, threshold, norm, error_I, k, lower_C)
    if count <= (k + len(item_C)) // 2:
        return count, threshold, 0
    exact_N = exact(query_F, item_IF, item_C[:count], score_C)
    order_K = np.argsort(-exact_N, kind="mergesort")[:k]
    worst = exact_N[order_K[-1]]
    for place, n in enumerate(np.sort(order_K)):
        item_C[place], score_C[place] = item_C[n], score_C[n]
    return len(order_K), max(threshold, np.float32(worst)), count


@compiled
def _raised(item_C, score_C, count, threshold, norm, error_I, k, lower_C):
    """The count and the threshold after what is surely beaten was dropped; the order stays."""
    if count < k:
        return count, threshold
    for n in range(count):
        lower_C[n] = score_C[n] - norm * error_I[item_C[n]]
    threshold = max(threshold, _kth_largest(lower_C[:count], k))
    kept = 0
    for n in range(count):
        item_C[kept], score_C[kept] = item_C[n], score_C[n]
        kept += score_C[n] + norm * error_I[item_C[n]] >= threshold
    return kept, threshold


@compiled
def _kth_largest(value_N, k):
    """The k-th largest of at least k values, found bit by bit: each pass counts how many are as large as a guess."""
    bits_N = value_N.view(np.int32)
    for n in range(len(bits_N)):  # the order of floats as the order of whole numbers
        bits_N[n] ^= (bits_N[n] >> np.int32(31)) & np.int32(0x7FFFFFFF)
    found = np.int64(-(2**31))
    for bit in range(31, -1, -1):
        guess = np.int32(found + (np.int64(1) << bit))
        as_large = 0
        for n in range(len(bits_N)):
            as_large += bits_N[n] >= guess
        if as_large >= k:
            found = np.int64(guess)
    bits_N[0] = np.int32(found) ^ ((np.int32(found) >> np.int32(31)) & np.int32(0x7FFFFFFF))
    return value_N[0]
