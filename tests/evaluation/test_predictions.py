"""Predicted numbers judged: by hand, in any order, beside the constants, and what is refused."""

import json

import numpy as np
import polars as pl
import pytest

from shortlist.errors import ColumnError, ConfigError, DataError
from shortlist.evaluation.predictions import evaluate_predictions

TRUTH = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": ["a", "b", "a", "c"], "rating": [1.0, 2.0, 3.0, 6.0]})
TOLD = pl.DataFrame({"item_id": ["a", "c", "a"], "user_id": [2, 3, 1], "prediction": [1.0, 7.0, 2.0], "other": 0})
METRICS = ["mse", "rmse", "mae", "r2"]


def values(found, model="model"):
    return dict(found.table.filter(model=model).select("metric", "value").iter_rows())


def test_the_values_are_those_computed_by_hand_and_a_missing_row_is_told_the_mean():
    found = evaluate_predictions(TOLD, TRUTH, METRICS)
    squares = 1 + 1 + 4 + 1  # the second row has no prediction: the mean of the truth, 3, stands for it
    expected = {"mse": squares / 4, "rmse": (squares / 4) ** 0.5, "mae": (1 + 1 + 2 + 1) / 4, "r2": 1 - squares / 14}
    assert values(found) == pytest.approx(expected)
    assert (found.rows.height, found.rows_without_prediction, found.units) == (4, 1, 3)


def test_the_constants_stand_in_every_table():
    found = evaluate_predictions(TOLD, TRUTH, ["mae", "r2", "spearman"])
    assert values(found, "mean") == pytest.approx({"mae": (2 + 1 + 0 + 3) / 4, "r2": 0.0, "spearman": 0.0})
    assert values(found, "median")["mae"] == pytest.approx((1.5 + 0.5 + 0.5 + 3.5) / 4)
    assert found.differences["baseline"].unique(maintain_order=True).to_list() == ["mean", "median"]


def test_the_constants_are_those_of_the_train_part_where_it_is_given():
    train = pl.DataFrame({"rating": [2.0, 2.0, 8.0]})
    found = evaluate_predictions(TOLD, TRUTH, ["mae"], train=train)
    assert values(found, "mean")["mae"] == pytest.approx((3 + 2 + 1 + 2) / 4)
    assert values(found, "median")["mae"] == pytest.approx((1 + 0 + 1 + 4) / 4)


def test_a_row_is_known_by_its_keys_and_not_by_its_place():
    rows = TRUTH.select("user_id", "item_id", prediction=pl.col("rating") + 1)
    found = evaluate_predictions(rows.reverse(), TRUTH.rename({"rating": "y"}).reverse(), ["mae"], target="y")
    assert values(found) == {"mae": 1.0}
    assert found.rows["prediction"].to_list() == (found.rows["truth"] + 1).to_list()


def test_intervals_draw_users_with_all_their_rows():
    chance = np.random.default_rng(0)
    users = 80
    of_user = np.repeat(chance.normal(size=users), 25)  # the errors of one user are all alike
    truth = pl.DataFrame({"user_id": np.repeat(np.arange(users), 25), "row_id": range(users * 25), "target": 0.0})
    told = truth.select("user_id", "row_id", prediction=pl.Series(of_user))
    found = evaluate_predictions(told, truth, ["mse"], draws=2000, against={"again": told}).table.filter(model="model")
    means = np.square(of_user.reshape(users, 25)).mean(axis=1)
    slow = [means[chance.integers(0, users, users)].mean() for _ in range(4000)]
    assert found.select("low", "high").row(0) == pytest.approx(np.quantile(slow, [0.025, 0.975]), rel=0.1)
    by_row = evaluate_predictions(told.drop("user_id"), truth.drop("user_id"), ["mse"]).table.filter(model="model")
    assert by_row["high"].item() - by_row["low"].item() < (found["high"].item() - found["low"].item()) / 3


def test_a_difference_is_paired():
    chance = np.random.default_rng(2)
    truth = pl.DataFrame({"row_id": range(500), "target": chance.normal(size=500) * 10})
    noise = chance.normal(size=500) * 5
    ours = truth.select("row_id", prediction=pl.col("target") + noise)
    theirs = ours.with_columns(pl.col("prediction") + 0.5 * np.sign(noise))  # the same errors, each a half larger
    found = evaluate_predictions(ours, truth, ["mae"], against={"theirs": theirs}).differences.filter(baseline="theirs")
    assert found.select("difference", "low", "high").row(0) == pytest.approx((-0.5, -0.5, -0.5), abs=1e-9)
    assert found["p"].item() < 0.001


def test_calibration_tells_promise_and_truth_bin_by_bin():
    truth = pl.DataFrame({"row_id": range(100), "target": [float(n) for n in range(100)]})
    told = truth.select("row_id", prediction=pl.col("target") / 2)
    found = evaluate_predictions(told, truth, ["calibration_error"])
    bins = found.calibration()
    assert bins["rows"].to_list() == [10] * 10
    assert bins.row(0, named=True) == {"rows": 10, "prediction": 2.25, "truth": 4.5}
    assert values(found)["calibration_error"] == pytest.approx((bins["truth"] - bins["prediction"]).abs().mean())


def test_it_renders_and_goes_into_json():
    found = evaluate_predictions(TOLD, TRUTH)
    assert "4 rows judged, 1 of them without a prediction; intervals over 3 users" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["table"][0]["metric"] == "rmse"


REFUSED = {
    "the row {'user_id': 2, 'item_id': 'a'} is there twice": (DataError, pl.concat([TOLD, TOLD[:1]]), TRUTH, {}),
    "1 rows have a prediction that is not finite": (
        DataError,
        TOLD.with_columns(prediction=pl.Series([1.0, float("nan"), 2.0])),
        TRUTH,
        {},
    ),
    "1 rows have no prediction": (DataError, TOLD.with_columns(prediction=pl.Series([1.0, None, 2.0])), TRUTH, {}),
    "prediction is of type String": (DataError, TOLD.with_columns(pl.col("prediction").cast(pl.String)), TRUTH, {}),
    "user_id is String in the predictions of 'model' but Int64 in the truth": (
        DataError,
        TOLD.with_columns(pl.col("user_id").cast(pl.String)),
        TRUTH,
        {},
    ),
    "lack the column 'prediction'; did you mean 'predictions'": (
        ColumnError,
        TOLD.rename({"prediction": "predictions"}),
        TRUTH,
        {},
    ),
    "share no id: say keys=": (ColumnError, TOLD.drop("user_id", "item_id"), TRUTH, {}),
    "the truth has none of target, rating": (ColumnError, TOLD, TRUTH.rename({"rating": "stars"}), {}),
    "the truth has no rows": (DataError, TOLD, TRUTH.clear(), {}),
    "map@3 judges lists, not predicted numbers": (ConfigError, TOLD, TRUTH, {"metrics": ["map@3"]}),
    "two models are called 'mean'": (ConfigError, TOLD, TRUTH, {"name": "mean"}),
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_judged_is_refused_with_a_word(told):
    kind, predictions, truth, options = REFUSED[told]
    with pytest.raises(kind) as caught:
        evaluate_predictions(predictions, truth, **options)
    assert told in str(caught.value)
