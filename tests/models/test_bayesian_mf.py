"""BayesianMF: each draw against its conditional distribution, intervals against a planted truth, real ratings."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.kernels.gibbs import draw_rows, draw_sources, grams_of_sources, moments_of_pairs, squares
from shortlist.models import bayesian_mf
from shortlist.models.bayesian_mf import BayesianMF, _in_common

ROWS, COLUMNS, F = 7, 5, 3


def parts(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    filled = random.random((ROWS, COLUMNS)) < 0.6
    said = sparse.csr_array(np.where(filled, random.normal(size=filled.shape), 0))
    half = random.normal(size=(F + 1, F + 1))
    return {
        "said": said,
        "bias": random.normal(size=COLUMNS),
        "x": random.normal(size=(COLUMNS, F)),
        "shift": random.normal(size=(ROWS, F)),
        "mean": random.normal(size=(ROWS, F + 1)),
        "precision": half @ half.T + np.eye(F + 1),
        "normal": random.normal(size=(ROWS, F + 1)),
    }


def with_one(x_CF: np.ndarray) -> np.ndarray:
    return np.column_stack([x_CF, np.ones(len(x_CF))])


def test_a_row_is_drawn_from_its_normal_distribution() -> None:
    p = parts()
    said, noise = p["said"], 2.5
    x = with_one(p["x"])
    given = (said.indptr, said.indices, said.data, p["bias"], x, p["shift"], p["mean"], p["precision"], noise)
    expected, drawn = np.empty((ROWS, F + 1)), np.empty((ROWS, F + 1))
    gram, left = np.empty((ROWS, F, F), np.float32), np.empty((ROWS, F))
    draw_rows(0, ROWS, *given, np.zeros((ROWS, F + 1)), expected, gram, left)
    draw_rows(0, ROWS, *given, p["normal"], drawn, gram, left)
    total = 0.0
    for r in range(ROWS):
        columns = said.indices[said.indptr[r] : said.indptr[r + 1]]
        known = x[columns]
        values = said.data[said.indptr[r] : said.indptr[r + 1]] - p["bias"][columns]
        whole = p["precision"] + noise * known.T @ known
        of_values = noise * known.T @ (values - p["x"][columns] @ p["shift"][r])
        wanted = np.linalg.solve(whole, p["precision"] @ p["mean"][r] + of_values)
        assert np.allclose(expected[r], wanted)
        assert np.allclose(drawn[r] - wanted, np.linalg.solve(np.linalg.cholesky(whole).T, p["normal"][r]))
        rest = values - known @ (drawn[r] + np.append(p["shift"][r], 0))
        assert np.allclose(gram[r], known[:, :F].T @ known[:, :F], atol=1e-5)
        assert np.allclose(left[r], known[:, :F].T @ rest)
        total += rest @ rest
    of_model = (drawn, p["bias"], p["x"], p["shift"])
    assert squares(0, ROWS, said.indptr, said.indices, said.data, *of_model) == pytest.approx(total)


def test_a_source_is_drawn_from_its_normal_distribution_and_what_it_moves_moves_along() -> None:
    p = parts()
    said, noise, precision = p["said"], 2.5, 4.0
    share = 1 / np.sqrt(np.maximum(np.diff(said.indptr), 1))
    met = sparse.csr_array((said != 0).T.tocsr())
    source = np.random.default_rng(1).normal(size=(COLUMNS, F))
    met_by = (said != 0).toarray()
    shift = share[:, None] * (met_by @ source)
    gram, left, row = np.empty((ROWS, F, F), np.float32), np.empty((ROWS, F)), np.empty((ROWS, F + 1))
    common = (shift.copy(), p["mean"], p["precision"], noise, p["normal"], row)
    draw_rows(0, ROWS, said.indptr, said.indices, said.data, p["bias"], with_one(p["x"]), *common, gram, left)
    of_sources = np.empty((COLUMNS, F, F), np.float32)
    grams_of_sources(0, COLUMNS, met.indptr, met.indices, share, gram, of_sources)
    for c in range(COLUMNS):
        users = np.flatnonzero(met_by[:, c])
        assert np.allclose(of_sources[c], (share[users, None, None] ** 2 * gram[users]).sum(axis=0), atol=1e-5)
    old = source.copy()
    of_rows = (share, gram, of_sources, left, precision, noise, np.zeros((1, F)), source[:1], shift)
    draw_sources(met.indptr[:2], met.indices, *of_rows)  # the first source alone
    assert np.allclose(shift, share[:, None] * (met_by @ source), atol=1e-6)
    users, items = np.nonzero(met_by)
    dense = said.toarray()
    vector = row[:, :F] + shift
    rest = dense[users, items] - row[users, F] - p["bias"][items] - np.einsum("nf,nf->n", vector[users], p["x"][items])
    for r in range(ROWS):
        assert np.allclose(left[r], rest[users == r] @ p["x"][items[users == r]], atol=1e-5)
    # Of source 0 the values are linear: share · x of the rows that met column 0.
    known = np.where(met_by[users, 0][:, None], share[users][:, None] * p["x"][items], 0.0)
    vector = row[:, :F] + share[:, None] * (met_by @ np.vstack([np.zeros(F), old[1:]]))
    of_rest = (
        dense[users, items] - row[users, F] - p["bias"][items] - np.einsum("nf,nf->n", vector[users], p["x"][items])
    )
    wanted = np.linalg.solve(precision * np.eye(F) + noise * known.T @ known, noise * known.T @ of_rest)
    assert np.allclose(source[0], wanted, atol=1e-5)


def test_what_is_known_of_items_tells_of_one_that_nobody_rated() -> None:
    random = np.random.default_rng(5)
    kinds = ["good", "bad"] * 30
    rows = [(u, i, (4.0 if kinds[i] == "good" else 2.0) + 0.3 * random.normal()) for u in range(40) for i in range(50)]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "rating"], orient="row").sample(fraction=0.3, seed=1)
    data = Dataset.read(events, pl.DataFrame({"item_id": range(60), "kind": kinds}))
    new = data.item_ids.numbers(pl.Series([58, 59]))
    users = np.zeros(2, np.int32)
    told = BayesianMF(factors=2, sweeps=40, burn_in=10).fit(data).predict(users, new)
    assert told.expected == pytest.approx([4.0, 2.0], abs=0.4)
    blind = BayesianMF(factors=2, sweeps=40, burn_in=10, attributes=False).fit(data).predict(users, new)
    assert blind.expected == pytest.approx([3.0, 3.0], abs=0.4)
    assert told.deviation is not None
    assert blind.deviation is not None
    assert (told.deviation < blind.deviation).all()


def test_few_draws_are_kept_where_they_would_be_large(monkeypatch: pytest.MonkeyPatch) -> None:
    events = pl.DataFrame({"user_id": [1, 2, 1], "item_id": [1, 1, 2], "rating": [1.0, 2.0, 3.0]})
    model = BayesianMF(factors=2, sweeps=30, burn_in=5)
    assert len(model.fit(Dataset.read(events)).user_draws) == 25
    monkeypatch.setattr(bayesian_mf, "LARGEST", 3 * 4 * 3 * 6)
    assert len(model.fit(Dataset.read(events)).user_draws) == 3


def test_what_rows_have_in_common_is_found_again() -> None:
    random = np.random.default_rng(0)
    half = np.array([[2.0, 0, 0], [0.5, 1.0, 0], [-1, 0.3, 0.5]])
    rows = random.normal(size=(4_000, 3)) @ half.T + [1, -2, 3]
    nothing = np.zeros((3, 3))
    means, precisions = zip(*(_in_common(rows, nothing, 0, random) for _ in range(200)), strict=True)
    assert np.allclose(np.mean(means, axis=0), [1, -2, 3], atol=0.1)
    assert np.allclose(np.linalg.inv(np.mean(precisions, axis=0)), half @ half.T, atol=0.25)
    assert np.std(means, axis=0) == pytest.approx(np.sqrt(np.diag(half @ half.T) / 4_000), rel=0.2)


def test_moments_are_those_of_the_draws_and_of_strangers() -> None:
    random = np.random.default_rng(0)
    users, items = (random.normal(size=(4, rows + 1, F + 1)).astype(np.float32) for rows in (2, 3))
    covariance = np.stack([np.eye(F + 1) * (1 + s) for s in range(4)])
    mean, square = np.empty(2), np.empty(2)
    known, strange = np.array([1, 2]), np.array([2, 0])
    moments_of_pairs(0, 2, known, strange, users, items, covariance, covariance, mean, square)
    for n, (u, i) in enumerate(zip(known, strange, strict=True)):
        score = users[:, u, F] + items[:, i, F] + (users[:, u, :F] * items[:, i, :F]).sum(axis=1)
        more = (1 + np.arange(4)) * (1 + (items[:, i, :F] ** 2).sum(axis=1)) if u == 2 else 0
        assert mean[n] == pytest.approx(score.mean(), rel=1e-5)
        assert square[n] == pytest.approx((score**2 + more).mean(), rel=1e-5)


def test_intervals_hold_a_planted_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    p, q = (random.normal(size=(rows, 2)) for rows in (120, 80))
    pairs = np.argwhere(random.random((120, 80)) < 0.4)
    truth = 3 + np.einsum("nf,nf->n", p[pairs[:, 0]], q[pairs[:, 1]]) + 0.5 * random.normal(size=len(pairs))
    frame = pl.DataFrame({"user_id": pairs[:, 0], "item_id": pairs[:, 1], "rating": truth})
    out = random.random(len(pairs)) < 0.2
    data = Dataset.read(frame.filter(~pl.Series(out)))
    fitted = BayesianMF(factors=4).fit(data)
    asked = frame.filter(pl.Series(out))
    found = fitted.predict(data.user_ids.numbers(asked["user_id"]), data.item_ids.numbers(asked["item_id"]))
    away = (asked["rating"].to_numpy() - found.expected) / found.deviation
    assert np.sqrt((away**2).mean()) == pytest.approx(1, abs=0.1)
    assert (np.abs(away) < 1.645).mean() == pytest.approx(0.9, abs=0.04)
    assert np.sqrt(fitted.noise) == pytest.approx(0.5, abs=0.05)


@pytest.mark.real
def test_real_ratings_are_predicted_well(data_folder: Path) -> None:
    folds = pl.read_parquet(data_folder / "ml-100k/splits.parquet").select("user_id", "item_id", "fold")
    said = pl.read_parquet(data_folder / "ml-100k/ratings.parquet").join(folds, on=["user_id", "item_id"])
    data = Dataset.read(said.filter(pl.col("fold") != 1).select("user_id", "item_id", "rating", "timestamp"))
    out = said.filter(pl.col("fold") == 1)
    found = (
        BayesianMF(sweeps=60, burn_in=20)
        .fit(data)
        .predict(data.user_ids.numbers(out["user_id"]), data.item_ids.numbers(out["item_id"]))
    )
    rating = out["rating"].to_numpy()
    assert np.sqrt(((np.clip(found.expected, 1, 5) - rating) ** 2).mean()) < 0.905
    assert 0.87 < (np.abs(rating - found.expected) < 1.645 * found.deviation).mean() < 0.93
