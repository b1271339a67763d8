"""Lists and truth: frames of anybody's making, read and checked once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.errors import DataError
from shortlist.tables.frames import column_names, columns_of

_NARROW = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
"""The types of whole numbers that fit into 64 bits with a sign."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What the judged users truly took: each pair once, user after user."""

    users: pl.Series
    """The judged users, ascending; their position is the row U of every matrix."""
    items: pl.Series
    """The true items of the first user, then of the second, and so on."""
    sizes: npt.NDArray[np.int64]
    """How many true items each user has, `(U,)`."""


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


def ends(*ids: pl.Series) -> tuple[int, int]:
    """The lowest and the highest of whole-number ids."""
    found = pl.concat([each.to_frame("id").select(low=pl.min("id"), high=pl.max("id")).cast(pl.Int64) for each in ids])
    return int(found["low"].to_numpy().min()), int(found["high"].to_numpy().max())


def _in_order(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs by user and item, each once; sorted as one whole number where both ids fit into it together."""
    users, items = pairs["user_id"], pairs["item_id"]
    if users.dtype in _NARROW and items.dtype in _NARROW:
        (low_user, high_user), (low_item, high_item) = ends(users), ends(items)
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


def _kind(dtype: pl.DataType) -> str:
    return f"text ({dtype})" if dtype == pl.String else f"whole numbers ({dtype})"
