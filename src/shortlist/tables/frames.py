"""Small frames handed over by callers: of any library, checked, as Polars."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import narwhals as nw
import polars as pl

from shortlist.errors import ColumnError, DataError, nearest


def columns_of(frame: Any, names: tuple[str, ...], what: str, *, rest: bool = False) -> pl.DataFrame:
    """The named columns of a frame of any library, or of an Ibis table, as Polars; `what` names it in messages.

    With the `rest`, all other columns come along as they are.

    Ids come as whole numbers or text; categories become text. A missing column raises `ColumnError`; what is no
    frame, values that are missing, columns of mixed types and other types of ids raise `DataError`.
    """
    found = picked(frame, names, what, rest=rest)
    for name in names:
        if found[name].null_count():
            raise DataError(f"{what}: {found[name].null_count():,} rows have no {name}; drop them or fill it in")
    if found.is_empty():
        return found
    for name in names:
        if name.endswith("_id") and not (found[name].dtype.is_integer() or found[name].dtype == pl.String):
            raise DataError(f"{what}: {name} is of type {found[name].dtype}; cast it to whole numbers or text")
    return found


def picked(frame: Any, names: Sequence[str], what: str, *, rest: bool = False) -> pl.DataFrame:
    """The same with values of any type, some of which may be missing."""
    given = _table(frame, what)
    there = given.collect_schema().names()
    for name in names:
        if name not in there:
            raise ColumnError(f"{what} lack the column {name!r}{nearest(name, there)}")
    some = given if rest else given.select(*names)
    try:
        found: pl.DataFrame = (some.collect("polars") if isinstance(some, nw.LazyFrame) else some).to_polars()
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} have a column of mixed types: {error}") from None
    labels = [name for name in names if isinstance(found[name].dtype, pl.Categorical | pl.Enum)]
    return found.with_columns(pl.col(labels).cast(pl.String))


def column_names(frame: Any, what: str) -> list[str]:
    """The columns that a frame of any library has. What is no frame raises `DataError`."""
    return list(_table(frame, what).collect_schema().names())


def ids_of(ids: Any, name: str) -> pl.Series:
    """The ids in a list, an array, a series, or in the column `name` of a frame, as a Polars series of that name.

    A lone id (text or number) is a list of one. UUIDs become text, the form in which they are answered.
    """
    if isinstance(ids, str | int):
        ids = [ids]
    if isinstance(ids, pl.Series):
        return ids.alias(name)
    try:
        nw.from_native(ids)
    except TypeError:
        return _series(name, ids)
    return columns_of(ids, (name,), f"the {name}s")[name]


def _table(frame: Any, what: str) -> Any:
    try:
        return nw.from_native(frame)
    except TypeError as error:
        raise DataError(f"{what} are no table: {error}") from None


def _series(name: str, ids: Iterable[Any]) -> pl.Series:
    try:
        if hasattr(ids, "__array__"):
            return pl.Series(name, ids)
        return pl.Series(name, [str(value) if isinstance(value, UUID) else value for value in ids])
    except (TypeError, pl.exceptions.PolarsError):
        raise DataError(f"{name}: a list of ids of one type is needed, not {str(ids)[:80]}") from None
