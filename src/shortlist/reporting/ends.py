"""The section on where lists end: the rule, what others would have come to, and how long the lists became."""

from typing import Any

from shortlist.reporting import charts, numbers
from shortlist.reporting.blocks import Block, Figure, Panel, Section, Table
from shortlist.reporting.predictions import calibration_section
from shortlist.reporting.report import Report


def ends_section(report: Report) -> Section | None:
    """The cut of a pipeline that has one."""
    cut = report.cut
    if not cut:
        return None
    blocks: list[Block] = [_rules(cut)]
    if cut["lengths"]:
        blocks.append(_lengths(cut["lengths"], report.k))
    if len(cut["calibration"]) > 1:
        blocks += calibration_section(cut["calibration"]).blocks
    lead = (
        "A list ends where the set of what it shows is best by what the ranker thinks of it, so lists are not equally "
        "long. What is predicted is the chance that an item is wanted; of what is shown, it should come to that share."
    )
    return Section("ends", "Where lists end", lead, tuple(blocks))


def _rules(cut: dict[str, Any]) -> Figure:
    name = f"F{cut['beta']:g}"
    rows = [
        {
            "label": row["rule"],
            "told": numbers.value(row["f_beta"]),
            "start": 0,
            "end": row["f_beta"],
            "ours": row["taken"],
        }
        for row in cut["rules"]
    ]
    told = "; ".join(f"{row['label']} {row['told']}" for row in rows)
    return Figure(
        caption=f"{name} of the best of each rule, on lists that the ranker had not learnt from; the best is taken.",
        panels=(Panel(charts.bars(rows, most=1), f"{name} by rule: {told}."),),
        table=Table(
            ("rule", name),
            tuple((row["label"], row["told"]) for row in rows),
            text=frozenset({"rule"}),
            ours=next((row["label"] for row in rows if row["ours"]), None),
        ),
        wide=True,
    )


def _lengths(rows: list[dict[str, Any]], k: int) -> Figure:
    lists = sum(row["lists"] for row in rows)
    mean = sum(row["items"] * row["lists"] for row in rows) / lists
    bars = [{"start": row["items"] - 0.5, "end": row["items"] + 0.5, "count": row["lists"]} for row in rows]
    told = f"{numbers.count(lists)} lists hold {numbers.value(mean)} items on average; they may hold {k}."
    return Figure(
        caption=told,
        panels=(Panel(charts.histogram(bars, of="items of a list"), f"Histogram of the lengths. {told}"),),
        table=Table(
            ("items", "lists"), tuple((numbers.count(row["items"]), numbers.count(row["lists"])) for row in rows)
        ),
        wide=True,
    )
