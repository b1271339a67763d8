"""Source: rows of a frame, or a sample of those in files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from shortlist.errors import ColumnError, DataError, nearest
from shortlist.tables.stream import Stream


def rows_of(
    source: Any, names: Sequence[str], most: int | None = None, seed: int = 0, memory: str = "1GB"
) -> pl.DataFrame:
    """These columns of a frame of any library, or of files; where these have more rows than `most`, of so many drawn.

    Of files whole stretches are drawn and shuffled: see `Stream`. A column that is not there raises `ColumnError`, what
    is neither a frame nor files `DataError`.
    """
    if isinstance(source, str | Path | list | tuple):
        stream = Stream.open(source, names, seed=seed, memory=memory)
        if most is None or stream.rows <= most:
            stream = Stream.open(source, names, seed=seed, memory=memory, shuffle=False)
        parts, left = [], most if most is not None else stream.rows
        for batch in stream.batches(0, len(stream)):
            parts.append(pl.DataFrame(batch.slice(0, left)))
            left -= parts[-1].height
            if left <= 0:
                break
        return pl.concat(parts)
    try:
        given = nw.from_native(source)
    except TypeError:
        raise DataError(f"the rows are no table but a {type(source).__name__}: give a frame, or files") from None
    there = given.collect_schema().names()
    for name in names:
        if name not in there:
            raise ColumnError(f"the table lacks the column {name!r}{nearest(name, there)}")
    picked = given.select(*names)
    table = picked.collect("polars") if isinstance(picked, nw.LazyFrame) else picked
    found = pl.DataFrame(table.to_polars()).rechunk()
    if most is not None and found.height > most:
        found = found.sample(most, seed=seed)
    labels = [name for name in names if isinstance(found[name].dtype, pl.Categorical | pl.Enum)]
    return found.with_columns(pl.col(labels).cast(pl.String))
