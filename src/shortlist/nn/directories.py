"""Directories of sentence-transformers, transformers and model2vec, read and written.

Nothing is fetched and no code of a directory is run; weights come from safetensors alone.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from shortlist.errors import ConfigError

PICKLED = ("pytorch_model*.bin", "adapter_model*.bin", "*.pt", "*.pth", "*.pkl")
"""Names of files of weights that may run code when they are read."""


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


def opened_for_pairs(folder: Path, seed: int) -> tuple[Any, Any, bool]:
    """The transformer that a directory holds, with one number at its end that tells of a pair of texts; its tokenizer;
    and whether the directory has that number trained. A new one begins at random. See `opened`.
    """
    _looked_at(folder)
    if (folder / "modules.json").exists():
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        folder = folder / str(modules[0].get("path", ""))
    try:
        told = {"local_files_only": True, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(folder, **told)
        ready = any("SequenceClassification" in name for name in config.architectures or ()) and config.num_labels == 1
        with _quiet(), torch.random.fork_rng():
            torch.manual_seed(seed)
            inner = AutoModelForSequenceClassification.from_pretrained(
                folder, num_labels=1, ignore_mismatched_sizes=True, use_safetensors=True, **told
            )
            return inner.float(), AutoTokenizer.from_pretrained(folder, **told), ready
    except (OSError, ValueError, KeyError, TypeError, ImportError, SafetensorError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{str(folder)!r} cannot be read as a transformer: {said[0]}") from error


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


def written_for_pairs(inner: Any, tokenizer: Any, folder: Path) -> None:
    """Writes a transformer of pairs and its tokenizer to a directory that `opened_for_pairs` reads."""
    with _quiet():
        inner.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
