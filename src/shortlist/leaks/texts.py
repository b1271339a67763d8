"""Check: near-duplicate texts on both sides.

The texts of users (items) that only the test part knows are held against those that train knows: all text columns of
one together, without case and spacing. A column is text where at least a fifth of its values are different and a
third of them have several words, or letters beyond ASCII.

Short texts repeat by nature: every curriculum has its "Introduction". So what counts depends on the length:

- texts of `LONG` characters or more hardly come about twice by themselves. Near duplicates (Jaccard similarity of
  five-letter shingles 0.8 or more) are a finding from `ONCE` of all held-out texts; with those that train repeats
  itself, which may be boilerplate, from `REPEATED`;
- texts from `SHORT` characters on are one from `MANY`, which titles do not reach by themselves;
- shorter ones never are.

In a split in time it is a note: that new things resemble old ones is then a property of the world.
"""

import polars as pl

from shortlist.dataset.texts import is_worded
from shortlist.leaks.dates import as_moments
from shortlist.leaks.findings import Finding, Looked
from shortlist.leaks.shingles import near_duplicates, plain
from shortlist.leaks.sides import Sides

LONG, SHORT = 60, 20
"""Characters."""
ONCE, REPEATED, MANY = 0.01, 0.05, 0.2
"""Shares of all held-out texts."""
AT_LEAST = 3
_SHOWN = 60


def check(sides: Sides) -> Looked:
    """Held-out users and items whose texts train knows nearly word for word."""
    looked = [one for kind in ("user", "item") if (one := _compared(sides, kind)) is not None]
    if not looked:
        return Looked(not_made="no users or items are new to the test part and have texts long enough to tell")
    return Looked(
        findings=tuple(finding for one in looked for finding in one.findings),
        notes=tuple(note for one in looked for note in one.notes),
    )


def _compared(sides: Sides, kind: str) -> Looked | None:
    texts = _texts(sides, kind)
    if texts is None:
        return None
    known = sides.per(kind).select(kind, held=pl.col("train_events") == 0)
    told = texts.join(known, on=kind).filter(pl.col("text") != "").sort(kind)
    held = told.filter("held")
    # A near duplicate of a text is at least ALIKE times as long: train texts need not be shorter than that.
    tested = held.filter(pl.col("text").str.len_chars() >= SHORT)
    trained = told.filter(~pl.col("held") & (pl.col("text").str.len_chars() >= SHORT // 2))
    if tested.is_empty() or trained.is_empty():
        return None
    pairs = near_duplicates(tested["text"], trained["text"])
    found = pl.DataFrame(
        {
            "ours": tested[kind].gather(pairs["text"]),
            "theirs": trained[kind].gather(pairs["other"]),
            "text": tested["text"].gather(pairs["text"]),
            "times": pairs["times"],
        }
    )
    long = found.filter(pl.col("text").str.len_chars() >= LONG)
    for share, those in ((MANY, found), (REPEATED, long), (ONCE, long.filter(pl.col("times") == 1))):
        if those.height >= max(AT_LEAST, share * held.height):
            return _told(sides, kind, those, held.height)
    return Looked()


def _told(sides: Sides, kind: str, found: pl.DataFrame, held: int) -> Looked:
    said = f"of {held:,} {kind}s that only the test part knows, {found.height:,} have nearly the text of one in train"
    if sides.order != "unordered":
        return Looked(notes=(f"{said}: the split is in time, so this is how new {kind}s are",))
    some = found.head(3)
    pairs = zip(sides.ids(kind, some["ours"]), sides.ids(kind, some["theirs"]), some["text"], strict=True)
    return Looked(
        findings=(
            Finding(
                "texts",
                said,
                found.height,
                tuple(f"{kind} {a} is like {b}: {text[:_SHOWN]!r}" for a, b, text in pairs),
                "whoever learnt the one by heart knows the other, so a new text is not what is judged",
                "put copies on one side: give them a common group and split by it (k_fold), or keep one of each",
            ),
        )
    )


def _texts(sides: Sides, kind: str) -> pl.DataFrame | None:
    """The texts of all users or items, `kind` and `text`; None where there is no column of texts."""
    table = sides.table(kind)
    names = [name for name, type_ in table.schema().items() if type_.is_string() and name != f"{kind}_id"]
    if not names:
        return None
    values = sides.train.engine.frame(table.select(kind, **{f"text {name}": table[name] for name in names}))
    columns = [f"text {name}" for name in names if _is_text(values[f"text {name}"])]
    if not columns:
        return None
    joined = values.select(kind, text=pl.concat_str([pl.col(name).fill_null("") for name in columns], separator=" "))
    return joined.with_columns(plain(joined["text"]).alias("text"))


def _is_text(values: pl.Series) -> bool:
    return is_worded(values) and as_moments(values, None) is None
