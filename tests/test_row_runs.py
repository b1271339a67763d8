"""Runs that tell numbers of rows: fitted, judged, stored, asked again, shown, from the settings to the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.tabular.posts import posts
from typer.testing import CliRunner

import shortlist as sl
from shortlist import experiment
from shortlist.cli import app
from shortlist.config import parse
from shortlist.run import Run, open_run
from shortlist.settings import Settings

SLY = "</script><img src=x onerror=alert(1)>"
TABULAR: dict[str, Any] = {
    "targets": ["score", "comments"],
    "columns": {"texts": ["title"], "categories": ["subreddit"], "numbers": ["length"], "time": "when"},
    "metric": "rmsle",
    "trees": {"rounds": 40, "min_rows": 10, "learning_rate": 0.2},
    "text": {"bits": 14, "min_rows": 1},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Posts with a second number that some lack, and a sly name of a subreddit."""
    folder = tmp_path_factory.mktemp("posts")
    table = posts(2_000).with_columns(
        comments=pl.when(pl.col("length") > 5).then(pl.col("length") * 2),
        subreddit=pl.col("subreddit").replace("r3", SLY),
        fold=pl.Series(np.arange(2_000) % 4),
    )
    table.write_parquet(folder / "posts.parquet")
    table.write_csv(folder / "posts.csv")
    return folder


def settings(world: Path, out: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "data": {"rows": str(world / "posts.parquet")},
        "split": {"kind": "at_random"},
        "tabular": TABULAR,
        "out": str(out),
    }
    return parse(Settings, values | changes)


@pytest.fixture(scope="module")
def run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return experiment.fit(settings(world, tmp_path_factory.mktemp("runs") / "posts"))


def command(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_each_target_is_judged_beside_constants_and_means_of_categories(run: Run, world: Path) -> None:
    assert run.settings.metrics[0] == "rmsle"
    told = run.evaluation["targets"]
    table = pl.DataFrame(told["score"]["table"]).filter(metric="rmsle")
    value = dict(table.select("model", "value").iter_rows())
    assert set(value) == {"regression", "mean", "median", "mean of subreddit"}
    assert value["regression"] < value["mean of subreddit"] < value["mean"]
    rows = run.predictions.filter(target="score")
    assert rows.height == 400
    errors = np.log1p(rows["prediction"].to_numpy()) - np.log1p(rows["truth"].to_numpy())
    assert value["regression"] == pytest.approx(float(np.sqrt(np.mean(errors**2))))
    assert told["score"]["intervals"]["coverage"] == pytest.approx(0.9, abs=0.06)
    assert told["comments"]["rows"] == run.rows["comments"].is_not_null().sum() < 400
    # What is judged was not learnt from: together they are all there is.
    assert run.said.height + run.rows.height == 2_000
    whole = pl.read_parquet(world / "posts.parquet")
    assert run.rows.join(whole, on=whole.columns[:5], how="semi").height == 400


def test_what_is_stored_judged_again_gives_the_figures_that_are_stored(run: Run) -> None:
    again = experiment.evaluate(open_run(run.path))
    assert json.loads(json.dumps(again.to_dict())) == run.evaluation
    answered = command("evaluate", run.path, "--json")
    assert answered.exit_code == 0, answered.output
    assert json.loads(answered.stdout)["same_as_stored"]


def test_a_run_is_loaded_and_answers_as_it_was_judged(run: Run, world: Path, tmp_path: Path) -> None:
    fitted = sl.load(run.path)
    assert isinstance(fitted, sl.FittedTabularRegression)
    rows = run.predictions.filter(target="score")
    told = fitted.predict(run.rows)
    assert told["prediction_score"].gather(rows["row"]).to_list() == rows["prediction"].to_list()
    out = tmp_path / "told.parquet"
    asked = command("predict", run.path, "--pairs", world / "posts.csv", "--out", out)
    assert asked.exit_code == 0, asked.output
    assert pl.read_parquet(out).equals(fitted.predict(world / "posts.csv"))


@pytest.mark.parametrize("form", ["html", "md", "json"])
def test_the_report_holds_all_of_it_and_no_name_breaks_out(run: Run, tmp_path: Path, form: str) -> None:
    page = sl.report(run, tmp_path / f"page.{form}").read_text(encoding="utf-8")
    if form == "json":
        told = json.loads(page)
        assert told["evaluations"] == run.evaluation["targets"]
        assert told["inside"]["score"]["contributions"][0]["column"] in {"title", "subreddit"}
        return
    for title in ("Calibration: score", "Residuals: comments", "What the answers hang on: score", "How to do it again"):
        assert title in page
    assert "<img src=x" not in page


def test_the_report_of_one_target_that_a_network_learns(world: Path, tmp_path: Path) -> None:
    network = {"encoder": {"kind": "n_grams", "buckets": 4096, "factors": 8}, "training": {"epochs": 2}}
    tabular = TABULAR | {"targets": ["score"], "network": network, "metric": "rmse"}
    made = experiment.fit(settings(world, tmp_path / "run", tabular=tabular, split={"kind": "by_time", "test": "20d"}))
    assert made.rows["when"].min() > 1_300_000_000 + 10_000_000 - 21 * 86_400  # type: ignore[operator]
    page = sl.report(made).read_text(encoding="utf-8")
    for title in ("How it learnt", "What was tried", "Calibration", "and a network that counts"):
        assert title in page


def test_rows_of_a_column_are_kept_back_and_never_learnt_from(world: Path, tmp_path: Path) -> None:
    split = {"kind": "by_column", "column": "fold", "value": 2}
    made = experiment.fit(settings(world, tmp_path / "run", split=split))
    assert made.rows.height == 500
    assert "fold" not in made.rows.columns


def test_without_a_split_it_is_fitted_and_reported_but_not_judged(world: Path, tmp_path: Path) -> None:
    made = experiment.fit(settings(world, tmp_path / "run", split=None))
    assert "nothing judged" in made.summary
    page = sl.report(made).read_text(encoding="utf-8")
    assert "Nothing was judged" in page
    assert "What the answers hang on" in page


def test_from_a_file_of_settings_to_the_page(world: Path, tmp_path: Path) -> None:
    (tmp_path / "posts.toml").write_text(
        f"""
[data]
rows = "{world / "posts.csv"}"
[split]
kind = "at_random"
[tabular]
targets = ["score"]
metric = "rmsle"
columns = {{ texts = ["title"], categories = ["subreddit"] }}
trees = {{ rounds = 20, min_rows = 10 }}
""",
        encoding="utf-8",
    )
    done = command("fit", "--config", tmp_path / "posts.toml", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "mean of subreddit" in done.output
    shown = command("report", tmp_path / "run", "--out", tmp_path / "page.html")
    assert shown.exit_code == 0, shown.output
    refused = command("compare", tmp_path / "run")
    assert "tells numbers" in refused.output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": {"events": "a.csv"}}, "name the rows under [data], and nothing else"),
        ({"data": {"rows": "a.csv", "items": "b.csv"}}, "nothing else: items"),
        ({"split": {"kind": "last_n"}}, "last_n splits events: rows are split at_random, by_time or by_column"),
        ({"tabular": TABULAR | {"columns": {"texts": ["title"]}}, "split": {"kind": "by_time"}}, "needs the column"),
        ({"regression": {}}, "say what is fitted: one of"),
        ({"metrics": ["map@12"]}, "map@12 judges lists"),
        ({"tabular": None, "regression": {}}, "name the events under [data], and no rows"),
    ],
)
def test_settings_that_mean_nothing_are_refused(world: Path, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(sl.ConfigError) as refused:
        settings(world, tmp_path, **change)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"kind": "by_column", "column": "fold", "value": 9}, "by_column leaves none of 2,000 rows to judge on"),
        ({"kind": "by_column", "column": "folds", "value": 1}, "lacks the column 'folds'; did you mean 'fold'"),
        ({"kind": "by_time", "at": "1999-01-01"}, "there are no rows in the test part from 1999-01-01"),
        ({"kind": "by_time", "test": "9000d"}, "there are no rows before"),
    ],
)
def test_splits_that_leave_nothing_are_told(world: Path, tmp_path: Path, split: dict[str, Any], said: str) -> None:
    with pytest.raises(sl.ShortlistError) as refused:
        experiment.fit(settings(world, tmp_path / "run", split=split))
    assert said in str(refused.value)
