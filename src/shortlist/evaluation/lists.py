"""Lists against truth: frames of anybody's making, checked once and turned into a matrix of hits.

The lists are read in slices into one int32 code for each place of a judged list, and compared with the true
items a block of users at a time, so that beside the lists themselves little memory is needed.

Shapes: U users judged (those with truth, in the order of their ids), K places of a list, N rows of a slice, B
users of a block.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.errors import DataError
from shortlist.tables.frames import columns_of

Codes = npt.NDArray[np.int32]

_EMPTY = -1
_ROWS = 1 << 22
_USERS = 1 << 12


@dataclass(frozen=True, eq=False)
class Truth:
    """What the judged users truly took: each pair once, user after user."""

    users: pl.Series
    """The judged users, ascending; their position is the row U of every matrix."""
    items: pl.Series
    """The true items of the first user, then of the second, and so on."""
    sizes: npt.NDArray[np.int64]
    """How many true items each user has, `(U,)`."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The lists of the judged users as hits, and who fell out."""

    hits: npt.NDArray[np.bool_]
    """Whether the item at each place is a true one, `(U, K)`, best place first; an empty place is a miss."""
    users_without_list: int
    """Judged users for whom there is no list: all their places are misses."""
    users_without_truth: int
    """Users with a list but without truth: left out."""


def read_truth(truth: Any) -> Truth:
    """The true pairs of a frame with `user_id` and `item_id`; a pair that stands there twice counts once.

    A frame without rows raises `DataError`.
    """
    pairs = columns_of(truth, ("user_id", "item_id"), "the truth").sort("user_id", "item_id")
    pairs = pairs.filter(pl.any_horizontal(pl.all().ne_missing(pl.all().shift())))
    if pairs.is_empty():
        raise DataError("the truth has no rows, so nobody can be judged: look at the period it was taken from")
    runs = pairs["user_id"].rle().struct.unnest()
    return Truth(runs["value"].alias("user_id"), pairs["item_id"], runs["len"].cast(pl.Int64).to_numpy())


def read_lists(recommendations: Any, name: str) -> pl.DataFrame:
    """The columns `user_id, item_id, rank` of the lists called `name`.

    Ranks that are no whole numbers from 1 raise `DataError`.
    """
    what = f"the lists of {name!r}"
    lists = columns_of(recommendations, ("user_id", "item_id", "rank"), what)
    if lists.is_empty():
        return lists
    if not lists["rank"].dtype.is_integer():
        raise DataError(f"{what}: rank is of type {lists['rank'].dtype}; cast it to whole numbers")
    best = lists.select(pl.min("rank")).item()
    if best != 1:
        raise DataError(f"{what}: the best rank is {best}; number the items of a list 1, 2, 3, ... from the best")
    return lists


def read_candidates(candidates: Any) -> pl.DataFrame:
    """The columns `user_id, item_id, source` of a frame of candidates, the source as text."""
    rows = columns_of(candidates, ("user_id", "item_id", "source"), "the candidates")
    return rows.with_columns(pl.col("source").cast(pl.String))


def judged_lists(lists: pl.DataFrame, truth: Truth, depth: int, name: str) -> Judged:
    """The first `depth` places of the lists of the judged users as hits.

    A list that shows an item twice, that uses a rank twice or skips one, and ids that cannot match those of
    the truth raise `DataError`.
    """
    codes_of, true_codes = _coder(lists["item_id"], truth.items, name)
    codes_UK, users_without_truth = _codes_by_place(lists, truth, depth, codes_of, name)
    hits_UK = np.empty(codes_UK.shape, dtype=np.bool_)
    starts_U = np.cumsum(truth.sizes) - truth.sizes
    for start in range(0, len(codes_UK), _USERS):
        block = slice(start, start + _USERS)
        _refuse_repeats(codes_UK[block], start, lists, truth, name)
        hits_UK[block] = _hits(codes_UK[block], true_codes, starts_U[block], truth.sizes[block])
    return Judged(hits_UK, int(np.count_nonzero(codes_UK[:, 0] == _EMPTY)), users_without_truth)


def distinct_items(lists: pl.DataFrame, k: int) -> int:
    """How many different items the first k places of all lists show."""
    shown = lists.lazy().filter(pl.col("rank") <= k).select(pl.col("item_id").n_unique())
    return int(shown.collect(engine="streaming").item())


def common_type(lists: pl.DataType, truth: pl.DataType, column: str, name: str) -> pl.DataType:
    """The type in which ids of both sides compare: text or wide integers; one of each raises `DataError`."""
    if (lists == pl.String) != (truth == pl.String):
        raise DataError(
            f"{column} is {_kind(lists)} in {name} but {_kind(truth)} in the truth, "
            "so none could match: cast one of them"
        )
    if lists == pl.String:
        return pl.String()
    return pl.Int128() if {lists, truth} & {pl.UInt64(), pl.Int128()} else pl.Int64()


def _codes_by_place(
    lists: pl.DataFrame, truth: Truth, depth: int, codes_of: Callable[[pl.Series], Codes], name: str
) -> tuple[Codes, int]:
    """The item code at each place of the judged lists, `(U, K)`, and the number of users without truth."""
    users = len(truth.users)
    codes_UK = np.full((users, depth), _EMPTY, dtype=np.int32)
    lengths_U = np.zeros(users, dtype=np.int64)
    strangers = [truth.users.clear()]
    if lists.height:
        kind = common_type(lists["user_id"].dtype, truth.users.dtype, "user_id", f"the lists of {name!r}")
        rows = pl.DataFrame({"value": truth.users.cast(kind), "row": np.arange(users, dtype=np.int32)})
        strangers = []
        for part in lists.iter_slices(_ROWS):
            # Lists mostly come user after user, so only the first row of each run is looked up.
            runs = part["user_id"].rle().struct.unnest().with_columns(pl.col("value").cast(kind))
            runs = runs.join(rows, on="value", how="left", maintain_order="left")
            strangers.append(runs.filter(pl.col("row").is_null())["value"].unique())
            row_N = np.repeat(runs["row"].fill_null(_EMPTY).to_numpy(), runs["len"].to_numpy())
            rank_N = part["rank"].to_numpy()
            code_N = codes_of(part["item_id"])
            kept_N = (row_N != _EMPTY) & (rank_N <= depth)
            if not kept_N.all():
                row_N, rank_N, code_N = row_N[kept_N], rank_N[kept_N], code_N[kept_N]
            codes_UK[row_N, rank_N.astype(np.int64) - 1] = code_N
            lengths_U += np.bincount(row_N, minlength=users)
    _refuse_gaps(codes_UK, lengths_U, truth, name)
    return codes_UK, pl.concat(strangers).n_unique()


def _coder(lists: pl.Series, truth: pl.Series, name: str) -> tuple[Callable[[pl.Series], Codes], Codes]:
    """A function from item ids to codes, equal exactly where the ids are, and the codes of the truth."""
    if lists.is_empty():
        return lambda ids: np.empty(len(ids), dtype=np.int32), np.zeros(len(truth), dtype=np.int32)
    kind = common_type(lists.dtype, truth.dtype, "item_id", f"the lists of {name!r}")
    if kind == pl.Int64:
        low, high = _ends(lists, truth)
        if high - low <= np.iinfo(np.int32).max:

            def by_distance(ids: pl.Series) -> Codes:
                return (ids.to_numpy() - np.int64(low)).astype(np.int32)

            return by_distance, by_distance(truth)
    known = pl.concat([lists.unique().cast(kind), truth.unique().cast(kind)]).unique().alias("id").to_frame()
    known = known.with_columns(code=pl.int_range(pl.len(), dtype=pl.Int32))

    def by_table(ids: pl.Series) -> Codes:
        found = ids.cast(kind).alias("id").to_frame().join(known, on="id", how="left", maintain_order="left")
        return found["code"].to_numpy()

    return by_table, by_table(truth)


def _ends(*ids: pl.Series) -> tuple[int, int]:
    """The lowest and the highest of whole-number ids."""
    found = pl.concat([each.to_frame("id").select(low=pl.min("id"), high=pl.max("id")).cast(pl.Int64) for each in ids])
    return int(found["low"].to_numpy().min()), int(found["high"].to_numpy().max())


def _hits(
    codes_BK: Codes, true_codes: Codes, starts_B: npt.NDArray[np.int64], sizes_B: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether each place holds a true item of its user: compared with everyone's first, then second, ..."""
    hits_BK = np.zeros(codes_BK.shape, dtype=np.bool_)
    for n in range(int(sizes_B.max())):
        rows = np.flatnonzero(sizes_B > n)
        wanted = true_codes[starts_B[rows] + n]
        hits_BK[rows] |= codes_BK[rows] == wanted[:, None]
    return hits_BK


def _refuse_gaps(codes_UK: Codes, lengths_U: npt.NDArray[np.int64], truth: Truth, name: str) -> None:
    places_K = np.arange(codes_UK.shape[1])
    for start in range(0, len(codes_UK), _USERS):
        block = slice(start, start + _USERS)
        wrong_B = ((codes_UK[block] != _EMPTY) != (places_K < lengths_U[block, None])).any(axis=1)
        if wrong_B.any():
            user = truth.users[start + int(wrong_B.argmax())]
            raise DataError(
                f"the list of user {user!r} in the lists of {name!r} uses a rank twice or skips one: "
                "number its items 1, 2, 3, ... from the best"
            )


def _refuse_repeats(codes_BK: Codes, start: int, lists: pl.DataFrame, truth: Truth, name: str) -> None:
    sorted_BK = np.sort(codes_BK, axis=1)
    twice_BK = (sorted_BK[:, 1:] == sorted_BK[:, :-1]) & (sorted_BK[:, 1:] != _EMPTY)
    if not twice_BK.any():
        return
    row = int(twice_BK.any(axis=1).argmax())
    code = sorted_BK[row, 1:][twice_BK[row]][0]
    ranks = np.flatnonzero(codes_BK[row] == code) + 1
    user = truth.users[start + row]
    item = lists.filter(pl.col("user_id") == user, pl.col("rank") == int(ranks[0]))["item_id"].item()
    raise DataError(
        f"the list of user {user!r} in the lists of {name!r} shows item {item!r} twice, "
        f"at ranks {ranks[0]} and {ranks[1]}: keep its best place only and number the list again"
    )


def _kind(dtype: pl.DataType) -> str:
    return f"text ({dtype})" if dtype == pl.String else f"whole numbers ({dtype})"
