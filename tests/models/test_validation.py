"""Validation: questions of what came next, held out of what is fitted on."""

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions, moments, newer
from shortlist.models.item_knn import ItemKNN
from shortlist.models.retrieval import Request
from shortlist.models.validation import climbed, hold_out
from shortlist.tables import samples


def pairs(matrix: sparse.csr_array, row: int) -> set[int]:
    return set(matrix[[row]].indices.tolist())


def test_each_question_asks_for_the_next_item_after_all_before_it() -> None:
    data = Dataset.read(samples.shop(users=20, items=30, days=90, seed=1, repeats=0).events)
    seen = interactions(data)
    first, _ = moments(data, seen)
    held = hold_out(data, seen)
    assert held is not None
    assert held.ordered
    when = sparse.csr_array((first + 1, seen.indices, seen.indptr), shape=seen.shape).toarray()
    question = 0
    for user in range(seen.shape[0]):
        mine = pairs(seen, user)
        left = pairs(held.train_UI, user)
        out = mine - left
        assert len(out) == min(5, max(1, round(0.2 * len(mine))))
        assert max(when[user, list(left)]) <= min(when[user, list(out)])
        for _ in out:
            truth, history = pairs(held.truth_QI, question), pairs(held.history_QI, question)
            assert len(truth) == 1
            assert truth < out
            assert left <= history <= mine - truth
            assert max(when[user, list(history)]) <= when[user, list(truth)].min()
            question += 1
    assert question == held.truth_QI.shape[0]


def test_without_times_a_fifth_is_one_question() -> None:
    events = samples.shop(users=20, items=30, days=90, seed=1, repeats=0).events.drop("timestamp")
    seen = interactions(Dataset.read(events))
    held = hold_out(Dataset.read(events), seen)
    assert held is not None
    assert not held.ordered
    counts = np.diff(seen.indptr)
    assert np.diff(held.truth_QI.indptr).tolist() == [max(1, round(0.2 * n)) for n in counts]
    assert held.train_UI.nnz + held.truth_QI.nnz == seen.nnz
    assert not held.newer_QI.data.any()


def test_nothing_is_held_out_where_nobody_has_two_pairs() -> None:
    data = Dataset.read(pl.DataFrame({"user_id": [1, 2], "item_id": [1, 1]}))
    assert hold_out(data, interactions(data)) is None


def test_ndcg_is_what_its_definition_says() -> None:
    data = Dataset.read(samples.shop(users=9, items=12, days=90, seed=1).events.drop("timestamp"))
    held = hold_out(data, interactions(data))
    assert held is not None
    lists = np.array([np.random.default_rng(q).permutation(12)[:10] for q in range(held.truth_QI.shape[0])])
    lists[0, 3:] = -1
    total = 0.0
    for question, row in enumerate(lists):
        true = pairs(held.truth_QI, question)
        gained = sum(1 / np.log2(place + 2) for place, item in enumerate(row) if item in true)
        total += gained / sum(1 / np.log2(place + 2) for place in range(min(10, len(true))))
    assert np.isclose(held.ndcg(lists), total / len(lists))


def test_questions_that_nothing_answers_are_worth_nothing() -> None:
    # Nobody shares an item, so that what is held out is among no popular items.
    users = 5_000
    events = pl.DataFrame({"user_id": np.repeat(np.arange(users), 2), "item_id": np.arange(2 * users)})
    fitted = ItemKNN().fit(Dataset.read(events))
    found = fitted.retrieve(Request(np.arange(3, dtype=np.int32), 5))
    assert found.select("user", "item").rows() == [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4), (2, 5)]


def test_within_keeps_whole_users_and_the_questions() -> None:
    data = Dataset.read(samples.shop(users=40, items=30, days=60, seed=1).events)
    held = hold_out(data, interactions(data))
    assert held is not None
    less = held.within(100)
    assert 0 < less.train_UI.nnz <= 100
    rows = {tuple(sorted(pairs(held.train_UI, user))) for user in range(held.train_UI.shape[0])}
    assert {tuple(sorted(pairs(less.train_UI, user))) for user in range(less.train_UI.shape[0])} <= rows
    assert less.history_QI.shape == held.history_QI.shape
    assert held.within(1).train_UI.shape[0] == 1


def test_newer_counts_entries_of_a_later_moment() -> None:
    starts, moment = np.array([0, 4, 4, 6]), np.array([5, 9, 5, 1, 2, 3])
    assert newer(starts, moment).tolist() == [1, 0, 1, 3, 1, 0]


class Hill(Config):
    height: float = 3.0


def test_the_climb_ends_where_both_neighbours_are_lower_and_asks_each_once() -> None:
    asked: list[float] = []

    def quality(hill: Hill) -> float:
        asked.append(hill.height)
        return -abs(hill.height - 1.0)

    assert climbed(Hill(), "height", (0.0, 1.0, 2.0, 3.0, 4.0, 9.0), quality) == Hill(height=1.0)
    assert len(asked) == len(set(asked))
    assert 9.0 not in asked
