"""Several splits of one dataset: rolling time folds, and k folds by pair, user, item, group or tree.

Groups are dealt whole: the largest first, each to the fold that has the fewest events so far (the longest-processing-
time rule of R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969), so folds differ by no more than the
largest group. Pairs are too many to deal; each draws its fold.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import ibis
import numpy as np
import polars as pl
from pydantic import Field

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import PRIME, Split, by_time, cut, draw, pair_number
from shortlist.errors import ColumnError, ConfigError, DataError, nearest
from shortlist.moments import microseconds
from shortlist.seeds import Seeds


class Tree(Config):
    """Users who form a tree, such as the topics of a curriculum: whole subtrees stay together."""

    parent: str = "parent_id"
    """The users' column that holds the user_id of the parent; one that is null or not in the table makes a root."""
    depth: int = Field(0, ge=0)
    """Where the subtrees that stay together are rooted; 0 is whole trees. A node above is a group of its own."""


def rolling(data: Dataset, test: str = "7d", folds: int = 4) -> tuple[Split, ...]:
    """Splits by time whose test parts follow upon each other, each `test` long; the last one ends with the data.

    Each learns from all that came before its test part. A fold without events on one side raises `DataError`.
    """
    if folds < 1:
        raise ConfigError(f"rolling takes 1 fold or more, not {folds}")
    length = microseconds(test)
    return tuple(by_time(data, test=test, at=data.as_of - length * ago) for ago in range(folds, 0, -1))


def k_fold(
    data: Dataset, k: int = 5, by: str | Tree = "pair", seed: int = 0, *, keep_items: bool = False
) -> tuple[Split, ...]:
    """`k` splits; every event is in the test part of exactly one.

    `by` says what stays together: all events of a `"pair"`, a `"user"`, an `"item"`; of all users (or items) with one
    value in a column of their table (the users' where both have it; `"items.channel"` names the items'; those without
    a value stand alone); or of subtrees of users, `Tree()`. Folds have about equal numbers of events; the seed draws
    the pairs, and the order among groups of equal size.

    By a column of the users and by tree, an item that only held-out users met is taken out of `train.items`: what one
    group alone uses tells of that group. It stays in `test.items`, its number unchanged; `keep_items` leaves it in
    both, where held-out items must be candidates. In all other folds the items stay, as in `by_item`.

    Fewer groups with events than `k` and a parent that is its own descendant raise `DataError`, a column that is not
    there `ColumnError`.
    """
    if k < 2:
        raise ConfigError(f"k_fold takes k of 2 or more, not {k}: one part is judged on, the others are learnt from")
    if by == "pair":
        return _pair_folds(data, k, seed)
    grouped = _grouped(data, by)
    dealt = data.engine.take(_dealt(data, grouped, k, seed))
    take_out = grouped.takes_items_out and not keep_items
    return tuple(_fold(data, dealt.filter(dealt.fold == n), grouped.kind, take_out) for n in range(k))


def tree_groups(parents: np.ndarray, depth: int) -> np.ndarray:
    """For each node, the root of its group: its ancestor at `depth`, or itself where it stands no deeper.

    `parents` has the number of each node's parent, -1 for a root. A node under a cycle gets -1.
    """
    groups = np.full(len(parents), -1, dtype=np.int64)
    for level, nodes in enumerate(_levels(parents)):
        groups[nodes] = nodes if level <= depth else groups[parents[nodes]]
    return groups


@dataclass(frozen=True)
class _Grouped:
    """Which users (or items) belong together."""

    kind: str
    """`"user"` or `"item"`: whose numbers `groups` has."""
    groups: pl.DataFrame
    """Columns: `kind` and `group`; every user (or item) once."""
    said: str
    """What stays together, for messages."""
    takes_items_out: bool = False


def _grouped(data: Dataset, by: str | Tree) -> _Grouped:
    if isinstance(by, Tree):
        return _Grouped("user", _subtrees(data, by), f"trees over {by.parent!r} at depth {by.depth}", True)
    if by in {"user", "item"}:
        numbers = np.arange(len(data.user_ids if by == "user" else data.item_ids), dtype=np.int32)
        return _Grouped(by, pl.DataFrame({by: numbers, "group": numbers}), f"{by}s")
    kind, column = _column(data, by)
    table = data.users if kind == "user" else data.items
    values = data.engine.frame(table.select(kind, value=table[column])).sort(kind)
    valued = pl.col("value").is_not_null()
    # Values are numbered after the largest number of an entity, so that those without one can stand under their own.
    ranked = pl.col("value").rank("dense").cast(pl.Int64) + pl.col(kind).max()
    groups = values.select(kind, group=pl.when(valued).then(ranked).otherwise(pl.col(kind).cast(pl.Int64)))
    return _Grouped(kind, groups, f"values of {column!r}", kind == "user")


def _column(data: Dataset, by: str) -> tuple[str, str]:
    named = {"users": data.users.columns, "items": data.items.columns}
    table, _, column = by.partition(".")
    if table in named and column in named[table]:
        return table.removesuffix("s"), column
    for table, columns in named.items():
        if by in columns:
            return table.removesuffix("s"), by
    known = {"pair", "user", "item", *named["users"], *named["items"]}
    raise ColumnError(f"k_fold by {by!r}: neither the users nor the items have such a column{nearest(by, known)}")


def _subtrees(data: Dataset, tree: Tree) -> pl.DataFrame:
    if tree.parent not in data.users.columns:
        hint = nearest(tree.parent, data.users.columns)
        raise ColumnError(f"k_fold by tree: the users have no column {tree.parent!r}{hint}")
    users = data.engine.frame(data.users.select("user", parent=data.users[tree.parent])).sort("user")
    parents = data.user_ids.numbers(users["parent"])
    groups = tree_groups(parents, tree.depth)
    if (groups < 0).any():
        node = int(np.flatnonzero(groups < 0)[0])
        for _ in range(len(parents)):  # a walk as long as the table surely ends inside the cycle
            node = int(parents[node])
        raise DataError(
            f"the users are no tree: {data.user_ids.ids[node]!r} is its own ancestor by {tree.parent!r}; mend that "
            "column, or give the roots no parent"
        )
    return users.select("user", group=pl.Series(groups))


def _levels(parents: np.ndarray) -> Iterator[np.ndarray]:
    """The nodes of a forest from the roots downwards."""
    by_parent = np.argsort(parents, kind="stable")
    starts = np.searchsorted(parents[by_parent], np.arange(-1, len(parents) + 1))
    nodes = by_parent[starts[0] : starts[1]]
    while len(nodes):
        yield nodes
        first, lengths = starts[nodes + 1], starts[nodes + 2] - starts[nodes + 1]
        within = np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)
        nodes = by_parent[np.repeat(first, lengths) + within]


def _dealt(data: Dataset, grouped: _Grouped, k: int, seed: int) -> pl.DataFrame:
    """The fold of every user (or item) that has events: `kind`, `fold`."""
    kind = grouped.kind
    counted = data.engine.frame(data.events.group_by(kind).aggregate(events=data.events.count()))
    members = counted.join(grouped.groups, on=kind)
    sizes = members.group_by("group").agg(pl.col("events").sum()).sort("group")
    if sizes.height < k:
        raise DataError(
            f"k_fold by {grouped.said}: {sizes.height} of them have events, which do not fill {k} folds; lower k, or "
            "keep smaller groups together"
        )
    chance = Seeds(seed).generator("k_fold").random(sizes.height)
    order = np.lexsort((chance, -sizes["events"].to_numpy()))
    lightest = [(0, fold) for fold in range(k)]
    folds = np.empty(sizes.height, dtype=np.int32)
    for place, events in zip(order, sizes["events"].to_numpy()[order], strict=True):
        weight, fold = lightest[0]
        folds[place] = fold
        heapq.heapreplace(lightest, (weight + int(events), fold))
    return members.join(sizes.select("group", fold=pl.Series(folds)), on="group").select(kind, "fold").sort(kind)


def _fold(data: Dataset, held_out: ibis.Table, kind: str, take_out: bool) -> Split:
    train, test = data.events.anti_join(held_out, kind), data.events.semi_join(held_out, kind)
    items = data.items
    if take_out:
        items = items.anti_join(test.select("item").distinct().anti_join(train, "item"), "item")
    return Split(
        train=replace(data, events=train, items=items),
        test=replace(data, events=test, users=data.users.semi_join(test, "user")),
    )


def _pair_folds(data: Dataset, k: int, seed: int) -> tuple[Split, ...]:
    fold = (draw(pair_number(data.events), seed) * k // PRIME).cast("int64")
    counted = data.engine.frame(data.events.select(fold=fold).distinct())
    if counted.height < k:
        raise DataError(
            f"k_fold by pairs: of {k} folds, {k - counted.height} drew no event; the data are too few, lower k"
        )
    return tuple(cut(data, data.events, fold == n) for n in range(k))
