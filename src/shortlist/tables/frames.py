"""Small frames handed over by callers: of any library, checked, as Polars."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import narwhals as nw
import polars as pl

from shortlist.errors import ColumnError, DataError, nearest


def columns_of(frame: Any, names: tuple[str, ...], what: str) -> pl.DataFrame:
    """The named columns of a frame of any library, or of an Ibis table, as Polars; `what` names it in messages.

    A missing column raises `ColumnError`; what is no frame, and ids that are missing, raise `DataError`.
    """
    try:
        given = nw.from_native(frame)
    except TypeError:
        raise DataError(
            f"{what}: a {type(frame).__name__} is not a table; give a frame with {', '.join(names)}"
        ) from None
    known = given.collect_schema().names()
    for name in names:
        if name not in known:
            raise ColumnError(f"{what} has no column {name!r}{nearest(name, known)}")
    picked = given.select(*names)
    found = (picked.collect("polars") if isinstance(picked, nw.LazyFrame) else picked).to_polars()
    for name in names:
        if name.endswith("_id") and found[name].null_count():
            raise DataError(f"{what}: {found[name].null_count()} of {found.height} values of {name!r} are missing")
    return found


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
    return columns_of(ids, (name,), f"the table of {name}s")[name]


def _series(name: str, ids: Iterable[Any]) -> pl.Series:
    try:
        if hasattr(ids, "__array__"):
            return pl.Series(name, ids)
        return pl.Series(name, [str(value) if isinstance(value, UUID) else value for value in ids])
    except (TypeError, pl.exceptions.PolarsError):
        raise DataError(f"{name}: a list of ids of one type is needed, not {str(ids)[:80]}") from None
