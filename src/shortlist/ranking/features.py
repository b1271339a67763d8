"""Features: what the ranker sees of a candidate, as of a moment.

Six groups, each a table of its own that `Features.fit` computes from events before `data.as_of` alone:

- user: how often and how regularly the user comes, and how much of it is repetition;
- item: how wanted the item is, lately and on the whole, and how often those who had it have it again;
- pair: how often, how recently and how regularly this user had this item;
- habit: the same for the user and all items that share the candidate's value of an attribute;
- source: who brought the candidate, at which rank and with which score;
- list: how the candidate stands beside the best of its list.

What never happened is missing, not zero: trees tell the two apart. Times are in days.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl
from pydantic import Field

from shortlist.config import Config
from shortlist.dataset import relations
from shortlist.dataset.attributes import grouping_columns
from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, nearest
from shortlist.models.retrieval import Retriever
from shortlist.moments import DAY, Duration, microseconds

KEYS = {"user": ("user",), "item": ("item",), "pair": ("user", "item")}


class Features(Config):
    """Recipe for what the ranker sees."""

    kind: Literal["events"] = "events"
    attributes: tuple[str, ...] | None = None
    """Columns of the items table by which users' habits are told; none named, all that group items."""
    half_lives: tuple[Duration, ...] = Field(("7d", "30d", "60d", "365d"), min_length=1)
    """Ages at which an event counts half, one feature each."""
    windows: tuple[Duration, ...] = Field(("7d", "28d", "91d"), min_length=1)
    """Spans before the moment in which events are counted, one feature each, the shortest first."""
    habit_half_life: Duration = "60d"
    """Age at which an event counts half in how much a user wants an attribute's value."""
    habit_window: Duration = "28d"
    """Span before the moment in which events with an attribute's value are counted."""

    def fit(self, data: Dataset, _: Mapping[str, Retriever] | None = None) -> "FeatureTables":
        """The tables as of `data.as_of`. Attributes that the items do not have raise `ColumnError`."""
        attributes = grouping_columns(data, "item") if self.attributes is None else self.attributes
        for name in attributes:
            if name not in data.items.columns:
                raise ColumnError(f"features: the items have no column {name!r}{nearest(name, data.items.columns)}")
        events = data.engine.keep(data.events.select("user", "item", "timestamp", "weight"))
        spans = {"half_lives": _named([*self.half_lives, self.habit_half_life]), "windows": _named(self.windows)}
        habit = {"half_lives": _named([self.habit_half_life]), "windows": _named([self.habit_window])}
        tables = {}
        for group, keys in KEYS.items():
            tables[group] = data.engine.frame(relations.activity(events, as_of=data.as_of, keys=keys, **spans))
        repetition = {group: _repetition(tables["pair"], group) for group in ("user", "item")}
        tables = {group: _days(table) for group, table in tables.items()}
        visits = relations.visits_since(events, as_of=data.as_of)
        tables["pair"] = tables["pair"].join(data.engine.frame(visits), on=["user", "item"])
        for group, repeated in repetition.items():
            tables[group] = tables[group].join(repeated, on=group)
        for name in attributes:
            valued = relations.with_attribute(events, data.items, on="item", column=name)
            activity = relations.activity(valued, as_of=data.as_of, keys=("user", "value"), **habit)
            tables[_habit(name)] = _days(data.engine.frame(activity))
        values = data.engine.frame(data.items.select("item", **{_value(name): data.items[name] for name in attributes}))
        return FeatureTables(self, tuple(attributes), values, tables)


@dataclass(frozen=True)
class FeatureTables:
    """The groups' tables as of one moment, and each item's `values` of the attributes."""

    recipe: Features
    attributes: tuple[str, ...]
    values: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]

    def with_items(self, told: pl.DataFrame, first: int) -> "FeatureTables":
        """The same where further items, numbered from `first` on, have a row of attributes each; what lacks is null."""
        known = [pl.col(name).alias(_value(name)) for name in self.attributes if name in told.columns]
        later = told.select(pl.int_range(first, first + pl.len(), dtype=pl.Int32).alias("item"), *known)
        columns = [pl.lit(None).alias(name) for name in self.values.columns if name not in later.columns]
        later = later.with_columns(columns).select(self.values.columns).cast(self.values.schema)
        return replace(self, values=pl.concat([self.values, later]))

    def with_users(self, _: pl.DataFrame) -> "FeatureTables":
        """The same: nothing is known of users but what they did."""
        return self

    def of(self, candidates: pl.DataFrame, _: Mapping[str, Retriever] | None = None) -> pl.DataFrame:
        """The candidates with every feature, in their order; lists (candidates of one user) must be whole.

        Columns: those of `candidates`, then the features, named for their group.
        """
        rows = candidates
        for group, keys in KEYS.items():
            rows = rows.join(_prefixed(self.tables[group], keys, group), on=keys, how="left", maintain_order="left")
        rows = rows.join(self.values, on="item", how="left", maintain_order="left")
        for name in self.attributes:
            habits = self.tables[_habit(name)].rename({"value": _value(name)})
            table = _prefixed(habits, ("user", _value(name)), _habit(name))
            rows = rows.join(table, on=["user", _value(name)], how="left", maintain_order="left")
        rows = rows.drop(map(_value, self.attributes))
        rows = rows.with_columns(_combined(self.recipe, self.attributes))
        return rows.with_columns(_beside_the_best(rows.columns))


def _named(durations: Iterable[str]) -> dict[str, int]:
    return {duration: microseconds(duration) for duration in durations}


def _days(table: pl.DataFrame) -> pl.DataFrame:
    """Microseconds as days, micro-units as units, all but the keys in float32."""
    days = [pl.col(n).cast(pl.Float32) / DAY for n in table.columns if n in {"since", "age", "interval"}]
    units = [pl.col(n).cast(pl.Float32) / relations.MICRO for n in table.columns if n.startswith("fading_")]
    counts = [pl.col(n).cast(pl.Float32) for n in table.columns if n in {"events", "times"} or n.startswith("events_")]
    return table.with_columns(*days, *units, *counts)


def _repetition(pairs: pl.DataFrame, key: str) -> pl.DataFrame:
    """For each user or item, from all its pairs: how many there are, the share that came again, and after how long."""
    again = pl.col("times") > 1
    # A sum of whole microseconds, so that no order of addition changes a bit.
    span = (pl.col("age") - pl.col("since")).sum() / DAY
    return pairs.group_by(key).agg(
        pairs=pl.len().cast(pl.Float32),
        # Shrunk towards a twentieth by ten pairs, so that one makes no certainty.
        again=((again.sum() + 0.5) / (pl.len() + 10)).cast(pl.Float32),
        cycle=(span / (pl.col("times") - 1).sum()).fill_nan(None).cast(pl.Float32),
    )


def _value(attribute: str) -> str:
    """The column that holds an attribute's value while features are joined: no feature is called so."""
    return f"value of {attribute}"


def _habit(attribute: str) -> str:
    """The group of what a user does with the items of one value of an attribute."""
    return f"habit_{attribute}"


def _prefixed(table: pl.DataFrame, keys: tuple[str, ...], group: str) -> pl.DataFrame:
    return table.rename({name: f"{group}_{name}" for name in table.columns if name not in keys})


def _combined(recipe: Features, attributes: tuple[str, ...]) -> list[pl.Expr]:
    """Ratios that a tree would need many splits for."""
    col = pl.col
    shortest, longest, life = recipe.windows[0], recipe.windows[-1], recipe.habit_half_life
    made = {
        "pair_due": col("pair_since") / col("pair_interval"),
        "pair_due_by_item": col("pair_since") / col("item_cycle"),
        "pair_rate": col("pair_times") / (col("pair_visits_since_first") + 1),
        "pair_visits_due": col("pair_visits_since") * col("pair_times") / (col("pair_visits_since_first") + 1),
        "item_trend": (col(f"item_events_{shortest}") + 1) / (col(f"item_events_{longest}") + 1),
    }
    for half_life in recipe.half_lives:
        made[f"pair_share_{half_life}"] = col(f"pair_fading_{half_life}") / col(f"user_fading_{half_life}")
    for name in attributes:
        habit = _habit(name)
        wanted = col(f"{habit}_fading_{life}")
        made[f"{habit}_due"] = col(f"{habit}_since") / col(f"{habit}_interval")
        made[f"{habit}_share"] = wanted / col(f"user_fading_{life}")
        made[f"{habit}_share_of_item"] = col(f"pair_fading_{life}") / wanted
    return [value.cast(pl.Float32).alias(name) for name, value in made.items()]


def _beside_the_best(columns: list[str]) -> list[pl.Expr]:
    """The source's scores beside the best of the list: as a share of it."""
    scores = [name for name in columns if name.startswith("score_")]
    return [(pl.col(n) / pl.col(n).max().over("user")).alias(f"{n}_to_best") for n in (*scores, "fused")]
