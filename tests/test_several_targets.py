"""Targets: each column as a regression of its own would have it, and what cannot be."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist.cli import app

REGRESSION = sl.Regression(models=(sl.Bias(), sl.BayesianMF(factors=2, sweeps=12, burn_in=4)), folds=2)


def stays() -> pl.DataFrame:
    random = np.random.default_rng(0)
    rows = [
        (u, i, random.integers(1, 6), 10 * random.integers(0, 11) if random.random() < 0.7 else None)
        for u in range(15)
        for i in range(10)
        if random.random() < 0.6
    ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "food", "service"], orient="row")


def test_each_target_is_what_a_regression_of_it_alone_says(tmp_path: Path) -> None:
    events = stays()
    fitted = sl.Targets(columns=("food", "service"), regression=REGRESSION).fit(sl.Dataset.read(events))
    asked = pl.DataFrame({"user_id": [3, 99, 0, 3], "item_id": [1, 2, 77, 1]})
    found = fitted.predict(asked)
    names = [f"{what}_{target}" for target in ("food", "service") for what in ("prediction", "low", "high")]
    assert found.columns == ["user_id", "item_id", *names]
    assert found.select("user_id", "item_id").equals(asked)
    for target in ("food", "service"):
        alone = events.filter(pl.col(target).is_not_null()).select("user_id", "item_id", rating=target)
        # The same people and things, whoever rated what.
        known = {"items": events.select("item_id").unique(), "users": events.select("user_id").unique()}
        expected = REGRESSION.fit(sl.Dataset.read(alone, **known)).predict(asked)
        assert found[f"prediction_{target}"].equals(expected["prediction"], check_names=False)
    assert found["high_food"].max() <= 5 < found["prediction_service"].max()  # type: ignore[operator]
    fitted.save(tmp_path / "both")
    again = sl.load(tmp_path / "both")
    assert isinstance(again, sl.FittedTargets)
    assert again.predict(asked).equals(found)
    done = CliRunner().invoke(app, ["predict", str(tmp_path / "both"), "--user", "3", "--items", "1", "--json"])
    assert json.loads(done.stdout)[0]["prediction_food"] == pytest.approx(found["prediction_food"][0])
    done = CliRunner().invoke(app, ["similar", str(tmp_path / "both"), "--items", "1"])
    assert "tells several numbers" in done.stderr


def test_columns_that_are_not_there_or_no_numbers_are_told() -> None:
    data = sl.Dataset.read(stays().with_columns(mood=pl.lit("fine")))
    with pytest.raises(sl.ColumnError, match="no column 'foot'; did you mean 'food'"):
        sl.Targets(columns=("foot",)).fit(data)
    with pytest.raises(sl.DataError, match="'mood' is of type"):
        sl.Targets(columns=("mood",)).fit(data)
