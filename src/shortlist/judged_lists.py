"""Judged lists: what a fitted pipeline shows the users of the test part, judged, taken apart, and written down."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from shortlist.account import spent
from shortlist.dataset.split import Split
from shortlist.evaluation.anatomy import Anatomy, anatomy
from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.evaluate import evaluate as judge
from shortlist.evaluation.metrics import metrics_of
from shortlist.evaluation.predictions import bins_by_prediction
from shortlist.evaluation.slices import slices
from shortlist.examples import examples
from shortlist.pipeline import USERS_AT_ONCE, FittedPipeline
from shortlist.progress import step
from shortlist.ranking.candidates import by_source
from shortlist.ranking.cutting import FittedCut
from shortlist.run import Run, write_figures
from shortlist.seeds import Seeds
from shortlist.settings import Settings
from shortlist.yardsticks import baselines

PIPELINE = "pipeline"
"""What tables of figures call the fitted pipeline."""
USERS_DISSECTED = 5_000
"""Users whose candidates are told by source; of more, so many are drawn."""


def evaluate(run: Run) -> Evaluation:
    """The stored pipeline's lists, asked for and judged again: the figures must be those that the run holds."""
    lists = run.pipeline.recommend(_users(run.truth), run.settings.k)
    return judged_as(run, lists, run.baselines, name=PIPELINE)


def judged_as(run: Run, lists: pl.DataFrame, against: Mapping[str, pl.DataFrame], *, name: str) -> Evaluation:
    """Lists judged as those of a run were: on its truth, by its metrics, knowing what it knew."""
    items = run.items if _needs(run.settings, "items") else None
    return _evaluation(run.settings, run.pipeline, lists, run.truth, against, items, name)


def judged(settings: Settings, split: Split, pipeline: FittedPipeline, contents: Path, costs: dict[str, Any]) -> str:
    """Lists for the test part, judged; writes them and figures under `contents`, and gives the summary."""
    with step("recommend"), spent(costs, "recommend"):
        truth = split.test.pairs()
        lists = pipeline.recommend(_users(truth), settings.k)
    against = baselines(split, k=settings.k)
    items = split.train.engine.frame(split.train.items.drop("item")) if _needs(settings, "items") else None
    found = _evaluation(settings, pipeline, lists, truth, against, items)
    with step("judge groups"):
        accuracy = [metric for metric in metrics_of(settings.metrics) if metric.family.kind == "accuracy"]
        users = split.test.engine.frame(split.test.users.drop("user"))
        models = {PIPELINE: lists, **against}
        grouped = slices(models, truth, accuracy, history=split.train, users=users, seed=settings.seed)
    with step("dissect the candidates"):
        dissected = _anatomy(settings, pipeline, lists, truth)
    with step("show some users"):
        shown = examples(pipeline, split.train, lists, truth, seed=settings.seed)
    (contents / "baselines").mkdir()
    frames = {"truth": truth, "recommendations": lists} | {f"baselines/{name}": against[name] for name in against}
    frames |= {} if items is None else {"items": items}
    for file, frame in frames.items():
        frame.write_parquet(contents / f"{file}.parquet")
    write_figures(contents, "evaluation", found.to_dict())
    write_figures(contents, "slices", grouped.to_dicts())
    write_figures(contents, "anatomy", dissected.to_dict())
    write_figures(contents, "examples", shown)
    if pipeline.cut is not None:
        write_figures(contents, "cut", _how_lists_end(pipeline.cut, lists, truth))
    after = "".join(f"\n\n{what}" for what in (pipeline.reranker, pipeline.cut) if what is not None)
    return f"\n\ncandidates of {dissected.users:,} users, by source\n{dissected}{after}\n\n{found}"


def _evaluation(
    settings: Settings,
    pipeline: FittedPipeline,
    lists: pl.DataFrame,
    truth: pl.DataFrame,
    against: Mapping[str, pl.DataFrame],
    items: pl.DataFrame | None,
    name: str = PIPELINE,
) -> Evaluation:
    with step("judge"):
        return judge(
            lists,
            truth,
            settings.metrics,
            against=against,
            catalogue=len(pipeline.item_ids),
            history=_history(pipeline) if _needs(settings, "history") else None,
            items=items,
            seed=settings.seed,
            name=name,
        )


def _anatomy(settings: Settings, pipeline: FittedPipeline, lists: pl.DataFrame, truth: pl.DataFrame) -> Anatomy:
    users = _users(truth)
    if len(users) > USERS_DISSECTED:
        drawn = Seeds(settings.seed).generator("anatomy").permutation(len(users))[:USERS_DISSECTED]
        users = users.gather(pl.Series(drawn).sort())
    numbers = pipeline.user_ids.numbers(users)
    # Who brought what needs no features; one retriever alone may have been asked for more than the candidates.
    deep = pipeline.recipe.model_copy(update={"candidates": max(settings.k, pipeline.recipe.candidates)})
    retrieving = replace(pipeline, recipe=deep, features=None, ranker=None, reranker=None, cut=None)
    blocks = []
    for start in range(0, len(numbers), USERS_AT_ONCE):
        rows = by_source(retrieving.candidates(numbers[start : start + USERS_AT_ONCE]))
        blocks.append(
            rows.select(
                pipeline.user_ids.originals(rows["user"]).alias("user_id"),
                pipeline.item_ids.originals(rows["item"]).alias("item_id"),
                "source",
            )
        )
    return anatomy(
        pl.concat(blocks),
        truth.filter(pl.col("user_id").is_in(users.implode())),
        k=settings.k,
        recommendations=lists.filter(pl.col("user_id").is_in(users.implode())),
        sources=tuple(pipeline.retrievers),
    )


def _how_lists_end(cut: FittedCut, lists: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Any]:
    """The rule, what each rule reached, how long lists are, and whether chances come to what they say."""
    rows = lists.join(truth.unique().with_columns(hit=1.0), on=["user_id", "item_id"], how="left")
    both = rows.select(prediction="score", truth=pl.col("hit").fill_null(0.0))
    lengths = lists.group_by("user_id").len("items").group_by("items").len("lists").sort("items")
    return {
        "told": str(cut),
        "beta": cut.recipe.beta,
        "rules": [{"rule": rule, "f_beta": value, "taken": rule == cut.recipe.rule} for rule, value in cut.at.items()],
        "lengths": lengths.to_dicts(),
        "calibration": bins_by_prediction(both).to_dicts() if both.height else [],
    }


def _needs(settings: Settings, what: str) -> bool:
    return any(metric.family.needs == what for metric in metrics_of(settings.metrics))


def _history(pipeline: FittedPipeline) -> pl.DataFrame:
    """Who had what before the test, in the caller's ids: what the pipeline has seen."""
    seen = pipeline.seen
    return pl.DataFrame(
        {"user_id": pipeline.user_ids.originals(seen["user"]), "item_id": pipeline.item_ids.originals(seen["item"])}
    )


def _users(truth: pl.DataFrame) -> pl.Series:
    return truth["user_id"].unique(maintain_order=True)
