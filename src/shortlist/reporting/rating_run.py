"""The page of a run of a regression: how good its numbers are, what it learnt, and what it was made of."""

from typing import Any

import polars as pl

from shortlist.evaluation.predictions import bins_by_prediction
from shortlist.reporting import charts, numbers
from shortlist.reporting.blocks import Facts, Figure, Page, Panel, Section, Table
from shortlist.reporting.making import data_section, recipe_section, training_section
from shortlist.reporting.predictions import calibration_section, residuals_section
from shortlist.reporting.quality import differences_section, metrics_section
from shortlist.reporting.report import NumbersReport


def page_of_numbers(report: NumbersReport, rows: pl.DataFrame | None) -> Page:
    """The page of a run; `rows` are its judged pairs, None where nothing was judged."""
    sections = (
        *(_judged(report.evaluation, rows) if report.evaluation and rows is not None else ()),
        _liked(report.inside.get("liked")),
        _map(report.inside.get("map"), report.inside.get("alike", [])),
        training_section(report.inside.get("losses")),
        data_section(report),
        recipe_section(report),
    )
    return Page(
        title=f"Report of {report.path}",
        headline=report.finding.headline if report.finding else "Nothing was judged: this run has no [split]",
        standfirst=report.finding.evidence if report.finding else "",
        sections=tuple(section for section in sections if section is not None),
        facts=_at_a_glance(report),
        foot=f"Made by Shortlist {(report.made['versions'] or {}).get('shortlist', '')}".rstrip(),
    )


def _judged(evaluation: dict[str, Any], rows: pl.DataFrame) -> tuple[Section | None, ...]:
    lead = f"{numbers.count(evaluation['rows'])} pairs of the test part, of {numbers.count(evaluation['units'])} users."
    return (
        metrics_section(evaluation, lead=lead, drawn="users"),
        differences_section(evaluation, drawn="users"),
        calibration_section(bins_by_prediction(rows).to_dicts()),
        residuals_section(rows),
    )


def _at_a_glance(report: NumbersReport) -> Facts | None:
    found = report.finding
    if found is None or not report.evaluation:
        return None
    row = next(r for r in report.evaluation["table"] if (r["model"], r["metric"]) == (found.model, found.metric))
    difference = numbers.interval(found.low, found.high, sign=True)
    facts = [
        (numbers.value(found.value), found.metric, numbers.interval(row["low"], row["high"])),
        (numbers.signed(found.difference), f"against {found.baseline}", difference),
    ]
    if "intervals" in report.evaluation:
        told = report.evaluation["intervals"]
        hold = f"which are to hold {numbers.share(told['level'])}, {numbers.value(told['width'])} wide"
        facts.append((numbers.share(told["coverage"]), "of the truth in its intervals", hold))
    facts.append((numbers.count(report.evaluation["rows"]), "pairs judged", f"{numbers.count(found.units)} users"))
    return Facts(tuple(facts))


def _liked(rows: list[dict[str, Any]] | None) -> Section | None:
    """The items at both ends of the biases."""
    if not rows:
        return None
    half = (len(rows) + 1) // 2
    most = max(abs(row["bias"]) for row in rows) or 1.0
    parts = (("Liked most", rows[:half]), ("Liked least", rows[half:][::-1]))
    panels = tuple(
        Panel(
            charts.bars([_bar(row) for row in part], most=most), f"{name}: " + "; ".join(map(_told, part)) + ".", name
        )
        for name, part in parts
        if part
    )
    figure = Figure(
        caption="What an item gets from the mean of the users beyond the usual, as the model adds it.",
        panels=panels,
        table=Table(
            ("item", "bias", "ratings"),
            tuple((row["title"], numbers.signed(row["bias"]), numbers.count(row["ratings"])) for row in rows),
            text=frozenset({"item"}),
        ),
    )
    return Section("liked", "Who is liked", "Items by their bias: liked or not, whoever meets them.", (figure,))


def _map(rows: list[dict[str, Any]] | None, alike: list[dict[str, Any]]) -> Section | None:
    """Where the best known items lie, and what is nearest to the first of them."""
    if not rows:
        return None
    figure = Figure(
        caption="The most rated items on the first two principal components of their factors.",
        panels=(Panel(charts.plane(rows), f"A map of {len(rows)} items, from {rows[0]['title']} on."),),
        table=Table(
            ("item", "ratings", "x", "y"),
            tuple(
                (row["title"], numbers.count(row["ratings"]), numbers.signed(row["x"]), numbers.signed(row["y"]))
                for row in rows
            ),
            text=frozenset({"item"}),
        ),
        wide=True,
    )
    nearest = Table(
        ("item", "nearest to it, by the cosine of their factors"),
        tuple((row["title"], "; ".join(row["alike"])) for row in alike),
        text=frozenset({"item", "nearest to it, by the cosine of their factors"}),
        title="What is alike",
    )
    lead = "Items near each other are rated alike by the same users."
    return Section("map", "A map of the items", lead, (figure, nearest))


def _bar(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": row["title"],
        "told": numbers.signed(row["bias"]),
        "start": 0,
        "end": abs(row["bias"]),
        "ours": False,
    }


def _told(row: dict[str, Any]) -> str:
    return f"{row['title']} {numbers.signed(row['bias'])}"
