"""Each metric of accuracy by hand on lists small enough to see, as properties, and against a slow twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.evaluation.hits import Hits
from shortlist.evaluation.metrics import FAMILIES, Metric, parse_metric

AT_K = ["hit_rate@{}", "precision@{}", "recall@{}", "mrr@{}", "map@{}", "ndcg@{}", "f1@{}", "f2@{}", "f0.5@{}"]
OF_SETS = ["precision", "recall", "f1", "f2", "f0.5"]


def one(metric, hits, truth_size, length=None):
    """The value for a single user whose list is as long as `hits`, or `length` long and empty beyond."""
    length = len(hits) if length is None else length
    return parse_metric(metric).of_hits(Hits(np.array([hits], dtype=bool), np.array([length]), np.array([truth_size])))[
        0
    ]


# A list with hits at places 1, 3 and 6 of 6.
LIST = [1, 0, 1, 0, 0, 1]

BY_HAND = [
    ("hit_rate@1", LIST, 3, 1.0),
    ("hit_rate@2", [0, 0, 1], 3, 0.0),
    ("precision@4", LIST, 3, 2 / 4),
    ("precision@10", LIST, 3, 3 / 10),  # k counts, not the length of the list
    ("precision", LIST, 3, 3 / 6),  # without a k the length of the list counts
    ("recall@4", LIST, 3, 2 / 3),
    ("recall@1", LIST, 5, 1 / 5),  # |T| counts, not min(k, |T|)
    ("recall", LIST, 5, 3 / 5),
    ("f1", LIST, 3, 2 * 3 / (3 + 6)),
    ("f2", LIST, 4, 5 * 3 / (4 * 4 + 6)),
    ("f0.5", LIST, 4, 1.25 * 3 / (0.25 * 4 + 6)),
    ("f1@4", LIST, 3, 2 * 2 / (3 + 4)),
    ("f1@10", LIST, 3, 2 * 3 / (3 + 6)),  # six of the ten places are filled
    ("f2", [1, 1], 2, 1.0),
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


def test_every_family_of_accuracy_has_a_value_by_hand():
    computed = {parse_metric(metric).family.function for metric, *_ in BY_HAND}
    assert computed == {family.function for family in FAMILIES.values() if family.kind == "accuracy"}


@pytest.mark.parametrize("metric", [text.format(5) for text in AT_K] + OF_SETS)
def test_a_list_without_hits_and_an_empty_list_score_zero(metric):
    assert one(metric, [0, 0, 0], 2) == 0.0
    assert one(metric, [0], 2, length=0) == 0.0


def slow(name, hits, truth_size, k):
    """The definitions, one place after the other."""
    found, total, gain, first = 0, 0.0, 0.0, None
    shown = hits if k is None else hits[:k]
    for rank, hit in enumerate(shown, start=1):
        if hit:
            found += 1
            total += found / rank
            gain += 1 / math.log2(rank + 1)
            first = first or rank
    if name.startswith("f"):
        weight = float(name[1:]) ** 2
        exact, complete = found / len(shown), found / truth_size
        return (1 + weight) * exact * complete / (weight * exact + complete) if found else 0.0
    reach = truth_size if k is None else min(k, truth_size)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, reach + 1))
    return {
        "hit_rate": float(found > 0),
        "precision": found / (k or len(shown)),
        "recall": found / truth_size,
        "mrr": 1 / first if first else 0.0,
        "map": total / reach,
        "ndcg": gain / ideal,
    }[name]


@st.composite
def judged(draw):
    """Hits of several users, and how many true items each has: at least those that were hit."""
    places = draw(st.integers(1, 8))
    hits = draw(st.lists(st.lists(st.booleans(), min_size=places, max_size=places), min_size=1, max_size=6))
    sizes = [max(1, sum(row) + draw(st.integers(0, 5))) for row in hits]
    return lists_of(np.array(hits, dtype=bool), np.array(sizes))


def lists_of(hits, sizes):
    return Hits(hits, np.full(len(hits), hits.shape[1]), sizes)


METRICS = st.sampled_from(OF_SETS) | st.builds(str.format, st.sampled_from(AT_K), st.integers(1, 12))


@given(judged(), METRICS)
def test_every_metric_agrees_with_its_slow_twin_and_stays_between_0_and_1(lists, text):
    metric = parse_metric(text)
    values = metric.of_hits(lists)
    rows = zip(lists.hits.tolist(), lists.truth_sizes.tolist(), strict=True)
    assert values == pytest.approx([slow(metric.name, row, size, metric.k) for row, size in rows], abs=1e-12)
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()


@given(judged(), METRICS, st.data())
def test_a_miss_that_becomes_a_hit_never_lowers_a_metric(lists, text, data):
    row = data.draw(st.integers(0, len(lists) - 1))
    place = data.draw(st.integers(0, lists.hits.shape[1] - 1))
    better = lists.hits.copy()
    better[row, place] = True
    sizes = np.maximum(lists.truth_sizes, better.sum(axis=1))
    metric = parse_metric(text)
    assert (metric.of_hits(lists_of(better, sizes)) >= metric.of_hits(lists_of(lists.hits, sizes)) - 1e-12).all()


def test_users_are_computed_alike_whatever_block_they_fall_in():
    hits = np.random.default_rng(0).random((40_000, 5)) < 0.3
    lists = lists_of(hits, np.maximum(1, hits.sum(axis=1)))
    metric = Metric("map", 3)
    assert metric.of_hits(lists)[-7:].tolist() == metric.of_hits(lists[slice(-7, None)]).tolist()
