"""The k best items for each query by inner product, exactly.

A first pass proposes, a second decides. The first computes all products roughly, in blocks that stay in a core's cache:
in float32, or of vectors rounded to bytes where the processor multiplies these faster and they still tell items apart.
Each rough score has a bound of its error (of a sum in float32: Higham, "Accuracy and Stability of Numerical
Algorithms", 2002, 3.1; of bytes: |q · i - q̂ · î| ≤ |q| |i - î| + |q - q̂| |î|), so what cannot be among the best is
dropped for sure. What is left is scored in float64. The answer is the same, to the bit, whatever the batch, the first
pass and the number of threads.

Cost: Q · I · F multiplications. Memory beside the answer: about 3 MB a thread at k = 100, 4 bytes an item a thread, and
F bytes an item where the items are rounded.

Shapes: Q queries, I items, F factors, A allowed items, K answers, C candidates (places of a buffer), B items of a
block, P panels of 64 items, S steps of 4 factors, W bytes of a panel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from shortlist.errors import DataError
from shortlist.threads import blocks, cores, spread

_PANEL, _TOGETHER = 64, 4
"""Items and queries of a tile: the kernels want as many, or a multiple."""
_ROWS, _COLUMNS = 128, 1024
"""Queries and items whose scores a thread has in hand: half a megabyte. Of fewer queries, more items."""
_PLACES = 1 << 22
"""Places of the buffers that a thread has in hand, where `k` is large."""
_LONGEST = 1e15
"""No vector may be longer: the products of longer ones can leave the range of float32."""
_ENOUGH_TO_ROUND = 512
"""Queries from which on it pays to round the items."""
_PROBES = 32
"""Queries that are tried to see whether rounded vectors tell the items apart."""
_IN_VAIN = 1 / 32
"""Share of the pairs scored exactly beyond which rounded vectors cost more than they save."""
_MOST_FACTORS = 1 << 16
"""Factors from which on a sum of products of bytes could leave the range of int32."""


@dataclass(frozen=True)
class Catalogue:
    """Items made ready to be searched more than once: `top_k` takes it in place of their vectors."""

    item_IF: np.ndarray
    norm_I: np.ndarray
    codes: "Codes | None"

    @classmethod
    def of(cls, items: np.ndarray, *, rounded: bool = True, threads: int | None = None) -> "Catalogue":
        """The items with their lengths and, where `rounded` and the processor multiplies bytes, their codes."""
        from shortlist.kernels import vectors

        item_IF, norm_I = _measured(items, "items", threads)
        rounded = rounded and vectors.multiplies_bytes() and item_IF.size > 0 and item_IF.shape[1] < _MOST_FACTORS
        return cls(item_IF, norm_I, Codes.of(item_IF, norm_I, threads) if rounded else None)


def top_k(
    queries: np.ndarray,
    items: np.ndarray | Catalogue,
    k: int,
    *,
    exclude: sparse.csr_array | None = None,
    allowed: np.ndarray | None = None,
    threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The items (int32, Q × K) with the `k` largest products with each query, best first, and the products (float64).

    `queries` (Q × F) and `items` (I × F) are taken as float32. Ties go to the smaller item. An entry of `exclude`
    (Q × I), whatever its value, bars an item from a query; `allowed`, where given, are the only items. Where fewer than
    `k` are left, the item is -1 and the score -inf.

    >>> import numpy as np
    >>> best, scores = top_k(np.array([[1.0, 0.0]]), np.array([[2.0, 1.0], [3.0, 0.0], [2.0, 5.0]]), k=2)
    >>> best.tolist(), scores.tolist()
    ([[1, 0]], [[3.0, 2.0]])
    """
    many = len(queries) >= _ENOUGH_TO_ROUND
    found = items if isinstance(items, Catalogue) else Catalogue.of(items, rounded=many, threads=threads)
    query_QF, norm_Q, excluded, allowed_A = checked(queries, found, exclude, allowed, threads)
    if allowed_A is not None:
        found = Catalogue.of(found.item_IF[allowed_A], rounded=many, threads=threads)
        excluded = excluded[:, allowed_A]
    asked = _Asked(query_QF, norm_Q, _sealed(found.item_IF), *_barred(excluded), min(k, len(found.item_IF)))
    best_QK, score_QK = _answered(asked, _first_pass(found, asked), k, threads)
    if allowed_A is not None and len(allowed_A):
        best_QK = np.where(best_QK >= 0, allowed_A[best_QK], np.int32(-1))
    return best_QK, score_QK


def top_k_among(
    queries: np.ndarray, items: np.ndarray | Catalogue, candidates: np.ndarray, k: int, *, threads: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The best `k` of each query's own `candidates` (int32, Q × C; -1 is none), by the rules of `top_k`.

    A candidate that a query has twice is answered once.
    """
    from shortlist.kernels import select

    query_QF, _ = _measured(queries, "queries", threads)
    item_IF = _sealed(items.item_IF) if isinstance(items, Catalogue) else _measured(items, "items", threads)[0]
    beyond = np.iinfo(np.int32).max
    item_QC = np.sort(np.where(candidates < 0, beyond, candidates).astype(np.int32), axis=1)
    item_QC[:, 1:][item_QC[:, 1:] == item_QC[:, :-1]] = beyond
    item_QC.sort(axis=1)
    count_Q = np.count_nonzero(item_QC != beyond, axis=1)
    best_QK, score_QK = _nothing(len(query_QF), k)

    def settle(start: int, end: int) -> None:
        rows = slice(start, end)
        select.settle_all(query_QF[rows], item_IF, item_QC[rows], count_Q[rows], best_QK[rows], score_QK[rows])

    spread(settle, blocks(len(query_QF), _ROWS), threads)
    return best_QK, score_QK


def checked(
    queries: np.ndarray,
    items: Catalogue,
    exclude: sparse.csr_array | None,
    allowed: np.ndarray | None,
    threads: int | None,
) -> tuple[np.ndarray, np.ndarray, sparse.csr_array, np.ndarray | None]:
    """The queries in float32, their lengths, what is excluded, and the allowed items, ascending, each once.

    What does not fit the items raises `DataError`.
    """
    query_QF, norm_Q = _measured(queries, "queries", threads)
    count, factors = items.item_IF.shape
    if query_QF.shape[1] != factors:
        raise DataError(f"queries of {query_QF.shape[1]} factors and items of {factors} have no product")
    shape = (len(query_QF), count)
    exclude = sparse.csr_array(shape, dtype=np.int8) if exclude is None else exclude
    if exclude.shape != shape:
        raise DataError(f"exclude has the shape {exclude.shape}, but there are {shape[0]} queries and {count} items")
    if allowed is None:
        return query_QF, norm_Q, exclude, None
    allowed_A = np.unique(allowed).astype(np.int32)
    odd_A = allowed_A[(allowed_A < 0) | (allowed_A >= count)]
    if len(odd_A):
        raise DataError(f"item {odd_A[0]} is allowed, but items are numbered 0 to {count - 1}")
    return query_QF, norm_Q, exclude, allowed_A


@dataclass(frozen=True)
class _Asked:
    """Queries, and what is barred from each.

    That is `barred[a:b]`, ascending, where a, b is the query's row of `barred_Q2`.
    """

    query_QF: np.ndarray
    norm_Q: np.ndarray
    item_IF: np.ndarray
    barred_Q2: np.ndarray
    barred: np.ndarray
    k: int

    def some(self, rows: np.ndarray | slice) -> "_Asked":
        """The same of some of the queries. Their `barred_Q2` is a copy, for it moves on as items are met."""
        query_QF, norm_Q = _sealed(self.query_QF[rows]), self.norm_Q[rows]
        return _Asked(query_QF, norm_Q, self.item_IF, self.barred_Q2[rows].copy(), self.barred, self.k)


_Write = Callable[[int, int, np.ndarray], None]
"""`write(first, end, score_QB)` writes the scores of the items from `first` to `end`.

B is the next multiple of 64, and there are as many rows as the next multiple of 4; what is beyond means nothing.
"""


class _FirstPass(Protocol):
    def scores(self, asked: _Asked) -> tuple[np.ndarray, _Write]:
        """`error_I`, padded like B, and what writes the scores: norm_Q · error_I bounds their errors."""
        ...


@dataclass(frozen=True)
class _Products:
    """Inner products in float32."""

    norm_I: np.ndarray

    def scores(self, asked: _Asked) -> tuple[np.ndarray, _Write]:
        def write(first: int, end: int, score_QB: np.ndarray) -> None:
            np.matmul(asked.query_QF, asked.item_IF[first:end].T, out=score_QB[: len(asked.query_QF), : end - first])

        return _rounding_of_sums(asked.item_IF.shape[1]) * self.norm_I, write


@dataclass(frozen=True)
class Codes:
    """Items rounded to bytes: in panels of 64, F/4 × 64 items × 4 factors; see `shortlist.kernels.rounding`."""

    norm_I: np.ndarray
    code_PW: np.ndarray
    scale_I: np.ndarray
    length_I: np.ndarray
    error_I: np.ndarray

    @classmethod
    def of(cls, item_IF: np.ndarray, norm_I: np.ndarray, threads: int | None) -> "Codes":
        """The codes of items that `norm_I` are the lengths of."""
        from shortlist.kernels import rounding

        steps, size = -(-item_IF.shape[1] // 4), _next(len(item_IF), _PANEL)
        code_PSI4 = np.empty((size // _PANEL, steps, _PANEL), np.int32)
        scale_I, length_I, error_I = (np.zeros(size, np.float32) for _ in range(3))

        def pack(start: int, end: int) -> None:
            code_BF = np.zeros((_next(end - start, _PANEL), 4 * steps), np.int8)
            rows = slice(start, end)
            rounding.rounded(item_IF[rows], code_BF, scale_I[rows], length_I[rows], error_I[rows])
            unsigned_BF = code_BF.view(np.uint8) ^ np.uint8(128)  # c + 128
            panels = unsigned_BF.view(np.int32).reshape(-1, _PANEL, steps)
            code_PSI4[start // _PANEL : _next(end, _PANEL) // _PANEL] = panels.transpose(0, 2, 1)

        spread(pack, blocks(len(item_IF), 64 * _PANEL), threads)
        code_PW = code_PSI4.view(np.uint8).reshape(len(code_PSI4), -1)
        return cls(norm_I, code_PW, scale_I, length_I, error_I)

    def scores(self, asked: _Asked) -> tuple[np.ndarray, _Write]:
        """The first pass with rounded vectors."""
        from shortlist.kernels import rounding

        queries, factors = asked.query_QF.shape
        size = _next(queries, _TOGETHER)
        code_QF = np.zeros((size, _next(factors, 4)), np.int8)
        scale_Q, length_Q, error_Q = (np.zeros(size, np.float32) for _ in range(3))
        rounding.rounded(asked.query_QF, code_QF, scale_Q, length_Q, error_Q)
        start_Q = code_QF.sum(axis=1, dtype=np.int32) * np.int32(-128)

        code_PW, scale_I = _sealed(self.code_PW), _sealed(self.scale_I)

        def write(first: int, _end: int, score_QB: np.ndarray) -> None:
            rounding.products(code_QF, start_Q, scale_Q, code_PW, scale_I, first, score_QB)

        share = np.float32((error_Q[:queries] / np.maximum(asked.norm_Q, np.float32(2.0**-60))).max() * (1 + 1e-6))
        error_I = self.error_I + share * self.length_I
        return error_I * np.float32(1 + 1e-6) + _rounding_of_sums(factors) * self.norm_I, write


def _first_pass(items: Catalogue, asked: _Asked) -> _FirstPass:
    """Rounded vectors where there are any, unless some queries, tried first, show that they do not tell items apart."""
    from shortlist.kernels import vectors

    exact = _Products(items.norm_I)
    if items.codes is None or not vectors.multiplies_bytes():
        return exact
    if len(asked.query_QF) < _ENOUGH_TO_ROUND or not asked.k:
        return items.codes
    probes = asked.some(np.linspace(0, len(asked.query_QF) - 1, _PROBES).astype(np.int64))
    computed = _block(probes, items.codes, *_nothing(_PROBES, asked.k))
    return exact if computed > _IN_VAIN * _PROBES * len(items.item_IF) else items.codes


def _answered(asked: _Asked, first_pass: _FirstPass, k: int, threads: int | None) -> tuple[np.ndarray, np.ndarray]:
    queries = len(asked.query_QF)
    best_QK, score_QK = _nothing(queries, k)

    def block(start: int, end: int) -> int:
        return _block(asked.some(slice(start, end)), first_pass, best_QK[start:end], score_QK[start:end])

    if asked.k:
        rows = min(_ROWS, -(-queries // (threads or cores())), _PLACES // _places(asked.k))
        spread(block, blocks(queries, max(rows, 1)), threads)
    return best_QK, score_QK


def _block(asked: _Asked, first_pass: _FirstPass, best_QK: np.ndarray, best_score_QK: np.ndarray) -> int:
    """Writes the answer for a block of queries; gives the number of scores that were computed exactly."""
    from shortlist.kernels import select

    queries, items = len(asked.query_QF), len(asked.item_IF)
    error_I, write = first_pass.scores(asked)
    width = min(_next(items, _PANEL), _COLUMNS * max(1, min(64, _ROWS // queries)))
    memory = np.empty(_next(queries, _TOGETHER) * width, np.float32)
    threshold_Q, count_Q = np.full(queries, -np.inf, np.float32), np.zeros(queries, np.int64)
    item_QC = np.empty((queries, _places(asked.k)), np.int32)
    kept = (asked.query_QF, asked.item_IF, asked.k, threshold_Q, count_Q, item_QC, np.empty(item_QC.shape, np.float32))
    computed = 0
    for first, end in blocks(items, width):
        columns = _next(end - first, _PANEL)
        score_RB = memory[: _next(queries, _TOGETHER) * columns].reshape(-1, columns)
        write(first, end, score_RB)
        score_RB[:, end - first :] = -np.inf
        score_QB = score_RB[:queries]
        computed += select.admit(score_QB, first, error_I, asked.norm_Q, asked.barred_Q2, asked.barred, *kept)
    return int(computed + select.settle(asked.norm_Q, error_I, *kept, best_QK, best_score_QK))


def _measured(given: np.ndarray, name: str, threads: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The vectors in float32, and their lengths: as many as the next multiple of 64, the last ones zero."""
    from shortlist.kernels import rounding

    vector_NF = _sealed(np.ascontiguousarray(given, dtype=np.float32))
    if vector_NF.ndim != 2:
        raise DataError(f"the {name} have the shape {vector_NF.shape}: give a row of factors for each")
    norm_N = np.zeros(_next(len(vector_NF), _PANEL), np.float32)

    def measure(start: int, end: int) -> None:
        norm_N[start:end] = rounding.norms(vector_NF[start:end])

    spread(measure, blocks(len(vector_NF), 1 << 14), threads)
    fit_N = norm_N < _LONGEST
    if not fit_N.all():
        row = int(np.argmin(fit_N))
        raise DataError(f"row {row} of the {name} has the length {norm_N[row]}; has the model diverged?")
    return vector_NF, norm_N


def _rounding_of_sums(factors: int) -> np.float32:
    """The largest error of a product of two vectors of length one in float32, and of what is done with it."""
    units = (factors + 16) * 2.0**-24
    return np.float32(units / (1 - units))


def _barred(excluded: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    if not excluded.has_sorted_indices:
        excluded = excluded.sorted_indices()
    ends = excluded.indptr.astype(np.int64)
    return np.stack([ends[:-1], ends[1:]], axis=1), _sealed(excluded.indices.astype(np.int32, copy=False))


def _nothing(queries: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((queries, k), -1, np.int32), np.full((queries, k), -np.inf)


def _places(k: int) -> int:
    """Places of a query's buffer: as many again as are kept, and some more, so that it is rarely full."""
    return 2 * k + 512


def _next(n: int, size: int) -> int:
    return -(-n // size) * size


def _sealed(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written: kernels are compiled for these once, not again for what is mapped from a file."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
