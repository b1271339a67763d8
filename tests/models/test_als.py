"""ALS: each half step against the normal equations, the loss against its sum, and what no input may break."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.models import als
from shortlist.models.als import ALS, iterations
from shortlist.models.alternating import Loss, solve, start, turned
from shortlist.models.retrieval import Request
from shortlist.models.validation import RECENCY
from shortlist.tables import samples

USERS, ITEMS = 30, 20


def matrix(seed: int = 0, density: float = 0.3) -> sparse.csr_array:
    random = np.random.default_rng(seed)
    filled = random.random((USERS, ITEMS)) < density
    return sparse.csr_array(np.where(filled, random.uniform(0.5, 3, filled.shape), 0).astype(np.float32))


def plain_solution(loss: Loss, confident: np.ndarray, penalty: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Every row from its normal equations over all cells."""
    rows = []
    for row, lam in zip(confident, penalty, strict=True):
        weight = np.where(row > 0, row, loss.unobserved)
        left = y.T @ (weight[:, None] * y) + lam * np.eye(y.shape[1])
        rows.append(np.linalg.solve(left, y.T @ (weight * (row > 0))))
    return np.array(rows)


def plain_loss(loss: Loss, confident: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    score = x @ y.T
    filled = confident > 0
    cells = np.where(filled, confident * (1 - score) ** 2, loss.unobserved * score**2).sum()
    users, items = plain_penalty(loss, filled), plain_penalty(loss, filled.T)
    return float(cells + users @ (x**2).sum(axis=1) + items @ (y**2).sum(axis=1))


def plain_penalty(loss: Loss, filled: np.ndarray) -> np.ndarray:
    counts = filled.sum(axis=1)
    empty = loss.unobserved * filled.shape[1]
    mean = counts[counts > 0].mean()
    return loss.regularization * ((counts + empty) / (mean + empty)) ** loss.frequency


@pytest.mark.parametrize("factors", [1, 4, 7])
@pytest.mark.parametrize("frequency", [0.0, 0.5, 1.0])
def test_a_half_step_solves_the_normal_equations(factors: int, frequency: float) -> None:
    loss = Loss(regularization=0.7, frequency=frequency, unobserved=0.2)
    confident = matrix()
    y = np.random.default_rng(1).standard_normal((ITEMS, factors)).astype(np.float32)
    y, x, gram = turned(y, np.zeros((USERS, factors), np.float32))
    penalty = loss.penalties(confident)
    assert np.allclose(penalty, plain_penalty(loss, confident.toarray() > 0), rtol=1e-5)
    solve(loss, confident, penalty, y, gram, x, steps=60)
    wanted = plain_solution(loss, confident.toarray().astype(float), penalty, y.astype(float))
    assert np.allclose(x, wanted, atol=2e-4)


def test_a_row_longer_than_what_is_in_hand_is_solved_alike() -> None:
    loss = Loss(regularization=0.7, frequency=0, unobserved=0.2)
    factors, columns = 4096, 50  # so that 16 vectors are in hand
    random = np.random.default_rng(0)
    y = np.zeros((columns, factors), np.float32)
    y[:, :5] = np.linalg.qr(random.standard_normal((columns, 5)))[0]
    row = random.uniform(0.5, 2, (1, columns)).astype(np.float32)
    confident = sparse.csr_array(row)
    x = np.zeros((1, factors), np.float32)
    solve(loss, confident, loss.penalties(confident), y, (y**2).sum(axis=0), x, steps=30)
    wanted = plain_solution(loss, row.astype(float), loss.penalties(confident), y[:, :5].astype(float))
    assert np.allclose(x[:, :5], wanted, atol=1e-4)
    assert not x[:, 5:].any()


def test_turning_changes_no_product_and_makes_the_gram_matrix_diagonal() -> None:
    random = np.random.default_rng(0)
    y, x = (random.standard_normal((n, 6)).astype(np.float32) for n in (40, 10))
    new_y, new_x, gram = turned(y, x)
    assert np.allclose(new_x @ new_y.T, x @ y.T, atol=1e-4)
    assert np.allclose(new_y.T @ new_y, np.diag(gram), atol=1e-3)
    assert (np.diff(gram) <= 0).all()


def test_the_loss_is_the_sum_over_all_cells_and_falls_with_each_iteration() -> None:
    recipe = ALS(factors=4, iterations=8, regularization=0.5, unobserved=0.3, frequency=0.5)
    loss, confident = Loss(0.5, 0.5, 0.3), matrix(2)
    values = []
    for x, y in iterations(recipe, confident):
        values.append(loss.value(confident, x, y))
        assert values[-1] == pytest.approx(plain_loss(loss, confident.toarray().astype(float), x, y), rel=1e-4)
    assert (np.diff(values) <= 1e-3).all()


def test_the_start_spans_the_singular_vectors() -> None:
    block = np.kron(np.eye(3), np.ones((8, 5)))
    filled = sparse.csr_array(block.astype(np.float32))
    y = start(filled, sparse.csr_array(filled.T.tocsr()), 3, np.random.default_rng(0))
    alike = y @ y.T
    inside = np.kron(np.eye(3), np.ones((5, 5))) > 0
    assert alike[inside].min() > 10 * np.abs(alike[~inside]).max()


def test_settings_that_are_auto_are_settled_and_told() -> None:
    data = Dataset.read(samples.shop(users=40, items=30, days=60, seed=1).events)
    fitted = ALS(factors=4).fit(data)
    assert fitted.recipe.regularization in als.REGULARIZATION
    assert fitted.recipe.unobserved == pytest.approx(fitted.recipe.regularization / 30)
    assert fitted.recipe.recency in RECENCY
    kept = ALS(factors=4, regularization=2.5, unobserved=0.05, recency=None).fit(data)
    assert (kept.recipe.regularization, kept.recipe.unobserved, kept.recipe.recency) == (2.5, 0.05, None)


def test_where_there_is_no_penalty_empty_cells_count_all_the_same() -> None:
    data = Dataset.read(samples.shop(users=40, items=30, days=60, seed=1).events)
    assert ALS(factors=4, regularization=0, recency=None).fit(data).recipe.unobserved == pytest.approx(1 / 30)


def test_a_share_of_the_users_gets_the_vectors_of_items_that_all_would_get() -> None:
    recipe = ALS(factors=4, iterations=20, regularization=2.0, unobserved=0.1)
    few = matrix()
    all_of_them = sparse.csr_array(sparse.vstack([few] * 4))
    *_, (_, y) = iterations(recipe, all_of_them)
    *_, (_, of_few) = iterations(recipe, few, share=1 / 4)
    *_, (_, too_short) = iterations(recipe, few)
    assert np.allclose(of_few @ of_few.T, y @ y.T, atol=1e-3 * np.abs(y @ y.T).max())
    assert not np.allclose(too_short @ too_short.T, y @ y.T, atol=1e-2 * np.abs(y @ y.T).max())


def test_without_times_there_is_no_recency() -> None:
    events = samples.shop(users=40, items=30, days=60, seed=1).events.drop("timestamp")
    assert ALS(factors=4).fit(Dataset.read(events)).recipe.recency is None


def test_confidence_grows_with_weight_as_the_recipe_says() -> None:
    events = pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], "weight": [1.0, 3.0, 8.0]})
    data = Dataset.read(events)
    settled = {"factors": 2, "regularization": 1.0, "unobserved": 0.1, "recency": None}
    for confidence, values in (("one", [1, 1, 1]), ("log", np.log1p([1, 3, 8])), ("linear", [1, 3, 8])):
        fitted = ALS(confidence=confidence, **settled).fit(data)
        strong = fitted.strength(np.array([1.0, 3.0, 8.0], np.float32), np.zeros(3, np.int32))
        assert np.allclose(strong, np.array(values) / np.mean(values))


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([-1.0, 0.0, 0.5, 3.0])), min_size=1, max_size=25
    ),
    st.sampled_from([1, 3, 12]),
)
@settings(max_examples=25, deadline=None)
def test_no_input_breaks_it(rows: list[tuple[int, int, float]], factors: int) -> None:
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "weight"], orient="row")
    data = Dataset.read(events)
    fitted = ALS(factors=factors, iterations=2).fit(data)
    summed = events.group_by("user_id", "item_id").agg(pl.col("weight").sum()).filter(pl.col("weight") > 0)
    found = fitted.retrieve(Request(np.arange(7, dtype=np.int32), 9))
    assert found["score"].is_finite().all()
    assert set(data.user_ids.originals(found["user"])) == set(summed["user_id"])
    assert set(data.item_ids.originals(found["item"])) == set(summed["item_id"])
