"""What every retriever must do, over all that a recipe may name. A new one joins by a line in `RECIPES`."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from shortlist import store
from shortlist.config import read_toml, to_toml
from shortlist.dataset.dataset import Dataset
from shortlist.models import KINDS, AnyRetriever, source_names
from shortlist.models.als import ALS
from shortlist.models.bpr import BPR
from shortlist.models.covisit import CoVisit
from shortlist.models.ease import EASE
from shortlist.models.graph_filter import GraphFilter
from shortlist.models.item_knn import ItemKNN
from shortlist.models.matrix_factorization import MatrixFactorization
from shortlist.models.next import Next
from shortlist.models.popular import Popular
from shortlist.models.repurchase import Repurchase
from shortlist.models.retrieval import Request
from shortlist.models.same_attribute import SameAttribute
from shortlist.models.text_encoders import NGrams
from shortlist.models.text_match import TextMatch
from shortlist.models.text_search import TextSearch
from shortlist.models.user_knn import UserKNN
from shortlist.pipeline import FittedPipeline, Pipeline
from shortlist.tables import samples
from shortlist.training.plan import Training

QUICK = Training(epochs=2, batch_size=128)
RECIPES: dict[str, Any] = {
    "popular": Popular(),
    "popular of an age": Popular(by="age", window=None),
    "repurchase": Repurchase(),
    "covisit": CoVisit(window="7d"),
    "covisit forward": CoVisit(window="3d", direction="forward", decay=None),
    "same_attribute": SameAttribute(column="type"),
    "user_knn": UserKNN(),
    "item_knn": ItemKNN(),
    "item_knn bm25": ItemKNN(neighbours=5, weighting="bm25", shrinkage=2.0, recency=3.0),
    "ease": EASE(),
    "ease of neighbours": EASE(limit=5, support=6, regularization=5.0),
    "graph_filter": GraphFilter(),
    "graph_filter of neighbours": GraphFilter(limit=5, neighbours=6, power=0.7),
    "als": ALS(factors=8),
    "als linear": ALS(factors=40, confidence="linear", frequency=0, unobserved=0.1, regularization=1.0),
    "bpr": BPR(factors=8, iterations=5),
    "matrix_factorization": MatrixFactorization(factors=8, negatives=16, training=Training(epochs=5)),
    "matrix_factorization by pairs": MatrixFactorization(
        factors=4, loss="bpr", negatives=8, half_life="30d", training=Training(epochs=2, learning_rate="auto")
    ),
    "next": Next(factors=8, hidden=16, length=20, training=QUICK),
    "next by attention": Next(
        network="sasrec", factors=8, layers=2, ahead=3, loss="gbce", negatives=10, training=QUICK
    ),
    "next by hidden layers": Next(
        network="mlp", factors=8, hidden=16, length=5, loss="focal", places="last", attributes=(), training=QUICK
    ),
    "text_search": TextSearch(),
    "text_search by bm25": TextSearch(weighting="bm25", shortest=3, longest=3),
    "text_search of neighbours": TextSearch(neighbours=5),
    "text_match": TextMatch(encoder=NGrams(factors=8, buckets=500), negatives=8, near=1, training=QUICK),
    "next of the batch": Next(factors=8, hidden=16, loss="softmax", negatives="batch", tied=False, training=QUICK),
}
ANSWERS_STRANGERS = {"popular", "popular of an age"}
ASKS_NO_EVENTS = {"text_search", "text_search by bm25", "text_match"}
COLLABORATIVE = {
    "covisit": CoVisit(window="60d"),
    "user_knn": UserKNN(),
    "item_knn": ItemKNN(),
    "ease": EASE(),
    "graph_filter": GraphFilter(),
    "als": ALS(factors=8),
    "bpr": BPR(factors=8),
    "matrix_factorization": MatrixFactorization(factors=8),
}

USERS, ITEMS = 30, 24
STRANGER = USERS + 1


@pytest.fixture(scope="module")
def data() -> Dataset:
    """A shop where the last user has no event and the last item no buyer."""
    made = samples.shop(users=USERS - 1, items=ITEMS - 1, days=40, seed=4)
    items = pl.concat([made.items, pl.DataFrame({"item_id": ["z"], "type": ["type 0"], "price": [1.0]})])
    users = pl.concat([made.users, pl.DataFrame({"user_id": ["z"], "age": ["old"]})])
    items = items.with_columns(about=_said(items["item_id"], "a thing of"))
    users = users.with_columns(wish=_said(users["user_id"], "some thing with"))
    return Dataset.read(made.events, items, users)


def _said(ids: pl.Series, start: str) -> pl.Series:
    """A text for each but the one that has no events."""
    words = ["wool", "oak", "clay", "iron", "glass"]
    texts = [f"{start} {words[n % 5]} and {words[n % 3]}" for n in range(len(ids))]
    return pl.Series([None if name == "z" else text for name, text in zip(ids, texts, strict=True)])


@pytest.fixture(scope="module", params=RECIPES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fitted(name: str, data: Dataset) -> Any:
    return RECIPES[name].fit(data)


@pytest.fixture(scope="module")
def alone(name: str, data: Dataset) -> FittedPipeline:
    """A pipeline of this retriever alone."""
    return Pipeline(retrievers=(RECIPES[name],), filter_seen=False).fit(data)


EVERYBODY = np.arange(USERS + 2, dtype=np.int32)


def ask(fitted: Any, k: int = 7, users: np.ndarray = EVERYBODY, **limits: Any) -> pl.DataFrame:
    answer: pl.DataFrame = fitted.retrieve(Request(users, k, **limits))
    return answer.sort("user", "rank")


def equal(one: Any, other: Any) -> bool:
    """Whether two fitted things agree to the bit."""
    if isinstance(one, pl.DataFrame):
        return one.equals(other) and one.schema == other.schema
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, sparse.csr_array):
        return all(equal(getattr(one, part), getattr(other, part)) for part in ("indptr", "indices", "data"))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if is_dataclass(one):
        return all(equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    return bool(one == other)


def test_every_retriever_that_a_recipe_may_name_is_here() -> None:
    union = set(get_args(get_args(AnyRetriever)[0]))
    assert {type(recipe) for recipe in RECIPES.values()} == union
    assert {kind.__name__ for kind in union} <= KINDS.keys()


def test_answers_have_their_columns_and_ranks_from_one_without_gaps(fitted: Any) -> None:
    found = ask(fitted)
    assert found.schema == {"user": pl.Int32, "item": pl.Int32, "score": pl.Float64, "rank": pl.Int32}
    for ranks in found.group_by("user").agg("rank")["rank"]:
        assert ranks.to_list() == list(range(1, len(ranks) + 1))
        assert len(ranks) <= 7


def test_scores_never_rise_and_ties_go_to_the_smaller_item(fitted: Any) -> None:
    found = ask(fitted, k=100)
    assert found["score"].is_finite().all()
    assert found.equals(found.sort(["user", "score", "item"], descending=[False, True, False]))


def test_no_pair_comes_twice(fitted: Any) -> None:
    assert ask(fitted, k=100).select("user", "item").is_unique().all()


def test_a_list_longer_than_the_catalogue_has_every_item_at_most_once(fitted: Any) -> None:
    found = ask(fitted, k=10 * ITEMS)
    assert found.group_by("user").len()["len"].to_numpy().max() <= ITEMS
    assert found["item"].is_between(0, ITEMS - 1).all()


@pytest.mark.parametrize("k", [1, 3])
def test_a_shorter_list_is_the_head_of_a_longer_one(fitted: Any, k: int) -> None:
    longer = ask(fitted, k=100)
    assert ask(fitted, k=k).equals(longer.filter(pl.col("rank") <= k))


def test_a_batch_is_answered_as_one_by_one(fitted: Any) -> None:
    alone = [ask(fitted, users=np.array([user], dtype=np.int32)) for user in EVERYBODY]
    assert pl.concat(alone).equals(ask(fitted))


def test_the_order_of_users_changes_no_list(fitted: Any) -> None:
    assert ask(fitted, users=EVERYBODY[::-1].copy()).equals(ask(fitted))


def test_nobody_is_answered_with_nothing(fitted: Any) -> None:
    nothing = ask(fitted, users=np.array([], dtype=np.int32))
    assert nothing.is_empty()
    assert nothing.schema == ask(fitted).schema


def test_excluded_pairs_never_come_and_the_rest_moves_up(fitted: Any) -> None:
    everything = ask(fitted, k=100)
    exclude = everything.filter((pl.col("rank") % 2 == 1) & (pl.col("user") % 3 > 0)).select("user", "item")
    left = everything.join(exclude, on=["user", "item"], how="anti").sort("user", "rank")
    left = left.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user"))
    assert ask(fitted, k=5, exclude=exclude).equals(left.filter(pl.col("rank") <= 5))


def test_only_allowed_items_come_and_all_of_them(fitted: Any) -> None:
    items = np.array([1, 4, 5, 11, ITEMS - 1], dtype=np.int32)
    left = ask(fitted, k=100).filter(pl.col("item").is_in(items.tolist()))
    left = left.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user"))
    assert ask(fitted, k=3, items=items).equals(left.filter(pl.col("rank") <= 3))
    assert ask(fitted, items=items[:0]).is_empty()


def test_strangers_and_users_without_events_are_answered_by_the_stated_rule(name: str, fitted: Any) -> None:
    found = ask(fitted)
    for user in (USERS - 1, USERS, STRANGER):
        assert found.filter(pl.col("user") == user).is_empty() == (name not in ANSWERS_STRANGERS)
    strangers = [found.filter(pl.col("user") == user).drop("user") for user in (USERS, STRANGER)]
    assert strangers[0].equals(strangers[1])


def test_those_who_have_a_history_are_answered(fitted: Any) -> None:
    assert set(range(USERS - 1)) <= set(ask(fitted)["user"])


def test_the_same_data_give_the_same_bits(name: str, fitted: Any, data: Dataset) -> None:
    assert equal(RECIPES[name].fit(data), fitted)


def test_events_at_and_after_the_moment_change_nothing(name: str, data: Dataset) -> None:
    moment = data.as_of - 10 * 86_400_000_000
    e = data.events
    honest = data.before(moment)
    planted = data.engine.keep(
        e.filter(e.timestamp < moment).union(
            # What came later, thrice as heavy and at the moment itself too.
            e.filter(e.timestamp >= moment).mutate(weight=e.weight * 3),
            e.filter(e.timestamp >= moment).mutate(timestamp=e.timestamp * 0 + moment),
        )
    )
    leaky = Dataset(**{**vars(data), "events": planted}).before(moment)
    assert equal(RECIPES[name].fit(honest), RECIPES[name].fit(leaky))


def test_a_history_that_is_told_is_answered_as_the_same_one_that_was_learnt(fitted: Any, data: Dataset) -> None:
    if not getattr(fitted, "folds_in", False) or not hasattr(fitted, "item_factors"):
        return
    e = data.events
    summed = e.group_by("user", "item").aggregate(weight=e.weight.sum(), moment=e.timestamp.max())
    pairs = data.engine.frame(summed.order_by("user", "item"))
    later = pl.col("moment").rank("min", descending=True).over("user") - 1
    theirs = pairs.select("user", "item", pl.col("weight").cast(pl.Float32), newer=later.cast(pl.Int32))
    known = ask(fitted, k=100, users=np.array([3], dtype=np.int32)).drop("user")
    for user in (5, STRANGER):
        told = theirs.filter(user=3).with_columns(user=pl.lit(user, dtype=pl.Int32))
        found = ask(fitted, k=100, users=np.array([4, user], dtype=np.int32), history=told)
        assert found.filter(user=user).drop("user").equals(known)
        assert found.filter(user=4).equals(ask(fitted, k=100, users=np.array([4], dtype=np.int32)))


def test_likenesses_are_of_other_things_and_fall(fitted: Any) -> None:
    for name in ("items", "users"):
        if not hasattr(fitted, f"similar_{name}"):
            continue
        found = getattr(fitted, f"similar_{name}")(np.arange(5, dtype=np.int32), 4)
        assert found.columns == [name[:-1], "similar", "score", "rank"]
        assert (found[name[:-1]] != found["similar"]).all()
        assert found.equals(found.sort([name[:-1], "rank"]))
        assert found.equals(found.sort([name[:-1], "score"], descending=[False, True], maintain_order=True))


def test_without_events_there_is_nothing_to_answer(name: str, data: Dataset) -> None:
    assert ask(RECIPES[name].fit(data.before(0))).is_empty() == (name not in ASKS_NO_EVENTS)


def test_what_is_stored_answers_as_before(fitted: Any, tmp_path: Path) -> None:
    with store.replacing(tmp_path / "run") as (contents, manifest):
        manifest["model"] = store.write(contents / "model", fitted)
    again = store.read(store.contents_of(tmp_path / "run") / "model", store.manifest(tmp_path / "run")["model"], KINDS)
    assert equal(again, fitted)
    assert ask(again).equals(ask(fitted))


def test_a_recipe_survives_toml(name: str, tmp_path: Path) -> None:
    place = tmp_path / "recipe.toml"
    place.write_text(to_toml(RECIPES[name]))
    assert read_toml(type(RECIPES[name]), place) == RECIPES[name]


def test_a_recipe_has_a_name_as_a_source(name: str) -> None:
    recipe = RECIPES[name]
    first, second = source_names([recipe, recipe])
    assert first.startswith(recipe.kind)
    assert second == f"{first}_2"


def test_ids_come_back_in_the_callers_type(alone: FittedPipeline, data: Dataset) -> None:
    found = alone.recommend(data.user_ids.ids, k=3)
    assert found.schema["user_id"] == found.schema["item_id"] == pl.String
    assert found["item_id"].is_in(data.item_ids.ids.implode()).all()


def test_seen_items_never_come_where_they_are_filtered(alone: FittedPipeline, data: Dataset) -> None:
    found = alone.recommend(data.user_ids.ids, k=ITEMS, filter_seen=True)
    assert found.join(data.pairs(), on=["user_id", "item_id"], how="semi").is_empty()


@pytest.mark.parametrize("name", COLLABORATIVE, scope="module")
def test_the_missing_square_of_a_checkerboard_is_found(name: str) -> None:
    data = Dataset.read(samples.checkerboard(24, 16, holes=1))
    fitted = Pipeline(retrievers=(COLLABORATIVE[name],), filter_seen=True).fit(data)
    found = fitted.recommend(data.user_ids.ids, k=1)
    wanted = samples.missing_squares(24, 16, holes=1)
    assert found.select("user_id", "item_id").sort("user_id").equals(wanted.sort("user_id"))
