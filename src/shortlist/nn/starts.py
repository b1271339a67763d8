"""Starts: parts of networks before training, drawn from a generator of their own."""

import torch
from torch import nn

START = 0.01
"""Standard deviation of embeddings before training."""


def embedding(rows: int, width: int, generator: torch.Generator) -> nn.Embedding:
    """Small vectors in random directions."""
    return nn.Embedding(rows, width, _weight=START * torch.randn(rows, width, generator=generator))


def linear(width: int, to: int, generator: torch.Generator) -> nn.Linear:
    """A layer before rectified linear units, or the last. Source: He et al., ICCV 2015."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, width, to)  # type: ignore[no-untyped-call]
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
