"""The caller's ids and the dense numbers that stand for them inside: 0 to n - 1, in the order of the ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import numpy as np
import polars as pl

from shortlist.errors import DataError
from shortlist.tables.engine import Engine

FEW = 20
"""So many times more ids are known than asked for where each is searched for by itself."""


@dataclass(frozen=True)
class IdMap:
    """Every id once, sorted; an id's place is its dense number (int32)."""

    ids: pl.Series

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def name(self) -> str:
        """The column that holds these ids in the caller's tables: `user_id` or `item_id`."""
        return self.ids.name

    def numbers(self, ids: Iterable[Any] | pl.Series) -> np.ndarray:
        """The dense number of each id, in the order given; -1 for one that is not known.

        Ids of another type than the known ones (text for integers, say) raise `DataError`: they would all be unknown.
        """
        given = ids if isinstance(ids, pl.Series) else self._series(list(ids))
        if given.dtype != self.ids.dtype:
            given = self._as_known(given)
        if len(given) * FEW < len(self.ids) and self.ids.is_sorted():
            return self._searched(given)
        known = pl.DataFrame({"id": self.ids, "number": np.arange(len(self.ids), dtype=np.int32)})
        found = pl.DataFrame({"id": given}).join(known, on="id", how="left", maintain_order="left")
        return found["number"].fill_null(-1).to_numpy().astype(np.int32)

    def originals(self, numbers: np.ndarray | pl.Series) -> pl.Series:
        """The caller's own id for each dense number."""
        return self.ids.gather(pl.Series(numbers))

    def _searched(self, given: pl.Series) -> np.ndarray:
        """The dense numbers of few ids among many, by halving: no table of all ids is made for a handful."""
        places = pl.Series(np.minimum(self.ids.search_sorted(given).to_numpy(), len(self.ids) - 1))
        same = (self.ids.gather(places) == given).fill_null(value=False)
        return np.where(same.to_numpy(), places.to_numpy(), -1).astype(np.int32)

    def _series(self, ids: list[Any]) -> pl.Series:
        try:
            return pl.Series(self.name, ids)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            raise DataError(f"{self.name}: ids of one type are needed, not {str(ids)[:80]}") from None

    def _as_known(self, given: pl.Series) -> pl.Series:
        both_integer = given.dtype.is_integer() and self.ids.dtype.is_integer()
        if not (both_integer or len(given) == 0 or given.dtype == pl.Null):
            raise DataError(
                f"{self.name}: the ids given are {given.dtype} (such as {given[0]!r}), but those of the data are "
                f"{self.ids.dtype} (such as {self.ids[0] if len(self.ids) else None!r}); cast them before asking"
            )
        return given.cast(self.ids.dtype, strict=False)


def dense_ids(engine: Engine, name: str, tables: Iterable[ibis.Table]) -> tuple[IdMap, ibis.Table]:
    """The ids in the column `name` of all `tables`, as an `IdMap` and as a table (`name`, `number`) on the engine.

    Numbers follow the order of the ids, so the same ids give the same numbers on every engine and in every run.
    Integers of different width are widened; tables whose ids are otherwise of different type raise `DataError`.
    """
    columns = [table.select(name) for table in tables]
    kind = _common_type(name, [column.schema()[name] for column in columns])
    columns = [column.select(column[name].cast(kind).name(name)) for column in columns]
    every = ibis.union(*columns, distinct=True) if len(columns) > 1 else columns[0].distinct()
    numbered = every.order_by(name).mutate(number=ibis.row_number().over(order_by=name).cast("int32"))
    kept = engine.keep(numbered)
    ids = engine.frame(kept.order_by("number").select(name))[name]
    return IdMap(ids), kept


def _common_type(name: str, kinds: list[dt.DataType]) -> dt.DataType:
    plain = {kind.copy(nullable=True) for kind in kinds}
    # No integer type holds every unsigned 64-bit number and the negative ones too.
    if len(plain) > 1 and all(kind.is_integer() for kind in plain) and dt.uint64 not in plain:
        return dt.int64
    if len(plain) > 1:
        told = " but ".join(dict.fromkeys(str(kind) for kind in kinds))
        raise DataError(f"{name} is {told} in the tables given: make it one type in the events and in its own table")
    return plain.pop()
