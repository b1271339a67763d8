"""Lessons: what the ranker learns from, and what lists that it has not learnt from look like in its scores.

A dataset is parted into what is known and what then came, more than once: by past horizons, or by users who are held
out in turn. Candidates are made of what is known, and labelled by what came.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from pydantic import Field

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.folds import Tree, k_fold
from shortlist.errors import ConfigError
from shortlist.moments import microseconds, written
from shortlist.ranking.ranker import LambdaMART
from shortlist.seeds import Seeds


class Folds(Config):
    """The ranker learns from users who are held out in turn, in place of past horizons."""

    k: int = Field(5, ge=2, le=50)
    """Parts of the users; each is held out once, and its candidates come from what the others did."""
    by: str | Tree = "user"
    """What stays together: as `k_fold` has it; Tree() are whole trees of users."""


@dataclass(frozen=True)
class Part:
    """What is `known` and what then `came`; `number` tells parts apart, `said` is what progress calls it."""

    number: int
    said: str
    known: Dataset
    came: Dataset


@dataclass(frozen=True)
class Lesson:
    """What a ranker learns from (`list`, `hit`, the features), and the whole lists where they are judged too (`judged`,
    with `user` and `item`); `wanted` says how many hits each `list` wants (`wanted`), found or not.
    """

    learnt: pl.DataFrame
    judged: pl.DataFrame | None
    wanted: pl.DataFrame

    @classmethod
    def of(
        cls, rows: pl.DataFrame, hits: pl.DataFrame, part: Part, share: float, seeds: Seeds, *, judged: bool
    ) -> "Lesson":
        """Of candidates (`user`, `item`, the features) the lists that have a hit: all their hits, a share of misses."""
        rows = rows.join(hits.with_columns(hit=1), on=["user", "item"], how="left", maintain_order="left")
        of = (pl.col("user").cast(pl.Int64) + (part.number << 32)).alias("list")
        rows = rows.with_columns(pl.col("hit").fill_null(0), of)
        drawn = pl.Series(seeds.generator(f"negatives {part.number}").random(rows.height) < share)
        found = pl.col("hit").max().over("user") == 1
        learnt = rows.filter(found & ((pl.col("hit") == 1) | drawn)).drop("user", "item")
        whole = rows if judged else None
        return cls(learnt, whole, hits.select(of).group_by("list").agg(wanted=pl.len()))


def by_horizon(data: Dataset, horizon: str, slices: int) -> Iterator[Part]:
    """What was known at the start of each past horizon, and what came in it; the oldest first."""
    length = microseconds(horizon)
    for age in range(slices, 0, -1):
        start = data.as_of - age * length
        said = f"candidates and features as of {written(start)}"
        yield Part(age, said, data.before(start), data.between(start, start + length))


def by_fold(data: Dataset, folds: Folds, seed: int) -> Iterator[Part]:
    """What all others did, and what the users of each fold did of whom then nothing is known."""
    for number, fold in enumerate(k_fold(data, folds.k, folds.by, seed, keep_items=True), 1):
        said = f"candidates and features of users held out, {number} of {folds.k}"
        yield Part(number, said, fold.train, fold.test)


def out_of_fold(ranker: LambdaMART, lessons: list[Lesson], seeds: Seeds) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every lesson's lists (`list`, `user`, `item`, `hit`, `score`; `part` is the place of the lesson) in the scores of
    a ranker that learnt from the others alone, and how many hits each wants.
    """
    scored = []
    for place, lesson in enumerate(lessons):
        others = [other.learnt for at, other in enumerate(lessons) if at != place]
        if lesson.judged is None or not others:
            raise ConfigError("what follows a ranker is learnt from lists that it does not know: it takes 2 slices")
        scores = ranker.fit(pl.concat(others), seeds=seeds).score(lesson.judged)
        told = lesson.judged.select(pl.lit(place).alias("part"), "list", "user", "item", "hit")
        scored.append(told.with_columns(score=pl.Series(scores)))
    return pl.concat(scored), pl.concat([lesson.wanted for lesson in lessons])
