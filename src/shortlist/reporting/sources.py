"""The section on candidates: where true items came from, and where they were lost."""

from typing import Any

from shortlist.reporting import charts, numbers
from shortlist.reporting.blocks import Block, Figure, Panel, Section, Table
from shortlist.reporting.report import Report


def candidates_section(report: Report) -> Section | None:
    """The way from all true items to those shown, and what each source brought."""
    if not report.anatomy or not report.funnel:
        return None
    found = report.anatomy
    lead = (
        f"Retrievers bring {numbers.count(found['candidates'])} candidates a user, and the ranker picks "
        f"{report.k} of them. Measured on {numbers.count(found['users'])} users."
    )
    blocks: list[Block] = [_funnel(report, found), _by_source(found)]
    if len(found["sources"]) > 1 and found.get("overlaps"):
        blocks.append(_overlap(found))
    return Section("candidates", "Where the items come from", lead, tuple(blocks))


def _funnel(report: Report, found: dict[str, Any]) -> Figure:
    funnel = report.funnel or {}
    reach, shown, k = found["recall"], funnel.get("shown"), report.k
    stages = [("all that the users took", 0.0, 1.0), ("found among the candidates", 0.0, reach)]
    told = f"Of 100 items that a user took, {_hundred(reach)} are among the candidates"
    if shown is not None:
        stages += [
            (f"shown in lists of {k}", 0.0, shown),
            ("found but not shown: what the ranker lost", shown, max(reach, shown)),
        ]
        told += f" and {_hundred(shown)} are shown; lists of {k} have room for {_hundred(funnel['room'])} at most"
    told += f". In perfect order these candidates would reach {numbers.value(found['ceiling'])} in {found['metric']}"
    told += f"; the ranker reaches {numbers.value(found['reached'])}." if found["reached"] is not None else "."
    rows = [{**_bar(name, start, end), "ours": name.startswith("shown")} for name, start, end in stages]
    table = [(row["label"], row["told"]) for row in rows]
    table.append((f"room in lists of {k}", numbers.share(funnel["room"])))
    return Figure(
        caption=told,
        panels=(Panel(charts.bars(rows, most=1), told, "From what was taken to what is shown"),),
        table=Table(
            ("stage", "share of what was taken"), tuple(table), text=frozenset({"stage"}), note="Means over users."
        ),
        wide=True,
    )


def _by_source(found: dict[str, Any]) -> Figure:
    sources, reach = found["sources"], found["recall"]
    alone = [_bar(s["source"], 0.0, s["recall"]) for s in sources]
    starts = [0.0]
    for source in sources:
        starts.append(starts[-1] + source["added"])
    adds = [
        {**_bar(s["source"], start, start + s["added"]), "told": f"+{numbers.share(s['added'])}"}
        for s, start in zip(sources, starts, strict=False)
    ]
    together = {**_bar("together", 0.0, reach), "ours": True}
    kept = any(s.get("kept") is not None for s in sources)
    columns = ("source", "candidates a user", "recall", "added", "lost without it", "overlap", "kept")
    shares = ("recall", "added", "lost", "overlap", "kept")
    rows = [(s["source"], f"{s['candidates']:.1f}", *(numbers.share(s.get(name)) for name in shares)) for s in sources]
    rows.append(("together", f"{found['candidates']:.1f}", numbers.share(reach), "", "", "", ""))
    shown = len(columns) if kept else len(columns) - 1
    table = Table(
        columns[:shown],
        tuple(row[:shown] for row in rows),
        text=frozenset({"source"}),
        note="Overlap: share of its candidates that another source brought too."
        + (" Kept: share of its true candidates that the lists show." if kept else ""),
    )
    return Figure(
        caption="Recall: the share of what a user took that is among the candidates, mean over users.",
        panels=(
            Panel(
                charts.bars([*alone, together], most=1),
                "Recall of each source: " + "; ".join(f"{r['label']} {r['told']}" for r in [*alone, together]) + ".",
                "Recall of each source alone",
            ),
            Panel(
                charts.bars([*adds, together], most=1),
                "What each source adds: " + "; ".join(f"{r['label']} {r['told']}" for r in [*adds, together]) + ".",
                "What each adds to those above it",
            ),
        ),
        table=table,
    )


def _overlap(found: dict[str, Any]) -> Figure:
    names = [s["source"] for s in found["sources"]]
    numbered = {name: f"{place} {name}" for place, name in enumerate(names, start=1)}
    shares = {(o["source"], o["other"]): o["share"] for o in found["overlaps"]}
    rows = [
        {
            "row": numbered[source],
            "column": str(names.index(other) + 1),
            "share": shares[source, other],
            "told": f"{100 * shares[source, other]:.0f}",
        }
        for source in names
        for other in names
        if shares.get((source, other)) is not None
    ]
    caption = "Per cent of the candidates of the source at the left that the numbered one brought too."
    return Figure(
        caption=caption,
        panels=(
            Panel(
                charts.heat_map(
                    rows,
                    rows_of=[numbered[n] for n in names],
                    columns=[str(place) for place in range(1, len(names) + 1)],
                ),
                f"{caption} "
                + "; ".join(f"{n} most with {_nearest(n, names, shares)}" for n in names if _nearest(n, names, shares))
                + ".",
                "Overlap",
            ),
        ),
        table=Table(
            ("source", "other", "share"),
            tuple((o["source"], o["other"], numbers.share(o["share"])) for o in found["overlaps"]),
            text=frozenset({"source", "other"}),
        ),
        wide=True,
    )


def _nearest(source: str, names: list[str], shares: dict[tuple[str, str], float | None]) -> str:
    others = {other: shares.get((source, other)) for other in names if other != source}
    known = {other: part for other, part in others.items() if part is not None}
    if not known:
        return ""
    most = max(known, key=lambda other: known[other])
    return f"{most}, {100 * known[most]:.0f} %"


def _bar(label: str, start: float, end: float) -> dict[str, Any]:
    return {"label": label, "told": numbers.share(end - start), "start": start, "end": end, "ours": False}


def _hundred(part: float | None) -> str:
    return f"{100 * (part or 0.0):.0f}"
