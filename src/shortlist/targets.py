"""Targets: several numbers of a pair at once, such as food, service and room, each by a regression of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from shortlist import store
from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, DataError, StoreError, nearest
from shortlist.progress import step
from shortlist.regression import KINDS, FittedRegression, Regression, kept_in_part


class Targets(Config):
    """Recipe: one regression, fitted to each of several columns of the events."""

    columns: tuple[str, ...] = Field(min_length=1)
    """The columns that are predicted; numbers. An event that lacks one says nothing of that one alone."""
    regression: Regression = Regression()
    """What each is learnt by. Bounds that are named hold for all."""

    def fit(self, data: Dataset, *, seed: int = 0) -> "FittedTargets":
        """Learn each column. One that the events lack raises `ColumnError`, one that is no number `DataError`."""
        fitted = {}
        kinds = data.events.schema()
        # A column that was taken for one of ours, such as rating for weight, is found by either name.
        ours = {theirs: ours for ours, theirs in data.sources["events"].matched.items()}
        for name in self.columns:
            column = ours.get(name, name)
            if column not in kinds:
                raise ColumnError(f"targets: the events have no column {name!r}{nearest(name, [*kinds, *ours])}")
            if not kinds[column].is_numeric():
                raise DataError(f"targets: {name!r} is of type {kinds[column]}; cast it to numbers")
            told = data.events.filter(data.events[column].notnull())
            of_name = replace(data, events=told.mutate(weight=told[column].cast("float64")))
            with step(f"fit {name}"):
                models = tuple(kept_in_part(model, name) for model in self.regression.models)
                alone = self.regression.model_copy(update={"models": models})
                fitted[name] = alone.fit(of_name, seed=seed)
        return FittedTargets(self, fitted)


@dataclass(frozen=True)
class FittedTargets:
    """A fitted regression for each target, by its column."""

    recipe: Targets
    regressions: Mapping[str, FittedRegression]

    def predict(self, rows: Any) -> pl.DataFrame:
        """`user_id`, `item_id`, and for each target `prediction_<target>`, and where known `low_` and `high_<target>`.

        In the order of `rows`; see `FittedRegression.predict`.
        """
        keys = ["user_id", "item_id"]
        told = {name: fitted.predict(rows) for name, fitted in self.regressions.items()}
        first = next(iter(told.values()))
        return first.select(keys).with_columns(
            column.alias(f"{column.name}_{name}") for name, found in told.items() for column in found.drop(keys)
        )

    def save(self, path: str | Path) -> None:
        """Stores it in a directory, in place of what was there; killed midway, that stays as it was."""
        with store.replacing(Path(path)) as (contents, manifest):
            manifest["targets"] = store.write(contents / "targets", self)


def read(path: Path, told: Mapping[str, Any]) -> FittedTargets:
    """The targets stored at `path`, whose manifest says `told`."""
    if "targets" not in told:
        raise StoreError(f"{str(path)!r} holds no targets: it was stored by something else")
    kinds = KINDS | {kind.__name__: kind for kind in (Targets, FittedTargets)}
    fitted: FittedTargets = store.read(path / told["contents"] / "targets", told["targets"], kinds)
    return fitted
