"""Write: frames one after another into one file, in the format that its ending tells; memory holds one at a time."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from shortlist.errors import ConfigError

ENDINGS = (".parquet", ".csv", ".jsonl")
"""What is written, told by the ending of the file."""

_parquet_writer: Any = pq.ParquetWriter  # pyarrow does not say its types


def check_ending(path: Path) -> None:
    """Raises `ConfigError` where the ending of the file is not one that is written."""
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"{str(path)!r} has an ending that is not written: use {', '.join(ENDINGS)}")


def write_frames(frames: Iterable[pl.DataFrame], path: Path) -> None:
    """Writes frames of the same columns below each other; in Parquet each is a row group.

    There must be one at least, which may be empty: it says the columns. The file is written aside and moved into its
    place when it is whole, so a failure leaves what stood there.
    """
    check_ending(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.aside")
    write = {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}[path.suffix.lower()]
    try:
        with aside.open("wb") as file:
            write(frames, file)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _parquet(frames: Iterable[pl.DataFrame], file: BinaryIO) -> None:
    tables = (frame.to_arrow() for frame in frames)
    first = next(tables)
    # Fractions hardly repeat: a dictionary of them costs thrice the time of all else, and saves nothing.
    repeating = [column.name for column in first.schema if not pa.types.is_floating(column.type)]
    with _parquet_writer(file, first.schema, compression="zstd", use_dictionary=repeating) as writer:
        for table in chain([first], tables):
            writer.write_table(table, row_group_size=max(1, len(table)))


def _csv(frames: Iterable[pl.DataFrame], file: BinaryIO) -> None:
    for place, frame in enumerate(frames):
        frame.write_csv(file, include_header=place == 0)


def _jsonl(frames: Iterable[pl.DataFrame], file: BinaryIO) -> None:
    for frame in frames:
        frame.write_ndjson(file)
