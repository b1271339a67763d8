"""Pipeline: retrieve candidates cheaply, rank them carefully. This file is the flow, from the fit to the lists."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Discriminator, Field, PositiveInt, Tag, model_validator

from shortlist import models, store
from shortlist.audience import audience, check_folding, rows_of
from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.ids import IdMap
from shortlist.errors import ConfigError, StoreError
from shortlist.models import AnyRetriever, source_names
from shortlist.models.retrieval import Request, Retriever
from shortlist.moments import Duration, microseconds
from shortlist.progress import reached, step
from shortlist.ranking.candidates import FUSION_OFFSET, first_source, gather
from shortlist.ranking.cross_encoder import BothTexts, CrossEncoder, FittedCrossEncoder
from shortlist.ranking.cutting import Cut, FittedCut
from shortlist.ranking.features import Features, FeatureTables
from shortlist.ranking.lessons import Folds, Lesson, by_fold, by_horizon, out_of_fold
from shortlist.ranking.match_features import FittedMatchFeatures, MatchFeatures
from shortlist.ranking.pair_encoders import FittedTermPairs, FittedTokenPairs
from shortlist.ranking.ranker import FittedLambdaMART, LambdaMART
from shortlist.seeds import Seeds
from shortlist.similar import similar
from shortlist.tables.frames import columns_of
from shortlist.tables.write import write_frames

USERS_AT_ONCE = 2_000
"""Users who are answered at one time, at most."""
ROWS_AT_ONCE = 400_000
"""Candidates or rows of lists that are held at one time, about: the longer they are, the fewer users at once."""
FEW_REPEATS = 0.05
"""Share of repeats under which people want what they have not had yet."""


def _kind_of_features(given: Any) -> str:
    """Which features are meant: those of events where no kind is named."""
    kind = given.get("kind", "events") if isinstance(given, Mapping) else getattr(given, "kind", "events")
    return str(kind)


AnyFeatures = Annotated[
    Annotated[Features, Tag("events")] | Annotated[MatchFeatures, Tag("match")], Discriminator(_kind_of_features)
]
"""What the ranker may see."""


class Pipeline(Config):
    """Recipe: retrievers, and a ranker that learns from past slices how their candidates turned out."""

    retrievers: tuple[AnyRetriever, ...] = Field(min_length=1)
    """Where candidates come from; among equals the first named counts."""
    ranker: LambdaMART | None = None
    """Learns the order of the candidates; without one, reciprocal-rank fusion orders them."""
    features: AnyFeatures = Features()
    """What the ranker sees of a candidate: events in time, or pairs of texts."""
    candidates: int = Field(500, ge=1, le=10_000)
    """Candidates kept for each user: no list is longer, but that of one retriever without a ranker."""
    horizon: Duration = "7d"
    """How far ahead the ranker learns to look."""
    slices: PositiveInt = 7
    """Past horizons that the ranker learns from, one before the other."""
    folds: Folds | None = None
    """Users held out in turn, for the ranker to learn what strangers want; none: it learns from past horizons."""
    reranker: CrossEncoder | None = None
    """Reads the texts of the best of each list again; none: the ranker's order stays. It needs a ranker."""
    cut: Cut | None = None
    """Where lists end; none: they are as long as is asked for. It needs a ranker."""
    negatives: float = Field(0.1, gt=0, le=1)
    """Share of the misses that the ranker learns from, drawn at random; every hit stays."""
    filter_seen: bool | Literal["auto"] = "auto"
    """Whether items that a user had before are left out; auto: where under 5 % of the newest pairs are repeats."""

    @property
    def alone(self) -> bool:
        """Whether this is one retriever without a ranker: then its answers are the lists, in its scores."""
        return len(self.retrievers) == 1 and self.ranker is None

    @model_validator(mode="after")
    def _what_follows_a_ranker_has_one(self) -> "Pipeline":
        for name in ("reranker", "cut"):
            if getattr(self, name) is not None and self.ranker is None:
                raise ValueError(f"a {name} is fitted to what a ranker says of lists: name a ranker, or no {name}")
        return self

    @property
    def judges_lists(self) -> bool:
        """Whether something follows the ranker, which learns from lists that the ranker does not know."""
        return self.reranker is not None or self.cut is not None

    def fit(self, data: Dataset, *, seed: int = 0) -> "FittedPipeline":
        """The fitted pipeline, as of the end of the data. The same seed gives the same bits on one machine."""
        seeds = Seeds(seed)
        recipe = _decided(self, data)
        ranker = reranker = cut = None
        if self.reranker is not None:
            self.reranker.check(data)
        if self.ranker is not None:
            lessons = list(_learnt_from(recipe, data, seeds))
            with step("fit the ranker"):
                ranker = self.ranker.fit(pl.concat([lesson.learnt for lesson in lessons]), seeds=seeds)
            if self.judges_lists:
                with step("score lists that the ranker has not learnt from"):
                    scored, wanted = out_of_fold(self.ranker, lessons, seeds)
                if self.reranker is not None:
                    reranker, scored = self.reranker.fit(data, scored, seeds)
                if self.cut is not None:
                    with step("fit where lists end"):
                        cut = self.cut.fit(scored, wanted)
        with step("fit the retrievers on everything"):
            fitted = _as_of_the_end(recipe, data, ranker)
        return replace(fitted, reranker=reranker, cut=cut)


def _decided(recipe: Pipeline, data: Dataset) -> Pipeline:
    """The recipe with `filter_seen` settled: repeats are counted among the pairs of the newest horizon."""
    if recipe.filter_seen != "auto":
        return recipe
    start = data.as_of - microseconds(recipe.horizon)
    newest = data.between(start, data.as_of).events.select("user", "item").distinct()
    again = newest.semi_join(data.before(start).events, ["user", "item"])
    pairs, repeats = (data.engine.frame(table.count().as_table())[0, 0] for table in (newest, again))
    return recipe.model_copy(update={"filter_seen": repeats < FEW_REPEATS * pairs})


def _learnt_from(recipe: Pipeline, data: Dataset, seeds: Seeds) -> Iterator[Lesson]:
    """Candidates of what was known before, labelled by what came."""
    parts = (
        by_horizon(data, recipe.horizon, recipe.slices)
        if recipe.folds is None
        else by_fold(data, recipe.folds, seeds.number("folds"))
    )
    for part in parts:
        with step(part.said):
            hits = data.engine.frame(part.came.events.select("user", "item").distinct())
            then = _as_of_the_end(recipe, part.known, ranker=None)
            rows = then.candidates(hits["user"].unique().sort().to_numpy())
            yield Lesson.of(rows, hits, part, recipe.negatives, seeds, judged=recipe.judges_lists)


def _as_of_the_end(recipe: Pipeline, data: Dataset, ranker: FittedLambdaMART | None) -> "FittedPipeline":
    """Retrievers and features that have seen all of `data`, behind a ranker that may have been learnt before."""
    names = source_names(recipe.retrievers)
    retrievers = {name: model.fit(data) for name, model in zip(names, recipe.retrievers, strict=True)}
    return FittedPipeline(
        recipe=recipe,
        user_ids=data.user_ids,
        item_ids=data.item_ids,
        retrievers=retrievers,
        features=None if recipe.ranker is None else recipe.features.fit(data, retrievers),
        ranker=ranker,
        reranker=None,
        cut=None,
        seen=data.engine.frame(data.events.select("user", "item").distinct().order_by("user", "item")),
    )


@dataclass(frozen=True)
class FittedPipeline:
    """Everything that a list needs, as of one moment; no table of events is needed any more."""

    recipe: Pipeline
    user_ids: IdMap
    item_ids: IdMap
    retrievers: Mapping[str, Retriever]
    features: FeatureTables | FittedMatchFeatures | None
    ranker: FittedLambdaMART | None
    reranker: FittedCrossEncoder | None
    cut: FittedCut | None
    seen: pl.DataFrame

    def recommend(
        self,
        users: Any,
        k: int = 10,
        *,
        filter_seen: bool | None = None,
        exclude: Any = None,
        candidates: Iterable[Any] | None = None,
        events: Any = None,
    ) -> pl.DataFrame:
        """The best `k` items for each user: `user_id`, `item_id` (the caller's), `rank` (from 1), `score`, `source`.

        One retriever without a ranker answers with its own scores and any `k`; else `k` is no more than the candidates.
        `users` are ids, or a table with a column `user_id`; each is answered once, in the order given. `filter_seen`
        leaves out what the user had before (None: as the recipe says), `exclude` (`user_id`, `item_id`) pairs;
        `candidates` are the only items allowed; ids in these two that nobody knows change nothing. A user who is not
        known gets what the retrievers have for strangers; where they have nothing, and where nothing is left, the list
        is shorter than `k` or empty. `source` is the retriever that placed the item best.

        `events` (a table of `user_id`, `item_id`, and `weight` where there is one) is all that its users did, in place
        of what they had done when the pipeline was fitted; they need not be known. All others are answered as ever.
        Retrievers that cannot take it, and a ranker, raise `ConfigError`.
        """
        return pl.concat(self._lists(users, k, filter_seen, exclude, candidates, events))

    def write(
        self,
        path: str | Path,
        users: Any = None,
        k: int = 10,
        *,
        filter_seen: bool | None = None,
        exclude: Any = None,
        candidates: Iterable[Any] | None = None,
        events: Any = None,
    ) -> "Written":
        """Writes what `recommend` gives to a Parquet, CSV or JSONL file, some users at a time: memory stays bounded.

        None for `users` are all that are known. The file takes its place when it is whole.
        """
        rows = lists = 0

        def counted() -> Iterator[pl.DataFrame]:
            nonlocal rows, lists
            for block in self._lists(users, k, filter_seen, exclude, candidates, events):
                rows, lists = rows + block.height, lists + int((block["rank"] == 1).sum())
                yield block

        write_frames(counted(), Path(path))
        return Written(rows, lists)

    def candidates(self, users: np.ndarray) -> pl.DataFrame:
        """What the ranker is shown for dense `users`: `gather`'s columns, and the features where there is a ranker."""
        seen = rows_of(self.seen, users) if self.recipe.filter_seen else None
        return self._candidates(Request(users, self.recipe.candidates, seen))

    def similar_items(self, items: Any, k: int = 10) -> pl.DataFrame:
        """The `k` items most like each: `item_id`, `similar_id`, `rank` (from 1), `score`.

        They come from the first retriever that knows what is alike; without one, `ConfigError`. `items` are ids, or a
        table with a column `item_id`; each is answered once, in the order given; one that is not known has no rows.
        """
        return similar(self.retrievers, self.item_ids, items, k)

    def similar_users(self, users: Any, k: int = 10) -> pl.DataFrame:
        """The `k` users most like each: `user_id`, `similar_id`, `rank`, `score`; see `similar_items`."""
        return similar(self.retrievers, self.user_ids, users, k)

    def with_items(self, items: Any) -> "FittedPipeline":
        """The same where further items are known: a table of `item_id` and attributes, as that of the fit had them.

        Retrievers that know items by attributes (`Next`, `TextSearch`) score them at once, the others go on without
        them. Rows of items that are known already, and of an item that had a row before, change nothing.
        """
        told, item_ids = _later(items, self.item_ids)
        features = None if self.features is None else self.features.with_items(told, len(self.item_ids))
        reranker = None if self.reranker is None else self.reranker.with_items(told)
        retrievers = self._told("with_items", told)
        return replace(self, item_ids=item_ids, retrievers=retrievers, features=features, reranker=reranker)

    def with_users(self, users: Any) -> "FittedPipeline":
        """The same where further users are known, such as new topics: see `with_items`.

        Retrievers that know users by attributes (`TextSearch`) answer them; others hold them for strangers.
        """
        told, user_ids = _later(users, self.user_ids)
        features = None if self.features is None else self.features.with_users(told)
        reranker = None if self.reranker is None else self.reranker.with_users(told)
        retrievers = self._told("with_users", told)
        return replace(self, user_ids=user_ids, retrievers=retrievers, features=features, reranker=reranker)

    def _told(self, how: str, told: pl.DataFrame) -> dict[str, Retriever]:
        """The retrievers after they were told of later users or items, those that can be told."""
        return {
            name: getattr(model, how)(told) if hasattr(model, how) else model for name, model in self.retrievers.items()
        }

    def _lists(
        self, users: Any, k: int, filter_seen: bool | None, exclude: Any, candidates: Any, events: Any
    ) -> Iterator[pl.DataFrame]:
        """What `recommend` gives, block by block; there is one at least."""
        recipe = self.recipe
        if k < 1:
            raise ConfigError(f"k={k}: a list has one item at least")
        if k > recipe.candidates and not recipe.alone:
            raise ConfigError(f"k={k}: a list has 1 to {recipe.candidates} items, as many as there are candidates")
        if events is not None:
            check_folding(self.retrievers, ranker=self.ranker is not None)
        whom = audience(users, self.user_ids, self.item_ids, exclude, events)
        allowed = None if candidates is None else self.item_ids.numbers(candidates)
        allowed = None if allowed is None else np.unique(allowed[allowed >= 0])
        leave_out = recipe.filter_seen if filter_seen is None else filter_seen
        width = min(k, len(self.item_ids)) if recipe.alone else recipe.candidates
        done = 0
        for block in whom.blocks(max(1, min(USERS_AT_ONCE, ROWS_AT_ONCE // width))):
            barred = block.barred(self.seen if leave_out else None)
            lists = self._ranked(Request(block.users, width, barred, allowed, block.history), k)
            lists = block.frame.join(lists, on="user", maintain_order="left_right")
            item_id = self.item_ids.originals(lists["item"]).alias("item_id")
            yield lists.select("user_id", item_id, "rank", "score", "source")
            done += len(block.users)
            reached(f"{done:,} of {len(whom.users):,} users")

    def _ranked(self, request: Request, k: int) -> pl.DataFrame:
        """Lists of at most `k` for dense users: `user`, `item`, `rank`, `score`, `source`."""
        if not len(request.users):
            return _NO_ROWS
        if self.recipe.alone:
            ((name, model),) = self.retrievers.items()
            return model.retrieve(request).with_columns(source=pl.lit(name))
        rows = self._candidates(request)
        fused = pl.col("fused").cast(pl.Float64)
        rows = rows.with_columns(score=fused) if self.ranker is None else self.ranker.best(rows, k)
        if self.reranker is not None:
            rows = self.reranker.rescored(rows)
        if self.cut is not None:
            rows = rows.filter(self.cut.keeps(rows["user"], rows["score"]))
            rows = rows.with_columns(score=pl.Series(self.cut.probability(rows["score"].to_numpy())))
        return (
            rows.with_columns(source=first_source(rows))
            .sort(["user", "score", "rank"], descending=[False, True, False])
            .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user"))
            .filter(pl.col("rank") <= k)
            .select("user", "item", "rank", "score", "source")
        )

    def _candidates(self, request: Request) -> pl.DataFrame:
        votes = {name: model.votes for name, model in zip(self.retrievers, self.recipe.retrievers, strict=True)}
        # Where the fusion is the answer its top counts; where a ranker follows, what is left out at the bottom.
        offset = FUSION_OFFSET if self.recipe.ranker is None else self.recipe.candidates
        rows = gather(self.retrievers, request, depth=self.recipe.candidates, votes=votes, offset=offset)
        return rows if self.features is None else self.features.of(rows, self.retrievers)

    def save(self, path: str | Path) -> None:
        """Stores the pipeline in a directory, in place of what was there; killed midway, that stays as it was."""
        with store.replacing(Path(path)) as (contents, manifest):
            manifest["pipeline"] = store.write(contents / "pipeline", self)


def _later(given: Any, known: IdMap) -> tuple[pl.DataFrame, IdMap]:
    """The rows of a table whose ids are not known yet, each once, and the ids of all."""
    told = columns_of(given, (known.name,), f"the {known.name.removesuffix('_id')}s", rest=True)
    told = told.unique(known.name, maintain_order=True)
    told = told.filter(pl.Series(known.numbers(told[known.name])) < 0)
    told = told.with_columns(pl.col(known.name).cast(known.ids.dtype))
    return told, IdMap(pl.concat([known.ids, told[known.name]]))


@dataclass(frozen=True)
class Written:
    """What was written: `rows`, and how many `lists` they make; a user without a row has none."""

    rows: int
    lists: int


def load(path: str | Path) -> FittedPipeline:
    """The pipeline stored in a directory by `save` or `shortlist fit`; it answers as the one that was stored did."""
    told = store.manifest(path)
    if "pipeline" not in told:
        raise StoreError(f"{str(path)!r} holds no pipeline: it was stored by something else")
    pipeline: FittedPipeline = store.read(Path(path) / told["contents"] / "pipeline", told["pipeline"], _KINDS)
    return pipeline


_KINDS: dict[str, type] = models.KINDS | {
    kind.__name__: kind
    for kind in (
        *(Pipeline, FittedPipeline, IdMap, Features, FeatureTables, MatchFeatures, FittedMatchFeatures),
        *(LambdaMART, FittedLambdaMART, Cut, FittedCut),
        *(BothTexts, CrossEncoder, FittedCrossEncoder, FittedTermPairs, FittedTokenPairs),
    )
}
_NO_ROWS = pl.DataFrame(
    schema={"user": pl.Int32, "item": pl.Int32, "rank": pl.Int32, "score": pl.Float64, "source": pl.String}
)
