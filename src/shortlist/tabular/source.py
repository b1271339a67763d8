"""Source: rows of a frame, or a sample of those in files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from shortlist.tables.frames import picked
from shortlist.tables.stream import Stream

ROWS = "the rows"


def rows_of(
    source: Any, names: Sequence[str], most: int | None = None, seed: int = 0, memory: str = "1GB"
) -> pl.DataFrame:
    """These columns of a frame of any library, or of files, in their order; of more than `most` rows so many are drawn.

    Of files whole stretches are drawn and shuffled: see `Stream`. A column that is not there raises `ColumnError`, what
    is neither a frame nor files `DataError`.
    """
    if names_files(source):
        return _rows_in(source, names, most, seed, memory)
    found = picked(source, names, ROWS).rechunk()
    return found if most is None or found.height <= most else found.sample(most, seed=seed)


def names_files(source: Any) -> bool:
    """Whether this is a path, or several, and not a frame."""
    several = isinstance(source, list | tuple) and all(isinstance(one, str | Path) for one in source)
    return several or isinstance(source, str | Path)


def _rows_in(where: Any, names: Sequence[str], most: int | None, seed: int, memory: str) -> pl.DataFrame:
    stream = Stream.open(where, names, seed=seed, memory=memory)
    if most is None or stream.rows <= most:
        stream = replace(stream, shuffle=False)
    parts: list[pl.DataFrame] = []
    left = most if most is not None else stream.rows
    for batch in stream.batches(0, len(stream)):
        parts.append(pl.DataFrame(batch.slice(0, left)))
        left -= parts[-1].height
        if left <= 0:
            break
    return pl.concat(parts)
