from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from shortlist import pipeline as room
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import Split, by_time
from shortlist.errors import ConfigError, DataError, StoreError
from shortlist.models.popular import Popular
from shortlist.models.repurchase import Repurchase
from shortlist.models.retrieval import Request
from shortlist.models.same_attribute import SameAttribute
from shortlist.pipeline import FittedPipeline, Pipeline, load
from shortlist.progress import heard, step
from shortlist.ranking.ranker import LambdaMART
from shortlist.tables import samples
from worlds import Companions

SOURCES = (Repurchase(), Popular(by="age"), SameAttribute(column="type"))
RANKER = LambdaMART(rounds=30, min_rows=40, leaves=7, threads=1)
TWO_STAGES = Pipeline(retrievers=SOURCES, ranker=RANKER, slices=3, candidates=40, negatives=1.0)


@pytest.fixture(scope="module")
def split() -> Split:
    """A shop where each user's next staple is the one bought longest ago: only features can tell."""
    made = samples.shop(users=120, items=50, days=98, seed=1)
    return by_time(Dataset.read(made.events, made.items, made.users), test="7d")


@pytest.fixture(scope="module")
def two_stages(split: Split) -> FittedPipeline:
    return TWO_STAGES.fit(split.train, seed=3)


@pytest.fixture(scope="module")
def simple(split: Split) -> FittedPipeline:
    return Pipeline(retrievers=(Repurchase(), Popular()), candidates=60).fit(split.train)


def found_share(pipeline: FittedPipeline, split: Split) -> float:
    """The share of the test pairs in the first three places, a mean over users."""
    truth = split.test.pairs()
    lists = pipeline.recommend(truth["user_id"].unique(maintain_order=True), k=3)
    hits = truth.join(lists, on=["user_id", "item_id"], how="left").group_by("user_id")
    return float(hits.agg(pl.col("rank").is_not_null().mean())["rank"].to_numpy().mean())


# the two stages


def test_two_stages_beat_each_source_alone(two_stages: FittedPipeline, split: Split) -> None:
    ranked = found_share(two_stages, split)
    for source in SOURCES:
        alone = Pipeline(retrievers=(source,), filter_seen=False).fit(split.train)
        assert ranked > 1.5 * found_share(alone, split)


def test_the_ranker_learns_from_the_past_alone(split: Split, two_stages: FittedPipeline) -> None:
    assert two_stages.ranker is not None
    assert two_stages.ranker.importances()["feature"].to_list()[0] == "pair_due"
    # Candidates of the past have not seen what they are judged on: no source is sure of every hit.
    assert found_share(two_stages, split) < 0.9


def test_the_same_seed_gives_the_same_bits(split: Split) -> None:
    recipe = TWO_STAGES.model_copy(update={"slices": 1, "negatives": 0.5, "ranker": RANKER})
    one, same, other = (recipe.fit(split.train, seed=seed) for seed in (3, 3, 4))
    assert one.ranker == same.ranker
    assert one.ranker != other.ranker
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    assert_frame_equal(one.recommend(users), same.recommend(users), check_exact=True)


def test_what_is_stored_answers_as_before_to_the_bit(two_stages: FittedPipeline, split: Split, tmp_path: Path) -> None:
    two_stages.save(tmp_path / "run")
    again = load(tmp_path / "run")
    users = ["u005", "nobody", "u001"]
    for limits in ({}, {"filter_seen": True}, {"candidates": ["i001", "i002"]}):
        assert_frame_equal(again.recommend(users, **limits), two_stages.recommend(users, **limits), check_exact=True)
    assert again.recipe == two_stages.recipe


def test_a_directory_without_a_pipeline_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such directory"):
        load(tmp_path / "run")


def test_too_few_days_for_a_slice_are_told(split: Split) -> None:
    recipe = TWO_STAGES.model_copy(update={"slices": 1, "horizon": "200d"})
    with pytest.raises(DataError, match="hits and misses"):
        recipe.fit(split.train)


# lists


@pytest.fixture(params=["simple", "two_stages"])
def fitted(request: pytest.FixtureRequest) -> FittedPipeline:
    pipeline: FittedPipeline = request.getfixturevalue(request.param)
    return pipeline


def test_lists_come_in_the_order_asked_with_ranks_from_one(fitted: FittedPipeline) -> None:
    found = fitted.recommend(["u007", "nobody", "u001"], k=4)
    assert found["user_id"].to_list() == ["u007"] * 4 + ["nobody"] * 4 + ["u001"] * 4
    assert found["rank"].to_list() == [1, 2, 3, 4] * 3
    assert found.select("user_id", "item_id").is_unique().all()
    assert found.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "rank": pl.Int32,
        "score": pl.Float64,
        "source": pl.String,
    }
    for scores in found.group_by("user_id").agg("score")["score"]:
        assert scores.to_list() == sorted(scores, reverse=True)
    assert found["source"].is_in(list(fitted.retrievers)).all()


def test_each_user_is_answered_once(fitted: FittedPipeline) -> None:
    twice = fitted.recommend(["u001", "u007", "u001", "u007"], k=3)
    assert twice.equals(fitted.recommend(["u001", "u007"], k=3))


def test_a_batch_is_answered_as_one_by_one(fitted: FittedPipeline) -> None:
    users = ["u003", "stranger", "u001", "u002", "other stranger"]
    alone = pl.concat([fitted.recommend([user], k=5) for user in users])
    assert alone.equals(fitted.recommend(users, k=5))


def test_users_may_be_a_table_a_series_or_one_id(fitted: FittedPipeline) -> None:
    wanted = fitted.recommend(["u001"], k=3)
    for users in (pl.DataFrame({"user_id": ["u001"]}), pl.Series(["u001"]), np.array(["u001"]), "u001"):
        assert fitted.recommend(users, k=3).equals(wanted)


def test_strangers_get_what_there_is_for_strangers_each_a_list(fitted: FittedPipeline) -> None:
    found = fitted.recommend(["nobody", "no one"], k=5)
    lists = [found.filter(pl.col("user_id") == user).drop("user_id") for user in ("nobody", "no one")]
    assert lists[0].equals(lists[1])
    assert lists[0].height == 5
    assert found["source"].str.starts_with("popular").all()


def test_no_users_are_answered_with_nothing_in_the_same_columns(fitted: FittedPipeline) -> None:
    nothing = fitted.recommend([], k=5)
    assert nothing.is_empty()
    assert nothing.schema == fitted.recommend(["u001"], k=5).schema
    assert fitted.recommend([], exclude=pl.DataFrame({"user_id": ["u001"], "item_id": ["i001"]})).is_empty()


def test_ids_of_another_type_are_refused(fitted: FittedPipeline) -> None:
    with pytest.raises(DataError, match="cast them before asking"):
        fitted.recommend([7])
    with pytest.raises(DataError, match="item_id"):
        fitted.recommend(["u001"], candidates=[7])
    for exclude in ({"user_id": [7], "item_id": ["i001"]}, {"user_id": ["u001"], "item_id": [7]}):
        with pytest.raises(DataError, match=r"user_id|item_id"):
            fitted.recommend(["u001"], exclude=pl.DataFrame(exclude))


@pytest.mark.parametrize("k", [0, -1, 10_000])
def test_lists_of_no_length_and_longer_than_the_candidates_are_refused(fitted: FittedPipeline, k: int) -> None:
    with pytest.raises(ConfigError, match=f"k={k}"):
        fitted.recommend(["u001"], k=k)


# limits


def test_excluded_pairs_never_come_and_others_keep_theirs(fitted: FittedPipeline) -> None:
    users = ["u001", "u002", "stranger"]
    before = fitted.recommend(users, k=6)
    exclude = before.filter((pl.col("user_id") != "u002") & (pl.col("rank") <= 3)).select("user_id", "item_id")
    unknown = pl.DataFrame({"user_id": ["u002", "who"], "item_id": ["what", "i001"]})
    after = fitted.recommend(users, k=6, exclude=pl.concat([exclude, unknown, exclude]))
    assert after.join(exclude, on=["user_id", "item_id"], how="semi").is_empty()
    assert after.group_by("user_id", maintain_order=True).len()["len"].to_list() == [6, 6, 6]
    untouched = pl.col("user_id") == "u002"
    assert after.filter(untouched).equals(before.filter(untouched))


def test_only_the_candidates_allowed_come(fitted: FittedPipeline) -> None:
    allowed = ["i003", "i001", "i007", "what"]
    found = fitted.recommend(["u001", "stranger"], k=5, candidates=allowed)
    assert set(found["item_id"]) <= set(allowed)
    assert found.filter(pl.col("user_id") == "stranger").height == 3
    assert fitted.recommend(["u001"], candidates=[]).is_empty()
    assert fitted.recommend(["u001"], candidates=["what"]).is_empty()


def test_seen_items_come_or_not_as_asked(fitted: FittedPipeline, split: Split) -> None:
    seen = split.train.pairs()
    kept = fitted.recommend(["u001", "u002"], k=5)
    left_out = fitted.recommend(["u001", "u002"], k=5, filter_seen=True)
    assert kept.join(seen, on=["user_id", "item_id"], how="semi").height > 0
    assert left_out.join(seen, on=["user_id", "item_id"], how="semi").is_empty()
    assert left_out.height > 0


def test_filter_seen_and_exclude_add_up(fitted: FittedPipeline, split: Split) -> None:
    before = fitted.recommend(["u001"], k=5, filter_seen=True)
    exclude = before.head(2).select("user_id", "item_id")
    after = fitted.recommend(["u001"], k=3, filter_seen=True, exclude=exclude)
    assert after["item_id"].to_list()[0] not in exclude["item_id"].to_list()
    assert after.join(split.train.pairs(), on=["user_id", "item_id"], how="semi").is_empty()


@pytest.mark.parametrize(("repeats", "filtered"), [(0.6, False), (0.0, True)])
def test_whether_seen_items_are_left_out_is_seen_from_the_data(repeats: float, filtered: bool) -> None:
    made = samples.shop(users=30, items=80, days=60, seed=2, repeats=repeats)
    data = Dataset.read(made.events)
    fitted = Pipeline(retrievers=(Popular(),)).fit(data)
    assert fitted.recipe.filter_seen is filtered
    found = fitted.recommend(data.user_ids.ids, k=10)
    assert found.join(data.pairs(), on=["user_id", "item_id"], how="semi").is_empty() is filtered


# without a ranker


def test_without_a_ranker_the_fused_order_stands(simple: FittedPipeline, split: Split) -> None:
    users = split.train.user_ids.numbers(["u001", "u002"])
    candidates = simple.candidates(users)
    found = simple.recommend(["u001", "u002"], k=8)
    wanted = candidates.filter(pl.col("rank") <= 8)
    assert found["item_id"].to_list() == split.train.item_ids.originals(wanted["item"]).to_list()
    assert found["score"].to_list() == wanted["fused"].cast(pl.Float64).to_list()
    assert simple.features is None


def test_what_comes_after_the_moment_changes_no_list(split: Split, simple: FittedPipeline) -> None:
    whole: Any = split.train
    moment = whole.as_of - 14 * 86_400_000_000
    late = whole.engine.keep(
        whole.events.filter(whole.events.timestamp >= moment).mutate(weight=whole.events.weight * 9)
    )
    early = whole.events.filter(whole.events.timestamp < moment)
    planted = Dataset(**{**vars(whole), "events": early.union(late, late)})
    users = ["u001", "u002", "stranger"]
    recipe = simple.recipe
    assert recipe.fit(planted.before(moment)).recommend(users).equals(recipe.fit(whole.before(moment)).recommend(users))


# one retriever alone


@pytest.fixture(scope="module")
def alone(split: Split) -> FittedPipeline:
    return Pipeline(retrievers=(Repurchase(),), candidates=3, filter_seen=False).fit(split.train)


def test_one_retriever_without_a_ranker_answers_with_its_own_scores(alone: FittedPipeline, split: Split) -> None:
    users = split.train.user_ids.numbers(["u002", "u001"])
    told = alone.retrievers["repurchase"].retrieve(Request(users, 8)).sort("user", "rank")
    found = alone.recommend(["u001", "u002"], k=8)  # more than there are candidates
    assert found["score"].to_list() == told["score"].to_list()
    assert found["item_id"].to_list() == split.train.item_ids.originals(told["item"]).to_list()
    assert found["source"].unique().to_list() == ["repurchase"]


def test_its_lists_are_as_long_as_there_are_items(split: Split) -> None:
    fitted = Pipeline(retrievers=(Popular(window=None),), candidates=3, filter_seen=False).fit(split.train)
    found = fitted.recommend(["u001", "stranger"], k=10**9)
    assert found.group_by("user_id").len()["len"].to_list() == [split.train.pairs()["item_id"].n_unique()] * 2
    with pytest.raises(ConfigError, match="k=0"):
        fitted.recommend(["u001"], k=0)


# what users did since


@pytest.fixture(scope="module")
def companions(alone: FittedPipeline) -> FittedPipeline:
    """A pipeline whose one retriever folds in; what it saw are the pairs that the pipeline saw."""
    model = Companions(alone.seen.with_columns(weight=pl.lit(1.0, pl.Float32)), len(alone.item_ids))
    return replace(alone, retrievers={"companions": model})


def events_of(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row")


def test_events_stand_in_the_place_of_what_was_seen(companions: FittedPipeline) -> None:
    events = events_of([("u001", "i040"), ("stranger", "i047"), ("not asked for", "i000")])
    found = companions.recommend(["stranger", "u002", "u001"], k=50, events=events)
    by_user = {user: found.filter(pl.col("user_id") == user).drop("user_id") for user in found["user_id"].unique()}
    assert by_user["stranger"]["item_id"].to_list() == ["i048", "i049"]
    assert by_user["u001"]["item_id"].to_list() == [f"i{n:03d}" for n in range(41, 50)]
    assert by_user["u002"].equals(companions.recommend(["u002"], k=50).drop("user_id"))


def test_folding_in_what_was_seen_changes_nothing(companions: FittedPipeline, split: Split) -> None:
    users = ["u001", "u002", "u003"]
    for filter_seen in (True, False):
        before = companions.recommend(users, k=20, filter_seen=filter_seen)
        assert companions.recommend(users, k=20, filter_seen=filter_seen, events=split.train.pairs()).equals(before)
        assert before.height > 0


def test_what_was_seen_is_left_out_by_the_events_given(companions: FittedPipeline) -> None:
    events = events_of([("u001", "i040"), ("u001", "i045"), ("stranger", "i040"), ("stranger", "i041")])
    found = companions.recommend(["u001", "stranger"], k=50, filter_seen=True, events=events)
    left = {user: [n for n in range(41, 50) if n not in had] for user, had in {"u001": {45}, "stranger": {41}}.items()}
    for user, numbers in left.items():
        assert sorted(found.filter(pl.col("user_id") == user)["item_id"]) == [f"i{n:03d}" for n in numbers]


def test_users_whose_events_come_to_nothing_are_answered_as_strangers(companions: FittedPipeline) -> None:
    nothing = pl.DataFrame({"user_id": ["u001"], "item_id": ["unheard of"]})
    assert companions.recommend(["u001"], events=nothing).equals(companions.recommend(["u001"]).clear())


def test_a_mixture_of_models_that_fold_in_folds_in(companions: FittedPipeline, simple: FittedPipeline) -> None:
    both = {"companions": companions.retrievers["companions"], "popular": simple.retrievers["popular"]}
    mixed = replace(simple, retrievers=both)
    found = mixed.recommend(["stranger"], k=4, events=events_of([("stranger", "i048")]))
    assert set(found["source"]) == {"companions", "popular"}


def test_who_cannot_take_events_is_named(fitted: FittedPipeline) -> None:
    with pytest.raises(ConfigError, match=r"has a ranker|repurchase cannot take .*\(.*Popular.*\)"):
        fitted.recommend(["u001"], events=events_of([("u001", "i001")]))


# many users


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_what_is_written_is_what_is_recommended(
    ending: str, fitted: FittedPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "USERS_AT_ONCE", 7)
    read: Any = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}[ending]
    exclude = events_of([("u001", "i001"), ("u002", "i001")])
    wanted = fitted.recommend(fitted.user_ids.ids, k=5, filter_seen=True, exclude=exclude)
    written = fitted.write(tmp_path / f"lists.{ending}", k=5, filter_seen=True, exclude=exclude)
    # A file of text does not say how wide a number is.
    assert_frame_equal(read(tmp_path / f"lists.{ending}"), wanted, check_dtypes=ending == "parquet", check_exact=True)
    assert (written.rows, written.lists) == (wanted.height, wanted["user_id"].n_unique())


def test_lists_for_some_are_written_in_their_order(companions: FittedPipeline, tmp_path: Path) -> None:
    events = events_of([("stranger", "i040")])
    users = ["stranger", "no one", "u001"]
    written = companions.write(tmp_path / "lists.parquet", users, 3, candidates=["i045", "i048", "?"], events=events)
    wanted = companions.recommend(users, 3, candidates=["i045", "i048"], events=events)
    assert pl.read_parquet(tmp_path / "lists.parquet").equals(wanted)
    assert (written.rows, written.lists) == (4, 2)
    assert companions.write(tmp_path / "none.parquet", []).rows == 0
    assert pl.read_parquet(tmp_path / "none.parquet").schema == wanted.schema


def test_how_far_the_writing_has_come_is_told(
    companions: FittedPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "USERS_AT_ONCE", 50)
    told: list[str] = []
    with heard(lambda name, seconds: None, told.append), step("write"):
        companions.write(tmp_path / "lists.parquet")
    assert told == ["write", *(f"write: {n} of 120 users" for n in (50, 100, 120)), ""]


def test_a_refused_question_writes_nothing(companions: FittedPipeline, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="k=0"):
        companions.write(tmp_path / "lists.parquet", k=0)
    assert list(tmp_path.iterdir()) == []


def test_the_longer_the_lists_the_fewer_users_at_once(
    companions: FittedPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ROWS_AT_ONCE", 200)
    companions.write(tmp_path / "lists.parquet", k=20)
    told = pq.ParquetFile(tmp_path / "lists.parquet").metadata
    sizes = [told.row_group(n).num_rows for n in range(told.num_row_groups)]
    assert len(sizes) == 12  # 120 users, 10 at a time
    assert max(sizes) <= 200


# what is like what


def test_similar_items_and_users_come_in_the_callers_ids(companions: FittedPipeline) -> None:
    found = companions.similar_items(["i047", "unheard of", "i003", "i047"], k=3)
    assert found.drop("score").rows() == [
        *[("i047", "i048", 1), ("i047", "i049", 2)],
        *[("i003", "i004", 1), ("i003", "i005", 2), ("i003", "i006", 3)],
    ]
    assert found.schema == {"item_id": pl.String, "similar_id": pl.String, "rank": pl.Int32, "score": pl.Float64}
    users = companions.similar_users(pl.DataFrame({"user_id": ["u001"]}), k=1)
    assert users.rows() == [("u001", "u002", 1, 1.0)]
    assert users.columns == ["user_id", "similar_id", "rank", "score"]
    assert companions.similar_items([], k=3).schema == found.schema


def test_the_first_retriever_that_knows_what_is_alike_answers(
    companions: FittedPipeline, simple: FittedPipeline
) -> None:
    mixed = replace(simple, retrievers=dict(simple.retrievers) | dict(companions.retrievers))
    assert mixed.similar_items("i001").equals(companions.similar_items("i001"))


def test_a_pipeline_that_knows_nothing_alike_says_so(fitted: FittedPipeline) -> None:
    with pytest.raises(ConfigError, match=r"no retriever of this pipeline \(.*\) knows similar items"):
        fitted.similar_items(["i001"])
    with pytest.raises(ConfigError, match="knows similar users"):
        fitted.similar_users(["u001"])


def test_no_likeness_at_all_is_refused(companions: FittedPipeline) -> None:
    with pytest.raises(ConfigError, match="k=0"):
        companions.similar_items(["i001"], k=0)
