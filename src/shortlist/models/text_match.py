"""TextMatch: an encoder of texts, learnt from the pairs that belong together.

score(u, i) = x(u) · x(i), x(t) = Σ over the terms of t of log(1 + tf) · e(term), made of length one. Terms are runs of
characters (see `ngrams`), put into so many `buckets` by their hash, so that any text of any language has a vector. The
vectors e start at random, as long as the idf of the bucket: before the first step a score is about that of TF-IDF. They
learn to tell the item that belongs to a user from those of the other pairs of a batch, and from some of the same kind
that are drawn (InfoNCE); batches are of one kind, a language say, and what else belongs to a user is not held a miss.

Source: vectors of texts as sums over runs of characters: Bojanowski et al., "Enriching Word Vectors with Subword
Information", TACL 2017; the other pairs as misses: Henderson et al., "Efficient Natural Language Response Suggestion",
2017.
Differs: the start; users and items share the vectors; runs of other kinds (`within`) are other terms.
Cost of an epoch: 4 D flops for an entry of a bag, 4 (B + negatives) D for a pair, and 16 bytes of each weight a step.

Shapes: U users, I items, E entries of bags, P pairs, B of a batch, C candidates of a batch, D = factors.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.texts import Text
from shortlist.dataset.views import interactions
from shortlist.models.between_texts import BetweenTexts
from shortlist.models.factors import most_alike, nearest_items, vectors_of
from shortlist.models.networks import NOTHING, trained
from shortlist.models.retrieval import Request
from shortlist.seeds import Seeds
from shortlist.training.plan import Training, torch_for

_AT_ONCE = 8_192
"""Texts that are made vectors of at one time."""


class TextMatch(BetweenTexts):
    """Recipe for an encoder of texts that learns from the pairs."""

    kind: Literal["text_match"] = "text_match"
    factors: PositiveInt = 64
    """Length of a vector."""
    buckets: int = Field(2**16, ge=1)
    """Vectors that terms are put to."""
    temperature: PositiveFloat = 0.07
    """What scores are divided by: the smaller, the more the hardest misses count."""
    negatives: PositiveInt = 512
    """Items of the kind that are drawn for a batch, beside those of the other pairs."""
    training: Training = Training(
        epochs=10, batch_size=512, learning_rate=0.02, weight_decay=0.0, warm_up=0.1, epsilon=1e-8
    )
    """How it is trained."""
    seed: int = 0
    """Of the start, of the order of the pairs and of the items that are drawn."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedTextMatch":
        """Train. Users and items without a text, and unknown ones, get nothing and are never answered.

        Without events the start is all there is. Tables without a text, and columns that they lack, raise
        `ColumnError`; without torch, `MissingExtraError`.
        """
        torch = torch_for("training a network")
        from shortlist.nn.texts import Bags
        from shortlist.training.batches import Batches

        recipe, sides = self.settled(data)
        user_bags = recipe.bags(recipe.users, sides.users, sides.above_users)
        item_bags = recipe.bags(recipe.items, sides.items, sides.above_items)
        met_T = np.bincount(item_bags.indices, minlength=self.buckets)
        idf_T = (1 + np.log((1 + sides.items.height) / (1 + met_T))).astype(np.float32)
        seeds = Seeds(self.seed)
        net = Bags(torch.from_numpy(idf_T), self.factors, torch.Generator().manual_seed(seeds.number("start")))
        kind_I = recipe.kinds(sides.items)
        met_UI = _with_texts(interactions(data), user_bags, item_bags)
        training, losses = self.training, NOTHING
        if met_UI.nnz:
            pairs = _Pairs(met_UI, user_bags, item_bags, kind_I, self.negatives)
            batches = Batches(
                met_UI.nnz, training.batch_of(met_UI.nnz), seeds.number("order"), pairs.batch,
                groups=np.unique(kind_I[met_UI.indices], return_inverse=True)[1],
            )  # fmt: skip
            width = 4 * self.factors + self.negatives
            arrays = (met_UI.indptr, met_UI.indices, user_bags.indices, item_bags.indices)
            losses, training = trained(
                recipe, training, net, _loss(self.temperature), batches, width=width, arrays=arrays
            )
        vectors = net.weight.detach().numpy().copy()
        return FittedTextMatch(
            recipe=recipe.model_copy(update={"training": training}),
            vectors=vectors,
            user_factors=_encoded(vectors, user_bags),
            item_factors=_encoded(vectors, item_bags),
            user_kinds=recipe.kinds(sides.users),
            item_kinds=kind_I,
            above_users=sides.above_users,
            above_items=sides.above_items,
            losses=losses,
        )

    def bags(self, text: Text, table: pl.DataFrame, above: pl.DataFrame) -> sparse.csr_array:
        """The terms of each row of a table (float32, rows × buckets): log(1 + tf), summed in a bucket."""
        row_E, term_E, times_E = self.terms(text, table, above)
        bucket_E = (term_E.view(np.uint64) % np.uint64(self.buckets)).astype(np.int64)
        bags = sparse.csr_array((np.log1p(times_E), (row_E, bucket_E)), shape=(table.height, self.buckets))
        bags.sum_duplicates()
        return bags


@dataclass(frozen=True)
class FittedTextMatch:
    """The `vectors` of terms, those of users and items (float32, D numbers each, of length one; zeros for those without
    a text), of which kind these are, and the titles of what later ones may stand under.

    `losses` is the path of the loss: see `networks.trained`. The `recipe` names the columns and the rate found.
    """

    recipe: TextMatch
    vectors: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    user_kinds: np.ndarray
    item_kinds: np.ndarray
    above_users: pl.DataFrame
    above_items: pl.DataFrame
    losses: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The items of the largest score among those of the user's kind."""
        x_BD = vectors_of(request.users, self.user_factors)
        known = (request.users >= 0) & (request.users < len(self.user_kinds))
        kind_B = np.zeros(len(request.users), np.int64)
        kind_B[known] = self.user_kinds[request.users[known]]
        answers = [nearest_items(x_BD[:0], self.item_factors, replace(request, users=request.users[:0]))]
        for kind in np.unique(kind_B[known]):
            mine = np.flatnonzero(known & (kind_B == kind))
            items = np.flatnonzero(self.item_kinds == kind).astype(np.int32)
            if request.items is not None:
                items = np.intersect1d(items, request.items).astype(np.int32)
            asked = replace(request, users=request.users[mine], items=items)
            answers.append(nearest_items(x_BD[mine], self.item_factors, asked))
        order = request.user_frame.with_row_index("row")
        return pl.concat(answers).join(order, on="user", how="left").sort("row", "rank").drop("row")

    @property
    def item_vectors(self) -> np.ndarray:
        """Vectors of the items whose products say how alike they are."""
        return self.item_factors

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items of the largest cosine: `item`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(items, self.item_factors, k, name="item")

    def similar_users(self, users: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` users of the largest cosine: `user`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(users, self.user_factors, k, name="user")

    def with_users(self, told: pl.DataFrame) -> "FittedTextMatch":
        """The same where further users follow the known ones, a row of `user_id` and columns each."""
        above = pl.concat([self.above_users, self.recipe.users.named(told, told["user_id"])])
        later = _encoded(self.vectors, self.recipe.bags(self.recipe.users, told, above))
        kinds = np.concatenate([self.user_kinds, self.recipe.kinds(told)])
        return replace(self, user_factors=np.vstack([self.user_factors, later]), user_kinds=kinds, above_users=above)

    def with_items(self, told: pl.DataFrame) -> "FittedTextMatch":
        """The same where further items follow the known ones, a row of `item_id` and columns each."""
        above = pl.concat([self.above_items, self.recipe.items.named(told, told["item_id"])])
        later = _encoded(self.vectors, self.recipe.bags(self.recipe.items, told, above))
        kinds = np.concatenate([self.item_kinds, self.recipe.kinds(told)])
        return replace(self, item_factors=np.vstack([self.item_factors, later]), item_kinds=kinds, above_items=above)


@dataclass(frozen=True)
class _Pairs:
    """What is learnt from, batch by batch."""

    met_UI: sparse.csr_array
    user_bags: sparse.csr_array
    item_bags: sparse.csr_array
    kind_I: np.ndarray
    negatives: int

    def batch(self, rows: Any, random: Any) -> tuple[Any, ...]:
        """The bags of the users and of the candidates, and which of these belong to whom."""
        import torch

        user_P = np.repeat(np.arange(self.met_UI.shape[0]), np.diff(self.met_UI.indptr))
        user_B, item_B = user_P[rows.numpy()], self.met_UI.indices[rows.numpy()]
        of_kind = np.flatnonzero(np.isin(self.kind_I, np.unique(self.kind_I[item_B])))
        drawn = of_kind[torch.randint(len(of_kind), (self.negatives,), generator=random).numpy()]
        item_C = np.concatenate([item_B, drawn])
        known_BC = torch.from_numpy(self.met_UI[user_B][:, item_C].toarray() > 0)
        return *_tensors(self.user_bags[user_B]), *_tensors(self.item_bags[item_C]), known_BC


def _loss(temperature: float) -> Any:
    from shortlist.training import losses

    def of(net: Any, batch: Any) -> Any:
        *bags, known_BC = batch
        return losses.infonce(net(*bags[:3]), net(*bags[3:]), known_BC, temperature)

    return of


def _tensors(bags: sparse.csr_array) -> tuple[Any, ...]:
    import torch

    arrays = (bags.indices.astype(np.int64), bags.indptr[:-1].astype(np.int64), bags.data)
    return tuple(torch.from_numpy(array) for array in arrays)


def _encoded(vectors_TD: np.ndarray, bags: sparse.csr_array) -> np.ndarray:
    """The vectors (float32) of bags, of length one; zeros for a bag of nothing."""
    summed = bags @ vectors_TD
    length = np.sqrt(np.einsum("rd,rd->r", summed, summed, dtype=np.float64))
    encoded: np.ndarray = (summed / np.where(length > 0, length, 1)[:, None]).astype(np.float32)
    return encoded


def _with_texts(met_UI: sparse.csr_array, user_bags: sparse.csr_array, item_bags: sparse.csr_array) -> sparse.csr_array:
    """The pairs of which both sides have a text."""
    user_P = np.repeat(np.arange(met_UI.shape[0]), np.diff(met_UI.indptr))
    there = (np.diff(user_bags.indptr)[user_P] > 0) & (np.diff(item_bags.indptr)[met_UI.indices] > 0)
    kept = sparse.csr_array((met_UI.data[there], (user_P[there], met_UI.indices[there])), shape=met_UI.shape)
    kept.sort_indices()
    return kept
