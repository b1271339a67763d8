"""Arrays of a dataset: NumPy and SciPy out."""

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.dataset import relations
from shortlist.dataset.dataset import Dataset
from shortlist.moments import microseconds


def sparse_matrix(
    rows_of: pl.Series,
    columns_of: pl.Series,
    values: pl.Series,
    *,
    rows: int | None = None,
    columns: int | None = None,
) -> sparse.csr_array:
    """A float64 matrix with `values` at (`rows_of`, `columns_of`), entries in order of their column; all else is zero.

    Without `rows` or `columns` it is as large as its entries need. An entry given twice is summed.
    """
    shape = (beyond(rows_of) if rows is None else rows, beyond(columns_of) if columns is None else columns)
    entries = (values.to_numpy().astype(np.float64), (rows_of.to_numpy(), columns_of.to_numpy()))
    matrix = sparse.csr_array(entries, shape=shape)
    matrix.sort_indices()
    return matrix


def beyond(*numbers: pl.Series) -> int:
    """The smallest number above all of these dense ids; 1 where there are none."""
    return max((int(n.to_numpy().max()) + 1 for n in numbers if len(n)), default=1)


def interactions(data: Dataset, *, half_life: str | None = None) -> sparse.csr_array:
    """What everybody did, as of the end of the data: float32, users × items, entries in order of their column.

    An entry is the sum of the weights of a pair's events; with `half_life`, each counts half for every such time that
    passed since. A pair whose sum is not above zero is no entry.
    """
    if half_life is None:
        summed = relations.popularity(data.events, as_of=data.as_of, keys=("user", "item"))
    else:
        summed = relations.decayed(data.events, as_of=data.as_of, half_life=microseconds(half_life))
    positive = summed.filter(summed.score > 0).select("user", "item", "score")
    pairs = data.engine.frame(positive)
    entries = (pairs["score"].to_numpy() / relations.MICRO).astype(np.float32)
    places = (pairs["user"].to_numpy(), pairs["item"].to_numpy())
    matrix = sparse.csr_array((entries, places), shape=(len(data.user_ids), len(data.item_ids)))
    matrix.sort_indices()
    return matrix
