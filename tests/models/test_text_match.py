"""TextMatch: an encoder that learns from pairs, on a made-up curriculum."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.folds import Tree, k_fold
from shortlist.dataset.split import Split
from shortlist.models.retrieval import Request
from shortlist.models.text_encoders import NGrams
from shortlist.models.text_match import FittedTextMatch, TextMatch
from shortlist.tables import samples
from shortlist.training.plan import Training

RECIPE = TextMatch(
    encoder=NGrams(factors=32, buckets=4096),
    negatives=64,
    training=Training(epochs=8, batch_size=128, learning_rate=0.02, weight_decay=0.0, epsilon=1e-8),
)


@pytest.fixture(scope="module")
def split() -> Split:
    made = samples.curriculum(topics=200, contents=600, pairs=800, seed=5)
    return k_fold(Dataset.read(made.events, made.items, made.users), 4, by=Tree(depth=2), keep_items=True)[0]


@pytest.fixture(scope="module")
def fitted(split: Split) -> FittedTextMatch:
    return RECIPE.fit(split.train)


def recall(fitted: FittedTextMatch, split: Split, k: int = 10) -> float:
    """The mean share of a held-out user's items among the first `k`."""
    truth = split.test.engine.frame(split.test.events.select("user", "item").distinct())
    users = truth["user"].unique().sort().to_numpy()
    hits = fitted.retrieve(Request(users, k)).join(truth.with_columns(hit=1), on=["user", "item"])
    each = truth.group_by("user").len().join(hits.group_by("user").agg(pl.col("hit").sum()), on="user", how="left")
    return float(each.select((pl.col("hit").fill_null(0) / pl.col("len")).mean()).item())


def test_training_finds_what_belongs_to_users_it_has_not_seen(fitted: FittedTextMatch, split: Split) -> None:
    # Words of a topic and of its parent say what belongs there, others nothing: the start holds them all alike.
    start = RECIPE.fit(split.train.before(0))
    assert start.losses.is_empty()
    assert fitted.losses["loss"][-1] < fitted.losses["loss"][0]
    assert recall(fitted, split) > recall(start, split) + 0.05


def test_vectors_are_of_length_one_and_only_one_kind_is_answered(fitted: FittedTextMatch, split: Split) -> None:
    for vectors in (fitted.user_factors, fitted.item_factors):
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(vectors)), abs=1e-5)
    everybody = np.arange(len(fitted.user_factors), dtype=np.int32)
    found = fitted.retrieve(Request(everybody, 1_000))
    languages = [
        split.train.engine.frame(table.order_by(name))["language"].to_list()
        for name, table in (("user", split.train.users), ("item", split.train.items))
    ]
    assert all(languages[0][user] == languages[1][item] for user, item, _, _ in found.iter_rows())
    assert found.height == sum(languages[1].count(language) for language in languages[0])
    scores = fitted.user_factors @ fitted.item_factors.T
    assert found["score"].to_numpy() == pytest.approx(scores[found["user"], found["item"]], abs=1e-5)


def test_what_comes_later_is_read_as_what_was_there(fitted: FittedTextMatch, split: Split) -> None:
    users = split.train.engine.frame(split.train.users.order_by("user"))
    child = users.filter(pl.col("parent_id").is_not_null()).tail(1)
    twin = child.with_columns(user_id=pl.lit("new")).drop("user")
    longer = fitted.with_users(twin)
    assert longer.user_factors[-1] == pytest.approx(fitted.user_factors[child["user"].item()], abs=1e-6)
    items = split.train.engine.frame(split.train.items.order_by("item")).head(1)
    known = longer.with_items(items.drop("item").with_columns(item_id=pl.lit("new")))
    assert known.item_factors[-1] == pytest.approx(fitted.item_factors[0], abs=1e-6)
    asked = np.array([len(users)], dtype=np.int32)
    mine = fitted.retrieve(Request(child["user"].to_numpy().astype(np.int32), 5)).drop("user")
    assert longer.retrieve(Request(asked, 5))["item"].to_list() == mine["item"].to_list()


def test_before_training_a_score_is_about_that_of_tf_idf(split: Split) -> None:
    wide = NGrams(factors=2_000, buckets=2**16)
    start = RECIPE.model_copy(update={"encoder": wide}).fit(split.train.before(0))
    recipe = start.recipe
    items = split.train.engine.frame(split.train.items.order_by("item"))
    bags = wide.read(recipe.items.of(items, start.above_items), recipe.kinds(items), "item").matrix
    met = np.bincount(bags.indices, minlength=wide.buckets)
    weighed = bags.multiply(1 + np.log((1 + len(items)) / (1 + met))[None, :]).tocsr()
    unit = weighed / np.sqrt(weighed.multiply(weighed).sum(axis=1))[:, None]
    exact = (unit @ unit.T).toarray()
    about = start.item_factors @ start.item_factors.T
    assert np.abs(exact - about).max() < 0.12


def test_each_round_begins_with_the_misses_that_are_near_by_then(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    from shortlist.models import text_match

    found: list[np.ndarray] = []
    near = text_match._near

    def seen(start: FittedTextMatch, met_UI: object) -> np.ndarray:
        found.append(near(start, met_UI))  # type: ignore[arg-type]
        return found[-1]

    monkeypatch.setattr(text_match, "_near", seen)
    recipe = RECIPE.model_copy(update={"near": 2, "rounds": 2})
    fitted = recipe.fit(split.train)
    assert len(found) == 2
    assert not np.array_equal(*found)
    once = recipe.model_copy(update={"rounds": 1}).fit(split.train)
    steps = once.losses["step"].max()
    assert fitted.losses["step"].max() == 2 * steps  # type: ignore[operator]
    assert fitted.losses.filter(pl.col("step") <= steps).equals(once.losses)
    # What is looked for again is what the network of the first round finds.
    assert np.array_equal(found[1], near(once, text_match.interactions(split.train)))
    with pytest.raises(ValueError, match="rounds look for near misses again"):
        TextMatch(rounds=2)


def test_rounds_are_kept_apart(split: Split, tmp_path: Path) -> None:
    plan = RECIPE.training.model_copy(update={"folder": str(tmp_path), "epochs": 1})  # type: ignore[union-attr]
    RECIPE.model_copy(update={"near": 1, "rounds": 2, "training": plan}).fit(split.train)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["round-1", "round-2"]
