"""The one form in which a measured claim is written: benchmarks/results/<claim>.json."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"


def version() -> str:
    """The installed version of Shortlist."""
    return installed("shortlist")


def write(claim: str, figures: dict[str, float], rows: list[dict[str, Any]], note: str = "") -> None:
    """Writes the result of a claim: its figures, its rows, how they were made, and what a reader must know of it."""
    result = {
        "claim": claim,
        "command": f"python benchmarks/{claim}.py",
        "commit": commit(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_gb()} GB, Python {platform.python_version()}",
        "date": datetime.now(UTC).date().isoformat(),
        "note": note,
        "figures": figures,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{claim}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


def row(data: str, model: str, version: str, metric: str, value: float, **more: Any) -> dict[str, Any]:
    """A row of a result in the one form; `split`, `low`, `high` and whatever else explains it may come on top."""
    ours = version.startswith("shortlist")
    return (
        {"data": data, "split": "", "model": model, "ours": ours, "version": version, "seed": 0}
        | more
        | {
            "metric": metric,
            "value": value,
        }
    )


def interval(each: np.ndarray) -> dict[str, float]:
    """The mean of each unit's figure less (`low`) and plus (`high`) 1.96 standard errors."""
    error = 1.96 * float(each.std(ddof=1)) / np.sqrt(len(each))
    return {"low": float(each.mean() - error), "high": float(each.mean() + error)}


def gained(each: np.ndarray) -> dict[str, float]:
    """The mean of what each unit gained (`gain`), and its interval."""
    return {"gain": float(each.mean())} | {f"gain_{end}": value for end, value in interval(each).items()}


def commit() -> str:
    """The commit that runs, and whether it was changed since."""
    told = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
