"""The peers' tuned best on the sets that defaults are judged on: `rows`, each peer in its own Python."""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import _peers
from defaults_quality import sets, tuning

SCRIPTS = {"implicit": "peers-implicit", "rectools": "peers", "lenskit": "peers-lenskit", "lightfm": "peers-lightfm"}


def rows(names: Iterable[str], folder: Path, out: Path) -> list[dict[str, Any]]:
    """The best row of each peer's model on each set, or why it was left out; all that was tried stands in `out`.

    `folder` keeps the sets; what stands in `out` already is not measured again.
    """
    told: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for name in names:
        made = sets.write(name, sets.shared_data(), folder)
        for script, peers in SCRIPTS.items():
            found = _peers.run(Path(__file__).parent / f"peers_{script}.py", str(made), str(out), peers=peers)
            for row in found:
                told[row["set"], row["tool"], row["model"]].append(row)
    return [_best(tried) for tried in told.values()]


def known_rows(names: Iterable[str], out: Path) -> list[dict[str, Any]]:
    """The same of what stands in `out`; nothing is measured."""
    told: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for name in names:
        for line in (out / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            told[row["set"], row["tool"], row["model"]].append(row)
    return [_best(tried) for tried in told.values()]


def _best(tried: list[dict[str, Any]]) -> dict[str, Any]:
    """The best of those that were judged on the most users."""
    measured = [row for row in tried if "left_out" not in row]
    if not measured:
        return tried[0]
    most = max(row["users"] for row in measured)
    return tuning.best(row for row in measured if row["users"] == most) | {"tried": len(measured)}
