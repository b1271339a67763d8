"""Experiment: read, split, fit, judge, and store it all as one run. What is judged is what is stored."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from shortlist import store
from shortlist.account import account_of, peak_memory_mb, told, versions
from shortlist.config import to_toml
from shortlist.dataset import split as splits
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import Split
from shortlist.evaluation.anatomy import Anatomy, anatomy
from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.evaluate import evaluate as judge
from shortlist.models.popular import Popular
from shortlist.models.repurchase import Repurchase
from shortlist.pipeline import USERS_AT_ONCE, FittedPipeline, Pipeline
from shortlist.progress import step
from shortlist.ranking.candidates import by_source
from shortlist.run import Run, open_run
from shortlist.seeds import Seeds
from shortlist.settings import AtRandom, ByTime, ByUser, LastN, Settings
from shortlist.tables.engine import Engine

BASELINES = {
    "popular": Pipeline(retrievers=(Popular(),)),
    "repurchase": Pipeline(retrievers=(Repurchase(),), filter_seen=False),
}
"""What anything must beat, by the name it has in tables of figures."""
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
    with (
        store.replacing(path) as (contents, manifest),
        Engine.open(settings.data.engine, memory=settings.data.memory) as engine,
    ):
        with step("read the tables"):
            data = read(settings, engine)
            split = split_of(settings, data)
            manifest |= {"data": {"fingerprint": data.fingerprint(), "tables": account_of(data)}}
        with step("fit the pipeline"):
            pipeline = settings.pipeline.fit(data if split is None else split.train, seed=settings.seed)
        said = told(manifest["data"])
        if split is not None:
            said += _judged(settings, split, pipeline, contents)
        else:
            said += "\n\nThere is no [split]: everything was learnt from, and nothing judged."
        with step("store the run"):
            manifest["pipeline"] = store.write(contents / "pipeline", pipeline)
            (contents / "recipe.toml").write_text(to_toml(settings), encoding="utf-8")
            manifest |= {
                "judged": split is not None,
                "baselines": list(BASELINES),
                "seed": settings.seed,
                "settings": settings.model_dump(mode="json"),
                "versions": versions(),
                "seconds": round(time.perf_counter() - started, 2),
                "peak_memory_mb": peak_memory_mb(),
            }
            took = f"{manifest['seconds']:.1f} s, {manifest['peak_memory_mb'] or 'unknown'} MB at the peak"
            (contents / "report.txt").write_text(f"{said}\n\n{took}; stored in {path}\n", encoding="utf-8")
    return open_run(path)


def evaluate(run: Run) -> Evaluation:
    """The stored pipeline's lists, asked for and judged again: the figures must be those that the run holds."""
    lists = run.pipeline.recommend(_users(run.truth), run.settings.k)
    return _evaluation(run.settings, run.pipeline, lists, run.truth, run.baselines)


def baselines(split: Split, *, k: int = 12) -> dict[str, pl.DataFrame]:
    """The lists that anything must beat, for the users of the test part: `popular` and `repurchase`.

    What most users took lately, without what a user had where repeats are rare; and what the user took most and most
    recently. Both know the train part alone.
    """
    users = _users(split.test.pairs())
    lists = {}
    for name, recipe in BASELINES.items():
        with step(f"baseline {name}"):
            enough = recipe.model_copy(update={"candidates": max(k, recipe.candidates)})
            lists[name] = enough.fit(split.train).recommend(users, k)
    return lists


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
        case AtRandom(share=share):
            return splits.at_random(data, share=share, seed=settings.seed)


def _judged(settings: Settings, split: Split, pipeline: FittedPipeline, contents: Path) -> str:
    """Judges the pipeline on the test part, writes lists and figures under `contents`, and gives the report."""
    truth = split.test.pairs()
    with step("recommend"):
        lists = pipeline.recommend(_users(truth), settings.k)
    against = baselines(split, k=settings.k)
    found = _evaluation(settings, pipeline, lists, truth, against)
    with step("dissect the candidates"):
        dissected = _anatomy(settings, pipeline, lists, truth)
    (contents / "baselines").mkdir()
    frames = {"truth": truth, "recommendations": lists} | {f"baselines/{name}": against[name] for name in against}
    for file, frame in frames.items():
        frame.write_parquet(contents / f"{file}.parquet")
    for file, figures in {"evaluation": found.to_dict(), "anatomy": dissected.to_dict()}.items():
        (contents / f"{file}.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return f"\n\ncandidates of {dissected.users:,} users, by source\n{dissected}\n\n{found}"


def _evaluation(
    settings: Settings,
    pipeline: FittedPipeline,
    lists: pl.DataFrame,
    truth: pl.DataFrame,
    against: Mapping[str, pl.DataFrame],
) -> Evaluation:
    with step("judge"):
        return judge(
            lists,
            truth,
            settings.metrics,
            against=against,
            catalogue=len(pipeline.item_ids),
            seed=settings.seed,
            name=PIPELINE,
        )


def _anatomy(settings: Settings, pipeline: FittedPipeline, lists: pl.DataFrame, truth: pl.DataFrame) -> Anatomy:
    users = _users(truth)
    if len(users) > USERS_DISSECTED:
        drawn = Seeds(settings.seed).generator("anatomy").permutation(len(users))[:USERS_DISSECTED]
        users = users.gather(pl.Series(drawn).sort())
    numbers = pipeline.user_ids.numbers(users)
    retrieving = replace(pipeline, features=None, ranker=None)  # who brought what needs no features
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


def _users(truth: pl.DataFrame) -> pl.Series:
    return truth["user_id"].unique(maintain_order=True)
