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


def moments(data: Dataset, x_UI: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """For each entry of `interactions` or `ratings` the moments (int64) of the pair's first and last event."""
    e = data.events.filter(data.events.timestamp < data.as_of)
    met = e.group_by(["user", "item"]).aggregate(first=e.timestamp.min(), last=e.timestamp.max())
    frame = data.engine.frame(met)
    rows_E = np.repeat(np.arange(x_UI.shape[0], dtype=np.int64), np.diff(x_UI.indptr))
    key_E = rows_E * x_UI.shape[1] + x_UI.indices
    key = frame["user"].to_numpy().astype(np.int64) * x_UI.shape[1] + frame["item"].to_numpy()
    order = np.argsort(key)
    found = order[np.searchsorted(key[order], key_E)]
    return frame["first"].to_numpy()[found], frame["last"].to_numpy()[found]


def histories(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """What everybody met, event by event in the order of time: the dense items (int32, E), and where each user's begin
    (int64, U + 1). Of one moment the smaller item comes first; events of no positive weight are left out.
    """
    e = data.events.filter(data.events.weight > 0)
    frame = data.engine.frame(relations.histories(e, as_of=data.as_of)).sort("user")
    lengths = np.zeros(len(data.user_ids), np.int64)
    lengths[frame["user"].to_numpy()] = frame["items"].list.len().to_numpy()
    items = frame["items"].explode().drop_nulls().to_numpy().astype(np.int32)
    return items, np.concatenate([[0], np.cumsum(lengths)])


def newer(starts: np.ndarray, moment_E: np.ndarray) -> np.ndarray:
    """For each entry of rows (`starts` as in CSR) how many entries of its row have a later moment (int32)."""
    rows_E = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.lexsort((-moment_E, rows_E))
    place = np.arange(len(order))
    row, moment = rows_E[order], moment_E[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (row[1:] != row[:-1]) | (moment[1:] != moment[:-1])
    later = np.empty(len(order), dtype=np.int32)
    later[order] = np.maximum.accumulate(np.where(new, place, 0)) - np.asarray(starts)[row]
    return later


def ratings(data: Dataset) -> sparse.csr_array:
    """What everybody said of what, as of the end of the data: float64, users × items, entries in order of their column.

    An entry is the weight of a pair's newest event, the largest of those of one moment. Zeros are entries too.
    """
    e = data.events.filter(data.events.timestamp < data.as_of)
    newest = e.group_by(["user", "item"]).aggregate(timestamp=e.timestamp.max())
    said = e.inner_join(newest, ["user", "item", "timestamp"])
    pairs = data.engine.frame(said.group_by(["user", "item"]).aggregate(value=said.weight.max())).sort("user", "item")
    counts = np.bincount(pairs["user"].to_numpy(), minlength=len(data.user_ids))
    entries = (pairs["value"].to_numpy().astype(np.float64), pairs["item"].to_numpy(), np.append(0, np.cumsum(counts)))
    return sparse.csr_array(entries, shape=(len(data.user_ids), len(data.item_ids)))
