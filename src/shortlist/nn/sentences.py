"""Sentence encoders: a network from a directory of sentence-transformers or model2vec, given rows of tokens.

Nothing is fetched and no code of the directory is run; weights come from safetensors alone. Texts of about one length
go through together, so that little is padded; the order that they came in is restored.

Shapes: B texts, E tokens of them, L tokens of the longest, D numbers of a vector.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers.utils import logging as transformers_logging

from shortlist.errors import ConfigError

Recompute = Literal["nothing", "layers", "texts"]
"""What is computed again on the way back rather than held: nothing; within layers; all but the vectors of texts."""
PICKLED = ("pytorch_model*.bin", "adapter_model*.bin", "*.pt", "*.pth", "*.pkl")
"""Names of files of weights that may run code when they are read."""
PROMPTS = {"user": ("query",), "item": ("document", "passage")}
"""Names of the words that a directory wants before the texts of either side."""


class Sentences(nn.Module):
    """The vectors of rows of tokens, made of length one.

    With `recompute` "texts" the way back holds the activations of `at_once` texts, however many are in a batch.
    Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", 2021 (cached
    gradients); of layers: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
    """

    def __init__(self, inner: SentenceTransformer, tokens: int, at_once: int, recompute: Recompute = "nothing") -> None:
        super().__init__()
        self.inner, self._at_once, self._recompute = inner, at_once, recompute
        self._tokens = int(min(tokens, inner.max_seq_length or tokens))
        if recompute == "layers" and not self.is_static:
            model = self._first.auto_model
            again = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
            again({"use_reentrant": False})

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
    def weights(self) -> int:
        """Numbers that training changes."""
        return sum(weight.numel() for weight in self.parameters())

    @property
    def numbers(self) -> tuple[int, int]:
        """Numbers that are held for the way back, of texts as long as are looked at: of each text of a batch, and of
        those beside them that go through together.

        A layer of width H, inner width F and A heads holds 10.5 H + 2 F + 3 A L of a token among L, as counted in
        BERT's with dropout.
        """
        tokens, config = self._tokens, getattr(getattr(self.inner[0], "auto_model", None), "config", None)
        if config is None or not hasattr(config, "num_hidden_layers"):
            return self.width, 0
        layers, wide, heads = config.num_hidden_layers, config.hidden_size, config.num_attention_heads
        layer = int(tokens * (10.5 * wide + 2 * config.intermediate_size + 3 * heads * tokens))
        match self._recompute:
            case "nothing":
                return layers * layer, 0
            case "layers":
                return (layers + 1) * wide * tokens, self._at_once * layer
            case "texts":
                return self.width, self._at_once * layers * layer

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

    def forward(self, token_E: torch.Tensor, start_B: torch.Tensor) -> torch.Tensor:
        """The vectors (B × D, float32) of texts that start at `start_B`."""
        length_B = torch.diff(start_B, append=start_B.new_tensor([len(token_E)]))
        order_B = torch.argsort(length_B, stable=True)
        parts = [self._vectors(token_E, start_B[some], length_B[some]) for some in torch.split(order_B, self._at_once)]
        return torch.cat(parts)[torch.argsort(order_B)]

    def _vectors(self, token_E: torch.Tensor, start_B: torch.Tensor, length_B: torch.Tensor) -> torch.Tensor:
        place_L = torch.arange(int(length_B.max()), device=token_E.device)
        there_BL = place_L < length_B[:, None]
        at_BL = (start_B[:, None] + place_L).clamp(max=max(len(token_E) - 1, 0))
        token_BL = token_E[at_BL].long()
        if self._recompute == "texts" and torch.is_grad_enabled():
            vectors: torch.Tensor = checkpoint(self._encoded, token_BL, there_BL, use_reentrant=False)
            return vectors
        return self._encoded(token_BL, there_BL)

    def _encoded(self, token_BL: torch.Tensor, there_BL: torch.Tensor) -> torch.Tensor:
        if self.is_static:
            flat, lengths = token_BL[there_BL], there_BL.sum(dim=1)
            told = {"input_ids": flat, "offsets": lengths.cumsum(0) - lengths}
        else:
            pad = self._tokenizer.pad_token_id or 0
            told = {"input_ids": token_BL.masked_fill(~there_BL, pad), "attention_mask": there_BL.long()}
        return functional.normalize(self.inner(told)["sentence_embedding"].float(), dim=1)


def opened(folder: Path) -> SentenceTransformer:
    """The network that a directory holds. One that is none, is damaged, names code that is not sentence-transformers'
    own, or keeps its weights in pickles, raises `ConfigError`.
    """
    _looked_at(folder)
    try:
        with _quiet():
            if not (folder / "modules.json").exists() and _is_model2vec(folder):
                return SentenceTransformer(modules=[_static(folder)], device="cpu")
            inner = SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
            )
    except (OSError, ValueError, KeyError, TypeError, ImportError, SafetensorError) as error:
        told = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{str(folder)!r} cannot be read as an encoder: {told[0]}") from error
    if not isinstance(inner[0], StaticEmbedding) and not hasattr(inner[0], "auto_model"):
        raise ConfigError(f"{str(folder)!r} begins with a {type(inner[0]).__name__}: only transformers and tables do")
    return inner


def _looked_at(folder: Path) -> None:
    """Raises where a directory cannot hold an encoder, or might run code."""
    if not folder.is_dir():
        raise ConfigError(f"{str(folder)!r} is no directory: name one that holds an encoder; none is fetched")
    modules = folder / "modules.json"
    if not modules.exists() and not (folder / "config.json").exists():
        raise ConfigError(f"{str(folder)!r} holds no encoder: neither modules.json nor config.json is there")
    for pattern in PICKLED:
        for pickled in folder.rglob(pattern):
            if not any(pickled.parent.glob("*model*.safetensors")):
                raise ConfigError(f"{str(pickled)!r} is a pickle, which may run code: save the encoder as safetensors")
    if not modules.exists():
        return
    try:
        kinds = [module["type"] for module in json.loads(modules.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{str(modules)!r} does not list the parts of an encoder: {error!r}") from None
    for kind in kinds:
        if not str(kind).startswith("sentence_transformers."):
            raise ConfigError(
                f"{str(modules)!r} names {kind!r}: code that is not sentence-transformers' own is not run"
            )


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


def _is_model2vec(folder: Path) -> bool:
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return told.get("model_type") == "model2vec" and (folder / "model.safetensors").exists()


def _static(folder: Path) -> StaticEmbedding:
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    table = load_file(folder / "model.safetensors")
    if "embeddings" not in table:
        raise ValueError(f"model.safetensors holds no embeddings but {', '.join(sorted(table))}")
    if not (folder / "tokenizer.json").exists():
        raise ValueError("tokenizer.json is not there")
    vectors = table["embeddings"].float()
    if "mapping" in table:  # several tokens may share a vector, and each may have its own weight
        vectors = vectors[table["mapping"].long()]
    if "weights" in table:
        vectors = vectors * table["weights"].float()[:, None]
    return StaticEmbedding(Tokenizer.from_file(str(folder / "tokenizer.json")), embedding_weights=vectors)


@contextmanager
def _quiet() -> Iterator[None]:
    """Whoever reads or writes is not told of bars, nor of parts (such as a pooler) that nobody asks for."""
    told: Any = transformers_logging
    level, bars = told.get_verbosity(), told.is_progress_bar_enabled()
    own = logging.getLogger("sentence_transformers")
    before = own.level
    told.set_verbosity_error()
    told.disable_progress_bar()
    own.setLevel(logging.ERROR)
    try:
        yield
    finally:
        told.set_verbosity(level)
        own.setLevel(before)
        if bars:
            told.enable_progress_bar()


def written(inner: SentenceTransformer, folder: Path) -> None:
    """Writes the network to a directory that `opened` reads."""
    with _quiet():
        inner.save(str(folder), create_model_card=False, safe_serialization=True)
