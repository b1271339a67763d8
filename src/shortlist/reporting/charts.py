"""Charts: Altair, from plain rows to a Vega-Lite description that any width, light, dark and paper can show.

Labels stand above their marks and values at the right edge, so that a long name costs no width on a phone. Colours are
the names of the page's own (`var(--ours)`), so that the page's style sheet decides between light and dark. Every chart
is as wide as its place.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

OURS, OTHER, FAINT, INK, MUTED = (f"var(--{name})" for name in ("ours", "other", "faint", "ink", "muted"))
FONT = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
_ROW = 40
_BENEATH = 10
"""How far the mark lies beneath the middle of its row, in pixels, and the label above it."""

Row = Mapping[str, Any]


def dots(rows: Sequence[Row], *, form: str = ".3~f", through_zero: bool = False) -> dict[str, Any]:
    """A dot with its interval for each row: `label`, `told` (the value as text), `value`, `low`, `high`, `ours`.

    Rows without an interval have a dot alone. `through_zero` draws a line at zero: for differences.
    """
    chart = _base(rows)
    x = alt.X("value:Q", title=None, axis=_axis(form), scale=alt.Scale(zero=True, nice=True))
    lines = _intervals(rows, _BENEATH, _y([row["label"] for row in rows]))
    dot = chart.mark_point(filled=True, size=75, opacity=1, yOffset=_BENEATH).encode(x=x, y=_y(), color=_colour())
    layers = [*lines, dot, *_labels(chart, indent=8 if through_zero else 0)]
    if through_zero:
        zero = _base([{"zero": 0}]).mark_rule(stroke=MUTED, strokeDash=[2, 3]).encode(x="zero:Q")
        layers = [zero, *layers]
    return _finished(alt.layer(*layers), rows)


def bars(rows: Sequence[Row], *, most: float) -> dict[str, Any]:
    """A bar for each row on a faint track that ends at `most`: `label`, `told`, `start`, `end`, `ours`.

    The values stand beside the labels, so there is no axis.
    """
    chart = _base([{**row, "nought": 0, "most": most} for row in rows])
    looks: dict[str, Any] = {"height": 9, "yOffset": _BENEATH, "cornerRadius": 1}
    scale = alt.Scale(domain=[0, most], nice=False)
    track = chart.mark_bar(fill=FAINT, **looks).encode(x=alt.X("nought:Q", axis=None, scale=scale), x2="most:Q", y=_y())
    bar = chart.mark_bar(**looks).encode(
        x=alt.X("start:Q", axis=None, scale=scale), x2="end:Q", y=_y(), color=_colour()
    )
    return _finished(alt.layer(track, bar, *_labels(chart)), rows)


def pairs_of_dots(rows: Sequence[Row], *, form: str = ".3~f") -> dict[str, Any]:
    """For each `label` our dot with its interval, and beneath it that of the other model: rows as for `dots`.

    `told` stands at the right of ours alone.
    """
    places = {True: _BENEATH - 4, False: _BENEATH + 4}
    layers: list[alt.Chart] = []
    for ours, place in places.items():
        some = [row for row in rows if row["ours"] is ours]
        y = _y([row["label"] for row in rows])
        x = alt.X("value:Q", title=None, axis=_axis(form), scale=alt.Scale(zero=True, nice=True))
        dot = _base(some).mark_point(filled=True, size=55, opacity=1, yOffset=place)
        layers += [*_intervals(some, place, y), dot.encode(x=x, y=y, color=_colour())]
    ours_alone = [row for row in rows if row["ours"]]
    return _finished(alt.layer(*layers, *_labels(_base(ours_alone))), ours_alone)


def heat_map(rows: Sequence[Row], *, rows_of: Sequence[str], columns: Sequence[str]) -> dict[str, Any]:
    """A tinted square for each `row` and `column` with a `share` from 0 to 1, and the per cent written in it."""
    chart = _base(rows)
    place = {
        "x": alt.X("column:N", sort=list(columns), title=None, axis=_axis(None, orient="top", labelAngle=0)),
        "y": alt.Y("row:N", sort=list(rows_of), title=None, axis=_axis(None, labelLimit=200, labelFlush=False)),
    }
    cell = chart.mark_rect(fill=OURS).encode(
        **place, fillOpacity=alt.FillOpacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 0.75]), legend=None)
    )
    told = chart.mark_text(fontSize=12, fill=INK).encode(**place, text="told:N")
    return _finished(alt.layer(cell, told), rows, height=34 * len(rows_of))


def over_time(rows: Sequence[Row], *, of: str) -> dict[str, Any]:
    """An area over the days on which steps `start`, as high as their `count`; `of` says what is counted."""
    area = _base(rows).mark_area(fill=OTHER, fillOpacity=0.35, line={"color": MUTED, "strokeWidth": 1.5})
    chart = area.encode(
        x=alt.X("start:T", title=None, axis=_axis(None, tickCount=6), scale=alt.Scale(type="utc")),
        y=alt.Y("count:Q", title=of, axis=_axis("~s", titleAnchor="end", titleAngle=0, titleAlign="left", titleY=-10)),
    )
    return _finished(chart, rows, height=150)


def calibration(rows: Sequence[Row]) -> dict[str, Any]:
    """A dot for each bin at its mean `prediction` and mean `truth`, and the diagonal on which they should lie."""
    ends = [min(*(r["prediction"] for r in rows), *(r["truth"] for r in rows))]
    ends += [max(*(r["prediction"] for r in rows), *(r["truth"] for r in rows))]
    both = alt.Scale(domain=ends, nice=True, zero=False)
    x = alt.X("prediction:Q", title="mean prediction", scale=both, axis=_axis(None))
    y = alt.Y("truth:Q", title="mean truth", scale=both, axis=_axis(None))
    diagonal = (
        _base([{"prediction": end, "truth": end} for end in ends])
        .mark_line(stroke=MUTED, strokeDash=[2, 3], strokeWidth=1)
        .encode(x=x, y=y)
    )
    dot = _base(rows).mark_point(filled=True, fill=OURS, size=60, opacity=1).encode(x=x, y=y)
    return _finished(alt.layer(diagonal, dot), rows, height=280)


def histogram(rows: Sequence[Row], *, of: str) -> dict[str, Any]:
    """A bar for each bin from `start` to `end`, as high as its `count`; `of` says what is binned."""
    chart = (
        _base(rows)
        .mark_bar(fill=OTHER, fillOpacity=0.6, binSpacing=1)
        .encode(
            x=alt.X("start:Q", title=of, axis=_axis(None), bin="binned"),
            x2="end:Q",
            y=alt.Y("count:Q", title="rows", axis=_axis("~s")),
        )
    )
    return _finished(chart, rows, height=280)


def band(rows: Sequence[Row], *, x: str, y: str) -> dict[str, Any]:
    """A line through `middle` over `place`, in a band from `low` to `high`; `x` and `y` name the axes."""
    chart = _base(rows)
    across = alt.X("place:Q", title=x, axis=_axis(None), scale=alt.Scale(zero=False))
    area = chart.mark_area(fill=OTHER, fillOpacity=0.25).encode(
        x=across, y=alt.Y("low:Q", title=y, axis=_axis(None)), y2="high:Q"
    )
    line = chart.mark_line(stroke=OURS, strokeWidth=2, point={"fill": OURS, "size": 40}).encode(x=across, y="middle:Q")
    zero = _base([{"zero": 0}]).mark_rule(stroke=MUTED, strokeDash=[2, 3]).encode(y="zero:Q")
    return _finished(alt.layer(area, zero, line), rows, height=280)


def plane(rows: Sequence[Row]) -> dict[str, Any]:
    """A dot for each row at `x` and `y`, the larger the more `ratings`, with its `title` beside it."""
    place = {name: alt.X if name == "x" else alt.Y for name in ("x", "y")}
    where = {
        name: axis(f"{name}:Q", title=None, axis=_axis(None, labels=False), scale=alt.Scale(zero=False, padding=40))
        for name, axis in place.items()
    }
    chart = _base(rows)
    size = alt.Size("ratings:Q", scale=alt.Scale(range=[20, 160]), legend=None)
    dot = chart.mark_point(filled=True, fill=OURS, opacity=0.7).encode(**where, size=size, tooltip=["title:N"])
    name = chart.mark_text(align="left", dx=7, fontSize=10, fill=INK, limit=150).encode(**where, text="title:N")
    return _finished(alt.layer(dot, name), rows, height=520)


def path(rows: Sequence[Row]) -> dict[str, Any]:
    """A line through `loss` over `step` for each of what the rows are `of`: training in grey, all else in accent."""
    colour = alt.Color("of:N", title=None, scale=alt.Scale(domain=["training", "held out"], range=[OTHER, OURS]))
    chart = (
        _base(rows)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("step:Q", title="step", axis=_axis("~s")),
            y=alt.Y("loss:Q", title="loss", axis=_axis(None), scale=alt.Scale(zero=False)),
            color=colour.legend(orient="top") if len({row["of"] for row in rows}) > 1 else colour.legend(None),
        )
    )
    return _finished(chart, rows, height=240)


def rates(rows: Sequence[Row], *, taken: float) -> dict[str, Any]:
    """A line through `loss` over `rate` on a logarithmic axis, and a rule at the rate that was `taken`."""
    across = alt.X("rate:Q", title="learning rate", axis=_axis("~g"), scale=alt.Scale(type="log"))
    down = alt.Y("loss:Q", title="loss", axis=_axis(None), scale=alt.Scale(zero=False))
    line = _base(rows).mark_line(stroke=OURS, strokeWidth=2).encode(x=across, y=down)
    rule = _base([{"rate": taken}]).mark_rule(stroke=MUTED, strokeDash=[2, 3]).encode(x=across)
    return _finished(alt.layer(rule, line), rows, height=240)


def _base(rows: Sequence[Row]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))


def _y(order: Sequence[str] | None = None) -> alt.Y:
    sort = list(dict.fromkeys(order)) if order is not None else None
    return alt.Y("label:N", sort=sort, axis=None, scale=alt.Scale(type="band", padding=0))


def _intervals(rows: Sequence[Row], place: int, y: alt.Y) -> list[alt.Chart]:
    """A line from `low` to `high` for the rows that have an interval; no chart where none has."""
    known = [row for row in rows if row["low"] is not None and row["high"] is not None]
    if not known:
        return []
    line = _base(known).mark_rule(strokeWidth=2, yOffset=place, strokeCap="round")
    return [line.encode(x=alt.X("low:Q", title=None), x2="high:Q", y=y, color=_colour())]


def _colour() -> alt.Color:
    return alt.Color("ours:N", scale=alt.Scale(domain=[True, False], range=[OURS, OTHER]), legend=None)


def _labels(chart: alt.Chart, *, indent: int = 0) -> list[alt.Chart]:
    """The label at the left and the value at the right, both above the mark."""
    looks: dict[str, Any] = {"baseline": "middle", "yOffset": -_BENEATH + 3, "fontSize": 13, "fill": INK}
    weight = alt.ExprRef("datum.ours ? 600 : 400")
    return [
        chart.mark_text(align="left", **looks).encode(x=alt.value(indent), y=_y(), text="label:N"),
        chart.mark_text(align="right", fontWeight=weight, **looks).encode(x=alt.value("width"), y=_y(), text="told:N"),
    ]


def _axis(form: str | None, **more: Any) -> alt.Axis:
    settings = {"format": form} if form is not None else {}
    return alt.Axis(**{"tickCount": 4, **settings, **more})


def _finished(chart: Any, rows: Sequence[Row], *, height: int | None = None) -> dict[str, Any]:
    """The description as plain data, with the looks that all share; without a height, a row has its own."""
    tall = _ROW * len({row["label"] for row in rows}) if height is None else height
    axis: dict[str, Any] = {
        "domain": False,
        "ticks": False,
        "grid": True,
        "gridColor": FAINT,
        "labelColor": MUTED,
        "titleColor": MUTED,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelPadding": 6,
        "labelFlush": True,
    }
    described: dict[str, Any] = (
        chart.properties(
            width="container",
            height=tall,
            background="transparent",
            padding={"left": 1, "right": 1, "top": 4, "bottom": 1},
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .configure(font=FONT, view=alt.ViewConfig(stroke=None), axis=alt.AxisConfig(**axis))
        .configure_axisBand(grid=False)
        .to_dict()
    )
    # The address of the schema is for editors; a page that asks nobody for anything need not name it.
    described.pop("$schema")
    return described
