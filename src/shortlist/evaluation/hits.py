"""Hits: lists against truth, as a matrix.

The lists are read in slices into one code for each place of a judged list, and compared with the true items a
block of users at a time, so that beside the lists themselves little memory is needed: two bytes a place for the
codes, four where there are more than 65,535 items, and one for the hits.

Shapes: U users judged (those with truth, in the order of their ids), K places of a list, N rows of a slice, B
users of a block.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.errors import DataError
from shortlist.evaluation.lists import Truth, common_type, ends

Codes = npt.NDArray[np.integer]

_EMPTY = 0
"""The code of a place without an item; items have codes from 1."""
_NOBODY = -1
_ROWS = 1 << 19
_USERS = 1 << 12


@dataclass(frozen=True, eq=False)
class Hits:
    """The lists of the judged users as hits: what every metric of accuracy reads."""

    hits: npt.NDArray[np.bool_]
    """Is the item at this place of this user's list a true one? `(U, K)`, the best place first; an empty one is not."""
    lengths: npt.NDArray[np.int64]
    """|S|, how many items the user's list holds, `(U,)`; 0 for a user without a list."""
    truth_sizes: npt.NDArray[np.int64]
    """|T|, how many true items the user has, `(U,)`: at least 1, for a user without truth is not judged."""

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, users: slice) -> "Hits":
        return Hits(self.hits[users], self.lengths[users], self.truth_sizes[users])

    @property
    def users_without_list(self) -> int:
        """Judged users for whom there is no list: all their places are misses."""
        return int(np.count_nonzero(self.lengths == 0))

    def counts(self, k: int | None) -> npt.NDArray[np.int64]:
        """Hits in the first k places, `(U,)`; without a k in the whole list."""
        counts_U: npt.NDArray[np.int64] = np.count_nonzero(self.hits[:, :k], axis=1)
        return counts_U

    def shown(self, k: int | None) -> npt.NDArray[np.int64]:
        """Items that the first k places hold, `(U,)`: fewer than k where the list is shorter."""
        return self.lengths if k is None else np.minimum(self.lengths, k)


def hits_of(lists: pl.DataFrame, truth: Truth, depth: int, name: str) -> tuple[Hits, int]:
    """The first `depth` places of the lists of the judged users as hits, and how many users had a list but no truth.

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
    return Hits(hits_UK, lengths_U, truth.sizes), users_without_truth


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
        low, high = ends(lists, truth)
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
