"""Tabular regression: what is learnt, what is refused, and that the stored one answers the same."""

import re
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.tabular.posts import COLUMNS, QUICK, TEXT, posts
from typer.testing import CliRunner

import shortlist as sl
from shortlist.cli import app
from shortlist.tabular.trees import _NegativeBinomial


def recipe(**more: Any) -> sl.TabularRegression:
    told = {"targets": ("score",), "columns": COLUMNS, "metric": "rmsle", "trees": QUICK, "text": TEXT}
    return sl.TabularRegression(**told | more)


def rmsle(true: pl.Series, answer: pl.Series) -> float:
    return float(np.sqrt(np.mean((np.log1p(true.to_numpy()) - np.log1p(answer.to_numpy())) ** 2)))


def test_category_and_word_are_learnt_and_intervals_hold() -> None:
    fitted = recipe().fit(posts(4_000))
    new = posts(4_000, seed=1)
    told = fitted.predict(new)
    assert rmsle(new["score"], told["prediction"]) < 0.4  # noise alone is 0.3 and more, for scores are whole
    inside = (told["low"] <= new["score"]) & (new["score"] <= told["high"])
    assert inside.mean() == pytest.approx(0.9, abs=0.04)
    number = fitted.numbers["score"]
    assert set(number.contributions["column"][:2]) == {"title", "subreddit"}
    models = number.scores.filter(metric="rmsle").sort("value")["model"].to_list()
    assert models[0] == "log"
    assert {"mean", "median", "mean of subreddit"} <= set(models)
    assert "mean of subreddit" in str(fitted)


def test_the_way_is_the_one_that_did_best_by_the_metric() -> None:
    number = recipe(metric="rmse").fit(posts()).numbers["score"]
    assert number.tried["way"].to_list() == ["squared", "log", "tweedie"]
    assert number.way == number.tried.sort("rmse")["way"][0]


def test_answers_by_logarithms_are_brought_to_the_mean() -> None:
    new = posts(4_000, seed=2)
    told = {
        metric: recipe(metric=metric, way="log").fit(posts(6_000)).predict(new)["prediction"]
        for metric in ("rmse", "mae")
    }
    assert told["rmse"].mean() == pytest.approx(new["score"].mean(), rel=0.08)
    assert told["mae"].mean() < told["rmse"].mean()


@pytest.mark.parametrize("way", ["two_part", "poisson", "negative_binomial", "absolute"])
def test_every_way_beats_the_mean(way: Any) -> None:
    scores = recipe(metric="mae", way=way).fit(posts()).numbers["score"].scores.filter(metric="mae")
    value = dict(zip(scores["model"], scores["value"], strict=True))
    assert value[way] < value["mean"]


def test_several_targets_are_answered_each_and_what_is_missing_says_nothing(tmp_path: Path) -> None:
    table = posts().with_columns(comments=pl.when(pl.col("length") > 5).then(-pl.col("score")))
    fitted = recipe(targets=("score", "comments"), metric="rmse", way="squared").fit(table)
    told = fitted.predict(table[:5])
    assert told.columns == [
        f"{part}_{name}" for name in ("score", "comments") for part in ("prediction", "low", "high")
    ]
    assert "rmsle" not in fitted.numbers["comments"].scores["metric"]  # numbers below zero have none
    fitted.save(tmp_path / "stored")
    again = sl.load(tmp_path / "stored")
    assert isinstance(again, sl.FittedTabularRegression)
    assert again.predict(table).equals(fitted.predict(table))
    assert again.recipe == fitted.recipe


def test_the_same_seed_gives_the_same_bits_and_files_are_frames(tmp_path: Path) -> None:
    table = posts(600)
    table.write_parquet(tmp_path / "posts.parquet", row_group_size=100)
    table.write_csv(tmp_path / "posts.csv")
    frame = recipe().fit(table, seed=3).predict(table)
    assert recipe().fit(tmp_path / "posts.parquet", seed=3).predict(tmp_path / "posts.parquet").equals(frame)
    assert recipe().fit(table.to_pandas(), seed=3).predict(table).equals(frame)
    assert recipe(rows=300).fit(tmp_path / "posts.csv").predict(table).height == 600


def test_unknown_missing_and_empty_are_answered() -> None:
    fitted = recipe().fit(posts())
    strange = pl.DataFrame(
        {
            "title": [None, "", "never seen"],
            "subreddit": [None, "new", "r1"],
            "length": [None, 1, 2],
            "when": [None, 0, 1],
        }
    )
    assert fitted.predict(strange)["prediction"].is_finite().all()
    assert fitted.predict(strange[:0]).height == 0


def test_the_last_rows_in_time_can_be_held_out() -> None:
    table = posts().with_columns(score=pl.col("score") + 500 * (pl.col("when") > 1_309_000_000))
    late = recipe(last=True, metric="mae").fit(table).numbers["score"].scores
    any_ = recipe(metric="mae").fit(table).numbers["score"].scores
    told = [scores.filter(model="median", metric="mae")["value"][0] for scores in (late, any_)]
    assert told[0] > 2 * told[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": sl.Columns(texts=("titel",))}, "lack the column 'titel'; did you mean 'title'"),
        ({"columns": sl.Columns(numbers=("title",))}, "'title' is of type String, and read as a number"),
        ({"columns": sl.Columns(time="title")}, "'title' is of type String: cast it to a date"),
        ({"targets": ("title",)}, "is of type String"),
        ({"targets": ("below",)}, "'below' goes down to -1, and rmsle is for numbers that are never below zero"),
        ({"targets": ("same",)}, "'same' is 3 in every row: there is nothing to learn"),
        ({"columns": sl.Columns(categories=("nested",))}, "'nested' is of type List(String): make one text"),
        ({"columns": sl.Columns(time="at")}, "'at' is of type Time: cast it to a date, a datetime, or seconds"),
        ({"targets": ("odd",), "metric": "rmse"}, "'odd' has 1 values that are not finite"),
    ],
)
def test_what_cannot_be_learnt_is_told(change: dict[str, Any], said: str) -> None:
    table = posts(200).with_columns(below=pl.lit(-1), odd=pl.Series([np.inf] + [1.0] * 199), same=pl.lit(3))
    table = table.with_columns(nested=pl.concat_list("subreddit"), at=pl.lit(time(3)), below=-(pl.col("score") % 2))
    told = {"targets": ("score",), "columns": COLUMNS} | change
    if "title" in told["targets"]:
        told["columns"] = sl.Columns(categories=("subreddit",))
    with pytest.raises(sl.ShortlistError, match=re.escape(said)):
        recipe(**told).fit(table)


def test_too_few_rows_and_what_is_no_table_are_told() -> None:
    with pytest.raises(sl.DataError, match="19 rows have 'score': 20 are needed"):
        recipe().fit(posts(19))
    with pytest.raises(sl.DataError, match="the rows are no table"):
        recipe().fit(7)
    assert recipe().fit(posts(20)).predict(posts(3)).height == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"targets": ("length",)}, "'length' is a target and may not be told"),
        ({"columns": {"texts": ["title"]}, "last": True}, "needs a column of time"),
        ({"targets": ("score", "score")}, "names a column twice"),
        ({"text": {"levels": [2.0]}}, "less than 1"),
        ({"way": "tweedie"}, "does not learn that"),
        ({"columns": {}}, "name a column at least"),
        ({"columns": {"texts": ["title"], "categories": ["title"]}}, "'title' is named twice"),
    ],
)
def test_recipes_that_mean_nothing_are_told(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(**change)


def test_the_command_line_asks_a_stored_one(tmp_path: Path) -> None:
    table = posts(300)
    fitted = recipe().fit(table)
    fitted.save(tmp_path / "stored")
    table.write_csv(tmp_path / "rows.csv")
    out = tmp_path / "told.parquet"
    done = CliRunner().invoke(
        app, ["predict", str(tmp_path / "stored"), "--pairs", str(tmp_path / "rows.csv"), "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert pl.read_parquet(out).equals(fitted.predict(table))
    for command in (
        ["predict", "--user", "1", "--items", "2"],
        ["similar", "--items", "1"],
        ["recommend", "--all", "--k", "3"],
    ):
        refused = CliRunner().invoke(app, [command[0], str(tmp_path / "stored"), *command[1:]])
        assert refused.exit_code != 0


def test_a_negative_binomial_finds_the_mean_of_counts_that_vary_more_than_it() -> None:
    random = np.random.default_rng(0)
    group = random.integers(0, 3, 6_000)
    mean = np.array([2.0, 20.0, 200.0])[group]
    table = pl.DataFrame({"group": group, "count": random.negative_binomial(1.5, 1.5 / (1.5 + mean))})
    columns = sl.Columns(categories=("group",))
    fitted = sl.TabularRegression(targets=("count",), columns=columns, way="negative_binomial").fit(table)
    told = fitted.predict(pl.DataFrame({"group": [0, 1, 2]}))["prediction"].to_numpy()
    assert told == pytest.approx([2, 20, 200], rel=0.15)


def test_the_loss_of_a_negative_binomial_falls_as_its_slopes_say() -> None:
    number = np.array([0.0, 1.0, 7.0, 300.0])

    class Data:
        def get_label(self) -> np.ndarray:
            return number

    counted, told, step = _NegativeBinomial.of(number), np.array([-1.0, 0.5, 2.0, 5.0]), 1e-5
    first, second = counted.slopes(told, Data())
    for row in range(4):
        near = [told + step * move * (np.arange(4) == row) for move in (-1, 0, 1)]
        below, _, above = (counted.judge(at, Data())[1] * 4 for at in near)
        assert first[row] == pytest.approx((above - below) / (2 * step), rel=1e-4)
        slopes = [counted.slopes(at, Data())[0][row] for at in (near[0], near[2])]
        assert second[row] == pytest.approx((slopes[1] - slopes[0]) / (2 * step), rel=1e-4)


def test_learnt_ends_follow_what_a_column_tells_of_the_spread(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    spread, size = random.choice([0.5, 5.0], 6_000), random.integers(0, 10, 6_000)
    value = 10 * size + spread * random.standard_normal(6_000)
    table = pl.DataFrame({"spread": spread, "size": size, "value": value})
    made = {}
    smooth = sl.BoostedTrees(rounds=300, min_rows=50, leaves=20, learning_rate=0.1, feature_share=1.0)
    for how in ("residuals", "quantiles"):
        columns = sl.Columns(numbers=("spread", "size"))
        told: dict[str, Any] = {"targets": ("value",), "columns": columns, "trees": smooth, "intervals": how}
        made[how] = sl.TabularRegression(**told).fit(table[:4_000])
        found = made[how].predict(table)[4_000:]
        held = table[4_000:]
        inside = (found["low"] <= held["value"]) & (held["value"] <= found["high"])
        assert inside.mean() == pytest.approx(0.9, abs=0.04)
        width = (found["high"] - found["low"]).to_numpy()
        ratio = width[spread[4_000:] == 5].mean() / width[spread[4_000:] == 0.5].mean()
        assert bool(ratio > 3) == (how == "quantiles")
    made["quantiles"].save(tmp_path / "stored")
    again = sl.load(tmp_path / "stored")
    assert isinstance(again, sl.FittedTabularRegression)
    assert again.predict(table).equals(made["quantiles"].predict(table))
    with pytest.raises(ValueError, match="are learnt by trees"):
        recipe(trees=None, network=sl.TabularNetwork(), intervals="quantiles")
