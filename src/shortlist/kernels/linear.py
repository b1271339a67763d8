"""A linear model of hashed terms that learns row by row: AdaGrad on squared errors, and its answers.

Of a row the terms of its texts count 1 / sqrt(how many there are) each, those of its categories 1, its numbers what
they are. `weight_T2` holds of each term its weight and the sum of its squared gradients, beside one another: a term
costs one place in memory.

Shapes: N rows, E terms of texts, C categories, D numbers, T buckets.
"""

import numpy as np

from shortlist.kernels import compiled

ONE = np.float32(1)
LITTLE = np.float32(1e-8)
BLOCK = 64
"""Rows that are fetched together."""


@compiled
def learn(
    order, ends, term_E, category_NC, number_ND, target_N, rate, penalty, weight_T2, dense_D2, bias_2, error_N, sums
):
    """One step for each row in this order; its answer before the step, less its target, goes into `error_N` in order.

    A row whose target is NaN is passed over, its error being NaN. Of the others `sums` (float64) get how many there
    are, their squared errors, their targets, and these squared.
    Rows lie anywhere in memory: those of the next block are fetched together, in place of one wait for each of them.
    What is given back means nothing: it is there so that fetching is not left out.
    """
    fetched = 0
    for place in range(len(order)):
        if place % BLOCK == 0:
            for ahead in order[place : place + BLOCK]:
                fetched += _fetched(ahead, ends, term_E, category_NC, number_ND, target_N)
        row = order[place]
        if np.isnan(target_N[row]):
            error_N[place] = np.nan
            continue
        first, last = ends[row - 1] if row > 0 else 0, ends[row]
        share = ONE / np.sqrt(np.float32(max(last - first, 1)))
        answer = _answer(row, first, last, share, term_E, category_NC, number_ND, weight_T2, dense_D2, bias_2)
        error = answer - target_N[row]
        error_N[place] = error
        sums[0] += 1
        sums[1] += np.float64(error) ** 2
        sums[2] += target_N[row]
        sums[3] += np.float64(target_N[row]) ** 2
        _step(bias_2, error, rate)
        for at in range(first, last):
            weight = weight_T2[term_E[at]]
            _step(weight, error * share + penalty * weight[0], rate)
        for c in range(category_NC.shape[1]):
            weight = weight_T2[category_NC[row, c]]
            _step(weight, error + penalty * weight[0], rate)
        for d in range(number_ND.shape[1]):
            weight = dense_D2[d]
            _step(weight, error * number_ND[row, d] + penalty * weight[0], rate)
    return fetched


@compiled
def _fetched(row, ends, term_E, category_NC, number_ND, target_N):
    """Reads a place of each line of memory (64 bytes) that a row has."""
    first, last = ends[row - 1] if row > 0 else 0, ends[row]
    found = 0
    for at in range(first, last, 16):
        found += term_E[at]
    if category_NC.shape[1]:
        found += category_NC[row, 0]
    if number_ND.shape[1]:
        found += np.int64(number_ND[row, 0] > 0)
    return found + np.int64(target_N[row] > 0)


@compiled
def answers(ends, term_E, category_NC, number_ND, weight_T2, dense_D2, bias_2, answer_N):
    """What is expected of each row, into `answer_N`."""
    first = 0
    for row in range(len(ends)):
        last = ends[row]
        share = ONE / np.sqrt(np.float32(max(last - first, 1)))
        answer_N[row] = _answer(row, first, last, share, term_E, category_NC, number_ND, weight_T2, dense_D2, bias_2)
        first = last


@compiled
def _step(weight, gradient, rate):
    weight[1] += gradient * gradient
    weight[0] -= rate * gradient / np.sqrt(weight[1] + LITTLE)


@compiled
def _answer(row, first, last, share, term_E, category_NC, number_ND, weight_T2, dense_D2, bias_2):
    found = np.float32(0)
    for at in range(first, last):
        found += weight_T2[term_E[at], 0]
    found = found * share + bias_2[0]
    for c in range(category_NC.shape[1]):
        found += weight_T2[category_NC[row, c], 0]
    for d in range(number_ND.shape[1]):
        found += number_ND[row, d] * dense_D2[d, 0]
    return found


@compiled
def scaled(number_ND, middle_D, width_D, reach, found_NF):
    """Numbers as widths from the middle, `reach` of them at most, and behind all of them 1 for each that is missing.

    F = 2 D; what is missing, or infinite, is 0 widths away.
    """
    rows, D = number_ND.shape
    for row in range(rows):
        for d in range(D):
            away = (number_ND[row, d] - middle_D[d]) / width_D[d]
            there = np.isfinite(away)
            found_NF[row, d] = min(max(away, -reach), reach) if there else 0.0
            found_NF[row, D + d] = 0.0 if there else 1.0
