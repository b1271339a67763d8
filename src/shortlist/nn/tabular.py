"""Networks of rows: the numbers, the categories and the text of a row through hidden layers to one number.

Shapes: B rows, D numbers of a row, C categories, F numbers of a category's vector, H numbers of a hidden layer.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from shortlist.nn.dropout import dropout
from shortlist.nn.starts import embedding, linear


class Tabular(nn.Module):
    """What a row is, part after part, through rectified linear units; a text that learns is one of the parts.

    `rate_shares` tells the loop that the text's own weights are to learn more slowly than all others: they were
    trained before, and the others start from nothing. Source: Howard, Ruder, "Universal Language Model Fine-tuning for
    Text Classification", ACL 2018 (discriminative fine-tuning).
    """

    def __init__(
        self,
        text: nn.Module | None,
        sizes: Sequence[int],
        factors: int,
        widths: Sequence[int],
        share: float,
        left_out: float,
        generator: torch.Generator,
    ) -> None:
        """`sizes` are the values of each category, `widths` the numbers of all parts together and of hidden layers."""
        super().__init__()
        self.text, self._left_out = text, left_out
        self.rate_shares: Mapping[str, float] = {"text.": share} if text is not None else {}
        self.categories = nn.ModuleList(embedding(size, factors, generator) for size in sizes)
        self.layers = nn.ModuleList(linear(a, b, generator) for a, b in pairwise([*widths, 1]))
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]  # the mean is where learning starts

    def forward(self, number_BD: torch.Tensor, code_BC: torch.Tensor, *text: torch.Tensor) -> torch.Tensor:
        """The numbers (B,)."""
        parts = [number_BD, *(vectors(code_BC[:, place]) for place, vectors in enumerate(self.categories))]
        if self.text is not None:
            vector_BT = self.text(*text)
            parts.append(vector_BT * vector_BT.shape[1] ** 0.5)
        h_BH = torch.cat(parts, dim=1)
        *hidden, last = self.layers
        for layer in hidden:
            h_BH = dropout(functional.relu(layer(h_BH)), self._left_out, self.training)
        number_B: torch.Tensor = last(h_BH)[:, 0].float()
        return number_B
