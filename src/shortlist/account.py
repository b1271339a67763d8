"""Account: what a run was made of and what it took, for its manifest and its summary."""

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from shortlist.dataset.dataset import Dataset

try:
    import resource
except ImportError:  # Windows does not tell what a process used
    resource = None  # type: ignore[assignment]

PACKAGES = ("shortlist", "polars", "duckdb", "ibis-framework", "lightgbm", "numpy")


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
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
