"""Comparison: runs, recipes, anybody's lists, or plain models on a table, on one truth, beside the baselines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import polars as pl

from shortlist import experiment, judged_lists, yardsticks
from shortlist.config import Config, overridden, parse
from shortlist.errors import ConfigError, DataError, ShortlistError, nearest
from shortlist.evaluation.evaluate import Evaluation
from shortlist.evaluation.metrics import depth, metrics_of
from shortlist.evaluation.scoreboard import aligned, told_p
from shortlist.exchange import lists_in
from shortlist.models import AnyRetriever
from shortlist.progress import step
from shortlist.run import Run, open_run
from shortlist.settings import Settings, read_settings
from shortlist.tables.engine import Engine
from shortlist.trial import apart, tried

RECIPE = ".toml"
"""The ending of a file that is fitted before it is compared."""
METRICS = ("ndcg@10", "recall@10", "map@10", "coverage@10")
"""What models are judged by where nothing is said."""
K = 10
"""Length of their lists where no metric says one."""
_COSTS = {
    "model": pl.String,
    "fit_seconds": pl.Float64,
    "recommend_seconds": pl.Float64,
    "peak_memory_mb": pl.Int64,
    "read_memory_mb": pl.Int64,
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was measured. `str` is a table to read, `to_dict` is ready for JSON."""

    table: pl.DataFrame
    """A row for each model and metric: model, metric, value, low, high."""
    differences: pl.DataFrame
    """A row for each other model and metric, as `Scoreboard.differences`, turned: baseline is the first model."""
    users: int
    """Users judged."""
    costs: pl.DataFrame
    """A row for each model of which it is known: model; fit_seconds, recommend_seconds (all lists of the users judged);
    peak_memory_mb, the most that its process used until the lists were made, read_memory_mb until the tables were read.
    """
    split: str
    """The split that made the truth, as `--split` says it."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Models that could not be judged, and why."""

    def __str__(self) -> str:
        metrics = self.table["metric"].unique(maintain_order=True).to_list()
        costs = {row[0]: [_rounded(row[1]), _rounded(row[2]), str(row[3] or "")] for row in self.costs.iter_rows()}
        told = [f"{self.users:,} users judged, split {self.split}; 95 % intervals"]
        told.append(_side_by_side(self.table, "value", "", metrics, costs))
        if costs:
            read = min((mb for mb in self.costs["read_memory_mb"] if mb is not None), default="unknown")
            told.append(
                f"seconds of the fit and of all lists; peak MB of the process, {read} when the tables were read"
            )
        told.extend(f"{name} failed: {why}" for name, why in self.failed.items())
        told.append(f"paired difference to {self.table['model'][0]}; p after Holm's correction")
        told.append(_side_by_side(self.differences, "difference", "+", metrics))
        return "\n\n".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, dictionaries, numbers, text and None."""
        return {
            "users": self.users,
            "split": self.split,
            "table": self.table.to_dicts(),
            "differences": self.differences.to_dicts(),
            "costs": self.costs.to_dicts(),
            "failed": dict(self.failed),
        }


def compare(paths: Iterable[str | Path]) -> Comparison:
    """Runs, recipes (`.toml`, fitted first) and files of lists side by side, each with its difference to the first.

    The first must be a run or a recipe: all are judged on its truth and by its metrics, and its baselines stand beside
    them. Lists are `user_id`, `item_id`, `rank`. A difference is paired: that model minus the first, over the same
    users and draws. A run with another truth raises `DataError`; one whose lists are shorter than the metrics look, and
    a path that is named twice, raise `ConfigError`.
    """
    names = _named_once(paths, "a path")
    if _is_lists(names[0]):
        raise ConfigError(f"{names[0]!r} is a file: name a run first, for all are judged on the truth of the first")
    runs = {name: _run(name) for name in names if not _is_lists(name)}
    for name, run in runs.items():
        if not run.makes_lists:
            raise ConfigError(f"{name!r} tells numbers, and lists are compared: `shortlist evaluate {name}` judges it")
    first = runs[names[0]]
    truth = first.truth
    others = {name: _lists_of(runs[name], name, first, truth) if name in runs else lists_in(name) for name in names[1:]}
    others |= {name: lists for name, lists in first.baselines.items() if name not in names}
    found = judged_lists.judged_as(first, first.recommendations, others, name=names[0])
    costs = {name: run.manifest.get("costs", {}) for name, run in runs.items()}
    return _comparison(found, costs, _written(first.settings.model_dump(mode="json")["split"]))


def compare_models(
    models: Iterable[str],
    data: Mapping[str, Any],
    *,
    split: str | None = None,
    metrics: Iterable[str] = METRICS,
    seed: int = 0,
) -> Comparison:
    """Models fitted on one table with one split, each in a process of its own, with what that took.

    A model is the kind of a retriever, and after colons what differs from its defaults: `als:factors=128:seed=2`. So is
    a split: `last_n:n=2`. Without one, the last event of each user is judged on where the events have times, else a
    fifth of the pairs at random. `data` is the section `[data]` of the settings, with absolute paths. A model that
    fails is told in `failed`, and does not keep the others from being compared; where all fail, the error of the first
    is raised.
    """
    names = _named_once(models, "a model")
    chosen = list(metrics)
    common = {"data": data, "metrics": chosen, "k": depth(metrics_of(chosen)) or K, "seed": seed}
    recipes = {name: _recipe(name) for name in names}
    told = {} if split is None else {"split": _spelled(split)}
    any_of_them = _settings(recipes[names[0]], common | told)
    with Engine.open(any_of_them.data.engine, memory=any_of_them.data.memory) as engine:
        with step("read the tables"):
            whole = experiment.read(any_of_them, engine)
        if split is None:
            split = "last_n:n=1" if "timestamp" in whole.sources["events"].matched else "at_random:share=0.2"
        settings = {name: _settings(recipes[name], common | {"split": _spelled(split)}) for name in names}
        lists, costs, failed = _tried(settings)
        parts = experiment.split_of(settings[names[0]], whole)
        first, *others = lists
        found = yardsticks.evaluate(
            lists[first], parts, chosen, against={name: lists[name] for name in others}, seed=seed, name=first
        )
    return _comparison(found, costs, split, failed)


def _tried(settings: Mapping[str, Settings]) -> tuple[dict[str, pl.DataFrame], dict[str, Any], dict[str, str]]:
    """The lists and costs of each model, and why others have none."""
    lists: dict[str, pl.DataFrame] = {}
    costs: dict[str, Any] = {}
    failed: dict[str, ShortlistError] = {}
    for name, those in settings.items():
        with TemporaryDirectory(prefix="shortlist-") as folder, step(f"fit and ask {name}"):
            try:
                lists[name], costs[name] = tried(those, Path(folder))
            except ShortlistError as error:
                failed[name] = error
    if not lists:
        raise next(iter(failed.values()))
    return lists, costs, {name: str(error) for name, error in failed.items()}


def _recipe(model: str) -> Config:
    """The recipe of a model as it is spelled."""
    spelled = _spelled(model)
    recipes: tuple[type[Config], ...] = get_args(get_args(AnyRetriever)[0])
    kinds = {kind.model_fields["kind"].default: kind for kind in recipes}
    if spelled["kind"] not in kinds:
        raise ConfigError(f"there is no model {spelled['kind']!r}{nearest(spelled['kind'], kinds)}")
    return parse(kinds[spelled["kind"]], spelled, where=f"the model {model!r}")


def _settings(recipe: Config, rest: Mapping[str, Any]) -> Settings:
    return parse(Settings, {**rest, "pipeline": {"retrievers": [recipe.model_dump(mode="json")]}})


def _spelled(text: str) -> dict[str, Any]:
    """What a kind with changes after colons says, as a description: `als:factors=128` is kind als, factors 128."""
    kind, *changes = text.split(":")
    return overridden({"kind": kind.strip()}, changes)


def _written(described: Mapping[str, Any]) -> str:
    """The same the other way round."""
    rest = [f"{name}={value}" for name, value in described.items() if name != "kind" and value is not None]
    return ":".join([str(described["kind"]), *rest])


def _named_once(given: Iterable[Any], what: str) -> list[str]:
    names = [str(name) for name in given]
    if not names:
        raise ConfigError(f"there is nothing to compare: name {what}")
    if len(set(names)) < len(names):
        raise ConfigError(f"{what} is named twice: {', '.join(names)}")
    return names


def _comparison(
    found: Evaluation, costs: Mapping[str, Any], split: str, failed: Mapping[str, str] | None = None
) -> Comparison:
    # There, the first minus each other; here, each other minus the first.
    turned = found.differences.with_columns(
        pl.col("baseline").alias("model"),
        pl.col("model").alias("baseline"),
        difference=-pl.col("difference"),
        low=-pl.col("high"),
        high=-pl.col("low"),
    )
    rows = [
        {
            "model": name,
            "fit_seconds": spent["fit"]["seconds"],
            "recommend_seconds": spent["recommend"]["seconds"],
            "peak_memory_mb": spent["recommend"]["peak_memory_mb"],
            "read_memory_mb": spent["read"]["peak_memory_mb"],
        }
        for name, spent in costs.items()
        if spent
    ]
    table = pl.DataFrame(rows, schema=_COSTS)
    return Comparison(found.table, turned, found.users, table, split, failed or {})


def _is_lists(name: str) -> bool:
    return Path(name).is_file() and Path(name).suffix.lower() != RECIPE


def _run(name: str) -> Run:
    """The run that is stored there, or that the recipe there describes, fitted in a process of its own."""
    if not Path(name).is_file():
        return open_run(name)
    with step(f"fit {name}"):
        apart("fit", "--config", name)
    return open_run(read_settings(name).out)


def _lists_of(run: Run, name: str, first: Run, truth: pl.DataFrame) -> pl.DataFrame:
    order = ["user_id", "item_id"]
    theirs = run.truth
    if theirs.schema != truth.schema or not theirs.sort(order).equals(truth.sort(order)):
        raise DataError(
            f"{name!r} was judged on another truth ({_size(theirs)}) than {str(first.path)!r} ({_size(truth)}): "
            "fit both with the same data and [split]"
        )
    looked_at = depth(metrics_of(first.settings.metrics)) or first.settings.k
    if run.settings.k < looked_at:
        raise ConfigError(
            f"the lists of {name!r} are {run.settings.k} long, but {looked_at} places are looked at: "
            "fit with a larger k"
        )
    return run.recommendations


def _size(truth: pl.DataFrame) -> str:
    return f"{truth.height:,} pairs of {truth['user_id'].n_unique():,} users"


def _side_by_side(
    rows: pl.DataFrame,
    value: str,
    sign: str,
    metrics: list[str],
    costs: Mapping[str, list[str]] | None = None,
) -> str:
    """A line for each model, a column for each metric, and those of the costs where there are some, as aligned text."""
    lines = [["", *metrics, *(["fit s", "lists s", "peak MB"] if costs else [])]]
    for model in rows["model"].unique(maintain_order=True):
        cells = []
        for row in rows.filter(model=model).iter_rows(named=True):
            ends = "" if row["low"] is None else f" [{row['low']:{sign}.4f}, {row['high']:{sign}.4f}]"
            chance = "" if row.get("p_holm") is None else f" p {told_p(row['p_holm'])}"
            cells.append(f"{row[value]:{sign}.4f}{ends}{chance}")
        lines.append([model, *cells, *(costs.get(model, [""] * 3) if costs else [])])
    return aligned(lines)


def _rounded(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"
