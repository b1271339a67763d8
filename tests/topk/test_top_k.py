import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from shortlist import topk
from shortlist.errors import DataError
from shortlist.kernels.vectors import multiplies_bytes
from shortlist.topk import Catalogue, top_k, top_k_among

FIRST_PASSES = {"float32": 1 << 30, "bytes": 1}
"""From how many queries on items are rounded."""


@pytest.fixture(params=["float32", "bytes"] if multiplies_bytes() else ["float32"], scope="module", autouse=True)
def first_pass(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each test runs with either first pass, where the processor has both, and is never told that one is in vain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topk, "_ENOUGH_TO_ROUND", FIRST_PASSES[request.param])
        patch.setattr(topk, "_IN_VAIN", 2.0)
        yield request.param


def slowly(
    score_QI: np.ndarray, k: int, exclude: sparse.csr_array | None = None, allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The definition: every score in float64, sorted, ties to the smaller item."""
    best_QK, best_score_QK = np.full((len(score_QI), k), -1, np.int32), np.full((len(score_QI), k), -np.inf)
    for q, score_I in enumerate(score_QI.astype(np.float64)):
        barred = set() if exclude is None else set(exclude.indices[exclude.indptr[q] : exclude.indptr[q + 1]].tolist())
        items = range(len(score_I)) if allowed is None else sorted(set(allowed.tolist()))
        left = [i for i in items if i not in barred and score_I[i] > -np.inf]
        best = sorted(left, key=lambda i: (-score_I[i], i))[:k]
        best_QK[q, : len(best)], best_score_QK[q, : len(best)] = best, score_I[best]
    return best_QK, best_score_QK


def products(query_QF: np.ndarray, item_IF: np.ndarray) -> np.ndarray:
    return query_QF.astype(np.float64) @ item_IF.astype(np.float64).T


def equal(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


def same_bits(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    """Vectors whose products float64 holds exactly, with doubles, zeros, and lengths far apart; and what is barred."""
    queries, items, factors = draw(st.integers(1, 9)), draw(st.integers(1, 150)), draw(st.integers(1, 7))
    near_one = draw(st.booleans())

    def vectors(rows: int, name: str) -> np.ndarray:
        seed = draw(st.integers(0, 2**32 - 1), label=name)
        generator = np.random.default_rng(seed)
        if near_one:  # products that float32 does not tell apart
            return (1 + generator.integers(0, 4, (rows, factors)) * 2.0**-23).astype(np.float32)
        scale = 2.0 ** generator.integers(-12, 12, (rows, 1)) if generator.random() < 0.5 else 1.0
        made = generator.integers(-2, 3, (rows, factors)) * scale * (generator.random((rows, 1)) < 0.8)
        return made[generator.integers(0, rows, rows)].astype(np.float32)

    share = draw(st.sampled_from([0.0, 0.1, 0.9, 1.0]))
    barred_QI = np.random.default_rng(draw(st.integers(0, 99))).random((queries, items)) < share
    allowed = draw(st.none() | arrays.arrays(np.int32, st.integers(0, 20), elements=st.integers(0, items - 1)))
    return {
        "queries": vectors(queries, "queries"),
        "items": vectors(items, "items"),
        "k": draw(st.sampled_from([1, 2, 7, 60, 200])),
        "exclude": draw(st.sampled_from([None, sparse.csr_array(barred_QI)])),
        "allowed": allowed,
    }


@given(searches())
@settings(max_examples=200, deadline=None)
def test_answers_are_those_of_the_definition(search: dict[str, Any]) -> None:
    score_QI = products(search["queries"], search["items"])
    wanted = slowly(score_QI, search["k"], search["exclude"], search["allowed"])
    assert equal(top_k(**search, threads=1), wanted)


@given(searches())
@settings(max_examples=50, deadline=None)
def test_a_batch_is_answered_like_its_queries_one_by_one(search: dict[str, Any]) -> None:
    together = top_k(**search, threads=2)
    for q in range(len(search["queries"])):
        row = slice(q, q + 1)
        mine = None if search["exclude"] is None else search["exclude"][row]
        alone = top_k(**search | {"queries": search["queries"][row], "exclude": mine}, threads=1)
        assert same_bits(alone, (together[0][row], together[1][row]))
    ready = Catalogue.of(search["items"], threads=1)
    assert same_bits(top_k(**search | {"items": ready}), together)


@pytest.fixture(scope="module")
def world() -> tuple[np.ndarray, np.ndarray, sparse.csr_array]:
    generator = np.random.default_rng(7)
    query_QF = generator.standard_normal((300, 33), dtype=np.float32)
    item_IF = generator.standard_normal((5000, 33), dtype=np.float32)
    barred = sparse.random_array((300, 5000), density=0.02, format="csr", rng=generator)
    return query_QF, item_IF, barred


@pytest.mark.parametrize("k", [1, 100, 2000])
def test_many_items_and_queries_are_answered_like_the_definition(world: tuple[Any, Any, Any], k: int) -> None:
    query_QF, item_IF, barred = world
    wanted = slowly(products(query_QF[:20], item_IF), k, barred[:20])
    best_QK, score_QK = top_k(query_QF[:20], item_IF, k, exclude=barred[:20])
    assert (best_QK == wanted[0]).all()
    np.testing.assert_allclose(score_QK, wanted[1], rtol=1e-12, atol=1e-12)


def test_the_answer_is_the_same_with_any_threads_blocks_and_buffers(
    world: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    query_QF, item_IF, barred = world
    answer = top_k(query_QF, item_IF, 50, exclude=barred, threads=1)
    assert same_bits(top_k(query_QF, item_IF, 50, exclude=barred, threads=2), answer)
    monkeypatch.setattr(topk, "_ROWS", 7)
    monkeypatch.setattr(topk, "_COLUMNS", 64)
    monkeypatch.setattr(topk, "_places", lambda k: 2 * k + 128)
    assert same_bits(top_k(query_QF, item_IF, 50, exclude=barred, threads=2), answer)
    monkeypatch.setattr(topk, "_ENOUGH_TO_ROUND", 1 << 30)
    assert same_bits(top_k(query_QF, item_IF, 50, exclude=barred, threads=1), answer)


def test_vectors_that_rounding_does_not_tell_apart_are_multiplied_in_float32(
    first_pass: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    query_QF = generator.standard_normal((20, 16), dtype=np.float32)
    spread_IF = generator.standard_normal((3000, 16), dtype=np.float32)
    close_IF = (spread_IF[:1] + 1e-4 * spread_IF).astype(np.float32)
    monkeypatch.setattr(topk, "_IN_VAIN", 1 / 32)
    met = []
    block = topk._block
    monkeypatch.setattr(
        topk, "_block", lambda asked, how, *rest: met.append(type(how).__name__) or block(asked, how, *rest)
    )
    assert (top_k(query_QF, spread_IF, 10)[0] == slowly(products(query_QF, spread_IF), 10)[0]).all()
    assert set(met) == ({"Codes"} if first_pass == "bytes" else {"_Products"})
    met.clear()
    assert (top_k(query_QF, close_IF, 10)[0] == slowly(products(query_QF, close_IF), 10)[0]).all()
    assert met[-1] == "_Products"


@pytest.mark.parametrize("value", [0.0, 1.0, -1.5])
def test_where_all_items_are_alike_the_first_ones_are_answered(value: float) -> None:
    item_IF = np.full((20_000, 8), value, np.float32)
    best_QK, score_QK = top_k(np.ones((3, 8), np.float32), item_IF, 30)
    assert (best_QK == np.arange(30)).all()
    assert (score_QK == 8 * value).all()


@pytest.mark.parametrize("seed", range(3))
def test_where_float32_tells_nothing_apart_float64_does(seed: int) -> None:
    generator = np.random.default_rng(seed)
    query_QF, item_IF = (
        (1 + generator.integers(0, 1 << 10, (rows, 2)) * 2.0**-23).astype(np.float32) for rows in (5, 6000)
    )
    item_IF[1::2] = item_IF[::2]
    item_IF = item_IF[np.argsort(item_IF[:, 0], kind="stable")]  # the better, the later
    assert equal(top_k(query_QF, item_IF, 30), slowly(products(query_QF, item_IF), 30))
    assert equal(top_k(query_QF, item_IF[::-1], 30), slowly(products(query_QF, item_IF[::-1]), 30))


def test_entries_that_are_stored_as_zero_bar_too_and_in_any_order() -> None:
    barred = sparse.csr_array((np.array([0.0, 1.0]), np.array([3, 1]), np.array([0, 2])), shape=(1, 4))
    best_QK, _ = top_k(np.ones((1, 1)), np.arange(4.0)[:, None], 4, exclude=barred)
    assert best_QK.tolist() == [[2, 0, -1, -1]]


@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1e-3, 1e7, 9e14])
def test_the_order_holds_at_the_ends_of_the_range_of_float32(scale: float) -> None:
    generator = np.random.default_rng(1)
    query_QF = (generator.uniform(-0.2, 0.2, (4, 6)) * scale).astype(np.float32)
    item_IF = (generator.uniform(-0.2, 0.2, (500, 6)) * scale).astype(np.float32)
    best_QK, score_QK = top_k(query_QF, item_IF, 20)
    assert (best_QK == slowly(products(query_QF, item_IF), 20)[0]).all()
    assert np.isfinite(score_QK).all()


def test_memory_does_not_grow_with_the_number_of_queries() -> None:
    item_IF = np.random.default_rng(0).standard_normal((3000, 8), dtype=np.float32)

    def beside_the_answer(queries: int) -> int:
        query_QF = np.ones((queries, 8), np.float32)
        tracemalloc.start()
        # One thread: whether two hold their blocks at the same moment is chance.
        best_QK, score_QK = top_k(query_QF, item_IF, 10, threads=1)
        peak = tracemalloc.get_traced_memory()[1] - best_QK.nbytes - score_QK.nbytes
        tracemalloc.stop()
        return peak

    beside_the_answer(300)
    assert beside_the_answer(20_000) < beside_the_answer(2000) + 40 * 18_000
    assert beside_the_answer(20_000) < 20_000 * 3000


def test_nothing_is_answered_from_nothing() -> None:
    for queries, items, k in [(0, 5, 3), (2, 0, 3), (2, 5, 0)]:
        best_QK, score_QK = top_k(np.ones((queries, 4)), np.ones((items, 4)), k)
        assert best_QK.shape == score_QK.shape == (queries, k)
        assert (best_QK == -1).all()
        assert (score_QK == -np.inf).all()
    assert top_k(np.ones((1, 4)), np.ones((5, 4)), 2, allowed=np.array([], np.int32))[0].tolist() == [[-1, -1]]
    assert top_k(np.ones((1, 0)), np.ones((5, 0)), 2)[0].tolist() == [[0, 1]]


def test_what_cannot_be_searched_is_told() -> None:
    ones = np.ones((3, 4), np.float32)
    with pytest.raises(DataError, match="4 factors and items of 2"):
        top_k(ones, ones[:, :2], 1)
    with pytest.raises(DataError, match=r"shape \(4,\)"):
        top_k(ones[0], ones, 1)
    for value in (np.nan, np.inf, 1e30):
        diverged = ones.copy()
        diverged[2, 1] = value
        with pytest.raises(DataError, match="row 2 of the items"):
            top_k(ones, diverged, 1)
    with pytest.raises(DataError, match="item 3 is allowed"):
        top_k(ones, ones, 1, allowed=np.array([0, 3]))
    with pytest.raises(DataError, match="3 queries and 3 items"):
        top_k(ones, ones, 1, exclude=sparse.csr_array((3, 4)))


@given(searches(), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_best_among_candidates_are_those_of_the_definition(search: dict[str, Any], seed: int) -> None:
    query_QF, item_IF, k = search["queries"], search["items"], search["k"]
    candidate_QC = np.random.default_rng(seed).integers(-1, len(item_IF), (len(query_QF), 12))
    score_QI = products(query_QF, item_IF)
    best_QK, score_QK = top_k_among(query_QF, item_IF, candidate_QC, k)
    for q in range(len(query_QF)):
        wanted = slowly(score_QI[q : q + 1], k, allowed=candidate_QC[q][candidate_QC[q] >= 0])
        assert equal((best_QK[q : q + 1], score_QK[q : q + 1]), wanted)
