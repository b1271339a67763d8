"""docs/metrics.md: what our metrics mean, and where other libraries mean something else by the same name.

The prose stands in metrics.md.jinja, the definitions are the first lines of their docstrings, and every number is
computed here, ours by `evaluate` and theirs by the libraries themselves (`_ask_peers.py`), on one example small enough
to follow by hand; calls that give the same values share a row. `python benchmarks/_metrics_page.py` writes the page,
and a test holds the committed one to what this writes.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

import _peers
from shortlist.evaluation.evaluate import evaluate
from shortlist.evaluation.metrics import FAMILIES, written_form

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/metrics.md"
TEMPLATE = Path(__file__).parent / "metrics.md.jinja"

WORLD = {
    "k": 3,
    "catalogue": ["a", "b", "c", "d", "e", "f"],
    "lists": {"Ada": ["a", "b", "c"], "Ben": ["d", "e"]},
    "truth": {"Ada": ["a", "c", "e", "f"], "Ben": ["e"], "Cem": ["a"]},
    "history": {"Ada": ["b", "d"], "Ben": ["a"], "Cem": ["b"]},
    "labels": {"a": ["x"], "b": ["x", "y"], "c": [], "d": ["x"], "e": ["z"], "f": ["y"]},
}
"""Three users: one with more true items than k, one with a short list, one without a list."""


def render(answer: dict[str, Any]) -> str:
    """The page, from what the peers say of `WORLD`."""
    families = [
        f"| `{written_form(key)}` | {_first_line(family.function)} | {family.needs or ''} |"
        for key, family in FAMILIES.items()
    ]
    users = [
        f"| {user} | {' '.join(WORLD['lists'].get(user, []))} | {' '.join(true)} | {' '.join(WORLD['history'][user])} |"
        for user, true in WORLD["truth"].items()
    ]
    template = jinja2.Template(TEMPLATE.read_text(encoding="utf-8"), undefined=jinja2.StrictUndefined)
    return template.render(
        families="\n".join(families),
        users="\n".join(users),
        catalogue=" ".join(WORLD["catalogue"]),
        table=lambda ours, theirs: _table(_ours(ours), {call: answer[call] for call in theirs}),
    )


def _first_line(function: Any) -> str:
    return str(function.__doc__).split("\n", 1)[0]


def _ours(metrics: list[str]) -> dict[str, Any]:
    labels = pl.DataFrame({"item_id": list(WORLD["labels"]), "labels": list(WORLD["labels"].values())})
    found = evaluate(
        _frame(WORLD["lists"]),
        _frame(WORLD["truth"]),
        metrics,
        catalogue=len(WORLD["catalogue"]),
        history=_frame(WORLD["history"]),
        items=labels,
        draws=1,
    )
    values = dict(zip(found.table["metric"], found.table["value"], strict=True))
    users = found.per_user["user_id"].to_list()
    for metric in metrics:
        if metric in found.per_user.columns:
            values[metric] = dict(zip(users, found.per_user[metric].to_list(), strict=True))
    return {f"**Shortlist** {metric}": value for metric, value in values.items()}


def _frame(of_users: dict[str, list[str]]) -> pl.DataFrame:
    rows = [(user, item, rank) for user, items in of_users.items() for rank, item in enumerate(items, start=1)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "rank"], orient="row")


def _table(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """A row for each different answer, ours first; a library that tells a mean alone stands with those of that mean."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for call, answer in (ours | theirs).items():
        cells = _cells(answer)
        alike = next((known for known in rows if cells[:-1] == ("",) * 3 and known[-1] == cells[-1]), cells)
        rows.setdefault(alike, []).append(_shown(call))
    users = list(WORLD["truth"])
    lines = [["call", *users, "mean"], ["---"] * (len(users) + 2)]
    lines += [[", ".join(calls), *cells] for cells, calls in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(answer: dict[str, float] | float) -> tuple[str, ...]:
    if not isinstance(answer, dict):
        return (*("" for _ in WORLD["truth"]), f"{answer:.4f}")
    values = [answer[user] for user in WORLD["truth"] if user in answer]
    return (
        *(f"{answer[user]:.4f}" if user in answer else "" for user in WORLD["truth"]),
        f"{sum(values) / len(values):.4f}",
    )


def _shown(call: str) -> str:
    library, _, name = call.partition(" ")
    return f"{library} `{name}`"


def ask() -> dict[str, Any]:
    """What the peers say of the example."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as question:
        json.dump([WORLD], question)
        question.flush()
        answer: dict[str, Any] = _peers.run(Path(__file__).parent / "_ask_peers.py", question.name)[0]
        return answer


if __name__ == "__main__":
    PAGE.write_text(render(ask()) + "\n", encoding="utf-8")
