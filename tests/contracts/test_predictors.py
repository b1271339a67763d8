"""What every predictor must do, over all that a regression may name. A new one joins by a line in `RECIPES`."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist import threads
from shortlist.config import read_toml, to_toml
from shortlist.models.bayesian_mf import BayesianMF
from shortlist.models.bias import Bias
from shortlist.models.biased_mf import BiasedMF
from shortlist.models.dot_product import DotProduct
from shortlist.models.neural_ratings import NeuralRatings
from shortlist.models.svdpp import SVDpp
from shortlist.regression import AnyPredictor, FittedRegression, Regression
from shortlist.training.plan import Training

RECIPES: dict[str, Any] = {
    "bias": Bias(),
    "bayesian_mf": BayesianMF(factors=3, sweeps=12, burn_in=4, draws=6),
    "dot_product": DotProduct(factors=4, training=Training(epochs=2)),
    "dot_product with a patience and a rate of its own": DotProduct(
        factors=2,
        training=Training(learning_rate="auto", patience=1, epochs=3, clip=1.0, accumulate=2, schedule="warm_up"),
    ),
    "neural_ratings": NeuralRatings(factors=3, layers=(4, 3), training=Training(epochs=2)),
    "biased_mf": BiasedMF(),
    "svdpp": SVDpp(),
    "svdpp of old": SVDpp(factors=3, epochs=5, flipped=False),
    "svdpp with drift": SVDpp(factors=3, drift="1s"),
    "bayesian_mf without implicit": BayesianMF(factors=2, sweeps=10, burn_in=2, implicit=False),
}

REGRESSIONS: dict[str, Regression] = {name: Regression(models=(recipe,)) for name, recipe in RECIPES.items()} | {
    "stack": Regression(models=(RECIPES["bias"], RECIPES["bayesian_mf"]), folds=2),
}


def said(seed: int = 0, users: int = 12, items: int = 9) -> pl.DataFrame:
    """About half of the pairs, rated 1 to 5."""
    random = np.random.default_rng(seed)
    rows = [
        (user, item, int(random.integers(1, 6)), int(random.integers(100)))
        for user in range(users)
        for item in range(items)
        if random.random() < 0.5
    ]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")


ASKED = pl.DataFrame({"user_id": [3, 0, 99, 3, 5, 99], "item_id": [1, 8, 2, 1, 77, 77]})
"""Known pairs, one of them twice, and ids that are unknown on either side and on both."""


@pytest.fixture(params=REGRESSIONS, scope="module")
def fitted(request: pytest.FixtureRequest) -> FittedRegression:
    return REGRESSIONS[request.param].fit(sl.Dataset.read(said()))


def test_every_recipe_is_here() -> None:
    assert {type(recipe) for recipe in RECIPES.values()} == set(get_args(get_args(AnyPredictor)[0]))


def test_every_row_is_answered_in_its_place(fitted: FittedRegression) -> None:
    found = fitted.predict(ASKED)
    assert found.select("user_id", "item_id").equals(ASKED)
    assert found.drop("user_id", "item_id").null_count().sum_horizontal().item() == 0
    assert found["prediction"].is_finite().all()
    assert found.row(0) == found.row(3)


def test_no_answer_hangs_on_another(fitted: FittedRegression) -> None:
    whole = fitted.predict(ASKED)
    for place in range(ASKED.height):
        assert fitted.predict(ASKED[place]).equals(whole[place])
    assert fitted.predict(ASKED.clear()).columns == whole.columns


def test_answers_keep_to_the_range_of_what_was_said(fitted: FittedRegression) -> None:
    found = fitted.predict(ASKED).drop("user_id", "item_id")
    for column in found:
        assert column.is_between(1, 5).all()


def test_an_interval_holds_the_prediction_and_a_stranger_is_less_certain(fitted: FittedRegression) -> None:
    found = fitted.predict(ASKED)
    if "low" not in found.columns:
        assert fitted.answer(np.zeros(1, np.int32), np.zeros(1, np.int32)).deviation is None
        return
    assert (found["low"] <= found["prediction"]).all()
    assert (found["prediction"] <= found["high"]).all()
    users = fitted.user_ids.numbers([*range(12)])
    items = fitted.item_ids.numbers([2] * 12)
    known = fitted.answer(users, items).deviation
    strange = fitted.answer(np.full(12, -1), items).deviation
    assert known is not None
    assert strange is not None
    assert strange[0] > np.median(known)


def test_a_stored_one_answers_alike(fitted: FittedRegression, tmp_path: Path) -> None:
    fitted.save(tmp_path / "run")
    again = sl.load(tmp_path / "run")
    assert isinstance(again, FittedRegression)
    assert again.recipe == fitted.recipe
    assert again.predict(ASKED).equals(fitted.predict(ASKED))


@pytest.mark.parametrize("name", REGRESSIONS)
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(name: str, monkeypatch: Any) -> None:
    events = said(seed=1, users=150)
    one = REGRESSIONS[name].fit(sl.Dataset.read(events)).predict(events)
    monkeypatch.setattr(threads, "cores", lambda: 1)
    assert REGRESSIONS[name].fit(sl.Dataset.read(events.sample(fraction=1, shuffle=True))).predict(events).equals(one)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_recipe_is_a_file_and_back(name: str, tmp_path: Path) -> None:
    recipe = REGRESSIONS[name].model_copy(update={"bounds": (1.0, 5.0)})
    (tmp_path / "a.toml").write_text(to_toml(recipe), encoding="utf-8")
    assert read_toml(Regression, tmp_path / "a.toml") == recipe


@pytest.mark.parametrize("name", REGRESSIONS)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2), st.sampled_from([-1.0, 0.0, 0.5, 5.0, 1e6])),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=15, deadline=None)
def test_no_events_break_it(name: str, rows: list[tuple[int, int, int, float]]) -> None:
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "weight"], orient="row")
    found = REGRESSIONS[name].fit(sl.Dataset.read(events)).predict(ASKED)
    assert found["prediction"].is_between(events["weight"].min(), events["weight"].max()).all()
