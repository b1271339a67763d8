"""Networks that read two texts together and give the log-odds that they belong together.

Shapes: B pairs, E entries or tokens of them, L tokens of the longest, T terms, D numbers of a vector.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from shortlist.nn.sentences import ByLength, Recompute


class TermPairs(nn.Module):
    """Of bags of terms: what their vectors share, number by number, and which terms both have, through one layer.

    The vectors start in random directions, as long as `length_T` says.
    """

    def __init__(self, length_T: torch.Tensor, factors: int, generator: torch.Generator) -> None:
        super().__init__()
        start = torch.randn(len(length_T), factors, generator=generator) * (length_T / factors**0.5)[:, None]
        self.weight = nn.Parameter(start)
        self.hidden, self.out = nn.Linear(2 * factors + 2, factors), nn.Linear(factors, 1)
        for layer in (self.hidden, self.out):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, *bags: torch.Tensor) -> torch.Tensor:
        """The log-odds (B): of the first texts, of the second and of what both have, terms, starts and weights."""
        first_BD, second_BD, both_BD = (self._summed(*bags[at : at + 3]) for at in (0, 3, 6))
        lengths_B = first_BD.norm(dim=1) * second_BD.norm(dim=1)
        overlap_B = both_BD.norm(dim=1) / lengths_B.clamp(min=1e-6).sqrt()
        product_BD = functional.normalize(first_BD, dim=1) * functional.normalize(second_BD, dim=1)
        seen_BF = torch.cat(
            [
                product_BD * product_BD.shape[1] ** 0.5,
                functional.normalize(both_BD, dim=1),
                product_BD.sum(dim=1, keepdim=True),
                overlap_B[:, None],
            ],
            dim=1,
        )
        odds_B1: torch.Tensor = self.out(functional.relu(self.hidden(seen_BF)))
        return odds_B1[:, 0]

    def _summed(self, term_E: torch.Tensor, start_B: torch.Tensor, weight_E: torch.Tensor) -> torch.Tensor:
        return functional.embedding_bag(term_E, self.weight, start_B, mode="sum", per_sample_weights=weight_E)


class TokenPairs(ByLength):
    """Of rows of tokens, a user's and an item's text in each: a transformer that attends from either to the other."""

    def __init__(self, inner: Any, tokenizer: Any, tokens: int, at_once: int, recompute: Recompute = "nothing") -> None:
        longest = int(min(tokens, inner.config.max_position_embeddings, tokenizer.model_max_length))
        super().__init__(inner, longest, at_once, recompute)
        self.inner, self.tokenizer = inner, tokenizer

    def tokens(self, first: Sequence[str], second: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of pairs, one after the other (int32), and where each begins (int64), the end behind them.

        Of what is too long the longer text is cut first.
        """
        told = self.tokenizer(
            list(first), list(second), truncation="longest_first", max_length=self._tokens, padding=False
        )
        rows = told["input_ids"]
        starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return np.fromiter((token for row in rows for token in row), np.int32, starts[-1]), starts

    def _read(self, token_BL: torch.Tensor, there_BL: torch.Tensor) -> torch.Tensor:
        pad, end = self.tokenizer.pad_token_id or 0, self.tokenizer.sep_token_id
        told = {"input_ids": token_BL.masked_fill(~there_BL, pad), "attention_mask": there_BL.long()}
        if getattr(self.inner.config, "type_vocab_size", 1) > 1:  # the second text begins behind the first mark
            ends_BL = (token_BL == end) & there_BL
            told["token_type_ids"] = (((ends_BL.cumsum(dim=1) - ends_BL.long()) > 0) & there_BL).long()
        odds_B: torch.Tensor = self.inner(**told).logits[:, 0].float()
        return odds_B
