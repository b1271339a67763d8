"""Rows of CSV and JSONL as one Parquet file, so that they can be read again, and from anywhere in them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from shortlist.errors import ColumnError, DataError, nearest
from shortlist.tables.engine import Engine

READERS = 2
"""Stretches of rows that are read and made into something at one time."""
_parquet_writer: Any = pq.ParquetWriter  # pyarrow does not say its types


def as_parquet(
    paths: Sequence[str], columns: Sequence[str] | None, engine: Engine, turn: Callable[[Any], Any] | None
) -> str:
    """The columns of CSV or JSONL files in one Parquet file of the engine's, in their order; or what `turn` makes of
    them, of an Arrow table of some rows at a time.

    What cannot be read, and files without a row: `DataError`; a column that is not there: `ColumnError`.
    """
    kept = engine.place("stream.parquet")
    try:
        table = engine.scan(paths)
        for name in columns or ():
            if name not in table.columns:
                raise ColumnError(f"{named(paths)} lack the column {name!r}{nearest(name, table.columns)}")
        table = table.select(*columns) if columns else table
        if turn is None:
            engine.write(table, kept, in_order=True)
        else:
            _turned(paths, _readable(paths, engine.batches(table, in_order=True)), turn, kept)
    except duckdb.Error as error:
        raise _unreadable(paths, error) from None
    return str(kept)


def _readable(paths: Sequence[str], batches: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from batches
    except OSError as error:  # so Arrow passes on what the engine says
        raise _unreadable(paths, error) from None


def _unreadable(paths: Sequence[str], error: Exception) -> DataError:
    said = str(error).split("\n\nLINE ")[0]  # what follows quotes our query
    told = " ".join(said.split("\n\n")[0].split())
    return DataError(f"{named(paths)} cannot be read: {told}; mend or take out what is named")


def _turned(paths: Sequence[str], batches: Iterator[Any], turn: Callable[[Any], Any], kept: Path) -> None:
    """Writes what batches become, a few of which are turned at one time. It is read back once or a few times, and soon:
    so nothing is compressed.
    """
    with ThreadPoolExecutor(READERS) as pool, ExitStack() as closing:
        writer: Any = None
        coming: deque[Any] = deque()

        def write(least: int) -> None:
            nonlocal writer
            while len(coming) > least:
                table = coming.popleft().result()
                if writer is None:
                    options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
                    writer = closing.enter_context(_parquet_writer(kept, table.schema, **options))
                writer.write_table(table)

        for batch in batches:
            coming.append(pool.submit(turn, pa.Table.from_batches([batch])))
            write(READERS)
        write(0)
        if writer is None:
            raise DataError(f"there are no rows in {named(paths)}")


def named(paths: Sequence[str]) -> str:
    """A file, or the first of several."""
    return repr(paths[0]) if len(paths) == 1 else f"{paths[0]!r} and {len(paths) - 1:,} more"
