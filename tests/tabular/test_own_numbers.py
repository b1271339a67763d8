"""Columns that tell a row its own target are found, and those that only tell of others are not."""

from contextlib import suppress

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.errors import DataError
from shortlist.tabular import own_numbers

Y = pl.col("score")
MEAN, COUNT = Y.mean().over("author"), pl.len().over("author")


def rows(count: int = 3_000, seed: int = 0) -> pl.DataFrame:
    """Scores of authors of whom most have few rows, in order of time."""
    random = np.random.default_rng(seed)
    author = random.zipf(1.3, count).clip(max=count)
    size = random.normal(1.5, 1, count) + 0.5 * np.sin(author)
    return pl.DataFrame({"author": author, "score": np.floor(np.expm1(size).clip(0)), "when": np.arange(count)})


OF_ITSELF: dict[str, pl.Expr] = {
    "the mean": MEAN,
    "the mean in logarithms": Y.log1p().mean().over("author"),
    "a smoothed mean": (MEAN * COUNT + 10 * Y.mean()) / (COUNT + 10),
    "the sum": Y.sum().over("author"),
    "the largest": Y.max().over("author"),
    "the mean without the row itself": (Y.sum().over("author") - Y) / (COUNT - 1),
    "itself in other units": 3 * Y + 7,
}
OF_OTHERS: dict[str, pl.Expr] = {
    "the mean of rows before": Y.cum_sum().over("author") / pl.col("when").cum_count().over("author") - Y * 0,
    "the time": pl.col("when"),
    "noise": pl.col("when").shuffle(1) * 0.1,
    "the count": COUNT,
    "a number that goes along": Y.log1p() + pl.col("when").shuffle(2) % 7 / 3,
}
OF_OTHERS["the mean of rows before"] = (Y.cum_sum().over("author") - Y) / (
    pl.int_range(pl.len()).over("author").replace(0, None)
)


def looked_at(table: pl.DataFrame, column: pl.Expr) -> None:
    own_numbers.check(table.with_columns(told=column), ["told"], ["author"], "score")


@pytest.mark.parametrize("name", OF_ITSELF)
@pytest.mark.parametrize("part", [1.0, 0.85])
def test_what_was_made_with_the_row_in_it_is_refused(name: str, part: float) -> None:
    table = rows().with_columns(told=OF_ITSELF[name]).sample(fraction=part, seed=0)
    with pytest.raises(DataError, match="'told' tells rows their own 'score'"):
        own_numbers.check(table, ["told"], ["author"], "score")


@pytest.mark.parametrize("name", OF_OTHERS)
def test_what_tells_of_others_is_not(name: str) -> None:
    looked_at(rows(), OF_OTHERS[name])


def test_means_of_other_folds_are_not_refused() -> None:
    table = rows().with_columns(fold=pl.Series(np.random.default_rng(1).integers(0, 5, 3_000)))
    both = (Y.sum().over("author") - Y.sum().over("author", "fold"), COUNT - pl.len().over("author", "fold"))
    looked_at(table, (both[0] + 10 * Y.mean()) / (both[1] + 10))


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 4), st.floats(-5, 5)), min_size=1, max_size=60),
    st.sampled_from(["whole", "broken"]),
)
@settings(max_examples=50, deadline=None)
def test_no_rows_break_it(found: list[tuple[int, int, float]], kind: str) -> None:
    table = pl.DataFrame(found, schema=["told", "author", "score"], orient="row")
    if kind == "broken":
        table = table.with_columns(told=pl.when(pl.col("told") > 0).then(None).otherwise(pl.col("told") / 0.0))
    with suppress(DataError):
        own_numbers.check(table, ["told"], ["author"], "score")


@pytest.mark.parametrize("known", [(), ("told",)])
def test_a_fit_refuses_it_unless_it_is_said_to_be_known(known: tuple[str, ...]) -> None:
    table = rows(400).with_columns(told=MEAN)
    recipe = sl.TabularRegression(
        targets=("score",),
        columns=sl.Columns(numbers=("told",)),
        known=known,
        trees=sl.BoostedTrees(rounds=5, min_rows=5),
    )
    if known:
        assert recipe.fit(table).predict(table).height == 400
        return
    with pytest.raises(DataError, match="Was it made with the row in it"):
        recipe.fit(table)
    with pytest.raises(ValueError, match="known names 'other'"):
        sl.TabularRegression(targets=("score",), columns=recipe.columns, known=("other",))
