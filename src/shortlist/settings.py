"""Settings: what `shortlist.toml` says, from the tables to the directory of the run."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, ValidationInfo, field_validator, model_validator

from shortlist import store
from shortlist.config import Config, overridden, parse, read_toml
from shortlist.dataset.folds import Tree
from shortlist.errors import ConfigError
from shortlist.evaluation.metrics import metrics_of, of_numbers
from shortlist.evaluation.predictions import METRICS as METRICS_OF_NUMBERS
from shortlist.moments import Duration, moment
from shortlist.pipeline import Pipeline
from shortlist.regression import Regression
from shortlist.tabular.regression import TabularRegression

METRICS_OF_LISTS = ("map@12", "ndcg@12", "recall@12", "hit_rate@12", "coverage@12", "novelty@12")
"""What is measured of a pipeline where nothing is said."""

Files = str | tuple[str, ...]
"""A file, a pattern or a folder, or several of these."""


class Columns(Config):
    """What the columns are called where they do not bear a usual name: ours = "theirs"."""

    events: Mapping[str, str] = Field(default_factory=dict)
    """Such as { user_id = "buyer", timestamp = "day" }."""
    items: Mapping[str, str] = Field(default_factory=dict)
    """Such as { item_id = "ean" }."""
    users: Mapping[str, str] = Field(default_factory=dict)
    """Such as { user_id = "buyer" }."""


class Data(Config):
    """The tables: CSV, JSONL or Parquet. Relative paths start from the folder of the file that names them."""

    events: Files | None = None
    """Who met what, and when: for lists, and for numbers of pairs."""
    rows: Files | None = None
    """In place of events, rows of which each is told a number."""
    items: Files | None = None
    """What is known of the items; item_id, each once."""
    users: Files | None = None
    """What is known of the users; user_id, each once."""
    columns: Columns = Columns()
    """Columns that do not bear a usual name."""
    max_rejects: float = Field(0.05, ge=0, le=1)
    """Share of a table's rows that may break the rules; more are an error."""
    engine: str = "duckdb"
    """Where tables are computed: duckdb (in this process) or Spark, such as spark://host:7077."""
    memory: str = "4GB"
    """What the engine may use before it spills to disk."""


class ByTime(Config):
    """Learn from what came before a moment, judge on what follows it. The time of rows is that of their recipe."""

    kind: Literal["by_time"] = "by_time"
    test: Duration = "7d"
    """Length of the part to judge on."""
    at: str | int | None = None
    """Where that part starts: a date or a time, UTC; none is as late as the data allow."""

    @field_validator("at")
    @classmethod
    def _is_a_moment(cls, at: str | int | None) -> str | int | None:
        try:
            moment(0 if at is None else at)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return at


class LastN(Config):
    """Judge on the last events of each user."""

    kind: Literal["last_n"] = "last_n"
    n: PositiveInt = 1
    """Events of each user to judge on."""


class ByUser(Config):
    """Judge on users that are never learnt from."""

    kind: Literal["by_user"] = "by_user"
    share: float = Field(0.1, gt=0, lt=1)
    """Share of the users."""


class ByItem(Config):
    """Judge on items that are never learnt from."""

    kind: Literal["by_item"] = "by_item"
    share: float = Field(0.1, gt=0, lt=1)
    """Share of the items."""


class AtRandom(Config):
    """Judge on pairs, or rows, drawn at random, whenever they happened."""

    kind: Literal["at_random"] = "at_random"
    share: float = Field(0.2, gt=0, lt=1)
    """Share of the pairs, or rows."""


class ByColumn(Config):
    """Judge on the events, or rows, that hold a value in a column: a split that somebody published."""

    kind: Literal["by_column"] = "by_column"
    column: str
    """A column of the table, such as fold."""
    value: bool | int | str
    """What those to judge on hold there."""


class KFold(Config):
    """Judge on one of k parts whose users (or pairs, items, groups) stay together: on trees of topics, say."""

    kind: Literal["k_fold"] = "k_fold"
    k: int = Field(5, ge=2)
    """Parts of about equal numbers of events."""
    by: str | Tree = "user"
    """What stays together: pair, user, item, a column, or { parent = "parent_id", depth = 2 }: subtrees of users."""
    fold: PositiveInt = 1
    """Which of the parts, from 1."""
    keep_items: bool = False
    """Whether items that only users to judge on met stay candidates: see `k_fold`."""

    @model_validator(mode="after")
    def _the_fold_is_one_of_them(self) -> Self:
        if self.fold > self.k:
            raise ValueError(f"fold={self.fold} is none of {self.k}: name one from 1 to {self.k}")
        return self


AnySplit = Annotated[ByTime | LastN | ByUser | ByItem | AtRandom | ByColumn | KFold, Field(discriminator="kind")]
"""A way to keep something back to judge on."""


class Settings(Config):
    """All that makes a run."""

    data: Data
    """The tables."""
    split: (
        Annotated[ByTime | LastN | ByUser | ByItem | AtRandom | ByColumn | KFold, Field(discriminator="kind")] | None
    ) = None
    """What is kept back to judge on; without it, everything is learnt from and nothing judged."""
    pipeline: Pipeline | None = None
    """What is fitted, to answer which: lists."""
    regression: Regression | None = None
    """What is fitted in its place, to answer how much: numbers of users and items."""
    tabular: TabularRegression | None = None
    """What is fitted in place of both, to answer how much: numbers of rows."""
    metrics: tuple[str, ...] = Field((), validate_default=True)
    """What is measured, of lists at most `k` places deep; none named, METRICS_OF_LISTS or those of numbers, of rows the
    one first that they are learnt for."""
    k: PositiveInt = 12
    """Length of a list."""
    seed: int = 0
    """All that is drawn at random follows from it."""
    out: str = "runs/latest"
    """The directory of the run; what was stored there is replaced."""

    @field_validator("metrics")
    @classmethod
    def _some_metrics(cls, metrics: tuple[str, ...], others: ValidationInfo) -> tuple[str, ...]:
        if metrics:
            return metrics
        tabular = others.data.get("tabular")
        if tabular is not None:
            return tuple(dict.fromkeys([tabular.metric, *METRICS_OF_NUMBERS]))
        return METRICS_OF_LISTS if others.data.get("regression") is None else METRICS_OF_NUMBERS

    @model_validator(mode="after")
    def _one_thing_is_fitted_and_judged_by_its_metrics(self) -> Self:
        if sum(one is not None for one in (self.pipeline, self.regression, self.tabular)) != 1:
            raise ValueError(
                "say what is fitted: one of [pipeline], for lists, [regression], for numbers of pairs, and [tabular], "
                "for numbers of rows"
            )
        self._tables_are_there()
        try:
            chosen = metrics_of(self.metrics)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if self.pipeline is None:
            if not of_numbers(chosen):
                raise ValueError(f"{chosen[0]} judges lists, and a regression tells numbers: name metrics of numbers")
            return self
        if of_numbers(chosen):
            raise ValueError(f"{chosen[0]} judges predicted numbers, and a pipeline makes lists: name metrics of lists")
        for metric in chosen:
            if (metric.k or 0) > self.k:
                raise ValueError(f"{metric} looks at {metric.k} places, but lists are k={self.k} long; raise k")
        if self.k > self.pipeline.candidates and not self.pipeline.alone:
            raise ValueError(f"k={self.k} is more than the {self.pipeline.candidates} candidates of a user; lower k")
        return self

    def _tables_are_there(self) -> None:
        if self.tabular is None:
            if self.data.events is None or self.data.rows is not None:
                raise ValueError("name the events under [data], and no rows: these are for [tabular]")
            return
        others = {name for name in ("events", "items", "users") if getattr(self.data, name) is not None}
        if self.data.rows is None or others:
            raise ValueError(f"name the rows under [data], and nothing else{': ' if others else ''}{', '.join(others)}")
        if self.split is not None and not isinstance(self.split, ByTime | AtRandom | ByColumn):
            raise ValueError(f"{self.split.kind} splits events: rows are split at_random, by_time or by_column")
        if isinstance(self.split, ByTime) and self.tabular.columns.time is None:
            raise ValueError("by_time needs the column of time: name it under [tabular.columns]")

    @property
    def recipe(self) -> Pipeline | Regression:
        """What is fitted to events."""
        found = self.pipeline if self.pipeline is not None else self.regression
        if found is None:
            raise ConfigError("this is about events, and the settings have a [tabular], which tells numbers of rows")
        return found

    @property
    def recipe_of_lists(self) -> Pipeline:
        """The pipeline; `ConfigError` where a regression stands in its place."""
        if self.pipeline is None:
            raise ConfigError("this is about lists, and the settings have a recipe that tells numbers")
        return self.pipeline


def read_settings(path: str | Path, overrides: Iterable[str] = ()) -> Settings:
    """The settings in a TOML file, or those of the run stored in a directory, after `overrides` such as `"seed=3"`.

    Relative paths, also those in overrides, are relative to the folder of the file, and absolute in the answer.
    """
    path = Path(path)
    if path.is_dir():
        stored = store.manifest(path).get("settings", {})
        return rooted(parse(Settings, overridden(stored, overrides), where=repr(str(path))), path.absolute())
    return rooted(read_toml(Settings, path, overrides), path.absolute().parent)


def changed(settings: Settings, overrides: Iterable[str]) -> Settings:
    """The settings after `overrides` such as `"pipeline.ranker.rounds=200"`."""
    return parse(Settings, overridden(_values(settings), overrides))


def rooted(settings: Settings, folder: Path) -> Settings:
    """The settings with every relative path starting from `folder`."""

    def at(files: Files | None) -> Files | None:
        if files is None:
            return None
        return str(_under(folder, files)) if isinstance(files, str) else tuple(str(_under(folder, f)) for f in files)

    tables = {name: at(getattr(settings.data, name)) for name in ("events", "rows", "items", "users")}
    data = settings.data.model_copy(update=tables)
    return settings.model_copy(update={"data": data, "out": str(_under(folder, settings.out))})


def _under(folder: Path, path: str) -> Path:
    return folder / Path(path).expanduser()


def _values(settings: Settings) -> Mapping[str, Any]:
    values: dict[str, Any] = settings.model_dump(mode="json")
    return values
