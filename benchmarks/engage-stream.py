"""Claim engage-stream: one epoch of the stream ridge over 20 GB of CSV within memory="2GB", beside the engine alone.

    python benchmarks/engage-stream.py

A made-up file of 120 million posts (`engage_stream/made_up.py`), deleted afterwards. The engine alone: DuckDB adds up
the lengths and numbers of the same columns, on as many cores and with as much memory, from the CSV and from Parquet
made of it. The fit is a process of its own, `peak_mb` its most memory from start to end. It and the
engine are run in turn, twice, and medians are told.

The fit reads the CSV once and writes its rows hashed (`open_seconds`); an epoch reads those (`epoch_seconds`).
speed_to_engine_alone: the seconds in which the engine reads the CSV, by those of the epoch. whole_to_engine_alone: by
those of both. "from Parquet": the same epoch where nothing was hashed before, the text is unpacked and hashed in it.
The limit of an epoch: 31 terms and 4 numbers a row, each a place in memory that is read and written by one core; the
other reads 110 bytes a row and puts rows in order. What does not fit in the page cache comes from the disk, for both.

Peers read the first twentieth of the rows; what they reach is told in rows a second, ours beside it.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import _ours
import _peers
import _result
import shortlist as sl

ROWS, MEMORY, REPEATS, PART = 120_000_000, "2GB", 2, 20
HERE = Path(__file__).parent / "engage_stream"
CLAIM = "engage-stream"


def main() -> None:
    """Measure and write the result."""
    folder = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir())) / f"{CLAIM}-files"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        figures, rows = measured(folder)
    finally:
        shutil.rmtree(folder)
    _result.write(CLAIM, figures, rows)


def measured(folder: Path) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The figures and rows."""
    csv, part, parquet = (str(folder / name) for name in ("posts.csv", "part.csv", "posts.parquet"))
    size = _ours.run(HERE / "made_up.py", csv, str(ROWS))["bytes"]
    _ours.run(HERE / "made_up.py", part, str(ROWS // PART))
    with sl.Engine.open(memory=MEMORY, threads=2, spill=folder) as engine:
        engine.write(engine.scan(csv), parquet, in_order=True)
    fits, by_csv, by_parquet = [], [], []
    for turn in range(REPEATS):
        by_csv.append(_ours.once(CLAIM, f"csv {turn}", HERE / "by_engine.py", csv, MEMORY)["told"])
        fits.append(_ours.once(CLAIM, f"fit {turn}", HERE / "by_ours.py", csv, MEMORY, str(folder))["told"])
        by_parquet.append(_ours.once(CLAIM, f"parquet {turn}", HERE / "by_engine.py", parquet, MEMORY)["told"])
    if any(told["rows"] != ROWS for told in [*fits, *by_csv, *by_parquet]):
        sys.exit("not every row was read")
    alone, epoch = _middle(by_csv, "seconds"), _middle(fits, "epoch_seconds")
    opened = _middle(fits, "open_seconds")
    figures = {"peak_mb": max(told["peak_mb"] for told in fits), "speed_to_engine_alone": alone / epoch}
    ours = f"shortlist {_result.version()}"
    data = f"made-up, {ROWS:,} posts, {size / 1e9:.1f} GB of CSV"
    from_parquet = _ours.once(CLAIM, "fit parquet", HERE / "by_ours.py", parquet, MEMORY, str(folder))["told"]
    told = {
        "whole_to_engine_alone": alone / (opened + epoch),
        "rows_per_second": ROWS / epoch,
        **{name: _middle(fits, name) for name in ("open_seconds", "epoch_seconds", "rmsle", "rmsle_mean")},
        **figures,
    }
    rows = [_result.row(data, "StreamRidge", ours, name, value) for name, value in told.items()]
    as_read = ("epoch_seconds", "peak_mb", "rmsle")
    rows += [_result.row(data, "StreamRidge, from Parquet", ours, name, from_parquet[name]) for name in as_read]
    for name, runs in (("CSV", by_csv), ("Parquet", by_parquet)):
        rows.append(_result.row(data, f"engine alone, {name}", "duckdb", "seconds", _middle(runs, "seconds")))
    small = f"made-up, {ROWS // PART:,} posts"
    for what, name in PEERS.items():
        told = _ours.once(CLAIM, what, HERE / "by_peers.py", what, part, by=_by_peers)["told"]
        rows.append(_result.row(small, name, what, "rows_per_second", told["rows"] / told["seconds"]))
        rows.append(_result.row(small, name, what, "peak_mb", told["peak_mb"]))
    return figures, rows


PEERS = {
    "pandas": "pandas chunks, read alone",
    "sklearn": "pandas chunks, HashingVectorizer, SGDRegressor",
    "datasets": "datasets streaming, read alone",
}


def _by_peers(script: Path, *arguments: str | Path) -> Any:
    return _peers.run(script, *map(str, arguments), peers="peers-streams")


def _middle(runs: list[dict[str, float]], name: str) -> float:
    return median(told[name] for told in runs)


if __name__ == "__main__":
    main()
