"""Regression: what is learnt from, what bounds mean, and what is said of what cannot be."""

from typing import Any

import polars as pl
import pytest

import shortlist as sl
from shortlist.regression import Regression


def table(*rows: tuple[str, str, float, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")


SAID = table(("a", "x", 1.0, 1), ("a", "y", 5.0, 2), ("b", "x", 3.0, 3))


def test_of_a_pair_the_newest_rating_counts() -> None:
    changed = pl.concat([SAID, table(("a", "x", 4.0, 9), ("b", "x", 2.0, 0))])
    alone = table(("a", "x", 4.0, 9), ("a", "y", 5.0, 2), ("b", "x", 3.0, 3))
    recipe = Regression(models=(sl.Bias(),))
    one, other = (recipe.fit(sl.Dataset.read(events)).predict(SAID) for events in (changed, alone))
    assert one.equals(other)


def test_bounds_are_what_was_seen_or_what_is_named_or_none() -> None:
    data = sl.Dataset.read(SAID)
    recipe = Regression(models=(sl.Bias(regularization=0.0),))
    assert recipe.fit(data).recipe.bounds == (1.0, 5.0)
    free = recipe.model_copy(update={"bounds": None}).fit(data).predict(table(("b", "y", 0.0, 0)))
    assert free["prediction"].item() > 5.5
    tight = Regression(models=(sl.Bias(regularization=0.0),), bounds=(2.0, 3.0)).fit(data).predict(SAID)
    assert tight["prediction"].is_between(2, 3).all()
    assert tight["prediction"].to_list()[:2] == [2.0, 3.0]


def test_a_wider_level_gives_wider_intervals() -> None:
    data = sl.Dataset.read(SAID)
    model = sl.BayesianMF(factors=2, sweeps=6, burn_in=2)
    wide, narrow = (
        Regression(models=(model,), level=level, bounds=None).fit(data).predict(SAID) for level in (0.95, 0.5)
    )
    assert ((wide["high"] - wide["low"]) > 2 * (narrow["high"] - narrow["low"])).all()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"bounds": (5.0, 1.0)}, "the first is to be below the second"),
        ({"level": 1.0}, "less than 1"),
        ({"models": [{"kind": "bayesian_mf", "sweeps": 5, "burn_in": 5}]}, "leaves none"),
        ({"models": [{"kind": "svd"}]}, "bayesian_mf"),
    ],
)
def test_what_means_nothing_is_refused(settings: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Regression(**settings)


def test_rows_without_ids_and_ids_of_another_type_are_told() -> None:
    fitted = Regression(models=(sl.Bias(),)).fit(sl.Dataset.read(SAID))
    with pytest.raises(sl.ColumnError, match="item_id"):
        fitted.predict(pl.DataFrame({"user_id": ["a"]}))
    with pytest.raises(sl.DataError, match="1 rows have no item_id"):
        fitted.predict(pl.DataFrame({"user_id": ["a", "b"], "item_id": ["x", None]}))
    with pytest.raises(sl.DataError, match="cast them"):
        fitted.predict(pl.DataFrame({"user_id": [1], "item_id": ["x"]}))


def test_what_is_no_regression_is_not_read_as_one(tmp_path: Any) -> None:
    fitted = sl.Pipeline(retrievers=(sl.Popular(window=None),)).fit(sl.Dataset.read(SAID))
    fitted.save(tmp_path / "lists")
    assert isinstance(sl.load(tmp_path / "lists"), sl.FittedPipeline)
