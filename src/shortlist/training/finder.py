"""Finder: the learning rate for a network, from a short run whose rate rises until the loss does.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017; the smoothing and the rule, a tenth of
the rate at which the smoothed loss is lowest, as in the first `lr_find` of fastai.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from shortlist.training.batches import Batches
from shortlist.training.loop import Loss, train
from shortlist.training.plan import Training

LOWEST, HIGHEST = 1e-5, 10.0
STEPS = 100
SMOOTHING = 0.9
"""Weight of what was before in the smoothed loss."""
TOO_MUCH = 4.0
"""Times the lowest loss at which nothing more is looked at."""


@dataclass(frozen=True)
class Found:
    """The `rates` that were tried (S,), the smoothed `losses` (S,), and the `rate` that is proposed."""

    rates: np.ndarray
    losses: np.ndarray
    rate: float


def find_rate(net: nn.Module, loss: Loss, batches: Batches, plan: Training, *, width: int) -> Found:
    """Tries rates from 10⁻⁵ to 10 on a copy of the network, which stays as it is."""
    trial = plan.model_copy(
        update={
            "learning_rate": HIGHEST,
            "weight_decay": 0.0,
            "patience": None,
            "folder": None,
            "epochs": STEPS,
            "accumulate": 1,
        }
    )
    copy = Batches(batches.rows, batches.size, batches.seed, batches.make)
    taken = train(deepcopy(net), loss, copy, trial, width=width, schedule=_rising, steps=STEPS)
    return found(taken.rate_P, taken.loss_P)


def found(rates: np.ndarray, losses: np.ndarray) -> Found:
    """The rate to take, of the losses (S,) that came of rising rates."""
    smooth_S, mean = np.empty(len(losses)), 0.0
    for step, loss in enumerate(losses):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * float(loss)
        smooth_S[step] = mean / (1 - SMOOTHING ** (step + 1))
    lost = ~np.isfinite(smooth_S) | (smooth_S > TOO_MUCH * np.minimum.accumulate(np.nan_to_num(smooth_S, nan=np.inf)))
    end = int(np.argmax(lost)) if lost.any() else len(smooth_S)
    rate = float(rates[np.argmin(smooth_S[:end])]) / 10
    return Found(rates[:end], smooth_S[:end], rate)


def _rising(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    ratio = LOWEST / HIGHEST
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: float(ratio ** (1 - step / max(steps - 1, 1))))
