"""Tabular network: what it learns, with trees and without, fine-tuned or not, and that the stored one answers alike."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.encoders import tiny
from tests.tabular.posts import COLUMNS, QUICK, TEXT, posts

import shortlist as sl

PLAN = sl.Training(epochs=6, batch_size=64, learning_rate=0.005, warm_up=0.1)
SMALL = sl.NGrams(buckets=2**12, factors=16)
NETWORK = sl.TabularNetwork(encoder=SMALL, training=PLAN)


def recipe(**more: Any) -> sl.TabularRegression:
    told = {"targets": ("score",), "columns": COLUMNS, "metric": "rmsle", "trees": None, "network": NETWORK}
    return sl.TabularRegression(**told | more)


def rmsle(true: pl.Series, answer: pl.Series) -> float:
    return float(np.sqrt(np.mean((np.log1p(true.to_numpy()) - np.log1p(answer.to_numpy())) ** 2)))


def value(fitted: sl.FittedTabularRegression, model: str) -> float:
    return float(fitted.numbers["score"].scores.filter(model=model, metric="rmsle")["value"].item())


def test_category_and_words_are_learnt_and_intervals_hold() -> None:
    fitted = recipe().fit(posts(4_000))
    new = posts(4_000, seed=1)
    told = fitted.predict(new)
    assert rmsle(new["score"], told["prediction"]) < 0.5  # the mean has 0.97, the best there is 0.35
    inside = (told["low"] <= new["score"]) & (new["score"] <= told["high"])
    assert inside.mean() == pytest.approx(0.9, abs=0.04)
    number = fitted.numbers["score"]
    assert number.way == "network"
    assert set(number.contributions["column"][:2]) == {"title", "subreddit"}
    assert number.network is not None
    assert number.network.losses["loss"][-1] < number.network.losses["loss"][0]


def test_trees_and_network_together_are_no_worse_than_either_where_they_were_weighed() -> None:
    fitted = recipe(trees=QUICK, text=TEXT).fit(posts(3_000))
    assert value(fitted, "both") <= min(value(fitted, "log"), value(fitted, "network")) + 0.01
    number = fitted.numbers["score"]
    assert 0 < number.share < 1
    assert "and a network that counts" in str(fitted)
    new = posts(500, seed=1)
    assert number.trees is not None
    assert number.network is not None
    by_hand = np.expm1(
        (1 - number.share) * np.log1p(number.trees.predict(new)) + number.share * number.network.predict(new)
    )
    assert fitted.predict(new)["prediction"].to_numpy() == pytest.approx(by_hand.clip(0), rel=1e-6)


@pytest.mark.parametrize("fine_tune", [True, False])
def test_an_encoder_that_somebody_trained(fine_tune: bool, tmp_path: Path) -> None:
    encoder = sl.Pretrained(folder=str(tiny()), fine_tune=fine_tune, cache="none", precision="32")
    network = sl.TabularNetwork(encoder=encoder, training=PLAN.model_copy(update={"epochs": 1}), layers=(8,))
    table = posts(300)
    fitted = recipe(network=network).fit(table)
    fitted.save(tmp_path / "stored")
    again = sl.load(tmp_path / "stored")
    assert isinstance(again, sl.FittedTabularRegression)
    assert again.predict(table).equals(fitted.predict(table))
    trained = fitted.numbers["score"].network
    assert trained is not None
    assert trained.encoder is not None
    before = (tiny() / "model.safetensors").read_bytes()
    assert (trained.encoder.files["model.safetensors"].tobytes() == before) is not fine_tune


def test_a_fine_tuned_encoder_learns_at_its_share_of_the_rate() -> None:
    from shortlist.training.loop import _groups

    encoder = sl.Pretrained(folder=str(tiny()), fine_tune=True)
    opened = encoder.opened()
    import torch

    from shortlist.nn.tabular import Tabular

    net = Tabular(opened.network(None, 0), (3,), 2, (18, 4), 0.1, 0.0, torch.Generator())
    groups = _groups(net, 0.5)
    assert [group["lr"] for group in groups] == [0.5, pytest.approx(0.05)]
    assert len(groups[1]["params"]) == len([*net.text.parameters()])  # type: ignore[union-attr]
    assert sum(len(group["params"]) for group in groups) == len([*net.parameters()])


def test_the_same_seed_gives_the_same_bits_and_no_row_hangs_on_another(tmp_path: Path) -> None:
    table = posts(400)
    fitted = recipe().fit(table, seed=3)
    told = fitted.predict(table)
    assert recipe().fit(table, seed=3).predict(table).equals(told)
    assert not recipe().fit(table, seed=4).predict(table).equals(told)
    assert pl.concat([fitted.predict(table[row]) for row in range(20)]).equals(told[:20])
    fitted.save(tmp_path / "stored")
    again = sl.load(tmp_path / "stored")
    assert isinstance(again, sl.FittedTabularRegression)
    assert again.predict(table).equals(told)
    assert again.recipe == fitted.recipe


def test_unknown_missing_and_empty_are_answered() -> None:
    fitted = recipe().fit(posts(400))
    strange = pl.DataFrame(
        {"title": [None, "", "ünknown"], "subreddit": [None, "new", "r1"], "length": [None, 1, 2], "when": [None, 0, 1]}
    )
    assert fitted.predict(strange)["prediction"].is_finite().all()
    assert fitted.predict(strange[:0]).height == 0


def test_numbers_below_zero_and_columns_without_texts(tmp_path: Path) -> None:
    table = posts(2_000).with_columns(change=pl.col("length") - 25 + pl.col("score") % 2)
    columns = sl.Columns(numbers=("length",), categories=("subreddit",))
    fitted = recipe(targets=("change",), columns=columns, metric="rmse").fit(table)
    told = fitted.predict(table)
    assert float(((told["prediction"] - table["change"]) ** 2).mean()) < 0.1 * float(table["change"].var())  # type: ignore[arg-type]


def test_training_with_a_patience_goes_on_from_its_folder(tmp_path: Path) -> None:
    plan = PLAN.model_copy(update={"patience": 1, "epochs": 30, "folder": str(tmp_path / "kept")})
    table = posts(400)
    fitted = recipe(network=NETWORK.model_copy(update={"training": plan})).fit(table)
    network = fitted.numbers["score"].network
    assert network is not None
    told = network.losses.filter(of="held out")
    assert 2 <= told.height < 30
    assert told["loss"].arg_min() == told.height - 2


def test_networks_of_several_targets_are_kept_apart(tmp_path: Path) -> None:
    plan = PLAN.model_copy(update={"epochs": 1, "folder": str(tmp_path / "kept")})
    table = posts(300).with_columns(comments=pl.col("length") % 7)
    columns = sl.Columns(texts=("title",), categories=("subreddit",))
    network = NETWORK.model_copy(update={"training": plan})
    recipe(targets=("score", "comments"), columns=columns, network=network).fit(table)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["comments", "score"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"network": None}, "neither trees nor a network"),
        ({"way": "tweedie", "metric": "rmse"}, "way = 'tweedie' is for trees"),
        ({"network": {"encoder_rate": 0}}, "greater than 0"),
    ],
)
def test_recipes_that_mean_nothing_are_told(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(**change)
