"""Stream: the rows of tables larger than memory, in an order that the seed and the epoch alone decide.

The row groups of all Parquet files are blocks. An epoch permutes the blocks; each rank takes an equal run of the rows
in that order, and shuffles them within windows of several blocks that fit in memory together. All of it follows from
the files' footers, so no row comes twice, any number of readers see the same order, and one number, that of the batches
that have come, is all there is to know to go on.
Cost: each rank reads each of its blocks once an epoch; a block at the edge of two ranks' runs is read by both. Workers
of one rank read all of its windows each, and hand over every so many-th batch.

Shapes: B blocks, N rows.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from shortlist.errors import ColumnError, ConfigError, DataError, nearest
from shortlist.tables.as_parquet import READERS, as_parquet, named
from shortlist.tables.engine import Engine
from shortlist.tables.files import Where, files_at
from shortlist.tables.sizes import bytes_of

WINDOW = 8
"""Blocks that are shuffled together where they fit."""
HELD = 2 + READERS
"""Windows in memory at one time: the one that is used, the one that is shuffled, those that are read and made."""
_MOST = 2**30
Made = TypeVar("Made")
_parquet_file: Any = pq.ParquetFile  # pyarrow does not say its types


@dataclass(frozen=True)
class _Part:
    """Rows `start` to `stop` of a block."""

    block: int
    start: int
    stop: int


@dataclass(frozen=True)
class Stream:
    """The rows of Parquet files in batches, again and again. `open` makes it.

    `batch` is the most rows of a batch; sizes differ by one at most, and all ranks have as many batches.
    """

    paths: tuple[str, ...]
    """The file of each block."""
    groups: tuple[int, ...]
    """Its number there."""
    block_rows: np.ndarray
    """Its rows (int64, B)."""
    columns: tuple[str, ...]
    batch: int
    seed: int
    shuffle: bool
    rank: int
    ranks: int
    window: int
    """Blocks that are in memory together."""
    engine: Engine | None = None
    """What holds the files where they were made for this stream."""

    @classmethod
    def open(
        cls,
        where: Where,
        columns: Sequence[str] | None = None,
        *,
        batch: int = 4096,
        seed: int = 0,
        shuffle: bool = True,
        memory: str = "1GB",
        rank: int = 0,
        ranks: int = 1,
        engine: Engine | None = None,
        turn: Callable[[Any], Any] | None = None,
        held: int = HELD,
    ) -> "Stream":
        """The `columns` (all where None) of Parquet files; of CSV and JSONL, gzip among them, which the `engine` turns
        into Parquet in its spill folder first, each batch of rows (an Arrow table) as what `turn` makes of it.

        `memory` bounds the windows, of which as many as are `held` at one time fit in it. Files without a row are
        passed over. No rows at all, fewer rows than ranks, files of other columns or types than the first, a damaged
        file, a row group that does not fit: `DataError`; a column that is not there: `ColumnError`.
        """
        if not 0 <= rank < ranks:
            raise ConfigError(f"rank={rank} of {ranks}: ranks are numbered from 0")
        if batch < 1:
            raise ConfigError(f"batch={batch}: one row is needed at least")
        files = files_at(where)
        paths = list(files.paths)
        if files.format != "parquet":
            engine = engine or Engine.open(memory=memory)
            paths = [as_parquet(paths, columns, engine, turn)]
            columns = columns if turn is None else None
        found = [(path, _footer(path)) for path in paths]
        first_path, first = found[0]
        names = tuple(columns) if columns is not None else tuple(first.schema.to_arrow_schema().names)
        kinds = {name: _kind(first, name, first_path) for name in names}
        for path, footer in found:
            for name, kind in kinds.items():
                if (other := _kind(footer, name, path)) != kind:
                    raise DataError(f"{path!r}: {name!r} is of type {other}, and of type {kind} in {first_path!r}")
        blocks = [(path, group, footer) for path, footer in found for group in range(footer.num_row_groups)]
        blocks = [(path, group, footer) for path, group, footer in blocks if footer.row_group(group).num_rows]
        rows = np.array([footer.row_group(group).num_rows for _, group, footer in blocks], np.int64)
        if not len(blocks):
            raise DataError(f"there are no rows in {named(files.paths)}")
        if rows.sum() < ranks:
            raise DataError(f"there are {rows.sum()} rows in {named(files.paths)}, too few for {ranks} ranks")
        sizes = [_size(footer.row_group(group), names) for _, group, footer in blocks]
        largest, limit = max(sizes), min(bytes_of(memory) // held, _MOST)
        if largest > limit:
            path, group, _ = blocks[sizes.index(largest)]
            raise DataError(
                f"{path!r}: row group {group} has {largest / 1e6:,.0f} MB in these columns, and {held} such are to fit "
                f"in memory={memory!r}: write the file in smaller row groups, or allow more memory"
            )
        window = max(1, min(WINDOW, limit // max(largest, 1)))
        paths_B, groups_B = tuple(path for path, _, _ in blocks), tuple(group for _, group, _ in blocks)
        return cls(paths_B, groups_B, rows, names, batch, seed, shuffle, rank, ranks, window, engine)

    @property
    def rows(self) -> int:
        """Rows of an epoch, of all ranks."""
        return int(self.block_rows.sum())

    @cached_property
    def mine(self) -> tuple[int, int]:
        """Where the run of this rank begins and ends in the order of an epoch."""
        return self.rank * self.rows // self.ranks, (self.rank + 1) * self.rows // self.ranks

    def __len__(self) -> int:
        """Batches of an epoch, the same for every rank."""
        return math.ceil(math.ceil(self.rows / self.ranks) / self.batch)

    def batches(self, start: int = 0, stop: int | None = None, *, every: int = 1, first: int = 0) -> Iterator[Any]:
        """Batches (`pyarrow.Table`) from number `start` on, counted over all epochs; up to `stop`, or without end.

        With `every` only each so many-th of these, beginning with the `first`.
        """
        number, count = start, len(self)
        while stop is None or number < stop:
            epoch, place = divmod(number, count)
            until = count if stop is None else min(count, stop - epoch * count)
            for taken, table in enumerate(self._epoch(epoch, place, until, every, first, number - start), number):
                if table is not None:
                    yield table
                number = taken + 1

    def windows(self, make: Callable[[Any, np.ndarray], Made], epoch: int = 0, start: int = 0) -> Iterator[Made]:
        """What `make` gives for each window of an epoch, an Arrow table as it lies in the files and the order (N) in
        which its rows come; the first `start` rows of this rank are left out of the order.

        The next ones are read and made in threads of their own while one is in use.
        """
        begun, wanted = 0, []
        for number, parts in enumerate(self._plan(epoch)):
            rows = sum(part.stop - part.start for part in parts)
            if begun + rows > start:
                wanted.append((number, parts, rows, max(0, start - begun)))
            begun += rows
        files = _Files()

        def come(number: int, parts: Sequence[_Part], rows: int, left_out: int) -> Made:
            order = self._random(epoch, self.rank, number).permutation(rows) if self.shuffle else np.arange(rows)
            return make(self._read(parts, files), order[left_out:])

        with ThreadPoolExecutor(READERS) as readers:
            coming = deque(readers.submit(come, *one) for one in wanted[:READERS])
            for following in [*wanted[READERS:], *[None] * READERS][: len(wanted)]:
                made = coming.popleft().result()
                if following is not None:
                    coming.append(readers.submit(come, *following))
                yield made
                del made

    def _epoch(self, epoch: int, start: int, stop: int, every: int, first: int, before: int) -> Iterator[Any]:
        """The batches of an epoch, None in place of those that somebody else hands over."""
        rows, count = self.mine[1] - self.mine[0], len(self)
        ends = np.arange(count + 1, dtype=object) * rows // count
        pieces: list[Any] = []
        place, number = int(ends[start]), start
        for table, order in self.windows(_in_one_piece, epoch, place):
            used = 0
            while number < stop and used < len(order):
                end = min(int(ends[number + 1]) - place, len(order))
                here = (before + number - start) % every == first
                if here:
                    pieces.append(table.take(order[used:end]))
                used = end
                if place + used == ends[number + 1]:
                    yield pa.concat_tables(pieces) if here else None
                    pieces = []
                    number += 1
            place += len(order)
            if number >= stop:
                return

    def _plan(self, epoch: int) -> list[list[_Part]]:
        """The parts of blocks that this rank reads in an epoch, those of each window together."""
        count = len(self.block_rows)
        blocks = self._random(epoch, self.ranks, 0).permutation(count) if self.shuffle else np.arange(count)
        ends = np.cumsum(self.block_rows[blocks])
        begin, end = self.mine
        parts = []
        for block, stop, rows in zip(blocks, ends, self.block_rows[blocks], strict=True):
            low, high = max(begin, stop - rows), min(end, stop)
            if low < high:
                parts.append(_Part(int(block), int(low - (stop - rows)), int(high - (stop - rows))))
        return [parts[at : at + self.window] for at in range(0, len(parts), self.window)]

    def _read(self, parts: Sequence[_Part], files: "_Files") -> Any:
        """The rows of parts that follow one another: all but the first and the last of them are whole blocks."""
        tables = []
        for path, together in groupby(parts, lambda part: self.paths[part.block]):
            try:
                groups = [self.groups[part.block] for part in together]
                tables.append(files.at(path).read_row_groups(groups, list(self.columns)))
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"{path!r} cannot be read: {error}") from None
        return pa.concat_tables(tables).slice(parts[0].start, sum(part.stop - part.start for part in parts))

    def _random(self, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *numbers])


class _Files(threading.local):
    """Open Parquet files, those of each thread for itself."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}

    def at(self, path: str) -> Any:
        """The one at a path."""
        if path not in self._open:
            self._open[path] = _parquet_file(path)
        return self._open[path]


def _in_one_piece(table: Any, order: np.ndarray) -> tuple[Any, np.ndarray]:
    return table.combine_chunks(), order


def _footer(path: str) -> Any:
    try:
        return _parquet_file(path).metadata
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path!r} cannot be read as Parquet: {error}") from None


def _kind(footer: Any, name: str, path: str) -> Any:
    schema = footer.schema.to_arrow_schema()
    if name not in schema.names:
        raise ColumnError(f"{path!r} lacks the column {name!r}{nearest(name, schema.names)}")
    return schema.field(name).type


def _size(group: Any, names: Sequence[str]) -> int:
    """Bytes of a row group in these columns, as the file tells them."""
    chunks = (group.column(place) for place in range(group.num_columns))
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in names)
