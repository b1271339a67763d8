"""The sections on how good a model is: metrics beside baselines, paired differences, groups of users."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shortlist.evaluation.metrics import parse_metric
from shortlist.reporting import charts, numbers
from shortlist.reporting.blocks import Figure, Panel, Section, Table
from shortlist.reporting.finding import named
from shortlist.reporting.report import Report

Row = Mapping[str, Any]


def metrics_section(judged: Mapping[str, Any], *, lead: str, drawn: str) -> Section:
    """Every metric of the model, which is the first in the table, and of the baselines.

    `judged` is an evaluation as plain data; `drawn` is what its bootstrap draws: users or rows.
    """
    rows = judged["table"]
    model = rows[0]["model"]
    figure = Figure(
        caption=f"Lines are 95 % intervals: bootstrap over the {drawn}, {numbers.count(judged['draws'])} draws.",
        panels=tuple(_metric_panel(metric, some, model) for metric, some in _by(rows, "metric").items()),
        table=Table(
            columns=("model", "metric", "value", "95 % interval"),
            rows=tuple(
                (r["model"], r["metric"], numbers.value(r["value"]), numbers.interval(r["low"], r["high"]))
                for r in rows
            ),
            text=frozenset({"model", "metric"}),
            ours=model,
        ),
    )
    return Section("metrics", "Metrics", lead, (figure,))


def differences_section(judged: Mapping[str, Any], *, drawn: str) -> Section | None:
    """What the model gains or loses against each baseline, paired over what is `drawn`; None without baselines.

    Metrics of accuracy, which share a scale, stand together against each baseline; every other one has its own panel.
    """
    rows = judged["differences"]
    if not rows:
        return None
    shown = [row for row in rows if row["low"] is not None]
    together = [row for row in shown if parse_metric(row["metric"]).family.kind == "accuracy"]
    alone = [row for row in shown if row not in together]
    # The baseline that comes closest by the first metric is the one to look at first.
    against = sorted(_by(together, "baseline").items(), key=lambda entry: abs(entry[1][0]["difference"]))
    panels = [_panel_against(baseline, some) for baseline, some in against]
    panels += [_difference_panel(metric, some) for metric, some in _by(alone, "metric").items()]
    tested = any(row.get("p") is not None for row in rows)
    columns = ("baseline", "metric", "difference", "95 % interval", "p", "p (Holm)", "detectable")
    note = (
        f"p: paired permutation test, {numbers.count(judged.get('permutations', 0))} permutations. p (Holm): corrected "
        "for there being several baselines. Detectable: the smallest true difference that this test set shows with a "
        "chance of 80 %."
    )
    width = len(columns) if tested else 4
    figure = Figure(
        caption=f"{named(rows[0]['model'], first=True)} minus each baseline, with 95 % intervals. "
        "One across zero tells nothing.",
        panels=tuple(panels),
        table=Table(
            columns=columns[:width],
            rows=tuple(_difference_row(row)[:width] for row in rows),
            text=frozenset({"baseline", "metric"}),
            note=note if tested else "",
        ),
    )
    lead = f"The same {drawn}, so that what is hard or easy for everybody cancels out."
    return Section("differences", "Paired differences", lead, (figure,))


def slices_section(report: Report) -> Section | None:
    """The metric that counts, for groups of users and of items."""
    rows = [row for row in report.slices if row["metric"] == report.metric]
    if not rows:
        return None
    strongest = report.finding.baseline if report.finding else None
    compared = [row for row in rows if row["model"] in {report.model, strongest}]
    figure = Figure(
        caption=f"{report.metric} with 95 % intervals; in brackets the users of the group.",
        key=(report.model, strongest) if strongest else None,
        panels=tuple(
            _slice_panel(name, some, report)
            for name, some in _by(compared, "slice").items()
            if len(_by(some, "group")) > 1
        ),
        table=Table(
            columns=("slice", "group", "model", "users", report.metric, "95 % interval"),
            rows=tuple(
                (
                    row["slice"],
                    row["group"],
                    row["model"],
                    numbers.count(row["users"]),
                    numbers.value(row["value"]),
                    numbers.interval(row["low"], row["high"]),
                )
                for row in rows
            ),
            text=frozenset({"slice", "group", "model"}),
        ),
    )
    return Section("slices", "For whom it works", "The same lists, judged group by group.", (figure,))


def _metric_panel(metric: str, rows: Sequence[Row], model: str) -> Panel:
    shown = [_dot(row["model"], row, row["model"] == model) for row in rows]
    told = "; ".join(f"{row['label']} {row['told']}{_between(row)}" for row in shown)
    return Panel(charts.dots(shown), f"{metric}: {told}.", metric)


def _panel_against(baseline: str, rows: Sequence[Row]) -> Panel:
    shown = [_difference_dot(row["metric"], row) for row in rows]
    told = "; ".join(f"{row['label']} {row['told']}{_between(row, sign=True)}" for row in shown)
    chart = charts.dots(shown, form="+.3~f", through_zero=True)
    return Panel(chart, f"Against {baseline}: {told}.", f"against {baseline}")


def _difference_panel(metric: str, rows: Sequence[Row]) -> Panel:
    shown = [_difference_dot(f"against {row['baseline']}", row) for row in rows]
    told = "; ".join(f"{row['label']} {row['told']}{_between(row, sign=True)}" for row in shown)
    return Panel(charts.dots(shown, form="+.3~f", through_zero=True), f"{metric}: {told}.", metric)


def _slice_panel(name: str, rows: Sequence[Row], report: Report) -> Panel:
    shown = [
        _dot(f"{row['group']}  ({numbers.count(row['users'])})", row, row["model"] == report.model) for row in rows
    ]
    told = "; ".join(
        f"{row['group']}, {numbers.count(row['users'])} users: {row['model']} {numbers.value(row['value'])}"
        for row in rows
    )
    return Panel(charts.pairs_of_dots(shown), f"{report.metric} by {name}: {told}.", name)


def _dot(label: str, row: Row, ours: bool) -> dict[str, Any]:
    places = {key: row[key] for key in ("value", "low", "high")}
    return {"label": label, "told": numbers.value(row["value"]), "ours": ours, **places}


def _difference_dot(label: str, row: Row) -> dict[str, Any]:
    return {**_dot(label, {**row, "value": row["difference"]}, True), "told": numbers.signed(row["difference"])}


def _difference_row(row: Row) -> tuple[str, ...]:
    return (
        row["baseline"],
        row["metric"],
        numbers.signed(row["difference"]),
        numbers.interval(row["low"], row["high"], sign=True),
        numbers.chance(row.get("p")),
        numbers.chance(row.get("p_holm")),
        numbers.value(row.get("detectable")),
    )


def _between(row: Row, *, sign: bool = False) -> str:
    return "" if row["low"] is None else f" ({numbers.interval(row['low'], row['high'], sign=sign)})"


def _by(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups
