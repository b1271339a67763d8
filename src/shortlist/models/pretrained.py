"""Pretrained: an encoder of texts that somebody trained, read from a directory, as it is or fine-tuned.

What is fitted holds the files of the directory, or those of what it has become.
Source: Reimers, Gurevych, "Sentence-BERT", EMNLP 2019.

Shapes: N texts, D numbers of a vector.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import PositiveInt

from shortlist.config import Config
from shortlist.errors import MissingExtraError
from shortlist.models import vector_cache
from shortlist.models.between_texts import Fields, joined
from shortlist.models.text_encoders import PAIR_BYTES, Side
from shortlist.progress import reached
from shortlist.training.memory import Needs
from shortlist.training.plan import Training, torch_for

if TYPE_CHECKING:
    from torch import nn

    from shortlist.nn.sentences import Sentences

KEPT = (".json", ".txt", ".model", ".safetensors")
"""Endings of the files that are kept of a directory."""
_AT_ONCE = 16_384
"""Tokens that are encoded between one word of progress and the next, at least."""


class Pretrained(Config):
    """An encoder that somebody trained: a directory of sentence-transformers or model2vec. Nothing is ever fetched.

    What the directory says to put before queries and documents is put before the texts of users and of items. Columns
    that must agree (`within`) are not told to it.
    """

    kind: Literal["pretrained"] = "pretrained"
    folder: str
    """The directory; weights that are pickles are refused. What is fitted holds a copy."""
    fine_tune: bool = False
    """Whether pairs change its weights, all of them; else they stay as they are."""
    tokens: PositiveInt = 128
    """Tokens of a text that are looked at, the first."""
    at_once: PositiveInt = 32
    """Texts of about one length that go through together."""
    recompute: Literal["nothing", "layers", "texts"] = "nothing"
    """What fine-tuning computes again on the way back rather than hold it: within layers, or all but the vectors: the
    memory is then that of `at_once` texts, however large a batch is. Either takes about a third more time."""
    precision: Literal["auto", "32", "bf16"] = "auto"
    """Of products while texts are encoded; auto: bf16 where the processor has instructions for it."""
    cache: str = "auto"
    """Folder where the vectors of an encoder that does not learn are kept by what the texts are; auto: one among the
    user's caches; none: they are not kept."""

    def opened(self) -> "OpenedPretrained":
        """The network and its tokenizer. A folder that holds none raises `ConfigError`."""
        folder = Path(self.folder)
        return OpenedPretrained(self, _network(self, folder), files_of(folder))


@dataclass(frozen=True)
class OpenedPretrained:
    """An encoder that was read from files, and these: their contents (uint8) by their names."""

    recipe: Pretrained
    net: "Sentences"
    files: Mapping[str, np.ndarray]

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.net.width

    @property
    def plan(self) -> Training:
        """How it is fine-tuned where no other plan is named: in bf16 where the processor has instructions for it."""
        from shortlist.nn.sentences import multiplies_in_bf16

        plan = Training(epochs=3, batch_size=64, learning_rate=5e-5, weight_decay=0.01, warm_up=0.1, epsilon=1e-8)
        return plan.model_copy(update={"precision": "bf16"}) if multiplies_in_bf16() else plan

    @property
    def drawn(self) -> int:
        """Misses that are drawn for a batch where no other number is named: each costs as much as a pair's item."""
        return 0

    @property
    def learns(self) -> bool:
        """Whether pairs change it."""
        return self.recipe.fine_tune

    def read(self, fields: Fields, _: np.ndarray, side: Side) -> "Tokens":
        """The tokens of each text."""
        texts = joined(fields)
        there = texts.str.strip_chars() != ""
        return Tokens(*self.net.tokens(texts.to_list(), side), there.to_numpy())

    def network(self, _: "Tokens", __: int) -> "nn.Module":
        """The network as it was read."""
        return self.net

    @property
    def numbers(self) -> int:
        """Numbers that a pair leaves behind in training, of texts as long as are looked at."""
        return 2 * self.net.numbers[0]

    def needs(self, rows: int, batch: int) -> Needs:
        """What training will need of memory where there are so many pairs of texts as long as are looked at.

        The gradients of what a layer holds are gone before those of the next come: they are not counted.
        """
        return Needs(self.net.weights, self.numbers // 2, rows, PAIR_BYTES, batch, self.net.numbers[1])

    def encoded(self, _: Any, rows: "Tokens") -> np.ndarray:
        """The vectors that the network makes of texts, as it is now."""
        return self.encode(rows)

    def fitted(self, network: Any) -> "FittedPretrained":
        """What is kept of it: the files that it came from, or those of what it has become."""
        if not self.learns:
            return FittedPretrained(self.recipe, self.files)
        from shortlist.nn.directories import written

        return FittedPretrained(self.recipe, packed(lambda folder: written(network.inner, folder)))

    def encode(self, rows: "Tokens") -> np.ndarray:
        """The vectors (float32, N × D) of texts, of length one; zeros for a text of nothing.

        To rounding a vector hangs on the texts beside it: on how long they are.
        """
        vectors = np.zeros((len(rows.there), self.net.width), np.float32)
        told = np.flatnonzero(rows.there)
        place = None if self.learns else vector_cache.folder(self.recipe.cache)
        keys = vector_cache.keys_of(rows.bytes_of(int(row)) for row in told)
        place = place / self._name if place is not None else None
        vectors[told] = vector_cache.cached(place, keys, lambda some: self._encoded(rows, told[some]), self.net.width)
        return vectors

    @cached_property
    def _name(self) -> str:
        """What tells its vectors from those of others: its weights and how they are multiplied."""
        digest = blake2b(digest_size=16)
        for name, content in sorted(self.files.items()):
            digest.update(f"{name} {len(content)} ".encode())
            digest.update(content.data)
        return f"{digest.hexdigest()}-{self.recipe.precision}"

    def _encoded(self, rows: "Tokens", some: np.ndarray) -> np.ndarray:
        from shortlist.nn.sentences import encoding

        vectors = np.zeros((len(some), self.net.width), np.float32)
        order = np.argsort(rows.lengths[some], kind="stable")
        with encoding(self.recipe.precision):
            for part in _runs(rows.lengths[some[order]], self.recipe.at_once):
                vectors[order[part]] = self.net(*rows.tensors(some[order[part]])).numpy()
                reached(f"{part.stop:,} of {len(some):,} texts")
        return vectors


@dataclass(frozen=True)
class Tokens:
    """Texts as tokens, one after the other (int32), where each begins (int64), and whether a text says anything."""

    tokens: np.ndarray
    starts: np.ndarray
    there: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text; 0 for what says nothing."""
        return np.where(self.there, np.diff(self.starts), 0)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The tokens, and where each text begins."""
        return (self.tokens, self.starts)

    def tensors(self, rows: np.ndarray) -> tuple[Any, ...]:
        """The tokens of these texts, and where each begins: see `nn.sentences.Sentences`."""
        import torch

        lengths = np.diff(self.starts)[rows]
        starts = np.cumsum(lengths) - lengths
        at = np.repeat(self.starts[rows] - starts, lengths) + np.arange(lengths.sum())
        return torch.from_numpy(self.tokens[at]), torch.from_numpy(starts)

    def bytes_of(self, row: int) -> bytes:
        """What tells a text from all others."""
        return self.tokens[self.starts[row] : self.starts[row + 1]].tobytes()


@dataclass(frozen=True)
class FittedPretrained:
    """The files of an encoder: their contents (uint8) by their names."""

    recipe: Pretrained
    files: Mapping[str, np.ndarray]

    @cached_property
    def _opened(self) -> OpenedPretrained:
        with unpacked(self.files) as folder:
            return OpenedPretrained(self.recipe, _network(self.recipe, folder), self.files)

    def read(self, fields: Fields, salts: np.ndarray, side: Side) -> Tokens:
        """The tokens of each text."""
        return self._opened.read(fields, salts, side)

    def encode(self, rows: Any) -> np.ndarray:
        """The vectors of texts: see `OpenedPretrained`."""
        return self._opened.encode(rows)


def _network(recipe: Pretrained, folder: Path) -> "Sentences":
    torch_for("an encoder of sentences")
    try:
        from shortlist.nn.directories import opened
        from shortlist.nn.sentences import Sentences
    except ModuleNotFoundError:
        raise MissingExtraError("sentence-transformers", "text", "an encoder of sentences") from None
    return Sentences(opened(folder), recipe.tokens, recipe.at_once, recipe.recompute).eval()


def files_of(folder: Path) -> dict[str, np.ndarray]:
    """The files of a directory that an encoder needs, mapped: settings, tokenizer, weights."""
    names = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file() and file.suffix in KEPT)
    wanted = [name for name in names if not {"onnx", "openvino", "checkpoints"} & set(name.parts)]
    return {
        name.as_posix(): np.memmap(folder / name, np.uint8, "r") for name in wanted if (folder / name).stat().st_size
    }


def packed(write: Callable[[Path], None]) -> dict[str, np.ndarray]:
    """The files that are written to a directory, in memory."""
    with TemporaryDirectory() as folder:
        write(Path(folder))
        return {name: np.array(content) for name, content in files_of(Path(folder)).items()}


@contextmanager
def unpacked(files: Mapping[str, np.ndarray]) -> Iterator[Path]:
    """A directory of these files, for as long as is needed."""
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            file = Path(folder) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            content.tofile(file)
        yield Path(folder)


def _runs(lengths: np.ndarray, at_once: int) -> Sequence[slice]:
    """Runs of texts, the shortest first, of about `_AT_ONCE` tokens and `at_once` texts at least."""
    ends, start, runs = np.cumsum(lengths), 0, []
    while start < len(lengths):
        seen = ends[start - 1] if start else 0
        stop = max(start + at_once, int(np.searchsorted(ends, seen + _AT_ONCE)))
        runs.append(slice(start, min(stop, len(lengths))))
        start = stop
    return runs
