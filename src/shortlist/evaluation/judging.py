"""Judging: one model's lists by every metric, user by user where a metric has a value for a user."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.errors import ConfigError, DataError
from shortlist.evaluation import exposure
from shortlist.evaluation.accuracy import Values
from shortlist.evaluation.background import Background, labelled
from shortlist.evaluation.hits import Hits, hits_of
from shortlist.evaluation.lists import (
    Truth,
    common_type,
    longest,
    places,
    read_lists,
    times_shown,
)
from shortlist.evaluation.metrics import Metric, depth
from shortlist.progress import step


@dataclass(frozen=True, eq=False)
class Judged:
    """What one model's lists came to: the value of each metric for each user, `(U,)`, or for all lists together."""

    values: dict[Metric, Values]
    whole: dict[Metric, float]
    users_without_list: int
    users_without_truth: int


def judge(frame: Any, truth: Truth, metrics: list[Metric], background: Background, name: str) -> Judged:
    """The lists called `name` by every metric."""
    with step(f"judge {name}"):
        looked_at = depth(metrics)
        ordered = any(metric.k is not None or metric.family.k == "needed" for metric in metrics)
        lists = read_lists(frame, name, ordered=ordered)
        hits, users_without_truth = hits_of(lists, truth, looked_at or longest(lists), name)
        values, whole = {}, {}
        for metric in metrics:
            match metric.family.kind:
                case "accuracy":
                    values[metric] = metric.of_hits(hits)
                case "exposure":
                    values[metric] = _of_what_is_shown(metric, lists, hits, truth, background)
                case _:
                    whole[metric] = _of_all_lists(metric, lists, background.catalogue or 0, name)
        return Judged(values, whole, hits.users_without_list, users_without_truth)


def _of_what_is_shown(metric: Metric, lists: pl.DataFrame, hits: Hits, truth: Truth, background: Background) -> Values:
    """The value of a metric of exposure for each user, `(U,)`."""
    k = metric.k or 0
    shown = places(lists, truth, k)
    if metric.name == "diversity":
        items = shown["item_id"].unique().sort()
        at = shown.join(items.to_frame().with_row_index("code"), on="item_id", maintain_order="left")
        ones = (np.ones(at.height), (at["row"].to_numpy(), at["code"].to_numpy()))
        lists_UI = sparse.csr_array(ones, shape=(len(truth.users), len(items)))
        return exposure.diversity(lists_UI, labelled(background.items, items))
    history = background.history
    if history is None:
        raise ConfigError(f"{metric} needs the history: who had what before the test")
    kind = common_type(lists["item_id"].dtype, history.items["item_id"].dtype, "item_id", "the lists", "the history")
    known = history.items.with_columns(pl.col("item_id").cast(kind))
    shown = shown.with_columns(pl.col("item_id").cast(kind)).join(known, on="item_id", how="left", suffix="_known")
    rows, columns = shown["row"].to_numpy(), shown["place"].to_numpy()
    if metric.name == "serendipity":
        usual_UK = np.zeros(hits.hits[:, :k].shape, dtype=np.bool_)
        usual_UK[rows, columns] = (shown["place_known"] <= k).fill_null(value=False).to_numpy()
        return exposure.serendipity(hits.hits[:, :k], usual_UK, k)
    shares_UK = np.full((len(truth.users), k), np.nan)
    shares_UK[rows, columns] = shown["users"].fill_null(0).to_numpy() / history.users.height
    if metric.name == "novelty":
        return exposure.novelty(shares_UK, history.users.height)
    return exposure.popularity_bias(shares_UK)


def _of_all_lists(metric: Metric, lists: pl.DataFrame, catalogue: int, name: str) -> float:
    shown_I = times_shown(lists, metric.k or 0)
    if len(shown_I) > catalogue:
        raise DataError(
            f"the lists of {name!r} show {len(shown_I):,} different items, but catalogue={catalogue:,}: "
            "give the number of all items that could have been shown"
        )
    return float(metric.family.function(shown_I, catalogue))
