"""Run: a stored directory read back, with what was fitted, what it answered, and how that was judged.

Of a pipeline the contents of the directory (`store`) are itself, the lists that it gave to the users of the test part
(`recommendations.parquet`), what these users truly took (`truth.parquet`), the baselines' lists, the figures
(`evaluation.json`, `anatomy.json`, `slices.json`), what else a report shows (`profile.json`, `importances.json`,
`cut.json`, `examples.json`), the same to read (`summary.txt`) and the recipe (`recipe.toml`). Of a regression they are
itself, every judged pair (`predictions.parquet`), the numbers that it learnt from (`said.parquet`), the figures, and
what was learnt (`inside.json`). Of a tabular regression it is the same, and the rows that were judged (`rows.parquet`);
of each target the figures and what was learnt. The manifest says what it was made of: settings, data, versions, seconds
and memory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from shortlist import pipeline, regression, store
from shortlist.config import parse
from shortlist.errors import StoreError
from shortlist.pipeline import FittedPipeline
from shortlist.regression import FittedRegression
from shortlist.settings import Settings
from shortlist.tabular import stored as tabular
from shortlist.tabular.regression import FittedTabularRegression


@dataclass(frozen=True)
class Run:
    """A stored run: where it is, and what its manifest said when it was opened."""

    path: Path
    manifest: Mapping[str, Any]

    @cached_property
    def settings(self) -> Settings:
        """What the run was made from."""
        return parse(Settings, self.manifest["settings"], where=str(self.path))

    @property
    def makes_lists(self) -> bool:
        """Whether a pipeline was fitted; else it was a regression."""
        return "pipeline" in self.manifest

    @property
    def of_rows(self) -> bool:
        """Whether it was a regression of rows."""
        return "tabular" in self.manifest

    @cached_property
    def pipeline(self) -> FittedPipeline:
        """The fitted pipeline. A run of a regression raises `StoreError`."""
        return pipeline.load(self.path)

    @cached_property
    def regression(self) -> FittedRegression:
        """The fitted regression. A run of a pipeline raises `StoreError`."""
        return regression.read(self.path, self.manifest)

    @cached_property
    def tabular(self) -> FittedTabularRegression:
        """The fitted tabular regression. A run of anything else raises `StoreError`."""
        found = tabular.read(self.path, self.manifest)
        if not isinstance(found, FittedTabularRegression):
            raise StoreError(f"{str(self.path)!r} holds a {type(found).__name__}, which is no run")
        return found

    @property
    def judged(self) -> bool:
        """Whether a part of the data was kept back to judge on."""
        return bool(self.manifest["judged"])

    @property
    def truth(self) -> pl.DataFrame:
        """What the users of the test part took: `user_id`, `item_id`. A run that was not judged raises `StoreError`."""
        return self._frame("truth")

    @property
    def recommendations(self) -> pl.DataFrame:
        """The lists that were judged, in the columns of `FittedPipeline.recommend`."""
        return self._frame("recommendations")

    @property
    def predictions(self) -> pl.DataFrame:
        """Every judged pair: `user_id`, `item_id`, `truth`, `prediction`, and with intervals `low`, `high`; of rows
        `target` and `row`, its place among `rows`, in place of the ids.
        """
        return self._frame("predictions")

    @property
    def said(self) -> pl.DataFrame:
        """The numbers that a regression learnt from: `rating`, and how many there are of it, `count`; of rows those of
        the targets, a column each.
        """
        return self._frame("said")

    @property
    def rows(self) -> pl.DataFrame:
        """The rows that were judged, in the columns of the recipe."""
        return self._frame("rows")

    @property
    def inside(self) -> dict[str, Any] | None:
        """What a regression learnt, to be looked at: see `looked_into` of `judged_numbers` and `judged_rows`; None of a
        pipeline.
        """
        stored = self._stored("inside")
        return None if stored is None else dict(stored)

    @property
    def baselines(self) -> dict[str, pl.DataFrame]:
        """The lists that the pipeline was compared with, by name."""
        return {name: self._frame(f"baselines/{name}") for name in self.manifest["baselines"]}

    @property
    def items(self) -> pl.DataFrame:
        """What is known of the items, stored where a metric needs it: `item_id` and its columns."""
        return self._frame("items")

    @property
    def evaluation(self) -> dict[str, Any]:
        """The figures: `Evaluation.to_dict`."""
        return dict(json.loads(self._text("evaluation.json")))

    @property
    def anatomy(self) -> dict[str, Any]:
        """What each source of candidates brought: `Anatomy.to_dict`."""
        return dict(json.loads(self._text("anatomy.json")))

    @property
    def slices(self) -> list[dict[str, Any]] | None:
        """The figures of groups of users; None in a run that was not judged, or that is older than they are."""
        return self._rows("slices")

    @property
    def profile(self) -> dict[str, Any] | None:
        """What the events that were learnt from look like: `Profile.to_dict`; None in an older run."""
        stored = self._stored("profile")
        return None if stored is None else dict(stored)

    @property
    def importances(self) -> list[dict[str, Any]] | None:
        """What each feature gained: `feature`, `share`; None without a ranker, and in an older run."""
        return self._rows("importances")

    @property
    def reranker(self) -> dict[str, Any] | None:
        """What reading the best again is worth (`told`, `losses`); None without a reranker, and in an older run."""
        stored = self._stored("reranker")
        return None if stored is None else dict(stored)

    @property
    def cut(self) -> dict[str, Any] | None:
        """Where lists end: see `judged_lists`; None without a cut, and in an older run."""
        stored = self._stored("cut")
        return None if stored is None else dict(stored)

    @property
    def examples(self) -> list[dict[str, Any]] | None:
        """Some users with history and list: see `examples`; None in a run that was not judged, or that is older."""
        return self._rows("examples")

    @property
    def summary(self) -> str:
        """What was read, what came of it, and what it took, to be read."""
        return self._text("summary.txt")

    def to_dict(self) -> dict[str, Any]:
        """Where it is, its manifest and its figures, ready for JSON."""
        told = {
            k: v
            for k, v in self.manifest.items()
            if k not in {"format", "contents", "pipeline", "regression", "tabular"}
        }
        figures = {"evaluation": self.evaluation} if self.judged else {}
        figures |= {"anatomy": self.anatomy} if self.judged and self.makes_lists else {}
        return {"path": str(self.path), **told, **figures}

    def _frame(self, name: str) -> pl.DataFrame:
        file = self._file(f"{name}.parquet")
        try:
            return pl.read_parquet(file)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StoreError(f"{str(file)!r} is damaged: {error}; fit the run again") from None

    def _rows(self, name: str) -> list[dict[str, Any]] | None:
        stored = self._stored(name)
        return None if stored is None else list(stored)

    def _stored(self, name: str) -> Any | None:
        file = self.path / str(self.manifest["contents"]) / f"{name}.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def _text(self, name: str) -> str:
        return self._file(name).read_text(encoding="utf-8")

    def _file(self, name: str) -> Path:
        file = self.path / str(self.manifest["contents"]) / name
        if not self.judged and name != "summary.txt":
            raise StoreError(
                f"{str(self.path)!r} was fitted without [split], so nothing was judged; add one and fit again"
            )
        if not file.exists():
            raise StoreError(f"{str(self.path)!r} is damaged: {name} is missing; fit the run again")
        return file


def write_figures(contents: Path, name: str, figures: Any) -> None:
    """Writes figures of a run beneath its `contents`, to be read as `name`."""
    (contents / f"{name}.json").write_text(
        json.dumps(figures, indent=1, ensure_ascii=False, default=str), encoding="utf-8"
    )


def open_run(path: str | Path) -> Run:
    """The run stored at `path`. What is no stored run raises `StoreError`."""
    manifest = store.manifest(path)
    if "settings" not in manifest:
        raise StoreError(f"{str(path)!r} holds a pipeline that was saved alone; `shortlist fit` makes a run to judge")
    return Run(Path(path), manifest)
