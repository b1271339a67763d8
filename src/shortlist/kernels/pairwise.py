"""Bayesian personalised ranking: stochastic gradient steps on triples of a user, an item met and an item not met.

Shapes: U users, I items, F factors.
"""

import numpy as np

from shortlist.kernels import compiled

TINY = np.float32(1e-8)
"""Keeps the first step finite."""
RETRIES = 8
"""Draws of an item that the user may have met before the last one is taken as it is."""


@compiled
def drawn_from(others, count, columns, met, beyond, state):
    """An item of `others` that is not among `columns[met:beyond]` (ascending), and the state of the draws after it.

    After `RETRIES` in vain it is one that is.
    """
    item = 0
    for _ in range(RETRIES):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        item = others[np.int64((state >> np.uint64(11)) % count)]
        low, high = met, beyond
        while low < high:
            middle = (low + high) // 2
            if columns[middle] < item:
                low = middle + 1
            else:
                high = middle
        if low == beyond or columns[low] != item:
            break
    return item, state


@compiled
def product(x, y):
    """The inner product."""
    s = np.float32(0)
    for f in range(len(x)):
        s += x[f] * y[f]
    return s


@compiled
def hardest(x, y_IF, others, count, columns, met, beyond, negatives, state):
    """The item of the highest score among `negatives` drawn, that score, and the state of the draws after it."""
    j, highest = -1, np.float32(0)
    for _ in range(negatives):
        item, state = drawn_from(others, count, columns, met, beyond, state)
        s = product(x, y_IF[item])
        if j < 0 or s > highest:
            j, highest = item, s
    return j, highest, state


@compiled
def climb(
    user_E, item_E, others, seed, starts, columns, negatives, rate, regularization, x_UF, y_IF, x_past_U, y_past_I
):
    """One step for each event (`user_E`, `item_E`), in order, on `x_UF` and `y_IF`.

    The item not met is the one of the highest score among `negatives` drawn from `others`. A row's step is `rate` over
    the root of the mean squared gradients that it has had, summed in `x_past_U` and `y_past_I`.
    `columns[starts[u]:starts[u + 1]]` are the items that a user met, ascending.
    """
    factors = x_UF.shape[1]
    state = _state(seed)
    count = np.uint64(len(others))
    for e in range(len(user_E)):
        u, i = user_E[e], item_E[e]
        x, y = x_UF[u], y_IF[i]
        j, highest, state = hardest(x, y_IF, others, count, columns, starts[u], starts[u + 1], negatives, state)
        if i == j:
            continue
        z = y_IF[j]
        g = np.float32(1 / (1 + np.exp(product(x, y) - highest)))
        sum_x, sum_y, sum_z = np.float32(0), np.float32(0), np.float32(0)
        for f in range(factors):
            a, b, c = x[f], y[f], z[f]
            dx = g * (b - c) - regularization * a
            dy = g * a - regularization * b
            dz = -g * a - regularization * c
            sum_x += dx * dx
            sum_y += dy * dy
            sum_z += dz * dz
        x_past_U[u] += sum_x / np.float32(factors)
        y_past_I[i] += sum_y / np.float32(factors)
        y_past_I[j] += sum_z / np.float32(factors)
        rx = rate / np.sqrt(x_past_U[u] + TINY)
        ry = rate / np.sqrt(y_past_I[i] + TINY)
        rz = rate / np.sqrt(y_past_I[j] + TINY)
        for f in range(factors):
            a, b, c = x[f], y[f], z[f]
            x[f] = a + rx * (g * (b - c) - regularization * a)
            y[f] = b + ry * (g * a - regularization * b)
            z[f] = c + rz * (-g * a - regularization * c)


@compiled
def fold_rows(first, last, starts, columns, rounds, others, negatives, rate, regularization, x_BF, y_IF):
    """The same steps for rows `first` to `last` of `x_BF`, which are zero, while the items stay as they are.

    A row's vector depends on its own entries alone. The first step has nothing to choose the item not met by.
    """
    factors = x_BF.shape[1]
    count = np.uint64(len(others))
    for r in range(first, last):
        x = x_BF[r]
        met, beyond = starts[r], starts[r + 1]
        if beyond - met >= len(others):
            # Whoever met everything prefers nothing: the sum of what was met stands for the rest.
            for e in range(met, beyond):
                for f in range(factors):
                    x[f] += y_IF[columns[e], f]
            continue
        state = _state(1)
        past = np.float32(0)
        for _ in range(rounds):
            for e in range(met, beyond):
                y = y_IF[columns[e]]
                j, highest, state = hardest(x, y_IF, others, count, columns, met, beyond, negatives, state)
                z = y_IF[j]
                g = np.float32(1 / (1 + np.exp(product(x, y) - highest)))
                total = np.float32(0)
                for f in range(factors):
                    d = g * (y[f] - z[f]) - regularization * x[f]
                    total += d * d
                past += total / np.float32(factors)
                step = rate / np.sqrt(past + TINY)
                for f in range(factors):
                    x[f] += step * (g * (y[f] - z[f]) - regularization * x[f])


@compiled
def _state(seed):
    """Where the draws begin: never zero."""
    return (np.uint64(seed) * np.uint64(2862933555777941757) + np.uint64(3037000493)) | np.uint64(1)
