"""Examples: a few real users with what they had, what they were shown, why, and what they then took.

The users are drawn by the seed and spread over the length of their history. Only their rows leave the engine.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ibis
import numpy as np
import polars as pl

from shortlist.dataset import relations
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.profile import has_clock
from shortlist.dataset.titles import titles
from shortlist.moments import DAY, written
from shortlist.pipeline import FittedPipeline
from shortlist.seeds import Seeds

USERS = 10
"""Users who are shown."""
_DRAWN = 1_000
"""Users among whom they are chosen, so that not everybody's history is counted."""
_RECENT = 8
"""Items of the history that are shown, those met last."""
_FACTS = 4
"""Attributes of the user that are shown."""
_WORDS = {
    "popular": "of what is popular",
    "repurchase": "of what they had before",
    "covisit": "of what is met together with theirs",
    "same_attribute": "of what is popular in the same {column}",
    "user_knn": "of what people with a like history had",
}
"""How a rank from a source is told, by the kind of its recipe; a source of another kind is called by its name."""


def examples(
    pipeline: FittedPipeline, train: Dataset, lists: pl.DataFrame, truth: pl.DataFrame, *, seed: int
) -> list[dict[str, Any]]:
    """Ten of the users with truth, those with the shortest history first; fewer where there are not so many.

    For each: `user_id`, `events` and `items` (how many they had), `about` (what the users table says), `history` (items
    met last: `title`, `times`, `last`), `list` (`rank`, `title`, `score`, `source`, `ranks` by source, `taken`,
    `reasons`) and `taken` (how many different items they took in the test part, shown or not).
    """
    users = _chosen(pipeline, train, truth, seed)
    events = train.events.filter(train.events.user.isin(users.to_list()))
    had = train.engine.frame(relations.activity(events, as_of=train.as_of))
    had = had.sort(["since", "times", "item"], descending=[False, True, False])
    shown = _shown(pipeline, lists, users)
    titled = titles(train, pl.concat([had["item"], shown["item"]]))
    phrases = _phrases(pipeline)
    true = truth.select(
        user=pl.Series(pipeline.user_ids.numbers(truth["user_id"])),
        item=pl.Series(pipeline.item_ids.numbers(truth["item_id"])),
    ).unique()
    about = _about(train, users)
    clock = has_clock(train)
    told = []
    for user in users:
        mine = {row["item"]: row for row in had.filter(user=user).iter_rows(named=True)}
        taken = set(true.filter(user=user)["item"])
        told.append(
            {
                "user_id": pipeline.user_ids.ids[user],
                "events": sum(row["events"] for row in mine.values()),
                "items": len(mine),
                "about": about.get(user, {}),
                "history": [
                    {
                        "item_id": pipeline.item_ids.ids[item],
                        "title": titled[item],
                        "times": row["times"] if clock else row["events"],
                        "last": written(train.as_of - row["since"])[:10] if clock else None,
                    }
                    for item, row in list(mine.items())[:_RECENT]
                ],
                "list": [
                    {
                        "rank": row["rank"],
                        "item_id": pipeline.item_ids.ids[row["item"]],
                        "title": titled[row["item"]],
                        "score": row["score"],
                        "source": row["source"],
                        "ranks": (ranks := {name: row[name] for name in phrases if row[name] is not None}),
                        "taken": row["item"] in taken,
                        "reasons": _reasons(mine.get(row["item"]), ranks, phrases, clock=clock),
                    }
                    for row in shown.filter(user=user).iter_rows(named=True)
                ],
                "taken": len(taken),
            }
        )
    return told


def _chosen(pipeline: FittedPipeline, train: Dataset, truth: pl.DataFrame, seed: int) -> pl.Series:
    """Dense users, evenly spread over the length of their history, the shortest first."""
    users = truth["user_id"].unique().sort()
    drawn = Seeds(seed).generator("examples").permutation(len(users))[:_DRAWN]
    numbers = pipeline.user_ids.numbers(users.gather(pl.Series(drawn)))
    events = train.events.filter(train.events.user.isin(numbers.tolist()))
    counted = train.engine.frame(events.group_by("user").aggregate(events=ibis._.count()))
    lengths = pl.DataFrame({"user": numbers}).join(counted, on="user", how="left").fill_null(0).sort("events", "user")
    places = np.linspace(0, lengths.height - 1, min(USERS, lengths.height)).round().astype(int)
    return lengths["user"].gather(pl.Series(places))


def _shown(pipeline: FittedPipeline, lists: pl.DataFrame, users: pl.Series) -> pl.DataFrame:
    """The lists of dense `users`, with a column for each source: its rank of the item, null where it brought none."""
    asked = pipeline.user_ids.originals(users)
    theirs = lists.filter(pl.col("user_id").is_in(asked.implode()))
    theirs = theirs.with_columns(
        user=pl.Series(pipeline.user_ids.numbers(theirs["user_id"])),
        item=pl.Series(pipeline.item_ids.numbers(theirs["item_id"])),
    )
    retrieving = replace(
        pipeline, features=None, ranker=None, reranker=None, cut=None
    )  # who brought what needs no features
    brought = retrieving.candidates(users.to_numpy())
    ranks = brought.select("user", "item", **{name: pl.col(f"rank_{name}") for name in pipeline.retrievers})
    return theirs.join(ranks, on=["user", "item"], how="left").sort("user", "rank")


def _phrases(pipeline: FittedPipeline) -> dict[str, str]:
    """What follows "rank 3" for each source, in the order of the sources."""
    told = {}
    for name, recipe in zip(pipeline.retrievers, pipeline.recipe.retrievers, strict=True):
        told[name] = _WORDS.get(recipe.kind, f"from {name}").format(
            column=getattr(recipe, "column", "").replace("_", " ")
        )
    return told


def _reasons(
    had: Mapping[str, Any] | None, ranks: Mapping[str, int], phrases: Mapping[str, str], *, clock: bool
) -> list[str]:
    """What the user did with the item before, and the best rank behind each phrase, the best first."""
    best: dict[str, int] = {}
    for name, rank in ranks.items():
        best[phrases[name]] = min(rank, best.get(phrases[name], rank))
    ranked = [f"rank {rank:,} {phrase}" for phrase, rank in sorted(best.items(), key=lambda entry: entry[1])]
    if had is None:
        return ["new to them", *ranked]
    times = had["times"] if clock else had["events"]
    counted = "had it once" if times == 1 else f"had it {times:,} times"
    return [f"{counted}, last {_ago(had['since'])}" if clock else counted, *ranked]


def _ago(microseconds: int) -> str:
    days = microseconds // DAY
    return "the day before" if days <= 1 else f"{days:,} days before"


def _about(train: Dataset, users: pl.Series) -> dict[int, dict[str, str]]:
    """What the users table says of each user, the first columns that have a value."""
    columns = [name for name in train.users.columns if name not in {"user", "user_id"}]
    rows = train.engine.frame(train.users.filter(train.users.user.isin(users.to_list())).select("user", *columns))
    return {
        row["user"]: dict([(name, str(row[name])) for name in columns if row[name] is not None][:_FACTS])
        for row in rows.iter_rows(named=True)
    }
