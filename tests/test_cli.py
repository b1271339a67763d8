"""The command line: answers on stdout, all else on stderr, and an exit code for each kind of trouble."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist.cli import app
from shortlist.tables import samples
from worlds import Companions

TOML = """
metrics = ["map@5", "recall@5"]
k = 5
out = "run"

[data]
events = "purchases.csv"

[split]
kind = "by_time"
test = "14d"

[pipeline]
slices = 1
horizon = "14d"

[[pipeline.retrievers]]
kind = "popular"

[[pipeline.retrievers]]
kind = "repurchase"

[pipeline.ranker]
rounds = 4
min_rows = 5
threads = 1
"""


def told(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 500 purchases of 20 people among 20 things, settings, and the run that they describe."""
    folder = tmp_path_factory.mktemp("world")
    chance = np.random.default_rng(2)
    seconds = np.sort(chance.integers(0, 100 * 86_400, 500)) + 1_500_000_000
    pl.DataFrame(
        {
            "customer_id": chance.integers(1, 21, 500),
            "sku": [f"i{n}" for n in chance.zipf(1.4, 500) % 20],
            "date": pl.from_epoch(pl.Series(seconds)),
        }
    ).write_csv(folder / "purchases.csv")
    (folder / "shortlist.toml").write_text(TOML)
    assert told("fit", "--config", folder / "shortlist.toml").exit_code == 0
    return folder


def test_evaluate_gives_the_figures_that_fit_gave(world: Path, tmp_path: Path) -> None:
    fitted = told("fit", "--config", world / "shortlist.toml", "--out", tmp_path / "run", "--json")
    assert fitted.exit_code == 0, fitted.output
    judged = told("evaluate", tmp_path / "run", "--json")
    figures = json.loads(judged.stdout)
    assert figures.pop("same_as_stored") is True
    assert figures == json.loads(fitted.stdout)["evaluation"]
    assert "the same figures" in judged.stderr


def test_the_report_is_on_stdout_and_the_progress_on_stderr(world: Path, tmp_path: Path) -> None:
    fitted = told("fit", "--config", world / "shortlist.toml", "--out", tmp_path / "run")
    assert "user_id from customer_id" in fitted.stdout
    assert "repurchase    map@5" in fitted.stdout
    assert re.search(r"\d+\.\d s  fit the pipeline", fitted.stderr)
    quiet = told("fit", "--config", world / "shortlist.toml", "--out", tmp_path / "run", "--quiet")
    assert quiet.stderr == ""


def test_recommend_answers_with_the_ids_of_the_caller(world: Path) -> None:
    rows = json.loads(told("recommend", world / "run", "--users", "3, 1,77", "--k", "2", "--json").stdout)
    assert [(row["user_id"], row["rank"]) for row in rows] == [(u, r) for u in (3, 1, 77) for r in (1, 2)]
    lists = sl.load(world / "run").recommend([3, 1, 77], k=2)
    assert lists.to_dicts() == rows
    shown = told("recommend", world / "run", "--users", "3")
    assert shown.stdout.splitlines()[0].split() == ["user_id", "item_id", "rank", "score", "source"]
    assert len(shown.stdout.splitlines()) == 1 + 5  # the run's own k


def test_strangers_are_told(world: Path) -> None:
    assert "1 of 2 users are not known" in told("recommend", world / "run", "--users", "3,77").stderr


@pytest.mark.parametrize(
    ("ending", "read"), [("parquet", pl.read_parquet), ("csv", pl.read_csv), ("jsonl", pl.read_ndjson)]
)
def test_lists_for_all_are_written_in_the_format_of_the_ending(
    ending: str, read: Any, world: Path, tmp_path: Path
) -> None:
    file = tmp_path / "there" / f"lists.{ending}"
    answer = told("recommend", world / "run", "--all", "--k", "3", "--out", file, "--json")
    assert json.loads(answer.stdout)["rows"] == 60
    lists = read(file)
    assert lists.columns == ["user_id", "item_id", "rank", "score", "source"]
    assert lists["user_id"].dtype == pl.Int64
    assert sorted(lists["user_id"].unique()) == list(range(1, 21))
    assert list(file.parent.iterdir()) == [file]


def test_users_come_from_a_file_and_pairs_are_left_out(world: Path, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("customer_id\n2\n5\n2\n")
    words = ["recommend", world / "run", "--users-file", tmp_path / "users.csv", "--k", "1", "--json"]
    first = json.loads(told(*words).stdout)
    assert [row["user_id"] for row in first] == [2, 5]
    pl.DataFrame(first).select("user_id", "item_id").write_csv(tmp_path / "out.csv")
    second = json.loads(told(*words, "--exclude-file", tmp_path / "out.csv").stdout)
    assert all(a["item_id"] != b["item_id"] for a, b in zip(first, second, strict=True))


def test_what_users_had_can_be_left_out_or_kept(world: Path) -> None:
    events = pl.read_csv(world / "purchases.csv").filter(pl.col("date") < "2017-10-01")
    had = set(events.filter(customer_id=1)["sku"])
    words = ["recommend", world / "run", "--users", "1", "--k", "20", "--json"]
    assert had & {row["item_id"] for row in json.loads(told(*words, "--keep-seen").stdout)}
    assert not had & {row["item_id"] for row in json.loads(told(*words, "--filter-seen").stdout)}


def test_the_ids_of_a_run_with_text_ids_stay_text(world: Path, tmp_path: Path) -> None:
    people = pl.read_csv(world / "purchases.csv").with_columns(customer_id=pl.format("{}", "customer_id"))
    people.write_parquet(tmp_path / "purchases.parquet")
    changes = [f'data.events="{tmp_path / "purchases.parquet"}"', "pipeline.ranker.rounds=1"]
    sets = [word for change in changes for word in ("--set", change)]
    assert told("fit", "--config", world / "shortlist.toml", *sets, "--out", tmp_path / "run").exit_code == 0
    rows = json.loads(told("recommend", tmp_path / "run", "--users", "3", "--k", "1", "--json").stdout)
    assert rows[0]["user_id"] == "3"


def test_set_changes_a_setting(world: Path, tmp_path: Path) -> None:
    words = ["fit", "--config", world / "shortlist.toml", "--out", tmp_path / "run", "--json"]
    changed = json.loads(told(*words, "--set", "pipeline.ranker.rounds=2", "--set", "seed=9").stdout)
    assert changed["settings"]["pipeline"]["ranker"]["rounds"] == 2
    assert changed["seed"] == 9


def test_anybodys_lists_are_judged_from_files(tmp_path: Path) -> None:
    (tmp_path / "lists.csv").write_text("user_id,item_id,rank\n1,a,1\n1,b,2\n2,a,1\n")
    (tmp_path / "truth.csv").write_text("user_id,item_id\n1,b\n2,a\n")
    words = ["evaluate", tmp_path / "lists.csv", "--truth", tmp_path / "truth.csv", "--metrics", "mrr@2,coverage@1"]
    figures = json.loads(told(*words, "--catalogue", "4", "--json").stdout)
    assert [(row["metric"], row["value"]) for row in figures["table"]] == [("mrr@2", 0.75), ("coverage@1", 0.25)]
    assert "mrr@2" in told(*words, "--catalogue", "4").stdout


def test_the_events_before_bring_the_baselines_into_the_table(tmp_path: Path) -> None:
    (tmp_path / "lists.csv").write_text("user_id,item_id,rank\n1,a,1\n1,b,2\n2,a,1\n")
    (tmp_path / "truth.csv").write_text("user_id,item_id\n1,b\n2,a\n")
    (tmp_path / "before.csv").write_text("user_id,item_id,date\n1,a,2024-01-01\n3,a,2024-01-02\n2,c,2024-01-02\n")
    words = ["evaluate", tmp_path / "lists.csv", "--truth", tmp_path / "truth.csv", "--metrics", "map@2,novelty@2"]
    figures = json.loads(told(*words, "--history", tmp_path / "before.csv", "--json").stdout)
    assert {row["model"] for row in figures["table"]} == {"lists.csv", "popular", "popular_ever", "repurchase"}
    assert "No baseline stands beside it" in told("evaluate", *words[1:4], "--metrics", "map@2").stdout
    (tmp_path / "items.csv").write_text("item_id,kind\na,x\nb,y\n")
    words = ["evaluate", *words[1:4], "--metrics", "diversity@2", "--items", tmp_path / "items.csv", "--json"]
    assert json.loads(told(*words).stdout)["table"][0]["value"] == 0.5  # a and b are unlike; one item is no pair


def test_anybodys_predictions_are_judged_from_files_beside_the_constants(tmp_path: Path) -> None:
    (tmp_path / "told.csv").write_text("user_id,item_id,prediction\n1,a,2\n1,b,4\n2,a,4\n")
    (tmp_path / "truth.csv").write_text("user_id,item_id,stars\n1,a,1\n1,b,5\n2,a,3\n")
    words = ["evaluate", tmp_path / "told.csv", "--truth", tmp_path / "truth.csv", "--target", "stars"]
    figures = json.loads(told(*words, "--json").stdout)
    assert {row["model"] for row in figures["table"]} == {"told.csv", "mean", "median"}
    mae = json.loads(told(*words, "--metrics", "mae", "--json").stdout)["table"]
    assert [(row["model"], row["value"]) for row in mae] == [
        ("told.csv", 1.0),
        ("mean", pytest.approx(4 / 3)),
        ("median", pytest.approx(4 / 3)),
    ]
    (tmp_path / "told.csv").write_text('user_id,item_id,prediction\n1,"a,2\n1,b,4\n')
    answer = told(*words)
    assert answer.exit_code == 4
    assert "Traceback" not in answer.output


def test_a_report_of_predictions_stands_beside_their_file(tmp_path: Path) -> None:
    (tmp_path / "told.csv").write_text("user_id,item_id,prediction\n1,a,2\n1,b,4\n2,a,4\n")
    (tmp_path / "truth.csv").write_text("user_id,item_id,rating\n1,a,1\n1,b,5\n2,a,3\n")
    words = ["report", tmp_path / "told.csv", "--truth", tmp_path / "truth.csv"]
    assert told(*words, "--json").exit_code == 0
    page = (tmp_path / "told-report.html").read_text()
    assert "Calibration" in page
    assert "Residuals" in page
    assert told(*words, "--out", tmp_path / "page.json").exit_code == 0
    assert json.loads((tmp_path / "page.json").read_text())["rows"] == 3


def test_metrics_are_listed_and_one_is_told_whole() -> None:
    rows = json.loads(told("metrics", "--json").stdout)
    assert {"map@k", "recall[@k]", "rmse"} <= {row["metric"] for row in rows}
    assert "|T|" in told("metrics", "map@12").stdout
    assert "did you mean 'ndcg'" in told("metrics", "ncdg").stderr


def test_compare_shows_two_runs_side_by_side(world: Path, tmp_path: Path) -> None:
    words = ["fit", "--config", world / "run", "--set", "pipeline.candidates=5", "--out", tmp_path / "few"]
    assert told(*words).exit_code == 0
    shown = told("compare", world / "run", tmp_path / "few")
    assert f"paired difference to {world / 'run'}" in shown.stdout
    found = json.loads(told("compare", world / "run", tmp_path / "few", "--json").stdout)
    baselines = {"popular", "popular_ever", "repurchase"}
    assert {row["model"] for row in found["differences"]} == {str(tmp_path / "few"), *baselines}


def test_compare_fits_models_on_a_table_in_one_line(world: Path, tmp_path: Path) -> None:
    named = {"customer_id": "who", "sku": "what", "date": "day"}
    pl.read_csv(world / "purchases.csv").rename(named).write_csv(tmp_path / "odd.csv")
    words = ["compare", tmp_path / "odd.csv", "--models", "popular:window=none", "--models", "covisit, repurchase"]
    words += ["--columns", "user_id=who,item_id=what,timestamp=day", "--split", "by_time:test=14d"]
    answer = told(*words, "--metrics", "map@3", "--json")
    found = json.loads(answer.stdout)
    assert [row["model"] for row in found["costs"]] == ["popular:window=none", "covisit", "repurchase"]
    assert {"fit_seconds", "recommend_seconds", "peak_memory_mb"} <= found["costs"][0].keys()
    assert {row["metric"] for row in found["table"]} == {"map@3"}
    assert (found["split"], found["failed"]) == ("by_time:test=14d", {})
    assert re.search(r"\d s  fit and ask covisit", answer.stderr)


def test_similar_shows_what_is_alike_and_says_who_is_unknown(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(path: Path) -> Any:
        pipeline = sl.load(path)
        history = pipeline.seen.with_columns(weight=pl.lit(1.0, pl.Float32))
        return replace(pipeline, retrievers={"companions": Companions(history, len(pipeline.item_ids))})

    run = world / "run"
    assert "knows similar items" in told("similar", run, "--items", "i1").stderr
    monkeypatch.setattr("shortlist.commands.load", loaded)
    answer = told("similar", run, "--items", "i1, nothing", "-k", "2", "--json")
    known = sl.load(run).item_ids.ids.to_list()
    place = known.index("i1")
    assert [row["similar_id"] for row in json.loads(answer.stdout)] == known[place + 1 : place + 3]
    assert "1 of 2 are not known" in answer.stderr
    shown = told("similar", run, "--users", "3")
    assert shown.stdout.splitlines()[0].split() == ["user_id", "similar_id", "rank", "score"]
    assert shown.stdout.splitlines()[1].split()[:3] == ["3", "4", "1"]
    file = world / "alike.csv"
    assert json.loads(told("similar", run, "--users", "3", "--out", file, "--json").stdout)["rows"] == 10
    assert pl.read_csv(file).columns == ["user_id", "similar_id", "rank", "score"]


def test_recommend_takes_what_users_did_since(world: Path, tmp_path: Path) -> None:
    settings = TOML.partition("[[pipeline.retrievers]]")[0] + '[[pipeline.retrievers]]\nkind = "popular"\n'
    (world / "popular.toml").write_text(settings.replace('out = "run"', 'out = "popular"'))
    assert told("fit", "--config", world / "popular.toml").exit_code == 0
    (tmp_path / "events.csv").write_text("customer_id,sku\n77,i1\n3,i2\n77,i1\n")
    words = ["recommend", world / "popular", "--events", tmp_path / "events.csv", "--filter-seen", "--k", "20"]
    answer = told(*words, "--json")
    lists = pl.DataFrame(json.loads(answer.stdout))
    assert lists["user_id"].unique(maintain_order=True).to_list() == [77, 3]
    assert "not known" not in answer.stderr  # what they did is
    assert "i1" not in lists.filter(user_id=77)["item_id"]
    assert "i2" not in lists.filter(user_id=3)["item_id"]
    assert "i2" in lists.filter(user_id=77)["item_id"]
    told(*words, "--users", "78,77", "--out", tmp_path / "lists.parquet")
    assert pl.read_parquet(tmp_path / "lists.parquet")["user_id"].unique(maintain_order=True).to_list() == [78, 77]
    assert "has a ranker" in told("recommend", world / "run", *words[2:]).stderr


def test_recommend_reads_the_order_of_what_users_did_and_knows_new_items_by_their_attributes(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    walks = [
        (user, (start + place) % 12, place)
        for user, start in enumerate(chance.integers(12, size=80))
        for place in range(6)
    ]
    names = ["customer_id", "sku", "date"]
    events = pl.DataFrame(walks, schema=names, orient="row").with_columns(
        pl.format("i{}", "sku").alias("sku"), date=pl.lit("2024-01-01").str.to_datetime() + pl.duration(days="date")
    )
    events.write_csv(tmp_path / "walks.csv")
    pl.DataFrame({"sku": [f"i{n}" for n in range(12)], "colour": ["red", "blue"] * 6}).write_csv(
        tmp_path / "things.csv"
    )
    (tmp_path / "next.toml").write_text(
        """out = "run"
[data]
events = "walks.csv"
items = "things.csv"
[pipeline]
filter_seen = true
[[pipeline.retrievers]]
kind = "next"
factors = 16
hidden = 32
dropout = 0.0
[pipeline.retrievers.training]
epochs = 30
batch_size = 64
epsilon = 1e-8
"""
    )
    answer = told("fit", "--config", tmp_path / "next.toml")
    assert answer.exit_code == 0, answer.output
    (tmp_path / "since.csv").write_text(
        "customer_id,sku,date\n900,i7,2024-02-03\n900,i5,2024-02-01\n900,i6,2024-02-02\n"
    )
    words = ["recommend", tmp_path / "run", "--events", tmp_path / "since.csv", "--json"]
    assert json.loads(told(*words, "--k", "1").stdout)[0]["item_id"] == "i8"
    (tmp_path / "new.csv").write_text("sku,colour\ni99,red\ni3,red\n")
    answer = told(*words, "--k", "20", "--new-items", tmp_path / "new.csv")
    assert "1 of 2 items are new" in answer.stderr
    assert "i99" in [row["item_id"] for row in json.loads(answer.stdout)]


def test_topics_that_came_after_the_fit_are_answered_from_a_file(tmp_path: Path) -> None:
    made = samples.curriculum(topics=100, contents=200, languages=2)
    made.events.write_csv(tmp_path / "links.csv")
    made.items.write_csv(tmp_path / "contents.csv")
    made.users.write_csv(tmp_path / "topics.csv")
    (tmp_path / "match.toml").write_text(
        """out = "run"
metrics = ["f2", "recall@20"]
k = 20
split = { kind = "k_fold", k = 4, by = { depth = 2 }, fold = 2, keep_items = true }
[data]
events = "links.csv"
items = "contents.csv"
users = "topics.csv"
[pipeline]
candidates = 30
negatives = 1.0
filter_seen = false
folds = { k = 3, by = { depth = 2 } }
features = { kind = "match" }
ranker = { objective = "binary", rounds = 20, leaves = 7, min_rows = 20 }
cut = { beta = 2.0 }
[[pipeline.retrievers]]
kind = "text_search"
"""
    )
    fitted = told("fit", "--config", tmp_path / "match.toml")
    assert fitted.exit_code == 0, fitted.output
    assert "F2 on lists that the ranker had not learnt from: expected 0." in fitted.stdout
    title, language = made.items["title"][0], made.items["language"][0]
    new = f"user_id,parent_id,title,language\nnew,t000001,{title},{language}\nt000005,,old,{language}\n"
    (tmp_path / "new.csv").write_text(new)
    answer = told("recommend", tmp_path / "run", "--new-users", tmp_path / "new.csv", "--json")
    assert answer.exit_code == 0, answer.output
    assert "1 of 2 users are new to the run" in answer.stderr
    rows = json.loads(answer.stdout)
    assert {row["user_id"] for row in rows} == {"new", "t000005"}
    assert "c0" in [row["item_id"] for row in rows if row["user_id"] == "new"]
    (tmp_path / "wrong.toml").write_text((tmp_path / "match.toml").read_text().replace("fold = 2", "fold = 5"))
    assert "fold=5 is none of 4" in told("fit", "--config", tmp_path / "wrong.toml").stderr


def test_check_finds_no_leak_in_a_split_by_time_and_names_those_that_are_planted(world: Path, tmp_path: Path) -> None:
    for target in (world / "shortlist.toml", world / "run"):
        answer = told("check", target)
        assert answer.exit_code == 0, answer.output
        assert answer.stdout.startswith("no leak found")
    events = pl.read_csv(world / "purchases.csv", try_parse_dates=True).sort("date")
    events.head(420).write_parquet(tmp_path / "train.parquet")
    events.tail(100).write_csv(tmp_path / "test.csv")  # 20 rows are in both
    words = ["check", "--train", tmp_path / "train.parquet", "--test", tmp_path / "test.csv", "--json"]
    answer = told(*words)
    assert answer.exit_code == 7
    found = json.loads(answer.stdout)
    assert [(finding["check"], finding["count"]) for finding in found["findings"]] == [("pairs", 20)]


def test_the_schema_names_what_a_file_may_say() -> None:
    schema = json.loads(told("schema").stdout)
    fitted = {"pipeline", "regression", "tabular"}
    assert {"data", "split", *fitted, "metrics", "k", "seed", "out"} == set(schema["properties"])


def test_a_slip_in_the_file_is_answered_with_its_path_and_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "shortlist.toml").write_text(TOML.replace("horizon", "horizont"))
    answer = told("fit", "--config", tmp_path / "shortlist.toml")
    assert answer.exit_code == 3
    assert "pipeline.horizont: there is no such key; did you mean 'horizon'?" in answer.stderr
    assert "Traceback" not in answer.output


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["fitt"], 2, "No such command"),
        (["recommend", "{run}", "--k", "0"], 2, "greater than or equal to 1"),
        (["fit", "--config", "{tmp}/none.toml"], 3, "there is no file"),
        (["recommend", "{run}"], 3, "say for whom"),
        (["recommend", "{run}", "--users", "1", "--all"], 3, "say for whom"),
        (["recommend", "{run}", "--users", "1,x"], 3, "'x' is not a whole number"),
        (["recommend", "{run}", "--users", ","], 3, "names nothing"),
        (["recommend", "{run}", "--all", "--out", "{tmp}/lists.xls"], 3, "an ending that is not written"),
        (["evaluate", "{run}", "--metrics", "map@5"], 3, "brings its own truth"),
        (["check", "--train", "{world}/purchases.csv"], 3, "two tables are needed"),
        (["check", "{run}", "--train", "a.csv", "--test", "b.csv"], 3, "not both"),
        (["check", "{run}", "--users", "u.csv"], 3, "go with --train and --test"),
        (["check", "{run}", "--target", "price"], 4, "the events have no such column"),
        (["check", "{run}", "--set", "split=none"], 3, "has no [split]"),
        (["evaluate", "{world}/purchases.csv"], 3, "--truth"),
        (
            ["evaluate", "{world}/purchases.csv", "--truth", "x.csv", "--metrics", "rmse,map@3"],
            3,
            "judge the two apart",
        ),
        (["evaluate", "{world}/purchases.csv", "--truth", "x.csv", "--metrics", "f2", "--target", "y"], 3, "--target"),
        (["compare", "{run}", "{run}"], 3, "named twice"),
        (["compare", "{run}", "--seed", "1"], 3, "go with --models"),
        (["compare", "{world}/purchases.csv", "--models", "popluar"], 3, "did you mean 'popular'"),
        (["compare", "{world}/purchases.csv", "--models", "popular", "--columns", "user_id"], 3, "write ours=theirs"),
        (["compare", "{world}/none.csv", "--models", "popular"], 4, "there is no file"),
        (["similar", "{run}"], 3, "either --items"),
        (["similar", "{run}", "--items", "a", "--users", "1"], 3, "either --items"),
        (["similar", "{run}", "--items", "a", "--out", "{tmp}/a.xls"], 3, "an ending that is not written"),
        (["recommend", "{run}", "--events", "{world}/purchases.csv"], 3, "has a ranker"),
        (["report", "{run}", "--truth", "x.csv"], 3, "brings its own truth"),
        (["report", "{world}/purchases.csv"], 3, "--truth"),
        (["evaluate", "{world}/purchases.csv", "--truth", "{world}/purchases.csv"], 4, "no column 'rank'"),
        (["recommend", "{run}", "--users-file", "{tmp}/none.csv"], 4, "there is no file"),
        (
            ["fit", "--config", "{world}/shortlist.toml", "--set", "data.events=none.csv", "--out", "{tmp}/a"],
            4,
            "no file",
        ),
        (["recommend", "{tmp}", "--all"], 5, "not a stored run"),
        (["evaluate", "{tmp}/nothing"], 5, "no such directory"),
    ],
)
def test_each_kind_of_trouble_has_its_message_and_code(
    words: list[str], code: int, message: str, world: Path, tmp_path: Path
) -> None:
    answer = told(*(word.format(run=world / "run", tmp=tmp_path, world=world) for word in words))
    assert (answer.exit_code, answer.stdout) == (code, "")
    assert message in " ".join(answer.stderr.split())


def test_what_cannot_be_written_is_a_message(world: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = told("recommend", world / "run", "--all", "--out", tmp_path / "file" / "lists.csv")
    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[-1].startswith("shortlist: ")


def test_an_absent_package_and_a_stop_have_codes_of_their_own(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> None:
        raise sl.MissingExtraError("lightgbm", "rank", "ranking")

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shortlist.commands.fit", absent)
    assert told("fit").exit_code == 6
    monkeypatch.setattr("shortlist.commands.fit", stopped)
    assert told("fit").exit_code == 130


@pytest.mark.parametrize("command", ["demo", "fit", "evaluate", "recommend", "similar", "compare", "schema"])
def test_every_command_teaches_with_an_example(command: str) -> None:
    shown = told(command, "--help")
    assert shown.exit_code == 0
    assert re.search(rf"Examples?:\n +shortlist {command}", shown.stdout)


def test_the_exit_codes_are_in_the_help_of_the_whole() -> None:
    shown = told("--help").stdout
    assert all(re.search(rf"^ +{code} ", shown, re.MULTILINE) for code in (0, 1, 2, 3, 4, 5, 6, 130))


def test_help_brings_in_nothing_heavy() -> None:
    script = (
        "import sys; from shortlist import cli; print([n for n in ('ibis', 'duckdb', 'polars') if n in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_module_is_the_command() -> None:
    shown = subprocess.run([sys.executable, "-m", "shortlist", "--help"], capture_output=True, text=True, check=True)
    assert "recommend" in shown.stdout
