"""Networks of texts: a vector for a bag of terms.

Shapes: B bags, E entries of them, D numbers of a vector.
"""

import torch
from torch import nn
from torch.nn import functional


class Bags(nn.Module):
    """The sum of the vectors of a bag's terms, each by its weight, made of length one.

    Before training the vectors are drawn, all of about the length that `length` says: products of bags are then about
    those of their weights.
    """

    def __init__(self, length: torch.Tensor, factors: int, generator: torch.Generator) -> None:
        super().__init__()
        start = torch.randn(len(length), factors, generator=generator) * (length / factors**0.5)[:, None]
        self.weight = nn.Parameter(start)

    def forward(self, term_E: torch.Tensor, start_B: torch.Tensor, weight_E: torch.Tensor) -> torch.Tensor:
        """The vectors (B × D) of bags that start at `start_B`; zeros for a bag of nothing."""
        summed = functional.embedding_bag(term_E, self.weight, start_B, mode="sum", per_sample_weights=weight_E)
        return functional.normalize(summed, dim=1)
