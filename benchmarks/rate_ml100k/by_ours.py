"""Our side on one split: `by_ours.py FOLDER TABLES OUT [STACK]`, every predictor with defaults, and what is stacked.

TABLES is the folder of the items and users table, which BayesianMF reads; it stands there once more without them, as
the peers know ratings alone. The predictions go to OUT, a column for each model. STACK is 1 or 0.
"""

import sys
import time
from pathlib import Path

import polars as pl

import shortlist as sl
from _ratings import rmse, told

SINGLE = {
    "Bias": sl.Bias(),
    "BiasedMF": sl.BiasedMF(),
    "SVDpp": sl.SVDpp(),
    "DotProduct": sl.DotProduct(),
    "NeuralRatings": sl.NeuralRatings(),
    "BayesianMF without attributes": sl.BayesianMF(attributes=False),
    "BayesianMF": sl.BayesianMF(),
}
STACKED = (sl.BayesianMF(), sl.SVDpp(), sl.BiasedMF(), sl.DotProduct(), sl.NeuralRatings())


def main(folder: str, tables: str, out: str, stack: bool) -> None:
    """Print for each model the RMSE, the share of truths in their intervals, and the seconds of the fit."""
    train, test = (pl.read_parquet(Path(folder) / f"{part}.parquet") for part in ("train", "test"))
    known = [Path(tables) / f"{name}.parquet" for name in ("items", "users")]
    data = sl.Dataset.read(train, *(pl.read_parquet(path) if path.exists() else None for path in known))
    few = sl.Dataset.read(train.head(500))
    recipes = {name: sl.Regression(models=(model,)) for name, model in SINGLE.items()}
    if stack:
        recipes["stack"] = sl.Regression(models=STACKED)
    found, columns = {}, {}
    for name, recipe in recipes.items():
        sl.Regression(models=recipe.models[:1]).fit(few)
        started = time.perf_counter()
        fitted = recipe.fit(data)
        seconds = time.perf_counter() - started
        predicted = fitted.predict(test.select("user_id", "item_id"))
        columns[name] = predicted["prediction"]
        found[name] = {"rmse": rmse(predicted["prediction"].to_numpy(), test["rating"].to_numpy()), "seconds": seconds}
        if "low" in predicted.columns:
            held = (predicted["low"] <= test["rating"]) & (test["rating"] <= predicted["high"])
            found[name]["coverage"] = held.mean()
        if fitted.stack is not None:
            found[name]["weights"] = fitted.stack.weights.round(3).tolist()
        print(name, found[name], file=sys.stderr, flush=True)
    pl.DataFrame(columns).write_parquet(out)
    told(models=found)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "1")
