"""Training: how a network is trained, whichever it is: how long, in what steps, and when it is kept."""

import hashlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from shortlist.config import Config, to_toml
from shortlist.errors import MissingExtraError

STEPS = 160
"""Steps of an epoch that the automatic batch size aims at."""
SMALLEST, LARGEST = 64, 65_536
"""Rows of an automatic batch at least and at most."""


class Training(Config):
    """Recipe for the one loop that trains every network."""

    epochs: PositiveInt = 5
    """Times that every row is learnt from."""
    batch_size: PositiveInt | Literal["auto"] = "auto"
    """Rows that are learnt from at once; auto: the power of two that makes 80 to 160 steps of an epoch."""
    learning_rate: PositiveFloat | Literal["auto"] = 0.01
    """The learning rate at its highest; auto: a run of rising rates finds it."""
    schedule: Literal["one_cycle", "warm_up", "constant"] = "one_cycle"
    """Up and down again along cosines; up along a line and then constant; or the same all the time."""
    warm_up: float = Field(0.25, ge=0, lt=1)
    """Share of the steps in which the rate rises."""
    weight_decay: NonNegativeFloat = 0.5
    """What a weight loses in a step, as a share of itself and of the learning rate; no part of the gradient."""
    epsilon: PositiveFloat = 1e-5
    """What Adam adds to the root of a gradient's mean square: gradients that are smaller by far move nothing."""
    accumulate: PositiveInt = 1
    """Batches whose gradients are added up before a step: a batch so many times as large in the memory of one."""
    clip: PositiveFloat | None = None
    """Length that a gradient is shortened to."""
    precision: Literal["auto", "32", "bf16"] = "auto"
    """Of products of matrices; auto: bf16 on a GPU that has it, else 32 bits."""
    patience: PositiveInt | None = None
    """Epochs without a better figure on what is held out, after which training stops; none: all epochs are trained."""
    stop_on: str = "loss"
    """That figure: the loss, or a metric that the model knows, such as rmse."""
    hold_out: float = Field(0.1, gt=0, lt=1)
    """Share of the rows that is held out where there is a patience."""
    folder: str | None = None
    """Where training is kept while it runs, with a log in CSV; what stands there unfinished is gone on with."""
    every: PositiveFloat = 60.0
    """Seconds between one time that it is kept and the next."""
    tensorboard: bool = False
    """Whether the log is written in the folder for TensorBoard too (the extra of that name)."""

    @model_validator(mode="after")
    def _means_something(self) -> "Training":
        if self.tensorboard and self.folder is None:
            raise ValueError("tensorboard needs a folder to write its log to: name one")
        # Whether it was named cannot be told of a recipe that was written down whole and read again.
        if self.schedule == "constant" and self.warm_up != type(self).model_fields["warm_up"].default:
            raise ValueError("a constant rate has no warm_up: leave it out, or name another schedule")
        return self

    def in_part(self, part: str) -> "Training":
        """The same; where it is kept in a folder, in one of a part of its own within."""
        return self if self.folder is None else self.model_copy(update={"folder": str(Path(self.folder) / part)})

    def batch_of(self, rows: int) -> int:
        """The rows of a batch where there are so many in all."""
        if self.batch_size != "auto":
            return self.batch_size
        size = SMALLEST
        while size < LARGEST and rows / size > STEPS:
            size *= 2
        return size


def torch_for(why: str) -> Any:
    """The library that tensors come from, and that of the loop with it; without them, `MissingExtraError`."""
    try:
        import pytorch_lightning  # noqa: F401
        import torch
    except ImportError:
        raise MissingExtraError("torch", "torch", why) from None
    return torch


def identity(recipe: Config, *arrays: np.ndarray) -> str:
    """What tells one training from another: the recipe, and what is learnt from."""
    digest = hashlib.sha256(to_toml(recipe).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
