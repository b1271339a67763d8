"""Networks of texts: a vector for a bag of terms, and heads on the vectors of any encoder.

Shapes: B bags or users, E entries of bags, V texts, C items, P projections, R relations, N relatives at
most, D numbers of a vector.
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


class Heads(nn.Module):
    """An encoder, and what makes of its vectors those that are compared: see `models.heads`."""

    def __init__(self, encoder: nn.Module, width: int, projections: int, relations: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.user, self.item, self.relation = (
            nn.Parameter(torch.zeros(count, width, width)) for count in (projections, projections, relations)
        )

    def forward(self, *texts: torch.Tensor) -> torch.Tensor:
        """The vectors of texts by the encoder alone."""
        vectors: torch.Tensor = self.encoder(*texts)
        return vectors

    def users(self, own_VD: torch.Tensor, own_B: torch.Tensor, relative_RBN: torch.Tensor) -> torch.Tensor:
        """The vectors (B × D) of the users that stand at `own_B` among texts, their relatives at `relative_RBN`."""
        there_RBN = (relative_RBN >= 0) & own_VD.detach().any(dim=1)[relative_RBN]
        met_RBND = own_VD[relative_RBN.clamp(min=0)] * there_RBN[..., None]
        mean_RBD = met_RBND.sum(dim=2) / there_RBN.sum(dim=2).clamp(min=1)[..., None]
        own_BD = own_VD[own_B]
        beside_BD = torch.einsum("rbd,rde->be", mean_RBD, self.relation)
        return functional.normalize(own_BD + torch.einsum("bd,pde->be", own_BD, self.user) + beside_BD, dim=1)

    def items(self, own_CD: torch.Tensor) -> torch.Tensor:
        """The vectors (C × D) of items."""
        return functional.normalize(own_CD + torch.einsum("cd,pde->ce", own_CD, self.item), dim=1)
