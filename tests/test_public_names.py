"""What `import shortlist` promises."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import shortlist as sl

NAMES = {
    *("Dataset", "Engine", "Split", "by_time", "last_n", "by_user", "by_item", "at_random", "by_column"),
    *("k_fold", "rolling", "Tree", "check", "Findings"),
    *("Popular", "Repurchase", "CoVisit", "SameAttribute", "UserKNN", "LambdaMART", "Features"),
    *("ItemKNN", "EASE", "GraphFilter", "ALS", "BPR", "MatrixFactorization", "Next"),
    *("TextSearch", "TextMatch", "NGrams", "Pretrained", "Text", "MatchFeatures", "CrossEncoder", "Cut", "Folds"),
    *(
        "Regression",
        "FittedRegression",
        "Bias",
        "BayesianMF",
        "Targets",
        "FittedTargets",
        "BiasedMF",
        "SVDpp",
        "DotProduct",
        "NeuralRatings",
        "Training",
        "memory_report",
    ),
    *("TabularRegression", "FittedTabularRegression", "TabularNetwork", "Columns", "TextRidge", "BoostedTrees"),
    *("Stream", "StreamRidge", "FittedStreamRidge"),
    *("Pipeline", "FittedPipeline", "load", "evaluate", "evaluate_predictions", "anatomy", "baselines", "slices"),
    *("report", "liked_chart", "factor_map_chart", "loss_chart", "rate_chart"),
    *("ShortlistError", "ConfigError", "DataError", "ColumnError", "RejectsError"),
    *("MissingExtraError", "StoreError"),
}


def test_the_public_names_are_these_and_all_are_there() -> None:
    assert set(sl.__all__) == NAMES
    assert set(dir(sl)) >= NAMES
    for name in sl.__all__:
        assert getattr(sl, name).__doc__


def test_a_name_stays_what_it_is_once_its_module_is_there() -> None:
    # A module that is called as what it holds would take its place in the package when it is imported.
    assert not NAMES & {file.stem for file in Path(sl.__file__).parent.iterdir()}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Popularity'"):
        _ = sl.Popularity


def test_importing_brings_in_nothing_heavy() -> None:
    heavy = ("ibis", "duckdb", "lightgbm", "polars", "numpy", "pydantic")
    script = f"import sys, shortlist; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_door_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    days = [day for day in range(60) for _ in range(4)]
    pl.DataFrame(
        {
            "household_id": [n % 10 for n in range(240)],
            "product_id": [f"p{n * n % 13}" for n in range(240)],
            "date": pl.Series([f"2024-{1 + day // 30:02}-{1 + day % 29:02}" for day in days]).str.to_date(),
        }
    ).write_parquet("purchases.parquet")
    pl.DataFrame(
        {"product_id": [f"p{n}" for n in range(13)], "product_type": ["x", "y", "z"] * 4 + ["x"]}
    ).write_parquet("products.parquet")
    pl.DataFrame({"household_id": range(10), "age": ["old", "young"] * 5}).write_parquet("households.parquet")

    data = sl.Dataset.read(events="purchases.parquet", items="products.parquet", users="households.parquet")
    split = sl.by_time(data, test="7d")
    recipe = sl.Pipeline(
        retrievers=[sl.Repurchase(), sl.Popular(), sl.SameAttribute(column="product_type")],
        ranker=sl.LambdaMART(rounds=3, min_rows=5, threads=1),
        slices=2,
    )
    pipeline = recipe.fit(split.train)
    lists = pipeline.recommend(split.test.users, k=12)
    found = sl.evaluate(lists, split.test.pairs(), ["map@12", "recall@12"], against=sl.baselines(split, k=12))
    pipeline.save("runs/today")

    assert found.table["model"].unique(maintain_order=True).to_list() == [
        "model",
        "popular",
        "popular_ever",
        "repurchase",
    ]
    assert sl.load("runs/today").recommend(split.test.users, k=12).equals(lists)
