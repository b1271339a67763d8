"""Each metric by hand on lists small enough to see, as properties, and against a slow twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.errors import ConfigError
from shortlist.evaluation.metrics import FAMILIES, PER_USER, Metric, coverage, metrics_of, parse_metric


def one(metric, hits, truth_size):
    """The value for a single user."""
    return parse_metric(metric).values(np.array([hits], dtype=bool), np.array([truth_size]))[0]


# A list with hits at places 1, 3 and 6 of 6.
LIST = [1, 0, 1, 0, 0, 1]

BY_HAND = [
    ("hit_rate@1", LIST, 3, 1.0),
    ("hit_rate@2", [0, 0, 1], 3, 0.0),
    ("precision@4", LIST, 3, 2 / 4),
    ("precision@10", LIST, 3, 3 / 10),  # k counts, not the length of the list
    ("recall@4", LIST, 3, 2 / 3),
    ("recall@1", LIST, 5, 1 / 5),  # |T| counts, not min(k, |T|)
    ("mrr@6", LIST, 3, 1.0),
    ("mrr@6", [0, 0, 1, 1], 3, 1 / 3),
    ("mrr@2", [0, 0, 1, 1], 3, 0.0),
    ("map@6", LIST, 3, (1 / 1 + 2 / 3 + 3 / 6) / 3),
    ("map@4", LIST, 3, (1 / 1 + 2 / 3) / 3),
    ("map@4", LIST, 10, (1 / 1 + 2 / 3) / 4),  # divided by min(k, |T|)
    ("map@12", LIST, 4, (1 / 1 + 2 / 3 + 3 / 6) / 4),  # a true item that is not in the list costs
    ("map@2", [1, 1], 2, 1.0),
    ("ndcg@6", LIST, 3, (1 + 1 / 2 + 1 / math.log2(7)) / (1 + 1 / math.log2(3) + 1 / 2)),
    ("ndcg@2", LIST, 3, 1 / (1 + 1 / math.log2(3))),
    ("ndcg@10", [0, 1], 1, 1 / math.log2(3)),
    ("ndcg@10", [1, 1], 2, 1.0),
]


@pytest.mark.parametrize(("metric", "hits", "truth_size", "expected"), BY_HAND)
def test_the_value_is_the_one_computed_by_hand(metric, hits, truth_size, expected):
    assert one(metric, hits, truth_size) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("name", PER_USER)
def test_a_list_without_hits_and_an_empty_list_score_zero(name):
    assert one(f"{name}@5", [0, 0, 0], 2) == 0.0
    assert one(f"{name}@5", [0], 2) == 0.0


def test_coverage_is_the_share_of_the_catalogue_that_is_shown():
    assert coverage(3, 12) == 0.25


def slow(name, hits, truth_size, k):
    """The definitions, one place after the other."""
    found, total, gain, first = 0, 0.0, 0.0, None
    for rank, hit in enumerate(hits[:k], start=1):
        if hit:
            found += 1
            total += found / rank
            gain += 1 / math.log2(rank + 1)
            first = first or rank
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, truth_size) + 1))
    return {
        "hit_rate": float(found > 0),
        "precision": found / k,
        "recall": found / truth_size,
        "mrr": 1 / first if first else 0.0,
        "map": total / min(k, truth_size),
        "ndcg": gain / ideal,
    }[name]


@st.composite
def judged(draw):
    """Hits of several users, and how many true items each has: at least those that were hit."""
    places = draw(st.integers(1, 8))
    hits = draw(st.lists(st.lists(st.booleans(), min_size=places, max_size=places), min_size=1, max_size=6))
    sizes = [max(1, sum(row) + draw(st.integers(0, 5))) for row in hits]
    return np.array(hits, dtype=bool), np.array(sizes)


@given(judged(), st.sampled_from(sorted(PER_USER)), st.integers(1, 12))
def test_every_metric_agrees_with_its_slow_twin_and_stays_between_0_and_1(case, name, k):
    hits, sizes = case
    values = Metric(name, k).values(hits, sizes)
    expected = [slow(name, row, size, k) for row, size in zip(hits.tolist(), sizes.tolist(), strict=True)]
    assert values == pytest.approx(expected, abs=1e-12)
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@given(judged(), st.sampled_from(sorted(PER_USER)), st.integers(1, 12), st.data())
def test_a_miss_that_becomes_a_hit_never_lowers_a_metric(case, name, k, data):
    hits, sizes = case
    row = data.draw(st.integers(0, len(hits) - 1))
    place = data.draw(st.integers(0, hits.shape[1] - 1))
    better = hits.copy()
    better[row, place] = True
    sizes = np.maximum(sizes, better.sum(axis=1))
    metric = Metric(name, k)
    assert (metric.values(better, sizes) >= metric.values(hits, sizes) - 1e-12).all()


def test_users_are_computed_alike_whatever_block_they_fall_in():
    generator = np.random.default_rng(0)
    hits = generator.random((40_000, 5)) < 0.3
    sizes = np.maximum(1, hits.sum(axis=1))
    metric = Metric("map", 3)
    assert metric.values(hits, sizes)[-7:].tolist() == metric.values(hits[-7:], sizes[-7:]).tolist()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_text_of_a_metric_reads_back_as_an_equal_one(name):
    metric = Metric(name, 12)
    assert parse_metric(str(metric)) == metric
    assert hash(parse_metric(str(metric))) == hash(metric)
    assert str(parse_metric(f" {name.upper()}@12 ")) == f"{name}@12"


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_states_its_formula_and_its_source(name):
    assert f"{name}@k = " in Metric(name, 1).definition
    assert "Source: " in Metric(name, 1).definition


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ndgc@10", "did you mean 'ndcg'"),
        ("ndgc", "did you mean 'ndcg'"),
        ("map", "'map@10'"),
        ("map@", "'map@10'"),
        ("map@ten", "'map@10'"),
        ("map@-3", "'map@10'"),
        ("map@0", "first 0 places"),
        ("", "there is no metric ''"),
    ],
)
def test_a_text_that_is_no_metric_is_refused_with_a_hint(text, told):
    with pytest.raises(ConfigError, match=told):
        parse_metric(text)


@pytest.mark.parametrize("k", [0, -1, 2.5, True, None])
def test_a_metric_never_has_an_impossible_k(k):
    with pytest.raises(ConfigError):
        Metric("map", k)


def test_metrics_may_be_named_as_text_or_values_and_each_counts_once():
    assert metrics_of(["map@12", Metric("map", 12), "mrr@1"]) == [Metric("map", 12), Metric("mrr", 1)]
    assert metrics_of("map@12") == [Metric("map", 12)]
    with pytest.raises(ConfigError, match="no metric to judge by"):
        metrics_of([])
