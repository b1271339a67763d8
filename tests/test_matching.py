"""The whole way of matching texts: users held out in turn, features of pairs, and lists that end where they should."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import shortlist as sl
from shortlist import experiment, pipeline
from shortlist.config import parse
from shortlist.errors import ConfigError
from shortlist.pipeline import FittedPipeline
from shortlist.settings import Settings
from shortlist.tables import samples

RECIPE = sl.Pipeline(
    retrievers=(sl.TextSearch(),),
    ranker=sl.LambdaMART(objective="binary", leaves=7, min_rows=20, rounds=60, threads=1),
    features=sl.MatchFeatures(),
    folds=sl.Folds(k=3, by=sl.Tree(depth=2)),
    candidates=40,
    negatives=1.0,
    filter_seen=False,
    cut=sl.Cut(),
)


@pytest.fixture(scope="module")
def split() -> sl.Split:
    made = samples.curriculum(topics=240, contents=500, pairs=650, seed=1)
    data = sl.Dataset.read(made.events, made.items, made.users)
    return sl.k_fold(data, 4, by=sl.Tree(depth=2), keep_items=True)[0]


@pytest.fixture(scope="module")
def fitted(split: sl.Split) -> FittedPipeline:
    return RECIPE.fit(split.train, seed=1)


def f2(lists: pl.DataFrame, split: sl.Split) -> float:
    table = sl.evaluate(lists, split, ["f2"], name="it").table
    return float(table.filter(model="it")["value"][0])


def test_the_whole_beats_the_search_at_any_fixed_length(fitted: FittedPipeline, split: sl.Split) -> None:
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    alone = sl.Pipeline(retrievers=RECIPE.retrievers, filter_seen=False).fit(split.train)
    best = max(f2(alone.recommend(users, k), split) for k in (1, 2, 3, 5, 8, 12))
    assert f2(fitted.recommend(users, 40), split) > best + 0.05


def test_lists_end_by_the_rule_and_scores_are_probabilities(fitted: FittedPipeline, split: sl.Split) -> None:
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    lists = fitted.recommend(users, 40)
    lengths = lists.group_by("user_id").len()["len"]
    assert lengths.n_unique() > 1
    assert lists["score"].is_between(0, 1).all()
    longer = replace(fitted, cut=None).recommend(users, 40)
    assert longer.height > lists.height
    heads = longer.join(lists.group_by("user_id").len(), on="user_id").filter(pl.col("rank") <= pl.col("len"))
    assert heads.select("user_id", "item_id", "rank").equals(lists.select("user_id", "item_id", "rank"))
    # What is said to be likely comes about so often.
    truth = split.test.pairs().with_columns(hit=1.0)
    hits = lists.join(truth, on=["user_id", "item_id"], how="left")["hit"].fill_null(0.0)
    assert float(lists["score"].mean()) == pytest.approx(float(hits.mean()), abs=0.12)  # type: ignore[arg-type]


def test_a_new_topic_is_answered_after_loading(fitted: FittedPipeline, split: sl.Split, tmp_path: Path) -> None:
    fitted.save(tmp_path / "run")
    loaded = sl.load(tmp_path / "run")
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    assert loaded.recommend(users, 40).equals(fitted.recommend(users, 40))
    known = split.train.engine.frame(split.train.users.filter(split.train.users.user_id == users[0]))
    twin = known.select(pl.lit("new").alias("user_id"), "parent_id", "title", "language")
    found = loaded.with_users(twin).recommend(["new"], 5)
    assert found["item_id"][0] in set(fitted.recommend([users[0]], 5)["item_id"])
    assert loaded.recommend(["new"], 5).is_empty()


def test_the_best_are_read_again_before_lists_end(
    split: sl.Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = sl.NGrams(factors=16, buckets=4096)
    recipe = RECIPE.model_copy(update={"reranker": sl.CrossEncoder(encoder=encoder, best=10)})
    fitted = recipe.fit(split.train, seed=1)
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    lists = fitted.recommend(users, 40)
    assert lists["score"].is_between(0, 1).all()
    # Both opinions count: without the second one the lists are others.
    plain = replace(fitted, reranker=None, cut=None).recommend(users, 40)
    again = replace(fitted, cut=None).recommend(users, 40)
    assert not plain["item_id"].equals(again["item_id"])
    assert fitted.reranker is not None
    assert fitted.reranker.losses["by both"] <= fitted.reranker.losses["by the score"]
    fitted.save(tmp_path / "run")
    loaded = sl.load(tmp_path / "run")
    assert loaded.recommend(users, 40).equals(lists)
    known = split.train.engine.frame(split.train.users.filter(split.train.users.user_id == users[0]))
    twin = known.select(pl.lit("new").alias("user_id"), "parent_id", "title", "language")
    assert not loaded.with_users(twin).recommend(["new"], 5).is_empty()
    assert recipe.fit(split.train, seed=1).recommend(users, 40).equals(lists)
    odd = recipe.model_copy(update={"reranker": sl.CrossEncoder(users=sl.Text(columns=("nothing",)))})
    monkeypatch.setattr(pipeline, "_learnt_from", None)  # it is told before anything is learnt
    with pytest.raises(sl.ColumnError, match="no column 'nothing'"):
        odd.fit(split.train)
    with pytest.raises(ValueError, match="a reranker is fitted to what a ranker says"):
        sl.Pipeline(retrievers=RECIPE.retrievers, reranker=sl.CrossEncoder())
    written = parse(sl.Pipeline, recipe.model_dump())
    assert written == recipe


def test_the_same_seed_gives_the_same_lists(fitted: FittedPipeline, split: sl.Split) -> None:
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    assert RECIPE.fit(split.train, seed=1).recommend(users, 40).equals(fitted.recommend(users, 40))


def test_a_cut_learns_from_past_horizons_too_and_needs_two() -> None:
    made = samples.shop(users=80, items=40, days=70, seed=2)
    data = sl.Dataset.read(made.events, made.items, made.users)
    recipe = sl.Pipeline(
        retrievers=(sl.Repurchase(), sl.Popular()),
        ranker=sl.LambdaMART(rounds=20, min_rows=40, leaves=7),
        cut=sl.Cut(beta=1.0, rule="threshold"),
        slices=2,
        candidates=40,
        negatives=0.5,
    )
    lists = recipe.fit(data).recommend(None, 40)
    assert lists.group_by("user_id").len()["len"].n_unique() > 1
    with pytest.raises(ConfigError, match="it takes 2 slices"):
        recipe.model_copy(update={"slices": 1}).fit(data)


def test_strangers_who_are_answered_by_others_have_no_relatives(split: sl.Split) -> None:
    recipe = RECIPE.model_copy(update={"retrievers": (*RECIPE.retrievers, sl.Popular()), "cut": None})
    found = recipe.fit(split.train).recommend(["nobody"], 5)
    assert found.height == 5
    assert set(found["source"]) == {"popular"}


def test_features_without_a_kind_are_those_of_events() -> None:
    told = parse(sl.Pipeline, {"retrievers": [{"kind": "popular"}], "features": {"attributes": ["type"]}})
    assert told.features == sl.Features(attributes=("type",))
    told = parse(sl.Pipeline, {"retrievers": [{"kind": "popular"}], "features": {"kind": "match", "near": 3}})
    assert told.features == sl.MatchFeatures(near=3)
    with pytest.raises(ConfigError, match=r"pipeline\.features|features"):
        parse(sl.Pipeline, {"retrievers": [{"kind": "popular"}], "features": {"kind": "mach"}})


def test_a_cut_without_a_ranker_is_an_error() -> None:
    with pytest.raises(ValueError, match="a cut is fitted to what a ranker says of lists"):
        sl.Pipeline(retrievers=(sl.TextSearch(),), cut=sl.Cut())


def test_the_report_shows_what_is_read_again_and_where_lists_end(tmp_path: Path) -> None:
    made = samples.curriculum(topics=240, contents=500, pairs=650, seed=1)
    for name, table in (("links", made.events), ("contents", made.items), ("topics", made.users)):
        table.write_parquet(tmp_path / f"{name}.parquet")
    values = {
        "data": {"events": str(tmp_path / "links.parquet"), "items": str(tmp_path / "contents.parquet")}
        | {"users": str(tmp_path / "topics.parquet")},
        "split": {"kind": "k_fold", "k": 4, "by": {"depth": 2}, "keep_items": True},
        "pipeline": RECIPE.model_dump(mode="json") | {"reranker": {"best": 10, "encoder": {"kind": "n_grams"}}},
        "metrics": ["f2"],
        "k": 40,
        "out": str(tmp_path / "run"),
    }
    run = experiment.fit(parse(Settings, values))
    cut = run.cut
    assert cut is not None
    lists = run.recommendations
    assert sum(row["items"] * row["lists"] for row in cut["lengths"]) == lists.height
    (taken,) = (row for row in cut["rules"] if row["taken"])
    assert taken["f_beta"] == max(row["f_beta"] for row in cut["rules"])
    hits = lists.join(run.truth, on=["user_id", "item_id"], how="semi").height
    assert sum(row["rows"] * row["truth"] for row in cut["calibration"]) == pytest.approx(hits)
    assert run.reranker is not None
    told = run.pipeline.reranker
    assert told is not None
    assert run.reranker["losses"] == told.losses
    page = sl.report(run).read_text(encoding="utf-8")
    assert "are read again; log-odds = " in page
    assert f"{told.losses['by both']:.4f}" in page
    assert "Where lists end" in page
    assert f"{taken['f_beta']:.4f}" in page
