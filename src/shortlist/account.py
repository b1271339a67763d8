"""Account: what a run was made of and what it took, for its manifest and its summary."""

import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shortlist.dataset.dataset import Dataset

try:
    import resource
except ImportError:  # Windows does not tell what a process used
    resource = None  # type: ignore[assignment]

PACKAGES = ("shortlist", "polars", "duckdb", "ibis-framework", "lightgbm", "numpy", "scipy", "numba")


def account_of(data: Dataset) -> dict[str, Any]:
    """For each table: its rows, how many were set apart by which rule, and which column was read as which."""
    return {
        name: {
            "rows": table.rejects.total - table.rejects.rows,
            "rejects": table.rejects.counts,
            "matched": table.matched,
            "unit": table.unit,
        }
        for name, table in data.sources.items()
    }


def told(account: Mapping[str, Any]) -> str:
    """The account of the data to be read, a line or two for each table."""
    lines = []
    for name, table in account["tables"].items():
        apart = ", ".join(f"{count:,} {rule}" for rule, count in table["rejects"].items())
        lines.append(f"{name}: {table['rows']:,} rows" + (f"; set apart: {apart}" if apart else ", none set apart"))
        read_from = [f"{ours} from {theirs}" for ours, theirs in table["matched"].items() if ours != theirs]
        if read_from:
            lines.append(f"  {', '.join(read_from)}")
    return "\n".join(lines)


def versions() -> dict[str, str | None]:
    """The version of Python and of every package that shapes the figures; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def peak_memory_mb() -> int | None:
    """The most memory that this process has used; None where the system does not tell."""
    try:
        # Linux counts what a process used before it became this one into the number that `resource` tells.
        told = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        told = None
    if told is not None:
        return round(int(told[1]) * 1024 / 1e6)
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


@contextmanager
def spent(costs: dict[str, Any], name: str) -> Iterator[None]:
    """Puts what is done inside into `costs`, by its name: `seconds`, and `peak_memory_mb`, the peak until its end."""
    started = time.perf_counter()
    yield
    costs[name] = {"seconds": round(time.perf_counter() - started, 3), "peak_memory_mb": peak_memory_mb()}
