"""Networks: how models have theirs trained: a rate if none is named, the loop, and the path that the loss took."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from shortlist.config import Config
from shortlist.training.plan import Training, identity

if TYPE_CHECKING:
    from torch import nn

    from shortlist.training.batches import Batches
    from shortlist.training.loop import Judge, Loss

NOTHING = pl.DataFrame(schema={"step": pl.Int64, "rate": pl.Float64, "loss": pl.Float64, "of": pl.String})
"""The path of a network that had nothing to learn from."""
ROW_BYTES = 12
"""Of a row while it is learnt from: user, item, rating or weight."""
RISING = "rising rate"
"""What points of the run are of that looked for a rate."""


def trained(
    recipe: Config,
    training: Training,
    net: "nn.Module",
    loss: "Loss",
    batches: "Batches",
    *,
    width: int,
    judge: "Judge | None" = None,
    arrays: tuple[np.ndarray, ...] = (),
) -> tuple[pl.DataFrame, Training]:
    """Trains `net` in place; gives the path of the loss, and the plan with its rate as it was found.

    The path has the columns `step`, `rate`, `loss` and `of`: training, held out, or `RISING` where a rate was looked
    for. `arrays` are what is learnt from: with the recipe they tell one training from another.
    """
    from shortlist.training import finder, loop

    parts = []
    if training.learning_rate == "auto":
        found = finder.find_rate(net, loss, batches, training, width=width)
        training = training.model_copy(update={"learning_rate": found.rate})
        steps = np.arange(1, len(found.rates) + 1)
        parts.append(_points(steps, found.losses, RISING, found.rates))
    told = identity(recipe, *arrays) if training.folder is not None else ""
    taken = loop.train(net, loss, batches, training, width=width, judge=judge, identity=told)
    parts.append(_points(taken.step_P, taken.loss_P, "training", taken.rate_P))
    if taken.figures:
        ends = np.arange(1, len(taken.figures["loss"]) + 1) * len(batches) // training.accumulate
        parts.append(_points(ends, taken.figures["loss"], "held out"))
    return pl.concat(parts), training


def beside(net: "nn.Module", tensors: Sequence[Any]) -> tuple[Any, ...]:
    """The tensors where the network's weights are, be it on a GPU."""
    device = next(net.parameters()).device
    return tuple(tensor.to(device) for tensor in tensors)


def _points(steps: np.ndarray, losses: np.ndarray, of: str, rates: Any = None) -> pl.DataFrame:
    rates = pl.Series(rates, dtype=pl.Float64) if rates is not None else pl.lit(None, pl.Float64)
    points = pl.DataFrame({"step": steps, "loss": losses}).with_columns(rate=rates, of=pl.lit(of))
    return points.select("step", "rate", "loss", "of").cast({"step": pl.Int64, "loss": pl.Float64})
