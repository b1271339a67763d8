from collections import defaultdict

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.models.retrieval import USERS_AT_ONCE, Request, best, best_of_product, most_excluded

PAIRS = {"user": pl.Int32, "item": pl.Int32}
SCORED = PAIRS | {"score": pl.Float64}


def scored(rows: list[tuple[int, int, float]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCORED, orient="row")


def request(users: list[int], k: int, exclude: list[tuple[int, int]] | None = None, items: list[int] | None = None):
    return Request(
        np.array(users, dtype=np.int32),
        k,
        None if exclude is None else pl.DataFrame(exclude, schema=PAIRS, orient="row"),
        None if items is None else np.array(items, dtype=np.int32),
    )


def test_the_best_come_first_and_ties_go_to_the_smaller_item() -> None:
    found = best(scored([(0, 3, 1.0), (0, 1, 1.0), (0, 2, 5.0), (1, 9, -2.0), (0, 4, 0.5)]), request([0, 1], 3))
    assert found.schema == PAIRS | {"score": pl.Float64, "rank": pl.Int32}
    assert found.rows() == [(0, 2, 5.0, 1), (0, 1, 1.0, 2), (0, 3, 1.0, 3), (1, 9, -2.0, 1)]


def test_what_is_excluded_is_gone_before_the_ranks_are_given() -> None:
    rows = [(0, 1, 3.0), (0, 2, 2.0), (0, 3, 1.0), (1, 1, 1.0)]
    assert best(scored(rows), request([0, 1], 2, exclude=[(0, 1)])).rows() == [
        (0, 2, 2.0, 1),
        (0, 3, 1.0, 2),
        (1, 1, 1.0, 1),
    ]


def test_only_allowed_items_are_answered() -> None:
    rows = [(0, 1, 3.0), (0, 2, 2.0), (0, 3, 1.0)]
    assert best(scored(rows), request([0], 5, items=[3, 2, 77])).rows() == [(0, 2, 2.0, 1), (0, 3, 1.0, 2)]
    assert best(scored(rows), request([0], 5, items=[])).rows() == []


def test_the_most_excluded_of_one_user() -> None:
    assert most_excluded(None) == 0
    assert most_excluded(pl.DataFrame(schema=PAIRS)) == 0
    assert most_excluded(pl.DataFrame([(0, 1), (1, 1), (1, 2)], schema=PAIRS, orient="row")) == 2


def test_users_of_many_blocks_are_all_answered() -> None:
    users = list(range(2 * USERS_AT_ONCE + 3))
    known = scored([(user, user % 5, 1.0) for user in users])
    reached = pl.DataFrame({"via": range(5), "item": [10, 11, 12, 13, 14], "score": [1.0] * 5})
    found = best_of_product(known, reached, request(users, 3))
    assert found["user"].to_list() == users
    assert found["item"].to_list() == [10 + user % 5 for user in users]


numbers = st.sampled_from([0.25, 0.5, 1.0, 2.0])
known_rows = st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 3)), numbers, max_size=10)
reached_rows = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 6)), numbers, max_size=14)


@settings(max_examples=60, deadline=None)
@given(
    known_rows,
    reached_rows,
    st.integers(1, 8),
    st.none() | st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), unique=True, max_size=12),
    st.none() | st.lists(st.integers(0, 8), unique=True, max_size=6),
)
def test_the_best_of_a_product_is_the_best_of_all_sums(
    known: dict[tuple[int, int], float],
    reached: dict[tuple[int, int], float],
    k: int,
    exclude: list[tuple[int, int]] | None,
    items: list[int] | None,
) -> None:
    users = [2, 0, 1, 9]
    wanted = []
    for user in sorted(users):
        sums: defaultdict[int, float] = defaultdict(float)
        for (who, via), much in known.items():
            for (through, item), more in reached.items():
                allowed = (items is None or item in items) and (user, item) not in (exclude or [])
                if who == user and via == through and allowed:
                    sums[item] += much * more
        order = sorted(sums, key=lambda item: (-sums[item], item))[:k]
        wanted += [(user, item, sums[item], rank) for rank, item in enumerate(order, start=1)]
    found = best_of_product(
        scored([(*key, score) for key, score in known.items()]),
        pl.DataFrame(
            [(*key, score) for key, score in reached.items()],
            schema={"via": pl.Int32, "item": pl.Int32, "score": pl.Float64},
            orient="row",
        ),
        request(users, k, exclude, items),
    )
    assert sorted(found.rows()) == sorted(wanted)
