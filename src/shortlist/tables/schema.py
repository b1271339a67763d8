"""The declared schemas: which columns a table of events, items, users or recommendations has, and its named
rules.

A column is found by its own name first, then by the names that the field gives it, whatever their case and
separators: `userId`, `Customer-ID` and `household_id` are all `user_id`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from shortlist.errors import ColumnError, nearest

Kind = Literal["id", "time", "number", "text"]

_BROKEN: dict[Kind, tuple[str, ...]] = {
    "id": ("missing", "wrong_type"),
    "time": ("missing", "unreadable"),
    "number": ("missing", "unreadable", "not_finite"),
    "text": (),
}


@dataclass(frozen=True)
class Column:
    """One declared column: its name, what it holds, whether a table must have it, its other usual names, and
    the number that stands in every row of a table without it.
    """

    name: str
    kind: Kind
    required: bool = True
    aliases: tuple[str, ...] = ()
    default: float | None = None


@dataclass(frozen=True)
class Schema:
    """The declared columns of one kind of table. Rows are unique by `key`; where it is empty, equal rows are
    legitimate.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of all rules in the order in which a row is held against them."""
        of_columns = [f"{column.name}_{fault}" for column in self.columns for fault in _BROKEN[column.kind]]
        return ("malformed", *of_columns, *(("duplicate_key",) if self.key else ()))


_USER = Column(
    "user_id",
    "id",
    aliases=(
        "user",
        "uid",
        "customer_id",
        "customer",
        "household_id",
        "household",
        "visitor_id",
        "visitor",
        "member_id",
    ),
)
_ITEM = Column(
    "item_id",
    "id",
    aliases=(
        "item", "iid", "product_id", "product", "article_id", "movie_id", "content_id", "track_id",
        "challenge_id", "sku", "asin",
    ),
)  # fmt: skip

EVENTS = Schema(
    "events",
    (
        _USER,
        _ITEM,
        Column(
            "timestamp",
            "time",
            required=False,
            aliases=(
                "datetime", "date", "time", "ts", "t_dat", "transaction_timestamp", "event_time",
                "created_at", "created_utc", "position",
            ),
        ),
        Column(
            "weight", "number", required=False, default=1.0,
            aliases=("rating", "plays", "play_count", "count"),
        ),
    ),
)  # fmt: skip
ITEMS = Schema("items", (_ITEM,), key=("item_id",))
USERS = Schema("users", (_USER,), key=("user_id",))
RECOMMENDATIONS = Schema(
    "recommendations",
    (
        _USER,
        _ITEM,
        Column("rank", "number"),
        Column("score", "number", required=False),
        Column("source", "text", required=False),
    ),
    key=("user_id", "item_id"),
)


def matched(schema: Schema, names: Iterable[str], columns: Mapping[str, str] | None = None) -> dict[str, str]:
    """Which column of a table stands for which declared one: declared name to the table's name.

    `columns` says it outright and beats all matching. Optional columns that are not there are left out. A
    required column that is not there, two that could both be meant, and a mapping to or from what does not
    exist raise `ColumnError`.
    """
    names = list(names)
    said = dict(columns or {})
    for declared, name in said.items():
        if declared not in {column.name for column in schema.columns}:
            known = nearest(declared, (column.name for column in schema.columns))
            raise ColumnError(f"columns={{{declared!r}: ...}}: {schema.name} have no such column{known}")
        if name not in names:
            raise ColumnError(f"columns={{{declared!r}: {name!r}}}: the table has no {name!r}{nearest(name, names)}")
    free = [name for name in names if name not in said.values()]
    found = {}
    for column in schema.columns:
        match = said.get(column.name) or _match(schema, column, free)
        if match is not None:
            found[column.name] = match
        elif column.required:
            guess = nearest(column.name, names)
            raise ColumnError(
                f"the table of {schema.name} has no column {column.name!r} nor one of its usual names; it "
                f"has {_listed(names)}{guess if 'did you mean' in guess else ';'} "
                f"say which it is: columns={{{column.name!r}: {names[0] if names else '...'!r}}}"
            )
    return found


def _match(schema: Schema, column: Column, names: list[str]) -> str | None:
    if column.name in names:
        return column.name
    usual = {_plain(alias) for alias in (column.name, *column.aliases)}
    fitting = [name for name in names if _plain(name) in usual]
    if len(fitting) > 1:
        raise ColumnError(
            f"in the table of {schema.name} both {fitting[0]!r} and {fitting[1]!r} could be {column.name!r}: "
            f"say which, columns={{{column.name!r}: {fitting[0]!r}}}"
        )
    return fitting[0] if fitting else None


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "").replace("-", "").replace(" ", "")


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:20]) + (", ..." if len(names) > 20 else "")
