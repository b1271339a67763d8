"""MatchFeatures: what the ranker sees of a candidate where users and items are texts, and users may form a tree.

A topic that nobody has answered yet has no history. What tells its contents apart is how they stand beside each other:

- source: each score beside the others of its list (share of the best, place between worst and best, gap to the next,
  jump from the one before), and the best and the fifth of the list themselves;
- rivals: the same score beside the best that any other user has for this item, and how many have a better one;
- kin: users of the same parent, and near: the users whose texts are most alike. Of what these have: how many, how alike
  the candidate's text is to the most alike of them and on average, the share that has the candidate's value of each
  attribute;
- crowd: how alike the candidate's text is to those of the first of its list, and to its five nearest in it;
- held: how many users have the item;
- both: which columns of one name agree; and the user's and the item's own numbers, attributes and lengths of text.

What is not known is missing. Texts are alike by the vectors of the first retriever that has them (`TextSearch`).
Sources: features relative to the query and rivals, as the teams of Kaggle's Learning Equality contest (2023) told of
them; differs: the likeness of texts to what relatives have, in place of matches of titles.
Cost: D · (K + relatives' items) multiplications a candidate, D the numbers of a vector, K the candidates of a list.

Shapes: U users, I items, D numbers of a vector, R rivals, K candidates of one list, A attributes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import PositiveInt

from shortlist.config import Config
from shortlist.dataset.attributes import grouping_columns, own_columns, table_of
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.texts import PARENT, is_worded, parents_of
from shortlist.models.retrieval import Request, Retriever
from shortlist.ranking.alikeness import Lists, crowd, to_relatives

RIVALS = 10
"""Users whose score for an item is remembered, the best."""
_AT_ONCE = 4_096
"""Users whose lists are asked for at one time."""


class MatchFeatures(Config):
    """Recipe for what the ranker sees of pairs of texts."""

    kind: Literal["match"] = "match"
    parent: str = PARENT
    """The users' column that holds the id of the parent, where they form a tree."""
    near: PositiveInt = 5
    """Users of the most alike texts whose items count."""
    depth: PositiveInt = 100
    """Items of each user that count where rivals are told."""

    def fit(self, data: Dataset, retrievers: Mapping[str, Retriever]) -> "FittedMatchFeatures":
        """What is known as of the end of the data; `retrievers` must have been fitted to it."""
        users, items = table_of(data, "user"), table_of(data, "item")
        grouping = [name for name in grouping_columns(data, "item") if items[name].dtype == pl.String]
        levels = [items.select(value=name).drop_nulls().unique().sort("value") for name in grouping]
        values = [
            level.select(pl.lit(name).alias("column"), "value", code=pl.int_range(pl.len()).cast(pl.Float32))
            for name, level in zip(grouping, levels, strict=True)
        ]
        both = [
            name
            for name in own_columns(data.users, "user")
            if name in items.columns and users[name].dtype == items[name].dtype and not is_worded(users[name])
        ]
        fitted = FittedMatchFeatures(
            recipe=self,
            values=pl.concat([_NO_VALUES, *values]),
            both=tuple(both),
            users=pl.DataFrame(),
            items=pl.DataFrame(),
            had=data.engine.frame(data.events.select("user", "item").distinct().order_by("user", "item")),
            rivals={name: _rivals(model, len(data.user_ids), self.depth) for name, model in retrievers.items()},
        )
        users = users.with_columns(data.user_ids.ids)
        return replace(fitted, users=fitted.of_users(users), items=fitted.of_items(items))


@dataclass(frozen=True)
class FittedMatchFeatures:
    """`users` and `items` by their numbers, the `values` of attributes as numbers, what each user `had`, and the
    `rivals`: for each source the best users of each item (`item`, `user`, `score`, at most RIVALS of one).

    `both` are the columns that users and items share.
    """

    recipe: MatchFeatures
    values: pl.DataFrame
    both: tuple[str, ...]
    users: pl.DataFrame
    items: pl.DataFrame
    had: pl.DataFrame
    rivals: Mapping[str, pl.DataFrame]

    def with_users(self, told: pl.DataFrame) -> "FittedMatchFeatures":
        """The same where further users follow the known ones, a row of `user_id` and columns each."""
        return replace(self, users=_longer(self.users, self.of_users(told)))

    def with_items(self, told: pl.DataFrame, _: int) -> "FittedMatchFeatures":
        """The same where further items follow the known ones, a row of columns each."""
        return replace(self, items=_longer(self.items, self.of_items(told)))

    def of_users(self, table: pl.DataFrame) -> pl.DataFrame:
        """What counts of users, a row each: `user_id`, `parent`, the columns that items have too, the features."""
        parents = parents_of(table, self.recipe.parent, table["user_id"])
        features = _numbers(table.drop("user_id", self.recipe.parent, strict=False), "user")
        return table.select("user_id", parents, *_shared(table, self.both)).hstack(features)

    def of_items(self, table: pl.DataFrame) -> pl.DataFrame:
        """What counts of items, a row each: the columns that users have too, the features."""
        codes = []
        for name in self.values["column"].unique(maintain_order=True):
            known = self.values.filter(column=name).select(pl.col("value").alias(name), "code")
            told = table.select(name if name in table.columns else pl.lit(None, pl.String).alias(name))
            codes.append(told.join(known, on=name, how="left", maintain_order="left")["code"].alias(f"item_{name}"))
        return table.select(_shared(table, self.both)).hstack([*_numbers(table, "item"), *codes])

    def of(self, candidates: pl.DataFrame, retrievers: Mapping[str, Retriever]) -> pl.DataFrame:
        """The candidates with every feature, in their order; lists (candidates of one user) must be whole.

        `retrievers` are those that brought them.
        """
        rows = candidates
        for name in retrievers:
            rows = rows.with_columns(_beside_the_list(f"score_{name}")).with_columns(*self._beside_rivals(rows, name))
        held = self.had.group_by("item").agg(held=pl.len().cast(pl.Float32))
        rows = rows.join(held, on="item", how="left", maintain_order="left")
        told = rows.select("user", "item")
        for kind, table in (("user", self.users), ("item", self.items)):
            numbered = table.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).alias(kind))
            told = told.join(numbered, on=kind, how="left", maintain_order="left", suffix=" of the item")
        agree = [
            (pl.col(n) == pl.col(f"{n} of the item")).cast(pl.Float32).alias(f"both_{n[5:]}") for n in _names(self.both)
        ]
        own = [name for name in told.columns if name.startswith(("user_", "item_")) and name != "user_id"]
        children = self.users.drop_nulls("parent").group_by("parent").agg(user_children=pl.len().cast(pl.Float32))
        children = told.select("user_id").join(
            children, left_on="user_id", right_on="parent", how="left", maintain_order="left"
        )
        rows = rows.hstack(told.select(own)).hstack(told.select(agree)).hstack(children.drop("user_id"))
        return rows.hstack(self._by_texts(rows, retrievers))

    def _beside_rivals(self, rows: pl.DataFrame, name: str) -> list[pl.Series]:
        """The score of a source beside those of others for the item: a share of the best, and how many are better.

        Of the rivals that are remembered, that is.
        """
        asked = rows.select("user", "item", mine=pl.col(f"score_{name}")).with_row_index("row")
        met = asked.join(self.rivals[name], on="item", suffix=" of another").filter(
            pl.col("user") != pl.col("user of another")
        )
        found = met.group_by("row").agg(
            best=pl.col("score").max(), better=(pl.col("score") > pl.col("mine")).sum().cast(pl.Float32)
        )
        found = asked.join(found, on="row", how="left", maintain_order="left")
        return [
            (found["mine"] / found["best"]).cast(pl.Float32).alias(f"score_{name}_to_rivals"),
            found["better"].alias(f"rivals_{name}"),
        ]

    def _by_texts(self, rows: pl.DataFrame, retrievers: Mapping[str, Retriever]) -> list[pl.Series]:
        """What texts and relatives say; nothing where no retriever has vectors of texts."""
        known: Any = next((model for model in retrievers.values() if hasattr(model, "item_vectors")), None)
        if known is None:
            return []
        lists = Lists.of(rows)
        codes = [name for name in self.items.columns if name in {f"item_{c}" for c in self.values["column"]}]
        code_IA = self.items.select(codes).fill_null(-1).to_numpy()
        found = crowd(lists, known.item_vectors)
        for kind, relatives in (("kin", self._kin(lists.users)), ("near", self._near(known, lists.users))):
            theirs = relatives.join(self.had, left_on="relative", right_on="user").sort("user", "relative", "item")
            found += to_relatives(lists, theirs, known.item_vectors, code_IA, [name[5:] for name in codes], kind)
        return found

    def _kin(self, users: np.ndarray) -> pl.DataFrame:
        """Users of the same parent that had something: `user`, `relative`."""
        numbered = self.users.select(pl.int_range(pl.len(), dtype=pl.Int32).alias("user"), "parent").drop_nulls()
        some = numbered.filter(pl.col("user").is_in(self.had["user"].unique().implode()))
        asked = numbered.filter(pl.col("user").is_in(pl.Series(users, dtype=pl.Int32).implode()))
        pairs = asked.join(some.rename({"user": "relative"}), on="parent")
        return pairs.filter(pl.col("user") != pl.col("relative")).select("user", "relative")

    def _near(self, known: Any, users: np.ndarray) -> pl.DataFrame:
        """The users of the most alike texts that had something: `user`, `relative`."""
        alike: pl.DataFrame = known.similar_users(users, 10 * self.recipe.near)
        some = alike.filter(pl.col("similar").is_in(self.had["user"].unique().implode()))
        near = some.group_by("user", maintain_order=True).head(self.recipe.near)
        return near.select("user", relative="similar")


def _rivals(model: Retriever, users: int, depth: int) -> pl.DataFrame:
    """The users that score best for each item: `item`, `user`, `score`."""
    best = _NO_RIVALS
    for start in range(0, users, _AT_ONCE):
        asked = np.arange(start, min(start + _AT_ONCE, users), dtype=np.int32)
        found = model.retrieve(Request(asked, depth)).select("item", "user", pl.col("score").cast(pl.Float32))
        both = pl.concat([best, found]).sort(["item", "score", "user"], descending=[False, True, False])
        best = both.group_by("item", maintain_order=True).head(RIVALS)
    return best


def _beside_the_list(score: str) -> list[pl.Expr]:
    """How a source's scores stand beside the others of their list."""
    value = pl.col(score)
    best, worst = value.max().over("user"), value.min().over("user")
    place = value.rank("ordinal", descending=True).over("user")
    # What stands next: the scores of a list in falling order, shifted, and given back to their places.
    ordered = value.sort(descending=True, nulls_last=True)
    gap = (ordered - ordered.shift(-1)).gather(value.rank("ordinal", descending=True) - 1).over("user")
    jump = (ordered.shift(1) - ordered).gather(value.rank("ordinal", descending=True) - 1).over("user")
    fifth = value.top_k(5).min().over("user")
    made = {
        "to_best": value / best,
        "between": (value - worst) / (best - worst),
        "gap": gap,
        "jump": jump,
        "best": best,
        "fifth_to_best": fifth / best,
        "place": place,
    }
    return [said.cast(pl.Float32).alias(f"{score}_{name}") for name, said in made.items()]


def _numbers(table: pl.DataFrame, kind: str) -> list[pl.Series]:
    """The numbers of a table and the characters of its texts, as features."""
    numbers = [table[n].cast(pl.Float32).alias(f"{kind}_{n}") for n in table.columns if table[n].dtype.is_numeric()]
    texts = [n for n in table.columns if table[n].dtype == pl.String and not n.endswith("_id")]
    lengths = [table[n].str.len_chars().cast(pl.Float32).alias(f"{kind}_{n}_length") for n in texts]
    return numbers + lengths


def _shared(table: pl.DataFrame, both: tuple[str, ...]) -> list[pl.Expr]:
    return [
        (pl.col(name) if name in table.columns else pl.lit(None)).alias(said)
        for name, said in zip(both, _names(both), strict=True)
    ]


def _names(both: tuple[str, ...]) -> list[str]:
    """What shared columns are called where they are no features."""
    return [f"both {name}" for name in both]


def _longer(known: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """The rows of both in the columns of the first; what the second lacks is null."""
    missing = [pl.lit(None).alias(name) for name in known.columns if name not in later.columns]
    return pl.concat([known, later.with_columns(missing).select(known.columns).cast(known.schema)])


_NO_VALUES = pl.DataFrame(schema={"column": pl.String, "value": pl.String, "code": pl.Float32})
_NO_RIVALS = pl.DataFrame(schema={"item": pl.Int32, "user": pl.Int32, "score": pl.Float32})
