"""Stream ridge: what is learnt in one pass, what is gone on with after a kill, what is refused."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tabular.posts import COLUMNS, posts

import shortlist as sl
from shortlist.kernels import linear
from shortlist.tabular.hashed_rows import HashedRows
from shortlist.tabular.scale import Scale
from shortlist.tabular.terms import hashed_values

CHILD = """
import hashlib, sys
from pathlib import Path
import shortlist as sl
from shortlist.tabular.stream_ridge import _State

where, folder, seen = sys.argv[1:]
keep = _State.keep

def told(self, folder):
    keep(self, folder)
    with open(seen, "a") as file:
        file.write(f"{self.done}\\n")

_State.keep = told
columns = sl.Columns(texts=("title",), categories=("subreddit",), numbers=("length",), time="when")
fitted = sl.StreamRidge(target="score", columns=columns, metric="rmsle", bits=14, epochs=2).fit(
    where, folder=folder, every=0.0
)
told = fitted.predict(where).to_numpy().tobytes() + repr(fitted.scores.rows()).encode()
print(hashlib.sha256(fitted.weight_T.tobytes() + fitted.weight_D.tobytes() + told).hexdigest())
"""


def recipe(**more: Any) -> sl.StreamRidge:
    return sl.StreamRidge(**{"target": "score", "columns": COLUMNS, "metric": "rmsle", "bits": 14} | more)


def written(folder: Path, table: pl.DataFrame, group: int = 1_000) -> Path:
    place = folder / "posts.parquet"
    table.write_parquet(place, row_group_size=group)
    return place


def test_each_step_is_that_of_adagrad_done_the_slow_way() -> None:
    random = np.random.default_rng(0)
    rows, buckets, rate, penalty = 200, 32, 0.3, 0.01
    ends = np.cumsum(2 + random.integers(0, 5, rows))  # the last two are those of categories
    term_E = random.integers(0, buckets, ends[-1]).astype(np.int32)
    number_ND = random.standard_normal((rows, 3)).astype(np.float32)
    target_N = random.standard_normal(rows).astype(np.float32)
    weight_T2, dense_D2, bias_2 = (np.zeros(shape, np.float32) for shape in ((buckets, 2), (3, 2), 2))
    error_N, sums = np.zeros(rows, np.float32), np.zeros(4)
    target_N[7] = np.nan
    hashed = ends, term_E, 2, number_ND
    steps = target_N, np.float32(rate), np.float32(penalty), weight_T2, dense_D2, bias_2
    linear.learn(*hashed, *steps, error_N, sums)
    slow, squares, expected = np.zeros(buckets + 4), np.zeros(buckets + 4), np.zeros(rows)
    for row in np.flatnonzero(~np.isnan(target_N)):
        terms, last = np.split(term_E[ends[row - 1] if row else 0 : ends[row]], [-2])
        share = 1 / np.sqrt(max(len(terms), 1))
        parts = [(buckets + 3, 1.0, 0.0), *((term, share, penalty) for term in terms)]
        parts += [(term, 1.0, penalty) for term in last]
        parts += [(buckets + d, float(number_ND[row, d]), penalty) for d in range(3)]
        expected[row] = sum(slow[place] * size for place, size, _ in parts)
        for place, size, ridge in parts:
            gradient = (expected[row] - target_N[row]) * size + ridge * slow[place]
            squares[place] += gradient**2
            slow[place] -= rate * gradient / np.sqrt(squares[place] + 1e-8)
    known = np.delete(np.arange(rows), 7)
    np.testing.assert_allclose(np.delete(error_N, 7), (expected - target_N)[known], rtol=1e-3, atol=1e-4)
    assert np.isnan(error_N[7])
    true, error = target_N[known].astype(float), np.delete(error_N, 7).astype(float)
    np.testing.assert_allclose(sums, [rows - 1, error @ error, true.sum(), true @ true], rtol=1e-5)
    np.testing.assert_allclose(weight_T2[:, 0], slow[:buckets], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(dense_D2[:, 0], slow[buckets:-1], rtol=1e-3, atol=1e-4)
    again = np.zeros(rows, np.float32)
    linear.answers(*hashed, weight_T2, dense_D2, bias_2, again)
    first = rows - 1
    terms, last = np.split(term_E[ends[first - 1] : ends[first]], [-2])
    by_hand = slow[terms].sum() / np.sqrt(max(len(terms), 1)) + slow[last].sum() + slow[-1]
    assert again[first] == pytest.approx(by_hand + number_ND[first] @ slow[buckets:-1], abs=1e-3)


def test_one_pass_learns_and_tells_errors_of_rows_not_known(tmp_path: Path) -> None:
    fitted = recipe().fit(written(tmp_path, posts(20_000)))
    new = posts(5_000, seed=1)
    told = fitted.predict(new)
    away = np.log1p(told["prediction"].to_numpy()) - np.log1p(new["score"].to_numpy())
    found = float(np.sqrt(np.mean(away**2)))
    value = dict(zip(fitted.scores["model"], fitted.scores["value"], strict=True))
    assert found < 0.5 * value["mean"]
    assert found < value["StreamRidge"] < 0.6 * value["mean"]  # the first rows were answered by one that knew little
    constant = float(np.log1p(posts(20_000)["score"].to_numpy()).std())
    assert value["mean"] == pytest.approx(constant, rel=1e-6)
    inside = (told["low"] <= new["score"]) & (new["score"] <= told["high"])
    assert inside.mean() == pytest.approx(0.9, abs=0.04)
    assert "StreamRidge" in str(fitted)


def test_numbers_as_they_are_and_missing_ones(tmp_path: Path) -> None:
    table = posts(20_000).with_columns(score=7.0 - pl.col("length") / 10)
    table = table.with_columns(score=pl.when(pl.int_range(pl.len()) % 3 > 0).then("score"))
    fitted = recipe(metric="rmse", columns=sl.Columns(numbers=("length",)), epochs=2).fit(written(tmp_path, table))
    told = fitted.predict(pl.DataFrame({"length": [10, 40, None]}))["prediction"].to_list()
    assert told[:2] == pytest.approx([6, 3], abs=0.2)
    assert np.isfinite(told[2])
    assert fitted.scores["rows"][0] == table["score"].count()


def test_the_same_from_parquet_csv_and_stored(tmp_path: Path) -> None:
    table = posts(3_000)
    fitted = recipe().fit(written(tmp_path, table, 100_000), seed=3)
    table.write_csv(tmp_path / "posts.csv")
    from_csv = recipe().fit(tmp_path / "posts.csv", seed=3)
    assert from_csv.predict(table).equals(fitted.predict(table))
    fitted.save(tmp_path / "stored")
    again = sl.load(tmp_path / "stored")
    assert isinstance(again, sl.FittedStreamRidge)
    assert again.predict(tmp_path / "posts.csv").equals(fitted.predict(table))
    assert again.recipe == fitted.recipe


def test_unknown_missing_and_empty_say_nothing(tmp_path: Path) -> None:
    fitted = recipe().fit(written(tmp_path, posts(2_000)))
    strange = pl.DataFrame(
        {"title": [None, "", "never"], "subreddit": [None, "new", "r1"], "length": [None, 1, 2], "when": [None, 0, 1]}
    )
    assert fitted.predict(strange)["prediction"].is_finite().all()
    assert fitted.predict(strange[:0]).height == 0


def test_killed_ten_times_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    where = written(tmp_path, posts(24_000), 100)

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CHILD, str(where), str(tmp_path / name), str(tmp_path / f"{name}.txt")]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole, _ = start("whole").communicate()
    random = np.random.default_rng(0)
    seen, killed = tmp_path / "killed.txt", 0
    for _ in range(10):
        child = start("killed")
        before = seen.stat().st_size if seen.exists() else 0
        while child.poll() is None and (not seen.exists() or seen.stat().st_size <= before):
            time.sleep(0.002)
        time.sleep(float(random.random()) * 0.03)
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            killed += 1
        child.communicate()
    assert killed >= 8
    again, _ = start("killed").communicate()
    assert len(again) > 60
    assert again == whole
    # The places that were kept are those of the one that was not killed, in order; one whose line was lost is missing.
    places = [int(line) for line in (tmp_path / "whole.txt").read_text().split()]
    told = [int(line) for line in seen.read_text().split()]
    assert set(told) <= set(places)
    assert told == sorted(told)


def test_a_folder_that_keeps_something_else_is_told(tmp_path: Path) -> None:
    where = written(tmp_path, posts(500))
    fitted = recipe().fit(where, folder=tmp_path / "kept")
    assert recipe().fit(where, folder=tmp_path / "kept").predict(posts(9)).equals(fitted.predict(posts(9)))
    with pytest.raises(sl.ConfigError, match="keeps something else"):
        recipe(rate=0.2).fit(where, folder=tmp_path / "kept")
    with pytest.raises(sl.ConfigError, match="keeps something else"):
        recipe().fit(where, seed=1, folder=tmp_path / "kept")
    with pytest.raises(sl.ConfigError, match="keeps something else"):
        recipe().fit(written(tmp_path, posts(500, seed=1)), folder=tmp_path / "kept")
    with pytest.raises(sl.StoreError):
        sl.load(tmp_path / "kept")


def test_what_is_no_file_and_a_folder_of_other_things_are_told_first(tmp_path: Path) -> None:
    where = written(tmp_path, posts(20_000), 20_000)
    with pytest.raises(sl.DataError, match="from files, not from a DataFrame: write it to Parquet first"):
        recipe().fit(posts(30))  # type: ignore[arg-type]
    with pytest.raises(sl.StoreError, match="holds other files: name an empty or a new directory"):
        recipe(target="not even looked for").fit(where, folder=tmp_path)
    with pytest.raises(sl.DataError, match=r"and 8 such are to fit in memory='1MB': write the file in smaller"):
        recipe().fit(where, memory="1MB")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": sl.Columns(texts=("titel",))}, "lacks the column 'titel'; did you mean 'title'"),
        ({"target": "title", "columns": sl.Columns(numbers=("length",))}, "'title' is of type String"),
        ({"target": "below"}, "'below' goes down to -1, and rmsle is for numbers that are never below zero"),
        ({"target": "odd", "metric": "rmse"}, "'odd' has 1 values that are not finite"),
        ({"target": "none"}, "no row of the first 200 has 'none'"),
    ],
)
def test_what_cannot_be_learnt_is_told(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    table = posts(200).with_columns(odd=pl.Series([np.inf] + [1.0] * 199), none=pl.lit(None, pl.Int64))
    table = table.with_columns(below=-(pl.col("score") % 2))
    with pytest.raises(sl.ShortlistError, match=re.escape(said)):
        recipe(**change).fit(written(tmp_path, table))


def test_a_target_is_not_told_of_a_row() -> None:
    with pytest.raises(ValueError, match="'length' is the target"):
        recipe(target="length")


def test_hashed_rows_keep_columns_apart_and_missing_values() -> None:
    table = pl.DataFrame({"a": ["x y", None], "b": ["x y", ""], "c": [1, None], "d": [None, "1"], "n": [np.inf, 3.0]})
    columns = sl.Columns(texts=("a", "b"), categories=("c", "d"), numbers=("n",))
    hashed = HashedRows.of(columns, table, 20)
    assert hashed.ends.tolist() == [8, 10]  # two words and their pair, of each column, and two categories
    assert len(set(hashed.term_E.tolist())) == 10
    assert HashedRows.of(columns, table.to_arrow(), 20).term_E.tolist() == hashed.term_E.tolist()
    assert Scale.of(hashed.number_ND)(hashed.number_ND).tolist() == [[0, 1], [0, 0]]
    turned = hashed.taken(np.array([1, 0]))
    assert turned.ends.tolist() == [2, 10]
    assert turned.term_E.tolist() == [*hashed.term_E[8:], *hashed.term_E[:8]]
    assert turned.number_ND.tolist() == [[3.0], [np.inf]]
    for bits in (20, 28):  # three bytes for a term, and four
        hashed = HashedRows.of(columns, table, bits)
        again = HashedRows.of_arrow(hashed.taken(np.array([1, 0])).to_arrow(bits).slice(1), hashed.categories, bits)
        assert (again.ends.tolist(), again.term_E.tolist()) == ([8], hashed.term_E[:8].tolist())
        assert again.number_ND.tolist() == [[np.inf]]


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none() | st.integers(-20, 20), max_size=20))
@settings(deadline=None)
def test_a_number_is_the_category_that_its_text_is(numbers: list[int | None]) -> None:
    whole = pl.Series("n", numbers, dtype=pl.Int64)
    assert hashed_values(whole, 3, 20).tolist() == hashed_values(whole.cast(pl.String), 3, 20).tolist()
    signs = whole > 0
    assert hashed_values(signs, 3, 20).tolist() == hashed_values(signs.cast(pl.String), 3, 20).tolist()
    small = whole.filter(whole.is_between(0, 255) | whole.is_null()).cast(pl.UInt8)
    assert hashed_values(small, 3, 20).tolist() == hashed_values(small.cast(pl.String), 3, 20).tolist()


def test_categories_learnt_as_numbers_are_known_as_texts(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    code = random.integers(0, 5, 3_000)
    table = pl.DataFrame({"code": code, "open": code > 2, "score": code * 10.0})
    table.write_parquet(tmp_path / "rows.parquet")
    fitted = sl.StreamRidge(target="score", columns=sl.Columns(categories=("code", "open"))).fit(tmp_path)
    assert fitted.predict(table.cast({"code": pl.String, "open": pl.String})).equals(fitted.predict(table))
