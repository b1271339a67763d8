"""SVDpp: a pass against a loop that moves every source at every rating, the sums, worlds where what was met speaks."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.kernels.sgd import descend_met, shifts
from shortlist.models.biased_mf import BiasedMF
from shortlist.models.descent import Rows
from shortlist.models.svdpp import SVDpp


def error(model: object, learnt: pl.DataFrame, asked: pl.DataFrame) -> float:
    data = Dataset.read(learnt)
    found = model.fit(data).predict(data.user_ids.numbers(asked["user_id"]), data.item_ids.numbers(asked["item_id"]))  # type: ignore[attr-defined]
    return float(np.sqrt(((found.expected - asked["rating"].to_numpy()) ** 2).mean()))


@pytest.mark.parametrize("timed", [False, True])
def test_a_pass_moves_every_source_at_every_rating(timed: bool) -> None:
    random = np.random.default_rng(0)
    column = np.concatenate([random.choice(5, 3, replace=False) for _ in range(4)])
    rows = Rows.of(np.repeat(np.arange(4), 3), column, 4, random)
    value, stretch = random.normal(size=12).astype(np.float32), random.integers(0, 2, 12)
    x, y, source, other = (random.normal(size=(n, 3)).astype(np.float32) for n in (5, 6, 6, 6))
    b, c, d = (random.normal(size=n).astype(np.float32) for n in (5, 6, 2 if timed else 0))
    penalty_R, penalty_C = random.random(5).astype(np.float32), random.random(6).astype(np.float32)
    p, q, s, of_user, of_item, of_time = (array.astype(float) for array in (x, y, source, b, c, d))
    steps = [np.float32(step) for step in (0.1, 0.3, 0.5, 10)]
    penalties = (penalty_R, penalty_C, np.float32(0.7))
    descend_met(
        *(rows.filled, rows.starts, rows.column_E, value, stretch), *steps, *penalties, x, y, source, other, b, c, d
    )
    for u in rows.filled:
        entries = range(rows.starts[u], rows.starts[u + 1])
        met = rows.column_E[entries]
        before = s.copy()
        for e in entries:
            i, g = rows.column_E[e], stretch[e]
            user, item = p[u] + s[met].sum(axis=0) / np.sqrt(3), q[i] + other[i]
            left = value[e] - of_user[u] - of_item[i] - user @ item - (of_time[g] if timed else 0)
            q[i] = q[i] * (1 - 0.1 * penalty_C[i]) + 0.1 * left * user
            p[u] = p[u] * (1 - 0.1 * penalty_R[u]) + 0.1 * left * item
            for j in met:
                s[j] += 0.05 * left * item / np.sqrt(3)
            of_user[u] += 0.03 * (left - penalty_R[u] * of_user[u])
            of_item[i] += 0.03 * (left - penalty_C[i] * of_item[i])
            if timed:
                of_time[g] += 0.03 * (left - 0.7 * of_time[g])
        for j in met:
            s[j] -= 0.05 * penalty_C[j] * before[j]
    for found, wanted in ((x, p), (y, q), (source, s), (b, of_user), (c, of_item), (d, of_time)):
        assert np.allclose(found, wanted, atol=1e-5)
    shift = np.zeros_like(x)
    shifts(rows.filled, rows.starts, rows.column_E, source, shift)
    for u in rows.filled:
        assert np.allclose(shift[u], s[rows.column_E[rows.starts[u] : rows.starts[u + 1]]].sum(axis=0) / np.sqrt(3))
    assert not shift[4].any()


def test_what_is_expected_is_the_sum_of_the_parts() -> None:
    learnt, _ = camps()
    fitted = SVDpp(factors=5, epochs=3).fit(Dataset.read(learnt))
    users, items = np.array([3, -1, 3, -1], np.int32), np.array([7, 7, -1, -1], np.int32)
    of_user, of_item = fitted.user_bias[3], fitted.item_bias[7]
    strange = fitted.user_bias[-1] + of_item + fitted.user_factors[-1] @ fitted.item_factors[7]
    known = of_user + of_item + fitted.user_factors[3] @ fitted.item_factors[7]
    wanted = [known, strange, of_user, fitted.user_bias[-1]]
    assert np.allclose(fitted.predict(users, items).expected, fitted.mean + np.array(wanted), rtol=1e-6)


def camps(seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Users of two camps, who meet what their camp meets and disagree about each item; little is said by each."""
    random = np.random.default_rng(seed)
    users, items = 400, 80
    camp_U, camp_I = random.choice([-1, 1], users), random.choice([-1, 1], items)
    opinion_I = random.choice([-1.0, 1.0], items)
    met = random.random((users, items)) < np.where(camp_U[:, None] == camp_I, 0.2, 0.04)
    pairs = np.argwhere(met)
    rating = camp_U[pairs[:, 0]] * opinion_I[pairs[:, 1]] + random.normal(size=len(pairs))
    frame = pl.DataFrame({"user_id": pairs[:, 0], "item_id": pairs[:, 1], "rating": rating})
    # Each user is asked about what that camp hardly meets, where an item's own mean says the opposite.
    out = pl.Series((camp_U[pairs[:, 0]] != camp_I[pairs[:, 1]]) & (random.random(len(pairs)) < 0.5))
    return frame.filter(~out), frame.filter(out)


@pytest.mark.parametrize("flipped", [False, True])
def test_what_was_met_says_what_few_ratings_cannot(flipped: bool) -> None:
    learnt, asked = camps()
    assert error(SVDpp(flipped=flipped), learnt, asked) < 0.95 * error(BiasedMF(), learnt, asked)


def test_a_drifting_user_is_predicted_as_of_the_newest_stretch() -> None:
    random = np.random.default_rng(0)
    rows = [(u, i, day, (2.0 if day else -2.0)) for u in range(30) for i, day in enumerate(random.integers(0, 2, 40))]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "rating"], orient="row")
    data = Dataset.read(events.with_columns(pl.from_epoch(pl.col("timestamp") * 86_400)))
    told = np.arange(30, dtype=np.int32)
    assert (SVDpp(drift="1d", epochs=40).fit(data).predict(told, told).expected > 1.2).all()
    # One stretch for all: the two moods cancel out.
    long = SVDpp(drift="100d", epochs=40).fit(data).predict(told, np.full(30, -1)).expected
    assert np.abs(long).max() < 1.0


@pytest.mark.real
def test_real_ratings_are_predicted_well(data_folder: Path) -> None:
    folds = pl.read_parquet(data_folder / "ml-100k/splits.parquet").select("user_id", "item_id", "fold")
    said = pl.read_parquet(data_folder / "ml-100k/ratings.parquet").join(folds, on=["user_id", "item_id"])
    said = said.with_columns(pl.col("rating").cast(pl.Float64))
    learnt, asked = (said.filter(out).drop("fold") for out in (pl.col("fold") != 1, pl.col("fold") == 1))
    assert error(SVDpp(), learnt, asked) < 0.890
    assert error(SVDpp(flipped=False), learnt, asked) < 0.912
