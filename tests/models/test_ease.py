"""EASE: weights against the closed form and against ridge regressions in float64, and against RecTools."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shortlist.models import ease
from shortlist.models.ease import EASE, invert, weights
from shortlist.models.item_to_item import lists
from shortlist.models.neighbourhoods import together
from shortlist.models.retrieval import Request
from worlds import TINY_EVENTS, check_answers_are_of_what_was_met, tiny_data


def matrix(users: int, items: int, density: float, seed: int = 0) -> sparse.csr_array:
    random = np.random.default_rng(seed)
    return sparse.csr_array((random.random((users, items)) < density).astype(np.float32))


def closed_form(x: np.ndarray, ridge: float) -> np.ndarray:
    p = np.linalg.inv(x.T.astype(np.float64) @ x + ridge * np.eye(x.shape[1]))
    w = np.eye(x.shape[1]) - p / p.diagonal()
    np.fill_diagonal(w, 0)
    return w


def gain(x: np.ndarray, w: np.ndarray, ridge: float) -> float:
    return float(((x - x @ w) ** 2).sum() + ridge * (w**2).sum())


@pytest.mark.parametrize(("users", "items", "density"), [(50, 20, 0.3), (20, 60, 0.1), (700, 530, 0.05)])
@pytest.mark.parametrize("ridge", [0.5, 50.0])
def test_weights_are_those_of_the_closed_form(users: int, items: int, density: float, ridge: float) -> None:
    x = matrix(users, items, density)
    w = weights(EASE(regularization=ridge), x)
    assert w.dtype == np.float32
    assert not w.diagonal().any()
    assert np.allclose(w, closed_form(x.toarray(), ridge), rtol=0, atol=2e-5)


def test_no_other_weights_without_a_diagonal_cost_less() -> None:
    x = matrix(40, 12, 0.4)
    w = weights(EASE(regularization=3.0), x).astype(np.float64)
    least = gain(x.toarray(), w, 3.0)
    random = np.random.default_rng(1)
    for scale in (1e-1, 1e-2, 1e-3):
        change = scale * random.standard_normal(w.shape)
        np.fill_diagonal(change, 0)
        assert gain(x.toarray(), w + change, 3.0) > least


def test_where_float32_would_blur_float64_is_used(monkeypatch) -> None:
    # Two items that the same people met, far apart, and next to no ridge.
    x = matrix(2000, 400, 0.3).toarray()
    x[:, 399] = x[:, 0]
    wanted = closed_form(x, 1e-3)
    assert np.allclose(weights(EASE(regularization=1e-3), sparse.csr_array(x)), wanted, atol=1e-5)
    monkeypatch.setattr(ease, "BLURRED", np.inf)
    assert not np.allclose(weights(EASE(regularization=1e-3), sparse.csr_array(x)), wanted, atol=1e-2)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700, 1030])
def test_the_inverse_is_symmetric_and_the_inverse(size: int) -> None:
    random = np.random.default_rng(size)
    a = random.standard_normal((size, size + 20))
    a = a @ a.T / size + np.eye(size)
    found = np.tril(a)
    invert(found)
    assert np.array_equal(found, found.T)
    assert np.allclose(found @ a, np.eye(size), atol=1e-8)


def test_the_bits_do_not_depend_on_the_number_of_threads(monkeypatch) -> None:
    x = matrix(600, 700, 0.05)
    many = weights(EASE(regularization=10.0), x)
    monkeypatch.setattr("shortlist.threads.cores", lambda: 1)
    assert np.array_equal(weights(EASE(regularization=10.0), x), many)


def test_products_are_counts_of_who_met_both() -> None:
    x, voice = matrix(80, 40, 0.2), np.random.default_rng(0).random(80)
    wanted = x.toarray().T.astype(np.float64) @ (voice[:, None] * x.toarray())
    assert np.allclose(together(x, voice), np.tril(wanted), rtol=1e-6)


@pytest.mark.parametrize("support", [1, 3, 4, 5, 9, 50])
def test_beyond_the_limit_each_item_is_regressed_on_the_most_alike_alone(support: int) -> None:
    x = matrix(60, 30, 0.15)
    w = weights(EASE(regularization=2.0, limit=10, support=support), x).toarray()
    plain = x.toarray().astype(np.float64)
    lengths = np.sqrt(np.maximum(plain.sum(axis=0), 1))
    alike = (plain.T @ plain) / np.outer(lengths, lengths)
    np.fill_diagonal(alike, 0)
    for item in range(30):
        order = np.argsort(-alike[item].astype(np.float32), kind="stable")[:support]
        near = order[alike[item, order] > 0]
        wanted = np.zeros(30)
        left = plain[:, near].T @ plain[:, near] + 2.0 * np.eye(len(near))
        wanted[near] = np.linalg.solve(left, plain[:, near].T @ plain[:, item])
        assert np.allclose(w[:, item], wanted, atol=1e-6)


def test_on_all_others_the_regressions_are_the_closed_form() -> None:
    x = matrix(200, 25, 0.3)
    restricted = weights(EASE(regularization=4.0, limit=0, support=24), x).toarray()
    assert np.allclose(restricted, weights(EASE(regularization=4.0), x), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(TINY_EVENTS, st.sampled_from([0, 20_000]), st.sampled_from([1e-3, 1.0, 1e6]))
def test_no_events_break_it(rows, limit, ridge) -> None:
    found = (
        EASE(limit=limit, regularization=ridge).fit(tiny_data(rows)).retrieve(Request(np.arange(9, dtype=np.int32), 6))
    )
    check_answers_are_of_what_was_met(found, rows)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (0, 4), (3, 0)])
@pytest.mark.parametrize("limit", [0, 100])
def test_one_user_one_item_and_none_are_no_trouble(shape: tuple[int, int], limit: int) -> None:
    w = weights(EASE(regularization=1.0, limit=limit), sparse.csr_array(np.ones(shape, np.float32)))
    assert w.shape == (shape[1], shape[1])
    assert np.isfinite(w.data if limit == 0 and shape[1] else np.asarray(w.data)).all()


ASK = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel
x = np.array(json.loads(sys.stdin.read()))
users, items = x.nonzero()
frame = pd.DataFrame({Columns.User: users, Columns.Item: items, Columns.Weight: 1.0, Columns.Datetime: pd.Timestamp(0)})
data = Dataset.construct(frame)
model = EASEModel(regularization=7.0).fit(data)
order = data.item_id_map.convert_to_internal(np.arange(x.shape[1]))
shown = model.recommend(np.arange(x.shape[0]), data, 5, filter_viewed=True)
rows = [[int(v) for v in group[Columns.Item]] for _, group in shown.groupby(Columns.User)]
print(json.dumps({"weights": model.weight[np.ix_(order, order)].tolist(), "lists": rows}))
"""


def test_weights_are_those_of_rectools_and_so_are_lists_of_the_transposed(peers: Path) -> None:
    x = matrix(120, 40, 0.2, seed=5)
    done = subprocess.run(
        [peers, "-c", ASK], input=json.dumps(x.toarray().tolist()), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    w = weights(EASE(regularization=7.0), x)
    assert np.allclose(w, told["weights"], atol=1e-5)
    # RecTools 0.19 takes the products with the rows of W where the paper takes its columns.
    assert lists(x, w.T.copy(), 5, barred_BI=x)[0].tolist() == told["lists"]
