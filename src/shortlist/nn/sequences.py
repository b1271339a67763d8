"""Networks of sequences: from the items of a history to a vector for what comes next, at every place of it.

A vector at a place hangs on the items up to it alone. Histories of a batch begin at the first place and are as long as
the longest; what stands behind the end of a shorter one changes nothing before it.

Shapes: B histories, L places, I items, V values of attributes, C values of an item at most, F numbers of a vector of
an item, D = F + 1 with its bias last, H heads.
"""

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from shortlist.nn.dropout import dropout

START = 0.02
"""Standard deviation of the vectors of items before training."""
WIDER = 4
"""Times as wide as a vector of an item a transformer's hidden layer is."""

Kind = Literal["sasrec", "gru", "mlp"]


class Items(nn.Module):
    """Vectors of items: one of each item's own, and one for each value of an attribute that it has; they are summed.

    In training an item's own vector is left out with a chance of `forget`, so that the values alone come to say what
    can be said: an item that nobody met has no more than these.
    """

    def __init__(self, values_IC: torch.Tensor, values: int, factors: int, *, forget: float, bias: float) -> None:
        super().__init__()
        self.own = nn.Embedding(len(values_IC), factors + 1)
        self.of_value = nn.Embedding(values + 1, factors + 1, padding_idx=values)
        for table in (self.own, self.of_value):
            nn.init.normal_(table.weight, std=START)
            table.weight.data[:, -1] = 0
        self.own.weight.data[:, -1] = bias
        self.of_value.weight.data[values] = 0
        self.register_buffer("values", values_IC, persistent=False)
        self._forget, self._none = forget, values

    def forward(self, items: torch.Tensor | None = None) -> torch.Tensor:
        """The vectors (…, D) of items (…), or those of all (I, D)."""
        own = self.own.weight if items is None else self.own(items)
        if self._none == 0:
            return own
        if self.training and self._forget:
            own = own * (torch.rand(own.shape[:-1], device=own.device) >= self._forget)[..., None]
        return own + self.of_attributes(items)

    def of_attributes(self, items: torch.Tensor | None = None) -> torch.Tensor:
        """What the values of their attributes say of items (…, D): zeros where there are none."""
        values: torch.Tensor = self.values if items is None else self.values[items]  # type: ignore[assignment,index]
        flat = values.reshape(-1, values.shape[-1])
        told = functional.embedding_bag(flat, self.of_value.weight, mode="sum", padding_idx=self._none)
        return told.reshape(*values.shape[:-1], -1)


class Sequences(nn.Module):
    """Vectors of items, and a body that reads them in their order."""

    def __init__(self, items: Items, outputs: Items | None, body: nn.Module, dropout: float) -> None:
        super().__init__()
        self.items, self.body, self._dropout = items, body, dropout
        self.others = outputs

    @property
    def outputs(self) -> Items:
        """The vectors of items as answers: those of the input, or others."""
        return self.items if self.others is None else self.others

    def forward(self, item_BLD: torch.Tensor) -> torch.Tensor:
        """A vector (B, L, D) for what follows each place, its last number 1, of the vectors of the items met."""
        x_BLF = dropout(item_BLD[..., :-1], self._dropout, self.training)
        h_BLF = dropout(self.body(x_BLF), self._dropout, self.training)
        return functional.pad(h_BLF, (0, 1), value=1.0)


class Transformer(nn.Module):
    """Blocks of causal self-attention over vectors of places and items.

    Source: Kang, McAuley, "Self-Attentive Sequential Recommendation" (SASRec), ICDM 2018.
    Differs: layers are normalised before and not after, the hidden layer is four times as wide and of GELU, and places
    count from the beginning of what is read.
    """

    def __init__(self, factors: int, length: int, blocks: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.place = nn.Embedding(length, factors)
        nn.init.normal_(self.place.weight, std=START)
        self.blocks = nn.ModuleList(_Block(factors, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(factors)

    def forward(self, x_BLF: torch.Tensor) -> torch.Tensor:
        """Vectors (B, L, F)."""
        x_BLF = x_BLF + self.place.weight[: x_BLF.shape[1]]
        for block in self.blocks:
            x_BLF = block(x_BLF)
        out: torch.Tensor = self.norm(x_BLF)
        return out


class _Block(nn.Module):
    def __init__(self, factors: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(factors) for _ in range(2))
        self.attend, self.joined = nn.Linear(factors, 3 * factors), nn.Linear(factors, factors)
        self.up, self.down = nn.Linear(factors, WIDER * factors), nn.Linear(WIDER * factors, factors)
        self._heads, self._dropout = heads, dropout

    def forward(self, x_BLF: torch.Tensor) -> torch.Tensor:
        b, l, f = x_BLF.shape  # noqa: E741
        q, k, v = self.attend(self.norms[0](x_BLF)).view(b, l, 3, self._heads, f // self._heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, l, f)
        x_BLF = x_BLF + self._drop(self.joined(seen))
        return x_BLF + self._drop(self.down(self._drop(functional.gelu(self.up(self.norms[1](x_BLF))))))

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return dropout(x, self._dropout, self.training)


class Recurrent(nn.Module):
    """Layers of gated recurrent units, and a linear one back to the width of the items.

    Source: Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks" (GRU4Rec), ICLR 2016.
    """

    def __init__(self, factors: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.units = nn.GRU(factors, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.out, self.norm = nn.Linear(hidden, factors), nn.LayerNorm(factors)

    def forward(self, x_BLF: torch.Tensor) -> torch.Tensor:
        """Vectors (B, L, F)."""
        out: torch.Tensor = self.norm(self.out(self.units(x_BLF)[0]))
        return out


class Windows(nn.Module):
    """The vectors of the last so many places, one after the other, through hidden layers of rectified linear units.

    Places before the first hold zeros.
    Source: the network of P. Vanapalli, "Using Focal Loss for Deep Recommender Systems", 2018, at every place.
    """

    def __init__(self, factors: int, length: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        sizes = [length * factors, *[hidden] * layers]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.out = nn.Linear(hidden, factors)
        self._length, self._dropout = length, dropout

    def forward(self, x_BLF: torch.Tensor) -> torch.Tensor:
        """Vectors (B, L, F)."""
        window_BLFP = functional.pad(x_BLF, (0, 0, self._length - 1, 0)).unfold(1, self._length, 1)
        h = window_BLFP.transpose(2, 3).flatten(2)
        for layer in self.layers:
            h = dropout(functional.relu(layer(h)), self._dropout, self.training)
        out: torch.Tensor = self.out(h)
        return out


def body(kind: Kind, factors: int, length: int, hidden: int, layers: int, heads: int, dropout: float) -> nn.Module:
    """The body of a kind: `layers` are blocks, layers of units or hidden layers; what a kind lacks is not looked at."""
    match kind:
        case "sasrec":
            return Transformer(factors, length, layers, heads, dropout)
        case "gru":
            return Recurrent(factors, hidden, layers, dropout)
        case "mlp":
            return Windows(factors, length, hidden, layers, dropout)


def numbers_of_a_place(kind: Kind, factors: int, length: int, hidden: int, layers: int) -> int:
    """How many numbers a place of a history leaves behind on the way through a body, about."""
    match kind:
        case "sasrec":
            return factors * (2 + layers * (8 + 3 * WIDER))
        case "gru":
            return 2 * factors + layers * 8 * hidden
        case "mlp":
            return factors * (1 + 2 * length) + 3 * layers * hidden


def heads_of(factors: int) -> int:
    """Heads of about 32 numbers each that divide a vector.

    >>> [heads_of(factors) for factors in (8, 50, 64, 128)]
    [1, 1, 2, 4]
    """
    return math.gcd(factors, max(1, factors // 32))
