"""Values: how one declared column is read from what a table holds, and which rows it cannot be read in.

Ids stay what they are: integers, texts or UUIDs. Times become int64 microseconds since 1970 (UTC), or stay a
plain order. Numbers become float64. All of it is Ibis expressions; the only thing that is brought home is one
row of counts.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from shortlist.errors import ColumnError
from shortlist.tables.engine import Engine, engine_function
from shortlist.tables.schema import Column

MOSTLY = 0.95
"""A column of text, of which this share are integers, is a column of integers; the others are of the wrong
type.
"""

_MINORITY = 0.01
_UNITS: tuple[tuple[str, float, int], ...] = (
    ("order", 1e8, 1),
    ("seconds", 1e11, 1_000_000),
    ("milliseconds", 1e14, 1_000),
    ("microseconds", 1e17, 1),
    ("nanoseconds", math.inf, 0),
)
_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
_PADDED = r"^-?0[0-9]+$"
_WHOLE = r"^[+-]?[0-9]+$"
_NUMBER = r"^-?(0|[1-9][0-9]*)?(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?$"
_UTC = dt.Timestamp(timezone="UTC", scale=6)
_trimmed = engine_function("trim", dt.string, dt.string)  # spaces alone, and many times faster than strip
_microseconds_in = {
    "duckdb": engine_function("epoch_us", _UTC, dt.int64),
    "pyspark": engine_function("unix_micros", _UTC, dt.int64),
}


@dataclass(frozen=True)
class Reading:
    """The value of a column in each row, and the faults that make a row unusable, in the order in which they
    are looked for.

    `unit` tells how a time was read: `calendar`, `order`, or the unit of its numbers.
    """

    value: ir.Value
    faults: tuple[tuple[str, ir.BooleanValue], ...] = ()
    unit: str | None = None


Facts = Mapping[str, Mapping[str, int]]


def facts(table: ir.Table, engine: Engine, times: Iterable[str], ids: Iterable[str], untyped: Iterable[str]) -> Facts:
    """For each named column, how many of its values look like what: one pass over the table, one row brought
    home.
    """
    asked: dict[str, dict[str, Any]] = {}
    for name in sorted({*untyped, *(name for name in (*times, *ids) if table[name].type().is_string())}):
        asked[name] = _looks(_trimmed(table[name]))
    for name in ids:
        if table[name].type().is_floating() or table[name].type().is_decimal():
            number = table[name].cast("float64")
            asked[name] = {"filled": number.notnull() & ~number.isnan(), "integer": _is_whole(number)}
    for name in times:
        asked.setdefault(name, {}).update(_sizes(table[name]))
    flat = {(name, look): test for name, looks in asked.items() for look, test in looks.items()}
    if not flat:
        return {}
    sums = {f"n{place}": test.cast("int64").sum().fill_null(0) for place, test in enumerate(flat.values())}
    counts = engine.frame(table.aggregate(**sums)).row(0)
    found: dict[str, dict[str, int]] = {}
    for (name, look), count in zip(flat, counts, strict=True):
        found.setdefault(name, {})[look] = int(count)
    return found


def read(column: Column, values: ir.Column, engine: Engine, known: Mapping[str, int], *, untyped: bool) -> Reading:
    """How `values` are read as the declared `column`; a type that it cannot hold raises `ColumnError`."""
    readers: dict[str, Callable[[], Reading]] = {
        "id": lambda: _read_id(values, known, untyped=untyped),
        "time": lambda: _read_time(values, engine, known),
        "number": lambda: _read_number(values),
        "text": lambda: Reading(values.cast("string")),
    }
    return readers[column.kind]()


def plain(values: Any, known: Mapping[str, int]) -> ir.Value:
    """A column of text cells that no schema declares: integers or floats where all cells are, else text;
    empty is null.
    """
    text = _trimmed(values).nullif("")
    if known["filled"] and known["integer"] == known["filled"]:
        return text.try_cast("int64")
    if known["filled"] and known["number"] == known["filled"]:
        return text.try_cast("float64")
    return text


def _looks(text: Any) -> dict[str, Any]:
    return {
        "filled": text.notnull() & (text != ""),
        "integer": text.re_search(_INTEGER) & text.try_cast("int64").notnull(),
        "padded": text.re_search(_PADDED),
        "number": text.re_search(_NUMBER) & text.try_cast("float64").notnull(),
    }


def _sizes(values: ir.Column) -> dict[str, Any]:
    """How many of the numbers in a column are of the size that each unit has."""
    if not (values.type().is_string() or values.type().is_numeric()):
        return {}
    size = _number(values).abs()
    floor, tests = -1.0, {}
    for unit, limit, _ in _UNITS:
        tests[unit] = (size >= floor) & (size < limit)
        floor = limit
    return tests


def _read_id(values: Any, known: Mapping[str, int], *, untyped: bool) -> Reading:
    kind = values.type()
    if kind.is_integer() or kind.is_uuid():
        return Reading(values, (("missing", values.isnull()),))
    if kind.is_floating() or kind.is_decimal():
        if known["integer"] < MOSTLY * known["filled"]:
            raise ColumnError(f"{values.get_name()!r} has ids that are fractions: make them integers or text")
        number = values.cast("float64")
        missing = number.isnull() | number.isnan()
        whole = ibis.cases((_is_whole(number), number)).try_cast("int64")
        return Reading(whole, (("missing", missing), ("wrong_type", whole.isnull())))
    if not kind.is_string():
        raise ColumnError(f"{values.get_name()!r} has ids of type {kind}: make them integers or text")
    text = _trimmed(values)
    missing = values.isnull() | (text == "")
    if not untyped:
        return Reading(values, (("missing", missing),))
    if known["filled"] and known["integer"] >= MOSTLY * known["filled"] and not known["padded"]:
        whole = ibis.cases((text.re_search(_INTEGER), text)).try_cast("int64")
        return Reading(whole, (("missing", missing), ("wrong_type", whole.isnull())))
    return Reading(text, (("missing", missing),))


def _read_time(values: Any, engine: Engine, known: Mapping[str, int]) -> Reading:
    kind = values.type()
    missing = values.isnull() | (_trimmed(values) == "") if kind.is_string() else values.isnull()
    if kind.is_timestamp() or kind.is_date():
        value, unit = _microseconds_in[engine.name](values.cast(_UTC)), "calendar"
    elif kind.is_string() and 2 * known["number"] < known["filled"]:
        text = _trimmed(values)
        value, unit = (
            _microseconds_in[engine.name](ibis.cases((text.re_search(_ISO), text)).try_cast(_UTC)),
            "calendar",
        )
    elif kind.is_string() or kind.is_numeric():
        value, unit = _scaled(values, known)
    else:
        raise ColumnError(
            f"{values.get_name()!r} has times of type {kind}: make them dates, ISO text or numbers since 1970"
        )
    return Reading(value, (("missing", missing), ("unreadable", value.isnull())), unit)


def _scaled(values: Any, known: Mapping[str, int]) -> tuple[ir.Value, str]:
    """Microseconds of numbers since 1970, in the unit that the largest of them have; a lone larger one is
    unreadable.
    """
    least = max(1.0, _MINORITY * sum(known[unit] for unit, _, _ in _UNITS))
    unit, limit, factor = next((u for u in reversed(_UNITS) if known[u[0]] >= least), _UNITS[0])
    number = _number(values)
    inside = number.abs() < limit
    exact: Any
    if values.type().is_string():
        text = _trimmed(values)
        exact = ibis.cases((inside & text.re_search(_WHOLE), text)).try_cast("int64")
    elif values.type().is_integer():
        exact = ibis.cases((inside, values.try_cast("int64")))
    else:
        exact = ibis.null("int64")
    rough = ibis.cases((inside, number))
    if factor:
        return (exact * factor).fill_null((rough * float(factor)).round().try_cast("int64")), unit
    return (exact / 1000).floor().cast("int64").fill_null((rough / 1000.0).round().try_cast("int64")), unit


def _number(values: Any) -> Any:
    if values.type().is_string():
        text = _trimmed(values)
        return ibis.cases((text.re_search(_NUMBER), text)).try_cast("float64")
    number = values.cast("float64")
    return ibis.cases((~number.isnan() & ~number.isinf(), number)) if values.type().is_floating() else number


def _read_number(values: Any) -> Reading:
    kind = values.type()
    if not (kind.is_string() or kind.is_numeric() or kind.is_boolean()):
        raise ColumnError(f"{values.get_name()!r} holds {kind}: it must hold numbers")
    if not kind.is_string():
        number = values.cast("float64")
        endless = number.isnan() | number.isinf()
        return Reading(number, (("missing", values.isnull()), ("not_finite", endless)))
    text = _trimmed(values)
    # Engines differ on which of these words are numbers.
    endless = text.lower().re_search(r"^[+-]?(nan|inf|infinity)$")
    number = ibis.cases((~endless, text)).try_cast("float64")
    missing = values.isnull() | (text == "")
    unreadable = number.isnull() & ~endless
    overflown = number.isnan() | number.isinf()
    return Reading(number, (("missing", missing), ("unreadable", unreadable), ("not_finite", endless | overflown)))


def _is_whole(number: Any) -> Any:
    return ~number.isnan() & ~number.isinf() & (number == number.floor()) & (number.abs() < 2.0**53)
