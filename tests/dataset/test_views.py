import numpy as np
import polars as pl

from shortlist.dataset.views import beyond, sparse_matrix


def test_a_sparse_matrix_has_its_values_in_their_places() -> None:
    rows, columns, values = pl.Series([1, 0, 1]), pl.Series([2, 1, 0]), pl.Series([5, 3, 4])
    matrix = sparse_matrix(rows, columns, values)
    np.testing.assert_array_equal(matrix.toarray(), [[0, 3, 0], [4, 0, 5]])
    assert matrix.dtype == np.float64
    assert matrix.indices.tolist() == [1, 0, 2]


def test_a_sparse_matrix_is_as_large_as_asked() -> None:
    one = pl.Series([0])
    assert sparse_matrix(one, one, one, rows=3, columns=4).shape == (3, 4)


def test_an_entry_given_twice_is_summed() -> None:
    twice = pl.Series([0, 0])
    assert sparse_matrix(twice, twice, pl.Series([1.5, 2.0])).toarray().tolist() == [[3.5]]


def test_nothing_makes_an_empty_matrix() -> None:
    nothing = pl.Series([], dtype=pl.Int32)
    matrix = sparse_matrix(nothing, nothing, pl.Series([], dtype=pl.Float64))
    assert matrix.shape == (1, 1)
    assert matrix.nnz == 0


def test_beyond_is_above_all_numbers() -> None:
    assert beyond(pl.Series([3, 1]), pl.Series([7]), pl.Series([], dtype=pl.Int32)) == 8
    assert beyond(pl.Series([], dtype=pl.Int32)) == 1
