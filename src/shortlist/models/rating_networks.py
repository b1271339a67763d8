"""Rating networks: what models share that learn ratings through the one training loop.

rating = low + (high - low) · σ(score(u, i)): low and high lie an eighth of the range of the ratings beyond its ends, so
that these can be reached. The network gives the score; the loss is the squared error in variances of the ratings.
Source: `sigmoid_range` in the collaborative filtering of fastai.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy import sparse
from scipy.special import expit

from shortlist.config import Config
from shortlist.models.networks import NOTHING, beside, trained
from shortlist.seeds import Seeds
from shortlist.training.plan import Training, torch_for

if TYPE_CHECKING:
    from torch import Generator, nn

MARGIN = 1 / 8
"""Of the range of the ratings, on either side."""


@dataclass(frozen=True)
class Range:
    """The ends that a rating comes near to but does not reach."""

    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Range":
        """The range of ratings (float64), and a margin; without any, or if they are all alike, one rating wide."""
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        margin = MARGIN * (high - low) or max(abs(low), 1.0) / 2
        return cls(low - margin, high + margin)

    def share(self, values: np.ndarray) -> np.ndarray:
        """Where ratings lie between the ends, from 0 to 1; written over the values."""
        values -= self.low
        values /= self.high - self.low
        return values

    def ratings(self, scores: np.ndarray) -> np.ndarray:
        """The ratings (float64) that scores stand for."""
        told: np.ndarray = self.low + (self.high - self.low) * expit(np.asarray(scores, dtype=np.float64))
        return told


@dataclass(frozen=True)
class Learnt:
    """The `weights` of a network by name, the range, the path of the loss, and the plan with its rate as it was found.

    The path is that of `networks.trained`, its losses in variances of the ratings.
    `peak_mb` is the most memory that training took, beyond what was held before; None where the system does not tell.
    """

    weights: dict[str, np.ndarray]
    range: Range
    losses: pl.DataFrame
    peak_mb: float | None
    training: Training


def learnt(
    recipe: Config,
    training: Training,
    seed: int,
    said_UI: sparse.csr_array,
    network: Callable[["Generator"], "nn.Module"],
    width: int,
) -> "Learnt":
    """What a network learns of ratings; `network` makes a module of (user_B, item_B) -> score_B."""
    torch = torch_for("training a network")
    from shortlist.training.memory import peak

    seeds = Seeds(seed)
    with peak() as most:
        net = network(torch.Generator().manual_seed(seeds.number("start")))
        span, losses, training = _taught(net, recipe, training, seeds, said_UI, width)
        weights = {name: tensor.detach().numpy() for name, tensor in net.state_dict().items()}
    return Learnt(weights, span, losses, most.mb, training)


def _taught(
    net: "nn.Module", recipe: Config, training: Training, seeds: Seeds, said_UI: sparse.csr_array, width: int
) -> tuple[Range, pl.DataFrame, Training]:
    import torch

    from shortlist.training import losses
    from shortlist.training.batches import Batches, of_tensors

    span = Range.of(said_UI.data)
    user_E = np.repeat(np.arange(said_UI.shape[0], dtype=np.int32), np.diff(said_UI.indptr))
    rows = (user_E, said_UI.indices.astype(np.int32, copy=False), span.share(said_UI.data.astype(np.float32)))
    tensors = tuple(map(torch.from_numpy, rows))
    held: tuple[Any, ...] = ()
    kept = tensors
    if training.patience is not None:
        drawn_E = torch.from_numpy(seeds.generator("hold out").permutation(len(user_E)))
        number = max(1, round(training.hold_out * len(user_E)))
        held, kept = (tuple(t[part] for t in tensors) for part in (drawn_E[:number], drawn_E[number:]))
    if not len(kept[0]):
        return span, NOTHING, training
    variance = max(float(kept[2].var(correction=0)), 1e-6)

    def loss(net: Any, batch: Any) -> Any:
        user_B, item_B, share_B = batch
        return losses.squared(torch.sigmoid(net(user_B, item_B)), share_B) / variance

    def judge(net: Any) -> dict[str, float]:
        user_N, item_N, share_N = beside(net, held)
        left_N = torch.sigmoid(net(user_N, item_N).float()) - share_N
        scale = span.high - span.low
        return {
            "loss": float(left_N.square().mean()) / variance,
            "rmse": float(left_N.square().mean().sqrt()) * scale,
            "mae": float(left_N.abs().mean()) * scale,
        }

    count = len(kept[0])
    batches = Batches(count, training.batch_of(count), seeds.number("order"), of_tensors(kept))
    path, training = trained(
        recipe,
        training,
        net,
        loss,
        batches,
        width=width,
        judge=judge if held else None,
        arrays=(said_UI.indptr, said_UI.indices, said_UI.data),
    )
    return span, path, training


def with_strangers(rows_RF: np.ndarray, said_R: np.ndarray) -> np.ndarray:
    """The rows of those who said something, the mean of these for all others, and it again at the end for strangers."""
    known_R = said_R > 0
    mean_F = rows_RF[known_R].mean(axis=0) if known_R.any() else np.zeros(rows_RF.shape[1], rows_RF.dtype)
    return np.vstack([np.where(known_R[:, None], rows_RF, mean_F), mean_F]).astype(np.float32)
