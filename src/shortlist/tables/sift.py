"""Lines that do not parse, set apart: CSV and JSONL files as a table of the lines that do, and a table of the
others.

Every line ends on exactly one side, so good rows and broken lines add up to the lines of the files (less
headers and empty lines). CSV cells stay text: what they mean is decided where the columns are known.

A quote that is never closed would swallow all lines up to the next quote. So where the parser meets a broken
quote, the file is read again line by line: a line whose quotes are not closed within it is broken, and the
others are parsed. The price: in such a file, cells that hold line breaks or lone quotes count as broken too.
"""

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from shortlist.errors import ColumnError, DataError
from shortlist.tables.engine import Engine, engine_function
from shortlist.tables.files import Files

LINE = "line"
_NO_DELIMITER = "\x1e\x1f\x1e\x1f"
_DELIMITERS = ",\t;|"
_HEADER_LIMIT = 1 << 20
_json_valid = engine_function("json_valid", dt.string, dt.boolean)
_json_keys = engine_function("json_keys", dt.string, dt.Array(dt.string))


@dataclass(frozen=True)
class Sifted:
    """`table`: the rows that parse. `broken`: the text of each line that does not. `untyped`: columns of
    which the file says only the text, not whether it is a number.
    """

    table: ir.Table
    broken: ir.Table
    untyped: frozenset[str]


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str
    newline: str


def sifted(files: Files, engine: Engine) -> Sifted:
    """The rows of CSV or JSONL files, and the lines that are none. CSV files with differing headers raise
    `ColumnError`.
    """
    if engine.name != "duckdb":
        return _sifted_by_spark(files, engine)
    return _sifted_csv(files.paths, engine) if files.format == "csv" else _sifted_jsonl(files.paths, engine)


def _sifted_csv(paths: tuple[str, ...], engine: Engine) -> Sifted:
    header = _common_header(paths)
    parsed = _parsed(paths, header, engine)
    if parsed is None:
        lines, broken = _lines(paths, engine, header=True)
        cell = rf' *"([^"]|"")*" *|[^"{header.delimiter}]*'
        sound = lines[LINE].re_search(f"^({cell})([{header.delimiter}]({cell}))*$")
        whole = _written(lines.filter(sound), engine, "lines.csv")
        again = _parsed((whole,), _Header(header.names, header.delimiter, "\n"), engine, skip_header=False)
        if again is None:
            raise DataError(f"{paths[0]!r} cannot be parsed as CSV: is it text in UTF-8?")
        table, unparsed = again
        parsed = table, engine.keep(ibis.union(broken, lines.filter(~sound), unparsed), "broken")
    table, broken = parsed
    return Sifted(table, broken, frozenset(header.names))


def _parsed(
    paths: tuple[str, ...], header: _Header, engine: Engine, *, skip_header: bool = True
) -> tuple[ir.Table, ir.Table] | None:
    """Rows and broken lines, or None where broken quotes may have swallowed lines."""
    try:
        table, broken = _read_csv(
            paths,
            engine,
            header=skip_header,
            delim=header.delimiter,
            quote='"',
            escape='"',
            new_line=header.newline.replace("\r", "\\r").replace("\n", "\\n"),
            columns=dict.fromkeys(header.names, "VARCHAR"),
        )
    except duckdb.InvalidInputException:
        return None
    swallowed = (broken.error == "UNQUOTED VALUE") | broken[LINE].contains("\n") | broken[LINE].contains("\r")
    if engine.frame(broken.aggregate(n=swallowed.sum().fill_null(0)))["n"].item():
        return None
    return table, broken.select(LINE)


def _lines(paths: tuple[str, ...], engine: Engine, *, header: bool) -> tuple[ir.Table, ir.Table]:
    """Each line that is not empty as it stands, and those that are no UTF-8 (or longer than two million
    bytes).
    """
    lines, broken = _read_csv(
        paths,
        engine,
        header=header,
        delim=_NO_DELIMITER,
        quote="",
        escape="",
        strict_mode=False,
        columns={LINE: "VARCHAR"},
    )
    return lines.filter(lines[LINE].notnull()), broken.select(LINE)


def _read_csv(paths: tuple[str, ...], engine: Engine, **options: Any) -> tuple[ir.Table, ir.Table]:
    """What DuckDB's reader parses and what it rejects, both kept: its list of rejects grows with every
    further scan.
    """
    connection = engine.connection
    rejects, scans = (ibis.util.gen_name(name) for name in ("rejects", "scans"))
    table = connection.read_csv(
        list(paths), store_rejects=True, rejects_table=rejects, rejects_scan=scans, rejects_limit=0, **options
    )
    kept = engine.keep(table, "rows")
    errors = connection.table(rejects)
    by_line = errors.group_by("file_id", "line", "line_byte_position").aggregate(
        text=errors.csv_line.min(), error=errors.error_type.max()
    )
    broken = engine.keep(by_line.select(by_line.text.name(LINE), "error"), "broken")
    return kept, broken


def _sifted_jsonl(paths: tuple[str, ...], engine: Engine) -> Sifted:
    lines, broken = _lines(paths, engine, header=False)
    keys = _json_keys(lines[LINE])
    # DuckDB's reader accepts an object whose keys differ; the keys of what is valid JSON but no object are
    # none.
    sound = ibis.cases((~_json_valid(lines[LINE]), False), else_=keys.length() == keys.unique().length())
    sound = sound & lines[LINE].strip().startswith("{")
    whole = _written(lines.filter(sound), engine, "lines.jsonl")
    broken = engine.keep(ibis.union(broken, lines.filter(~sound)), "broken")
    if not Path(whole).stat().st_size:
        raise DataError(f"{paths[0]!r} has no line that is a JSON object")
    options = {"format": "newline_delimited", "map_inference_threshold": -1}
    found = engine.connection.read_json(whole, sample_size=-1, **options)
    types = {name: _json_type(kind) for name, kind in found.schema().items()}
    table = engine.connection.read_json(whole, columns=types, **options)
    untyped = frozenset(name for name, kind in found.schema().items() if kind.is_json())
    return Sifted(engine.keep(table, "rows"), broken, untyped)


def _json_type(found: dt.DataType) -> str:
    """The type that JSON itself tells: a text that looks like a date or a UUID stays text, and so does an
    object.
    """
    if found.is_integer():
        return "UBIGINT" if found.is_unsigned_integer() else "BIGINT"
    if found.is_floating():
        return "DOUBLE"
    if found.is_boolean():
        return "BOOLEAN"
    if isinstance(found, dt.Array) and not found.value_type.is_nested():
        return f"{_json_type(found.value_type)}[]"
    return "VARCHAR"


def _written(lines: ir.Table, engine: Engine, name: str) -> str:
    place = engine.place(name)
    engine.connection.to_csv(lines, place, header=False, delimiter="\x1f", quote="", escape="")
    return str(place)


def _sifted_by_spark(files: Files, engine: Engine) -> Sifted:
    broken = ibis.util.gen_name("broken")
    options: dict[str, Any] = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": broken}
    if files.format == "csv":
        header = _common_header(files.paths)
        text = ", ".join(f"`{name.replace('`', '``')}` STRING" for name in (*header.names, broken))
        table = engine.connection.read_csv(
            list(files.paths),
            schema=text,
            inferSchema=None,
            sep=header.delimiter,
            escape='"',
            multiLine=False,
            **options,
        )
        untyped = frozenset(header.names)
    else:
        table, untyped = engine.connection.read_json(list(files.paths), **options), frozenset()
    kept = engine.keep(table, "rows")
    if broken not in kept.columns:
        return Sifted(kept, kept.select(ibis.literal("").name(LINE)).limit(0), untyped)
    good = kept.filter(kept[broken].isnull()).drop(broken)
    return Sifted(good, kept.filter(kept[broken].notnull()).select(kept[broken].name(LINE)), untyped)


def _common_header(paths: Iterable[str]) -> _Header:
    first, *others = paths
    header = _header(first)
    for other in others:
        if _header(other).names != header.names:
            names = f"{', '.join(header.names)!r} and {', '.join(_header(other).names)!r}"
            raise ColumnError(f"{first!r} and {other!r} have different headers, {names}: read them apart")
    return header


def _header(path: str) -> _Header:
    with _opened(path) as file:
        line = file.readline(_HEADER_LIMIT).decode("utf-8-sig", errors="replace")
    text = line.rstrip("\r\n")
    if not text.strip():
        raise DataError(f"{path!r} begins with an empty line: its first line must name the columns")
    delimiter = max(_DELIMITERS, key=text.count)
    cells = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter))]
    names = tuple(cell or f"column_{place}" for place, cell in enumerate(cells, start=1))
    doubled = [name for place, name in enumerate(names) if name.lower() in {n.lower() for n in names[:place]}]
    if doubled:
        raise ColumnError(f"{path!r} has two columns {doubled[0]!r}: rename one")
    return _Header(names, delimiter, "\r\n" if line.endswith("\r\n") else "\n")


def _opened(path: str) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.lower().endswith(".gz") else Path(path).open("rb")
