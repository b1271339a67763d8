"""Next: what comes after a history, by a network that reads it in its order.

score(history, j) = h(history) · y_j + b_j, h the network's last vector: a transformer (SASRec), gated recurrent units
or hidden layers over the vectors of items. It learns at every place of every history to tell the item that came next
(or each of the next `ahead`) from all others, or from some that are drawn.
Source: SASRec with the loss and the many negatives of Klenitskiy, Vasilev, "Turning Dross Into Gold Loss: is BERT4Rec
really better than SASRec?", RecSys 2023; see `nn/sequences.py` for the networks, `training/losses.py` for the losses.
Differs: histories of like length are learnt together, so that little is spent on padding; longer ones than `length`
are learnt in stretches, none is cut off; an item is also the sum of what its attributes say, alone where it is new.
Cost of an epoch: about 6 times the weights of the network a place, and 6 D flops a target and item.

Which histories there are: events of positive weight in the order of time, of one moment the smaller item first, items
that come again as often as they come. What is answered hangs on the newest `length` items, each where it was met last.
Users without events, or of items of which nothing is known, are answered with nothing.

Shapes: U users, I items, E events, C values of an item at most, R histories, L places, D = F + 1 numbers of a vector.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import PositiveFloat

from shortlist.dataset import vocabulary
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import histories, interactions, moments, newer
from shortlist.dataset.vocabulary import Vocabulary
from shortlist.models.factors import most_alike, nearest_items, vectors_of
from shortlist.models.networks import NOTHING
from shortlist.models.next_learning import Reading, body_of, network_of, others_of, taught, width_of
from shortlist.models.retrieval import Request
from shortlist.training.memory import Needs
from shortlist.training.plan import torch_for

READ_AT_ONCE = 32
"""Histories that are read at one time: always so many, so that the same one gives the same bits in any company."""


class Next(Reading):
    """Recipe for a network that reads histories."""

    kind: Literal["next"] = "next"
    attributes: tuple[str, ...] | None = None
    """Columns of the items that speak of them; none named, all; () for no column at all."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def needs(self, _: int, items: int, rows: int) -> Needs:
        """What training will need where there are so many users, items without attributes, and events."""
        weights = sum(weight.numel() for weight in body_of(self, self.length).parameters())
        weights += items * (self.factors + 1) * (1 if self.tied else 2)
        width = width_of(self, others_of(self, items), items)
        return Needs(weights, width, rows, 4, self.training.batch_of(rows))

    def fit(self, data: Dataset) -> "FittedNext":
        """Train. Items that nobody met have the vector that their attributes make; without any, zeros.

        Without torch, `MissingExtraError`.
        """
        torch_for("training a network")
        items_E, starts_U = histories(data)
        told = vocabulary.attributes(data, self.attributes)
        known = vocabulary.learnt(told)
        values_IC = known.numbers(told)
        longest = int(np.diff(starts_U).max(initial=0))
        recipe = self.model_copy(update={"length": max(1, min(self.length, longest))})
        net = network_of(recipe, values_IC, len(known))
        losses, training = NOTHING, self.training
        if longest > 1:
            losses, training = taught(recipe, net, items_E, starts_U, values_IC)
        met_I = np.bincount(items_E, minlength=len(values_IC)) > 0
        tables = [_vectors(table, met_I) for table in (net.items, net.outputs)]
        weights = {name: tensor.detach().numpy().copy() for name, tensor in net.state_dict().items()}
        weights = {name: array for name, array in weights.items() if not name.endswith(".own.weight")}
        fitted = FittedNext(
            recipe=recipe.model_copy(update={"training": training}),
            user_factors=np.zeros((0, self.factors + 1), np.float32),
            item_factors=tables[1],
            inputs=tables[0] if not self.tied else tables[0][:0],
            weights=weights,
            vocabulary=known,
            losses=losses,
        )
        met_UI = interactions(data)
        newer_E = newer(met_UI.indptr, moments(data, met_UI)[1])
        return replace(fitted, user_factors=fitted.read(met_UI.indices, newer_E, met_UI.indptr))


@dataclass(frozen=True)
class FittedNext:
    """Vectors (float32, D numbers) of users, by their histories, and of items; zeros where nothing is known of them.

    `inputs` are the vectors of items where they are read, if these are others. `weights` are those of the network by
    name, `vocabulary` what attributes say. `losses` is the path of the loss: see `networks.trained`. The `recipe` names
    the rate found, and as `length` no more than the longest history.
    """

    folds_in: ClassVar[bool] = True

    recipe: Next
    user_factors: np.ndarray
    item_factors: np.ndarray
    inputs: np.ndarray
    weights: dict[str, np.ndarray]
    vocabulary: Vocabulary
    losses: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The items of the largest score; of users of `request.history` it is read in place of theirs."""
        x_BD = vectors_of(request.users, self.user_factors)
        told = request.history
        if told is not None:
            placed = told.join(request.user_frame.with_row_index("row"), on="user", how="inner").sort("row")
            at_once = placed["newer"] if "newer" in placed.columns else pl.repeat(0, placed.height, eager=True)
            starts = np.searchsorted(placed["row"].to_numpy(), np.arange(len(request.users) + 1))
            is_told = request.is_told()
            x_BD[is_told] = self.read(placed["item"].to_numpy(), at_once.to_numpy(), starts)[is_told]
        return nearest_items(x_BD, self.item_factors, request)

    def read(self, items: np.ndarray, newer: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """The vectors (float32, R × D) of histories, R of them from `starts` (R + 1) on; nothing is trained.

        `newer` says how many items of its history came after each; those that came at once are taken in the order of
        their numbers. Items that nobody knows are passed over.
        """
        rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        inputs_ID = self.inputs if len(self.inputs) else self.item_factors
        known = (items >= 0) & (items < len(inputs_ID))
        known[known] = inputs_ID[items[known]].any(axis=1)
        order = np.lexsort((items, -newer, rows))
        order = order[known[order]]
        lengths = np.bincount(rows[order], minlength=len(starts) - 1)
        ends = np.cumsum(lengths)
        return _read(self._network, inputs_ID, items[order], ends, np.minimum(lengths, self.recipe.length))

    def with_items(self, told: pl.DataFrame) -> "FittedNext":
        """The same where further items follow the known ones, a row of attributes each: what these say is all that is
        known of them. Values that training did not meet say nothing; items of whom nothing is said get zeros.
        """
        values_NC = self.vocabulary.numbers(told)
        beyond = len(self.vocabulary)

        def longer(vectors_ID: np.ndarray, name: str) -> np.ndarray:
            of_value = self.weights[name]
            said_ND = np.where(values_NC[..., None] < beyond, of_value[values_NC], 0).sum(axis=1, dtype=np.float32)
            return np.vstack([vectors_ID, said_ND])

        outputs = "items" if self.recipe.tied else "others"
        item_factors = longer(self.item_factors, f"{outputs}.of_value.weight")
        inputs = longer(self.inputs, "items.of_value.weight") if len(self.inputs) else self.inputs
        return replace(self, item_factors=item_factors, inputs=inputs)

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items of the largest cosine: `item`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(items, self.item_factors[:, :-1], k, name="item")

    def similar_users(self, users: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` users of the largest cosine: `user`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(users, self.user_factors[:, :-1], k, name="user")

    @cached_property
    def _network(self) -> Any:
        """The part of the network that reads vectors."""
        torch = torch_for("reading histories")
        network = body_of(self.recipe, self.recipe.length)
        mine = {name.removeprefix("body."): array for name, array in self.weights.items() if name.startswith("body.")}
        network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in mine.items()})
        return network.eval()


def _vectors(table: Any, met_I: np.ndarray) -> np.ndarray:
    """The vectors of all items; of those that nobody met only what their attributes say."""
    vectors_ID: np.ndarray = table().detach().numpy().copy()
    if len(met_I) and not met_I.all():
        vectors_ID[~met_I] = table.of_attributes().detach().numpy()[~met_I]
    return vectors_ID


def _read(network: Any, inputs_ID: np.ndarray, items: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The last vectors (R × D, the last number 1) of histories that end before `ends`; of none, zeros.

    Histories of one length at a time, always READ_AT_ONCE of them: what is missing is filled up with the first one.
    """
    import torch

    x_RD = np.zeros((len(lengths), inputs_ID.shape[1]), np.float32)
    order = np.argsort(lengths, kind="stable")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for same in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
                length = int(lengths[same[0]]) if len(same) else 0
                for start in range(0, len(same) if length else 0, READ_AT_ONCE):
                    rows = same[start : start + READ_AT_ONCE]
                    filled = np.concatenate([rows, np.repeat(rows[:1], READ_AT_ONCE - len(rows))])
                    place_BL = ends[filled][:, None] + np.arange(-length, 0)
                    vectors_BLF = torch.from_numpy(inputs_ID[items[place_BL], :-1])
                    x_RD[rows, :-1] = network(vectors_BLF)[: len(rows), -1].numpy()
                    x_RD[rows, -1] = 1
    finally:
        torch.set_num_threads(threads)
    return x_RD
