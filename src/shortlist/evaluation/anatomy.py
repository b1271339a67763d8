"""Anatomy of the candidates: what each source brought to the true items, and what the ranker then lost.

Recall is the mean over users with truth of (true items among the candidates) / |T|. A candidate pair that
several sources brought is one candidate of the union. The ceiling is what a ranker that knew the truth would
reach with these candidates: it puts all true ones first.

Every recall here is a sum over true candidate pairs, each weighing 1 / (users · |T|). So the pairs are summed
up once for each set of sources that brought them, and all columns are read off that small table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from shortlist.errors import ConfigError, DataError, nearest
from shortlist.evaluation.hits import Hits, hits_of
from shortlist.evaluation.lists import (
    Truth,
    common_type,
    places,
    read_candidates,
    read_lists,
    read_truth,
)
from shortlist.evaluation.metrics import Metric

_MOST_SOURCES = 62


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Where true items came from and were lost. `str` is a table to read, `to_dict` is ready for JSON."""

    sources: pl.DataFrame
    """A row for each source, in order:

    - source
    - candidates: how many it brings to a judged user, on average
    - recall: of its candidates alone
    - added: recall that it adds to the sources before it
    - lost: recall that the union would lose without it
    - overlap: the share of its candidates that another source brought too; null if it brought none
    - kept: the share of its true candidates that the recommendations show; null if it brought none, or none were given
    """
    overlaps: pl.DataFrame
    """A row for each ordered pair of two sources: source, other, share (of its candidates that the other brought)."""
    users: int
    """Users judged: those with truth."""
    candidates: float
    """Different candidates of a judged user, on average."""
    recall: float
    """Recall of the union of all sources."""
    metric: Metric
    ceiling: float
    """The metric of a ranker that puts all true candidates first."""
    reached: float | None
    """The metric of the recommendations; None where none were given."""
    shown: float | None
    """Recall of the recommendations at the same k; None where none were given."""

    def __str__(self) -> str:
        lines = [["source", "candidates", "recall", "added", "lost", "overlap", "kept"]]
        for source, candidates, *shares in self.sources.iter_rows():
            lines.append([source, f"{candidates:.1f}", *("" if share is None else f"{share:.4f}" for share in shares)])
        lines.append(["together", f"{self.candidates:.1f}", f"{self.recall:.4f}", "", "", "", ""])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
        )
        reached = (
            "" if self.reached is None else f"; reached: {self.reached:.4f}, lost: {self.ceiling - self.reached:.4f}"
        )
        return f"{table}\n\n{self.metric} within reach of a perfect ranker: {self.ceiling:.4f}{reached}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, dictionaries, numbers, text and None."""
        return {
            "users": self.users,
            "sources": self.sources.to_dicts(),
            "overlaps": self.overlaps.to_dicts(),
            "candidates": self.candidates,
            "recall": self.recall,
            "metric": str(self.metric),
            "ceiling": self.ceiling,
            "reached": self.reached,
            "shown": self.shown,
        }


def anatomy(
    candidates: Any,
    truth: Any,
    *,
    k: int,
    recommendations: Any = None,
    sources: Sequence[str] | None = None,
) -> Anatomy:
    """What each source brought, what they brought together, and what of it lists of length k (map@k) kept.

    Candidates: `user_id, item_id, source`, a row for each source that brought the pair; further columns are
    ignored, and so are candidates of users without truth. Truth and recommendations: as for `evaluate`.
    `sources` is the order in which they are added, without it that of their first row; one named there that
    brought nothing has a row of zeros, one that is not named raises `ConfigError`.
    """
    metric = Metric("map", k)
    true = read_truth(truth)
    rows = read_candidates(candidates)
    order = _order(rows, sources)
    lists = None if recommendations is None else read_lists(recommendations, "recommendations")
    pairs = _pairs(rows, true, order, None if lists is None else places(lists, true, k))
    hits = pairs.filter(pl.col("hit"))
    hits_U = np.bincount(hits["row"].to_numpy(), minlength=len(true.users))
    reached = shown = None
    if lists is not None:
        judged, _ = hits_of(lists, true, k, "recommendations")
        reached, shown = (float(each.of_hits(judged).mean()) for each in (metric, Metric("recall", k)))
    perfect = Hits(np.arange(k) < hits_U[:, None], np.minimum(hits_U, k), true.sizes)
    return Anatomy(
        sources=_by_source(pairs, true, order),
        overlaps=_overlaps(pairs, order),
        users=len(true.users),
        candidates=pairs.height / len(true.users),
        recall=float((hits_U / true.sizes).mean()),
        metric=metric,
        ceiling=float(metric.of_hits(perfect).mean()),
        reached=reached,
        shown=shown,
    )


def _order(rows: pl.DataFrame, sources: Sequence[str] | None) -> list[str]:
    found = rows["source"].unique(maintain_order=True).to_list()
    order = list(dict.fromkeys(found if sources is None else sources))
    for source in found:
        if source not in order:
            raise ConfigError(
                f"the candidates have a source {source!r} that sources= does not name{nearest(source, order)}"
            )
    if len(order) > _MOST_SOURCES:
        raise DataError(f"the candidates come from {len(order)} sources, and at most {_MOST_SOURCES} can be told apart")
    return order


def _pairs(rows: pl.DataFrame, truth: Truth, order: list[str], shown: pl.DataFrame | None) -> pl.DataFrame:
    """Each candidate pair of a judged user once: row (of the user), sources (bit n is source n), hit, shown.

    `shown` says whether the pair is among the `places` of the lists; null without lists.
    """
    if rows.is_empty():
        return pl.DataFrame(schema={"row": pl.Int64, "sources": pl.Int64, "hit": pl.Boolean, "shown": pl.Boolean})
    user_type = common_type(rows["user_id"].dtype, truth.users.dtype, "user_id", "the candidates")
    item_type = common_type(rows["item_id"].dtype, truth.items.dtype, "item_id", "the candidates")
    users = pl.DataFrame({"user_id": truth.users.cast(user_type), "row": np.arange(len(truth.users))})
    true = pl.DataFrame(
        {
            "row": np.repeat(users["row"].to_numpy(), truth.sizes),
            "item_id": truth.items.cast(item_type),
            "hit": True,
        }
    )
    bits = {source: 1 << n for n, source in enumerate(order)}
    pairs = (
        rows.with_columns(
            pl.col("user_id").cast(user_type),
            pl.col("item_id").cast(item_type),
            pl.col("source").replace_strict(bits, return_dtype=pl.Int64),
        )
        .join(users, on="user_id")
        .group_by("row", "item_id")
        .agg(pl.col("source").sum().alias("sources"), pl.len().alias("times"))
    )
    # Adding up a bit twice carries it over, so only a sum of different bits has as many bits as it has terms.
    twice = pairs.filter(pl.col("times") != pl.col("sources").bitwise_count_ones())
    if twice.height:
        row, item = twice.row(0)[:2]
        raise DataError(
            f"a source brings item {item!r} to user {truth.users[row]!r} twice: keep one row for each pair and source"
        )
    pairs = pairs.join(true, on=["row", "item_id"], how="left").with_columns(pl.col("hit").fill_null(value=False))
    if shown is None:
        return pairs.select("row", "sources", "hit", shown=pl.lit(None, pl.Boolean))
    listed = shown.select("row", pl.col("item_id").cast(item_type), shown=True)
    pairs = pairs.join(listed, on=["row", "item_id"], how="left")
    return pairs.select("row", "sources", "hit", pl.col("shown").fill_null(value=False))


def _by_source(pairs: pl.DataFrame, truth: Truth, order: list[str]) -> pl.DataFrame:
    users = len(truth.users)
    weights = pl.DataFrame({"row": np.arange(users), "weight": 1.0 / (users * truth.sizes)})
    sets = (
        pairs.join(weights, on="row")
        .group_by("sources")
        .agg(
            count=pl.len(),
            recall=pl.col("weight").filter("hit").sum(),
            hits=pl.col("hit").sum(),
            shown=pl.col("shown").filter("hit").sum(),
        )
        .sort("sources")
    )
    masks, count, recall, hits, shown = (sets[n].to_numpy() for n in ("sources", "count", "recall", "hits", "shown"))
    listed = pairs["shown"].null_count() == 0 and pairs.height > 0
    rows = []
    for n, source in enumerate(order):
        its = (masks >> n) & 1 == 1
        first = its & (masks & ((1 << n) - 1) == 0)
        alone = masks == 1 << n
        brought = int(count[its].sum())
        overlap = 1.0 - int(count[alone].sum()) / brought if brought else None
        true_ones = int(hits[its].sum())
        kept = int(shown[its].sum()) / true_ones if listed and true_ones else None
        rows.append((source, brought / users, *(float(recall[of].sum()) for of in (its, first, alone)), overlap, kept))
    numbers = ("candidates", "recall", "added", "lost", "overlap", "kept")
    return pl.DataFrame(rows, schema={"source": pl.String, **dict.fromkeys(numbers, pl.Float64)}, orient="row")


def _overlaps(pairs: pl.DataFrame, order: list[str]) -> pl.DataFrame:
    sets = pairs.group_by("sources").len()
    masks, count = sets["sources"].to_numpy(), sets["len"].to_numpy()
    rows = []
    for n, source in enumerate(order):
        for m, other in enumerate(order):
            its = (masks >> n) & 1 == 1
            if n != m and count[its].sum():
                rows.append((source, other, float(count[its & ((masks >> m) & 1 == 1)].sum() / count[its].sum())))
    return pl.DataFrame(rows, schema={"source": pl.String, "other": pl.String, "share": pl.Float64}, orient="row")
