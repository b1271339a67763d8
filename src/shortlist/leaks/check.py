"""The leak checker: six checks of the data themselves, whatever was said of the split."""

from collections.abc import Callable
from functools import partial

from shortlist.dataset.split import Split
from shortlist.leaks import future, groups, order, pairs, targets, texts
from shortlist.leaks.findings import CHECKS, Findings, Looked
from shortlist.leaks.sides import Sides, sides_of
from shortlist.progress import step


def check(split: Split, *, target: str | None = None) -> Findings:
    """What the test part of a split gives away to the train part, and what could not be checked.

    `target` names the events' column that is to be predicted; without it, their weight where they have one. A side
    without events raises `DataError`, a target that is not there `ColumnError`. Rules and thresholds: `docs/leaks.md`.
    """
    sides = sides_of(split)
    checks: dict[str, Callable[[Sides], Looked]] = {
        "pairs": pairs.check,
        "future": future.check,
        "order": order.check,
        "groups": groups.check,
        "texts": texts.check,
        "targets": partial(targets.check, target=target),
    }
    looked = {}
    for name, one in checks.items():
        if name != "pairs" and not min(sides.sizes):
            looked[name] = Looked(not_made="all events of one side stand on the other side too")
            continue
        with step(f"look for {CHECKS[name]}"):
            looked[name] = one(sides)
    return Findings(
        split=str(sides),
        findings=tuple(finding for one in looked.values() for finding in one.findings),
        notes=tuple(note for one in looked.values() for note in one.notes),
        made=tuple(name for name, one in looked.items() if one.not_made is None),
        not_made={name: one.not_made for name, one in looked.items() if one.not_made is not None},
    )
