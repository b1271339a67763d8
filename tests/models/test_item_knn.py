"""ItemKNN: likeness against its definition in plain loops, and against implicit."""

import json
import math
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shortlist.models.item_knn import ItemKNN, neighbours
from shortlist.models.item_to_item import lists
from shortlist.models.retrieval import Request
from worlds import TINY_EVENTS, check_answers_are_of_what_was_met, tiny_data

USERS, ITEMS = 40, 25


def matrix(users: int = USERS, items: int = ITEMS, density: float = 0.25, seed: int = 0) -> sparse.csr_array:
    random = np.random.default_rng(seed)
    return sparse.csr_array((random.random((users, items)) < density).astype(np.float32))


def plain_alike(x: np.ndarray, weighting: str, shrinkage: float) -> np.ndarray:
    """How alike each two items are, in plain loops."""
    users, items = x.shape
    met = [sum(x[:, i]) for i in range(items)]
    idf = [math.log(items) - math.log1p(sum(x[u])) for u in range(users)]
    squares = [idf[u] ** 2 for u in range(users) if x[u].any()]
    idf = [one / math.sqrt(sum(squares) / len(squares)) for one in idf]
    weighed = np.zeros((users, items))
    for u in range(users):
        for i in range(items):
            if x[u, i] and weighting == "bm25":
                length = 1.2 * (1 - 0.75 + 0.75 * met[i] / (sum(met) / items))
                weighed[u, i] = 2.2 / (length + 1) * idf[u]
            elif x[u, i]:
                weighed[u, i] = idf[u] if weighting == "tfidf" else 1
    alike = np.zeros((items, items))
    for i in range(items):
        for j in range(items):
            product = sum(weighed[:, i] * weighed[:, j])
            if i == j or product == 0:
                continue
            if weighting == "bm25":
                one, other = ((1.2 * (1 - 0.75 + 0.75 * met[n] / (sum(met) / items)) + 1) / 2.2 for n in (i, j))
                alike[i, j] = product * one * other / (one * other + shrinkage)
            else:
                lengths = math.sqrt(sum(weighed[:, i] ** 2)) * math.sqrt(sum(weighed[:, j] ** 2))
                alike[i, j] = product / (lengths + shrinkage)
    return alike


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
@pytest.mark.parametrize("shrinkage", [0.0, 4.0])
@pytest.mark.parametrize("density", [0.02, 0.25])
def test_alike_is_what_its_definition_says(weighting: str, shrinkage: float, density: float) -> None:
    x = matrix(density=density)
    found = neighbours(ItemKNN(neighbours=ITEMS, weighting=weighting, shrinkage=shrinkage), x).toarray()
    assert np.allclose(found, plain_alike(x.toarray(), weighting, shrinkage), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kept", [1, 4, 60])
@pytest.mark.parametrize("density", [0.01, 0.2])
def test_the_most_alike_are_kept_and_of_equals_the_smaller_items(kept: int, density: float) -> None:
    x = matrix(60, 90, density)
    every = neighbours(ItemKNN(neighbours=90, weighting="cosine", shrinkage=0.0), x).toarray()
    found = neighbours(ItemKNN(neighbours=kept, weighting="cosine", shrinkage=0.0), x)
    for item in range(90):
        order = np.argsort(-every[item], kind="stable")[:kept]
        wanted = np.sort(order[every[item, order] > 0])
        row = found[[item]]
        assert row.indices.tolist() == wanted.tolist()
        assert np.array_equal(row.data, every[item, wanted])


def test_scores_are_sums_over_the_history(world) -> None:
    recipe = ItemKNN(neighbours=2, weighting="cosine", shrinkage=0.0, recency=None)
    fitted = recipe.fit(world.data)
    weight = np.zeros((8, 6))
    for user, item, _, how_much in world.rows:
        weight[user, item] += how_much
    scores = np.log2(1 + weight) @ fitted.weights.toarray()
    found = fitted.retrieve(Request(np.arange(9, dtype=np.int32), 6))
    assert found.height == (scores > 0).sum()
    for user, item, score, _ in found.rows():
        assert score == pytest.approx(scores[user, item], rel=1e-6)


def test_shrinkage_counts_users_whatever_the_weighting() -> None:
    # All met four items, so that all voices are alike.
    random = np.random.default_rng(1)
    x = np.zeros((50, 30), np.float32)
    for row in x:
        row[random.permutation(30)[:4]] = 1
    one, other = (
        neighbours(ItemKNN(neighbours=30, weighting=weighting, shrinkage=7.0), sparse.csr_array(x)).toarray()
        for weighting in ("cosine", "tfidf")
    )
    assert np.allclose(one, other, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(TINY_EVENTS, st.sampled_from(["cosine", "tfidf", "bm25"]), st.integers(1, 8))
def test_no_events_break_it(rows, weighting, kept) -> None:
    data = tiny_data(rows)
    fitted = ItemKNN(neighbours=kept, weighting=weighting).fit(data)
    found = fitted.retrieve(Request(np.arange(9, dtype=np.int32), 6))
    check_answers_are_of_what_was_met(found, rows)
    assert fitted.weights.diagonal().sum() == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (0, 4), (3, 0)])
def test_one_user_one_item_and_none_are_no_trouble(shape: tuple[int, int]) -> None:
    for weighting in ("cosine", "tfidf", "bm25"):
        found = neighbours(ItemKNN(weighting=weighting, shrinkage=0.0), sparse.csr_array(np.ones(shape, np.float32)))
        assert found.shape == (shape[1], shape[1])
        assert np.isfinite(found.data).all()


ASK = """
import json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from scipy import sparse
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
x = sparse.csr_matrix(np.array(json.loads(sys.stdin.read()), dtype=np.float32))
models = {"cosine": CosineRecommender(K=15), "tfidf": TFIDFRecommender(K=15), "bm25": BM25Recommender(K=15)}
told = {}
for name, model in models.items():
    model.fit(x, show_progress=False)
    items, scores = model.recommend(np.arange(x.shape[0]), x, N=8)
    told[name] = {"alike": model.similarity.toarray().tolist(), "items": items.tolist(), "scores": scores.tolist()}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def seen() -> sparse.csr_array:
    return matrix(300, 60, 0.1, seed=3)


@pytest.fixture(scope="module")
def told(peers: Path, seen: sparse.csr_array) -> dict[str, dict[str, list[list[float]]]]:
    """implicit's neighbours, 15 with the item itself, and its lists."""
    question = json.dumps(seen.toarray().tolist())
    done = subprocess.run([peers, "-c", ASK], input=question, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
def test_neighbours_and_lists_are_those_of_implicit(weighting: str, told, seen: sparse.csr_array) -> None:
    # In implicit the voices are not of mean one, which is a matter of scale in BM25 alone.
    scale = ((np.log(60) - np.log1p(np.diff(seen.indptr))) ** 2).mean() if weighting == "bm25" else 1.0
    assert np.diff(seen.indptr).all()
    theirs = np.array(told[weighting]["alike"]) / scale
    # implicit counts an item among its own neighbours, where it is like itself most.
    assert (theirs.argmax(axis=1) == np.arange(60)).all()
    np.fill_diagonal(theirs, 0)
    w = neighbours(ItemKNN(neighbours=14, weighting=weighting, shrinkage=0.0), seen)
    ours = w.toarray()
    assert np.allclose(np.sort(ours, axis=1), np.sort(theirs, axis=1), rtol=1e-5, atol=1e-7)
    same = (ours > 0) & (theirs > 0)
    assert np.allclose(ours[same], theirs[same], rtol=1e-5)
    # Among equally alike ones at the edge the two may keep different items; lists are compared where they did not.
    firm = (same == (ours > 0)).all(axis=1)
    users = np.flatnonzero([firm[seen[[user]].indices].all() for user in range(300)])
    assert len(users) > 50
    _, scores = lists(seen, w, 8, barred_BI=seen)
    assert np.allclose(scores[users], np.array(told[weighting]["scores"])[users] / scale, rtol=1e-5)


def test_recipe_frames_hold_float32(world) -> None:
    fitted = ItemKNN(neighbours=2, weighting="cosine", shrinkage=0.0, recency=None).fit(world.data)
    assert fitted.weights.dtype == fitted.histories.dtype == np.float32
    assert fitted.similar_items(np.array([0], np.int32), 3).schema == {
        "item": pl.Int32,
        "similar": pl.Int32,
        "score": pl.Float64,
        "rank": pl.Int32,
    }
