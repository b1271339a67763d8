"""Not a claim but a picture: seconds of training against NDCG@10 on histories that are long, ml-100k, beside EASE.

    python benchmarks/next-curve.py

The last event of each user, all items. Each point of ours is a fit of its own, from nothing, with so many epochs of
`Next()`: with what is known of the films and without. RecTools' SASRec (softmax over all items, 64 factors, 2 blocks,
length 200) is judged after each epoch of one fit, whose rate is constant; the judging is not counted. The line of EASE
is that of our `EASE()`, its search included. docs/studies/next-curve.svg is drawn from the result.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

import _ours
import _peers
import _result
from defaults_quality import sets

HERE = Path(__file__).parent
PICTURE = HERE.parent / "docs/studies/next-curve.svg"
DATA, EPOCHS, THEIRS = "ml-100k", (1, 2, 4, 8, 16), 20


def main() -> None:
    """Measure, write the result and draw it."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir()))
    folder = str(sets.write(DATA, sets.shared_data(), cache / "shortlist-sets"))
    version = f"shortlist {_result.version()}"
    rows: list[dict[str, Any]] = []

    def told(model: str, of: str, seconds: float, value: float, **more: Any) -> None:
        rows.append(_result.row(DATA, model, of, "ndcg@10", value, seconds=seconds, **more))
        print(model, round(seconds, 1), round(value, 4), more, file=sys.stderr, flush=True)

    def ours(name: str, *epochs: str) -> None:
        found = _ours.run(HERE / "next_amazon/by_ours.py", folder, sets.shared_data() / DATA, name, *epochs)
        told(name, version, found["seconds"], found["metrics"]["ndcg@10"]["value"], epochs=int(*epochs or ("0",)))

    ours("EASE")
    for name in ("Next", "Next, no attributes"):
        for epochs in EPOCHS:
            ours(name, str(epochs))
    theirs = _peers.run(
        HERE / "next_speed/by_rectools.py", folder, "softmax", "1", "200", str(THEIRS), "64", "judged",
        peers="peers-rectools-torch",
    )  # fmt: skip
    for epoch, (seconds, value) in enumerate(theirs["path"], 1):
        told("RecTools SASRec", theirs["version"], seconds, value, epochs=epoch)
    ease = rows[0]["value"]
    reached = {
        name: min((row["seconds"] for row in rows if row["model"] == name and row["value"] >= ease), default=None)
        for name in ("Next", "Next, no attributes", "RecTools SASRec")
    }
    print(json.dumps(reached), file=sys.stderr)
    figures = {f"seconds to EASE: {name}": seconds for name, seconds in reached.items() if seconds is not None}
    _result.write("next-curve", figures, rows)
    draw(rows)


def draw(rows: list[dict[str, Any]]) -> None:
    """The picture."""
    points = pl.DataFrame([{key: row[key] for key in ("model", "seconds", "value")} for row in rows])
    line = alt.Chart(points.filter(pl.col("model") != "EASE")).mark_line(point=True)
    line = line.encode(
        alt.X("seconds:Q", scale=alt.Scale(type="log"), title="seconds of training"),
        alt.Y("value:Q", title="NDCG@10"),
        alt.Color("model:N", title=None),
    )
    rule = alt.Chart(points.filter(pl.col("model") == "EASE")).mark_rule(strokeDash=[4, 4]).encode(alt.Y("value:Q"))
    name = alt.Chart(points.filter(pl.col("model") == "EASE")).mark_text(align="left", dy=-6, dx=4)
    name = name.encode(alt.Y("value:Q"), x=alt.value(0), text="model:N")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    (line + rule + name).properties(width=520, height=300, title=f"{DATA}: the last of each user's films").save(PICTURE)


if __name__ == "__main__":
    main()
