"""Recall by source by hand, and against sets in plain Python."""

import json
import random

import polars as pl
import pytest

from shortlist.errors import ConfigError, DataError
from shortlist.evaluation.anatomy import anatomy

TRUTH = pl.DataFrame({"user_id": [1, 1, 2, 2, 2, 2], "item_id": ["a", "b", "a", "c", "d", "e"]})


def candidates(*rows):
    return pl.DataFrame(rows, schema=["user_id", "item_id", "source", "rank"], orient="row")


BOTH = candidates(
    (1, "a", "bought", 1),
    (1, "x", "bought", 2),
    (1, "a", "popular", 1),
    (2, "c", "popular", 1),
    (2, "y", "popular", 2),
    (9, "a", "popular", 1),  # without truth: left out
)


def test_the_table_is_the_one_computed_by_hand():
    found = anatomy(BOTH, TRUTH, k=2)
    assert found.sources.to_dicts() == [
        {
            "source": "bought",
            "candidates": 1.0,
            "recall": 0.25,
            "added": 0.25,
            "lost": 0.0,
            "overlap": 0.5,
            "kept": None,
        },
        {
            "source": "popular",
            "candidates": 1.5,
            "recall": 0.375,  # (1/2 + 1/4) / 2
            "added": 0.125,
            "lost": 0.125,
            "overlap": pytest.approx(1 / 3),
            "kept": None,
        },
    ]
    assert found.overlaps.rows() == [("bought", "popular", 0.5), ("popular", "bought", pytest.approx(1 / 3))]
    assert (found.users, found.candidates, found.recall) == (2, 2.0, 0.375)


def test_the_ceiling_is_a_ranker_that_knows_and_the_lists_lose_the_rest():
    lists = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["x", "a", "y"], "rank": [1, 2, 1]})
    found = anatomy(BOTH, TRUTH, k=2, recommendations=lists)
    assert str(found.metric) == "map@2"
    assert found.ceiling == 0.5  # each of the two users has one true candidate: 1 / min(2, |T|)
    assert found.reached == (1 / 2 / 2 + 0) / 2
    assert found.shown == (1 / 2 + 0) / 2
    assert found.sources["kept"].to_list() == [1.0, 0.5]  # a is shown to user 1; c, which popular brought, is not
    assert anatomy(BOTH, TRUTH, k=2).reached is None


def test_the_order_of_the_sources_decides_what_each_adds():
    found = anatomy(BOTH, TRUTH, k=2, sources=["popular", "bought", "nobody"]).sources
    assert found["source"].to_list() == ["popular", "bought", "nobody"]
    assert found["added"].to_list() == [0.375, 0.0, 0.0]
    assert found.row(2) == ("nobody", 0.0, 0.0, 0.0, 0.0, None, None)


def by_sets(rows, truth, order):
    """The same numbers from sets of items, user by user."""
    brought = {(source, user): set() for source in order for user in truth}
    for user, item, source, _ in rows:
        if user in truth:
            brought[source, user].add(item)

    def recall(sources):
        shares = [len(set().union(*(brought[s, u] for s in sources)) & truth[u]) / len(truth[u]) for u in truth]
        return sum(shares) / len(truth)

    for n, source in enumerate(order):
        others = [s for s in order if s != source]
        size = sum(len(brought[source, u]) for u in truth)
        shared = sum(len(brought[source, u] & set().union(*(brought[s, u] for s in others))) for u in truth)
        yield (
            source,
            size / len(truth),
            recall([source]),
            recall(order[: n + 1]) - recall(order[:n]),
            recall(order) - recall(others),
            shared / size,
        )


@pytest.mark.parametrize("seed", range(5))
def test_random_candidates_agree_with_sets(seed):
    chance = random.Random(seed)
    order = ["p", "q", "r"]
    truth = {user: set(chance.sample(range(8), chance.randint(1, 4))) for user in range(6)}
    rows = [
        (user, item, source, rank)
        for source in order
        for user in range(8)
        for rank, item in enumerate(chance.sample(range(8), 3), start=1)
    ]
    frame = pl.DataFrame([(u, i) for u in truth for i in truth[u]], schema=["user_id", "item_id"], orient="row")
    expected = list(by_sets(rows, truth, order))
    chance.shuffle(rows)
    found = anatomy(candidates(*rows), frame, k=3, sources=order)
    for ours, theirs in zip(found.sources.iter_rows(), expected, strict=True):
        assert ours[0] == theirs[0]
        assert ours[1:-1] == pytest.approx(theirs[1:], abs=1e-12)
    assert sum(found.sources["added"]) == pytest.approx(found.recall)


def test_no_candidates_at_all_reach_nothing():
    found = anatomy(BOTH.clear(), TRUTH, k=2, sources=["bought"])
    assert (found.candidates, found.recall, found.ceiling) == (0.0, 0.0, 0.0)


def test_it_renders_and_goes_into_json():
    lists = pl.DataFrame({"user_id": [1], "item_id": ["a"], "rank": [1]})
    found = anatomy(BOTH, TRUTH, k=2, recommendations=lists)
    told = str(found)
    assert "popular" in told
    assert "map@2 within reach of a perfect ranker: 0.5000; reached: 0.2500, lost: 0.2500" in told
    assert json.loads(json.dumps(found.to_dict()))["recall"] == 0.375


def test_a_pair_twice_from_one_source_is_refused():
    with pytest.raises(DataError, match="brings item 'a' to user 1 twice"):
        anatomy(pl.concat([BOTH, BOTH[:1]]), TRUTH, k=2)


def test_a_source_that_is_not_named_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'populr'"):
        anatomy(BOTH, TRUTH, k=2, sources=["bought", "populr"])


def test_ids_that_cannot_match_are_refused():
    with pytest.raises(DataError, match="user_id is text"):
        anatomy(BOTH.with_columns(pl.col("user_id").cast(pl.String)), TRUTH, k=2)
