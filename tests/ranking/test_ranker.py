from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from shortlist import store
from shortlist.errors import DataError
from shortlist.ranking.ranker import FittedLambdaMART, LambdaMART
from shortlist.seeds import Seeds

RECIPE = LambdaMART(rounds=20, min_rows=5, leaves=7, threads=1)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """80 lists of 10: the candidate of the largest signal is the hit; a signal may be missing, and noise is noise."""
    random = np.random.default_rng(0)
    signal = random.random((80, 10))
    hit = (signal == signal.max(axis=1, keepdims=True)).astype(int)
    missing = (random.random((80, 10)) < 0.1) & (hit == 0)
    return pl.DataFrame(
        {
            "list": np.repeat(np.arange(80), 10),
            "hit": hit.ravel(),
            "signal": pl.Series(signal.ravel()).set(pl.Series(missing.ravel()), None),
            "noise": random.random(800),
        }
    )


@pytest.fixture(scope="module")
def fitted(rows: pl.DataFrame) -> FittedLambdaMART:
    return RECIPE.fit(rows, seeds=Seeds(1))


def first_hits(rows: pl.DataFrame, scores: np.ndarray) -> float:
    """The share of lists whose highest score is a hit."""
    ranked = rows.with_columns(score=pl.Series(scores)).sort("score", descending=True, maintain_order=True)
    return float(ranked.group_by("list").first()["hit"].to_numpy().mean())


@pytest.mark.parametrize("objective", ["lambdarank", "binary", "rank_xendcg"])
def test_an_obvious_signal_is_learnt(rows: pl.DataFrame, objective: Any) -> None:
    fitted = RECIPE.model_copy(update={"objective": objective}).fit(rows, seeds=Seeds(1))
    scores = fitted.score(rows)
    assert scores.dtype == np.float64
    assert first_hits(rows, scores) > 0.8


def test_importances_sum_to_one_and_name_the_signal_first(fitted: FittedLambdaMART) -> None:
    importances = fitted.importances()
    assert importances["feature"].to_list() == ["signal", "noise"]
    assert importances["share"].to_numpy().sum() == pytest.approx(1)
    assert importances["share"][0] > 0.7


def test_the_same_seed_gives_the_same_bits(rows: pl.DataFrame, fitted: FittedLambdaMART) -> None:
    assert RECIPE.fit(rows, seeds=Seeds(1)) == fitted
    assert RECIPE.fit(rows, seeds=Seeds(2)).trees != fitted.trees


def test_the_number_of_threads_changes_no_score(rows: pl.DataFrame) -> None:
    one, two = (
        LambdaMART(rounds=2, min_rows=5, leaves=4, threads=threads).fit(rows, seeds=Seeds(1)) for threads in (1, 2)
    )
    np.testing.assert_array_equal(two.score(rows), one.score(rows))


def test_what_is_stored_scores_as_before(rows: pl.DataFrame, fitted: FittedLambdaMART, tmp_path: Path) -> None:
    kinds: dict[str, type] = {"FittedLambdaMART": FittedLambdaMART, "LambdaMART": LambdaMART}
    again = store.read(tmp_path, store.write(tmp_path, fitted), kinds)
    assert again == fitted
    np.testing.assert_array_equal(again.score(rows), fitted.score(rows))


def test_a_row_is_scored_the_same_alone_and_whatever_the_order_of_columns(
    rows: pl.DataFrame, fitted: FittedLambdaMART
) -> None:
    alone = np.concatenate([fitted.score(rows[place : place + 1]) for place in range(20)])
    np.testing.assert_array_equal(alone, fitted.score(rows)[:20])
    np.testing.assert_array_equal(fitted.score(rows.select("noise", "signal")), fitted.score(rows))


def test_missing_is_told_from_zero() -> None:
    # What is zero hits, what is missing never does.
    values = [0.0, None] * 200
    rows = pl.DataFrame({"list": [n // 4 for n in range(400)], "hit": [1, 0] * 200, "x": values})
    zero, missing = (
        LambdaMART(rounds=5, min_rows=5, objective="binary", threads=1).fit(rows, seeds=Seeds()).score(rows.head(2))
    )
    assert zero > missing


@pytest.mark.parametrize("hit", [0, 1])
def test_rows_of_one_kind_alone_are_refused(rows: pl.DataFrame, hit: int) -> None:
    with pytest.raises(DataError, match=f"of 800 candidates {800 * hit} are hits"):
        RECIPE.fit(rows.with_columns(hit=pl.lit(hit)), seeds=Seeds())


def test_no_rows_are_refused_to_learn_from_and_have_no_scores(rows: pl.DataFrame, fitted: FittedLambdaMART) -> None:
    with pytest.raises(DataError, match="of 0 candidates 0 are hits"):
        RECIPE.fit(rows.clear(), seeds=Seeds())
    assert fitted.score(rows.clear()).shape == (0,)


def test_features_may_be_called_anything(rows: pl.DataFrame) -> None:
    odd = rows.rename({"signal": 'product "type": [a, b]', "noise": "Ünïcode { } name"})
    fitted = RECIPE.fit(odd, seeds=Seeds(1))
    assert fitted.importances()["feature"].to_list() == ['product "type": [a, b]', "Ünïcode { } name"]
    assert first_hits(odd, fitted.score(odd)) > 0.8


def test_early_exit_leaves_out_only_what_a_fifth_of_the_trees_places_low() -> None:
    draws = np.random.default_rng(3)
    a, b, c = draws.random((3, 3_000))
    hits = (a + b + 0.3 * c + 0.2 * draws.random(3_000) > 1.9).astype(int)
    rows = pl.DataFrame({"list": np.repeat(np.arange(10), 300), "hit": hits, "a": a, "b": b, "c": c})
    fitted = LambdaMART(rounds=100, min_rows=5, feature_share=1, threads=1).fit(rows, seeds=Seeds(0))
    asked = rows.rename({"list": "user"})
    found = fitted.best(asked, 5)
    all_scores = asked.with_columns(score=pl.Series(fitted.score(asked)))
    assert found.height < asked.height
    assert found.group_by("user").len()["len"].min() >= 100
    for user in range(10):
        expected = all_scores.filter(pl.col("user") == user).sort("score", descending=True).head(5)["score"]
        given = found.filter(pl.col("user") == user).sort("score", descending=True).head(5)["score"]
        assert given.to_list() == expected.to_list()
