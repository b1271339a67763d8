"""Pipeline: retrieve candidates cheaply, rank them carefully. This file is the flow, on one screen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt

from shortlist import models, store
from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.ids import IdMap
from shortlist.errors import ConfigError, StoreError
from shortlist.models import AnyRetriever, source_names
from shortlist.models.retrieval import Request, Retriever
from shortlist.moments import Duration, microseconds, written
from shortlist.progress import step
from shortlist.ranking.candidates import FUSION_OFFSET, first_source, gather
from shortlist.ranking.features import Features, FeatureTables
from shortlist.ranking.ranker import FittedLambdaMART, LambdaMART
from shortlist.seeds import Seeds
from shortlist.tables.frames import columns_of, ids_of

USERS_AT_ONCE = 2_000
"""Users whose candidates are held at one time."""
FEW_REPEATS = 0.05
"""Share of repeats under which people want what they have not had yet."""


class Pipeline(Config):
    """Recipe: retrievers, and a ranker that learns from past slices how their candidates turned out."""

    retrievers: tuple[AnyRetriever, ...] = Field(min_length=1)
    """Where candidates come from; among equals the first named counts."""
    ranker: LambdaMART | None = None
    """Learns the order of the candidates; without one, reciprocal-rank fusion orders them."""
    features: Features = Features()
    """What the ranker sees of a candidate."""
    candidates: int = Field(500, ge=1, le=10_000)
    """Candidates kept for each user: no list is longer."""
    horizon: Duration = "7d"
    """How far ahead the ranker learns to look."""
    slices: PositiveInt = 7
    """Past horizons that the ranker learns from, one before the other."""
    negatives: float = Field(0.1, gt=0, le=1)
    """Share of the misses that the ranker learns from, drawn at random; every hit stays."""
    filter_seen: bool | Literal["auto"] = "auto"
    """Whether items that a user had before are left out; auto: where under 5 % of the newest pairs are repeats."""

    def fit(self, data: Dataset, *, seed: int = 0) -> "FittedPipeline":
        """The fitted pipeline, as of the end of the data. The same seed gives the same bits on one machine."""
        seeds = Seeds(seed)
        recipe = _decided(self, data)
        ranker = None
        if self.ranker is not None:
            slices = [_slice(recipe, data, age, seeds) for age in range(self.slices, 0, -1)]
            with step("fit the ranker"):
                ranker = self.ranker.fit(pl.concat(slices), seeds=seeds)
        with step("fit the retrievers on everything"):
            return _as_of_the_end(recipe, data, ranker)


def _decided(recipe: Pipeline, data: Dataset) -> Pipeline:
    """The recipe with `filter_seen` settled: repeats are counted among the pairs of the newest horizon."""
    if recipe.filter_seen != "auto":
        return recipe
    start = data.as_of - microseconds(recipe.horizon)
    newest = data.between(start, data.as_of).events.select("user", "item").distinct()
    again = newest.semi_join(data.before(start).events, ["user", "item"])
    pairs, repeats = (data.engine.frame(table.count().as_table())[0, 0] for table in (newest, again))
    return recipe.model_copy(update={"filter_seen": repeats < FEW_REPEATS * pairs})


def _slice(recipe: Pipeline, data: Dataset, age: int, seeds: Seeds) -> pl.DataFrame:
    """What the ranker learns from one past horizon: candidates as of its start, labelled by what came in it."""
    length = microseconds(recipe.horizon)
    start = data.as_of - age * length
    with step(f"candidates and features as of {written(start)}"):
        came = data.engine.frame(data.between(start, start + length).events.select("user", "item").distinct())
        then = _as_of_the_end(recipe, data.before(start), ranker=None)
        rows = then.candidates(came["user"].unique().sort().to_numpy())
        rows = rows.join(came.with_columns(hit=1), on=["user", "item"], how="left", maintain_order="left")
        rows = rows.with_columns(pl.col("hit").fill_null(0), list=pl.col("user").cast(pl.Int64) + (age << 32))
        drawn = pl.Series(seeds.generator(f"negatives {age}").random(rows.height) < recipe.negatives)
        found = pl.col("hit").max().over("user") == 1
        return rows.filter(found & ((pl.col("hit") == 1) | drawn)).drop("user", "item")


def _as_of_the_end(recipe: Pipeline, data: Dataset, ranker: FittedLambdaMART | None) -> "FittedPipeline":
    """Retrievers and features that have seen all of `data`, behind a ranker that may have been learnt before."""
    names = source_names(recipe.retrievers)
    return FittedPipeline(
        recipe=recipe,
        user_ids=data.user_ids,
        item_ids=data.item_ids,
        retrievers={name: model.fit(data) for name, model in zip(names, recipe.retrievers, strict=True)},
        features=None if recipe.ranker is None else recipe.features.fit(data),
        ranker=ranker,
        seen=data.engine.frame(data.events.select("user", "item").distinct().order_by("user", "item")),
    )


@dataclass(frozen=True)
class FittedPipeline:
    """Everything that a list needs, as of one moment; no table of events is needed any more."""

    recipe: Pipeline
    user_ids: IdMap
    item_ids: IdMap
    retrievers: Mapping[str, Retriever]
    features: FeatureTables | None
    ranker: FittedLambdaMART | None
    seen: pl.DataFrame

    def recommend(
        self,
        users: Any,
        k: int = 10,
        *,
        filter_seen: bool | None = None,
        exclude: Any = None,
        candidates: Iterable[Any] | None = None,
    ) -> pl.DataFrame:
        """The best `k` items for each user: `user_id`, `item_id` (the caller's), `rank` (from 1), `score`, `source`.

        `users` are ids, or a table with a column `user_id`; each is answered once, in the order given. `filter_seen`
        leaves out what the user had before (None: as was fitted), `exclude` (a table of `user_id`, `item_id`) pairs;
        `candidates` are the only items allowed; ids in these two that nobody knows change nothing. A user who is not
        known gets what the retrievers have for strangers; where they have nothing, and where nothing is left, the list
        is shorter than `k` or empty. `source` is the retriever that placed the item best.
        """
        if not 1 <= k <= self.recipe.candidates:
            raise ConfigError(f"k={k}: a list has 1 to {self.recipe.candidates} items, as many as there are candidates")
        asked = ids_of(users, "user_id").unique(maintain_order=True)
        asked = asked.cast(self.user_ids.ids.dtype) if asked.dtype == pl.Null else asked
        numbers = self.user_ids.numbers(asked)
        # Strangers get numbers beyond all that are known, so that each keeps a list of their own.
        strangers = numbers < 0
        numbers[strangers] = len(self.user_ids) + np.arange(strangers.sum(), dtype=np.int32)
        barred = None if exclude is None else self._pairs(exclude, asked, numbers)
        allowed = None if candidates is None else self.item_ids.numbers(candidates)
        answers = []
        for start in range(0, len(numbers), USERS_AT_ONCE):
            block = numbers[start : start + USERS_AT_ONCE]
            answers.append(self._ranked(block, k, filter_seen=filter_seen, exclude=barred, allowed=allowed))
        order = pl.DataFrame({"user": numbers, "user_id": asked})
        lists = pl.concat(answers) if answers else _NO_ROWS
        lists = order.join(lists, on="user", maintain_order="left_right")
        return lists.select(
            "user_id", self.item_ids.originals(lists["item"]).alias("item_id"), "rank", "score", "source"
        )

    def candidates(
        self,
        users: np.ndarray,
        *,
        filter_seen: bool | None = None,
        exclude: pl.DataFrame | None = None,
        allowed: np.ndarray | None = None,
    ) -> pl.DataFrame:
        """What the ranker is shown for dense `users`: `gather`'s columns, and the features where there is a ranker."""
        request = Request(users, self.recipe.candidates, exclude, allowed)
        if self.recipe.filter_seen if filter_seen is None else filter_seen:
            seen = self.seen.join(request.user_frame, on="user", how="semi")
            request = replace(request, exclude=seen if exclude is None else pl.concat([seen, exclude]).unique())
        votes = {name: model.votes for name, model in zip(self.retrievers, self.recipe.retrievers, strict=True)}
        # Where the fusion is the answer its top counts; where a ranker follows, what is left out at the bottom.
        offset = FUSION_OFFSET if self.recipe.ranker is None else self.recipe.candidates
        rows = gather(self.retrievers, request, depth=self.recipe.candidates, votes=votes, offset=offset)
        return rows if self.features is None else self.features.of(rows)

    def _ranked(self, users: np.ndarray, k: int, **limits: Any) -> pl.DataFrame:
        rows = self.candidates(users, **limits)
        fused = pl.col("fused").cast(pl.Float64)
        rows = rows.with_columns(score=fused) if self.ranker is None else self.ranker.best(rows, k)
        return (
            rows.with_columns(source=first_source(rows))
            .sort(["user", "score", "rank"], descending=[False, True, False])
            .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user"))
            .filter(pl.col("rank") <= k)
            .select("user", "item", "rank", "score", "source")
        )

    def save(self, path: str | Path) -> None:
        """Stores the pipeline in a directory, in place of what was there; killed midway, that stays as it was."""
        with store.replacing(Path(path)) as (contents, manifest):
            manifest["pipeline"] = store.write(contents / "pipeline", self)

    def _pairs(self, pairs: Any, asked: pl.Series, numbers: np.ndarray) -> pl.DataFrame:
        """Pairs in the caller's ids as dense `user`, `item`, for those who were asked for."""
        frame = columns_of(pairs, ("user_id", "item_id"), "the pairs to exclude")
        places = IdMap(asked).numbers(frame["user_id"])
        items = self.item_ids.numbers(frame["item_id"])
        return pl.DataFrame({"user": numbers[places[places >= 0]], "item": items[places >= 0]}).unique()


def load(path: str | Path) -> FittedPipeline:
    """The pipeline stored in a directory by `save` or `shortlist fit`; it answers as the one that was stored did."""
    told = store.manifest(path)
    if "pipeline" not in told:
        raise StoreError(f"{str(path)!r} holds no pipeline: it was stored by something else")
    pipeline: FittedPipeline = store.read(Path(path) / told["contents"] / "pipeline", told["pipeline"], _KINDS)
    return pipeline


_KINDS: dict[str, type] = models.KINDS | {
    kind.__name__: kind
    for kind in (Pipeline, FittedPipeline, IdMap, Features, FeatureTables, LambdaMART, FittedLambdaMART)
}
_NO_ROWS = pl.DataFrame(
    schema={"user": pl.Int32, "item": pl.Int32, "rank": pl.Int32, "score": pl.Float64, "source": pl.String}
)
