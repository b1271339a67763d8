"""A linear model of hashed terms that learns row by row: AdaGrad on squared errors, and its answers.

Of a row the terms of its texts count 1 / sqrt(how many there are) each, its last C terms, those of its categories, 1,
and its numbers what they are. `weight_T2` holds of each term its weight and the sum of its squared gradients, beside
one another: a term costs one place in memory.

Shapes: N rows, E terms, F numbers, T buckets.
"""

import numpy as np

from shortlist.kernels import compiled

ONE = np.float32(1)
LITTLE = np.float32(1e-8)


@compiled
def learn(ends, term_E, C, number_NF, target_N, rate, penalty, weight_T2, dense_F2, bias_2, error_N, sums):
    """One step for each row; its answer before the step, less its target, goes into `error_N`.

    A row whose target is NaN is passed over, its error being NaN. Of the others `sums` (float64) get how many there
    are, their squared errors, their targets, and these squared.
    """
    end = 0
    for row in range(len(ends)):
        first, end, target = end, ends[row], target_N[row]
        if np.isnan(target):
            error_N[row] = np.nan
            continue
        last = end - C
        share = ONE / np.sqrt(np.float32(max(last - first, 1)))
        error = _answer(row, first, last, end, share, term_E, number_NF, weight_T2, dense_F2, bias_2) - target
        error_N[row] = error
        sums[0] += 1
        sums[1] += np.float64(error) ** 2
        sums[2] += target
        sums[3] += np.float64(target) ** 2
        _step(bias_2, error, rate)
        for at in range(first, last):
            weight = weight_T2[term_E[at]]
            _step(weight, error * share + penalty * weight[0], rate)
        for at in range(last, end):
            weight = weight_T2[term_E[at]]
            _step(weight, error + penalty * weight[0], rate)
        for f in range(number_NF.shape[1]):
            weight = dense_F2[f]
            _step(weight, error * number_NF[row, f] + penalty * weight[0], rate)


@compiled
def answers(ends, term_E, C, number_NF, weight_T2, dense_F2, bias_2, answer_N):
    """What is expected of each row, into `answer_N`."""
    end = 0
    for row in range(len(ends)):
        first, end = end, ends[row]
        last = end - C
        share = ONE / np.sqrt(np.float32(max(last - first, 1)))
        answer_N[row] = _answer(row, first, last, end, share, term_E, number_NF, weight_T2, dense_F2, bias_2)


@compiled
def _step(weight, gradient, rate):
    weight[1] += gradient * gradient
    weight[0] -= rate * gradient / np.sqrt(weight[1] + LITTLE)


@compiled
def _answer(row, first, last, end, share, term_E, number_NF, weight_T2, dense_F2, bias_2):
    found = np.float32(0)
    for at in range(first, last):
        found += weight_T2[term_E[at], 0]
    found = found * share + bias_2[0]
    for at in range(last, end):
        found += weight_T2[term_E[at], 0]
    for f in range(number_NF.shape[1]):
        found += number_NF[row, f] * dense_F2[f, 0]
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
