"""BayesianMF: each draw against its conditional distribution, intervals against a planted truth, real ratings."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.kernels.gibbs import draw_rows, draw_sources, moments_of_pairs, sums
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
        "mean": random.normal(size=F + 1),
        "precision": half @ half.T + np.eye(F + 1),
        "normal": random.normal(size=(ROWS, F + 1)),
    }


def test_a_row_is_drawn_from_its_normal_distribution() -> None:
    p = parts()
    said, noise = p["said"], 2.5
    given = (said.indptr, said.indices, said.data, p["bias"], p["x"], p["shift"], p["mean"], p["precision"], noise)
    expected, drawn = np.empty((ROWS, F + 1)), np.empty((ROWS, F + 1))
    draw_rows(0, ROWS, *given, np.zeros((ROWS, F + 1)), expected)
    draw_rows(0, ROWS, *given, p["normal"], drawn)
    for r in range(ROWS):
        columns = said.indices[said.indptr[r] : said.indptr[r + 1]]
        known = np.column_stack([p["x"][columns], np.ones(len(columns))])
        left = said.data[said.indptr[r] : said.indptr[r + 1]] - p["bias"][columns] - p["x"][columns] @ p["shift"][r]
        whole = p["precision"] + noise * known.T @ known
        wanted = np.linalg.solve(whole, p["precision"] @ p["mean"] + noise * known.T @ left)
        assert np.allclose(expected[r], wanted)
        assert np.allclose(drawn[r] - wanted, np.linalg.solve(np.linalg.cholesky(whole).T, p["normal"][r]))


def test_a_source_is_drawn_from_its_normal_distribution_and_what_it_moves_moves_along() -> None:
    p = parts()
    said, noise, precision = p["said"], 2.5, 4.0
    row, share = p["normal"].copy(), 1 / np.sqrt(np.maximum(np.diff(said.indptr), 1))
    met = sparse.csr_array((said != 0).T.tocsr())
    source = np.random.default_rng(1).normal(size=(COLUMNS, F))
    met_by = (said != 0).toarray()
    shift = share[:, None] * (met_by @ source)
    gram, left = np.empty((ROWS, F, F), np.float32), np.empty((ROWS, F))
    of_rows = (said.indptr, said.indices, said.data, row, p["bias"], p["x"])

    def summed(shift: np.ndarray) -> np.ndarray:
        found = np.empty((ROWS, F))
        sums(0, ROWS, *of_rows, shift, np.empty_like(gram), found)
        return found

    sums(0, ROWS, *of_rows, shift, gram, left)
    old = source.copy()
    draw_sources(
        met.indptr[:2], met.indices, share, gram, left, precision, noise, np.zeros((1, F)), source[:1], shift
    )  # the first source alone
    assert np.allclose(shift, share[:, None] * (met_by @ source), atol=1e-6)
    assert np.allclose(left, summed(shift), atol=1e-5)
    users, items = np.nonzero(met_by)
    dense = said.toarray()
    # Of source 0 the values are linear: share · x of the rows that met column 0.
    known = np.where(met_by[users, 0][:, None], share[users][:, None] * p["x"][items], 0.0)
    rest = row[:, :F] + share[:, None] * (met_by @ np.vstack([np.zeros(F), old[1:]]))
    of_rest = dense[users, items] - row[users, F] - p["bias"][items] - np.einsum("nf,nf->n", rest[users], p["x"][items])
    wanted = np.linalg.solve(precision * np.eye(F) + noise * known.T @ known, noise * known.T @ of_rest)
    assert np.allclose(source[0], wanted, atol=1e-5)


def test_what_rows_have_in_common_is_found_again() -> None:
    random = np.random.default_rng(0)
    half = np.array([[2.0, 0, 0], [0.5, 1.0, 0], [-1, 0.3, 0.5]])
    rows = random.normal(size=(4_000, 3)) @ half.T + [1, -2, 3]
    means, precisions = zip(*(_in_common(rows, random) for _ in range(200)), strict=True)
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
