"""Read: files and frames of any library become checked tables; rows that break a rule are set apart and
counted.

A row is held against the rules of its schema in order and gets the first one that it breaks; good rows and
rejects add up to all rows there were. Nothing passes through Python row by row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from shortlist.errors import ConfigError, DataError, RejectsError
from shortlist.tables.engine import Engine
from shortlist.tables.files import files_at
from shortlist.tables.schema import EVENTS, ITEMS, USERS, Schema, matched
from shortlist.tables.sift import LINE, sifted
from shortlist.tables.values import Reading, facts, plain, read

RULE = "rule"
_OWN = "shortlist "  # before the names of what is computed, so that no column of the table is hidden
_VERDICT = _OWN + RULE
_EXAMPLES = 3


@dataclass(frozen=True)
class Rejects:
    """The rows that were set apart, out of `total`.

    `counts` has the rules that were broken, in the order of the schema. `table` has one row each: `rule`,
    `line` (the text of a line that does not parse, else null), and the values as text under the names they
    came with.
    """

    counts: dict[str, int]
    rows: int
    total: int
    table: ir.Table

    def __str__(self) -> str:
        if not self.rows:
            return f"no row set apart of {self.total:,}"
        by_rule = ", ".join(f"{rule} {count:,}" for rule, count in self.counts.items())
        return f"{self.rows:,} of {self.total:,} rows set apart: {by_rule}"


@dataclass(frozen=True)
class Checked:
    """A table that keeps its schema, and an account of how it came about.

    `matched` says which source column each declared one was read from; `unit` how `timestamp` was read:
    `calendar`, `order` (numbers without a clock), `seconds`, `milliseconds`, `microseconds`, `nanoseconds`,
    or None where there is none.
    """

    table: ir.Table
    rejects: Rejects
    matched: dict[str, str]
    unit: str | None = None

    def __str__(self) -> str:
        found = ", ".join(
            f"{name} from {source!r}" + (f" ({self.unit})" if name == "timestamp" else "")
            for name, source in self.matched.items()
        )
        return f"columns: {found}\nrows: {self.rejects}"


def read_events(
    source: Any, engine: Engine, *, columns: Mapping[str, str] | None = None, max_rejects: float = 0.05
) -> Checked:
    """Events: `user_id`, `item_id`, `timestamp` where there is one, `weight` (1.0 where there is none), and
    all other columns.

    `source` is a path, a glob, a folder, or a frame (see `Engine.take`). `columns` names source columns
    outright, such as `{"timestamp": "day"}`; others are matched by their usual names.

    Ids stay integers, text or UUIDs; in CSV (surrounding spaces aside), an id column is integer where at
    least 95 % are and none has leading zeros. Timestamps become int64 microseconds since 1970 (UTC) from
    dates, times (UTC where no zone is said), ISO text, or numbers, whose unit is told by their size: seconds
    below 1e11, then milliseconds, microseconds, nanoseconds; below 1e8 they are an order without a clock and
    stay as they are. A unit counts where at least 1 % of the rows have it; larger numbers are unreadable.
    Equal events are all kept.

    More than a share of `max_rejects` of broken rows raises `RejectsError`, no rows at all `DataError`,
    columns that are missing, doubled or of a type that cannot be read `ColumnError`.
    """
    return read_table(EVENTS, source, engine, columns=columns, max_rejects=max_rejects)


def read_items(
    source: Any, engine: Engine, *, columns: Mapping[str, str] | None = None, max_rejects: float = 0.05
) -> Checked:
    """Items: `item_id`, each once, and all other columns. See `read_events` for what is read how, and
    `read_table` for doubles.
    """
    return read_table(ITEMS, source, engine, columns=columns, max_rejects=max_rejects)


def read_users(
    source: Any, engine: Engine, *, columns: Mapping[str, str] | None = None, max_rejects: float = 0.05
) -> Checked:
    """Users: `user_id`, each once, and all other columns. See `read_events` for what is read how, and
    `read_table` for doubles.
    """
    return read_table(USERS, source, engine, columns=columns, max_rejects=max_rejects)


def read_table(
    schema: Schema,
    source: Any,
    engine: Engine,
    *,
    columns: Mapping[str, str] | None = None,
    max_rejects: float = 0.05,
) -> Checked:
    """A checked table of any schema.

    Of several rows with one key, the smallest stays: compared column by column in the table's order, nulls
    last; the others are `duplicate_key`. Other columns keep their type; in CSV they are integers or floats
    where all their cells are, else text. A column that bears a declared name, but was not read as it because
    `columns` says otherwise, is dropped.
    """
    if not 0 <= max_rejects <= 1:
        raise ConfigError(f"max_rejects={max_rejects}: it is a share of all rows, from 0 to 1")
    where = repr(str(source)) if isinstance(source, str | Path) else f"the table of {schema.name}"
    opened = _opened(source, engine)
    names = matched(schema, opened.table.columns, columns)
    readings, others = _readings(schema, opened, names, engine)
    judged = _judged(schema, opened.table, readings)
    if opened.text or schema.key:
        judged = engine.keep(judged, schema.name)
    good = judged.filter(judged[_VERDICT].isnull()).select(
        *[judged[_OWN + name].name(name) for name in readings],
        *[value(judged[name]).name(name) for name, value in others.items()],
    )
    rejects = _rejects(schema, opened, judged, good, engine)
    _check(rejects, where, max_rejects, engine)
    return Checked(good, rejects, names, next((r.unit for r in readings.values() if r.unit), None))


@dataclass(frozen=True)
class _Opened:
    table: ir.Table
    broken: ir.Table | None
    untyped: frozenset[str]

    @property
    def text(self) -> bool:
        return self.broken is not None


def _opened(source: Any, engine: Engine) -> _Opened:
    if not isinstance(source, str | Path | list | tuple):
        return _Opened(engine.take(source), None, frozenset())
    files = files_at(source)
    if files.format == "parquet":
        return _Opened(engine.scan(source), None, frozenset())
    lines = sifted(files, engine)
    return _Opened(lines.table, lines.broken, lines.untyped)


def _readings(
    schema: Schema, opened: _Opened, names: Mapping[str, str], engine: Engine
) -> tuple[dict[str, Reading], dict[str, Callable[[ir.Column], ir.Value]]]:
    """How each declared column is read, and each other one."""
    table, untyped = opened.table, opened.untyped
    kinds = {column.name: column.kind for column in schema.columns}
    times, ids = ([source for name, source in names.items() if kinds[name] == kind] for kind in ("time", "id"))
    known = facts(table, engine, times, ids, untyped)
    readings = {}
    for column in schema.columns:
        if column.name in names:
            name = names[column.name]
            readings[column.name] = read(column, table[name], engine, known.get(name, {}), untyped=name in untyped)
        elif column.default is not None:
            readings[column.name] = Reading(ibis.literal(column.default).cast("float64"))
    free = [name for name in table.columns if name not in names.values() and name not in readings]
    return readings, {
        name: partial(plain, known=known[name]) if name in untyped else (lambda values: values) for name in free
    }


def _judged(schema: Schema, table: ir.Table, readings: Mapping[str, Reading]) -> ir.Table:
    """The table with the values read, and in each row the first rule that it breaks, or null."""
    verdicts = [(test, f"{name}_{fault}") for name, reading in readings.items() for fault, test in reading.faults]
    sound = ibis.null("string")
    first = ibis.cases(*verdicts, else_=sound) if verdicts else sound
    judged = table.mutate(**{_OWN + name: reading.value for name, reading in readings.items()}, **{_VERDICT: first})
    if not schema.key:
        return judged
    order = [ibis.asc(_sortable(judged[name]), nulls_first=False) for name in table.columns]
    place = ibis.row_number().over(
        group_by=[*(judged[_OWN + name] for name in schema.key), judged[_VERDICT]], order_by=order
    )
    doubled = judged[_VERDICT].isnull() & (place > 0)
    return judged.mutate(**{_VERDICT: ibis.cases((doubled, "duplicate_key"), else_=judged[_VERDICT])})


def _sortable(values: ir.Column) -> ir.Value:
    return values.cast("string") if values.type().is_nested() else values


def _rejects(schema: Schema, opened: _Opened, judged: ir.Table, good: ir.Table, engine: Engine) -> Rejects:
    shown = {name: name + "_" * (name in {RULE, LINE}) for name in opened.table.columns}
    texts = {new: judged[name].cast("string") for name, new in shown.items()}
    bad = judged.filter(judged[_VERDICT].notnull()).select(
        judged[_VERDICT].name(RULE),
        ibis.null("string").name(LINE),
        *[text.name(name) for name, text in texts.items()],
    )
    if opened.broken is not None:
        nothing = [ibis.null("string").name(name) for name in texts]
        lines = opened.broken.select(ibis.literal("malformed").name(RULE), opened.broken[LINE], *nothing)
        bad = ibis.union(bad, lines)
    table = engine.keep(bad, "rejects")
    found = dict(engine.frame(table.group_by(RULE).aggregate(n=table.count())).iter_rows())
    rows = sum(found.values())
    total = rows + engine.frame(good.aggregate(n=good.count())).item()
    return Rejects({rule: found[rule] for rule in schema.rules if rule in found}, rows, total, table)


def _check(rejects: Rejects, where: str, max_rejects: float, engine: Engine) -> None:
    if not rejects.total:
        raise DataError(f"{where} has no rows")
    share = rejects.rows / rejects.total
    if share > max_rejects or rejects.rows == rejects.total:
        allowed = f"; max_rejects={max_rejects} allows fewer" if share > max_rejects else ""
        examples = engine.frame(rejects.table.order_by(rejects.table.columns).limit(_EXAMPLES))
        told = "\n".join(f"  {_told(row)}" for row in examples.iter_rows(named=True))
        raise RejectsError(
            f"{where}: {rejects} ({share:.1%}){allowed}. Such as\n{told}\n"
            "Mend these rows, name the columns that are meant (columns={...}), or raise max_rejects"
        )


def _told(row: Mapping[str, str | None]) -> str:
    held = ", ".join(f"{name}={value!r}"[:80] for name, value in list(row.items())[1:] if value is not None)
    return f"{row[RULE]}: {held or 'an empty row'}"
