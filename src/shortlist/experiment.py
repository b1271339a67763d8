"""Experiment: read, split, fit, judge, and store it all as one run. What is judged is what is stored."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from shortlist import store
from shortlist.account import account_of, peak_memory_mb, spent, told, versions
from shortlist.config import to_toml
from shortlist.dataset import split as splits
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.profile import profile
from shortlist.dataset.split import Split
from shortlist.evaluation.anatomy import Anatomy, anatomy
from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.evaluate import evaluate as judge
from shortlist.evaluation.metrics import metrics_of
from shortlist.evaluation.slices import slices
from shortlist.examples import examples
from shortlist.pipeline import USERS_AT_ONCE, FittedPipeline
from shortlist.progress import step
from shortlist.ranking.candidates import by_source
from shortlist.run import Run, open_run
from shortlist.seeds import Seeds
from shortlist.settings import AtRandom, ByItem, ByTime, ByUser, LastN, Settings
from shortlist.tables.engine import Engine
from shortlist.yardsticks import BASELINES, baselines

PIPELINE = "pipeline"
"""What tables of figures call the fitted pipeline."""
USERS_DISSECTED = 5_000
"""Users whose candidates are told by source; of more, so many are drawn."""


def fit(settings: Settings) -> Run:
    """The run that the settings describe, stored at `settings.out` in place of what stood there.

    Killed or failing at any moment, it leaves what stood there as it was.
    """
    started = time.perf_counter()
    path = Path(settings.out)
    costs: dict[str, Any] = {}
    with (
        store.replacing(path) as (contents, manifest),
        Engine.open(settings.data.engine, memory=settings.data.memory) as engine,
    ):
        with step("read the tables"), spent(costs, "read"):
            data = read(settings, engine)
            split = split_of(settings, data)
            manifest |= {"data": {"fingerprint": data.fingerprint(), "tables": account_of(data)}}
        with step("fit the pipeline"), spent(costs, "fit"):
            learnt = data if split is None else split.train
            pipeline = settings.pipeline.fit(learnt, seed=settings.seed)
        said = told(manifest["data"])
        if split is not None:
            with step("recommend"), spent(costs, "recommend"):
                truth = split.test.pairs()
                lists = pipeline.recommend(_users(truth), settings.k)
            said += _judged(settings, split, pipeline, lists, truth, contents)
        else:
            said += "\n\nThere is no [split]: everything was learnt from, and nothing judged."
        with step("describe the data"):
            _write(contents, "profile", profile(learnt).to_dict())
            if pipeline.ranker is not None:
                _write(contents, "importances", pipeline.ranker.importances().to_dicts())
        with step("store the run"):
            manifest["pipeline"] = store.write(contents / "pipeline", pipeline)
            (contents / "recipe.toml").write_text(to_toml(settings), encoding="utf-8")
            manifest |= {
                "judged": split is not None,
                "baselines": list(BASELINES),
                "seed": settings.seed,
                "settings": settings.model_dump(mode="json"),
                "versions": versions(),
                "costs": costs,
                "seconds": round(time.perf_counter() - started, 2),
                "peak_memory_mb": peak_memory_mb(),
            }
            took = f"{manifest['seconds']:.1f} s, {manifest['peak_memory_mb'] or 'unknown'} MB at the peak"
            (contents / "summary.txt").write_text(f"{said}\n\n{took}; stored in {path}\n", encoding="utf-8")
    return open_run(path)


def evaluate(run: Run) -> Evaluation:
    """The stored pipeline's lists, asked for and judged again: the figures must be those that the run holds."""
    lists = run.pipeline.recommend(_users(run.truth), run.settings.k)
    return judged_as(run, lists, run.baselines, name=PIPELINE)


def judged_as(run: Run, lists: pl.DataFrame, against: Mapping[str, pl.DataFrame], *, name: str) -> Evaluation:
    """Lists judged as those of a run were: on its truth, by its metrics, knowing what it knew."""
    items = run.items if _needs(run.settings, "items") else None
    return _evaluation(run.settings, run.pipeline, lists, run.truth, against, items, name)


def read(settings: Settings, engine: Engine) -> Dataset:
    """The dataset in the tables that the settings name."""
    data = settings.data
    return Dataset.read(
        events=data.events if isinstance(data.events, str) else list(data.events),
        items=list(data.items) if isinstance(data.items, tuple) else data.items,
        users=list(data.users) if isinstance(data.users, tuple) else data.users,
        engine=engine,
        columns=data.columns.model_dump(),
        max_rejects=data.max_rejects,
    )


def split_of(settings: Settings, data: Dataset) -> Split | None:
    """The split that the settings describe; None where they describe none."""
    match settings.split:
        case None:
            return None
        case ByTime(test=test, at=at):
            return splits.by_time(data, test=test, at=at)
        case LastN(n=n):
            return splits.last_n(data, n=n)
        case ByUser(share=share):
            return splits.by_user(data, share=share, seed=settings.seed)
        case ByItem(share=share):
            return splits.by_item(data, share=share, seed=settings.seed)
        case AtRandom(share=share):
            return splits.at_random(data, share=share, seed=settings.seed)


def _judged(
    settings: Settings,
    split: Split,
    pipeline: FittedPipeline,
    lists: pl.DataFrame,
    truth: pl.DataFrame,
    contents: Path,
) -> str:
    """Judges the pipeline's lists for the test part, writes them and figures under `contents`, gives the summary."""
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
    _write(contents, "evaluation", found.to_dict())
    _write(contents, "slices", grouped.to_dicts())
    _write(contents, "anatomy", dissected.to_dict())
    _write(contents, "examples", shown)
    return f"\n\ncandidates of {dissected.users:,} users, by source\n{dissected}\n\n{found}"


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
    retrieving = replace(pipeline, recipe=deep, features=None, ranker=None)
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


def _needs(settings: Settings, what: str) -> bool:
    return any(metric.family.needs == what for metric in metrics_of(settings.metrics))


def _history(pipeline: FittedPipeline) -> pl.DataFrame:
    """Who had what before the test, in the caller's ids: what the pipeline has seen."""
    seen = pipeline.seen
    return pl.DataFrame(
        {"user_id": pipeline.user_ids.originals(seen["user"]), "item_id": pipeline.item_ids.originals(seen["item"])}
    )


def _write(contents: Path, name: str, figures: Any) -> None:
    (contents / f"{name}.json").write_text(
        json.dumps(figures, indent=1, ensure_ascii=False, default=str), encoding="utf-8"
    )


def _users(truth: pl.DataFrame) -> pl.Series:
    return truth["user_id"].unique(maintain_order=True)
