"""Alikeness: how alike a candidate's text is to the others of its list, and to what relatives of the user have.

Shapes: I items, D numbers of a vector, N candidates of all lists, K of one list, M items of a user's relatives,
A attributes.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from shortlist.threads import blocks, spread

FIRST, NEAREST = 20, 5
"""Candidates that stand for their list, and those that stand for the neighbourhood of one."""
AT_MOST = 64
"""Items of a user's relatives that count, those of the first relatives."""
_LISTS = 64
"""Lists that a thread has in hand."""


@dataclass(frozen=True)
class Lists:
    """Candidates that stand list by list: the dense `users`, the `items` (N), and where each list starts."""

    users: np.ndarray
    items: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "Lists":
        """The lists in rows of `user`, `item`, those of a user together."""
        users = rows["user"].to_numpy()
        first = np.ones(len(users), bool)
        first[1:] = users[1:] != users[:-1]
        starts = np.flatnonzero(first)
        return cls(users[starts], rows["item"].to_numpy(), np.append(starts, len(users)))


def crowd(lists: Lists, vector_ID: np.ndarray) -> list[pl.Series]:
    """The mean likeness to the first of the list, and that to the nearest in it; a candidate is not its own."""
    first_N, nearest_N = (np.full(len(lists.items), np.nan, np.float32) for _ in range(2))

    def work(start: int, end: int) -> None:
        for row in range(start, end):
            within = slice(lists.starts[row], lists.starts[row + 1])
            vector_KD = vector_ID[lists.items[within]]
            alike_KK = vector_KD @ vector_KD.T
            count = len(alike_KK)
            if count < 2:
                continue
            own = np.diagonal(alike_KK)[:FIRST].copy()
            summed = alike_KK[:, :FIRST].sum(axis=1)
            others = np.full(count, min(FIRST, count))
            summed[:FIRST] -= own
            others[:FIRST] -= 1
            first_N[within] = summed / others
            np.fill_diagonal(alike_KK, -np.inf)
            among = min(NEAREST, count - 1)
            nearest_N[within] = np.partition(alike_KK, count - among, axis=1)[:, count - among :].mean(axis=1)

    spread(work, blocks(len(lists.users), _LISTS))
    return [_known("crowd_first", first_N), _known("crowd_nearest", nearest_N)]


def to_relatives(
    lists: Lists, theirs: pl.DataFrame, vector_ID: np.ndarray, code_IA: np.ndarray, attributes: list[str], kind: str
) -> list[pl.Series]:
    """What the items of relatives (`theirs`: `user`, `relative`, `item`, sorted) say of each candidate.

    How many they are and how many each of them has, the likeness to the most alike and on average, and the share that
    has the same value of each attribute (`code_IA`, -1 where there is none). Missing where there are none.
    """
    user_M, item_M = theirs["user"].to_numpy(), theirs["item"].to_numpy()
    first, beyond = (np.searchsorted(user_M, lists.users, side) for side in ("left", "right"))
    many = theirs.group_by("user").agg(n=pl.col("relative").n_unique())
    of_user = dict(zip(many["user"].to_list(), many["n"].to_list(), strict=True))
    names = ("items", "each", "most", "mean", *attributes)
    found_NF = np.full((len(lists.items), len(names)), np.nan, np.float32)

    def work(start: int, end: int) -> None:
        for row in range(start, end):
            if first[row] == beyond[row]:
                continue
            within = slice(lists.starts[row], lists.starts[row + 1])
            mine = lists.items[within]
            other = item_M[first[row] : min(beyond[row], first[row] + AT_MOST)]
            alike_KM = vector_ID[mine] @ vector_ID[other].T
            count = beyond[row] - first[row]
            found_NF[within, 0] = count
            found_NF[within, 1] = count / of_user[int(lists.users[row])]
            found_NF[within, 2] = alike_KM.max(axis=1)
            found_NF[within, 3] = alike_KM.mean(axis=1)
            for place in range(len(attributes)):
                same = code_IA[mine, place][:, None] == code_IA[other, place][None, :]
                found_NF[within, 4 + place] = same.mean(axis=1)

    spread(work, blocks(len(lists.users), _LISTS))
    return [_known(f"{kind}_{name}", found_NF[:, place]) for place, name in enumerate(names)]


def _known(name: str, values: np.ndarray) -> pl.Series:
    return pl.Series(name, values).fill_nan(None)
