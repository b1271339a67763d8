"""Slices: the same lists judged for one group of users, or for one group of true items, at a time.

- user: `warm`, who had something in the history, and `cold`, who had nothing;
- history length: four groups of about equally many warm users, by how many different items they had;
- item popularity: true items that are `head`, `middle` or `tail`, a third of the history's pairs each, the most popular
  first, and `new` ones that nobody had. The lists are the same; only the truth is cut down to the group's items;
- each column of the users that puts them into 2 to 12 groups.

Groups of few users tell little and are left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.errors import ConfigError
from shortlist.evaluation.background import Background, History, read_history
from shortlist.evaluation.bootstrap import estimate
from shortlist.evaluation.judging import judge
from shortlist.evaluation.lists import Truth, common_type, read_truth
from shortlist.evaluation.metrics import Metric, metrics_of
from shortlist.seeds import Seeds
from shortlist.tables.frames import columns_of

FEWEST = 20
"""Users that a group needs to be told."""
MOST_GROUPS = 12
"""Values that a column of the users may have to be told by."""

Groups = dict[str, npt.NDArray[np.bool_]]
"""Which of the judged users are in a group, `(U,)`, by the name of the group."""

_SCHEMA = {
    "slice": pl.String,
    "group": pl.String,
    "users": pl.Int64,
    "model": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}


def slices(
    models: Mapping[str, Any],
    truth: Any,
    metrics: Sequence[str | Metric],
    *,
    history: Any = None,
    users: Any = None,
    draws: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """A row for each slice, group, model and metric.

    Columns: slice, group, users (judged in it), model, metric, value, low, high. `models` are lists by name, as for
    `evaluate`; `history` is a `Dataset` or a frame of `user_id`, `item_id`; `users` a frame of `user_id` and what is
    known of them. No metric gives no row. Slices for which nothing was given are left out, and so are groups of
    fewer than `FEWEST` users. Metrics that are not of accuracy raise `ConfigError`.
    """
    chosen = metrics_of(metrics) if metrics else []
    for metric in chosen:
        if metric.family.kind != "accuracy":
            raise ConfigError(f"{metric} is not told by slices: name metrics of accuracy, such as 'map@12'")
    true = read_truth(truth)
    past = None if history is None else read_history(history)
    rows: list[tuple[Any, ...]] = []
    if not chosen:
        return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    values_UM = _values(models, true, chosen)
    for name, groups in _of_users(true, past, users):
        for group, chosen_U in groups.items():
            rows += _rows(name, group, models, chosen, values_UM[chosen_U], draws, seed)
    for group, part in _of_items(true, past):
        rows += _rows("item popularity", group, models, chosen, _values(models, part, chosen), draws, seed)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _values(models: Mapping[str, Any], truth: Truth, metrics: list[Metric]) -> npt.NDArray[np.float64]:
    """The value of each model's metrics for each user, `(U, models · metrics)`."""
    judged = [judge(lists, truth, metrics, Background(), name).values for name, lists in models.items()]
    return np.column_stack([values[metric] for values in judged for metric in metrics])


def _rows(
    name: str,
    group: str,
    models: Mapping[str, Any],
    metrics: list[Metric],
    values_UM: npt.NDArray[np.float64],
    draws: int,
    seed: int,
) -> list[tuple[Any, ...]]:
    if len(values_UM) < FEWEST:
        return []
    found = estimate(values_UM, draws, Seeds(seed).generator(f"slice {name} {group}"))
    named = [(name, group, len(values_UM), model, str(metric)) for model in models for metric in metrics]
    return [(*row, *figures) for row, *figures in zip(named, found.value, found.low, found.high, strict=True)]


def _of_users(true: Truth, past: History | None, users: Any) -> Iterator[tuple[str, Groups]]:
    if past is not None:
        kind = common_type(true.users.dtype, past.users["user_id"].dtype, "user_id", "the truth", "the history")
        lengths = past.users.with_columns(pl.col("user_id").cast(kind))
        asked = pl.DataFrame({"user_id": true.users.cast(kind)})
        items_U = asked.join(lengths, on="user_id", how="left", maintain_order="left")["items"].fill_null(0).to_numpy()
        yield "user", {"warm": items_U > 0, "cold": items_U == 0}
        yield "history length", _by_length(items_U)
    if users is None:
        return
    known = columns_of(users, ("user_id",), "the users", rest=True)
    kind = common_type(true.users.dtype, known["user_id"].dtype, "user_id", "the truth", "the users")
    asked = pl.DataFrame({"user_id": true.users.cast(kind)})
    known = asked.join(
        known.with_columns(pl.col("user_id").cast(kind)).unique("user_id", keep="first", maintain_order=True),
        on="user_id",
        how="left",
        maintain_order="left",
    )
    for column in known.columns[1:]:
        if known[column].dtype.is_nested() or known[column].dtype.is_float():
            continue
        values = known[column].cast(pl.String)
        groups = values.drop_nulls().unique().sort().to_list()
        if 2 <= len(groups) <= MOST_GROUPS:
            of_column = {group: (values == group).fill_null(value=False).to_numpy() for group in groups}
            yield column, of_column | {"unknown": values.is_null().to_numpy()}


def _by_length(items_U: npt.NDArray[np.int64]) -> Groups:
    """Four groups of about equally many warm users; fewer where many users have one length."""
    warm = items_U[items_U > 0]
    if not warm.size:
        return {}
    edges = np.unique(np.quantile(warm, [0.25, 0.5, 0.75], method="lower"))
    place_U = np.searchsorted(edges, items_U, side="left")
    groups: Groups = {}
    for place in range(len(edges) + 1):
        chosen_U = (place_U == place) & (items_U > 0)
        if chosen_U.any():
            low, high = items_U[chosen_U].min(), items_U[chosen_U].max()
            groups[f"{low} items" if low == high else f"{low} to {high} items"] = chosen_U
    return groups


def _of_items(true: Truth, past: History | None) -> Iterator[tuple[str, Truth]]:
    """The truth cut down to items of like popularity; users without any are gone."""
    if past is None:
        return
    kind = common_type(true.items.dtype, past.items["item_id"].dtype, "item_id", "the truth", "the history")
    before = (pl.col("users").cum_sum() - pl.col("users")) / pl.col("users").sum()
    named = past.items.select(
        pl.col("item_id").cast(kind),
        group=pl.when(before < 1 / 3)
        .then(pl.lit("head"))
        .when(before < 2 / 3)
        .then(pl.lit("middle"))
        .otherwise(pl.lit("tail")),
    )
    pairs = pl.DataFrame(
        {"user_id": true.users.gather(np.repeat(np.arange(len(true.users)), true.sizes)), "item_id": true.items}
    )
    group = pairs.select(pl.col("item_id").cast(kind)).join(named, on="item_id", how="left", maintain_order="left")[
        "group"
    ]
    group = group.fill_null("new")
    for name in ("head", "middle", "tail", "new"):
        part = pairs.filter(group == name)
        if part.height:
            yield name, read_truth(part)
