"""Heads: projections of vectors, and who stands around a user in a tree and what their texts add."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from encoders import tiny
from shortlist import pipeline
from shortlist.config import parse
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.texts import Text
from shortlist.errors import ColumnError, ConfigError
from shortlist.memory_needs import memory_report
from shortlist.models.heads import AT_MOST, FittedHeads, Relation, relatives_of
from shortlist.models.pretrained import Pretrained
from shortlist.models.retrieval import Request
from shortlist.models.text_encoders import NGrams
from shortlist.models.text_match import FittedTextMatch, TextMatch
from shortlist.nn.texts import Heads
from shortlist.pipeline import Pipeline
from shortlist.training.plan import Training

RELATIONS = ("parent", "siblings", "children")
THEMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")


@given(st.lists(st.one_of(st.none(), st.integers(0, 11)), max_size=12))
def test_relatives_are_those_of_the_tree(parents: list[int | None]) -> None:
    above = pl.DataFrame({"id": range(len(parents)), "parent": parents}, schema={"id": pl.Int64, "parent": pl.Int64})
    found = relatives_of(above, RELATIONS)
    assert found.shape == (3, len(parents), AT_MOST)
    for user, parent in enumerate(parents):
        known = parent is not None and parent < len(parents)
        wanted = (
            [parent] if known else [],
            [other for other, its in enumerate(parents) if other != user and its == parent] if known else [],
            [other for other, its in enumerate(parents) if its == user],
        )
        for relation, those in enumerate(wanted):
            mine = found[relation, user]
            assert mine[mine >= 0].tolist() == those[:AT_MOST]
            assert (mine[len(those[:AT_MOST]) :] == -1).all()


def test_a_hundred_thousand_siblings_are_not_paired_with_each_other() -> None:
    above = pl.DataFrame({"id": range(100_001), "parent": [None, *[0] * 100_000]})
    found = relatives_of(above, ("siblings",))
    assert found[0, 50_000].tolist() == [1, 2, 3, 4]
    assert found[0, 2].tolist() == [1, 3, 4, 5]


@pytest.mark.parametrize(("projections", "relations"), [(1, 2), (0, 2), (1, 0)])
def test_the_network_and_what_is_kept_of_it_say_the_same(projections: int, relations: int) -> None:
    random = np.random.default_rng(3)
    own = random.normal(size=(30, 6)).astype(np.float32)
    own /= np.linalg.norm(own, axis=1)[:, None]
    own[[4, 11]] = 0  # these two have no text
    places = random.integers(-1, 30, size=(relations, 30, AT_MOST))
    net = Heads(torch.nn.Identity(), 6, projections, relations)
    for weight in net.parameters():
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        users = net.users(torch.from_numpy(own), torch.arange(30), torch.from_numpy(places)).numpy()
        items = net.items(torch.from_numpy(own)).numpy()
    kept = FittedHeads(*(weight.detach().numpy() for weight in (net.user, net.item, net.relation)), own)
    found, some = kept.users(own, places.astype(np.int32)), own.any(axis=1)
    assert found[some] == pytest.approx(users[some], abs=1e-5)
    assert kept.items(own)[some] == pytest.approx(items[some], abs=1e-5)
    assert not found[~some].any()
    assert not kept.items(own)[~some].any()
    slow = own[0].copy()  # the formula, word for word
    if projections:
        slow += own[0] @ kept.user_PDD[0]
    for relation in range(relations):
        those = [own[place] for place in places[relation, 0] if place >= 0 and own[place].any()]
        slow += np.mean(those, axis=0) @ kept.relation_RDD[relation]
    assert found[0] == pytest.approx(slow / np.linalg.norm(slow), abs=1e-5)
    assert kept.users(own, places[:, 20:].astype(np.int32)) == pytest.approx(found[20:], abs=1e-6)


def curriculum() -> Dataset:
    """Topics whose own titles say nothing: what belongs to them only the title of the parent tells."""
    random = np.random.default_rng(1)
    roots = [f"root {theme}" for theme in THEMES]
    leaves = [(f"leaf {n}", f"part {random.integers(1000)}", THEMES[n % 6]) for n in range(120)]
    users = pl.DataFrame(
        {
            "user_id": roots + [name for name, _, _ in leaves],
            "title": [*THEMES, *(title for _, title, _ in leaves)],
            "parent_id": [None] * 6 + [f"root {theme}" for _, _, theme in leaves],
        }
    )
    items = pl.DataFrame(
        {"item_id": [f"item {n}" for n in range(60)], "title": [f"about {THEMES[n % 6]} {n}" for n in range(60)]}
    )
    events = pl.DataFrame(
        [(name, f"item {6 * k + n % 6}") for n, (name, _, _) in enumerate(leaves[:90]) for k in range(10)],
        schema=["user_id", "item_id"],
        orient="row",
    )
    return Dataset.read(events, items, users)


RECIPE = TextMatch(
    users=Text(ancestors=0),
    encoder=NGrams(factors=32, buckets=4096),
    negatives=0,
    relatives=("parent",),
    training=Training(epochs=6, batch_size=64, learning_rate=0.02, weight_decay=0.0, epsilon=1e-8),
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return curriculum()


@pytest.fixture(scope="module")
def fitted(data: Dataset) -> FittedTextMatch:
    return RECIPE.fit(data)


def share_found(fitted: FittedTextMatch, data: Dataset, users: np.ndarray) -> float:
    """The share of the first ten that are of the theme of the user's parent."""
    found = fitted.retrieve(Request(users, 10))
    names = data.user_ids.originals(found["user"]), data.item_ids.originals(found["item"])
    themes = [int(str(name).split()[1]) % 6 for name in names[0]], [int(str(name).split()[1]) % 6 for name in names[1]]
    return float(np.mean(np.array(themes[0]) == np.array(themes[1])))


def test_what_only_the_parent_tells_is_learnt(fitted: FittedTextMatch, data: Dataset) -> None:
    strangers = data.user_ids.numbers(pl.Series([f"leaf {n}" for n in range(90, 120)]))
    alone = RECIPE.model_copy(update={"relatives": ()}).fit(data)
    assert alone.heads is None
    assert share_found(alone, data, strangers) < 0.4
    assert share_found(fitted, data, strangers) > 0.9
    start = RECIPE.fit(data.before(0))
    assert start.heads is not None
    assert start.user_factors == pytest.approx(start.heads.own, abs=1e-6)


def test_a_later_user_stands_beside_its_parent(fitted: FittedTextMatch, data: Dataset) -> None:
    table = data.engine.frame(data.users.order_by("user")).drop("user")
    twin = table.filter(user_id="leaf 100").with_columns(user_id=pl.lit("new"))
    place = data.user_ids.numbers(pl.Series(["leaf 100"]))[0]
    longer = fitted.with_users(twin)
    assert longer.user_factors[-1] == pytest.approx(fitted.user_factors[place], abs=1e-6)
    assert np.array_equal(longer.user_factors[:-1], fitted.user_factors)
    orphan = fitted.with_users(twin.with_columns(parent_id=pl.lit(None, pl.String)))
    assert orphan.user_factors[-1] == pytest.approx(fitted.heads.own[place], abs=1e-6)  # type: ignore[union-attr]


def test_what_is_stored_knows_relatives(data: Dataset, tmp_path: Path) -> None:
    kept = Pipeline(retrievers=(RECIPE,), filter_seen=False).fit(data)
    kept.save(tmp_path / "kept")
    again = pipeline.load(tmp_path / "kept")
    told = pl.DataFrame({"user_id": ["new"], "title": ["part 7"], "parent_id": ["root gamma"]})
    lists = [one.with_users(told).recommend(["new"], 10) for one in (kept, again)]
    assert lists[0].equals(lists[1])
    assert [int(str(name).split()[1]) % 6 for name in lists[0]["item_id"]] == [2] * 10


PLAN = Training(epochs=40, batch_size=64, learning_rate=0.02, weight_decay=0.0, epsilon=1e-8)
FROZEN = Pretrained(folder=str(tiny()), cache="none", precision="32")


def pairs_of_words() -> Dataset:
    """A user's word and an item's word belong together by a table that nobody told the encoder of."""
    words = ["cab", "dog", "elm", "fig", "gum", "hut", "ink", "jam"]
    users = pl.DataFrame({"user_id": range(80), "title": [f"{words[n % 8]} {'abcdefghij'[n // 8]}" for n in range(80)]})
    items = pl.DataFrame({"item_id": range(40), "title": [f"{words[7 - n % 8]} {'qrstu'[n // 8]}" for n in range(40)]})
    met = [(user, item) for user in range(64) for item in range(40) if item % 8 == user % 8]
    return Dataset.read(pl.DataFrame(met, schema=["user_id", "item_id"], orient="row"), items, users)


def share_of_its_word(fitted: FittedTextMatch) -> float:
    """The share of the first five that belong to users who were not learnt from."""
    found = fitted.retrieve(Request(np.arange(64, 80, dtype=np.int32), 5))
    return float((found["user"] % 8 == found["item"] % 8).mean())  # type: ignore[arg-type]


@pytest.mark.parametrize("relatives", [(), ("siblings",)])
def test_a_projection_learns_on_an_encoder_that_does_not(relatives: tuple[Relation, ...], tmp_path: Path) -> None:
    data = pairs_of_words()
    if relatives:
        users = data.engine.frame(data.users).drop("user").with_columns(parent_id=pl.lit(None, pl.Int64))
        data = Dataset.read(data.pairs(), data.engine.frame(data.items).drop("item"), users)
    recipe = TextMatch(encoder=FROZEN, projection=True, relatives=relatives, negatives=0, training=PLAN)
    fitted = recipe.fit(data)
    start = recipe.fit(data.before(0))
    plain = TextMatch(encoder=FROZEN).fit(data)
    assert start.user_factors == pytest.approx(plain.user_factors, abs=1e-6)
    assert start.item_factors == pytest.approx(plain.item_factors, abs=1e-6)
    assert fitted.losses["loss"][-1] < fitted.losses["loss"][0] / 2
    assert share_of_its_word(fitted) > share_of_its_word(plain) + 0.5
    assert fitted.heads is not None
    assert len(fitted.heads.own) == (80 if relatives else 0)
    again = recipe.fit(data)
    assert np.array_equal(again.user_factors, fitted.user_factors)
    later = fitted.with_users(pl.DataFrame({"user_id": [900], "title": ["dog b"]}))
    later = later.with_items(pl.DataFrame({"item_id": [900], "title": ["ink q"]}))
    assert later.user_factors[-1] == pytest.approx(fitted.user_factors[9], abs=1e-5)
    assert later.item_factors[-1] == pytest.approx(fitted.item_factors[1], abs=1e-5)
    kept = Pipeline(retrievers=(recipe,), filter_seen=False).fit(data)
    kept.save(tmp_path / "kept")
    assert pipeline.load(tmp_path / "kept").recommend(range(80), 5).equals(kept.recommend(range(80), 5))


def test_a_projection_is_counted() -> None:
    data = pairs_of_words()
    told = memory_report(TextMatch(encoder=FROZEN, projection=True), data)
    assert told.weights == 2 * 16**2
    assert told.rows == len(data.pairs())
    with pytest.raises(ConfigError, match="or projection=True"):
        memory_report(TextMatch(encoder=FROZEN), data)


def test_without_a_tree_there_are_no_relatives(data: Dataset) -> None:
    flat = data.engine.frame(data.users).drop("user", "parent_id")
    without = Dataset.read(data.pairs(), data.engine.frame(data.items).drop("item"), flat)
    with pytest.raises(ColumnError, match="relatives take a tree"):
        RECIPE.fit(without)
    with pytest.raises(ConfigError, match="siblings"):
        parse(TextMatch, {"relatives": ["cousins"]})
