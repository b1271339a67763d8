"""A split that somebody else made: two tables of events, one to learn from and one to judge on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ibis

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import Split
from shortlist.errors import ColumnError, DataError
from shortlist.tables.engine import Engine
from shortlist.tables.read import read_events

_HELD = "shortlist held out"  # no column of the tables is called this


def split_of_tables(
    train: Any,
    test: Any,
    *,
    items: Any = None,
    users: Any = None,
    engine: Engine,
    columns: Mapping[str, Mapping[str, str]] | None = None,
) -> Split:
    """The split whose sides are the events in `train` and in `test`: files or frames, as for `Dataset.read`.

    Only columns that both have are kept. Where one has a time and the other has none, `ColumnError`; where their ids or
    columns are of different type, `DataError`.
    """
    columns = columns or {}
    read = [read_events(table, engine, columns=columns.get("events")) for table in (train, test)]
    clocks = ["timestamp" in checked.matched for checked in read]
    if clocks[0] != clocks[1]:
        raise ColumnError(
            f"the {'train' if clocks[0] else 'test'} events have a time and the others have none: give both the same "
            "columns, or name them"
        )
    weighted = all("weight" in checked.matched for checked in read)
    kinds = [checked.table.schema() for checked in read]
    shared = [name for name in kinds[0] if name in kinds[1] and (name != "weight" or weighted)]
    for name in shared:
        one, other = (kind[name].copy(nullable=True) for kind in kinds)
        if one != other and not (one.is_numeric() and other.is_numeric()):
            raise DataError(f"{name} is {one} in the train events but {other} in the test events: make it one type")
    tables = [
        checked.table.select(*(_widened(checked.table[name], kinds, name) for name in shared)).mutate(
            **{_HELD: ibis.literal(held)}
        )
        for checked, held in zip(read, (False, True), strict=True)
    ]
    data = Dataset.read(
        engine.keep(ibis.union(*tables), "both sides"), items, users, engine=engine, columns=_own(columns)
    )
    held = data.events[_HELD]
    sides = [data.events.filter(where).drop(_HELD) for where in (~held, held)]
    return Split(
        train=replace(data, events=sides[0]),
        test=replace(data, events=sides[1], users=data.users.semi_join(sides[1], "user")),
    )


def _widened(values: Any, kinds: list[Any], name: str) -> Any:
    """The values in the one type that holds those of both tables."""
    one, other = (kind[name].copy(nullable=True) for kind in kinds)
    if one == other:
        return values
    wide = "int64" if one.is_integer() and other.is_integer() else "float64"
    return values.cast(wide).name(name)


def _own(columns: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The mappings of the attribute tables: the events bear declared names by now."""
    return {name: said for name, said in columns.items() if name != "events"}
