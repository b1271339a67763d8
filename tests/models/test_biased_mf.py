"""BiasedMF: a pass against a plain loop, the formula, a made-up world, wild numbers, real ratings."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.kernels.sgd import descend
from shortlist.models.bias import Bias
from shortlist.models.biased_mf import BiasedMF
from shortlist.models.descent import Rows, Standard, falling


def low_rank(seed: int = 0, noise: float = 0.3) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A third of the pairs of a world of rank two, 100 ± 20 or so, and a sample of the rest."""
    random = np.random.default_rng(seed)
    p, q = (random.normal(size=(rows, 2)) for rows in (150, 100))
    pairs = np.argwhere(random.random((150, 100)) < 0.4)
    rating = np.einsum("nf,nf->n", p[pairs[:, 0]], q[pairs[:, 1]]) + noise * random.normal(size=len(pairs))
    frame = pl.DataFrame({"user_id": pairs[:, 0], "item_id": pairs[:, 1], "rating": 100 + 20 * rating})
    out = pl.Series(random.random(len(pairs)) < 0.2)
    return frame.filter(~out), frame.filter(out)


def error(model: object, learnt: pl.DataFrame, asked: pl.DataFrame) -> float:
    data = Dataset.read(learnt)
    found = model.fit(data).predict(data.user_ids.numbers(asked["user_id"]), data.item_ids.numbers(asked["item_id"]))  # type: ignore[attr-defined]
    return float(np.sqrt(((found.expected - asked["rating"].to_numpy()) ** 2).mean()))


@pytest.mark.parametrize("reach", [10.0, 0.5])
def test_a_pass_is_a_step_for_each_rating(reach: float) -> None:
    random = np.random.default_rng(0)
    rows = Rows.of(np.repeat(np.arange(4), 3), random.integers(0, 5, 12), 4, random)
    value = random.normal(size=12).astype(np.float32)
    x, y = random.normal(size=(5, 3)).astype(np.float32), random.normal(size=(6, 3)).astype(np.float32)
    b, c = random.normal(size=5).astype(np.float32), random.normal(size=6).astype(np.float32)
    penalty_R, penalty_C = random.random(5).astype(np.float32), random.random(6).astype(np.float32) * 20
    p, q, of_user, of_item = (array.astype(float) for array in (x, y, b, c))
    rate, share = np.float32(0.1), np.float32(0.3)
    descend(
        rows.filled, rows.starts, rows.column_E, value, rate, share, np.float32(reach), penalty_R, penalty_C, x, y, b, c
    )
    for u in rows.filled:
        for e in range(rows.starts[u], rows.starts[u + 1]):
            i = rows.column_E[e]
            left = np.clip(value[e] - of_user[u] - of_item[i] - p[u] @ q[i], -reach, reach)
            new_p = p[u] * (1 - min(0.1 * penalty_R[u], 1)) + 0.1 * left * q[i]
            q[i] = q[i] * (1 - min(0.1 * penalty_C[i], 1)) + 0.1 * left * p[u]
            p[u] = new_p
            of_user[u] += 0.03 * left - min(0.03 * penalty_R[u], 1) * of_user[u]
            of_item[i] += 0.03 * left - min(0.03 * penalty_C[i], 1) * of_item[i]
    for found, wanted in ((x, p), (y, q), (b, of_user), (c, of_item)):
        assert np.allclose(found, wanted, atol=1e-5)


def test_every_rating_is_gone_through_once_and_rows_without_any_are_strangers() -> None:
    row, column = np.array([0, 0, 2, 2, 2, 3]), np.array([1, 4, 0, 1, 3, 4])
    rows = Rows.of(row, column, 5, np.random.default_rng(0))
    assert sorted(rows.filled) == [0, 2, 3]
    assert sorted(rows.entry_E) == [*range(6)]
    assert (rows.column_E == column[rows.entry_E]).all()
    assert (np.repeat(np.arange(6), np.diff(rows.starts)) == row[rows.entry_E]).all()
    assert np.allclose(rows.penalties(0.5)[[0, 2, 3]], 0.5 * np.sqrt([2 / 2, 2 / 3, 2 / 1]))
    assert rows.vectors(3, np.random.default_rng(0)).any(axis=1).tolist() == [True, False, True, True, False, False]


def test_a_user_without_ratings_is_the_mean_user_of_a_rating() -> None:
    rows = Rows.of(np.array([0, 0, 2]), np.array([0, 1, 0]), 3, np.random.default_rng(0))
    assert rows.with_strangers(np.array([1.0, 0, 4, 0])).tolist() == [1, 2, 4, 2]
    vectors = rows.with_strangers(np.array([[1.0, 3], [0, 0], [4, 0], [0, 0]], np.float32))
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[1, 3], [2, 2], [4, 0], [2, 2]]


def test_steps_fall_in_a_straight_line() -> None:
    assert np.allclose(falling(0.4, 4), [0.4, 0.3, 0.2, 0.1])


@pytest.mark.parametrize("rating", [[], [3.0], [0.1] * 7, [1e6] * 3])
def test_ratings_that_do_not_differ_are_zeros(rating: list[float]) -> None:
    standard = Standard.of(np.array(rating))
    assert standard.deviation == 1
    assert np.allclose(standard.value_E, 0)


def test_what_is_expected_is_the_sum_of_the_parts() -> None:
    learnt, _ = low_rank()
    fitted = BiasedMF(factors=5).fit(Dataset.read(learnt))
    users, items = np.array([3, -1, 3, -1], np.int32), np.array([7, 7, -1, -1], np.int32)
    of_user, of_item = fitted.user_bias[3], fitted.item_bias[7]
    strange = fitted.user_bias[-1] + of_item + fitted.user_factors[-1] @ fitted.item_factors[7]
    known = of_user + of_item + fitted.user_factors[3] @ fitted.item_factors[7]
    wanted = [known, strange, of_user, fitted.user_bias[-1]]
    assert np.allclose(fitted.predict(users, items).expected, fitted.mean + np.array(wanted), rtol=1e-6)


def test_a_world_of_rank_two_is_learnt_and_biases_cannot() -> None:
    learnt, asked = low_rank()
    assert error(BiasedMF(), learnt, asked) < 0.6 * error(Bias(), learnt, asked)


def test_the_scale_of_ratings_changes_nothing_else() -> None:
    learnt, _ = low_rank()
    told = np.arange(50, dtype=np.int32)
    small = BiasedMF(factors=8).fit(Dataset.read(learnt)).predict(told, told).expected
    large = BiasedMF(factors=8).fit(Dataset.read(learnt.with_columns(pl.col("rating") * 1e6 - 5))).predict(told, told)
    assert np.allclose(large.expected, small * 1e6 - 5, rtol=1e-3)


def test_one_wild_rating_breaks_nothing() -> None:
    learnt, asked = low_rank()
    wild = learnt.with_columns(rating=pl.when(pl.int_range(pl.len()) == 1_000).then(1e9).otherwise("rating"))
    assert np.isfinite(error(BiasedMF(), wild, asked))


@pytest.mark.real
def test_real_ratings_are_predicted_well(data_folder: Path) -> None:
    folds = pl.read_parquet(data_folder / "ml-100k/splits.parquet").select("user_id", "item_id", "fold")
    said = pl.read_parquet(data_folder / "ml-100k/ratings.parquet").join(folds, on=["user_id", "item_id"])
    said = said.with_columns(pl.col("rating").cast(pl.Float64))
    assert error(BiasedMF(), *(said.filter(out).drop("fold") for out in (pl.col("fold") != 1, pl.col("fold") == 1))) < (
        0.922
    )
