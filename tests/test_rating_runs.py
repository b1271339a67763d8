"""Runs that tell how much: fitted, judged, stored, asked again, shown, from the settings to the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist import experiment
from shortlist.cli import app
from shortlist.config import parse
from shortlist.errors import ConfigError, StoreError
from shortlist.inside import factor_map, liked
from shortlist.regression import FittedRegression
from shortlist.reporting.inside import LIGHT
from shortlist.run import Run
from shortlist.settings import Settings

SLY = "</script><img src=x onerror=alert(1)>"
MODELS = [
    {"kind": "bayesian_mf", "factors": 3, "sweeps": 30, "burn_in": 10},
    {"kind": "dot_product", "factors": 3, "training": {"epochs": 3, "patience": 3}},
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ratings of 40 users and 30 films by two tastes; one film is better than all others, one has a sly title."""
    folder = tmp_path_factory.mktemp("ratings")
    random = np.random.default_rng(0)
    taste, kind = random.choice([-1.0, 1.0], 40), random.choice([-1.0, 1.0], 30)
    rows = [
        (f"u{u}", i, float(np.clip(np.round(3 + taste[u] * kind[i] + 2 * (i == 7) + 0.3 * random.normal()), 1, 5)), i)
        for u in range(40)
        for i in range(30)
        if random.random() < 0.6
    ]
    pl.DataFrame(rows, schema=["user_id", "item_id", "rating", "timestamp"], orient="row").write_parquet(
        folder / "events.parquet"
    )
    titles = [SLY if i == 3 else f"film {i}" for i in range(30)]
    pl.DataFrame({"item_id": range(30), "title": titles}).write_parquet(folder / "items.parquet")
    return folder


def settings(world: Path, out: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "data": {name: str(world / f"{name}.parquet") for name in ("events", "items")},
        "split": {"kind": "at_random"},
        "regression": {"models": MODELS, "folds": 2},
        "out": str(out),
    }
    return parse(Settings, values | changes)


@pytest.fixture(scope="module")
def run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return experiment.fit(settings(world, tmp_path_factory.mktemp("runs") / "rate"))


def command(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_numbers_are_judged_beside_biases_and_constants(run: Run) -> None:
    table = pl.DataFrame(run.evaluation["table"])
    assert table["metric"].unique(maintain_order=True).to_list() == list(run.settings.metrics)
    rmse = dict(table.filter(metric="rmse").select("model", "value").iter_rows())
    assert set(rmse) == {"regression", "bias", "mean", "median"}
    assert rmse["regression"] < 0.8 * rmse["bias"] < rmse["mean"]
    told = run.predictions
    assert rmse["regression"] == pytest.approx((((told["prediction"] - told["truth"]) ** 2).mean()) ** 0.5)  # type: ignore[operator]
    held = ((told["low"] <= told["truth"]) & (told["truth"] <= told["high"])).mean()
    assert run.evaluation["intervals"] == {
        "level": 0.9,
        "coverage": held,
        "width": (told["high"] - told["low"]).mean(),
    }
    assert f"{held:.1%} of the true numbers lie in their intervals" in run.summary


def test_what_is_stored_judged_again_gives_the_figures_that_are_stored(run: Run) -> None:
    found = experiment.evaluate(run).to_dict()
    assert json.loads(json.dumps(found)) == {name: run.evaluation[name] for name in found}
    done = command("evaluate", run.path, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["same_as_stored"]


def test_a_run_is_loaded_and_answers_as_it_was_judged(run: Run) -> None:
    fitted = sl.load(run.path)
    assert isinstance(fitted, FittedRegression)
    told = run.predictions
    again = fitted.predict(told.select("user_id", "item_id"))
    assert again.equals(told.select("user_id", "item_id", "prediction", "low", "high"))


def test_pairs_are_predicted_in_their_order_and_unknown_ids_are_counted(run: Run, tmp_path: Path) -> None:
    pairs = pl.DataFrame({"user_id": ["u3", "nobody", "u1", "u3"], "item_id": [1, 2, 999, 1]})
    pairs.write_csv(tmp_path / "pairs.csv")
    done = command("predict", run.path, "--pairs", tmp_path / "pairs.csv", "--out", tmp_path / "told.csv")
    assert done.exit_code == 0, done.stderr
    assert "1 of 4 pairs have a user_id that the run does not know" in done.stderr
    assert "1 of 4 pairs have a item_id that the run does not know" in done.stderr
    told = pl.read_csv(tmp_path / "told.csv")
    assert told.select("user_id", "item_id").equals(pairs)
    assert told.columns == ["user_id", "item_id", "prediction", "low", "high"]
    shown = command("predict", run.path, "--user", "u3", "--items", "1,2", "--json")
    rows = json.loads(shown.stdout)
    assert [row["item_id"] for row in rows] == [1, 2]
    assert rows[0]["prediction"] == pytest.approx(told["prediction"][0])


def test_items_that_are_rated_alike_are_similar(run: Run) -> None:
    done = command("similar", run.path, "--items", "1,2", "-k", 3, "--json")
    rows = json.loads(done.stdout)
    assert [(row["item_id"], row["rank"]) for row in rows] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert "regression knows similar items, not users" in command("similar", run.path, "--users", "u1").stderr


def test_what_was_learnt_is_told_with_titles(run: Run) -> None:
    inside = run.inside
    assert inside is not None
    assert inside["liked"][0]["title"] == "film 7"
    biases = [row["bias"] for row in inside["liked"]]
    assert biases == sorted(biases, reverse=True)
    assert any(row["title"] == SLY for row in inside["map"])
    assert len(inside["alike"]) == 10
    assert {row["of"] for row in inside["losses"]} == {"training", "held out"}


def test_charts_of_what_was_learnt_are_altair_in_colours(run: Run) -> None:
    fitted = run.regression
    titles = {i: f"film {i}" for i in range(30)}
    for chart in (
        sl.liked_chart(fitted, 3, titles=titles),
        sl.factor_map_chart(fitted, 5, titles=titles),
        sl.loss_chart(fitted),
    ):
        text = json.dumps(chart.to_dict())
        assert "var(" not in text
        assert any(colour in text for colour in LIGHT.values())
    with pytest.raises(ConfigError, match="no learning rate was looked for"):
        sl.rate_chart(fitted)
    page = (Path(sl.__file__).parent / "reporting/page.css").read_text(encoding="utf-8")
    assert all(f"--{name}: {colour};" in page for name, colour in LIGHT.items())


def test_items_near_each_other_on_the_map_have_like_factors(run: Run) -> None:
    rows = factor_map(run.regression, 30)
    factors = run.regression.inside().item_factors
    assert factors is not None
    known = factors[run.regression.counts > 0].astype(float)
    singular = np.linalg.svd(known - known.mean(axis=0), compute_uv=False)
    assert rows["x"].to_numpy() @ rows["x"].to_numpy() == pytest.approx(singular[0] ** 2, rel=1e-4)
    assert rows["y"].to_numpy() @ rows["y"].to_numpy() == pytest.approx(singular[1] ** 2, rel=1e-4)
    assert rows["ratings"].is_sorted(descending=True)


def test_models_without_biases_factors_or_losses_say_so() -> None:
    data = sl.Dataset.read(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 1], "rating": [1.0, 3.0]}))
    alone = sl.Regression(models=(sl.Bias(),)).fit(data)
    assert liked(alone).height == 1
    for ask in (factor_map, sl.loss_chart, lambda fitted: fitted.similar_items([1])):
        with pytest.raises(ConfigError, match="bias: no model of this regression"):
            ask(alone)


def test_the_report_holds_all_of_it_and_no_name_breaks_out(run: Run, tmp_path: Path) -> None:
    page = sl.report(run, tmp_path / "page.html").read_text(encoding="utf-8")
    for section in ("metrics", "differences", "calibration", "residuals", "liked", "map", "training", "data", "recipe"):
        assert f'<section id="{section}"' in page
    assert SLY not in page
    text = sl.report(run, tmp_path / "page.md").read_text(encoding="utf-8")
    assert "film 7" in text
    told = json.loads(sl.report(run, tmp_path / "page.json").read_text(encoding="utf-8"))
    assert told["evaluation"] == run.evaluation


def test_without_a_split_it_is_fitted_and_reported_but_not_judged(world: Path, tmp_path: Path) -> None:
    whole = experiment.fit(settings(world, tmp_path / "whole", split=None, regression={"models": [{"kind": "bias"}]}))
    assert not whole.judged
    assert "Nothing was judged" in sl.report(whole, tmp_path / "page.md").read_text(encoding="utf-8")
    with pytest.raises(StoreError, match="nothing was judged"):
        _ = whole.predictions


def test_a_regression_of_biases_does_not_stand_beside_itself(world: Path, tmp_path: Path) -> None:
    alone = experiment.fit(settings(world, tmp_path / "bias", regression={"models": [{"kind": "bias"}]}))
    assert {row["model"] for row in alone.evaluation["table"]} == {"regression", "mean", "median"}
    assert "intervals" not in alone.evaluation


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"regression": None}, "say what is fitted"),
        ({"pipeline": {"retrievers": [{"kind": "popular"}]}}, "say what is fitted"),
        ({"metrics": ["ndcg@10"]}, "judges lists, and a regression tells numbers"),
        ({"metrics": ["rmse", "ndcg@10"]}, "numbers"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    changes: dict[str, Any], told: str, world: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        settings(world, tmp_path / "never", **changes)


def test_each_kind_of_run_says_how_it_is_asked(run: Run, world: Path, tmp_path: Path) -> None:
    pipeline = {"pipeline": {"retrievers": [{"kind": "popular", "window": None}]}, "regression": None}
    lists = experiment.fit(settings(world, tmp_path / "lists", **pipeline))
    for words, told in (
        (("recommend", run.path, "--all"), "ask it with `shortlist predict`"),
        (("predict", lists.path, "--user", "u1", "--items", "1"), "ask it with `shortlist recommend`"),
        (("compare", run.path, lists.path), "tells numbers, and lists are compared"),
        (("predict", run.path), "say of which pairs"),
        (("predict", run.path, "--user", "u1"), "say of which pairs"),
    ):
        done = command(*words)
        assert done.exit_code == 3, words
        assert told in done.stderr
