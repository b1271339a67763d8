"""Neighbourhoods: for each item the other items most like it, by the users who met both.

alike(i, j) = Σ_u s_u x(u, i) x(u, j) / (l_i l_j + shrinkage), x one where a user met an item; s_u is what a user's
voice counts, l_i the length of an item.
Cost: Σ_u n_u² additions for users of n_u items. Memory: what is kept, and some vectors a thread; never all products.

Shapes: U users, I items.
"""

from itertools import pairwise

import numpy as np
from scipy import sparse

from shortlist.threads import blocks, cores, spread

_PARTS = 16
"""Stretches of rows for each core, of equal cost, the most expensive first, so that none waits long for another."""


def most_alike(
    x_UI: sparse.csr_array, voice_U: np.ndarray, length_I: np.ndarray, shrinkage: float, n: int
) -> sparse.csr_array:
    """The at most `n` others most like each item (items × items, float32, ascending); those who share a user alone.

    Of equally alike ones the smaller items are kept. `length_I` is above zero.
    """
    from shortlist.kernels import neighbours

    items = x_UI.shape[1]
    x_IU = x_UI.T.tocsr()
    both = x_UI.indptr, x_UI.indices, x_IU.indptr, x_IU.indices
    cost_I = neighbours.additions(*both[:1], *both[2:])
    order_I = np.argsort(-cost_I, kind="stable").astype(np.int32)
    start_I = np.concatenate([[0], np.cumsum(np.minimum(cost_I[order_I], min(n, items)))])
    alike = np.empty(start_I[-1], np.int32), np.empty(start_I[-1], np.float32)
    count_I = np.zeros(items, np.int64)
    weighing = voice_U.astype(np.float64), length_I.astype(np.float64), float(shrinkage)

    def rows(first: int, end: int) -> None:
        neighbours.most_alike(
            *both, *weighing, order_I[first:end], cost_I, n, start_I[first:end], *alike, count_I[first:end]
        )

    # What a row costs beside its additions is to look through the sums.
    total_I = np.cumsum(cost_I[order_I] + items // 8 + 1)
    shares = np.arange(1, _PARTS * cores()) * (int(total_I[-1]) / (_PARTS * cores()) if items else 0.0)
    ends = np.unique([0, *np.searchsorted(total_I, shares), items]).tolist()
    spread(rows, pairwise(ends))
    place_I = np.argsort(order_I, kind="stable")
    counts = count_I[place_I]
    starts = np.concatenate([[0], np.cumsum(counts)])
    kept = np.repeat(start_I[place_I] - starts[:-1], counts) + np.arange(starts[-1])
    return sparse.csr_array((alike[1][kept], alike[0][kept], starts.astype(np.int64)), shape=(items, items))


def together(x_UI: sparse.csr_array, voice_U: np.ndarray) -> np.ndarray:
    """Σ_u s_u x(u, i) x(u, j) for each two items, of which the lower half alone is written (items × items, float32)."""
    from shortlist.kernels import neighbours

    items = x_UI.shape[1]
    places = np.arange(x_UI.nnz, dtype=x_UI.indptr.dtype)
    x_IU = sparse.csr_array((places, x_UI.indices, x_UI.indptr), shape=x_UI.shape).T.tocsr()
    product_II = np.zeros((items, items), np.float32)
    both = x_UI.indptr, x_UI.indices, x_IU.indptr, x_IU.indices, x_IU.data, voice_U.astype(np.float64)
    spread(lambda start, end: neighbours.together(*both, start, end, product_II), blocks(items, 16))
    return product_II
