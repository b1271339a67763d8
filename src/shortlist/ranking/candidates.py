"""Candidates: what the retrievers brought, each pair once, with who brought it, at which rank and with which score."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import polars as pl

from shortlist.models.retrieval import Request, Retriever, best

FUSION_OFFSET = 60
"""The constant of reciprocal-rank fusion, as published."""
VOTE = 10**12
"""The unit in which votes are added: a vote of one is so many."""


def gather(
    retrievers: Mapping[str, Retriever],
    request: Request,
    *,
    depth: int,
    votes: Mapping[str, float] = MappingProxyType({}),
    offset: int = FUSION_OFFSET,
) -> pl.DataFrame:
    """The union of what each retriever answers, at most `request.k` a user, the best fused first.

    Every retriever is asked for `depth` items. Columns: `user`, `item` (int32); `fused` (float32), `rank` (int32, from
    1); `rank_<source>` (int32) and `score_<source>` (float32) for each source, null where it did not bring the pair.

    fused = Σ over sources votes / (offset + rank), one vote where `votes` names no number: reciprocal-rank fusion
    (Cormack, Clarke, Büttcher, SIGIR 2009). Ties go to the smaller item.
    """
    brought = {name: retriever.retrieve(replace(request, k=depth)) for name, retriever in retrievers.items()}
    ballots = [
        # Whole numbers, so that no order of addition changes a bit and equal votes tie.
        answer.select(
            "user", "item", fused=(VOTE * votes.get(name, 1.0) / (offset + pl.col("rank"))).round().cast(pl.Int64)
        )
        for name, answer in brought.items()
    ]
    fused = pl.concat(ballots).group_by("user", "item").agg(pl.col("fused").sum())
    rows = best(fused.rename({"fused": "score"}), request).rename({"score": "fused"})
    for name, answer in brought.items():
        named = answer.select(
            "user",
            "item",
            pl.col("rank").alias(f"rank_{name}"),
            pl.col("score").cast(pl.Float32).alias(f"score_{name}"),
        )
        rows = rows.join(named, on=["user", "item"], how="left", maintain_order="left")
    return rows.with_columns((pl.col("fused") / VOTE).cast(pl.Float32))


def by_source(candidates: pl.DataFrame) -> pl.DataFrame:
    """The candidates with a row for each source that brought a pair: `user`, `item`, `source`, `rank`."""
    sources = [name.removeprefix("rank_") for name in candidates.columns if name.startswith("rank_")]
    return pl.concat(
        [
            candidates.filter(pl.col(f"rank_{name}").is_not_null()).select(
                "user", "item", source=pl.lit(name), rank=pl.col(f"rank_{name}")
            )
            for name in sources
        ]
    )


def first_source(candidates: pl.DataFrame) -> pl.Expr:
    """The name of the source that placed a pair best; of equal ones the first."""
    ranks = [name for name in candidates.columns if name.startswith("rank_")]
    lowest = pl.min_horizontal(*ranks)
    return pl.coalesce(pl.when(pl.col(name) == lowest).then(pl.lit(name.removeprefix("rank_"))) for name in ranks)
