"""Item to item: scores and lists against a plain product, whatever the form of W and the size of what is asked."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shortlist.dataset.views import interactions
from shortlist.kernels.ordering import best_first, key, number_of, score_of, to_front, write_by_number
from shortlist.models import item_to_item
from shortlist.models.ease import EASE
from shortlist.models.item_knn import ItemKNN
from shortlist.models.item_to_item import lists, similar, strength
from shortlist.models.retrieval import Request
from shortlist.models.validation import RECENCY, hold_out
from worlds import World, tiny_data

NUMBERS = st.floats(-100, 100, width=32, allow_subnormal=False)


def made(queries: int, items: int, density: float, seed: int = 0) -> tuple[sparse.csr_array, np.ndarray]:
    """Histories and W of whole numbers, so that no order of addition changes a sum, and many scores tie."""
    random = np.random.default_rng(seed)
    history = np.where(random.random((queries, items)) < density, random.integers(1, 4, (queries, items)), 0)
    w = np.where(random.random((items, items)) < 0.5, random.integers(-3, 4, (items, items)), 0)
    return sparse.csr_array(history.astype(np.float32)), w.astype(np.float32)


def plain(
    history: sparse.csr_array,
    w: np.ndarray,
    k: int,
    barred: np.ndarray | None = None,
    allowed: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The lists by a product and a sort."""
    scores = history.toarray().astype(np.float64) @ w
    scores[scores == 0] = -np.inf
    if barred is not None:
        scores[barred] = -np.inf
    if allowed is not None:
        scores[:, np.setdiff1d(np.arange(scores.shape[1]), allowed)] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(np.isfinite(best), order, -1), best


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    ("queries", "items", "density"), [(40, 30, 0.3), (9, 200, 0.02), (300, 64, 0.5), (3, 129, 0.9)]
)
@pytest.mark.parametrize("k", [1, 7, 500])
def test_lists_are_the_largest_sums_and_ties_go_to_the_smaller_item(form, queries, items, density, k) -> None:
    history, w = made(queries, items, density)
    items_QK, scores_QK = lists(history, form(w), k)
    wanted_items, wanted_scores = plain(history, w, k)
    assert items_QK.shape == (queries, min(k, items))
    assert np.array_equal(items_QK, wanted_items)
    assert np.array_equal(scores_QK, wanted_scores)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_barred_and_forbidden_items_never_come_and_the_rest_moves_up(form) -> None:
    history, w = made(50, 90, 0.2)
    random = np.random.default_rng(1)
    barred, allowed = random.random((50, 90)) < 0.3, random.permutation(90)[:40]
    found = lists(history, form(w), 8, barred_BI=sparse.csr_array(barred), allowed=allowed)
    for one, other in zip(found, plain(history, w, 8, barred, allowed), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_lists_do_not_depend_on_what_else_is_asked(form, monkeypatch) -> None:
    random = np.random.default_rng(2)
    history = sparse.random_array((700, 150), density=0.2, rng=random, format="csr", dtype=np.float32)
    w = random.standard_normal((150, 150)).astype(np.float32)
    together = lists(history, form(w), 20)
    for rows in ([0], [699, 3], list(range(100, 400))):
        for one, other in zip(lists(history[rows], form(w), 20), together, strict=True):
            assert np.array_equal(one, other[rows])
    monkeypatch.setattr(item_to_item, "_QUERIES", 7)
    for one, other in zip(lists(history, form(w), 20), together, strict=True):
        assert np.array_equal(one, other)


def test_nobody_and_nothing_give_no_lists() -> None:
    none = sparse.csr_array((0, 5), dtype=np.float32)
    assert lists(none, np.zeros((5, 5), np.float32), 3)[0].shape == (0, 3)
    assert lists(sparse.csr_array((2, 0), dtype=np.float32), np.zeros((0, 0), np.float32), 3)[0].shape == (2, 0)
    assert (lists(sparse.csr_array((4, 5), dtype=np.float32), np.ones((5, 5), np.float32), 3)[0] == -1).all()


def test_a_history_speaks_by_the_logarithm_of_its_weights_and_by_recency() -> None:
    weights, newer = np.array([1, 1, 3, 7], np.float32), np.array([0, 4, 0, 2])
    assert strength(weights, newer, None).tolist() == [1, 1, 2, 3]
    assert strength(weights, newer, 2.0).tolist() == [1, 0.25, 2, 1.5]


def test_similar_items_are_the_largest_of_a_row_without_itself() -> None:
    w = np.array([[9, 2, 0, 5], [1, 9, 1, 0], [0, 0, 9, 0], [-1, 3, 0, 0]], np.float32)
    for form in (w, sparse.csr_array(w)):
        found = similar(np.array([3, 0, 2], np.int32), form, 2)
        assert found.rows() == [(3, 1, 3.0, 1), (3, 0, -1.0, 2), (0, 3, 5.0, 1), (0, 1, 2.0, 2)]
        assert found.columns == ["item", "similar", "score", "rank"]


ORDER = st.lists(st.tuples(NUMBERS, st.integers(0, 2**31 - 1)), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(ORDER, st.integers(1, 70))
def test_keys_are_in_the_order_of_scores_and_of_equal_ones_of_the_smaller_number(pairs, n) -> None:
    wanted = sorted(((np.float32(score) + 0, number) for score, number in pairs), key=lambda pair: (-pair[0], pair[1]))
    keys = np.array([key(np.float32(score), np.int32(number)) for score, number in pairs], dtype=np.int64)
    found = best_first(keys.copy(), len(keys), n)
    assert [(score_of(one), number_of(one)) for one in found] == wanted[:n]
    if n < len(keys):
        front = keys.copy()
        assert to_front(front, len(front), n) == found[-1]
        assert sorted(front[:n])[::-1] == list(found)
    numbers, scores = np.empty(len(keys), np.int32), np.empty(len(keys), np.float32)
    write_by_number(keys, len(keys), numbers, scores)
    assert numbers.tolist() == sorted(number for _, number in pairs)
    assert sorted(zip(numbers.tolist(), scores.tolist(), strict=True)) == sorted((n, s) for s, n in wanted)


RECIPES = {
    "ItemKNN": ItemKNN(neighbours=3, weighting="tfidf", shrinkage=1.0, recency=2.0),
    "EASE": EASE(regularization=5.0, recency=2.0),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_history_that_a_user_had_gives_the_list_that_the_user_gets(name: str, world: World) -> None:
    fitted = RECIPES[name].fit(world.data)
    users = np.arange(7, dtype=np.int32)
    told = {}
    for user, item, when, weight in world.rows:
        total, last = told.get((user, item), (0.0, -1))
        told[user, item] = (total + weight, max(last, when))
    rows = [
        (user + 100, item, weight, sum(u == user and later > when for (u, _), (_, later) in told.items()))
        for (user, item), (weight, when) in told.items()
    ]
    schema = {"user": pl.Int32, "item": pl.Int32, "weight": pl.Float32, "newer": pl.Int32}
    history = pl.DataFrame(rows, schema=schema, orient="row")
    known = fitted.retrieve(Request(users, 5))
    strangers = fitted.retrieve(Request(np.concatenate([users + 100, [3]]).astype(np.int32), 5, history=history))
    assert not known.is_empty()
    assert strangers.filter(pl.col("user") >= 100).with_columns(pl.col("user") - 100).equals(known)
    assert strangers.filter(pl.col("user") == 3).equals(known.filter(pl.col("user") == 3))


def test_settings_that_nobody_named_are_chosen_from_the_options_and_named_in_the_model(world: World) -> None:
    recipe = ItemKNN(neighbours=4).fit(world.data).recipe
    assert recipe.weighting in {"cosine", "tfidf", "bm25"}
    assert recipe.shrinkage != "auto"
    assert recipe.recency in RECENCY
    assert ItemKNN(shrinkage=2.5, neighbours=4).fit(world.data).recipe.shrinkage == 2.5


def test_what_cannot_be_chosen_by_trial_is_what_the_search_starts_from() -> None:
    data = tiny_data([(0, 1, 5, 1.0), (1, 2, 6, 1.0)])
    assert EASE().fit(data).recipe == EASE(regularization=100.0, recency=None)


def test_without_times_there_is_no_recency_to_choose() -> None:
    random = np.random.default_rng(0)
    data = tiny_data([(user, int(item), 0, 1.0) for user in range(7) for item in random.permutation(5)[:4]])
    assert ItemKNN().fit(data).recipe.recency is None


def test_trials_are_of_the_items_that_most_met(world: World) -> None:
    seen = interactions(world.data)
    held = hold_out(world.data, seen)
    assert held is not None
    users_I = (held.train_UI.toarray() > 0).sum(axis=0)
    kept = np.sort(np.argsort(-users_I, kind="stable")[:3])
    few = item_to_item._of_popular(held, 3)
    for name in ("train_UI", "history_QI", "newer_QI", "truth_QI"):
        assert np.array_equal(getattr(few, name).toarray(), getattr(held, name).toarray()[:, kept])
    assert np.array_equal(few.newer_QI.indices, few.history_QI.indices)
    assert item_to_item._of_popular(held, 6) is held
