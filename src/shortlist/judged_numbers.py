"""Judged numbers: what a fitted regression says of the test part, judged, looked into, and written down."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from shortlist.account import spent
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.split import Split
from shortlist.dataset.titles import titles
from shortlist.dataset.views import ratings
from shortlist.evaluation.predictions import PredictionEvaluation, evaluate_predictions, intervals_of, said_of_intervals
from shortlist.inside import factor_map, liked
from shortlist.models.bias import Bias
from shortlist.progress import step
from shortlist.regression import FittedRegression, Regression
from shortlist.run import Run, write_figures
from shortlist.settings import Settings

REGRESSION = "regression"
"""What tables of figures call the fitted regression."""
BIAS = "bias"
"""What they call what users and items add to the mean, which stands beside it."""
SHOWN, MAPPED, NEIGHBOURS = 10, 40, 5
"""Items of either end of the biases, on the map, and alike that a report shows."""


def judged(
    settings: Settings, split: Split, regression: FittedRegression, contents: Path, costs: dict[str, Any]
) -> str:
    """Numbers for the pairs of the test part, judged; writes them and figures under `contents`, gives the summary."""
    truth = rated(split.test)
    with step("predict"), spent(costs, "predict"):
        told = regression.predict(truth.select("user_id", "item_id"))
    train = rated(split.train)
    # A regression of biases alone would stand beside itself.
    alone = [model.kind for model in regression.recipe.models] == ["bias"]
    usual = None if alone else Regression(models=(Bias(),)).fit(split.train).predict(truth)
    said = train.group_by("rating").len("count").sort("rating")
    rows = truth.rename({"rating": "truth"}).with_columns(told.drop("user_id", "item_id"))
    rows = rows if usual is None else rows.with_columns(usual["prediction"].alias(BIAS))
    rows.write_parquet(contents / "predictions.parquet")
    said.write_parquet(contents / "said.parquet")
    found, figures = _judged(settings, rows, said, regression.recipe.level)
    write_figures(contents, "evaluation", figures)
    intervals = figures.get("intervals")
    return f"\n\n{found}" + ("" if intervals is None else f"\n\n{said_of_intervals(intervals)}")


def evaluate(run: Run) -> PredictionEvaluation:
    """What the stored regression says, asked and judged again."""
    rows = run.predictions
    told = run.regression.predict(rows.select("user_id", "item_id"))
    return _judged(
        run.settings, rows.with_columns(told.drop("user_id", "item_id")), run.said, run.regression.recipe.level
    )[0]


def rated(data: Dataset) -> pl.DataFrame:
    """What everybody said of what, of a pair the newest: `user_id`, `item_id`, `rating`."""
    said_UI = ratings(data)
    users = np.repeat(np.arange(said_UI.shape[0]), np.diff(said_UI.indptr))
    return pl.DataFrame(
        [
            data.user_ids.originals(pl.Series(users, dtype=pl.Int32)).alias("user_id"),
            data.item_ids.originals(pl.Series(said_UI.indices, dtype=pl.Int32)).alias("item_id"),
            pl.Series("rating", said_UI.data),
        ]
    )


def looked_into(regression: FittedRegression, data: Dataset) -> dict[str, Any]:
    """What was learnt, for a report: the items at both ends of the biases, a map, what is alike, the path of the loss.

    A part that no model has is missing. Items are called by their titles.
    """
    names = dict(zip(regression.item_ids.ids, titles_of(data).values(), strict=True))
    found: dict[str, Any] = {}
    inside = regression.inside()
    if inside.item_bias is not None:
        found["liked"] = liked(regression, SHOWN, titles=names).to_dicts()
    if inside.item_factors is not None and inside.item_factors.shape[1] > 1:
        mapped = factor_map(regression, MAPPED, titles=names)
        found["map"] = mapped.to_dicts()
        known = mapped["item_id"].head(SHOWN)
        alike = regression.similar_items(known, NEIGHBOURS)
        found["alike"] = [
            {"title": names[item], "alike": [names[other] for other in rows["similar_id"]]}
            for (item,), rows in alike.group_by("item_id", maintain_order=True)
        ]
    if inside.losses is not None:
        found["losses"] = inside.losses.to_dicts()
    return found


def titles_of(data: Dataset) -> dict[int, str]:
    """The title of every item, by its dense number, in their order."""
    return titles(data, pl.Series("item", np.arange(len(data.item_ids), dtype=np.int32)))


def _judged(
    settings: Settings, rows: pl.DataFrame, said: pl.DataFrame, level: float
) -> tuple[PredictionEvaluation, dict[str, Any]]:
    """The evaluation of predictions that stand beside the truth, and all figures of it; `said` was learnt from."""
    keys = ("user_id", "item_id")
    with step("judge"):
        found = evaluate_predictions(
            rows.select(*keys, "prediction"),
            rows.select(*keys, "truth"),
            settings.metrics,
            target="truth",
            keys=keys,
            against={BIAS: rows.select(*keys, prediction=BIAS)} if BIAS in rows.columns else None,
            train=said.select(truth=pl.col("rating").repeat_by("count").explode()),
            seed=settings.seed,
            name=REGRESSION,
        )
    figures = found.to_dict()
    if "low" in rows.columns:
        figures["intervals"] = intervals_of(rows, level)
    return found, figures
