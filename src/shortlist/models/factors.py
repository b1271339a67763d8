"""Factors: what models share whose score is a product of vectors, score(u, i) = x_u · y_i.

A vector of zeros stands for nobody and nothing: a user without events, an item that nobody met. Such a user is answered
with nothing, such an item is never answered.
"""

from collections.abc import Callable

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.models.retrieval import Request, answered
from shortlist.topk import top_k


def nearest_items(x_BF: np.ndarray, y_IF: np.ndarray, request: Request) -> pl.DataFrame:
    """The answer to a request whose users have the vectors `x_BF` (float32), in their order; items have `y_IF`."""
    known = np.flatnonzero(x_BF.any(axis=1))
    barred = request.barred(len(y_IF))
    barred = None if barred is None else barred[known]
    items, scores = top_k(x_BF[known], y_IF, request.k, exclude=barred, allowed=_allowed(y_IF, request.items))
    return answered(request.users[known], items, scores)


def lists(x_BF: np.ndarray, y_IF: np.ndarray, k: int, barred_BI: sparse.csr_array | None = None) -> np.ndarray:
    """The `k` items (int32, B × k, best first, -1 for none) of the largest products, without those that are barred."""
    return top_k(x_BF, y_IF, k, exclude=barred_BI, allowed=_allowed(y_IF))[0]


def _allowed(y_IF: np.ndarray, items: np.ndarray | None = None) -> np.ndarray | None:
    """Those of `items` that have a vector; None where all have and all are allowed."""
    known = np.flatnonzero(y_IF.any(axis=1)).astype(np.int32)
    if items is not None:
        return np.intersect1d(known, items).astype(np.int32)
    return None if len(known) == len(y_IF) else known


def of_length_one(x_UF: np.ndarray) -> np.ndarray:
    """The vectors (float32) made of length one; zeros stay zeros."""
    length_U = np.sqrt(np.einsum("uf,uf->u", x_UF, x_UF, dtype=np.float64))
    made: np.ndarray = (x_UF / np.where(length_U > 0, length_U, 1)[:, None]).astype(np.float32)
    return made


def vectors_of(users: np.ndarray, x_UF: np.ndarray) -> np.ndarray:
    """The vectors of dense `users`; zeros for those that are not known."""
    found = np.zeros((len(users), x_UF.shape[1]), np.float32)
    known = (users >= 0) & (users < len(x_UF))
    found[known] = x_UF[users[known]]
    return found


def folded(
    request: Request,
    x_UF: np.ndarray,
    items: int,
    strength: Callable[[np.ndarray, np.ndarray], np.ndarray],
    fold_in: Callable[[sparse.csr_array], np.ndarray],
) -> np.ndarray:
    """A vector for each user of a request: the model's, or what `fold_in` makes of the history that is told."""
    x_BF = vectors_of(request.users, x_UF)
    told_BI = request.told(items, strength)
    if told_BI is not None:
        told = request.is_told()
        x_BF[told] = fold_in(told_BI[told])
    return x_BF


def known_only(history_BI: sparse.csr_array, y_IF: np.ndarray) -> sparse.csr_array:
    """The positive entries (float32, in order of their column) of items that have a vector."""
    known_I = np.asarray(y_IF.any(axis=1))
    kept_BI = sparse.csr_array(history_BI, dtype=np.float32, copy=True)
    kept_BI.data[~known_I[kept_BI.indices] | (kept_BI.data <= 0)] = 0
    kept_BI.eliminate_zeros()
    kept_BI.sort_indices()
    return kept_BI


def most_alike(of: np.ndarray, y_IF: np.ndarray, k: int, *, name: str) -> pl.DataFrame:
    """The `k` rows of `y_IF` of the largest cosine to each of the rows `of`, themselves left out.

    Columns: `name` (int32, the row asked for), `similar` (int32), `score` (the cosine, float64), `rank` (int32, from
    1). Rows of zeros, and those beyond the last, are like nothing.
    """
    length = np.sqrt(np.einsum("if,if->i", y_IF, y_IF, dtype=np.float64))
    unit_IF = (y_IF / np.maximum(length, np.finfo(np.float32).tiny)[:, None]).astype(np.float32)
    of = np.asarray(of, dtype=np.int32)
    of = of[of < len(y_IF)]
    asked = Request(of, k, exclude=pl.DataFrame({"user": of, "item": of}).unique())
    found = nearest_items(unit_IF[of], unit_IF, asked)
    return found.rename({"user": name, "item": "similar"})
