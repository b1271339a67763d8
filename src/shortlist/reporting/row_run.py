"""The page of a run of a tabular regression: how good its numbers are, what they hang on, and what it was made of."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from shortlist.evaluation.predictions import bins_by_prediction
from shortlist.reporting import charts, numbers
from shortlist.reporting.blocks import Block, Facts, Figure, Page, Panel, Section, Table
from shortlist.reporting.making import data_section, recipe_section, training_section
from shortlist.reporting.predictions import calibration_section, residuals_section
from shortlist.reporting.quality import differences_section, metrics_section
from shortlist.reporting.report import RowsReport

LONG = 20
"""How many times its median the 99th percentile of a number is from which it is shown in logarithms."""
IN_LOGARITHMS = "Shown is log(1 + number), for a few numbers are far larger than all others. "


def page_of_rows(report: RowsReport, rows: pl.DataFrame | None) -> Page:
    """The page of a run; `rows` are the judged rows of all targets, None where nothing was judged."""
    several = len(report.inside) > 1
    sections: list[Section | None] = []
    for name, inside in report.inside.items():
        found = [_contributions(inside), training_section(inside["losses"])]
        if rows is not None:
            found = [*_judged(report.evaluations[name], rows.filter(target=name)), *found]
        sections += [_named(section, name) if several and section else section for section in found]
    first = next(iter(report.findings.values()), None)
    return Page(
        title=f"Report of {report.path}",
        headline=first.headline if first else "Nothing was judged: this run has no [split]",
        standfirst=first.evidence if first else "",
        sections=(*(section for section in sections if section), data_section(report), recipe_section(report)),
        facts=_at_a_glance(report),
        foot=f"Made by Shortlist {(report.made['versions'] or {}).get('shortlist', '')}".rstrip(),
    )


def _named(section: Section, target: str) -> Section:
    """The section of one of several targets."""
    return replace(section, name=f"{section.name}-{target}", title=f"{section.title}: {target}")


def _judged(evaluation: dict[str, Any], rows: pl.DataFrame) -> tuple[Section | None, ...]:
    lead = f"{numbers.count(evaluation['rows'])} rows of the test part."
    shown, told = rows, ""
    truth = rows["truth"]
    if truth.min() >= 0 and truth.quantile(0.99) > LONG * (1 + truth.median()):  # type: ignore[operator]
        shown, told = rows.with_columns(pl.col("truth", "prediction").clip(0).log1p()), IN_LOGARITHMS
    pictures = calibration_section(bins_by_prediction(shown).to_dicts()), residuals_section(shown)
    return (
        metrics_section(evaluation, lead=lead, drawn="rows"),
        differences_section(evaluation, drawn="rows"),
        *(replace(section, lead=told + section.lead) for section in pictures),
    )


def _at_a_glance(report: RowsReport) -> Facts | None:
    facts = []
    for name, evaluation in report.evaluations.items():
        found = report.findings[name]
        of = f" of {name}" if len(report.evaluations) > 1 else ""
        if found is not None:
            difference = numbers.interval(found.low, found.high, sign=True)
            facts.append((numbers.value(found.value), f"{found.metric}{of}", f"learnt by {report.inside[name]['by']}"))
            facts.append((numbers.signed(found.difference), f"against {found.baseline}", difference))
        told = evaluation["intervals"]
        hold = f"which are to hold {numbers.share(told['level'])}, {numbers.value(told['width'])} wide"
        facts.append((numbers.share(told["coverage"]), f"of the truth{of} in its intervals", hold))
    return Facts(tuple(facts)) if facts else None


def _contributions(inside: dict[str, Any]) -> Section:
    """What the answers hang on, and what else was tried."""
    rows = inside["contributions"]
    shown = [
        {"label": row["column"], "told": numbers.value(row["moved"]), "start": 0, "end": row["moved"], "ours": False}
        for row in rows
    ]
    told = "; ".join(f"{row['label']} {row['told']}" for row in shown)
    blocks: list[Block] = [
        Figure(
            caption="How far answers move where a column is shuffled among rows, in deviations of the answers.",
            panels=(
                Panel(charts.bars(shown, most=max((row["moved"] for row in rows), default=1.0) or 1.0), f"{told}."),
            ),
            table=Table(
                ("column", "moved"),
                tuple((row["column"], numbers.value(row["moved"])) for row in rows),
                text=frozenset({"column"}),
            ),
            wide=True,
        )
    ]
    tried = inside["tried"]
    if len(tried) > 1:
        metric = next(name for name in tried[0] if name != "way")
        blocks.append(
            Table(
                ("learnt as", metric),
                tuple((row["way"], numbers.value(row[metric])) for row in tried),
                text=frozenset({"learnt as"}),
                ours=min(tried, key=lambda row: float(np.nan_to_num(row[metric], nan=np.inf)))["way"],
                note="On rows of the part that was learnt from, which were held out.",
                title="What was tried",
            )
        )
    lead = f"Learnt by {inside['by']}. A column that tells what another tells too moves little by itself."
    return Section("columns", "What the answers hang on", lead, tuple(blocks))
