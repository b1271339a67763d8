from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from shortlist.errors import ColumnError
from shortlist.leaks.findings import Findings

CHANCE = np.random.default_rng(4)
DAY = 86_400
N = 6000
POPULARITY = 1 / np.arange(1, 101)
EVENTS = (
    pl.DataFrame(
        {
            "user_id": CHANCE.integers(0, 300, N),
            "item_id": CHANCE.choice(100, N, p=POPULARITY / POPULARITY.sum()),
            "timestamp": 1_700_000_000 + np.sort(CHANCE.integers(0, 60 * DAY, N)),
            "rating": CHANCE.integers(1, 11, N),
            "noise": CHANCE.normal(0, 4, N),
        }
    )
    .unique(["user_id", "item_id"], maintain_order=True)
    .with_columns(mood=pl.col("rating") + pl.col("noise"))
    .drop("noise")
)
LATE = pl.col("timestamp") >= 1_700_000_000 + 50 * DAY
TRAIN, TEST = EVENTS.filter(~LATE), EVENTS.filter(LATE)


def test_columns_that_only_help_are_no_leak(checked: Callable[..., Findings]) -> None:
    found = checked(TRAIN, TEST)
    assert found.clean, str(found)


@pytest.mark.parametrize(
    "column",
    [
        pl.col("rating") * -2.5,
        pl.col("rating").cast(pl.Float64).exp() + pl.col("mood") / 100,
        pl.format("{} stars", "rating"),
    ],
    ids=["scaled", "bent", "in words"],
)
def test_a_column_made_from_the_target_is_named(checked: Callable[..., Findings], column: pl.Expr) -> None:
    found = checked(TRAIN.with_columns(liked=column), TEST.with_columns(liked=column))
    assert [finding.check for finding in found.findings] == ["targets"]
    assert found.findings[0].found.startswith("the events' liked alone explains")


def test_another_target_can_be_named_and_one_that_is_not_there_is_told(checked: Callable[..., Findings]) -> None:
    doubled = pl.col("mood") * 2
    sides = [side.with_columns(twice=doubled) for side in (TRAIN, TEST)]
    assert checked(*sides).clean
    assert not checked(*sides, target="mood").clean
    with pytest.raises(ColumnError, match="did you mean 'mood'"):
        checked(*sides, target="moood")


@pytest.mark.parametrize(("kind", "other"), [("item_id", "items"), ("user_id", "users")])
def test_a_column_that_counts_the_test_part_is_named_and_one_that_counts_the_past_is_not(
    checked: Callable[..., Findings], kind: str, other: str
) -> None:
    known = EVENTS.select(kind).unique().sort(kind)
    past, future = (side.group_by(kind).agg(sold=pl.len()) for side in (TRAIN, TEST))
    tables = [known.join(counts, on=kind, how="left").fill_null(0) for counts in (past, future)]
    assert checked(TRAIN, TEST, **{other: tables[0]}).clean
    found = checked(TRAIN, TEST, **{other: tables[1]})
    assert [finding.check for finding in found.findings] == ["targets"]
    assert f"the {other}' column 'sold' explains 100%" in found.findings[0].found
