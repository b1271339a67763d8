"""CrossEncoder: the best of each list is read again, user's and item's text together, and both opinions are weighed.

The ranker's scores and the encoder's log-odds become one: log-odds = a · score + b · encoder + c, a logistic regression
on lists that neither had learnt from. What is not read again has log-odds by its score alone, from the same lists, so
that all of a list compare. The encoder learns from what the ranker took for the best of lists that it did not know:
hits, and the misses that are hardest to tell from them (log loss).

Source: Nogueira, Cho, "Passage Re-ranking with BERT", 2019; misses that an earlier stage brought, and both stages
weighed by a logistic regression, as teams of Kaggle's Learning Equality contest (2023) told of them.
Cost: the encoder is trained PARTS + 1 times; then `best` pairs of texts are read for each list.

Shapes: N candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from shortlist.config import Config
from shortlist.dataset.attributes import table_of
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.texts import Text
from shortlist.errors import ConfigError
from shortlist.models.between_texts import joined
from shortlist.models.networks import trained
from shortlist.models.pretrained import Pretrained
from shortlist.models.text_encoders import NGrams
from shortlist.progress import step
from shortlist.ranking import logistic, pair_encoders
from shortlist.ranking.pair_encoders import FittedForPairs, FittedTermPairs, FittedTokenPairs, OpenedForPairs
from shortlist.seeds import Seeds
from shortlist.training.plan import Training

PARTS = 2
"""Parts of the lists, those of a lesson in one; what is weighed is told by encoders that learnt from the other part."""


class CrossEncoder(Config):
    """Recipe for what reads the best of each list again."""

    kind: Literal["cross_encoder"] = "cross_encoder"
    users: Text = Text()
    """What speaks of a user (a topic, a question)."""
    items: Text = Text()
    """What speaks of an item."""
    encoder: Annotated[NGrams | Pretrained, Field(discriminator="kind")] = NGrams()
    """What reads: a small network of our own on the terms that both texts have, or the transformer of a directory."""
    best: int = Field(20, ge=1, le=1_000)
    """Candidates of each list that are read again: the best of the ranker."""
    training: Training | None = None
    """How it is trained; none named: as suits the encoder."""

    @model_validator(mode="after")
    def _learns_what_it_is_told(self) -> "CrossEncoder":
        if isinstance(self.encoder, Pretrained) and not self.encoder.fine_tune and self.training is not None:
            raise ValueError("training is named, and the encoder is taken as it is: name fine_tune = true")
        return self

    def check(self, data: Dataset) -> None:
        """Raises what `fit` would raise of tables and encoders, before a ranker is fitted for it."""
        self._settled(data)
        pair_encoders.opened(self.encoder)

    def fit(self, data: Dataset, scored: pl.DataFrame, seeds: Seeds) -> "tuple[FittedCrossEncoder, pl.DataFrame]":
        """Learn from `scored` (`part`, `list`, `user`, `item`, `hit`, `score`), lists that the ranker did not know.

        Lists of one `part` (a whole number) may know of each other, those of different parts do not. Gives the fitted
        one, and `scored` with a `score` as it would be for a list that nothing was learnt from. Tables without a text,
        and columns that they lack, raise `ColumnError`; lists of which some have no hits or no misses `ConfigError`;
        for the encoders see `pair_encoders.opened`.
        """
        recipe, texts = self._settled(data)
        encoder = pair_encoders.opened(self.encoder)
        scored = scored.with_columns(read=_read_again(scored["list"], scored["score"], self.best))
        some = scored.filter("read")
        first, second = texts.of(some["user"], some["item"])
        numbers = some["part"].to_numpy() % PARTS
        hit_N, odds_N = some["hit"].to_numpy(), np.zeros(some.height)
        for part in range(PARTS if encoder.learns else 0):
            learnt, told = np.flatnonzero(numbers != part), np.flatnonzero(numbers == part)
            with step(f"fit what reads the best again, part {part + 1} of {PARTS}"):
                pairs = first[learnt], second[learnt], hit_N[learnt]
                kept = _taught(recipe, encoder, *pairs, seeds, f"part-{part + 1}")
                odds_N[told] = kept.log_odds(first[told], second[told])
        with step("fit what reads the best again"):
            kept = _taught(recipe, encoder, first, second, hit_N, seeds, "whole")
            if not encoder.learns:
                odds_N = kept.log_odds(first, second)
        return _weighed(recipe, texts, kept, scored, odds_N)

    def _settled(self, data: Dataset) -> "tuple[CrossEncoder, BothTexts]":
        """The same with all columns named, and what the dataset says in them."""
        user_table, item_table = table_of(data, "user"), table_of(data, "item")
        users = self.users.settled(data.users, user_table, "user")
        items = self.items.settled(data.items, item_table, "item")
        above = users.named(user_table, data.user_ids.ids), items.named(item_table, data.item_ids.ids)
        told = (
            pl.DataFrame({"text": joined(users.of(user_table, above[0]))}),
            pl.DataFrame({"text": joined(items.of(item_table, above[1]))}),
        )
        return self.model_copy(update={"users": users, "items": items}), BothTexts(*told, *above)


@dataclass(frozen=True)
class BothTexts:
    """The `text` of each user and item by their numbers, and the titles of what later ones may stand under."""

    users: pl.DataFrame
    items: pl.DataFrame
    above_users: pl.DataFrame
    above_items: pl.DataFrame

    def of(self, users: pl.Series, items: pl.Series) -> tuple[pl.Series, pl.Series]:
        """The texts of pairs."""
        return self.users["text"].gather(users), self.items["text"].gather(items)

    def with_users(self, recipe: CrossEncoder, told: pl.DataFrame) -> "BothTexts":
        """The same where further users follow the known ones."""
        above = pl.concat([self.above_users, recipe.users.named(told, told["user_id"])])
        later = pl.DataFrame({"text": joined(recipe.users.of(told, above))})
        return replace(self, users=pl.concat([self.users, later]), above_users=above)

    def with_items(self, recipe: CrossEncoder, told: pl.DataFrame) -> "BothTexts":
        """The same where further items follow the known ones."""
        above = pl.concat([self.above_items, recipe.items.named(told, told["item_id"])])
        later = pl.DataFrame({"text": joined(recipe.items.of(told, above))})
        return replace(self, items=pl.concat([self.items, later]), above_items=above)


@dataclass(frozen=True)
class FittedCrossEncoder:
    """The encoder, the texts, and the log-odds by score and encoder (`both`: two slopes and an intercept) and by score
    alone (`rest`); `losses` says what weighing both did to the log loss of what is read again, by its name.
    """

    recipe: CrossEncoder
    texts: BothTexts
    encoder: FittedTermPairs | FittedTokenPairs
    both: np.ndarray
    rest: np.ndarray
    losses: Mapping[str, float]

    def __str__(self) -> str:
        """What is weighed, and what it is worth."""
        score, encoder, start = self.both.tolist()
        told = ", ".join(f"{name} {value:.4f}" for name, value in self.losses.items())
        return (
            f"the best {self.recipe.best} of each list are read again; log-odds = {score:.3f} score {encoder:+.3f} "
            f"encoder {start:+.3f}; log loss on lists that neither had learnt from: {told}"
        )

    def to_dict(self) -> dict[str, Any]:
        """What is weighed and what it is worth, as text (`told`), and the log losses (`losses`)."""
        return {"told": str(self), "losses": dict(self.losses)}

    def rescored(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Candidates (`user`, `item`, `score`, and others) with their log-odds for a `score`, in their order."""
        again = _read_again(rows["user"], rows["score"], self.recipe.best)
        some = rows.filter(again)
        first, second = self.texts.of(some["user"], some["item"])
        return rows.with_columns(score=self.odds(rows["score"], again, self.encoder.log_odds(first, second)))

    def odds(self, scores: pl.Series, again: pl.Series, odds_N: np.ndarray) -> pl.Series:
        """The log-odds of candidates by their scores; `odds_N` is what the encoder says of those that it read."""
        read, score_N = again.to_numpy(), scores.to_numpy()
        found = logistic.odds(score_N[:, None], self.rest)
        found[read] = logistic.odds(np.column_stack([score_N[read], odds_N]), self.both)
        return pl.Series("score", found)

    def with_users(self, told: pl.DataFrame) -> "FittedCrossEncoder":
        """The same where further users follow the known ones, a row of `user_id` and columns each."""
        return replace(self, texts=self.texts.with_users(self.recipe, told))

    def with_items(self, told: pl.DataFrame) -> "FittedCrossEncoder":
        """The same where further items follow the known ones, a row of `item_id` and columns each."""
        return replace(self, texts=self.texts.with_items(self.recipe, told))


def _read_again(lists: pl.Series, scores: pl.Series, best: int) -> pl.Series:
    """Which candidates are among the best of their list; of equal ones the first."""
    frame = pl.DataFrame({"list": lists, "score": scores})
    return frame.select(pl.col("score").rank("ordinal", descending=True).over("list") <= best).to_series()


def _taught(
    recipe: CrossEncoder,
    encoder: OpenedForPairs,
    first: pl.Series,
    second: pl.Series,
    hit_N: np.ndarray,
    seeds: Seeds,
    part: str,
) -> FittedForPairs:
    """The encoder after it learnt from pairs; `part` tells this training from the others."""
    rows = encoder.read(first, second)
    net = encoder.network(rows, seeds.number("start of the cross-encoder"))
    if not encoder.learns:
        return encoder.fitted(net)
    import torch
    from torch.nn import functional

    from shortlist.training.batches import Batches

    if not 0 < hit_N.sum() < len(hit_N):
        raise ConfigError(
            f"what reads candidates again needs hits and misses to learn from; of {len(hit_N)} that the ranker took "
            f"for the best {int(hit_N.sum())} are hits: leave it out, or give it more lists"
        )
    training = (recipe.training or encoder.plan).in_part(part)
    told_N, order = torch.tensor(hit_N, dtype=torch.float32), seeds.number("order of the cross-encoder")

    def made(some: Any, _: Any) -> tuple[Any, ...]:
        return *rows.tensors(some.numpy()), told_N[some]

    batches = Batches(len(hit_N), training.batch_of(len(hit_N)), order, made)

    def loss(net: Any, batch: Any) -> Any:
        *texts, hit_B = batch
        return functional.binary_cross_entropy_with_logits(net(*texts), hit_B)

    trained(recipe, training, net.train(), loss, batches, width=encoder.numbers, arrays=(*rows.arrays, hit_N))
    return encoder.fitted(net.eval())


def _weighed(
    recipe: CrossEncoder, texts: BothTexts, kept: FittedForPairs, scored: pl.DataFrame, odds_N: np.ndarray
) -> tuple[FittedCrossEncoder, pl.DataFrame]:
    """Both opinions weighed on lists that neither had learnt from, and what these lists score then."""
    some = scored.filter("read")
    score_N, hit_N = some["score"].to_numpy(), some["hit"].to_numpy()
    both, alone = (logistic.fit(x, hit_N) for x in (np.column_stack([score_N, odds_N]), score_N[:, None]))
    others = scored.filter(~pl.col("read"))
    rest = logistic.fit(others.select("score").to_numpy(), others["hit"].to_numpy()) if others.height else alone
    losses = {
        "by both": logistic.loss(logistic.odds(np.column_stack([score_N, odds_N]), both), hit_N),
        "by the score": logistic.loss(logistic.odds(score_N[:, None], alone), hit_N),
    }
    fitted = FittedCrossEncoder(recipe, texts, kept, both, rest, losses)
    told = scored.with_columns(score=fitted.odds(scored["score"], scored["read"], odds_N)).drop("read")
    return fitted, told
