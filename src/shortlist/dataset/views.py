"""Arrays of a dataset: NumPy and SciPy out."""

import numpy as np
import polars as pl
from scipy import sparse


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
