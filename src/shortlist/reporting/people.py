"""The section on people: some real users with history, list and reasons."""

from collections.abc import Mapping
from typing import Any

from shortlist.reporting import numbers
from shortlist.reporting.blocks import People, Person, Section, Shown, Table
from shortlist.reporting.report import Report

_REASONS = 3


def people_section(report: Report) -> Section | None:
    """The users whom the run holds as examples."""
    if not report.examples:
        return None
    people = tuple(_person(example) for example in report.examples)
    lead = (
        f"{len(people)} users drawn by the seed and spread over the length of their history, whatever came of it. "
        "A check mark stands where they took what was shown."
    )
    return Section("people", "What real users see", lead, (People(people),))


def _person(example: Mapping[str, Any]) -> Person:
    hits = sum(row["taken"] for row in example["list"])
    events = f"{numbers.count(example['events'])} events, {numbers.count(example['items'])} different items"
    return Person(
        title=f"User {example['user_id']}",
        summary=f"{hits} of {len(example['list'])} shown were taken · {events}",
        about=" · ".join(f"{name.replace('_', ' ')} {value}" for name, value in example["about"].items()),
        history=_history(example),
        shown=tuple(
            Shown(row["rank"], row["title"], "; ".join(row["reasons"][:_REASONS]), row["taken"])
            for row in example["list"]
        ),
        note=f"They took {numbers.count(example['taken'])} different items in all.",
    )


def _history(example: Mapping[str, Any]) -> Table:
    clock = any(row["last"] is not None for row in example["history"])
    return Table(
        columns=("item", "times", "last") if clock else ("item", "times"),
        rows=tuple(
            (row["title"], numbers.count(row["times"]), *((row["last"],) if clock else ()))
            for row in example["history"]
        ),
        text=frozenset({"item"}),
        note="" if example["history"] else "No history: a stranger.",
    )
