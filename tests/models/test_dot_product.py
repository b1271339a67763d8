"""DotProduct and NeuralRatings: what they say is their formula, and they learn."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

import shortlist as sl
from shortlist.config import read_toml, to_toml
from shortlist.errors import ConfigError
from shortlist.models.rating_networks import Range, with_strangers

MODELS = {"dot_product": sl.DotProduct(factors=4, seed=1), "neural_ratings": sl.NeuralRatings(factors=4, seed=1)}
EPOCHS = sl.Training(epochs=30, batch_size=64)


def world(seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ratings whose taste is a product of two numbers, in two parts: neither mean tells it."""
    random = np.random.default_rng(seed)
    taste, kind = random.choice([-1.0, 1.0], 60), random.choice([-1.0, 1.0], 40)
    pairs = [(u, i) for u in range(60) for i in range(40)]
    rows = [(u, i, 3 + 1.5 * taste[u] * kind[i] + 0.2 * random.normal()) for u, i in pairs]
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "rating"], orient="row").sample(
        fraction=1, shuffle=True, seed=seed
    )
    return table[:1_500], table[1_500:]


def rmse(model: Any, train: pl.DataFrame, test: pl.DataFrame) -> float:
    found = sl.Regression(models=(model,)).fit(sl.Dataset.read(train)).predict(test.select("user_id", "item_id"))
    return float(((found["prediction"] - test["rating"]) ** 2).mean() ** 0.5)  # type: ignore[operator]


@pytest.mark.parametrize("name", MODELS)
def test_a_taste_that_no_mean_tells_is_learnt(name: str) -> None:
    train, test = world()
    alone = rmse(sl.Bias(), train, test)
    assert rmse(MODELS[name].model_copy(update={"training": EPOCHS}), train, test) < 0.4 * alone


def test_a_dot_product_says_its_formula() -> None:
    train, _ = world()
    data = sl.Dataset.read(train)
    fitted = MODELS["dot_product"].fit(data)
    assert (fitted.low, fitted.high) == pytest.approx(
        (train["rating"].min() - (train["rating"].max() - train["rating"].min()) / 8, fitted.high)  # type: ignore[operator]
    )
    x, y = fitted.users.astype(float), fitted.items.astype(float)
    score = x[3, :-1] @ y[5, :-1] + x[3, -1] + y[5, -1]
    expected = fitted.low + (fitted.high - fitted.low) * expit(score)
    assert fitted.predict(np.array([3]), np.array([5])).expected == pytest.approx([expected], rel=1e-6)


def test_a_network_in_numpy_says_what_it_says_in_torch() -> None:
    import torch

    from shortlist.nn.ratings import Concatenated

    data = sl.Dataset.read(world()[0])
    fitted = MODELS["neural_ratings"].fit(data)
    net = Concatenated(60, 40, 4, (100, 50), 0.1, torch.Generator()).eval()
    told = {"user.weight": fitted.users[:-1], "item.weight": fitted.items[:-1]}
    for n, (weight, bias) in enumerate(zip(fitted.weights, fitted.biases, strict=True)):
        told |= {f"layers.{n}.weight": weight, f"layers.{n}.bias": bias}
    net.load_state_dict({name: torch.from_numpy(array) for name, array in told.items()})
    users, items = np.arange(40), np.arange(40)[::-1].copy()
    with torch.no_grad():
        scores = net(torch.from_numpy(users), torch.from_numpy(items)).numpy()
    expected = Range(fitted.low, fitted.high).ratings(scores)
    np.testing.assert_allclose(fitted.predict(users, items).expected, expected, rtol=1e-5)


def test_a_stranger_is_the_mean_of_those_who_said_something() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 4.0], [50.0, 50.0]])
    found = with_strangers(rows, np.array([2, 1, 0]))
    assert found.tolist() == [[1, 2], [3, 4], [2, 3], [2, 3]]


def test_the_range_reaches_beyond_the_ratings() -> None:
    assert Range.of(np.array([1.0, 5.0])) == Range(0.5, 5.5)
    one = Range.of(np.array([4.0, 4.0]))
    assert one.low < 4 < one.high
    assert Range.of(np.array([])).low < Range.of(np.array([])).high


@pytest.mark.parametrize("name", MODELS)
def test_the_path_of_the_loss_goes_down_and_what_is_held_out_is_told(name: str) -> None:
    data = sl.Dataset.read(world()[0])
    fitted = MODELS[name].model_copy(update={"training": sl.Training(epochs=20, batch_size=64, patience=20)}).fit(data)
    learnt, held = (fitted.losses.filter(pl.col("of") == of)["loss"] for of in ("training", "held out"))
    assert learnt[-1] < 0.6 * learnt[0]
    assert len(held) == 20
    assert held.min() < 0.7 * held[0]  # type: ignore[operator]


def test_a_rate_that_is_looked_for_is_told_and_drawn() -> None:
    model = MODELS["dot_product"].model_copy(update={"training": sl.Training(learning_rate="auto")})
    fitted = sl.Regression(models=(model,)).fit(sl.Dataset.read(world()[0]))
    rate = fitted.models[0].recipe.training.learning_rate
    rising = fitted.models[0].losses.filter(pl.col("of") == "rising rate")  # type: ignore[attr-defined]
    assert rising["rate"].is_sorted()
    assert rising["rate"][0] < rate < rising["rate"][-1]
    assert f'"rate": {rate}' in sl.rate_chart(fitted).to_json(indent=None)


def test_training_goes_on_from_its_folder_and_refuses_that_of_other_data(tmp_path: Path) -> None:
    train, test = world()
    kept = MODELS["dot_product"].model_copy(update={"training": sl.Training(folder=str(tmp_path / "kept"))})
    users = np.arange(20)
    first, again, plain = (
        model.fit(sl.Dataset.read(train)).predict(users, users).expected
        for model in (kept, kept, MODELS["dot_product"])
    )
    assert first.tolist() == again.tolist() == plain.tolist()
    with pytest.raises(ConfigError, match="something else"):
        kept.fit(sl.Dataset.read(test))


def test_the_folds_of_a_stack_and_several_targets_are_kept_apart(tmp_path: Path) -> None:
    train, _ = world()
    kept = sl.DotProduct(factors=2, training=sl.Training(epochs=1, folder=str(tmp_path)))
    stack = sl.Regression(models=(kept, sl.Bias()), folds=2)
    events = train.with_columns(other=-pl.col("rating"))
    sl.Targets(columns=("rating", "other"), regression=stack).fit(sl.Dataset.read(events))
    found = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("training.safetensors")}
    assert found == {f"{name}{part}" for name in ("rating", "other") for part in ("", "/fold-1", "/fold-2")}


def test_recipes_are_read_without_torch() -> None:
    code = "import sys, shortlist.regression, shortlist.pipeline, shortlist.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"schedule": "constant", "warm_up": 0.1}, "a constant rate has no warm_up"),
        ({"batch_size": 0}, "greater than 0"),
        ({"precision": "16"}, "bf16"),
    ],
)
def test_a_plan_that_means_nothing_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        sl.Training(**settings)


@pytest.mark.parametrize("schedule", ["one_cycle", "warm_up", "constant"])
def test_a_plan_that_was_written_down_is_read_again(schedule: Any, tmp_path: Path) -> None:
    train, _ = world()
    plan = sl.Training(epochs=1, schedule=schedule)
    (tmp_path / "plan.toml").write_text(to_toml(plan), encoding="utf-8")
    assert read_toml(sl.Training, tmp_path / "plan.toml") == plan
    fitted = sl.Regression(models=(sl.DotProduct(factors=2, training=plan),)).fit(sl.Dataset.read(train))
    fitted.save(tmp_path / "stored")
    again = sl.load(tmp_path / "stored")
    assert isinstance(again, sl.FittedRegression)
    assert again.recipe == fitted.recipe
