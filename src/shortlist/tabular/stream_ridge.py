"""Stream ridge: a linear model of hashed words, categories and numbers, learnt row by row from files of any size.

CSV and JSONL are hashed on their way into the spill folder, once; Parquet is hashed in each epoch, as it is read. A
window of rows is learnt from while the next ones are read, hashed and shuffled in threads beside it; what is learnt
takes 8 · 2^bits bytes whatever the files are. Each row is answered before it is learnt from: so the errors of the first
epoch are those of rows that were not known, and intervals come from them at no further cost.
Source: hashed terms: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009; steps by
AdaGrad: Duchi, Hazan, Singer, JMLR 2011; errors before learning: Dawid, "Statistical Theory: The Prequential Approach",
JRSS A 1984.
Cost: for each term of a row a place in memory, read twice; see docs/larger-than-memory.md.

Shapes: N rows, T buckets, D numbers.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from shortlist import store
from shortlist.config import Config
from shortlist.errors import ConfigError, DataError
from shortlist.kernels import linear
from shortlist.progress import reached, step
from shortlist.tables.engine import Engine
from shortlist.tables.files import Where, files_at
from shortlist.tables.stream import Stream
from shortlist.tabular.columns import Columns
from shortlist.tabular.hashed_rows import HashedRows, categories_of
from shortlist.tabular.intervals import Intervals
from shortlist.tabular.logarithm import from_log, to_log
from shortlist.tabular.scale import Scale
from shortlist.tabular.source import names_files, rows_of

WINDOWS = 8
"""Windows that a fit has in memory: one that is learnt from, hashed, and those that are read: as text, as text once
more, and hashed; what is hashed is a little larger."""
JUDGED = 200_000
"""Rows of the first epoch, its last ones, that intervals are made of; half of them at most."""
AT_ONCE = 500_000
"""Rows that are answered together."""
_UNFINISHED, _TARGET = "unfinished_stream_ridge", "target"


class StreamRidge(Config):
    """Recipe: which number of a row is learnt, from what, and in what steps."""

    target: str
    """The column of the number. Rows that lack it are passed over."""
    columns: Columns
    """What a row is."""
    metric: Literal["rmse", "rmsle"] = "rmse"
    """Whether the number is learnt as it is, or as log(1 + number)."""
    bits: int = Field(20, ge=8, le=28)
    """Terms share 2^bits places."""
    rate: PositiveFloat = 0.1
    """Length of the steps, in deviations of the number."""
    penalty: NonNegativeFloat = 1e-4
    """Ridge on the weights of a row's terms, at each of its steps."""
    epochs: PositiveInt = 1
    """How often each row is learnt from."""
    level: float = Field(0.9, gt=0, lt=1)
    """Share of the true numbers that intervals are to hold."""

    @model_validator(mode="after")
    def _reads_no_target(self) -> "StreamRidge":
        if self.target in self.columns.names:
            raise ValueError(f"{self.target!r} is the target and may not be told of a row: take it out of the columns")
        return self

    def fit(
        self,
        where: Where,
        *,
        seed: int = 0,
        memory: str = "1GB",
        folder: str | Path | None = None,
        every: float = 60.0,
    ) -> "FittedStreamRidge":
        """Learn from Parquet files; from CSV and JSONL, whose rows are hashed on their way into the spill folder first.

        `memory` bounds what is read and held, besides 8 · 2^bits bytes of weights and what Python itself needs.
        With a `folder` what was learnt is kept there `every` so many seconds: a fit that was killed goes on from there
        when it is called again, and ends with the same bits. What is kept there of another recipe or seed, or of files
        of other sizes, raises `ConfigError`, a folder of other things `StoreError`, before anything is read. Columns
        that are not there: `ColumnError`; a frame in place of files, columns of the wrong type, a number below zero
        where rmsle is asked for, one that is not finite, and files where no row has one: `DataError`.
        """
        names = (*self.columns.names, self.target)
        if not names_files(where):
            raise DataError(
                f"rows are streamed from files, not from a {type(where).__name__}: write it to Parquet first"
            )
        place = None if folder is None else Path(folder)
        if place is not None:
            store.check_place(place)
        files = files_at(where)
        hashed = files.format != "parquet"

        def turn(table: Any) -> Any:
            return _Rows.of(self, table).to_arrow(self.bits)

        def make(table: Any, order_N: np.ndarray) -> _Rows:
            rows = _Rows.of_arrow(self, table) if hashed else _Rows.of(self, table)
            return rows.taken(order_N)

        with Engine.open(memory=memory) as engine:
            with step("open the files"):
                stream = Stream.open(where, names, seed=seed, memory=memory, engine=engine, turn=turn, held=WINDOWS)
            identity = _identity(self, stream, [Path(path).stat().st_size for path in files.paths])
            with step("learn row by row"):
                return self._learnt(stream, make, identity, place, every)

    def _learnt(
        self,
        stream: Stream,
        make: Callable[[Any, np.ndarray], "_Rows"],
        identity: str,
        folder: Path | None,
        every: float,
    ) -> "FittedStreamRidge":
        state = _kept(folder, identity) if folder is not None else None
        last = time.monotonic()
        while state is None or state.done < self.epochs * stream.rows:
            epoch, start = divmod(state.done if state else 0, stream.rows)
            for window in stream.windows(make, epoch, start):
                state = (state or _State.new(self, identity, window)).after(self, window, stream.rows)
                reached(f"{state.done:,} of {self.epochs * stream.rows:,} rows")
                if folder is not None and time.monotonic() - last > every:
                    state.keep(folder)
                    last = time.monotonic()
        if folder is not None:
            state.keep(folder)
        return state.fitted(self)


@dataclass(frozen=True)
class _Rows:
    """Rows, hashed, and their numbers as they are learnt (float32, NaN where there is none)."""

    hashed: HashedRows
    target_N: np.ndarray

    @classmethod
    def of(cls, recipe: StreamRidge, table: Any) -> "_Rows":
        """Those of an Arrow table."""
        recipe.columns.held(pl.DataFrame(table.slice(0, 0)), (recipe.target,))
        number = pl.Series(table[recipe.target]).cast(pl.Float64)
        there = number.drop_nulls().to_numpy()
        if not np.isfinite(there).all():
            odd = int((~np.isfinite(there)).sum())
            raise DataError(f"{recipe.target!r} has {odd} values that are not finite: take them out")
        if recipe.metric == "rmsle" and len(there) and there.min() < 0:
            raise DataError(
                f"{recipe.target!r} goes down to {there.min():g}, and rmsle is for numbers that are never below zero"
            )
        target_N = to_log(number.fill_null(np.nan).to_numpy(), recipe.metric == "rmsle").astype(np.float32)
        return cls(HashedRows.of(recipe.columns, table, recipe.bits), target_N)

    def taken(self, order_N: np.ndarray) -> "_Rows":
        """Rows in another order."""
        return _Rows(self.hashed.taken(order_N), self.target_N[order_N])

    def to_arrow(self, bits: int) -> Any:
        """As columns of a file."""
        return self.hashed.to_arrow(bits).append_column(_TARGET, pa.array(self.target_N))

    @classmethod
    def of_arrow(cls, recipe: StreamRidge, table: Any) -> "_Rows":
        """Rows that were written so."""
        return cls(HashedRows.of_arrow(table, categories_of(recipe.columns), recipe.bits), table[_TARGET].to_numpy())


@dataclass(frozen=True)
class _State:
    """What has been learnt after `done` rows, counted over all epochs: all that there is to go on from."""

    identity: str
    done: int
    scale: Scale
    mean: float
    """What the number is taken less, and divided by, when it is learnt: those of the first window."""
    spread: float
    weight_T2: np.ndarray
    dense_D2: np.ndarray
    bias_2: np.ndarray
    sums: np.ndarray
    """Of the first epoch: rows, the squared errors, the number less `mean`, and its square."""
    intervals: Intervals

    @classmethod
    def new(cls, recipe: StreamRidge, identity: str, rows: _Rows) -> "_State":
        """Nothing learnt yet, in the measures of the first rows."""
        there = rows.target_N[np.isfinite(rows.target_N)]
        if not len(there):
            raise DataError(f"no row of the first {len(rows.target_N):,} has {recipe.target!r}")
        blank = Intervals(np.zeros(0), np.zeros(1), np.zeros(1))
        weight_T2, dense_D2 = (
            np.zeros((count, 2), np.float32) for count in (2**recipe.bits, 2 * rows.hashed.number_ND.shape[1])
        )
        measures = Scale.of(rows.hashed.number_ND), float(there.mean()), float(there.std()) or 1.0
        return cls(identity, 0, *measures, weight_T2, dense_D2, np.zeros(2, np.float32), np.zeros(4), blank)

    def after(self, recipe: StreamRidge, window: _Rows, rows: int) -> "_State":
        """What is known after a window of the `rows` of an epoch."""
        scaled = ((window.target_N - self.mean) / self.spread).astype(np.float32)
        error_N, sums = np.empty(len(scaled), np.float32), np.zeros(4)
        steps = np.float32(recipe.rate), np.float32(recipe.penalty), self.weight_T2, self.dense_D2, self.bias_2
        hashed = window.hashed
        number_NF = self.scale(hashed.number_ND)
        linear.learn(hashed.ends, hashed.term_E, hashed.categories, number_NF, scaled, *steps, error_N, sums)
        done, intervals = self.done + len(scaled), self.intervals
        if done == rows and sums[0]:
            late = np.flatnonzero(~np.isnan(error_N))[-min(JUDGED, (int(sums[0]) + 1) // 2) :]
            true = window.target_N[late]
            intervals = Intervals.fit(true + error_N[late].astype(np.float64) * self.spread, true, recipe.level)
        return replace(self, done=done, sums=self.sums + sums * (done <= rows), intervals=intervals)

    def keep(self, folder: Path) -> None:
        """Written in a folder, in place of what was kept there before."""
        with store.replacing(folder) as (contents, manifest):
            manifest[_UNFINISHED] = store.write(contents / _UNFINISHED, self)

    def fitted(self, recipe: StreamRidge) -> "FittedStreamRidge":
        """What answers."""
        rows, errors, total, squares = map(float, self.sums)
        constant = max(squares / rows - (total / rows) ** 2, 0.0)
        values = [float(np.sqrt(value)) * self.spread for value in (constant, errors / rows)]
        scores = pl.DataFrame(
            {"model": ["mean", "StreamRidge"], "metric": recipe.metric, "value": values, "rows": int(rows)}
        )
        weights = self.weight_T2[:, 0].copy(), self.dense_D2[:, 0].copy(), float(self.bias_2[0])
        return FittedStreamRidge(recipe, self.scale, self.mean, self.spread, *weights, self.intervals, scores)


@dataclass(frozen=True)
class FittedStreamRidge:
    """What was learnt: a weight of each bucket (float32, T), of each number and of whether it is there (float32, 2 D),
    in the target's deviations (`spread`) from its `mean`. `scores` are of the rows of the first epoch, each before it
    was learnt from.
    """

    recipe: StreamRidge
    scale: Scale
    mean: float
    spread: float
    weight_T: np.ndarray
    weight_D: np.ndarray
    bias: float
    intervals: Intervals
    scores: pl.DataFrame

    def predict(self, rows: Any) -> pl.DataFrame:
        """For each row `prediction`, `low` and `high`, in the order of `rows`.

        `rows` is a frame of any library, or files, with the columns of the recipe. Unknown categories and words,
        missing values and empty texts say nothing. A category is what its text is: 5 is "5", true "true". A column that
        is not there raises `ColumnError`.
        """
        columns = self.recipe.columns
        table = columns.held(rows_of(rows, columns.names))
        counts = self.recipe.metric == "rmsle"
        log_N = np.empty(table.height)
        for start in range(0, table.height, AT_ONCE):
            part = table[start : start + AT_ONCE]
            log_N[start : start + part.height] = self._of(part)
        low_N, high_N = (from_log(side, counts) for side in self.intervals.of(log_N))
        answer_N = from_log(log_N, counts)
        told = {
            "prediction": answer_N, "low": np.minimum(low_N, answer_N), "high": np.maximum(high_N, answer_N)
        }  # fmt: skip
        return pl.DataFrame(told, schema=dict.fromkeys(told, pl.Float64))

    def _of(self, table: pl.DataFrame) -> np.ndarray:
        hashed = HashedRows.of(self.recipe.columns, table, self.recipe.bits)
        found = np.empty(table.height, np.float32)
        weights = self.weight_T[:, None], self.weight_D[:, None], np.array([self.bias], np.float32)
        number_NF = self.scale(hashed.number_ND)
        linear.answers(hashed.ends, hashed.term_E, hashed.categories, number_NF, *weights, found)
        answer: np.ndarray = found.astype(np.float64) * self.spread + self.mean
        return answer

    def __str__(self) -> str:
        with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
            return f"{self.recipe.target}: each row before it was learnt from\n{self.scores}"

    def save(self, path: str | Path) -> None:
        """Stores it in a directory, in place of what was there; killed midway, that stays as it was."""
        with store.replacing(Path(path)) as (contents, manifest):
            manifest["tabular"] = store.write(contents / "tabular", self)


def _identity(recipe: StreamRidge, stream: Stream, sizes: Sequence[int]) -> str:
    """What tells a fit apart from others: files of the same sizes and blocks are taken for the same."""
    told = recipe.model_dump_json(), stream.seed, stream.window, *stream.columns, *sizes
    return hashlib.sha256("\n".join(map(str, told)).encode() + stream.block_rows.tobytes()).hexdigest()


def _kept(folder: Path, identity: str) -> _State | None:
    """What is kept in a folder; None where nothing is."""
    if not (folder / "manifest.json").exists():
        return None
    told = store.manifest(folder)
    kinds = {kind.__name__: kind for kind in (_State, Scale, Intervals)}
    found = (
        store.read(folder / told["contents"] / _UNFINISHED, told[_UNFINISHED], kinds) if _UNFINISHED in told else None
    )
    if found is None or found.identity != identity:
        raise ConfigError(
            f"{str(folder)!r} keeps something else (of another recipe, another seed or other files): "
            "name another folder, or delete this one"
        )
    state: _State = found  # its arrays are mapped, and are learnt in
    weight_T2, dense_D2, bias_2 = (np.array(mapped) for mapped in (state.weight_T2, state.dense_D2, state.bias_2))
    return replace(state, weight_T2=weight_T2, dense_D2=dense_D2, bias_2=bias_2)
