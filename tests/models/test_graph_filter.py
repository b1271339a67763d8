"""GraphFilter: the filter against its definition in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shortlist.models.graph_filter import GraphFilter, filtered
from shortlist.models.retrieval import Request
from worlds import TINY_EVENTS, World, check_answers_are_of_what_was_met, tiny_data


def matrix(users: int, items: int, density: float, seed: int = 0) -> sparse.csr_array:
    random = np.random.default_rng(seed)
    return sparse.csr_array((random.random((users, items)) < density).astype(np.float32))


def plain_filter(x: np.ndarray, power: float, order: int) -> np.ndarray:
    users, items = np.maximum(x.sum(axis=1), 1), np.maximum(x.sum(axis=0), 1)
    r = x / np.sqrt(users)[:, None] / np.sqrt(items)
    p = (r.T @ r) ** power
    return p if order == 1 else 2 * p - p @ p


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("users", "items"), [(30, 20), (90, 600)])
def test_the_filter_is_what_its_definition_says(power: float, order: int, users: int, items: int) -> None:
    x = matrix(users, items, 0.1)
    found = filtered(GraphFilter(order=order, power=power), x)
    assert np.allclose(found, plain_filter(x.toarray().astype(np.float64), power, order), rtol=1e-4, atol=1e-5)


def test_beyond_the_limit_the_largest_others_of_order_one_are_kept() -> None:
    x = matrix(50, 30, 0.2)
    w = filtered(GraphFilter(order=1, power=0.7, limit=0, neighbours=4), x).toarray()
    every = plain_filter(x.toarray().astype(np.float64), 0.7, 1)
    np.fill_diagonal(every, 0)
    for item in range(30):
        there = np.flatnonzero(w[item])
        assert len(there) == min(4, (every[item] > 0).sum())
        assert np.allclose(w[item, there], every[item, there], rtol=1e-5)
        assert every[item, there].min() >= np.sort(every[item])[-len(there)] - 1e-9


def test_a_signal_is_filtered(world: World) -> None:
    fitted = GraphFilter(order=2, power=1.0, recency=None).fit(world.data)
    weight = np.zeros((8, 6))
    for user, item, _, how_much in world.rows:
        weight[user, item] += how_much
    scores = np.log2(1 + weight) @ plain_filter((weight > 0).astype(np.float64), 1.0, 2)
    found = fitted.retrieve(Request(np.arange(9, dtype=np.int32), 6))
    assert found.height == 7 * 5
    for user, item, score, _ in found.rows():
        assert score == pytest.approx(scores[user, item], rel=1e-4)


@settings(max_examples=30, deadline=None)
@given(TINY_EVENTS, st.sampled_from([0, 20_000]), st.sampled_from([1, 2]))
def test_no_events_break_it(rows, limit, order) -> None:
    recipe = GraphFilter(limit=limit, order=order)
    found = recipe.fit(tiny_data(rows)).retrieve(Request(np.arange(9, dtype=np.int32), 6))
    check_answers_are_of_what_was_met(found, rows)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (0, 4), (3, 0)])
@pytest.mark.parametrize("limit", [0, 100])
def test_one_user_one_item_and_none_are_no_trouble(shape: tuple[int, int], limit: int) -> None:
    w = filtered(GraphFilter(order=1, power=1.0, limit=limit), sparse.csr_array(np.ones(shape, np.float32)))
    assert w.shape == (shape[1], shape[1])
