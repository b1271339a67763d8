import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from shortlist import index as module
from shortlist import store
from shortlist.errors import ConfigError, DataError, MissingExtraError, StoreError
from shortlist.index import Index, Kind
from shortlist.topk import top_k

ITEMS, FACTORS = 3000, 12
KINDS: tuple[Kind, ...] = get_args(Kind)


def clustered(rows: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((60, FACTORS))
    made = centres[generator.integers(0, 60, rows)] + 0.5 * generator.standard_normal((rows, FACTORS))
    return made.astype(np.float32)


VECTORS, QUERIES = clustered(ITEMS, 1), clustered(40, 2)


@pytest.fixture(scope="module", params=KINDS)
def index(request: pytest.FixtureRequest) -> Index:
    return Index.build(VECTORS, request.param, queries=QUERIES)


def share_found(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.mean([len(set(f) & set(w)) / len(w) for f, w in zip(found.tolist(), wanted.tolist(), strict=True)]))


def test_the_recall_is_the_share_of_the_exact_answers_that_is_found(index: Index) -> None:
    wanted, _ = top_k(QUERIES, VECTORS, 100)
    found, _ = index.search(QUERIES, 100)
    assert index.recall == pytest.approx(share_found(found, wanted), abs=1e-12)
    assert index.recall >= 0.95
    if index.kind == "flat":
        assert index.recall == 1


def test_recall_that_is_lost_is_told() -> None:
    """With one list of many looked at, what is in the others is not found."""
    built = Index.build(VECTORS, "ivf", queries=QUERIES)
    hasty = Index(module.About("ivf", 0.0, 1, built.about.catalogue), built.faiss_index)
    wanted, _ = top_k(QUERIES, VECTORS, 5)
    assert share_found(hasty.search(QUERIES, 5)[0], wanted) < 0.8 < share_found(built.search(QUERIES, 5)[0], wanted)


def test_scores_are_exact_and_sorted_by_the_rules_of_top_k(index: Index) -> None:
    found, score_QK = index.search(QUERIES, 20)
    every, every_score = top_k(QUERIES, VECTORS, ITEMS)
    exact = np.empty_like(every_score)
    np.put_along_axis(exact, every, every_score, axis=1)
    assert (score_QK == np.take_along_axis(exact, found, axis=1)).all()
    assert (np.diff(score_QK, axis=1) <= 0).all()


@given(st.sampled_from([0.0, 0.01, 0.6, 1.0]), st.sampled_from([0, 3, 250, 2500]), st.sampled_from([1, 10, 200]))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_filters_hold_and_lists_are_full(
    index: Index, monkeypatch: pytest.MonkeyPatch, share: float, allowed: int, k: int
) -> None:
    monkeypatch.setattr(module, "_FEW", 100)
    generator = np.random.default_rng(allowed)
    excluded_QI = generator.random((len(QUERIES), ITEMS)) < share
    allowed_A = generator.permutation(ITEMS)[:allowed].astype(np.int32)
    limits: dict[str, Any] = {"exclude": sparse.csr_array(excluded_QI), "allowed": allowed_A if allowed else None}
    found, score_QK = index.search(QUERIES, k, **limits)
    wanted, wanted_score = top_k(QUERIES, VECTORS, k, **limits)
    assert ((found < 0) == (wanted < 0)).all()
    for q, row in enumerate(found):
        answered = row[row >= 0]
        assert len(np.unique(answered)) == len(answered)
        assert not excluded_QI[q, answered].any()
        assert not allowed or np.isin(answered, allowed_A).all()
    left = wanted >= 0
    if left.any():
        assert np.mean(score_QK[left] >= wanted_score[left] - 0.5) > 0.8


def test_many_excluded_items_do_not_shorten_a_list(index: Index) -> None:
    best, _ = top_k(QUERIES, VECTORS, 1500)
    excluded_QI = np.zeros((len(QUERIES), ITEMS), np.bool_)
    np.put_along_axis(excluded_QI, best, values=True, axis=1)
    found, _ = index.search(QUERIES, 50, exclude=sparse.csr_array(excluded_QI))
    assert (found >= 0).all()
    assert not np.take_along_axis(excluded_QI, found, axis=1).any()


def test_a_saved_index_answers_the_same_from_the_disk(index: Index, tmp_path: Path) -> None:
    index.save(tmp_path / "index")
    index.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    assert (loaded.kind, loaded.recall) == (index.kind, index.recall)
    assert isinstance(loaded.about.catalogue.item_IF, np.memmap)
    for answer, again in zip(index.search(QUERIES, 30), loaded.search(QUERIES, 30), strict=True):
        assert answer.tobytes() == again.tobytes()
    excluded = sparse.random_array((len(QUERIES), ITEMS), density=0.1, format="csr", rng=np.random.default_rng(0))
    before, after = (i.search(QUERIES, 30, exclude=excluded, allowed=np.arange(2000)) for i in (index, loaded))
    assert before[0].tobytes() == after[0].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_vectors_and_seed_make_the_same_index(kind: Kind) -> None:
    one, other = (Index.build(VECTORS, kind, seed=3) for _ in range(2))
    assert (one.recall, one.about.effort) == (other.recall, other.about.effort)
    for answer, again in zip(one.search(QUERIES, 30), other.search(QUERIES, 30, threads=1), strict=True):
        assert answer.tobytes() == again.tobytes()


def test_auto_is_flat_for_few_items_and_lists_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Index.build(VECTORS).kind == "flat"
    monkeypatch.setattr(module, "FLAT_UP_TO", 2000)
    assert Index.build(VECTORS).kind == "ivf"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("items", [0, 1, 5])
def test_a_handful_of_items_is_searched(kind: Kind, items: int) -> None:
    built = Index.build(VECTORS[:items], kind)
    for k in (1, 7):
        assert (built.search(QUERIES, k)[0] == top_k(QUERIES, VECTORS[:items], k)[0]).all()


def test_without_faiss_only_a_flat_index_is_built_and_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Index.build(VECTORS, "sq8").save(tmp_path / "sq8")
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"shortlist\[ann\]"):
        Index.build(VECTORS, "hnsw")
    with pytest.raises(MissingExtraError, match=r"shortlist\[ann\]"):
        Index.load(tmp_path / "sq8")
    Index.build(VECTORS).save(tmp_path / "flat")
    assert (Index.load(tmp_path / "flat").search(QUERIES, 5)[0] == top_k(QUERIES, VECTORS, 5)[0]).all()


def test_what_is_not_an_index_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a stored"):
        Index.load(tmp_path)
    with store.replacing(tmp_path / "other"):
        pass
    with pytest.raises(StoreError, match="not an index"):
        Index.load(tmp_path / "other")
    Index.build(VECTORS, "ivf").save(tmp_path / "cut")
    (store.contents_of(tmp_path / "cut") / "faiss").write_bytes(b"IwFl")
    with pytest.raises(StoreError, match="damaged"):
        Index.load(tmp_path / "cut")


def test_what_cannot_be_searched_is_told(index: Index) -> None:
    with pytest.raises(ConfigError, match="'lsh'"):
        Index.build(VECTORS, "lsh")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=f"items of {FACTORS}"):
        index.search(QUERIES[:, :5], 3)
    with pytest.raises(DataError, match=f"item {ITEMS} is allowed"):
        index.search(QUERIES, 3, allowed=np.array([ITEMS]))
    with pytest.raises(DataError, match="exclude has the shape"):
        index.search(QUERIES, 3, exclude=sparse.csr_array((1, ITEMS)))
