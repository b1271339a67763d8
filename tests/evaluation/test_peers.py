"""Other libraries as oracles: where a definition is the same, the values are the same, user by user."""

import importlib
import json
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from shortlist.evaluation.evaluate import evaluate
from shortlist.evaluation.predictions import evaluate_predictions

ROOT = Path(__file__).parents[2]
LISTS = ["some users short of items", "full lists", "deep truth, k beyond the lists", "ml-100k"]
NUMBERS = ["ratings", "counts"]

SAME = {
    "precision@k": ["ranx precision@k", "ir_measures P@k", "RecTools Precision(k)"],
    "recall@k": ["ranx recall@k", "ir_measures R@k", "RecTools Recall(k)"],
    "hit_rate@k": ["ranx hit_rate@k", "ir_measures Success@k", "RecTools HitRate(k)"],
    "mrr@k": ["ranx mrr@k", "RecTools MRR(k)"],
    "mrr@1000": ["ir_measures RR"],
    "ndcg@k": ["ranx ndcg@k", "ir_measures nDCG@k", "RecTools NDCG(k, divide_by_achievable=True)"],
    "precision": ["ir_measures SetP"],
    "recall": ["ir_measures SetR"],
    "f1": ["ir_measures SetF"],
    "f2": ["ir_measures SetF(beta=4)"],
    "novelty@k": ["RecTools MeanInvUserFreq(k)"],
    "diversity@k": ["RecTools IntraListDiversity(k, cosine distance)"],
}
SAME_FOR_FULL_LISTS = {
    "f1@k": ["ranx f1@k", "RecTools F1Beta(k, beta=1)"],
    "f2@k": ["RecTools F1Beta(k, beta=2)"],
    "ndcg@k": ["scikit-learn ndcg_score(k=k)", "scikit-learn ndcg_score(k=k, ignore_ties=True)"],
}
"""A list as long as k: a shorter one is divided by k there, and filled up at random by scikit-learn."""
DIVIDED_BY_THE_TRUTH = ["ranx map@k", "ir_measures AP@k", "RecTools MAP(k)"]
MEANS = {"map@k": "implicit ranking_metrics_at_k map", "ndcg@k": "implicit ranking_metrics_at_k ndcg"}
OF_NUMBERS = {
    "mse": "scikit-learn mean_squared_error",
    "rmse": "scikit-learn root_mean_squared_error",
    "mae": "scikit-learn mean_absolute_error",
    "r2": "scikit-learn r2_score",
}


def made_up(seed, k, longest, most_true):
    """A world in which some users have no list, some no truth, and some items no label and no past."""
    generator = np.random.default_rng(seed)
    catalogue = [f"i{item}" for item in range(40)]
    users = [f"u{user}" for user in range(30)]

    def some(low, high, share=1.0):
        chosen = [user for user in users if generator.random() < share]
        return {u: generator.permutation(catalogue)[: generator.integers(low, high + 1)].tolist() for u in chosen}

    labels = {item: [x for x in "abcde" if generator.random() < 0.4] for item in catalogue[5:]}
    lists = some(*longest, share=1.0 if longest[0] == longest[1] else 0.9)
    return {
        "k": k,
        "catalogue": catalogue,
        "lists": lists,
        "truth": some(1, most_true, share=0.9),
        "history": some(1, 8),
        "labels": labels,
    }


def movielens(folder):
    """The last fifth of the ratings as truth; to each user the ten most rated films that the user had not rated."""
    ratings = pl.read_parquet(folder / "ml-100k/ratings.parquet").sort("timestamp", "user_id", "item_id")
    ratings = ratings.with_columns(pl.col("user_id", "item_id").cast(pl.String))
    past, test = ratings.head(80_000), ratings.tail(20_000)
    popular = past.group_by("item_id").len().sort(["len", "item_id"], descending=[True, False])["item_id"].to_list()
    history = by_user(past)
    genres = pl.read_parquet(folder / "ml-100k/items.parquet").select(pl.col("item_id").cast(pl.String), "genres")
    return {
        "k": 10,
        "catalogue": ratings["item_id"].unique().sort().to_list(),
        "lists": {u: [i for i in popular if i not in set(history.get(u, []))][:10] for u in test["user_id"].unique()},
        "truth": by_user(test),
        "history": history,
        "labels": dict(genres.iter_rows()),
    }


def by_user(pairs):
    return dict(pairs.group_by("user_id", maintain_order=True).agg("item_id").iter_rows())


def numbers(name):
    generator = np.random.default_rng(5)
    if name == "ratings":
        true = generator.integers(1, 6, 200).astype(float)
        return {"true": true.tolist(), "predicted": (true + generator.normal(0, 1, 200)).tolist()}
    true = generator.poisson(30, 200).astype(float)
    return {"true": true.tolist(), "predicted": (true * generator.lognormal(0, 0.5, 200)).round().tolist()}


@pytest.fixture(scope="session")
def page():
    """The script that writes docs/metrics.md."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return importlib.import_module("_metrics_page")


@pytest.fixture(scope="session")
def worlds(data_folder, page):
    return {
        "some users short of items": made_up(0, k=4, longest=(1, 9), most_true=6),
        "full lists": made_up(1, k=5, longest=(8, 8), most_true=5),
        "deep truth, k beyond the lists": made_up(2, k=12, longest=(2, 9), most_true=20),
        "ml-100k": movielens(data_folder),
        **{name: numbers(name) for name in NUMBERS},
        "the page": page.WORLD,
    }


@pytest.fixture(scope="session")
def told(worlds, peers, tmp_path_factory):
    """What the peers say of every world: one run of one script in their own Python."""
    question = tmp_path_factory.mktemp("peers") / "question.json"
    question.write_text(json.dumps(list(worlds.values())))
    done = subprocess.run(
        [peers, ROOT / "benchmarks/_ask_peers.py", question], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(worlds, json.loads(done.stdout), strict=True))


def frame(of_users):
    rows = [(user, item, rank) for user, items in of_users.items() for rank, item in enumerate(items, start=1)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "rank"], orient="row")


def ours(world, *metrics):
    labels = pl.DataFrame({"item_id": list(world["labels"]), "labels": list(world["labels"].values())})
    return evaluate(
        frame(world["lists"]),
        frame(world["truth"]),
        [metric.replace("@k", f"@{world['k']}") for metric in metrics],
        catalogue=len(world["catalogue"]),
        history=frame(world["history"]),
        items=labels,
        draws=1,
    )


def per_user(world, metric):
    found = ours(world, metric).per_user
    return dict(found.iter_rows())


def agree(ours, theirs):
    """Alike for every user whom both judge; a user without a list may be unknown to a peer, and scores 0 here."""
    known = {user: value for user, value in theirs.items() if user in ours}
    assert len(known) > 20
    assert {user: ours[user] for user in known} == pytest.approx(known, abs=1e-9)
    assert not any(value for user, value in ours.items() if user not in known)


@pytest.mark.real
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("metric", "call"), [(metric, call) for metric, calls in SAME.items() for call in calls])
def test_every_user_has_the_value_that_the_peer_finds(metric, call, name, worlds, told):
    agree(per_user(worlds[name], metric), told[name][call])


@pytest.mark.real
@pytest.mark.parametrize("name", ["full lists", "ml-100k"])
@pytest.mark.parametrize(
    ("metric", "call"), [(metric, call) for metric, calls in SAME_FOR_FULL_LISTS.items() for call in calls]
)
def test_every_user_with_a_full_list_has_the_value_that_the_peer_finds(metric, call, name, worlds, told):
    agree(per_user(worlds[name], metric), told[name][call])


@pytest.mark.real
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("call", DIVIDED_BY_THE_TRUTH)
def test_average_precision_differs_by_its_divisor_alone(call, name, worlds, told):
    world = worlds[name]
    values = per_user(world, "map@k")
    sizes = {user: len(items) for user, items in world["truth"].items()}
    divided = {user: value * min(world["k"], sizes[user]) / sizes[user] for user, value in values.items()}
    agree(divided, told[name][call])


@pytest.mark.real
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("metric", MEANS)
def test_the_mean_is_the_one_that_implicit_finds(metric, name, worlds, told):
    assert ours(worlds[name], metric).table["value"].item() == pytest.approx(told[name][MEANS[metric]], abs=1e-9)


@pytest.mark.real
@pytest.mark.parametrize("name", LISTS)
def test_popularity_is_the_number_that_rectools_finds_as_a_share_of_the_users(name, worlds, told):
    values = per_user(worlds[name], "popularity_bias@k")
    users = len(worlds[name]["history"])
    agree({user: value * users for user, value in values.items()}, told[name]["RecTools AvgRecPopularity(k)"])


@pytest.mark.real
@pytest.mark.parametrize("name", LISTS)
def test_coverage_is_the_share_that_rectools_finds(name, worlds, told):
    theirs = told[name]["RecTools CatalogCoverage(k, normalize=True)"]
    assert ours(worlds[name], "coverage@k").table["value"].item() == pytest.approx(theirs, abs=1e-9)


def of_numbers(world, metric):
    rows = pl.DataFrame({"row_id": range(len(world["true"]))})
    found = evaluate_predictions(
        rows.with_columns(prediction=pl.Series(world["predicted"])),
        rows.with_columns(target=pl.Series(world["true"])),
        [metric],
        draws=1,
    )
    return found.table.filter(model="model")["value"].item()


@pytest.mark.real
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("metric", OF_NUMBERS)
def test_a_metric_of_predictions_is_the_one_that_scikit_learn_finds(metric, name, worlds, told):
    assert of_numbers(worlds[name], metric) == pytest.approx(told[name][OF_NUMBERS[metric]], abs=1e-9)


@pytest.mark.real
def test_rmsle_of_counts_is_the_one_that_scikit_learn_finds(worlds, told):
    theirs = told["counts"]["scikit-learn root_mean_squared_log_error"]
    assert of_numbers(worlds["counts"], "rmsle") == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("name", NUMBERS)
def test_spearman_is_the_one_that_scipy_finds(name):
    world = numbers(name)
    theirs = stats.spearmanr(world["true"], world["predicted"]).statistic
    assert of_numbers(world, "spearman") == pytest.approx(theirs, abs=1e-9)


@pytest.mark.real
def test_the_page_of_metrics_tells_what_the_libraries_tell(page, told):
    assert page.PAGE.read_text(encoding="utf-8") == page.render(told["the page"]) + "\n", (
        "docs/metrics.md is not what it would be now: run python benchmarks/_metrics_page.py"
    )
