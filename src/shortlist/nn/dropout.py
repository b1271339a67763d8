"""Dropout that costs little on a CPU, where torch draws a number of its own for each that it may leave out."""

import torch
from torch.nn import functional

LEVELS = 256
"""Parts of one in which a share is told: a number is kept or left out by one byte."""


def dropout(x: torch.Tensor, share: float, training: bool) -> torch.Tensor:
    """`x` with a `share` (to a 256th) of its numbers left out and the others so much larger, in training; else as is.

    Eight bytes are drawn at a time, from the generator that torch's own dropout draws from.
    """
    if not training or share == 0:
        return x
    if x.device.type != "cpu":
        return functional.dropout(x, share, training)
    kept = max(1, round((1 - share) * LEVELS))
    words = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 8),))
    left = words.view(torch.uint8)[: x.numel()].view(x.shape) < kept
    return x * left.to(x.dtype).mul_(LEVELS / kept)
