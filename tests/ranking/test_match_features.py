"""MatchFeatures on a small curriculum, each against what is counted by hand."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.folds import Tree, k_fold
from shortlist.models.retrieval import Request
from shortlist.models.text_search import TextSearch
from shortlist.ranking.candidates import gather
from shortlist.ranking.match_features import RIVALS, FittedMatchFeatures, MatchFeatures
from shortlist.tables import samples

SOURCE, K = "text_search", 30


@pytest.fixture(scope="module")
def data() -> Dataset:
    made = samples.curriculum(topics=60, contents=120, pairs=160, seed=3)
    whole = Dataset.read(made.events, made.items, made.users)
    # Topics of one fold have no content yet, as those that are asked for.
    return k_fold(whole, 4, by=Tree(depth=2), keep_items=True)[0].train


@pytest.fixture(scope="module")
def retrievers(data: Dataset) -> dict[str, Any]:
    return {SOURCE: TextSearch().fit(data)}


@pytest.fixture(scope="module")
def fitted(data: Dataset, retrievers: dict[str, Any]) -> FittedMatchFeatures:
    return MatchFeatures(depth=200).fit(data, retrievers)


@pytest.fixture(scope="module")
def rows(data: Dataset, retrievers: dict[str, Any], fitted: FittedMatchFeatures) -> pl.DataFrame:
    everybody = np.arange(len(data.user_ids), dtype=np.int32)
    return fitted.of(gather(retrievers, Request(everybody, K), depth=K), retrievers)


@pytest.fixture(scope="module")
def had(data: Dataset) -> dict[int, set[int]]:
    pairs = data.engine.frame(data.events.select("user", "item").distinct())
    return {user: set(part["item"]) for (user,), part in pairs.group_by("user")}  # type: ignore[misc]


def some(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of a few lists."""
    return rows.filter(pl.col("user") % 7 == 0).to_dicts()


def test_scores_stand_beside_the_others_of_their_list(rows: pl.DataFrame) -> None:
    for (_,), part in rows.group_by("user"):
        scores = sorted(part[f"score_{SOURCE}"], reverse=True)
        for row in part.to_dicts():
            score = row[f"score_{SOURCE}"]
            place = int(row[f"score_{SOURCE}_place"]) - 1
            assert scores[place] == score
            assert row[f"score_{SOURCE}_to_best"] == pytest.approx(score / scores[0])
            assert row[f"score_{SOURCE}_best"] == scores[0]
            assert row[f"score_{SOURCE}_fifth_to_best"] == pytest.approx(scores[min(4, len(scores) - 1)] / scores[0])
            if len(set(scores)) == len(scores) > 1:
                below = scores[place + 1] if place + 1 < len(scores) else None
                above = scores[place - 1] if place else None
                gap, jump = row[f"score_{SOURCE}_gap"], row[f"score_{SOURCE}_jump"]
                assert gap is None if below is None else gap == pytest.approx(score - below, abs=1e-6)
                assert jump is None if above is None else jump == pytest.approx(above - score, abs=1e-6)
                between = (score - scores[-1]) / (scores[0] - scores[-1])
                assert row[f"score_{SOURCE}_between"] == pytest.approx(between, abs=1e-5)


def test_rivals_are_the_other_users_whose_score_is_best(
    rows: pl.DataFrame, data: Dataset, retrievers: dict[str, Any]
) -> None:
    everybody = np.arange(len(data.user_ids), dtype=np.int32)
    whole = retrievers[SOURCE].retrieve(Request(everybody, 200))
    scores = {(user, item): score for user, item, score, _ in whole.iter_rows()}
    for row in some(rows):
        mine = row[f"score_{SOURCE}"]
        others = [score for (user, item), score in scores.items() if item == row["item"] and user != row["user"]]
        best = max(others, default=None)
        told = row[f"score_{SOURCE}_to_rivals"]
        assert told is None if best is None else told == pytest.approx(mine / best, rel=1e-5)
        if best is not None:
            better = sum(np.float32(score) > np.float32(mine) for score in others)
            assert row[f"rivals_{SOURCE}"] in {min(better, RIVALS), min(better, RIVALS - 1)}


def test_relatives_are_kin_of_one_parent_and_near_by_their_texts(
    rows: pl.DataFrame, data: Dataset, retrievers: dict[str, Any], had: dict[int, set[int]]
) -> None:
    parent = data.engine.frame(data.users.order_by("user"))["parent_id"].to_list()
    kinds = data.engine.frame(data.items.order_by("item"))["kind"].to_list()
    vectors = retrievers[SOURCE].item_vectors
    alike = retrievers[SOURCE].similar_users(np.arange(len(parent), dtype=np.int32), len(parent))
    for row in some(rows):
        user, item = row["user"], row["item"]
        near = [other for other in alike.filter(user=user)["similar"] if other in had][:5]
        kin = [other for other in had if other != user and parent[other] == parent[user] is not None]
        for name, relatives in (("kin", kin), ("near", near)):
            theirs = [one for relative in relatives for one in sorted(had[relative])]
            if not theirs:
                assert row[f"{name}_items"] is None
                continue
            products = vectors[theirs] @ vectors[item]
            assert row[f"{name}_items"] == len(theirs)
            assert row[f"{name}_each"] == pytest.approx(len(theirs) / len(relatives))
            assert row[f"{name}_most"] == pytest.approx(products.max(), abs=1e-5)
            assert row[f"{name}_mean"] == pytest.approx(products.mean(), abs=1e-5)
            assert row[f"{name}_kind"] == pytest.approx(np.mean([kinds[one] == kinds[item] for one in theirs]))


def test_the_crowd_is_the_rest_of_the_list(rows: pl.DataFrame, retrievers: dict[str, Any]) -> None:
    vectors = retrievers[SOURCE].item_vectors
    for (_,), part in rows.filter(pl.col("user") % 11 == 0).group_by("user", maintain_order=True):
        items = part["item"].to_list()
        for place, row in enumerate(part.to_dicts()):
            others = [at for at in range(len(items)) if at != place]
            products = np.array([vectors[items[at]] @ vectors[row["item"]] for at in others])
            first = np.array([product for at, product in zip(others, products, strict=True) if at < 20])
            assert row["crowd_first"] == pytest.approx(first.mean(), abs=1e-5)
            assert row["crowd_nearest"] == pytest.approx(np.sort(products)[-5:].mean(), abs=1e-5)


def test_what_is_known_of_both_stands_beside_them(rows: pl.DataFrame, data: Dataset, had: dict[int, set[int]]) -> None:
    users = data.engine.frame(data.users.order_by("user"))
    children = users["parent_id"].value_counts()
    for row in some(rows):
        held = sum(row["item"] in items for items in had.values())
        assert row["held"] == (held or None)
        assert row["both_language"] == 1.0
        assert row["user_title_length"] == len(users["title"][row["user"]])
        known = children.filter(pl.col("parent_id") == users["user_id"][row["user"]])["count"]
        assert row["user_children"] == (known.item() if len(known) else None)
    assert set(rows["item_kind"]) == {0.0, 1.0, 2.0}


def test_features_are_numbers_and_the_order_of_candidates_stays(
    rows: pl.DataFrame, data: Dataset, retrievers: dict[str, Any]
) -> None:
    everybody = np.arange(len(data.user_ids), dtype=np.int32)
    candidates = gather(retrievers, Request(everybody, K), depth=K)
    assert rows.select(candidates.columns).equals(candidates)
    assert all(kind.is_numeric() for kind in rows.schema.values())


def test_who_comes_later_has_kin_and_what_comes_later_has_attributes(
    data: Dataset, fitted: FittedMatchFeatures, retrievers: dict[str, Any], had: dict[int, set[int]]
) -> None:
    parent = data.engine.frame(data.users.order_by("user"))["parent_id"].to_list()
    elder = parent[next(user for user in had if parent[user] is not None)]
    child = pl.DataFrame({"user_id": ["new"], "parent_id": [elder], "title": ["bada bobo"], "language": ["language 0"]})
    film = pl.DataFrame({"item_id": ["new"], "title": ["bada"], "language": ["language 0"], "kind": ["film"]})
    longer = fitted.with_users(child).with_items(film, len(data.item_ids))
    known = {SOURCE: retrievers[SOURCE].with_users(child).with_items(film)}
    asked = np.array([len(data.user_ids)], dtype=np.int32)
    found = longer.of(gather(known, Request(asked, K), depth=K), known)
    siblings = [user for user in had if parent[user] == elder]
    assert found["kin_items"][0] == sum(len(had[user]) for user in siblings)
    row = found.filter(item=len(data.item_ids)).row(0, named=True)
    kinds = sorted({"film", "book", "exercise"})
    assert row["item_kind"] == kinds.index("film")
    assert row["both_language"] == 1.0
    assert row["held"] is None
