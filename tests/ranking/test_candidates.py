from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl
import pytest

from shortlist.models.retrieval import Request, best
from shortlist.ranking.candidates import by_source, first_source, gather

SCORED = {"user": pl.Int32, "item": pl.Int32, "score": pl.Float64}


@dataclass(frozen=True)
class Fixed:
    """A retriever that knows its scores."""

    scores: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        return best(self.scores.join(request.user_frame, on="user", how="semi"), request)


def fixed(*rows: tuple[int, int, float]) -> Fixed:
    return Fixed(pl.DataFrame(rows, schema=SCORED, orient="row"))


BOUGHT = fixed((0, 7, 9.0), (0, 5, 8.0), (1, 7, 1.0))
WANTED = fixed((0, 5, 0.5), (0, 6, 0.4), (0, 8, 0.3))
BOTH = {"bought": BOUGHT, "wanted": WANTED}


def request(k: int, users: tuple[int, ...] = (0, 1, 2), exclude: pl.DataFrame | None = None) -> Request:
    return Request(np.array(users, dtype=np.int32), k, exclude)


def test_candidates_are_the_union_by_reciprocal_rank_fusion() -> None:
    found = gather(BOTH, request(10), depth=10)
    assert found.columns == [
        *("user", "item", "fused", "rank", "rank_bought", "score_bought", "rank_wanted", "score_wanted"),
    ]
    assert found.schema["rank_bought"] == found.schema["rank"] == found.schema["item"] == pl.Int32
    assert found.schema["score_wanted"] == found.schema["fused"] == pl.Float32
    assert found.select("user", "item", "rank_bought", "rank_wanted", "rank").rows() == [
        (0, 5, 2, 1, 1),
        (0, 7, 1, None, 2),
        (0, 6, None, 2, 3),
        (0, 8, None, 3, 4),
        (1, 7, 1, None, 1),
    ]
    assert found["fused"].to_list() == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63, 1 / 61])
    assert found["score_wanted"].to_list()[:2] == [0.5, None]


def test_only_the_best_fused_are_kept_however_deep_was_asked() -> None:
    assert gather(BOTH, request(2), depth=10)["item"].to_list() == [5, 7, 7]
    assert gather(BOTH, request(10), depth=1)["item"].to_list() == [5, 7, 7]


def test_ties_go_to_the_smaller_item() -> None:
    found = gather({"a": fixed((0, 9, 1.0)), "b": fixed((0, 3, 1.0))}, request(5), depth=5)
    assert found["item"].to_list() == [3, 9]


@dataclass(frozen=True)
class Placed:
    """A retriever that knows its ranks."""

    ranks: dict[int, int]

    def retrieve(self, request: Request) -> pl.DataFrame:
        rows = [(0, item, -float(rank), rank) for item, rank in self.ranks.items()]
        return pl.DataFrame(rows, schema=SCORED | {"rank": pl.Int32}, orient="row")


@pytest.mark.parametrize("order", list(permutations((56, 57, 59))))
def test_equal_votes_are_equal_in_whatever_order_they_are_added(order: tuple[int, ...]) -> None:
    # 1/116 + 1/117 + 1/119 differs in its last bit from 1/119 + 1/117 + 1/116.
    sources = {f"s{place}": Placed({9: (56, 57, 59)[place], 3: order[place]}) for place in range(3)}
    assert gather(sources, request(2, users=(0,)), depth=99)["item"].to_list() == [3, 9]


def test_what_is_excluded_is_asked_of_no_source() -> None:
    exclude = pl.DataFrame({"user": [0], "item": [7]}, schema={"user": pl.Int32, "item": pl.Int32})
    found = gather(BOTH, request(10, exclude=exclude), depth=10)
    assert found.filter(pl.col("user") == 0).select("item", "rank_bought").rows() == [(5, 1), (6, None), (8, None)]


def test_nobody_has_no_candidates() -> None:
    nothing = gather(BOTH, request(10, users=()), depth=10)
    assert nothing.is_empty()
    assert nothing.schema == gather(BOTH, request(10), depth=10).schema


def test_by_source_has_a_row_for_each_source_that_brought_a_pair() -> None:
    found = by_source(gather(BOTH, request(10, users=(0,)), depth=10))
    assert found.columns == ["user", "item", "source", "rank"]
    assert sorted(found.rows()) == [
        (0, 5, "bought", 2),
        (0, 5, "wanted", 1),
        (0, 6, "wanted", 2),
        (0, 7, "bought", 1),
        (0, 8, "wanted", 3),
    ]


def test_the_first_source_is_the_one_that_placed_a_pair_best_and_of_equals_the_first() -> None:
    candidates = pl.DataFrame({"rank_a": [1, 2, None, 3, None], "rank_b": [2, 1, 4, 3, None]})
    found = candidates.select(source=first_source(candidates))["source"]
    assert found.to_list() == ["a", "b", "b", "a", None]
