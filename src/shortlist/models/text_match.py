"""TextMatch: an encoder of texts, made to tell what belongs together by the pairs that do.

score(u, i) = x(u) · x(i), x(t) the vector of length one that the encoder makes of a text. It learns to tell the item
that belongs to a user from those of the other pairs of a batch, and from some of the same kind that are drawn, at
random or among those that it took for the nearest before a round (InfoNCE, with a margin where one is wanted).
Batches are of one kind, a language say, and what else belongs to a user is not held a miss. Users and items share the
encoder; a projection of either may follow it, and relatives in a tree may count beside a user: see `heads`.

Source: the other pairs as misses: Henderson et al., "Efficient Natural Language Response Suggestion", 2017; the nearest
wrong ones: Xiong et al., "Approximate Nearest Neighbor Negative Contrastive Learning", ICLR 2021 (there they are looked
for again all the time; here before each of the `rounds`).
Cost of an epoch with n-grams: 4 D flops for an entry of a bag, 4 (B + negatives) D for a pair, and 16 bytes of each
weight a step; with a transformer: 6 flops for each of its weights and each token, twice a pair.

Shapes: U users, I items, P pairs, B of a batch, C candidates of a batch, H misses that are near, D numbers of a vector.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions
from shortlist.errors import ColumnError, ConfigError
from shortlist.models.between_texts import BetweenTexts
from shortlist.models.factors import most_alike, nearest_items, vectors_of
from shortlist.models.heads import AT_MOST, FittedHeads, Relation, Vectors, relatives_of
from shortlist.models.networks import NOTHING, trained
from shortlist.models.pretrained import Pretrained
from shortlist.models.retrieval import Request
from shortlist.models.text_encoders import PAIR_BYTES, FittedEncoder, NGrams, Opened, Rows
from shortlist.seeds import Seeds
from shortlist.training.memory import Needs
from shortlist.training.plan import Training, torch_for

if TYPE_CHECKING:
    from torch import nn

OF_HEADS = Training(epochs=30, batch_size=512, learning_rate=0.001, weight_decay=10.0, warm_up=0.1, epsilon=1e-8)
"""How heads are trained on an encoder that does not learn, where no other plan is named. The decay holds them near the
encoder: where there is little to learn, less is lost (docs/decisions/0009)."""
DRAWN = 512
"""Misses that are drawn for a batch then."""
NEAR = 30
"""Items among which the misses that are near are drawn for a user."""


class TextMatch(BetweenTexts):
    """Recipe for an encoder of texts that learns from the pairs."""

    kind: Literal["text_match"] = "text_match"
    encoder: Annotated[NGrams | Pretrained, Field(discriminator="kind")] = NGrams()
    """What makes vectors of texts: one of our own, or one that somebody trained."""
    temperature: PositiveFloat = 0.07
    """What scores are divided by: the smaller, the more the hardest misses count."""
    margin: NonNegativeFloat = 0.0
    """By how much what belongs to a user must win."""
    margin_of: Literal["cosine", "angle"] = "cosine"
    """What the margin is taken off: the cosine, or in radians the angle (ArcFace)."""
    negatives: NonNegativeInt | None = None
    """Items of the kind that are drawn for a batch, beside those of the other pairs; none named: 512 for n-grams and
    for an encoder that is taken as it is, none for one that is fine-tuned."""
    near: NonNegativeInt = 0
    """Misses of each pair of a batch that are drawn among the user's nearest before a round."""
    rounds: PositiveInt = 1
    """Times that the whole training is gone through, each with the misses that are near by then."""
    projection: bool = False
    """Whether vectors of users and of items go through a matrix each, which pairs change; so the encoder need not."""
    relatives: tuple[Relation, ...] = ()
    """Users whose texts count beside a user's own, where users form a tree: parent, siblings, children."""
    training: Training | None = None
    """How it is trained; none named: as suits the encoder."""
    seed: int = 0
    """Of the start, of the order of the pairs and of the items that are drawn."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    @model_validator(mode="after")
    def _learns_what_it_is_told(self) -> "TextMatch":
        told = {name: getattr(self, name) for name in ("training", "negatives", "near", "margin")}
        named = [name for name, value in told.items() if value]
        if self.rounds > 1 and not self.near:
            raise ValueError("rounds look for near misses again, and none are asked for: name near, or more epochs")
        frozen = isinstance(self.encoder, Pretrained) and not self.encoder.fine_tune
        if frozen and not self.has_heads and named:
            raise ValueError(
                f"{named[0]} is for training, and the encoder is taken as it is: name fine_tune = true, or projection"
            )
        return self

    @property
    def has_heads(self) -> bool:
        """Whether something that learns stands between the encoder and what is compared."""
        return self.projection or bool(self.relatives)

    def needs(self, _: int, __: int, rows: int) -> Needs:
        """What training will need where there are so many pairs, of texts as long as are looked at, and of all the
        relatives that may count.
        """
        encoder: Opened = self.encoder.opened()
        if not (encoder.learns or self.has_heads):
            raise ConfigError(
                "an encoder that is taken as it is needs no memory to train: name fine_tune=True, or projection=True"
            )
        batch = self.plan_with(encoder).batch_of(rows)
        of_vectors = Needs(0, 2 * encoder.width, rows, PAIR_BYTES, batch)
        needs = encoder.needs(rows, batch) if encoder.learns else of_vectors
        width = needs.width + needs.width * len(self.relatives) * AT_MOST // 2
        heads = (2 * self.projection + len(self.relatives)) * encoder.width**2
        return replace(needs, width=width, weights=needs.weights + heads)

    def plan_with(self, encoder: Opened) -> Training:
        """How it is trained: as is named, as suits the encoder, or as suits heads alone."""
        return self.training or (encoder.plan if encoder.learns else OF_HEADS)

    def fit(self, data: Dataset) -> "FittedTextMatch":
        """Train. Users and items without a text, and unknown ones, get nothing and are never answered.

        Without events, and of an encoder that does not learn, the start is all there is. Tables without a text, columns
        that they lack, and relatives without a tree raise `ColumnError`; a folder that holds no encoder `ConfigError`;
        without torch or sentence-transformers, where an encoder needs them, `MissingExtraError`.
        """
        recipe, sides = self.settled(data)
        if self.relatives and recipe.users.parent is None:
            raise ColumnError("relatives take a tree, and users have no column of those above: name users.parent")
        encoder: Opened = recipe.encoder.opened()
        kinds = recipe.kinds(sides.users), recipe.kinds(sides.items)
        users = encoder.read(recipe.users.of(sides.users, sides.above_users), kinds[0], "user")
        items = encoder.read(recipe.items.of(sides.items, sides.above_items), kinds[1], "item")
        net = encoder.network(items, Seeds(self.seed).number("start"))
        frozen = None if encoder.learns else (encoder.encoded(net, users), encoder.encoded(net, items))
        heads = _heads(net if encoder.learns else None, encoder.width, recipe) if self.has_heads else None
        nobody = np.empty((0, sides.users.height, 0), np.int32)
        relative_RUN = relatives_of(sides.above_users, self.relatives) if self.relatives else nobody

        def fitted(recipe: TextMatch, losses: pl.DataFrame) -> FittedTextMatch:
            user_UD, item_ID = frozen or (encoder.encoded(net, users), encoder.encoded(net, items))
            kept = None
            if heads is not None:
                user, item, relation = (w.detach().numpy().copy() for w in (heads.user, heads.item, heads.relation))
                kept = FittedHeads(user, item, relation, user_UD if self.relatives else user_UD[:0])
                user_UD, item_ID = kept.users(user_UD, relative_RUN), kept.items(item_ID)
            above = sides.above_users, sides.above_items
            return FittedTextMatch(recipe, encoder.fitted(net), user_UD, item_ID, *kinds, *above, kept, losses)

        met_UI = _with_texts(interactions(data), users.lengths, items.lengths)
        if not ((encoder.learns or heads is not None) and met_UI.nnz):
            return fitted(recipe, NOTHING)
        drawn = self.negatives if self.negatives is not None else encoder.drawn if encoder.learns else DRAWN
        of_users, of_items = (users, items) if frozen is None else (Vectors(frozen[0]), Vectors(frozen[1]))
        paths: list[pl.DataFrame] = []
        for number in range(1, self.rounds + 1):
            near_UH = _near(fitted(recipe, NOTHING), met_UI) if self.near else None
            pairs = _Pairs(met_UI, of_users, of_items, kinds[1], drawn, near_UH, self.near, relative_RUN)
            recipe, path = _taught(recipe, encoder, net if heads is None else heads, pairs, number)
            done = paths[-1]["step"][-1] if paths else 0
            paths.append(path.with_columns(pl.col("step") + done))
        return fitted(recipe, pl.concat(paths))


@dataclass(frozen=True)
class FittedTextMatch:
    """The `encoder`, the vectors of users and items (float32, D numbers each, of length one; zeros for those without a
    text), of which kind these are, the titles of what later ones may stand under, and the `heads` if there are any.

    `losses` is the path of the loss: see `networks.trained`. The `recipe` names the columns and the rate found.
    """

    recipe: TextMatch
    encoder: FittedEncoder
    user_factors: np.ndarray
    item_factors: np.ndarray
    user_kinds: np.ndarray
    item_kinds: np.ndarray
    above_users: pl.DataFrame
    above_items: pl.DataFrame
    heads: FittedHeads | None
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
        """The same where further users follow the known ones, a row of `user_id` and columns each.

        They count among each other's relatives, and not among those of the users that were known.
        """
        parent = self.recipe.users.parent
        if parent is not None and parent not in told.columns:
            told = told.with_columns(pl.lit(None).alias(parent))
        above = pl.concat([self.above_users, self.recipe.users.named(told, told["user_id"])])
        kinds, heads = self.recipe.kinds(told), self.heads
        later = self.encoder.encode(self.encoder.read(self.recipe.users.of(told, above), kinds, "user"))
        if heads is not None and self.recipe.relatives:
            heads = replace(heads, own=np.vstack([heads.own, later]))
            relative_RUN = relatives_of(above, self.recipe.relatives)
            later = heads.users(heads.own, relative_RUN[:, len(self.user_factors) :])
        elif heads is not None:
            later = heads.users(later, np.empty((0, len(later), 0), np.int32))
        kinds, factors = np.concatenate([self.user_kinds, kinds]), np.vstack([self.user_factors, later])
        return replace(self, user_factors=factors, user_kinds=kinds, above_users=above, heads=heads)

    def with_items(self, told: pl.DataFrame) -> "FittedTextMatch":
        """The same where further items follow the known ones, a row of `item_id` and columns each."""
        above = pl.concat([self.above_items, self.recipe.items.named(told, told["item_id"])])
        kinds = self.recipe.kinds(told)
        later = self.encoder.encode(self.encoder.read(self.recipe.items.of(told, above), kinds, "item"))
        later = later if self.heads is None else self.heads.items(later)
        kinds = np.concatenate([self.item_kinds, kinds])
        return replace(self, item_factors=np.vstack([self.item_factors, later]), item_kinds=kinds, above_items=above)


@dataclass(frozen=True)
class _Pairs:
    """What is learnt from, batch by batch."""

    met_UI: sparse.csr_array
    users: Rows
    items: Rows
    kind_I: np.ndarray
    drawn: int
    near_UH: np.ndarray | None
    near: int
    relative_RUN: np.ndarray

    @cached_property
    def user_P(self) -> np.ndarray:
        """The user of each pair."""
        return np.repeat(np.arange(self.met_UI.shape[0]), np.diff(self.met_UI.indptr))

    def batch(self, rows: Any, random: Any) -> tuple[Any, ...]:
        """The texts of users and of candidates, which of these belong to whom, and where among the texts of users stand
        those of the batch and their relatives.
        """
        import torch

        user_B, item_B = self.user_P[rows.numpy()], self.met_UI.indices[rows.numpy()]
        parts = [item_B]
        if self.drawn:
            of_kind = np.flatnonzero(np.isin(self.kind_I, np.unique(self.kind_I[item_B])))
            parts.append(of_kind[torch.randint(len(of_kind), (self.drawn,), generator=random).numpy()])
        if self.near_UH is not None:
            picked = torch.randint(self.near_UH.shape[1], (len(user_B), self.near), generator=random).numpy()
            hard = np.take_along_axis(self.near_UH[user_B], picked, axis=1).ravel()
            parts.append(hard[hard >= 0])
        item_C = np.concatenate(parts)
        known_BC = torch.from_numpy(self.met_UI[user_B][:, item_C].toarray() > 0)
        shown_V, own_B, relative_RBN = self._shown(user_B)
        places = torch.from_numpy(own_B), torch.from_numpy(relative_RBN)
        return *self.users.tensors(shown_V), *self.items.tensors(item_C), known_BC, *places

    def _shown(self, user_B: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The users whose texts are read, and where among them stand those of the batch and their relatives."""
        relative_RBN = self.relative_RUN[:, user_B]
        there_RBN = relative_RBN >= 0
        shown_V, place = np.unique(np.concatenate([user_B, relative_RBN[there_RBN]]), return_inverse=True)
        place_RBN = np.full(relative_RBN.shape, -1)
        place_RBN[there_RBN] = place[len(user_B) :]
        return shown_V, place[: len(user_B)], place_RBN


def _heads(net: "nn.Module | None", width: int, recipe: TextMatch) -> Any:
    """Heads on a network, or on vectors where it does not learn."""
    torch = torch_for("training a projection")
    from shortlist.nn.texts import Heads

    return Heads(net or torch.nn.Identity(), width, int(recipe.projection), len(recipe.relatives))


def _taught(
    recipe: TextMatch, encoder: Opened, net: "nn.Module", pairs: _Pairs, number: int
) -> tuple[TextMatch, pl.DataFrame]:
    """Trains the network in place, in a round; gives the recipe with the rate found, and the path of the loss."""
    from shortlist.training import losses
    from shortlist.training.batches import Batches

    training = recipe.plan_with(encoder)
    kind_P = np.unique(pairs.kind_I[pairs.met_UI.indices], return_inverse=True)[1]
    count, order = len(kind_P), Seeds(recipe.seed).number("order" if number == 1 else f"order of round {number}")
    batches = Batches(count, training.batch_of(count), order, pairs.batch, groups=kind_P)

    def loss(net: Any, batch: Any) -> Any:
        *texts, known_BC, own_B, relative_RBN = batch
        each = len(texts) // 2
        own_VD, item_CD = net(*texts[:each]), net(*texts[each:])
        if recipe.has_heads:
            user_BD, item_CD = net.users(own_VD, own_B, relative_RBN), net.items(item_CD)
        else:
            user_BD = own_VD[own_B]
        return losses.infonce(user_BD, item_CD, known_BC, recipe.temperature, recipe.margin, recipe.margin_of)

    arrays = (pairs.met_UI.indptr, pairs.met_UI.indices, *pairs.users.arrays, *pairs.items.arrays, pairs.relative_RUN)
    width = (encoder.numbers if encoder.learns else 2 * encoder.width) + pairs.drawn
    of_round = training if recipe.rounds == 1 else training.in_part(f"round-{number}")
    path, found = trained(recipe, of_round, net.train(), loss, batches, width=width, arrays=arrays)
    training = training.model_copy(update={"learning_rate": found.learning_rate})
    return recipe.model_copy(update={"training": training}), path


def _near(start: "FittedTextMatch", met_UI: sparse.csr_array) -> np.ndarray:
    """The nearest items (int32, U × H) that do not belong to each user; -1 where there are no more."""
    met = met_UI.tocoo()
    users = np.flatnonzero(np.diff(met_UI.indptr)).astype(np.int32)
    known = pl.DataFrame({"user": met.row.astype(np.int32), "item": met.col.astype(np.int32)})
    found = start.retrieve(Request(users, NEAR, exclude=known))
    near_UH = np.full((met_UI.shape[0], NEAR), -1, np.int32)
    near_UH[found["user"].to_numpy(), found["rank"].to_numpy() - 1] = found["item"].to_numpy()
    return near_UH


def _with_texts(met_UI: sparse.csr_array, user_lengths: np.ndarray, item_lengths: np.ndarray) -> sparse.csr_array:
    """The pairs of which both sides have a text."""
    user_P = np.repeat(np.arange(met_UI.shape[0]), np.diff(met_UI.indptr))
    there = (user_lengths[user_P] > 0) & (item_lengths[met_UI.indices] > 0)
    kept = sparse.csr_array((met_UI.data[there], (user_P[there], met_UI.indices[there])), shape=met_UI.shape)
    kept.sort_indices()
    return kept
