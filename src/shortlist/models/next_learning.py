"""How `Next` learns: its settings and network, stretches of histories in batches, the loss of one, what is held out.

Shapes: U users, I items, E events, S stretches of histories, B of these in a batch, L places, T that have a target, K
targets of a place, P targets, N others, C values of an item at most, D = F + 1 numbers of a vector.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt, model_validator

from shortlist.config import Config
from shortlist.models.networks import trained
from shortlist.seeds import Seeds
from shortlist.training.plan import Training

ALL_UP_TO = 50_000
"""Items up to which each target is compared with all where nobody named a number of others."""
MANY, SOME = 4_096, 256
"""Others where there are more items: of a softmax, and of the losses that take each other by itself."""
JUDGED = 5_000
"""Users of whom the newest item is held out at most, where there is a patience."""


class Reading(Config):
    """What a network that reads histories is like, and how it learns."""

    network: Literal["sasrec", "gru", "mlp"] = "gru"
    """Blocks of self-attention; gated recurrent units; or hidden layers over the newest `length` items side by side."""
    factors: PositiveInt = 128
    """Length of a vector."""
    layers: PositiveInt = 1
    """Blocks, layers of units, or hidden layers."""
    hidden: PositiveInt = 256
    """Width of units and of hidden layers."""
    length: PositiveInt = 100
    """Items of a history that are read at most, the newest."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of what goes into and out of each part that is left out in training."""
    ahead: PositiveInt = 1
    """How many of the items that follow a place are its targets."""
    places: Literal["all", "last"] = "all"
    """Whether every place of a history is learnt from, or only the newest that all its targets follow."""
    loss: Literal["softmax", "bce", "gbce", "focal", "bpr"] = "softmax"
    """What is lowered: see `training/losses.py`."""
    negatives: PositiveInt | Literal["auto", "all", "batch"] = "auto"
    """Others that a target is compared with: so many drawn evenly for each batch, all items, or the targets of the
    batch; auto: all, or where they are many, some."""
    alpha: float = Field(0.25, gt=0, lt=1)
    """What a true item weighs in focal, where the others weigh the rest of one."""
    gamma: float = Field(2.0, ge=0)
    """How little counts what is right already, in focal."""
    calibration: float = Field(0.75, ge=0, le=1)
    """t of gbce."""
    forget: float = Field(0.1, ge=0, lt=1)
    """Chance that an item is known by its attributes alone, in training."""
    tied: bool = True
    """Whether items have the same vectors where they are read and where they are answers."""
    training: Training = Training(
        epochs=20, batch_size=1024, learning_rate=0.004, warm_up=0.05, weight_decay=0.0, epsilon=1e-8
    )
    """How it is trained; a row is an event of a history."""
    seed: int = 0
    """Of the start, of the order, of what is left out, and of the items that are drawn."""

    @model_validator(mode="after")
    def _means_something(self) -> "Reading":
        if self.loss in ("gbce", "bpr") and self.negatives == "all":
            raise ValueError(f"{self.loss} compares a target with others that are drawn: name a number of negatives")
        if self.loss == "focal" and self.negatives not in ("all", "auto"):
            raise ValueError("focal looks at all items: leave negatives out, or take bce or gbce")
        return self


def network_of(recipe: Reading, values_IC: np.ndarray, values: int) -> Any:
    """The network before training, which hangs on the seed alone."""
    import torch

    from shortlist.nn.sequences import Items, Sequences
    from shortlist.training.losses import prior_bias

    # Of binary losses: the share of true ones among the scores that they look at.
    others, bias = others_of(recipe, len(values_IC)), 0.0
    if recipe.loss in ("bce", "gbce", "focal"):
        share = recipe.ahead / max(len(values_IC), 1) if others == "all" else 1 / (1 + _drawn(others))
        bias = prior_bias(min(0.5, share))
    said_IC = torch.from_numpy(values_IC)
    with torch.random.fork_rng():
        torch.manual_seed(Seeds(recipe.seed).number("start"))
        read, answered = (
            Items(said_IC, values, recipe.factors, forget=recipe.forget, bias=start) for start in (0.0, bias)
        )
        network = body_of(recipe, recipe.length)
    return Sequences(answered if recipe.tied else read, None if recipe.tied else answered, network, recipe.dropout)


def taught(
    recipe: Reading, net: Any, items_E: np.ndarray, starts_U: np.ndarray, values_IC: np.ndarray
) -> tuple[pl.DataFrame, Training]:
    """Trains the network in place, as `networks.trained` does; `values_IC` is what is known of the items."""
    from shortlist.training.batches import Batches

    training, seeds, items = recipe.training, Seeds(recipe.seed), len(values_IC)
    ends_U = starts_U[1:].copy()
    judge = None
    if training.patience is not None:
        able = np.flatnonzero(np.diff(starts_U) > 2)
        count = min(JUDGED, max(1, round(training.hold_out * len(able))))
        drawn = np.sort(seeds.generator("hold out").permutation(able)[:count])
        ends_U[drawn] -= 1
        if len(drawn):
            judge = partial(_judged, items_E=items_E, starts=starts_U[drawn], ends=ends_U[drawn], length=recipe.length)
    first_S, last_S, end_S = stretches(starts_U[:-1], ends_U, recipe)
    others = others_of(recipe, items)
    make = maker(items_E, first_S, last_S, end_S, recipe, others, items)
    rows = int((last_S - first_S).sum())
    batches = Batches(len(first_S), training.batch_of(rows), seeds.number("order"), make, last_S - first_S)
    # Threads pay where all items are looked at, whatever else there is.
    width = width_of(recipe, others, items) + (items if others == "all" else 0)
    loss = _loss(recipe, others, items)
    arrays = (items_E, starts_U, values_IC)
    return trained(recipe, training, net, loss, batches, width=width, judge=judge, arrays=arrays)


def body_of(recipe: Reading, length: int) -> Any:
    """The part of the network that reads vectors, as many as `length` at most."""
    from shortlist.nn.sequences import body, heads_of

    heads = heads_of(recipe.factors)
    return body(recipe.network, recipe.factors, length, recipe.hidden, recipe.layers, heads, recipe.dropout)


def width_of(recipe: Reading, others: int | str, items: int) -> int:
    """How many numbers an event leaves behind in training, about."""
    from shortlist.nn.sequences import numbers_of_a_place

    body = numbers_of_a_place(recipe.network, recipe.factors, recipe.length, recipe.hidden, recipe.layers)
    # Of all items only blocks of scores are held.
    return body if others == "all" else body + 3 * min(_drawn(others), items)


def others_of(recipe: Reading, items: int) -> int | str:
    """What a target is compared with: so many others, all, or those of the batch."""
    if recipe.negatives != "auto":
        return recipe.negatives
    if recipe.loss == "focal" or (items <= ALL_UP_TO and recipe.loss in ("softmax", "bce")):
        return "all"
    return MANY if recipe.loss == "softmax" else SOME


def _drawn(others: int | str) -> int:
    return others if isinstance(others, int) else MANY


def stretches(starts_U: np.ndarray, ends_U: np.ndarray, recipe: Reading) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is read at one go: places `first` to `last` (excluded) of the events, and the end of the user's own.

    Every place that something follows is in one of them; the newest are whole, the oldest may be shorter.
    """
    if recipe.places == "last":
        lasts = ends_U - recipe.ahead
        there = lasts > starts_U
        return np.maximum(starts_U, lasts - recipe.length)[there], lasts[there], ends_U[there]
    inputs_U = np.maximum(ends_U - starts_U - 1, 0)
    counts_U = -(-inputs_U // recipe.length)
    user_S = np.repeat(np.arange(len(starts_U)), counts_U)
    back_S = np.arange(len(user_S)) - np.repeat(np.cumsum(counts_U) - counts_U, counts_U)
    last_S = ends_U[user_S] - 1 - back_S * recipe.length
    return np.maximum(starts_U[user_S], last_S - recipe.length), last_S, ends_U[user_S]


def maker(
    items_E: np.ndarray,
    first_S: np.ndarray,
    last_S: np.ndarray,
    end_S: np.ndarray,
    recipe: Reading,
    others: int | str,
    items: int,
) -> Any:
    """Makes batches: item_BL, target_BLK (-1: none), other_N, expected_N (how often each is drawn)."""
    import torch

    item_E = torch.from_numpy(items_E.astype(np.int64))
    first, last, end = (torch.from_numpy(array) for array in (first_S, last_S, end_S))
    ahead, newest = torch.arange(1, recipe.ahead + 1), recipe.places == "last"
    share_I = torch.from_numpy((np.bincount(items_E, minlength=items) / max(len(items_E), 1)).astype(np.float32))

    def make(rows: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, ...]:
        last_B, end_B = last[rows], end[rows]
        place_BL = first[rows][:, None] + torch.arange(int((last_B - first[rows]).max()))
        item_BL = item_E[place_BL.clamp(max=len(item_E) - 1)]
        place_BLK = place_BL[..., None] + ahead
        there_BLK = (place_BL < last_B[:, None])[..., None] & (place_BLK < end_B[:, None, None])
        if newest:
            there_BLK &= (place_BL == last_B[:, None] - 1)[..., None]
        target_BLK = item_E[place_BLK.clamp(max=len(item_E) - 1)].masked_fill(~there_BLK, -1)
        if others == "batch":
            met = target_BLK[there_BLK]
            other_N = met[torch.randint(len(met), (min(len(met), MANY),), generator=random)]
            expected_N = share_I[other_N] * len(other_N)
        else:
            count = others if isinstance(others, int) else 0
            other_N = torch.randint(items, (count,), generator=random)
            expected_N = torch.full((count,), count / items)
        return item_BL, target_BLK, other_N, expected_N

    return make


def _loss(recipe: Reading, others: int | str, items: int) -> Callable[[Any, Any], Any]:
    """The loss of a batch that `maker` made."""
    import torch

    from shortlist.training import losses

    half = recipe.training.precision != "32" and _has_half()
    over_all: dict[str, Callable[..., Any]] = {
        "softmax": partial(losses.softmax, half=half),
        "bce": partial(losses.over_catalogue, losses.binary),
        "focal": partial(losses.over_catalogue, partial(losses.focal, alpha=recipe.alpha, gamma=recipe.gamma)),
    }
    beside: dict[str, Callable[..., Any]] = {
        "bce": losses.bce,
        "bpr": losses.bpr,
        "gbce": partial(
            losses.gbce, share=min(1.0, _drawn(others) / max(items - 1, 1)), calibration=recipe.calibration
        ),
    }

    def of(net: Any, batch: Any) -> Any:
        item_BL, target_BLK, other_N, expected_N = batch
        there_BL = target_BLK[..., 0] >= 0
        target_TK = target_BLK[there_BL]
        if others == "all":
            y_ID = net.outputs()
            read_BLD = torch.nn.functional.embedding(item_BL, y_ID) if recipe.tied else net.items(item_BL)
            return over_all[recipe.loss](net(read_BLD)[there_BL], y_ID, target_TK)
        row_P, of_P = (target_TK >= 0).nonzero(as_tuple=True)
        asked = torch.cat([target_TK[row_P, of_P], other_N])
        if recipe.tied:  # looked up at once: each look-up has a gradient as large as the table
            read, answers = net.items(torch.cat([item_BL.flatten(), asked])).tensor_split([item_BL.numel()])
            x_TD = net(read.view(*item_BL.shape, -1))[there_BL]
        else:
            x_TD, answers = net(net.items(item_BL))[there_BL], net.outputs(asked)
        y_PD, other_ND = answers.tensor_split([len(row_P)])
        same_TN = (target_TK[..., None] == other_N).any(dim=1)
        others_TN = (x_TD @ other_ND.T).masked_fill(same_TN, -torch.inf)
        met_P = torch.linalg.vecdot(x_TD[row_P], y_PD)
        one_P = torch.ones_like(met_P)
        if recipe.loss == "softmax":
            return losses.sampled_softmax(met_P, others_TN[row_P], one_P, expected_N)
        return beside[recipe.loss](met_P, others_TN[row_P], one_P)

    return of


def _has_half() -> bool:
    """Whether products in bfloat16 are fast here."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


def _judged(net: Any, *, items_E: np.ndarray, starts: np.ndarray, ends: np.ndarray, length: int) -> dict[str, float]:
    """How well the item at `ends` is told after those from `starts` on: its loss by softmax, and NDCG@10."""
    import torch

    firsts = np.maximum(starts, ends - length)
    lost = gained = 0.0
    y_ID = net.outputs().cpu()
    device = next(net.parameters()).device
    for rows in np.array_split(np.argsort(ends - firsts), max(1, len(ends) // 256)):
        lengths = ends[rows] - firsts[rows]
        place_BL = firsts[rows][:, None] + np.arange(lengths.max())
        item_BL = torch.from_numpy(items_E[np.minimum(place_BL, len(items_E) - 1)].astype(np.int64))
        x_BLD = net(net.items(item_BL.to(device))).float().cpu()
        score_BI = x_BLD[torch.arange(len(rows)), torch.from_numpy(lengths - 1)] @ y_ID.T
        true_B = torch.from_numpy(items_E[ends[rows]].astype(np.int64))
        lost += float(torch.nn.functional.cross_entropy(score_BI, true_B, reduction="sum"))
        met_B = score_BI.gather(1, true_B[:, None])
        for row, place in enumerate(rows):
            score_BI[row, items_E[starts[place] : ends[place]]] = -torch.inf
        before_B = (score_BI > met_B).sum(dim=1)
        gained += float((1 / torch.log2(before_B + 2.0))[before_B < 10].sum())
    return {"loss": lost / len(ends), "ndcg@10": gained / len(ends)}
