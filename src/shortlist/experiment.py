"""Experiment: read, split, fit, judge, and store it all as one run. What is judged is what is stored."""

import time
from pathlib import Path
from typing import Any

from shortlist import judged_lists, judged_numbers, judged_rows, store
from shortlist.account import account_of, peak_memory_mb, spent, told, versions
from shortlist.config import to_toml
from shortlist.dataset import split as splits
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.folds import k_fold
from shortlist.dataset.profile import profile
from shortlist.dataset.split import Split
from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.predictions import PredictionEvaluation
from shortlist.pipeline import FittedPipeline
from shortlist.progress import step
from shortlist.regression import FittedRegression
from shortlist.run import Run, open_run, write_figures
from shortlist.settings import AtRandom, ByColumn, ByItem, ByTime, ByUser, KFold, LastN, Settings
from shortlist.tables.engine import Engine
from shortlist.yardsticks import BASELINES


def fit(settings: Settings) -> Run:
    """The run that the settings describe, stored at `settings.out` in place of what stood there.

    Killed or failing at any moment, it leaves what stood there as it was.
    """
    started = time.perf_counter()
    path = Path(settings.out)
    costs: dict[str, Any] = {}
    with store.replacing(path) as (contents, manifest):
        learn = _of_events if settings.tabular is None else _of_rows
        said = learn(settings, contents, manifest, costs)
        if settings.split is None:
            said += "\n\nThere is no [split]: everything was learnt from, and nothing judged."
        (contents / "recipe.toml").write_text(to_toml(settings), encoding="utf-8")
        manifest |= {
            "judged": settings.split is not None,
            "baselines": list(BASELINES) if "pipeline" in manifest else [],
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


def _of_events(settings: Settings, contents: Path, manifest: dict[str, Any], costs: dict[str, Any]) -> str:
    """Fits, judges and stores a pipeline or a regression; gives what there is to say."""
    recipe, name = settings.recipe, "pipeline" if settings.pipeline is not None else "regression"
    with Engine.open(settings.data.engine, memory=settings.data.memory) as engine:
        with step("read the tables"), spent(costs, "read"):
            data = read(settings, engine)
            split = split_of(settings, data)
            manifest |= {"data": {"fingerprint": data.fingerprint(), "tables": account_of(data)}}
        learnt = data if split is None else split.train
        with step(f"fit the {name}"), spent(costs, "fit"):
            fitted = recipe.fit(learnt, seed=settings.seed)
        said = told(manifest["data"])
        if split is not None and isinstance(fitted, FittedPipeline):
            said += judged_lists.judged(settings, split, fitted, contents, costs)
        elif split is not None and isinstance(fitted, FittedRegression):
            said += judged_numbers.judged(settings, split, fitted, contents, costs)
        with step("describe the data"):
            write_figures(contents, "profile", profile(learnt).to_dict())
            if isinstance(fitted, FittedRegression):
                write_figures(contents, "inside", judged_numbers.looked_into(fitted, learnt))
            elif fitted.ranker is not None:
                write_figures(contents, "importances", fitted.ranker.importances().to_dicts())
            if isinstance(fitted, FittedPipeline) and fitted.reranker is not None:
                write_figures(contents, "reranker", fitted.reranker.to_dict())
        with step("store the run"):
            manifest[name] = store.write(contents / name, fitted)
    return said


def _of_rows(settings: Settings, contents: Path, manifest: dict[str, Any], costs: dict[str, Any]) -> str:
    """The same of a tabular regression."""
    recipe = settings.tabular
    if recipe is None:
        raise AssertionError("there is a recipe: see `fit`")
    with step("read the rows"), spent(costs, "read"):
        parts = judged_rows.read(settings, recipe)
    manifest |= {"data": {"tables": {"rows": judged_rows.account_of(parts)}}}
    with step("fit the tabular regression"), spent(costs, "fit"):
        fitted = recipe.fit(parts.train, seed=settings.seed)
    said = told(manifest["data"])
    if parts.test is not None:
        said += judged_rows.judged(settings, parts, fitted, contents, costs)
    write_figures(contents, "inside", judged_rows.looked_into(fitted))
    with step("store the run"):
        manifest["tabular"] = store.write(contents / "tabular", fitted)
    return f"{said}\n\n{fitted}"


def evaluate(run: Run) -> Evaluation | PredictionEvaluation | judged_rows.RowsEvaluation:
    """What is stored, asked and judged again: the figures must be those that the run holds."""
    if run.of_rows:
        return judged_rows.evaluate(run)
    return judged_lists.evaluate(run) if run.makes_lists else judged_numbers.evaluate(run)


def read(settings: Settings, engine: Engine) -> Dataset:
    """The dataset in the tables that the settings name."""
    data = settings.data
    if data.events is None:
        raise AssertionError("there are events: see the validator of the settings")
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
        case ByColumn(column=column, value=value):
            return splits.by_column(data, column, value)
        case KFold(k=k, by=by, fold=fold, keep_items=keep_items):
            return k_fold(data, k, by, settings.seed, keep_items=keep_items)[fold - 1]
