"""The sections on what a run was made of: the data, what the ranker looks at, how a network learnt, the recipe."""

from typing import Any

from shortlist.models.networks import RISING
from shortlist.reporting import charts, numbers
from shortlist.reporting.blocks import Block, Code, Facts, Figure, Panel, Prose, Section, Table
from shortlist.reporting.report import Made, Report

_FEATURES = 20
_PANELS = 2
"""Panels that stand side by side."""


def features_section(report: Report) -> Section | None:
    """What the ranker gains most from."""
    rows = report.importances[:_FEATURES]
    if not rows:
        return None
    shown = [
        {"label": row["feature"], "told": numbers.share(row["share"]), "start": 0, "end": row["share"], "ours": False}
        for row in rows
    ]
    half = -(-len(shown) // _PANELS)
    top = shown[0]["end"]
    panels = tuple(
        Panel(
            charts.bars(part, most=top),
            "Share of the gain: " + "; ".join(f"{row['label']} {row['told']}" for row in part) + ".",
            f"{first + 1} to {first + len(part)}",
        )
        for first in range(0, len(shown), half)
        if (part := shown[first : first + half])
    )
    told = sum(row["share"] for row in rows)
    figure = Figure(
        caption=f"The first {len(rows)} of {len(report.importances)} features make {numbers.share(told)} of the gain.",
        panels=panels,
        table=Table(
            ("feature", "share of the gain"),
            tuple((row["feature"], numbers.share(row["share"])) for row in rows),
            text=frozenset({"feature"}),
        ),
    )
    lead = (
        "How much each feature lowers what the trees minimise, summed over all splits. Features that tell the same "
        "share what either would have alone."
    )
    return Section("features", "What the ranker looks at", lead, (figure, *_read_again(report.reranker)))


def _read_again(reranker: dict[str, Any] | None) -> tuple[Block, ...]:
    """What the opinion of a cross-encoder is worth beside that of the ranker."""
    if reranker is None:
        return ()
    losses = tuple((name, numbers.value(loss)) for name, loss in reranker["losses"].items())
    told = str(reranker["told"])
    return Prose(f"{told[:1].upper()}{told[1:]}."), Table(("log loss", "of the best"), losses, frozenset({"log loss"}))


def training_section(rows: list[dict[str, Any]] | None) -> Section | None:
    """The path of the loss."""
    rows = [row for row in rows or () if row["of"] != RISING]
    if not rows:
        return None
    last = {row["of"]: row for row in rows}
    told = "; ".join(f"{name} ended at {numbers.value(row['loss'])}" for name, row in last.items())
    figure = Figure(
        caption=f"The loss in variances of the numbers: 1 is what the mean would have. {told[:1].upper()}{told[1:]}.",
        panels=(Panel(charts.path(rows), f"The path of the loss over {rows[-1]['step']} steps: {told}."),),
        table=Table(
            ("step", "of", "loss"),
            tuple((numbers.count(row["step"]), row["of"], numbers.value(row["loss"])) for row in rows),
            text=frozenset({"of"}),
        ),
        wide=True,
    )
    return Section("training", "How it learnt", "Where the loss still falls, more epochs would help.", (figure,))


def data_section(report: Made) -> Section:
    """What was read, what was set apart, and what the part that was learnt from looks like."""
    tables = report.data["tables"]
    blocks: list[Block] = []
    if report.profile:
        blocks += _profile(report.profile)
    blocks.append(
        Table(
            ("table", "rows", "set apart", "rule that was broken", "columns read as"),
            tuple(
                (
                    name,
                    numbers.count(table["rows"]),
                    numbers.count(sum(table["rejects"].values())),
                    ", ".join(f"{rule} {numbers.count(n)}" for rule, n in table["rejects"].items()) or "none",
                    ", ".join(f"{ours} from {theirs}" for ours, theirs in table["matched"].items() if ours != theirs)
                    or "as they are called",
                )
                for name, table in tables.items()
            ),
            text=frozenset({"table", "rule that was broken", "columns read as"}),
            title="What was read",
        )
    )
    apart = sum(sum(table["rejects"].values()) for table in tables.values())
    lead = "Rows that break a rule are set apart and counted; " + (
        f"{numbers.count(apart)} were." if apart else "here none does."
    )
    return Section("data", "The data", lead, tuple(blocks))


def recipe_section(report: Made) -> Section:
    """The settings, the versions, and the commands that do it again."""
    made, path = report.made, report.path
    commands = (
        f"shortlist fit --config {path} --out {path}-again  # the same settings, fitted again\n"
        f"shortlist evaluate {path}  # the stored pipeline, judged again\n"
        f"shortlist report {path}  # this page"
    )
    spent = f"It took {made['seconds']:.0f} s" if made["seconds"] is not None else ""
    if spent and made["peak_memory_mb"] is not None:
        spent += f" and {numbers.count(made['peak_memory_mb'])} MB at the peak"
    lead = f"Seed {made['seed']}. {spent}.".replace(" .", "")
    known = {name: version or "not installed" for name, version in (made["versions"] or {}).items()}
    checksum = report.data.get("fingerprint", {}).get("checksum")
    return Section(
        "recipe",
        "How to do it again",
        lead,
        (
            Code(commands, "Commands"),
            Code(report.recipe, "The recipe as TOML", folded=True),
            Table(("package", "version"), tuple(known.items()), text=frozenset({"package"}), title="Versions"),
            *((Prose(f"Checksum of the events: {checksum}."),) if checksum is not None else ()),
        ),
    )


def _profile(profile: dict[str, Any]) -> list[Block]:
    span = f"{profile['first'][:10]} to {profile['last'][:10]}" if profile["first"] else "without a clock"
    blocks: list[Block] = [
        Facts(
            (
                (numbers.count(profile["events"]), "events to learn from", span),
                (
                    numbers.count(profile["users"]),
                    "users",
                    f"half have {profile['per_user'].get('50 %', 0):,} or fewer",
                ),
                (
                    numbers.count(profile["items"]),
                    "items",
                    f"half have {profile['per_item'].get('50 %', 0):,} or fewer",
                ),
                (numbers.share(profile["repeats"]), "repeats", f"density {numbers.share(profile['density'])}"),
            )
        )
    ]
    if len(profile["over_time"]) > 1:
        blocks.append(_over_time(profile))
    if profile["events"]:
        blocks += [_long_tail(profile), _sizes(profile)]
    if profile["attributes"]:
        blocks.append(
            Table(
                ("table", "attribute", "filled", "different values"),
                tuple(
                    (row["table"], row["column"], numbers.share(row["filled"]), numbers.count(row["values"]))
                    for row in profile["attributes"]
                ),
                text=frozenset({"table", "attribute"}),
                note="Filled: share of the known users or items that have a value.",
                title="What is known of users and items",
            )
        )
    return blocks


def _over_time(profile: dict[str, Any]) -> Figure:
    rows = [{"start": row["start"], "count": row["events"]} for row in profile["over_time"]]
    most = max(rows, key=lambda row: row["count"])
    step = profile["step"]
    return Figure(
        caption=f"Events by {step}. The first and the last are cut by the ends of the data.",
        panels=(
            Panel(
                charts.over_time(rows, of="events"),
                f"Events by {step} from {rows[0]['start']} to {rows[-1]['start']}; most, "
                f"{numbers.count(most['count'])}, from {most['start']}.",
                "Over time",
            ),
        ),
        table=Table(
            (f"{step} from", "events"),
            tuple((row["start"], numbers.count(row["count"])) for row in rows),
            text=frozenset({f"{step} from"}),
        ),
        wide=True,
    )


def _long_tail(profile: dict[str, Any]) -> Figure:
    rows = [
        {
            "label": f"the most wanted {100 * top['items']:.0f} % of the items",
            "told": numbers.share(top["events"]),
            "start": 0,
            "end": top["events"],
            "ours": False,
        }
        for top in profile["top_items"]
    ]
    told = "; ".join(f"{row['label']}: {row['told']}" for row in rows)
    return Figure(
        caption="Share of all events that the most wanted items have.",
        panels=(Panel(charts.bars(rows, most=1), f"Share of all events. {told}.", "The long tail"),),
        table=Table(
            ("items", "share of the events"),
            tuple((row["label"], row["told"]) for row in rows),
            text=frozenset({"items"}),
        ),
        wide=True,
    )


def _sizes(profile: dict[str, Any]) -> Table:
    names = tuple(profile["per_user"])
    return Table(
        ("events of", *names),
        tuple(
            (label, *(numbers.count(profile[key][name]) for name in names))
            for label, key in (("a user", "per_user"), ("an item", "per_item"))
        ),
        text=frozenset({"events of"}),
        note="50 %: half of them have so many or fewer.",
        title="How many events they have",
    )
