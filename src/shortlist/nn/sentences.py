"""Sentence encoders: a network from a directory of sentence-transformers or model2vec, given rows of tokens.

Texts of about one length go through together, so that little is padded; the order that they came in is restored.

Shapes: B texts, E tokens of them, L tokens of the longest, D numbers of a vector.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Recompute = Literal["nothing", "layers", "texts"]
"""What is computed again on the way back rather than held: nothing; within layers; all but the vectors of texts."""
PROMPTS = {"user": ("query",), "item": ("document", "passage")}
"""Names of the words that a directory wants before the texts of either side."""


class ByLength(nn.Module):
    """What reads rows of tokens, `at_once` of about one length together, by a `transformer` if there is one.

    With `recompute` "texts" the way back holds the activations of `at_once` texts, however many are in a batch.
    Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021 (cached
    gradients); of layers: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """

    def __init__(self, transformer: Any, tokens: int, at_once: int, recompute: Recompute) -> None:
        super().__init__()
        self._config = getattr(transformer, "config", None)
        self._tokens, self._at_once, self._recompute = tokens, at_once, recompute
        if recompute == "layers" and transformer is not None:
            again = getattr(transformer, "activation_checkpointing_enable", None)
            (again or transformer.gradient_checkpointing_enable)({"use_reentrant": False})

    @property
    def weights(self) -> int:
        """Numbers that training changes."""
        return sum(weight.numel() for weight in self.parameters())

    def held(self, width: int) -> tuple[int, int]:
        """Numbers that are held for the way back, of texts as long as are looked at: of each text of a batch, and of
        those beside them that go through together; `width` is what a text becomes.

        A layer of width H, inner width F and A heads holds 10.5 H + 2 F + 3 A L of a token among L, as counted in
        BERT's with dropout.
        """
        tokens, config = self._tokens, self._config
        if config is None or not hasattr(config, "num_hidden_layers"):
            return width, 0
        layers, wide, heads = config.num_hidden_layers, config.hidden_size, config.num_attention_heads
        layer = int(tokens * (10.5 * wide + 2 * config.intermediate_size + 3 * heads * tokens))
        match self._recompute:
            case "nothing":
                return layers * layer, 0
            case "layers":
                return (layers + 1) * wide * tokens, self._at_once * layer
            case "texts":
                return width, self._at_once * layers * layer

    def forward(self, token_E: torch.Tensor, start_B: torch.Tensor) -> torch.Tensor:
        """What the texts that start at `start_B` become (B × ..., float32)."""
        length_B = torch.diff(start_B, append=start_B.new_tensor([len(token_E)]))
        order_B = torch.argsort(length_B, stable=True)
        parts = [self._part(token_E, start_B[some], length_B[some]) for some in torch.split(order_B, self._at_once)]
        return torch.cat(parts)[torch.argsort(order_B)]

    def _part(self, token_E: torch.Tensor, start_B: torch.Tensor, length_B: torch.Tensor) -> torch.Tensor:
        place_L = torch.arange(int(length_B.max()), device=token_E.device)
        there_BL = place_L < length_B[:, None]
        at_BL = (start_B[:, None] + place_L).clamp(max=max(len(token_E) - 1, 0))
        token_BL = token_E[at_BL].long()
        if self._recompute == "texts" and torch.is_grad_enabled():
            read: torch.Tensor = checkpoint(self._read, token_BL, there_BL, use_reentrant=False)
            return read
        return self._read(token_BL, there_BL)

    def _read(self, token_BL: torch.Tensor, there_BL: torch.Tensor) -> torch.Tensor:
        """What texts become that have tokens where `there_BL` says so."""
        raise NotImplementedError


class Sentences(ByLength):
    """The vectors (B × D) of rows of tokens, made of length one."""

    def __init__(self, inner: SentenceTransformer, tokens: int, at_once: int, recompute: Recompute = "nothing") -> None:
        longest = int(min(tokens, inner.max_seq_length or tokens))
        super().__init__(getattr(inner[0], "auto_model", None), longest, at_once, recompute)
        self.inner = inner

    @property
    def _first(self) -> Any:
        return self.inner[0]

    @property
    def _tokenizer(self) -> Any:
        return self.inner.tokenizer

    @property
    def is_static(self) -> bool:
        """Whether the vector of a text is the mean of those of its tokens."""
        return isinstance(self.inner[0], StaticEmbedding)

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self.inner.get_embedding_dimension() or 0)

    @property
    def numbers(self) -> tuple[int, int]:
        """Numbers that are held for the way back: see `held`."""
        return self.held(self.width)

    def tokens(self, texts: Sequence[str], side: Literal["user", "item"]) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of texts, one after the other (int32), and where each text begins (int64), the end behind them."""
        prompts = self.inner.prompts or {}
        prompt = next((told for name in PROMPTS[side] if (told := prompts.get(name))), "")
        said, first, tokenizer = [prompt + text for text in texts], self._first, self._tokenizer
        if self.is_static:
            rows = [row.ids[: self._tokens] for row in first.tokenizer.encode_batch(said, add_special_tokens=False)]
        else:
            rows = tokenizer(said, truncation=True, max_length=self._tokens, padding=False)["input_ids"]
        starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return np.fromiter((token for row in rows for token in row), np.int32, starts[-1]), starts

    def _read(self, token_BL: torch.Tensor, there_BL: torch.Tensor) -> torch.Tensor:
        if self.is_static:
            flat, lengths = token_BL[there_BL], there_BL.sum(dim=1)
            told = {"input_ids": flat, "offsets": lengths.cumsum(0) - lengths}
        else:
            pad = self._tokenizer.pad_token_id or 0
            told = {"input_ids": token_BL.masked_fill(~there_BL, pad), "attention_mask": there_BL.long()}
        return functional.normalize(self.inner(told)["sentence_embedding"].float(), dim=1)


@contextmanager
def encoding(precision: str) -> Iterator[None]:
    """Without gradients, in a precision: "32", "bf16" or "auto" (bf16 where the processor multiplies in it)."""
    half = precision == "bf16" or (precision == "auto" and multiplies_in_bf16())
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        yield


def multiplies_in_bf16() -> bool:
    """Whether this processor has instructions for products in bfloat16."""
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
