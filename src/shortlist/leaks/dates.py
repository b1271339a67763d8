"""Which columns hold dates or times, and their values as microseconds since 1970 (UTC)."""

from collections.abc import Collection

import ibis
import polars as pl

from shortlist.moments import DAY, SECOND

_WRITTEN = ("%Y-%m-%d", "%Y/%m/%d", "%d-%b-%Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_READ = 0.95
"""Share of a text column's values that must read as dates."""
_SINCE, _UNTIL = 9_131 * DAY, 25_567 * DAY  # 1995 and 2040: numbers in between may be seconds or milliseconds


def may_be_dates(table: ibis.Table, without: Collection[str], *, typed: bool = False) -> list[str]:
    """The columns whose type could hold dates: dates and times, and unless `typed` text and numbers too."""
    kinds = {name: kind for name, kind in table.schema().items() if name not in without}
    return [
        name
        for name, kind in kinds.items()
        if kind.is_date() or kind.is_timestamp() or (not typed and (kind.is_string() or kind.is_numeric()))
    ]


def as_moments(values: pl.Series, clock: str | None) -> pl.Series | None:
    """The values as int64 microseconds, null where there is none; None where they are no dates.

    Numbers are dates where all of them are seconds, milliseconds or microseconds between 1995 and 2040, and the events
    have a `clock` (not `"order"`).
    """
    if values.dtype == pl.Date or values.dtype == pl.Datetime:
        return values.cast(pl.Datetime("us")).cast(pl.Int64)
    if values.dtype == pl.String:
        return _read(values)
    if values.dtype.is_numeric() and clock != "order":
        for unit in (SECOND, 1_000, 1):
            scaled = values.cast(pl.Float64, strict=False).fill_nan(None) * unit
            if scaled.null_count() < len(scaled) and scaled.is_between(_SINCE, _UNTIL).all():
                return scaled.round().cast(pl.Int64)
    return None


def _read(values: pl.Series) -> pl.Series | None:
    known = values.drop_nulls()
    known = known.filter(known.str.strip_chars() != "")
    for form in _WRITTEN:
        if len(known) and len(known.head(50).str.to_datetime(form, strict=False).drop_nulls()) >= _READ * min(
            50, len(known)
        ):
            read = values.str.to_datetime(form, strict=False, time_unit="us")
            if len(read.drop_nulls()) >= _READ * len(known):
                return read.cast(pl.Int64)
    return None
