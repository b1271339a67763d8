"""Commands: what each command of the command line does, and what it answers.

Every function gives an `Answer`: a text to read and the same for machines. Messages on the way go to `say`.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from shortlist import demo as example
from shortlist import experiment, public_sets, store
from shortlist.comparison import METRICS as MODEL_METRICS
from shortlist.comparison import compare as comparison
from shortlist.comparison import compare_models as comparison_of_models
from shortlist.config import json_schema
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.ids import IdMap
from shortlist.errors import ConfigError
from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.metrics import FAMILIES, Family, family_of, metrics_of, of_numbers, written_form
from shortlist.evaluation.predictions import METRICS, PREDICTION, PredictionEvaluation, evaluate_predictions
from shortlist.evaluation.scoreboard import aligned
from shortlist.exchange import (
    attributes_of_users_in,
    events_in,
    ids_like,
    items_in,
    lists_in,
    pairs_in,
    table_in,
    users_in,
)
from shortlist.leaks import check as leaks
from shortlist.leaks.tables import split_of_tables
from shortlist.loading import load
from shortlist.pipeline import FittedPipeline, Written
from shortlist.progress import step
from shortlist.regression import FittedRegression
from shortlist.reporting.report import from_here
from shortlist.reporting.writing import report as write_report
from shortlist.reporting.writing import report_predictions as write_report_of_predictions
from shortlist.run import open_run
from shortlist.settings import Settings, changed, read_settings, rooted
from shortlist.tables.engine import Engine
from shortlist.tables.write import check_ending, write_frames
from shortlist.tabular.stored import TellsRows
from shortlist.targets import FittedTargets
from shortlist.trial import trial as one_trial
from shortlist.yardsticks import evaluate as judge

Say = Callable[[str], None]
"""Takes a message for the person at the terminal."""

_ROWS_SHOWN = 600
_PAIRS_AT_ONCE = 1_000_000
_LIST_METRICS = ("map@12", "ndcg@12", "recall@12", "hit_rate@12")


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    text: str
    data: Any


def demo(out: Path, at: str | None, overrides: Iterable[str]) -> Answer:
    """The run of the demo, its report, and what to try next."""
    chosen = overrides if at is None else [f"split.at={at}", *overrides]
    settings = changed(example.settings(str(out)), chosen)
    run = experiment.fit(rooted(settings, Path.cwd()))
    with step("write the report"):
        page = write_report(run)
    told = f"{run.summary}\n{example.what_now(str(out), from_here(page))}"
    return Answer(told, {**run.to_dict(), "report": str(page)})


def fit(config: Path, overrides: Iterable[str], out: Path | None) -> Answer:
    """The run that a file of settings describes, and its summary."""
    settings = read_settings(config, overrides)
    if out is not None:
        settings = settings.model_copy(update={"out": str(out)})
    run = experiment.fit(settings)
    return Answer(run.summary.rstrip("\n"), run.to_dict())


def evaluate_run(path: Path, say: Say) -> Answer:
    """The figures of the stored pipeline, measured again, and whether they are those that are stored."""
    run = open_run(path)
    found = experiment.evaluate(run)
    stored = run.evaluation
    same = all(stored[name] == figures for name, figures in found.to_dict().items())
    if same:
        say("the same figures as are stored in the run")
    else:
        made = run.manifest.get("versions")
        say(f"the figures differ from those stored in the run, which was made with {made}")
    return Answer(str(found), {**found.to_dict(), "same_as_stored": same})


def evaluate_file(
    file: Path,
    truth: Path,
    metrics: str | None,
    history: Path | None,
    items: Path | None,
    target: str | None,
    catalogue: int | None,
    seed: int,
) -> Answer:
    """The figures of anybody's lists or predictions, told apart by the metrics, or else by their columns."""
    names = [name for name in metrics.split(",") if name.strip()] if metrics is not None else None
    numbers = PREDICTION in table_in(file).columns if names is None else of_numbers(metrics_of(names))
    found: Evaluation | PredictionEvaluation
    if numbers:
        if (catalogue, items) != (None, None):
            raise ConfigError("--catalogue and --items go with lists: predictions show no items")
        found = _predictions(file, truth, names or METRICS, history, target, seed)
    else:
        if target is not None:
            raise ConfigError("--target goes with predictions: lists are true or not")
        with step("read the lists"):
            shown, true = lists_in(file), pairs_in(truth)
            known = None if items is None else table_in(items)
        chosen = names or list(_LIST_METRICS)
        with Engine.open() as engine:
            past = None if history is None else Dataset.read(str(history), engine=engine)
            found = judge(
                shown, true, chosen, history=past, items=known, catalogue=catalogue, seed=seed, name=file.name
            )
    return Answer(str(found), found.to_dict())


def report(path: Path, out: Path | None, form: str | None) -> Answer:
    """The report of a stored run in a file, and where that is."""
    with step("write the report"):
        return _written(path, write_report(path, out, format=form))


def report_predictions(file: Path, truth: Path, target: str | None, out: Path | None, form: str | None) -> Answer:
    """The report of anybody's predictions in a file, and where that is."""
    found = _predictions(file, truth, METRICS, None, target, seed=0)
    with step("write the report"):
        return _written(file, write_report_of_predictions(found, file, out, format=form))


def metrics(name: str | None) -> Answer:
    """All metrics, a line each, or one with its whole definition."""
    if name is not None:
        key, family = family_of(name)
        definition = inspect.cleandoc(family.function.__doc__ or "")
        return Answer(f"{key}\n\n{definition}", {"metric": key, "definition": definition})
    rows = [
        {"metric": written_form(key), "judges": family.kind, "needs": family.needs, "what": _first_line(family)}
        for key, family in FAMILIES.items()
    ]
    lines = [["metric", "judges", "what"], *([row["metric"], row["judges"], row["what"]] for row in rows)]
    return Answer(f"{aligned(lines)}\n\nThe whole definition of one: shortlist metrics ndcg", rows)


@dataclass(frozen=True)
class Told:
    """Files by which a run is told more than it knows: pairs never to show, events, items and users since the fit."""

    exclude: Path | None = None
    events: Path | None = None
    new_items: Path | None = None
    new_users: Path | None = None


def recommend(
    path: Path,
    users: str | None,
    users_file: Path | None,
    everyone: bool,
    k: int | None,
    filter_seen: bool | None,
    files: Told,
    out: Path | None,
    say: Say,
) -> Answer:
    """Lists in the run's own ids, written where `out` says: for the users asked for, else the new ones, else those of
    the events.
    """
    chosen = (users is not None) + (users_file is not None) + everyone
    if chosen > 1 or (chosen == 0 and files.events is None and files.new_users is None):
        raise ConfigError("say for whom: one of --users 1,2,3, --users-file users.csv and --all")
    if out is not None:
        check_ending(out)
    with step("load the pipeline"):
        pipeline = _pipeline(path)
    pipeline, later = _told(pipeline, files, say)
    known = pipeline.user_ids.ids
    events = None if files.events is None else _like(events_in(files.events), pipeline)
    asked = known
    if users is not None or users_file is not None:
        ids = users_in(users_file) if users_file is not None else _typed("--users", users, "user_id")
        asked = ids_like(ids, known).unique(maintain_order=True)
    elif not everyone and (later is not None or events is not None):
        asked = _asked(later, events, known)
    strangers = 0 if everyone else _strangers(asked, events, pipeline)
    if strangers:
        say(f"{strangers:,} of {len(asked):,} users are not known to the run: they get what it has for strangers")
    exclude = None if files.exclude is None else _like(pairs_in(files.exclude), pipeline, asked)
    limits: dict[str, Any] = {"filter_seen": filter_seen, "exclude": exclude, "events": events}
    with step(f"recommend to {len(asked):,} users"):
        if out is None:
            lists = pipeline.recommend(asked, _length(path, k), **limits)
            written = Written(lists.height, lists["user_id"].n_unique())
        else:
            written = pipeline.write(out, None if everyone else asked, _length(path, k), **limits)
    without = len(asked) - written.lists
    if without:
        say(f"{without:,} of {len(asked):,} users have an empty list: nothing was left for them")
    if out is None:
        return Answer(_aligned(lists), lists.to_dicts())
    data = {"out": str(out), "users": len(asked), "rows": written.rows, "empty": without}
    return Answer(f"{written.rows:,} rows for {len(asked):,} users in {out}", data)


def predict(path: Path, pairs: Path | None, user: str | None, items: str | None, out: Path | None, say: Say) -> Answer:
    """The number of each pair asked for, with its interval, in the run's own ids; written where `out` says."""
    if (pairs is None) == (user is None) or (user is None) != (items is None):
        raise ConfigError("say of which pairs: --pairs pairs.csv, or --user 1 --items 1,2,3")
    if out is not None:
        check_ending(out)
    with step("load the regression"):
        fitted = load(path)
    if isinstance(fitted, FittedPipeline):
        raise ConfigError(f"{str(path)!r} makes lists and tells no numbers: ask it with `shortlist recommend`")
    if isinstance(fitted, TellsRows):
        return _of_rows(fitted, pairs, out)
    one = fitted if isinstance(fitted, FittedRegression) else next(iter(fitted.regressions.values()))
    if pairs is not None:
        rows = pairs_in(pairs)
    else:
        typed = _typed("--items", items, "item_id")
        rows = pl.DataFrame([pl.Series("user_id", [user] * len(typed)), typed])
    rows = _like(rows, one)
    for ids in (one.user_ids, one.item_ids):
        unknown = int((ids.numbers(rows[ids.name]) < 0).sum())
        if unknown:
            say(f"{unknown:,} of {rows.height:,} pairs have a {ids.name} that the run does not know")
    with step(f"predict {rows.height:,} pairs"):
        if out is None:
            found = fitted.predict(rows)
            return Answer(_aligned(found), found.to_dicts())
        blocks = range(0, max(rows.height, 1), _PAIRS_AT_ONCE)
        write_frames((fitted.predict(rows[start : start + _PAIRS_AT_ONCE]) for start in blocks), out)
    return Answer(f"{rows.height:,} rows in {out}", {"out": str(out), "rows": rows.height})


def _of_rows(fitted: TellsRows, file: Path | None, out: Path | None) -> Answer:
    """The numbers of the rows of a file."""
    if file is None:
        raise ConfigError("this tells numbers of rows, not of users and items: name a table with --pairs rows.csv")
    with step("predict the rows"):
        found = fitted.predict(file)
    if out is None:
        return Answer(_aligned(found), found.to_dicts())
    write_frames([found], out)
    return Answer(f"{found.height:,} rows in {out}", {"out": str(out), "rows": found.height})


def similar(path: Path, items: str | None, users: str | None, k: int, out: Path | None, say: Say) -> Answer:
    """What is most like the items, or the users, asked for, written to `out` where it is given."""
    if (items is None) == (users is None):
        raise ConfigError("say to what: either --items 1,2,3 or --users 1,2,3")
    if out is not None:
        check_ending(out)
    with step("load what was fitted"):
        fitted = load(path)
    if isinstance(fitted, TellsRows):
        raise ConfigError(f"{str(path)!r} tells numbers of rows, and knows nothing of what is alike")
    if isinstance(fitted, FittedTargets):
        raise ConfigError(f"{str(path)!r} tells several numbers, and each knows what is alike: load it and ask one")
    if isinstance(fitted, FittedRegression) and items is None:
        raise ConfigError("a regression knows similar items, not users: ask with --items 1,2,3")
    known = fitted.user_ids if items is None else fitted.item_ids
    typed = _typed("--users", users, "user_id") if items is None else _typed("--items", items, "item_id")
    asked = ids_like(typed, known.ids).unique(maintain_order=True)
    unknown = int((known.numbers(asked) < 0).sum())
    if unknown:
        say(f"{unknown:,} of {len(asked):,} are not known to the run: nothing is like them")
    if isinstance(fitted, FittedPipeline) and items is None:
        found = fitted.similar_users(asked, k)
    else:
        found = fitted.similar_items(asked, k)
    if out is None:
        return Answer(_aligned(found), found.to_dicts())
    write_frames([found], out)
    return Answer(f"{found.height:,} rows in {out}", {"out": str(out), "rows": found.height})


def compare(paths: Iterable[Path]) -> Answer:
    """Runs and lists side by side."""
    found = comparison(paths)
    return Answer(str(found), found.to_dict())


def compare_models(
    events: Iterable[Path],
    models: Iterable[str],
    split: str | None,
    metrics: str | None,
    items: Path | None,
    users: Path | None,
    columns: str | None,
    seed: int,
) -> Answer:
    """Models side by side on a table, with their seconds and memory."""
    data: dict[str, Any] = {"events": [_absolute(path) for path in events]}
    data |= {name: _absolute(path) for name, path in (("items", items), ("users", users)) if path is not None}
    if columns is not None:
        data["columns"] = {"events": _pairs(columns)}
    found = comparison_of_models(
        [name for names in models for name in _parts(names)],
        data,
        split=split,
        metrics=MODEL_METRICS if metrics is None else _parts(metrics),
        seed=seed,
    )
    return Answer(str(found), found.to_dict())


def trial(config: Path, out: Path) -> Answer:
    """What one model took, its lists being written: a part of `compare_models`."""
    costs = one_trial(read_settings(config), out)
    return Answer("\n".join(f"{name}: {spent['seconds']:.2f} s" for name, spent in costs.items()), costs)


def check(
    target: Path,
    overrides: Iterable[str],
    column: str | None,
) -> Answer:
    """What the split that settings or a stored run describe gives away."""
    settings = read_settings(target, overrides)
    with Engine.open(settings.data.engine, memory=settings.data.memory) as engine:
        with step("read the tables"):
            split = experiment.split_of(settings, experiment.read(settings, engine))
        if split is None:
            raise ConfigError(
                f"{str(target)!r} has no [split], so nothing is held out that could leak: add one, such as "
                "--set split.kind=by_time --set split.test=7d"
            )
        found = leaks.check(split, target=column)
    return Answer(str(found), found.to_dict())


def check_tables(train: Path, test: Path, users: Path | None, items: Path | None, column: str | None) -> Answer:
    """What two tables of events give away, one to learn from and one to judge on."""
    with Engine.open() as engine:
        with step("read the tables"):
            split = split_of_tables(train, test, items=items, users=users, engine=engine)
        found = leaks.check(split, target=column)
    return Answer(str(found), found.to_dict())


def get_set(name: str, folder: Path, source: str | None) -> Answer:
    """Where the tables of a public set are, and what to try with them."""
    place = public_sets.get(name, folder, source)
    tables = {path.stem: str(path) for path in sorted(place.glob("*.parquet"))}
    told = "\n".join([f"{table:<7}{path}" for table, path in tables.items()])
    notice = public_sets.known(name).notice
    now = f"shortlist compare {from_here(place / 'events.parquet')} --models als,ease,popular"
    return Answer(f"{told}\n\n{notice}\n\nWhat now:\n  {now}", {"folder": str(place), **tables, "notice": notice})


def list_sets() -> Answer:
    """The public sets that there are."""
    rows = [
        {"name": s.name, "what": s.what, "address": s.address, "notice": s.notice} for s in public_sets.SETS.values()
    ]
    lines = [f"{row['name']}\n  {row['what']}\n  {row['address']}\n  {row['notice']}" for row in rows]
    return Answer("\n".join(lines), rows)


def schema() -> str:
    """The JSON Schema of `shortlist.toml`."""
    return json_schema(Settings)


def _predictions(
    file: Path, truth: Path, metrics: Iterable[str], history: Path | None, target: str | None, seed: int
) -> PredictionEvaluation:
    with step("read the predictions"):
        told, true = table_in(file), table_in(truth)
        train = None if history is None else table_in(history)
    return evaluate_predictions(told, true, metrics, target=target, train=train, seed=seed, name=file.name)


def _written(of: Path, page: Path) -> Answer:
    size = page.stat().st_size
    told = f"the report of {of} is in {from_here(page)} ({size / 1e6:.2f} MB)"
    return Answer(told, {"out": str(page), "bytes": size})


def _first_line(family: Family) -> str:
    return (family.function.__doc__ or "").strip().splitlines()[0]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pairs(text: str) -> dict[str, str]:
    """What `--columns` says: our name to theirs."""
    pairs = [part.partition("=") for part in _parts(text)]
    wrong = next((part for part in pairs if not all(part)), None)
    if wrong is not None:
        raise ConfigError(f"--columns {''.join(wrong)!r}: write ours=theirs, such as user_id=buyer,timestamp=day")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _absolute(path: Path) -> str:
    return str(path.expanduser().absolute())


def _typed(option: str, text: str | None, name: str) -> pl.Series:
    """The ids that were typed after an option, as text."""
    ids = _parts(text or "")
    if not ids:
        raise ConfigError(f"{option} {text!r} names nothing: write ids with commas between them, such as 1,2,3")
    return pl.Series(name, ids, dtype=pl.String)


def _pipeline(path: Path) -> FittedPipeline:
    """The pipeline at a path; what tells numbers is a `ConfigError`."""
    fitted = load(path)
    if not isinstance(fitted, FittedPipeline):
        raise ConfigError(f"{str(path)!r} tells numbers and makes no lists: ask it with `shortlist predict`")
    return fitted


def _told(pipeline: FittedPipeline, files: Told, say: Say) -> tuple[FittedPipeline, pl.DataFrame | None]:
    """The pipeline that knows what the files tell of later items and users, and these users."""
    if files.new_items is not None:
        pipeline = _knowing(pipeline, "items", items_in(files.new_items), say)
    if files.new_users is None:
        return pipeline, None
    later = attributes_of_users_in(files.new_users)
    return _knowing(pipeline, "users", later, say), later


def _asked(later: pl.DataFrame | None, events: pl.DataFrame | None, known: pl.Series) -> pl.Series:
    """Who is asked for where nobody is named: users that came later, else those of the events."""
    named = later if later is not None else events
    return known.clear() if named is None else ids_like(named["user_id"], known).unique(maintain_order=True)


def _knowing(pipeline: FittedPipeline, kind: Literal["items", "users"], told: pl.DataFrame, say: Say) -> FittedPipeline:
    """The pipeline that knows these items (or users) too; what they come to is said."""
    how, ids = f"with_{kind}", "item_ids" if kind == "items" else "user_ids"
    known = getattr(pipeline, ids)
    longer: FittedPipeline = getattr(pipeline, how)(told.with_columns(ids_like(told[known.name], known.ids)))
    new = len(getattr(longer, ids)) - len(known)
    unable = [name for name, model in pipeline.retrievers.items() if not hasattr(model, how)]
    if len(unable) == len(pipeline.retrievers):
        lost = "will not be found" if kind == "items" else "get what it has for strangers"
        say(f"no retriever of this run knows {kind} by their attributes ({', '.join(unable)}): they {lost}")
    say(f"{new:,} of {told.height:,} {kind} are new to the run")
    return longer


def _like(
    rows: pl.DataFrame, fitted: FittedPipeline | FittedRegression, users: pl.Series | None = None
) -> pl.DataFrame:
    """Rows of a file with their ids in the types of those that are known; users else in that of `users`."""
    users = fitted.user_ids.ids if users is None else users
    return rows.with_columns(ids_like(rows["user_id"], users), ids_like(rows["item_id"], fitted.item_ids.ids))


def _strangers(asked: pl.Series, events: pl.DataFrame | None, pipeline: FittedPipeline) -> int:
    """How many of those asked for neither the pipeline knows nor the events tell of."""
    unknown = asked.filter(pipeline.user_ids.numbers(asked) < 0)
    told = IdMap(unknown.clear() if events is None else events["user_id"].unique())
    return int((told.numbers(unknown) < 0).sum())


def _length(path: Path, k: int | None) -> int:
    """The length asked for, else that of the run's lists, else 10 for a pipeline that was saved alone."""
    if k is not None:
        return k
    manifest = store.manifest(path)
    return int(manifest.get("settings", {}).get("k", 10))


def _aligned(lists: pl.DataFrame) -> str:
    """The rows as aligned text, cut where nobody would read on."""
    shown = lists.head(_ROWS_SHOWN).with_columns(pl.col(pl.Float64).round(4)).iter_rows()
    rows = [lists.columns, *([str(value) for value in row] for row in shown)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    told = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    if lists.height > _ROWS_SHOWN:
        told.append(f"... and {lists.height - _ROWS_SHOWN:,} more rows: write them all with --out lists.parquet")
    return "\n".join(told)
