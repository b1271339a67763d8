"""Networks of ratings: a score for a pair of a user and an item.

Shapes: B pairs, U users, I items, F factors, H numbers of a hidden layer.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from shortlist.nn.starts import embedding, linear


class DotProduct(nn.Module):
    """The product of two vectors and a bias of each: embeddings have F + 1 numbers, the bias last."""

    def __init__(self, users: int, items: int, factors: int, generator: torch.Generator) -> None:
        super().__init__()
        self.user, self.item = (embedding(rows, factors + 1, generator) for rows in (users, items))

    def forward(self, user_B: torch.Tensor, item_B: torch.Tensor) -> torch.Tensor:
        """The scores (B,)."""
        score_B: torch.Tensor = _Score.apply(self.user(user_B), self.item(item_B))  # type: ignore[no-untyped-call]
        return score_B


class _Score(torch.autograd.Function):
    """x_B · y_B but for the last numbers, which are added; by hand, as slices would be copied on the way back."""

    @staticmethod
    def forward(ctx: Any, x_BD: torch.Tensor, y_BD: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x_BD, y_BD)
        product_B: torch.Tensor = torch.linalg.vecdot(x_BD[:, :-1], y_BD[:, :-1])
        product_B += x_BD[:, -1] + y_BD[:, -1]
        return product_B

    @staticmethod
    def backward(ctx: Any, grad_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x_BD, y_BD = ctx.saved_tensors
        to_x_BD, to_y_BD = grad_B[:, None] * y_BD, grad_B[:, None] * x_BD
        to_x_BD[:, -1] = grad_B
        to_y_BD[:, -1] = grad_B
        return to_x_BD, to_y_BD


class Concatenated(nn.Module):
    """The vectors of both, one after the other, through hidden layers of rectified linear units."""

    def __init__(
        self,
        users: int,
        items: int,
        factors: int,
        layers: Sequence[int],
        dropout: float,
        generator: torch.Generator,
        *,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.user, self.item = (embedding(rows, factors, generator) for rows in (users, items))
        sizes = [2 * factors, *layers, 1]
        self.layers = nn.ModuleList(linear(a, b, generator) for a, b in pairwise(sizes))
        self.dropout, self._recompute = dropout, recompute

    def forward(self, user_B: torch.Tensor, item_B: torch.Tensor) -> torch.Tensor:
        """The scores (B,)."""
        h_BH = torch.cat([self.user(user_B), self.item(item_B)], dim=1)
        *hidden, last = self.layers
        for layer in hidden:
            if self._recompute and torch.is_grad_enabled():
                h_BH = checkpoint(self._hidden, layer, h_BH, use_reentrant=False)
            else:
                h_BH = self._hidden(layer, h_BH)
        score_B: torch.Tensor = last(h_BH)[:, 0]
        return score_B

    def _hidden(self, layer: nn.Module, h_BH: torch.Tensor) -> torch.Tensor:
        return functional.dropout(functional.relu(layer(h_BH)), self.dropout, self.training)
