"""Report: what a stored run has to say, gathered as plain data. Nothing is fitted, judged or drawn here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from shortlist.config import to_toml
from shortlist.reporting.finding import Finding, finding
from shortlist.run import Run


class Made(Protocol):
    """What every run says of how it was made."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def made(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def data(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def profile(self) -> dict[str, Any] | None: ...  # noqa: D102
    @property
    def recipe(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class NumbersReport:
    """What a run of a regression says of itself; the parts are those of `Report`."""

    path: str
    metric: str
    made: dict[str, Any]
    data: dict[str, Any]
    finding: Finding | None
    evaluation: dict[str, Any] | None
    inside: dict[str, Any]
    """What was learnt: see `judged_numbers.looked_into`."""
    profile: dict[str, Any] | None
    recipe: str

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain lists, dictionaries, numbers, text and None."""
        return asdict(self)


@dataclass(frozen=True)
class RowsReport:
    """What a run of a tabular regression says of itself; the parts are those of `Report`, of each target."""

    path: str
    metric: str
    made: dict[str, Any]
    data: dict[str, Any]
    findings: dict[str, Finding | None]
    evaluations: dict[str, dict[str, Any]]
    """Those of each target; none where nothing was judged."""
    inside: dict[str, dict[str, Any]]
    """What was learnt of each target: see `judged_rows.looked_into`."""
    profile: dict[str, Any] | None
    recipe: str

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain lists, dictionaries, numbers, text and None."""
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """What a run says of itself. A part that it does not hold (it is older, or was not judged) is None or empty."""

    path: str
    """Where the run is stored."""
    k: int
    """Length of a list."""
    metric: str
    """The metric that counts: the first that was asked for."""
    made: dict[str, Any]
    """`seed`, `seconds`, `peak_memory_mb`, `versions`."""
    data: dict[str, Any]
    """`tables`: rows, rejects by rule and matched columns of each; `fingerprint`."""
    finding: Finding | None
    evaluation: dict[str, Any] | None
    funnel: dict[str, float | None] | None
    """Shares of what the users truly took: `found` among the candidates, `shown` in the lists, `room` in them."""
    anatomy: dict[str, Any] | None
    slices: list[dict[str, Any]]
    importances: list[dict[str, Any]]
    reranker: dict[str, Any] | None
    """What reading the best of each list again is worth, of a pipeline that does."""
    cut: dict[str, Any] | None
    """Where lists end, of a pipeline that cuts them."""
    examples: list[dict[str, Any]]
    profile: dict[str, Any] | None
    recipe: str
    """The settings as TOML."""

    @property
    def model(self) -> str:
        """What the tables call the pipeline."""
        return str(self.evaluation["table"][0]["model"]) if self.evaluation else "pipeline"

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain lists, dictionaries, numbers, text and None."""
        return asdict(self)


def gather(run: Run) -> Report:
    """The report of a stored run. A run that is damaged raises `StoreError`."""
    evaluation = run.evaluation if run.judged else None
    dissected = run.anatomy if run.judged else None
    settings = run.settings
    return Report(
        path=from_here(run.path),
        k=settings.k,
        metric=settings.metrics[0],
        made=_made(run),
        data=dict(run.manifest["data"]),
        finding=finding(evaluation, settings.metrics[0], units=evaluation["users"]) if evaluation else None,
        evaluation=evaluation,
        funnel=_funnel(run, dissected) if dissected else None,
        anatomy=dissected,
        slices=run.slices or [],
        importances=run.importances or [],
        reranker=run.reranker,
        cut=run.cut,
        examples=run.examples or [],
        profile=run.profile,
        recipe=to_toml(settings),
    )


def gather_numbers(run: Run) -> NumbersReport:
    """The same of a run of a regression."""
    evaluation = run.evaluation if run.judged else None
    settings = run.settings
    metric = settings.metrics[0]
    return NumbersReport(
        path=from_here(run.path),
        metric=metric,
        made=_made(run),
        data=dict(run.manifest["data"]),
        finding=finding(evaluation, metric, units=evaluation["units"]) if evaluation else None,
        evaluation=evaluation,
        inside=run.inside or {},
        profile=run.profile,
        recipe=to_toml(settings),
    )


def gather_rows(run: Run) -> RowsReport:
    """The same of a run of a tabular regression."""
    evaluations: dict[str, dict[str, Any]] = run.evaluation["targets"] if run.judged else {}
    settings = run.settings
    metric = settings.metrics[0]
    return RowsReport(
        path=from_here(run.path),
        metric=metric,
        made=_made(run),
        data=dict(run.manifest["data"]),
        findings={name: finding(of, metric, units=of["units"], drawn="rows") for name, of in evaluations.items()},
        evaluations=evaluations,
        inside=(run.inside or {}).get("targets", {}),
        profile=None,
        recipe=to_toml(settings),
    )


def _made(run: Run) -> dict[str, Any]:
    return {name: run.manifest.get(name) for name in ("seed", "seconds", "peak_memory_mb", "versions")}


def from_here(path: Path) -> str:
    """The path from the current folder where it lies beneath, for that is what people type."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _funnel(run: Run, dissected: Mapping[str, Any]) -> dict[str, float | None]:
    """How much of what each user took was found, was shown, and has room in a list; means over users."""
    true = run.truth.group_by("user_id", maintain_order=True).agg(pl.col("item_id").n_unique())["item_id"]
    room = (true.clip(upper_bound=run.settings.k) / true).mean()
    return {"found": dissected["recall"], "shown": dissected.get("shown"), "room": room}
