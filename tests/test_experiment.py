"""Runs: what is stored is what was judged, and nobody's kill leaves half of one."""

import json
import os
import random
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

import shortlist as sl
from shortlist import comparison, store
from shortlist.config import parse, to_toml
from shortlist.experiment import evaluate, fit
from shortlist.run import open_run
from shortlist.settings import ByTime, Settings, changed, read_settings


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 600 purchases of 25 people among 20 things over 100 days."""
    folder = tmp_path_factory.mktemp("world")
    chance = np.random.default_rng(1)
    users, items = chance.integers(1, 26, 600), chance.zipf(1.4, 600) % 20
    seconds = np.sort(chance.integers(0, 100 * 86_400, 600)) + 1_500_000_000
    pl.DataFrame(
        {"customer_id": users, "sku": [f"i{n}" for n in items], "date": pl.from_epoch(pl.Series(seconds))}
    ).write_parquet(folder / "purchases.parquet")
    return folder


@pytest.fixture(scope="module")
def run(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fit(settings(world, tmp_path_factory.mktemp("runs") / "first"))


def settings(world: Path, out: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "data": {"events": str(world / "purchases.parquet")},
        "split": {"kind": "by_time", "test": "14d"},
        "pipeline": {
            "retrievers": [{"kind": "popular"}, {"kind": "repurchase"}],
            "ranker": {"rounds": 4, "min_rows": 5, "threads": 1},
            "slices": 1,
            "horizon": "14d",
        },
        "metrics": ["map@5", "recall@3", "coverage@5"],
        "k": 5,
        "out": str(out),
    }
    return parse(Settings, values | changes)


PLAIN = {"retrievers": [{"kind": "popular"}]}


def test_the_stored_pipeline_judged_again_gives_the_figures_that_are_stored(run: Any) -> None:
    assert evaluate(open_run(run.path)).to_dict() == run.evaluation


def test_the_stored_pipeline_answers_with_the_lists_that_were_judged(run: Any) -> None:
    users = run.truth["user_id"].unique(maintain_order=True)
    assert sl.load(run.path).recommend(users, k=5).equals(run.recommendations)


def test_the_figures_are_those_of_the_stored_lists_and_truth(run: Any) -> None:
    found = sl.evaluate(run.recommendations, run.truth, ["map@5"])
    stored = [row for row in run.evaluation["table"] if row["model"] == "pipeline" and row["metric"] == "map@5"]
    assert found.table["value"].item() == pytest.approx(stored[0]["value"])


def test_the_manifest_says_what_the_run_was_made_of(run: Any, world: Path) -> None:
    manifest = store.manifest(run.path)
    assert manifest["data"]["fingerprint"]["events"] == 600
    assert manifest["data"]["tables"]["events"]["matched"]["user_id"] == "customer_id"
    assert manifest["data"]["tables"]["events"]["rejects"] == {}
    assert manifest["versions"]["polars"] == pl.__version__
    assert manifest["seconds"] > 0
    assert run.settings == settings(world, run.path)


def test_the_report_tells_sources_metrics_and_differences(run: Any) -> None:
    for told in ("user_id from customer_id", "repurchase", "map@5", "difference", "95 % interval"):
        assert told in run.summary


def test_the_anatomy_reaches_what_the_evaluation_measured(run: Any) -> None:
    assert run.anatomy["reached"] == pytest.approx(run.evaluation["table"][0]["value"])


def test_the_same_settings_give_the_same_run(run: Any, world: Path, tmp_path: Path) -> None:
    again = fit(settings(world, tmp_path / "again"))
    assert again.recommendations.equals(run.recommendations)
    assert again.evaluation == run.evaluation
    assert again.anatomy == run.anatomy


def test_a_run_can_be_done_again_from_its_directory(run: Any) -> None:
    assert read_settings(run.path) == run.settings
    assert read_settings(run.path, ["seed=3"]).seed == 3


def test_paths_in_a_file_start_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[data]\nevents = ["a.csv", "/b.csv"]\n[[pipeline.retrievers]]\nkind = "popular"\n'
    (tmp_path / "shortlist.toml").write_text(text)
    monkeypatch.chdir("/")
    found = read_settings(tmp_path / "shortlist.toml")
    assert found.data.events == (str(tmp_path / "a.csv"), "/b.csv")
    assert found.out == str(tmp_path / "runs/latest")


def test_a_date_may_be_set_as_toml_writes_it(run: Any) -> None:
    assert changed(run.settings, ["split.at=2017-11-27"]).split == ByTime(test="14d", at="2017-11-27")


def test_a_moment_that_is_none_is_refused_with_its_path(run: Any) -> None:
    with pytest.raises(sl.ConfigError, match=r"split\.by_time\.at.*'someday'"):
        changed(run.settings, ["split.at=someday"])


def test_metrics_longer_than_the_lists_and_lists_longer_than_the_candidates_are_refused(run: Any) -> None:
    with pytest.raises(sl.ConfigError, match="map@6 looks at 6 places"):
        changed(run.settings, ['metrics=["map@6"]'])
    with pytest.raises(sl.ConfigError, match="k=5 is more than the 4 candidates"):
        changed(run.settings, ["pipeline.candidates=4"])


@pytest.mark.parametrize(
    "split",
    [
        {"kind": "last_n", "n": 2},
        {"kind": "by_user", "share": 0.4},
        {"kind": "by_item", "share": 0.3},
        {"kind": "at_random", "share": 0.3},
    ],
    ids=lambda split: split["kind"],
)
def test_every_split_is_judged_and_can_be_judged_again(split: dict[str, Any], world: Path, tmp_path: Path) -> None:
    made = fit(settings(world, tmp_path / "run", split=split, pipeline=PLAIN))
    assert made.evaluation["users"] > 3
    assert evaluate(made).to_dict() == made.evaluation


def test_without_a_split_nothing_is_judged_and_this_is_said(world: Path, tmp_path: Path) -> None:
    made = fit(settings(world, tmp_path / "run", split=None, pipeline=PLAIN))
    assert "nothing judged" in made.summary
    assert sl.load(made.path).recommend([1], k=3).height == 3
    with pytest.raises(sl.StoreError, match="without \\[split\\]"):
        evaluate(made)


def test_a_pipeline_that_was_saved_alone_is_no_run_to_judge(run: Any, tmp_path: Path) -> None:
    run.pipeline.save(tmp_path / "alone")
    with pytest.raises(sl.StoreError, match="saved alone"):
        open_run(tmp_path / "alone")


def test_baselines_are_what_most_took_and_what_each_took_most() -> None:
    events = pl.DataFrame(
        {
            "user_id": [1, 1, 1, 2, 2, 3, 3, 1, 2],
            "item_id": ["a", "a", "b", "b", "c", "b", "a", "a", "b"],
            "timestamp": pl.Series([f"2024-01-{day:02}" for day in (1, 2, 3, 1, 2, 1, 1, 10, 10)]).str.to_date(),
        }
    )
    lists = sl.baselines(sl.by_time(sl.Dataset.read(events), test="1d"), k=2)
    ranked = {name: dict(frame.group_by("user_id").agg("item_id").iter_rows()) for name, frame in lists.items()}
    assert ranked["popular"] == {1: ["c"], 2: ["a"]}  # repeats are rare there, so what a user had is left out
    assert ranked["repurchase"] == {1: ["a", "b"], 2: ["c", "b"]}  # of one event each, the newer first


def test_a_fit_that_fails_leaves_the_run_that_stood_there(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    before = fit(settings(world, out, pipeline=PLAIN)).to_dict()
    with pytest.raises(sl.DataError):
        fit(settings(world, out, pipeline=PLAIN, split={"kind": "by_time", "at": "1999-01-01"}))
    assert open_run(out).to_dict() == before
    with pytest.raises(sl.DataError):
        fit(settings(world, tmp_path / "new", data={"events": "nowhere.csv"}))
    assert fit(settings(world, tmp_path / "new", pipeline=PLAIN)).judged  # the failure does not stand in the way


def test_a_killed_fit_leaves_the_run_that_stood_there(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    made = fit(settings(world, out))
    before, users = made.to_dict(), [1, 2, 3]
    lists = made.pipeline.recommend(users)
    # Each try fits to the same place over and over, and says when its imports are over.
    script = (
        "import sys; from shortlist.settings import read_settings, changed; from shortlist.experiment import fit\n"
        "settings = read_settings(sys.argv[1]); print('ready', flush=True)\n"
        "while True: fit(settings)\n"
    )
    chance = random.Random(5)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(out)],
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 1.2))
            process.send_signal(signal.SIGKILL)
        after = open_run(out)
        spent = {"seconds", "peak_memory_mb", "costs"}
        assert {k: v for k, v in after.to_dict().items() if k not in spent} == {
            k: v for k, v in before.items() if k not in spent
        }
        assert after.pipeline.recommend(users).equals(lists)
    fit(made.settings)
    assert len(list(out.glob(".contents-*"))) == 1  # what the dead left behind is swept


def test_compare_tells_each_minus_the_first(run: Any, world: Path, tmp_path: Path) -> None:
    other = fit(settings(world, tmp_path / "other", pipeline=PLAIN))
    found = comparison.compare([run.path, other.path])
    per_user = {
        name: sl.evaluate(made.recommendations, run.truth, ["map@5"]).per_user["map@5"]
        for name, made in {"first": run, "other": other}.items()
    }
    row = found.differences.filter(metric="map@5").row(0, named=True)
    assert (row["model"], row["baseline"]) == (str(other.path), str(run.path))
    assert row["difference"] == pytest.approx((per_user["other"] - per_user["first"]).mean())
    assert row["low"] <= row["difference"] <= row["high"]
    assert "paired difference" in str(found)


def test_a_file_of_lists_is_compared_on_the_truth_of_the_first(run: Any, tmp_path: Path) -> None:
    run.recommendations.select("user_id", "item_id", "rank").write_csv(tmp_path / "lists.csv")
    found = comparison.compare([run.path, tmp_path / "lists.csv"])
    theirs = found.differences.filter(model=str(tmp_path / "lists.csv"))
    assert theirs["difference"].to_list() == [0.0, 0.0, 0.0]
    assert theirs["p_holm"].drop_nulls().to_list() == [1.0, 1.0]
    assert found.table["model"].unique(maintain_order=True).to_list()[2:] == ["popular", "popular_ever", "repurchase"]
    with pytest.raises(sl.ConfigError, match="name a run first"):
        comparison.compare([tmp_path / "lists.csv", run.path])


def test_runs_with_another_truth_are_not_compared(run: Any, world: Path, tmp_path: Path) -> None:
    other = fit(settings(world, tmp_path / "other", pipeline=PLAIN, split={"kind": "by_time", "test": "7d"}))
    with pytest.raises(sl.DataError, match="another truth"):
        comparison.compare([run.path, other.path])


def test_shorter_lists_are_not_compared_by_metrics_that_look_further(run: Any, world: Path, tmp_path: Path) -> None:
    other = fit(settings(world, tmp_path / "other", pipeline=PLAIN, k=3, metrics=["map@3"]))
    with pytest.raises(sl.ConfigError, match="3 long, but 5 places are looked at"):
        comparison.compare([run.path, other.path])


def test_a_recipe_is_fitted_before_it_is_compared(run: Any, world: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "plain.toml"
    recipe.write_text(to_toml(settings(world, tmp_path / "plain", pipeline=PLAIN)), encoding="utf-8")
    found = comparison.compare([run.path, recipe])
    assert open_run(tmp_path / "plain").judged
    assert found.table["model"].unique(maintain_order=True).to_list()[:2] == [str(run.path), str(recipe)]


def test_what_runs_took_stands_beside_their_figures(run: Any, world: Path, tmp_path: Path) -> None:
    other = fit(settings(world, tmp_path / "other", pipeline=PLAIN))
    other.manifest["costs"]["fit"]["seconds"] = 1234.5
    manifest = tmp_path / "other" / "manifest.json"
    manifest.write_text(json.dumps(dict(other.manifest)))
    found = comparison.compare([run.path, other.path])
    assert found.costs["model"].to_list() == [str(run.path), str(other.path)]
    assert found.costs["fit_seconds"][1] == 1234.5
    for row, made in zip(found.costs.iter_rows(named=True), (run, other), strict=True):
        assert row["recommend_seconds"] == made.manifest["costs"]["recommend"]["seconds"]
        assert row["peak_memory_mb"] == made.manifest["costs"]["recommend"]["peak_memory_mb"]
    assert re.search(rf"{other.path} .* (1234|1235)  ", str(found))
    assert "split by_time:test=14d" in str(found)
    del other.manifest["costs"]  # as in a run of an older version
    manifest.write_text(json.dumps(dict(other.manifest)))
    assert comparison.compare([run.path, other.path]).costs["model"].to_list() == [str(run.path)]
    assert "peak MB" not in str(comparison.compare([other.path]))


def test_models_are_compared_on_a_table_and_a_failure_among_them_is_told(world: Path) -> None:
    models = ["same_attribute:column=colour", "covisit:window=30d", "popular"]
    found = comparison.compare_models(models, {"events": str(world / "purchases.parquet")}, metrics=["map@5"], seed=1)
    assert found.split == "last_n:n=1"  # there are times
    assert "no column 'colour'" in found.failed["same_attribute:column=colour"]
    assert found.table["model"].to_list() == ["covisit:window=30d", "popular", "popular_ever", "repurchase"]
    assert found.costs["model"].to_list() == ["covisit:window=30d", "popular"]
    assert found.costs["fit_seconds"].to_numpy().min() > 0
    assert "same_attribute:column=colour failed: same_attribute" in str(found)
    data = sl.Dataset.read(str(world / "purchases.parquet"))
    split = sl.last_n(data)
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    lists = sl.Pipeline(retrievers=(sl.CoVisit(window="30d"),)).fit(split.train).recommend(users, k=5)
    wanted = sl.evaluate(lists, split, ["map@5"], seed=1).table.row(0)
    assert found.table.row(0)[1:] == wanted[1:]
    assert found.to_dict()["differences"][0]["model"] == "popular"


def test_without_times_a_fifth_of_the_pairs_is_judged_on(world: Path, tmp_path: Path) -> None:
    pl.read_parquet(world / "purchases.parquet").drop("date").write_csv(tmp_path / "pairs.csv")
    found = comparison.compare_models(["popular"], {"events": str(tmp_path / "pairs.csv")})
    assert found.split == "at_random:share=0.2"
    assert set(found.table["metric"]) == {"ndcg@10", "recall@10", "map@10", "coverage@10"}


def test_models_that_cannot_be_meant_are_refused_before_anything_is_read() -> None:
    for models, message in {
        ("popluar",): "there is no model 'popluar'; did you mean 'popular'?",
        ("user_knn:neighbors=3",): "neighbors: there is no such key; did you mean 'neighbours'?",
        ("user_knn:3",): "write it as path=value",
        ("popular", "popular"): "named twice",
        (): "nothing to compare",
    }.items():
        with pytest.raises(sl.ConfigError, match=re.escape(message)):
            comparison.compare_models(models, {"events": "nowhere.csv"})
    with pytest.raises(sl.ConfigError, match="there is no 'by_tim'; did you mean 'by_time'"):
        comparison.compare_models(["popular"], {"events": "nowhere.csv"}, split="by_tim:test=7d")


def test_where_all_models_fail_the_first_failure_is_raised(world: Path) -> None:
    with pytest.raises(sl.DataError, match="no column 'colour'"):
        comparison.compare_models(
            ["same_attribute:column=colour"], {"events": str(world / "purchases.parquet")}, metrics=["map@5"]
        )


def test_lists_of_one_retriever_may_be_longer_than_the_candidates(world: Path, tmp_path: Path) -> None:
    made = fit(settings(world, tmp_path / "run", pipeline={**PLAIN, "candidates": 2}))
    assert made.recommendations["rank"].to_numpy().max() == 5
    reached = next(row["value"] for row in made.evaluation["table"] if row["metric"] == "map@5")
    assert made.anatomy["reached"] == pytest.approx(reached)
    assert made.anatomy["candidates"] > 2


def test_metrics_of_what_is_shown_are_the_same_when_the_stored_run_is_judged_again(world: Path, tmp_path: Path) -> None:
    metrics = ["novelty@5", "popularity_bias@5", "serendipity@5", "gini@5", "f2", "map@5"]
    made = fit(settings(world, tmp_path / "shown", pipeline=PLAIN, metrics=metrics))
    assert evaluate(open_run(made.path)).to_dict() == made.evaluation
    assert {row["slice"] for row in made.slices} >= {"user"}
