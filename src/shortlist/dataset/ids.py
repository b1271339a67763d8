"""The caller's ids and the dense numbers that stand for them inside: 0 to n - 1, in the order of the ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import polars as pl

from shortlist.errors import DataError
from shortlist.tables.engine import Engine


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
        given = ids if isinstance(ids, pl.Series) else pl.Series(self.name, list(ids))
        if given.dtype != self.ids.dtype:
            given = self._as_known(given)
        known = pl.DataFrame({"id": self.ids, "number": np.arange(len(self.ids), dtype=np.int32)})
        found = pl.DataFrame({"id": given}).join(known, on="id", how="left", maintain_order="left")
        return found["number"].fill_null(-1).to_numpy().astype(np.int32)

    def originals(self, numbers: np.ndarray | pl.Series) -> pl.Series:
        """The caller's own id for each dense number."""
        return self.ids.gather(pl.Series(numbers))

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
    """
    every = (
        ibis.union(*(table.select(name) for table in tables), distinct=True)
        if len(tables := list(tables)) > 1
        else tables[0].select(name).distinct()
    )
    numbered = every.order_by(name).mutate(number=ibis.row_number().over(order_by=name).cast("int32"))
    kept = engine.keep(numbered)
    ids = engine.frame(kept.order_by("number").select(name))[name]
    return IdMap(ids), kept
