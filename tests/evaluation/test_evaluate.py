"""Evaluations by hand, what must not change them, and what is refused."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.errors import ConfigError, DataError
from shortlist.evaluation.evaluate import evaluate
from shortlist.evaluation.metrics import FAMILIES, Metric

ALL = [f"{name}@3" for name in FAMILIES if FAMILIES[name].kind == "accuracy" and name != "f_beta"] + ["f2", "f1@3"]

# User 1 took a and b, user 2 took c, user 3 took d; user 4 took nothing.
TRUTH = pl.DataFrame({"user_id": [1, 1, 2, 3, 1], "item_id": ["a", "b", "c", "d", "a"]})
LISTS = pl.DataFrame(
    {
        "user_id": [1, 1, 1, 2, 2, 4],
        "item_id": ["a", "x", "b", "x", "c", "a"],
        "rank": [1, 2, 3, 1, 2, 1],
        "score": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
    }
)
POPULAR = pl.DataFrame({"user_id": [1, 2, 3], "item_id": ["a", "a", "a"], "rank": [1, 1, 1]})


def values(evaluation):
    return dict(evaluation.table.select("metric", "value").iter_rows())


def test_the_values_are_those_computed_by_hand():
    found = evaluate(LISTS, TRUTH, ["map@3", "recall@3", "mrr@3", "hit_rate@1", "coverage@2"], catalogue=8)
    assert values(found) == pytest.approx(
        {
            "map@3": ((1 + 2 / 3) / 2 + 1 / 2 + 0) / 3,
            "recall@3": (1 + 1 + 0) / 3,
            "mrr@3": (1 + 1 / 2 + 0) / 3,
            "hit_rate@1": 1 / 3,
            "coverage@2": 3 / 8,  # a, x, c
        }
    )
    assert (found.users, found.users_without_list, found.users_without_truth) == (3, 1, 1)


def test_the_table_of_users_has_the_values_of_each():
    found = evaluate(LISTS, TRUTH, ["recall@1", "coverage@1"], catalogue=4).per_user
    assert found.to_dict(as_series=False) == {"user_id": [1, 2, 3], "recall@1": [0.5, 0.0, 0.0]}


def test_baselines_stand_in_the_table_and_differences_beside_them():
    found = evaluate(LISTS, TRUTH, ["recall@3", "coverage@3"], against={"popular": POPULAR}, catalogue=4, name="ours")
    assert found.table.select("model", "metric").rows() == [
        ("ours", "recall@3"),
        ("ours", "coverage@3"),
        ("popular", "recall@3"),
        ("popular", "coverage@3"),
    ]
    recall, coverage = found.differences.to_dicts()
    assert (recall["model"], recall["baseline"], recall["metric"]) == ("ours", "popular", "recall@3")
    assert recall["difference"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert recall["low"] <= recall["difference"] <= recall["high"]
    assert coverage["difference"] == (4 - 1) / 4


def test_lists_against_themselves_differ_by_exactly_nothing():
    found = evaluate(LISTS, TRUTH, ALL, against={"same": LISTS.reverse()}).differences
    assert found.select("difference", "low", "high").sum().row(0) == (0.0, 0.0, 0.0)
    assert found["high"].abs().max() == 0.0


def test_coverage_has_no_interval():
    found = evaluate(LISTS, TRUTH, ["coverage@3"], catalogue=4)
    assert found.table.row(0) == ("model", "coverage@3", 1.0, None, None)


def test_the_interval_is_that_of_a_slow_bootstrap():
    generator = np.random.default_rng(0)
    users = 300
    truth = pl.DataFrame({"user_id": range(users), "item_id": 1})
    lists = pl.DataFrame({"user_id": range(users), "item_id": generator.random(users) < 0.3, "rank": 1})
    found = evaluate(lists.with_columns(pl.col("item_id").cast(pl.Int64)), truth, ["recall@1"], draws=4000).table
    hits = lists["item_id"].to_numpy()
    slow = [hits[generator.integers(0, users, users)].mean() for _ in range(4000)]
    assert found.row(0)[3:] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.007)


def test_the_same_seed_gives_the_same_evaluation_and_another_seed_other_draws():
    first, again, other = (evaluate(LISTS, TRUTH, ALL, draws=5, seed=seed) for seed in (1, 1, 2))
    assert first.to_dict() == again.to_dict()
    assert first.table["value"].equals(other.table["value"])
    assert not first.table["low"].equals(other.table["low"])


@st.composite
def worlds(draw):
    users, items = st.integers(0, 5), st.integers(0, 9)
    truth = draw(st.lists(st.tuples(users, items), min_size=1, max_size=15))
    chosen = draw(st.dictionaries(users, st.lists(items, unique=True, min_size=1, max_size=5), min_size=1))
    rows = [(user, item, rank) for user, its in chosen.items() for rank, item in enumerate(its, start=1)]
    lists = pl.DataFrame(rows, schema=["user_id", "item_id", "rank"], orient="row")
    return lists, pl.DataFrame(truth, schema=["user_id", "item_id"], orient="row")


@settings(deadline=None, max_examples=30)
@given(worlds(), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_the_names_of_ids_matter(world, chance):
    lists, truth = world
    expected = values(evaluate(lists, truth, ALL, draws=1))
    shuffled = [frame[chance.sample(range(frame.height), frame.height)] for frame in world]
    assert values(evaluate(*shuffled, ALL, draws=1)) == expected
    names = chance.sample(range(-100, 100), 10)
    renamed = [
        frame.with_columns(pl.col("user_id", "item_id").replace_strict(dict(enumerate(names)))) for frame in world
    ]
    assert values(evaluate(*renamed, ALL, draws=1)) == pytest.approx(expected, abs=1e-12)
    worded = [frame.with_columns(pl.col("user_id", "item_id").cast(pl.String)) for frame in world]
    assert values(evaluate(*worded, ALL, draws=1)) == pytest.approx(expected, abs=1e-12)


SHOWN = [f"{name}@3" for name in FAMILIES if FAMILIES[name].kind in {"exposure", "all lists"}]


@settings(deadline=None, max_examples=30)
@given(worlds(), worlds(), st.randoms(use_true_random=False))
def test_what_is_shown_is_the_same_in_any_order_of_rows_and_within_bounds(world, past, chance):
    lists, truth = world
    history = past[1]
    items = pl.DataFrame({"item_id": range(10), "kind": ["x", "y", "z", "x", None] * 2})

    def told(lists, truth, history, items):
        return values(evaluate(lists, truth, SHOWN, history=history, items=items, catalogue=10, draws=1))

    expected = told(lists, truth, history, items)
    shuffled = [frame[chance.sample(range(frame.height), frame.height)] for frame in (lists, truth, history, items)]
    assert told(*shuffled) == pytest.approx(expected, abs=1e-12)
    surprise = np.log2(history["user_id"].n_unique())
    for metric, value in expected.items():
        assert -1e-12 <= value <= (surprise if metric.startswith("novelty") else 1) + 1e-12


@settings(deadline=None, max_examples=30)
@given(worlds())
def test_every_value_lies_between_0_and_1_and_no_interval_is_upside_down(world):
    table = evaluate(*world, ALL, draws=50).table
    assert table["value"].is_between(0, 1 + 1e-12).all()
    assert (table["low"] <= table["high"] + 1e-12).all()


HISTORY = pl.DataFrame({"user_id": [1, 1, 2, 3, 4, 4, 4], "item_id": ["a", "b", "a", "a", "x", "c", "c"]})


def test_what_is_shown_is_judged_by_what_was_known_before():
    metrics = ["novelty@2", "popularity_bias@2", "serendipity@3", "gini@1"]
    found = evaluate(LISTS, TRUTH, metrics, history=HISTORY, catalogue=5)
    # Of four users three had a; one had b, c and x each. User 1 is shown a and x, user 2 x and c, user 3 nothing.
    rare, known = 2.0, -np.log2(3 / 4)
    assert values(found) == pytest.approx(
        {
            "novelty@2": ((known + rare) / 2 + rare + 0) / 3,
            "popularity_bias@2": ((3 / 4 + 1 / 4) / 2 + 1 / 4 + 0) / 3,
            "serendipity@3": (0 + 0 + 0) / 3,  # a, b and c are the three most popular
            "gini@1": ((2 * 4 - 6) * 1 + (2 * 5 - 6) * 2) / (5 * 3),  # a twice, x once, three items never
        }
    )
    assert found.table.filter(metric="gini@1")["low"].to_list() == [None]


def test_serendipity_counts_a_hit_beyond_the_most_popular():
    found = evaluate(LISTS, TRUTH, ["serendipity@2"], history=HISTORY)
    assert found.per_user["serendipity@2"].to_list() == [0.0, 1 / 2, 0.0]  # c is fourth of four, a and b the first two


def test_diversity_is_told_by_the_items_labels():
    items = pl.DataFrame({"item_id": ["a", "b", "c"], "kind": ["film", "film", "book"], "price": [1.5, 2.5, 3.5]})
    found = evaluate(LISTS, TRUTH, ["diversity@3"], items=items)
    # User 1 is shown a, x and b: a and b are alike, x has no labels and is unlike both.
    assert found.per_user["diversity@3"].to_list() == pytest.approx([2 / 3, 1.0, 0.0])


def test_sets_of_any_size_are_judged_whole():
    sets = LISTS.drop("rank", "score")
    found = evaluate(sets, TRUTH, ["f2", "precision", "recall"])
    assert values(found) == pytest.approx(
        {
            "f2": (5 * 2 / (4 * 2 + 3) + 5 * 1 / (4 * 1 + 2) + 0) / 3,
            "precision": (2 / 3 + 1 / 2 + 0) / 3,
            "recall": (1 + 1 + 0) / 3,
        }
    )


@pytest.mark.parametrize(
    ("metric", "told"),
    [("novelty@3", "give history="), ("diversity@3", "give items="), ("gini@3", "give catalogue=")],
)
def test_a_metric_says_what_it_needs_beside_lists_and_truth(metric, told):
    with pytest.raises(ConfigError, match=told):
        evaluate(LISTS, TRUTH, [metric])


def test_lists_are_not_judged_as_numbers():
    with pytest.raises(ConfigError, match="use evaluate_predictions"):
        evaluate(LISTS, TRUTH, ["rmse"])


def test_a_table_without_a_baseline_says_so():
    assert "No baseline stands beside it" in str(evaluate(LISTS, TRUTH, ["map@3"]))
    assert "No baseline" not in str(evaluate(LISTS, TRUTH, ["map@3"], against={"popular": POPULAR}))


def test_it_renders_as_a_table_and_goes_into_json():
    found = evaluate(LISTS, TRUTH, ["map@3", "coverage@3"], against={"popular": POPULAR}, catalogue=4, seed=5)
    told = str(found)
    assert "3 users judged, 1 of them without a list; 1 users without truth left out" in told
    assert told.splitlines()[-3].split() == [
        "model",
        "baseline",
        "metric",
        "difference",
        "95",
        "%",
        "interval",
        "p",
        "(Holm)",
        "detectable",
    ]
    back = json.loads(json.dumps(found.to_dict()))
    assert back["seed"] == 5
    assert back["table"][1] == {
        "model": "model",
        "metric": "coverage@3",
        "value": 1.0,
        "low": None,
        "high": None,
    }
    assert [row["metric"] for row in back["differences"]] == ["map@3", "coverage@3"]


def test_coverage_asks_for_the_catalogue():
    with pytest.raises(ConfigError, match=r"coverage@3 needs the number of items .* catalogue="):
        evaluate(LISTS, TRUTH, [Metric("coverage", 3)])


def test_a_catalogue_smaller_than_what_is_shown_is_refused():
    with pytest.raises(DataError, match="show 4 different items, but catalogue=2"):
        evaluate(LISTS, TRUTH, ["coverage@3"], catalogue=2)


def test_a_baseline_is_named_where_its_lists_are_wrong():
    with pytest.raises(DataError, match="lists of 'popular' shows item 'a' twice"):
        evaluate(
            LISTS,
            TRUTH,
            ["map@3"],
            against={"popular": POPULAR.with_columns(user_id=1, rank=pl.Series([1, 2, 3]))},
        )


def test_two_models_of_one_name_no_draws_and_no_metric_are_refused():
    with pytest.raises(ConfigError, match="two models are called 'model'"):
        evaluate(LISTS, TRUTH, ["map@3"], against={"model": POPULAR})
    with pytest.raises(ConfigError, match="0 draws"):
        evaluate(LISTS, TRUTH, ["map@3"], draws=0)
    with pytest.raises(ConfigError, match="no metric"):
        evaluate(LISTS, TRUTH, [])
