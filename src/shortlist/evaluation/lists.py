"""Lists against truth: frames of anybody's making, checked once and turned into a matrix of hits.

The lists are read in slices into one code for each place of a judged list, and compared with the true items a
block of users at a time, so that beside the lists themselves little memory is needed: two bytes a place for the
codes, four where there are more than 65,535 items, and one for the hits.

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
from shortlist.tables.frames import column_names, columns_of

Codes = npt.NDArray[np.integer]

_EMPTY = 0
"""The code of a place without an item; items have codes from 1."""
_NOBODY = -1
_NARROW = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
"""The types of whole numbers that fit into 64 bits with a sign."""
_ROWS = 1 << 19
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
    lengths: npt.NDArray[np.int64]
    """How many of the K places are filled, `(U,)`."""
    users_without_list: int
    """Judged users for whom there is no list: all their places are misses."""
    users_without_truth: int
    """Users with a list but without truth: left out."""


def read_truth(truth: Any) -> Truth:
    """The true pairs of a frame with `user_id` and `item_id`; a pair that stands there twice counts once.

    A frame without rows raises `DataError`.
    """
    pairs = columns_of(truth, ("user_id", "item_id"), "the truth")
    if pairs.is_empty():
        raise DataError("the truth has no rows, so nobody can be judged: look at the period it was taken from")
    pairs = _in_order(pairs)
    runs = pairs["user_id"].rle().struct.unnest()
    return Truth(runs["value"].alias("user_id"), pairs["item_id"], runs["len"].cast(pl.Int64).to_numpy())


def read_lists(recommendations: Any, name: str, *, ordered: bool = True) -> pl.DataFrame:
    """The columns `user_id, item_id, rank` of the lists called `name`.

    Ranks that are no whole numbers from 1 raise `DataError`. Where the order does not count (`ordered`), a frame
    without ranks is numbered as it stands.
    """
    what = f"the lists of {name!r}"
    if not ordered and "rank" not in column_names(recommendations, what):
        pairs = columns_of(recommendations, ("user_id", "item_id"), what)
        return pairs.with_columns(rank=pl.int_range(1, pl.len() + 1).over("user_id"))
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
    codes_UK = np.zeros((len(truth.users), depth), dtype=true_codes.dtype)
    users_without_truth = _put_in_place(codes_UK, lists, truth, codes_of, name)
    hits_UK = np.empty(codes_UK.shape, dtype=np.bool_)
    lengths_U = np.empty(len(codes_UK), dtype=np.int64)
    starts_U = np.cumsum(truth.sizes) - truth.sizes
    for start in range(0, len(codes_UK), _USERS):
        block = slice(start, start + _USERS)
        _refuse_repeats(codes_UK[block], start, lists, truth, name)
        hits_UK[block] = _hits(codes_UK[block], true_codes, starts_U[block], truth.sizes[block])
        lengths_U[block] = np.count_nonzero(codes_UK[block] != _EMPTY, axis=1)
    return Judged(hits_UK, lengths_U, int(np.count_nonzero(lengths_U == 0)), users_without_truth)


def times_shown(lists: pl.DataFrame, k: int) -> npt.NDArray[np.int64]:
    """How often each different item stands in the first k places of all lists, `(I,)`, the rarest first."""
    shown = lists.lazy().filter(pl.col("rank") <= k).group_by("item_id").len("times").select(pl.col("times").sort())
    return shown.collect(engine="streaming")["times"].cast(pl.Int64).to_numpy()


def longest(lists: pl.DataFrame) -> int:
    """The length of the longest list, at least 1."""
    return max(1, int(lists["rank"].max() or 1))  # type: ignore[arg-type]


def places(lists: pl.DataFrame, truth: Truth, k: int) -> pl.DataFrame:
    """The first k places of the judged lists that are filled: `row` (of the user), `place` (from 0), `item_id`."""
    kind = common_type(lists["user_id"].dtype, truth.users.dtype, "user_id", "the lists") if lists.height else None
    users = pl.DataFrame({"user_id": truth.users.cast(kind or lists["user_id"].dtype, strict=False)}).with_row_index(
        "row"
    )
    return (
        lists.lazy()
        .filter(pl.col("rank") <= k)
        .with_columns(pl.col("user_id").cast(users["user_id"].dtype))
        .join(users.lazy(), on="user_id")
        .select(pl.col("row").cast(pl.Int64), (pl.col("rank") - 1).cast(pl.Int64).alias("place"), "item_id")
        .collect()
    )


def common_type(
    lists: pl.DataType, truth: pl.DataType, column: str, name: str, other: str = "the truth"
) -> pl.DataType:
    """The type in which ids of both sides compare: text or wide integers; one of each raises `DataError`."""
    if (lists == pl.String) != (truth == pl.String):
        raise DataError(
            f"{column} is {_kind(lists)} in {name} but {_kind(truth)} in {other}, so none could match: cast one of them"
        )
    if lists == pl.String:
        return pl.String()
    return pl.Int128() if {lists, truth} & {pl.UInt64(), pl.Int128()} else pl.Int64()


def _in_order(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs by user and item, each once; sorted as one whole number where both ids fit into it together."""
    users, items = pairs["user_id"], pairs["item_id"]
    if users.dtype in _NARROW and items.dtype in _NARROW:
        (low_user, high_user), (low_item, high_item) = _ends(users), _ends(items)
        bits = (high_item - low_item).bit_length()
        if (high_user - low_user).bit_length() + bits < np.iinfo(np.int64).bits:
            keys = users.to_numpy().astype(np.int64)
            keys -= low_user
            keys <<= bits
            keys += items.to_numpy()
            keys -= low_item
            keys.sort()
            if (twice := keys[1:] == keys[:-1]).any():
                keys = keys[~np.append(False, twice)]
            item_T = pl.Series((keys & ((1 << bits) - 1)) + low_item).cast(items.dtype)
            keys >>= bits
            keys += low_user
            return pl.DataFrame({"user_id": pl.Series(keys).cast(users.dtype), "item_id": item_T})
    pairs = pairs.sort("user_id", "item_id")
    return pairs.filter(pl.any_horizontal(pl.all().ne_missing(pl.all().shift())))


def _put_in_place(
    codes_UK: Codes, lists: pl.DataFrame, truth: Truth, codes_of: Callable[[pl.Series], Codes], name: str
) -> int:
    """Puts the code of each judged item in its place; the number of users with a list but without truth."""
    users, depth = codes_UK.shape
    lengths_U = np.zeros(users, dtype=np.int64)
    strangers = [truth.users.clear()]
    if lists.height:
        kind = common_type(lists["user_id"].dtype, truth.users.dtype, "user_id", f"the lists of {name!r}")
        judged = truth.users.cast(kind)
        strangers = []
        for part in lists.iter_slices(_ROWS):
            # Lists mostly come user after user, so only the first row of each run is looked up.
            runs = part["user_id"].rle().struct.unnest().with_columns(pl.col("value").cast(kind))
            row_R, length_R = _rows(runs["value"], judged), runs["len"].to_numpy().astype(np.int64)
            strangers.append(runs["value"].filter(row_R == _NOBODY).unique())
            rank_N = part["rank"].to_numpy().astype(np.int64)
            kept_N = (rank_N <= depth) & np.repeat(row_R != _NOBODY, length_R)
            np.add.at(lengths_U, row_R, np.add.reduceat(kept_N, np.cumsum(length_R) - length_R, dtype=np.int64))
            place_N, code_N = np.repeat(row_R * depth - 1, length_R), codes_of(part["item_id"])
            place_N += rank_N
            if not kept_N.all():
                place_N, code_N = place_N[kept_N], code_N[kept_N]
            codes_UK.reshape(-1)[place_N] = code_N
    _refuse_gaps(codes_UK, lengths_U, truth, name)
    return pl.concat(strangers).n_unique()


def _rows(ids: pl.Series, users: pl.Series) -> npt.NDArray[np.int64]:
    """The place of each id among the ascending users; `_NOBODY` where it is none of them."""
    place_R = users.search_sorted(ids).clip(upper_bound=len(users) - 1)
    found_R = users.gather(place_R) == ids
    return np.where(found_R.to_numpy(), place_R.to_numpy().astype(np.int64), _NOBODY)


def _coder(lists: pl.Series, truth: pl.Series, name: str) -> tuple[Callable[[pl.Series], Codes], Codes]:
    """A function from item ids to codes, equal exactly where the ids are, and the codes of the truth."""
    if lists.is_empty():
        return lambda ids: np.empty(len(ids), dtype=np.uint16), np.ones(len(truth), dtype=np.uint16)
    kind = common_type(lists.dtype, truth.dtype, "item_id", f"the lists of {name!r}")
    if kind == pl.Int64:
        low, high = _ends(lists, truth)
        if high - low < np.iinfo(np.int32).max:

            def by_distance(ids: pl.Series) -> Codes:
                codes: Codes = np.empty(len(ids), dtype=_narrow(high - low + 1))
                np.subtract(ids.to_numpy(), np.int64(low), out=codes, casting="unsafe")
                codes += 1
                return codes

            return by_distance, by_distance(truth)
    known = pl.concat([lists.unique().cast(kind), truth.unique().cast(kind)]).unique().alias("id").to_frame()
    known = known.with_columns(code=pl.int_range(1, pl.len() + 1, dtype=pl.Int32))

    def by_table(ids: pl.Series) -> Codes:
        found = ids.cast(kind).alias("id").to_frame().join(known, on="id", how="left", maintain_order="left")
        return found["code"].to_numpy().astype(_narrow(known.height))

    return by_table, by_table(truth)


def _narrow(codes: int) -> type[np.uint16] | type[np.int32]:
    """The type in which so many codes, and that of an empty place, take the least memory."""
    return np.uint16 if codes <= np.iinfo(np.uint16).max else np.int32


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
        if len(rows) == len(sizes_B):
            hits_BK |= codes_BK == wanted[:, None]
        else:
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
