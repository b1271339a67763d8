"""The search for a peer's best settings on a set: what the peers' scripts share, in any of their Pythons.

The settings are searched on the test set itself: that is generous to the peers, as nothing stands between the choice
and the judgement.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from defaults_quality.sets import Cut

Settings = dict[str, Any]


@dataclass(frozen=True)
class Contestant:
    """A model of a peer, what its settings may be, and where the search starts."""

    make: Callable[..., Any]
    """From settings to an unfitted model."""
    grid: dict[str, list[Any]]
    """The values of each setting, in their order."""
    starts: list[Settings] = field(default_factory=list)
    """Empty: every combination of the grid is tried."""


Judge = Callable[[Any, Cut], tuple[np.ndarray, float, float]]
"""From an unfitted model and a cut to lists (N, K), and the seconds of fitting and of recommending."""


@contextmanager
def seconds(of: list[float]) -> Iterator[None]:
    """Appends how long the block took."""
    started = time.perf_counter()
    yield
    of.append(time.perf_counter() - started)


def tune(cut: Cut, told: Settings, name: str, contestant: Contestant, judge: Judge, out: Path) -> list[Settings]:
    """All that was measured of a contestant, each row also appended to out/SET.jsonl; the best one's values by user
    stand in out/SET.TOOL.MODEL.npz (user_id, ndcg).

    Rows that stand in the file already are not measured again, so a tuning that was cut short goes on where it was.
    """
    out.mkdir(parents=True, exist_ok=True)
    log = out / f"{cut.name}.jsonl"
    common = {"set": cut.name, **told, "model": name, "users": len(cut.users)}
    old = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    rows = {_key(row["settings"]): row for row in old if row | common == row and "settings" in row}

    def value(settings: Settings) -> float:
        if _key(settings) not in rows:
            lists, fit, recommend = judge(contestant.make(**settings), cut)
            ndcg = cut.ndcg(lists)
            error = float(ndcg.std(ddof=1) / math.sqrt(len(ndcg)))
            if ndcg.mean() > max((row["ndcg@10"] for row in rows.values()), default=-1):
                np.savez(out / f"{cut.name}.{told['tool']}.{name}.npz", user_id=cut.users, ndcg=ndcg)
            rows[_key(settings)] = common | {
                "settings": settings,
                "ndcg@10": round(float(ndcg.mean()), 6),
                "standard_error": round(error, 6),
                "fit_seconds": round(fit, 3),
                "recommend_seconds": round(recommend, 3),
            }
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[_key(settings)]) + "\n")
        return float(rows[_key(settings)]["ndcg@10"])

    for start in contestant.starts:
        _climb(contestant.grid, start, value)
    if not contestant.starts:
        for settings in _all(contestant.grid):
            value(settings)
    return list(rows.values())


def best(rows: Iterable[Settings]) -> Settings:
    """The row with the highest value."""
    return max(rows, key=lambda row: row["ndcg@10"])


def _climb(grid: dict[str, list[Any]], start: Settings, value: Callable[[Settings], float]) -> None:
    """One setting after the other goes to its neighbours in the grid while that is better, until none moves."""
    now, moved = dict(start), True
    while moved:
        moved = False
        for name, choices in grid.items():
            for step in (1, -1):
                while 0 <= (place := choices.index(now[name]) + step) < len(choices):
                    further = now | {name: choices[place]}
                    if value(further) <= value(now):
                        break
                    now, moved = further, True
    value(now)


def _all(grid: dict[str, list[Any]]) -> list[Settings]:
    found: list[Settings] = [{}]
    for name, choices in grid.items():
        found = [settings | {name: choice} for settings in found for choice in choices]
    return found


def _key(settings: Settings) -> str:
    return json.dumps(settings, sort_keys=True)
