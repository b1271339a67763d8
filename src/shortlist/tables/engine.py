"""Engine: the one place where relational work runs, opened by one string.

DuckDB in this process (a memory limit, threads, a spill folder) or Apache Spark; both speak Ibis. Big tables
stay expressions; `keep` computes one once, `frame` brings home an answer that fits in memory. What is handed
in is never collected: it is streamed to Parquet in the spill folder and read from there.

The spill folder lives until `close`, or until neither the engine nor any table on it is in use. On a Spark
cluster it must be a folder that every worker sees: give one as `spill`.

Threads: `take`, `keep`, `frame` and `write` may be called from several threads of one process and take turns.
Executing an expression past the engine (`table.execute()`) while another thread works is not safe, nor is
closing.
"""

import itertools
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Self

import ibis
import ibis.expr.types as ir
import narwhals as nw
import polars as pl
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from shortlist.errors import ConfigError, DataError, MissingExtraError
from shortlist.tables.files import Where, files_at
from shortlist.tables.sizes import bytes_of

ROW_GROUP = 100_000
_parquet_writer: Any = pq.ParquetWriter  # pyarrow does not say its types
_FORMS = "'duckdb' (in this process), 'spark://host:7077', 'sc://host:15002' (Spark Connect) or 'local[2]' (Spark here)"


class Engine:
    """Where tables are computed. Use it in a `with`, or leave it to be cleared away with its last table."""

    def __init__(self, connection: Any, folder: Path) -> None:
        self.connection = connection
        self._folder = folder
        self._numbers = itertools.count()
        self._turn = RLock()
        # Tables refer to the connection: so what they read lives as long as one of them does.
        self._clear = weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)

    @classmethod
    def open(
        cls,
        where: str = "duckdb",
        *,
        memory: str = "4GB",
        threads: int | None = None,
        spill: str | Path | None = None,
    ) -> "Engine":
        """An engine: DuckDB in this process, or Spark.

        `memory` and `threads` (all cores where None) bound DuckDB; a Spark cluster has its own limits.
        `spill` is where a folder of the engine's own is made, the system's temporary folder where None. Text
        that names no engine, memory that is not like "4GB", fewer threads than one: `ConfigError`. Spark
        without pyspark: `MissingExtraError`.
        """
        if where != "duckdb" and not re.fullmatch(r"(spark|sc)://\S+|local(\[(\d+|\*)\])?", where):
            raise ConfigError(f"{where!r} is not an engine: write {_FORMS}")
        bytes_of(memory)
        if threads is not None and threads < 1:
            raise ConfigError(f"threads={threads}: at least one is needed, or None for all cores")
        if spill is not None:
            Path(spill).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="shortlist-", dir=spill)).resolve()
        try:
            connection = _duckdb(memory, threads, folder) if where == "duckdb" else _spark(where)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(connection, folder)

    @property
    def name(self) -> str:
        """`duckdb` or `pyspark`: the Ibis backend."""
        return str(self.connection.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Clear away the spill folder and, with DuckDB, the connection; closing twice is fine.

        A Spark session is left running: others may share it.
        """
        if self._clear.alive:
            if self.name == "duckdb":
                self.connection.disconnect()
            self._clear()

    def scan(self, where: Where) -> ir.Table:
        """The table in CSV, JSONL or Parquet files, with the types that the engine finds in them.

        Files of one table have the same columns. A CSV or JSONL line that does not parse fails when the table
        is computed; `sifted` sets such lines apart instead. What names no files: `DataError`, see `files_at`.
        """
        files = files_at(where)
        read = {"csv": self.connection.read_csv, "jsonl": self.connection.read_json}
        if files.format == "parquet":
            return self._read_parquet(files.paths)
        options = {"format": "newline_delimited"} if (self.name, files.format) == ("duckdb", "jsonl") else {}
        return read[files.format](list(files.paths), **options)

    def take(self, frame: Any) -> ir.Table:
        """A frame of any library that Narwhals knows, or an Ibis table, as a table on this engine.

        An Ibis table of this engine is used as it is. All else is written to Parquet in the spill folder: a
        lazy frame, a DuckDB relation and an Ibis table of another engine as a stream, never whole in memory.
        The index of a pandas frame is left behind. What is no frame, or holds what Parquet cannot, raises
        `DataError`.
        """
        if isinstance(frame, ir.Table):
            if self._owns(frame):
                return frame
            return self._taken(frame.to_parquet)
        try:
            table = nw.from_native(frame)
        except TypeError:
            raise DataError(
                f"a {type(frame).__name__} is not a table: give a Polars, pandas, Arrow or Ibis one"
            ) from None
        if isinstance(table, nw.LazyFrame):
            native = nw.to_native(table)
            lazy = isinstance(native, pl.LazyFrame)
            return self._taken(partial(native.sink_parquet, row_group_size=ROW_GROUP) if lazy else table.sink_parquet)
        try:
            arrow = nw.maybe_reset_index(table).to_arrow()
        except (ArrowException, TypeError, pl.exceptions.PolarsError) as error:
            raise DataError(f"a column of this {type(frame).__name__} has no one type: {error}") from None
        return self._taken(partial(_write_batches, arrow.to_reader(max_chunksize=ROW_GROUP)))

    def keep(self, table: ir.Table, name: str = "kept") -> ir.Table:
        """The same rows, computed once, now, and read from the spill folder ever after. Their order is not
        kept.
        """
        place = self.place(f"{name}.parquet")
        with self._turn:
            options = {"row_group_size": ROW_GROUP} if self.name == "duckdb" else {}
            self.connection.to_parquet(table, place, **options)
            return self._read_parquet([str(place)])

    def frame(self, table: ir.Table) -> pl.DataFrame:
        """The computed rows as a Polars frame: for answers that fit in memory. A UUID, which Polars lacks,
        becomes text.
        """
        uuids = [name for name, kind in table.schema().items() if kind.is_uuid()]
        with self._turn:
            arrow = self.connection.to_pyarrow(table.mutate(**{name: table[name].cast("string") for name in uuids}))
        return pl.DataFrame(arrow)

    def write(self, table: ir.Table, path: str | Path, *, in_order: bool = False) -> None:
        """The computed rows as one Parquet file at `path`: written beside it, then moved into its place.

        DuckDB keeps the order that rows have in the files they are read from only where it is asked to.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{self._folder.name}.{next(self._numbers)}")
        try:
            with self._turn:
                if self.name == "duckdb":
                    with self._order_kept(in_order):
                        self.connection.to_parquet(table, aside, row_group_size=ROW_GROUP)
                else:
                    _write_batches(self.connection.to_pyarrow_batches(table, chunk_size=ROW_GROUP), aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    def batches(self, table: ir.Table, *, in_order: bool = False) -> Iterator[Any]:
        """The computed rows as Arrow batches, a few of which are in memory at a time; their order as in `write`."""
        with self._turn:
            if self.name != "duckdb":
                yield from self.connection.to_pyarrow_batches(table, chunk_size=ROW_GROUP)
                return
            with self._order_kept(in_order):
                # Ibis asks for batches by a name that DuckDB has given up.
                yield from self.connection.con.sql(self.connection.compile(table)).to_arrow_reader(ROW_GROUP)

    def place(self, name: str) -> Path:
        """A path in the spill folder that nothing has been written to; two calls never give the same."""
        return self._folder / f"{next(self._numbers):05d}-{name}"

    @contextmanager
    def _order_kept(self, kept: bool) -> Iterator[None]:
        self.connection.raw_sql(f"SET preserve_insertion_order = {'true' if kept else 'false'}")
        try:
            yield
        finally:
            self.connection.raw_sql("SET preserve_insertion_order = false")

    def _owns(self, table: ir.Table) -> bool:
        backends, _ = table._find_backends()  # noqa: SLF001  (Ibis has no public way to ask without a default)
        return all(backend is self.connection for backend in backends)

    def _taken(self, write_to: Callable[[Path], object]) -> ir.Table:
        place = self.place("taken.parquet")
        with self._turn:
            write_to(place)
            return self._read_parquet([str(place)])

    def _read_parquet(self, paths: Iterable[str]) -> ir.Table:
        if self.name == "duckdb":
            return self.connection.read_parquet(list(paths))
        tables = [self.connection.read_parquet(path) for path in paths]
        return ibis.union(*tables) if len(tables) > 1 else tables[0]


def _duckdb(memory: str, threads: int | None, folder: Path) -> Any:
    options = {} if threads is None else {"threads": threads}
    return ibis.duckdb.connect(
        memory_limit=memory.strip(),
        temp_directory=str(folder / "memory"),
        preserve_insertion_order=False,
        autoinstall_known_extensions=False,
        **options,
    )


def _spark(where: str) -> Any:
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtraError("pyspark", "spark", f"the engine {where!r}") from None
    builder = SparkSession.builder.appName("shortlist")
    builder = builder.remote(where) if where.startswith("sc://") else builder.master(where)
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return ibis.pyspark.connect(session)


def _write_batches(batches: Any, path: Path) -> None:
    with _parquet_writer(path, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=ROW_GROUP)


def engine_function(name: str, given: Any, answer: Any) -> Any:
    """The engine's own function of that name, of one value, for what Ibis has no word for."""

    def call(value: Any) -> Any: ...

    return ibis.udf.scalar.builtin(call, name=name, signature=((given,), answer))
