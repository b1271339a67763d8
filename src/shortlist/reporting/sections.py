"""Sections: the page of a run, in the order in which somebody who decides would read it."""

from collections.abc import Mapping
from typing import Any

from shortlist.reporting import numbers
from shortlist.reporting.blocks import Facts, Page, Section
from shortlist.reporting.ends import ends_section
from shortlist.reporting.making import data_section, features_section, recipe_section
from shortlist.reporting.people import people_section
from shortlist.reporting.quality import differences_section, metrics_section, slices_section
from shortlist.reporting.report import Report
from shortlist.reporting.sources import candidates_section


def page_of(report: Report) -> Page:
    """The page of a run; what the run does not hold is left out."""
    sections = (
        *(_judged(report.evaluation) if report.evaluation else ()),
        candidates_section(report),
        ends_section(report),
        slices_section(report),
        features_section(report),
        people_section(report),
        data_section(report),
        recipe_section(report),
    )
    headline = report.finding.headline if report.finding else "Nothing was judged: this run has no [split]"
    if report.evaluation and not report.finding:
        headline = f"{report.metric} of the {report.model}, without a baseline to be against"
    return Page(
        title=f"Report of {report.path}",
        headline=headline,
        standfirst=report.finding.evidence if report.finding else "",
        sections=tuple(section for section in sections if section is not None),
        facts=_at_a_glance(report),
        foot=f"Made by Shortlist {(report.made['versions'] or {}).get('shortlist', '')}".rstrip(),
    )


def _judged(evaluation: Mapping[str, Any]) -> tuple[Section | None, ...]:
    """Metrics and differences, and who was judged."""
    lead = f"Means over {numbers.count(evaluation['users'])} users of the test part."
    if evaluation["users_without_list"]:
        lead += f" {numbers.count(evaluation['users_without_list'])} of them have no list and count as zero."
    if evaluation["users_without_truth"]:
        lead += f" {numbers.count(evaluation['users_without_truth'])} users with a list who took nothing are left out."
    return metrics_section(evaluation, lead=lead, drawn="users"), differences_section(evaluation, drawn="users")


def _at_a_glance(report: Report) -> Facts | None:
    """The figures to keep in mind."""
    found = report.finding
    if found is None or not report.evaluation:
        return None
    row = next(r for r in report.evaluation["table"] if (r["model"], r["metric"]) == (found.model, found.metric))
    facts = [
        (numbers.value(found.value), found.metric, numbers.interval(row["low"], row["high"])),
        (
            numbers.signed(found.difference),
            f"against {found.baseline}",
            numbers.interval(found.low, found.high, sign=True),
        ),
        (numbers.count(found.units), "users judged", f"lists of {report.k}"),
    ]
    if report.funnel:
        facts.append((numbers.share(report.funnel["found"]), "found among candidates", "of what the users took"))
    return Facts(tuple(facts))
