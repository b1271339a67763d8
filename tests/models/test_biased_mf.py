"""BiasedMF and SVDpp: each step against its definition, one rating at a time, and what they learn."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.dataset.views import ratings
from shortlist.kernels.sgd import epoch, epoch_with_met

RATE, WEIGHT, BIAS_WEIGHT = 0.05, 0.1, 0.02


def small(seed: int = 0) -> tuple[Any, dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    filled = random.random((6, 5)) < 0.6
    starts = np.append(0, np.cumsum(filled.sum(axis=1)))
    items = np.nonzero(filled)[1].astype(np.int32)
    values = random.normal(size=len(items)).astype(np.float32)
    state = {"p": (6, 3), "q": (5, 3), "b": (6,), "c": (5,), "y": (5, 3)}
    parts = {name: random.normal(size=shape).astype(np.float32) for name, shape in state.items()}
    return (starts, items, values), parts


@pytest.mark.parametrize("met", [False, True])
def test_a_round_is_that_of_steps_one_by_one(met: bool) -> None:
    (starts, items, values), state = small()
    order = np.array([4, 0, 2, 5, 1, 3])
    slow = {name: array.astype(float) for name, array in state.items()}
    for u in order:
        known = items[starts[u] : starts[u + 1]]
        for n in range(starts[u], starts[u + 1]):
            i = items[n]
            # All of it as it is before the step, the sum of what was met made anew.
            whole = slow["p"][u] + (slow["y"][known].sum(axis=0) / np.sqrt(len(known)) if met else 0)
            q = slow["q"][i].copy()
            e = values[n] - slow["b"][u] - slow["c"][i] - whole @ q
            slow["b"][u] += RATE * (e - BIAS_WEIGHT * slow["b"][u])
            slow["c"][i] += RATE * (e - BIAS_WEIGHT * slow["c"][i])
            slow["p"][u] += RATE * (e * q - WEIGHT * slow["p"][u])
            slow["q"][i] += RATE * (e * whole - WEIGHT * q)
            if met:
                for j in known:
                    slow["y"][j] += RATE * (e * q / np.sqrt(len(known)) - WEIGHT * slow["y"][j])
    fast = {name: array.copy() for name, array in state.items()}
    numbers = (np.float32(RATE), np.float32(WEIGHT), np.float32(BIAS_WEIGHT))
    if met:
        epoch_with_met(order, starts, items, values, *numbers, *fast.values())
    else:
        epoch(order, starts, items, values, *numbers, *(fast[name] for name in "pqbc"))
    for name in fast:
        np.testing.assert_allclose(fast[name], slow[name], atol=2e-5)


@pytest.mark.parametrize("model", [sl.BiasedMF(factors=4, seed=1), sl.SVDpp(factors=4, seed=1)])
def test_an_answer_is_the_formula_in_the_units_of_the_ratings(model: Any) -> None:
    random = np.random.default_rng(1)
    rows = [(u, i, 30 + 10 * random.normal()) for u in range(20) for i in range(15) if random.random() < 0.5]
    data = sl.Dataset.read(pl.DataFrame(rows, schema=["user_id", "item_id", "rating"], orient="row"))
    fitted = model.fit(data)
    assert fitted.mean == pytest.approx(ratings(data).data.mean())
    assert fitted.scale == pytest.approx(ratings(data).data.std())
    x, y = fitted.users[3].astype(float), fitted.items[5].astype(float)
    expected = fitted.mean + fitted.scale * (x[:-1] @ y[:-1] + x[-1] + y[-1])
    assert fitted.predict(np.array([3]), np.array([5])).expected == pytest.approx([expected], rel=1e-6)
    assert fitted.predict(np.array([-1]), np.array([-1])).expected == pytest.approx([fitted.mean])


@pytest.mark.parametrize("model", [sl.BiasedMF(factors=4), sl.SVDpp(factors=4)])
def test_a_taste_that_no_mean_tells_is_learnt_whatever_the_scale(model: Any) -> None:
    random = np.random.default_rng(2)
    taste, kind = random.choice([-1.0, 1.0], 80), random.choice([-1.0, 1.0], 50)
    for scale in (1.0, 1_000.0):
        rows = [(u, i, scale * (taste[u] * kind[i] + 0.2 * random.normal())) for u in range(80) for i in range(50)]
        table = pl.DataFrame(rows, schema=["user_id", "item_id", "rating"], orient="row").sample(
            fraction=1, shuffle=True, seed=0
        )
        fitted = sl.Regression(models=(model,)).fit(sl.Dataset.read(table[:2_500]))
        told = fitted.predict(table[2_500:].select("user_id", "item_id"))["prediction"]
        error = float(((told - table[2_500:]["rating"]) ** 2).mean() ** 0.5)  # type: ignore[operator]
        assert error < 0.45 * scale


def test_what_was_met_tells_of_a_user_with_few_ratings() -> None:
    """Users of two kinds meet the items of their kind; what they say of them is noise but for one item."""
    random = np.random.default_rng(3)
    rows = []
    for u in range(300):
        kind = u % 2
        rows += [(u, int(i), 3 + 0.1 * random.normal()) for i in random.choice(20, 6, replace=False) + 20 * kind]
        if u < 200:
            rows.append((u, 40, 5.0 if kind else 1.0))
    data = sl.Dataset.read(pl.DataFrame(rows, schema=["user_id", "item_id", "rating"], orient="row"))
    asked = data.user_ids.numbers(pl.Series(range(200, 300))), np.full(100, data.item_ids.numbers(pl.Series([40]))[0])
    truth = np.where(np.arange(200, 300) % 2, 5.0, 1.0)
    errors = {
        type(model).__name__: np.sqrt(np.mean((model.fit(data).predict(*asked).expected - truth) ** 2))
        for model in (sl.BiasedMF(factors=8, epochs=60), sl.SVDpp(factors=8, epochs=60))
    }
    assert errors["SVDpp"] < 0.6 * errors["BiasedMF"]


@pytest.mark.real
def test_real_ratings_are_predicted_better_than_by_biases(data_folder: Path) -> None:
    said = pl.read_parquet(data_folder / "ml-100k/ratings.parquet").sample(fraction=1, shuffle=True, seed=3)
    data, test = sl.Dataset.read(said[20_000:]), said[:20_000]

    def rmse(model: Any) -> float:
        told = sl.Regression(models=(model,)).fit(data).predict(test.select("user_id", "item_id"))["prediction"]
        return float(((told - test["rating"]) ** 2).mean() ** 0.5)  # type: ignore[operator]

    assert rmse(sl.SVDpp()) < 0.925
    assert rmse(sl.BiasedMF()) < 0.925 < rmse(sl.Bias())
