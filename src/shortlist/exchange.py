"""Exchange: lists, pairs, events, ids and predictions that come in files."""

from pathlib import Path

import polars as pl

from shortlist.errors import ConfigError, DataError
from shortlist.tables.engine import Engine
from shortlist.tables.read import read_table
from shortlist.tables.schema import EVENTS, ITEMS, RECOMMENDATIONS, USERS, Schema

_IDS = {"user_id", "item_id"}
_LISTS = Schema("lists", tuple(c for c in RECOMMENDATIONS.columns if c.name in {*_IDS, "rank"}), RECOMMENDATIONS.key)
_PAIRS = Schema("pairs", tuple(c for c in EVENTS.columns if c.name in _IDS))
_EVENTS = Schema("events", tuple(c for c in EVENTS.columns if c.name in {*_IDS, "weight", "timestamp"}))
_ASKED = Schema("users", USERS.columns)
_ANYTHING = Schema("rows", ())


def lists_in(path: str | Path) -> pl.DataFrame:
    """The `user_id`, `item_id`, `rank` in a CSV, JSONL or Parquet file; usual column names are matched.

    Every row must be good: one that breaks a rule, a pair that stands there twice among them, raises `RejectsError`.
    """
    lists = _read(_LISTS, path)
    if (lists["rank"] != lists["rank"].floor()).any():
        raise DataError(
            f"{str(path)!r} has ranks that are no whole numbers: number each list 1, 2, 3, ... from the best"
        )
    return lists.with_columns(pl.col("rank").cast(pl.Int64))


def pairs_in(path: str | Path) -> pl.DataFrame:
    """The `user_id`, `item_id` in a file, as for `lists_in`."""
    return _read(_PAIRS, path)


def events_in(path: str | Path) -> pl.DataFrame:
    """The `user_id`, `item_id`, `weight` (else 1) and, if any, `timestamp` in a file, as for `lists_in`."""
    return _read(_EVENTS, path)


def items_in(path: str | Path) -> pl.DataFrame:
    """The `item_id` and all attributes in a file, as for `lists_in`."""
    return _whole(ITEMS, path)


def attributes_of_users_in(path: str | Path) -> pl.DataFrame:
    """The `user_id` and all attributes in a file, as for `lists_in`."""
    return _whole(USERS, path)


def users_in(path: str | Path) -> pl.Series:
    """The `user_id` in a file, as for `lists_in`."""
    return _read(_ASKED, path)["user_id"]


def table_in(path: str | Path) -> pl.DataFrame:
    """All columns of a CSV, JSONL or Parquet file as they are; a line that does not parse raises `RejectsError`."""
    return _whole(_ANYTHING, path)


def ids_like(ids: pl.Series, known: pl.Series) -> pl.Series:
    """The ids in the type of those that are known: text that is typed or read becomes a number where those are numbers.

    Whole numbers that do not fit that type stay wider: they cannot be known. Text that is no whole number where ids are
    whole numbers raises `ConfigError`.
    """
    if ids.dtype == known.dtype:
        return ids
    if not known.dtype.is_integer():
        return ids.cast(pl.String)
    if not ids.dtype.is_integer():
        wide = ids.cast(pl.String).str.strip_chars().cast(pl.Int64, strict=False)
        if wide.null_count():
            raise ConfigError(
                f"{ids.name}: {ids.filter(wide.is_null())[0]!r} is not a whole number, but the ids of the run are "
                f"(such as {known[0]!r})"
            )
        ids = wide
    narrow = ids.cast(known.dtype, strict=False)
    return ids if narrow.null_count() else narrow


def _whole(schema: Schema, path: str | Path) -> pl.DataFrame:
    with Engine.open() as engine:
        return engine.frame(read_table(schema, path, engine, max_rejects=0.0).table)


def _read(schema: Schema, path: str | Path) -> pl.DataFrame:
    with Engine.open() as engine:
        checked = read_table(schema, path, engine, max_rejects=0.0)
        there = [column.name for column in schema.columns if column.name in checked.table.columns]
        return engine.frame(checked.table.select(*there))
