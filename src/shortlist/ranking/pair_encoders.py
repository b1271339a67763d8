"""Pair encoders: what reads two texts together: the terms that both have, or a transformer of somebody's.

The recipe of an encoder of texts (`NGrams`, `Pretrained`) is opened for pairs. What is opened reads pairs of texts into
rows that a network takes, makes a network that gives their log-odds, and says what is kept of it; what is kept reads
pairs in the same way.

Source of the transformer: Nogueira, Cho, "Passage Re-ranking with BERT", 2019.

Shapes: N pairs, T terms, V different texts of one side.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import polars as pl
from scipy import sparse

from shortlist.errors import ConfigError, MissingExtraError
from shortlist.models.pretrained import Pretrained, Tokens, files_of, packed, unpacked
from shortlist.models.text_encoders import Bags, NGrams, Rows
from shortlist.training.plan import Training, torch_for

if TYPE_CHECKING:
    from torch import nn

    from shortlist.nn.pairs import TermPairs, TokenPairs

_AT_ONCE = 512
"""Pairs whose log-odds are told at one time."""


class OpenedForPairs(Protocol):
    """What reads pairs of texts and may learn; `Any` are its own `Rows`, and its network."""

    @property
    def plan(self) -> Training:
        """How it is trained where no other plan is named."""
        ...

    @property
    def learns(self) -> bool:
        """Whether pairs change it."""
        ...

    @property
    def numbers(self) -> int:
        """Numbers that a pair leaves behind in training."""
        ...

    def read(self, first: pl.Series, second: pl.Series) -> Rows:
        """Pairs of texts, row by row."""
        ...

    def network(self, rows: Any, seed: int) -> "nn.Module":
        """A network before training."""
        ...

    def fitted(self, network: Any) -> "FittedForPairs":
        """What is kept of a network."""
        ...


FittedForPairs: TypeAlias = "FittedTermPairs | FittedTokenPairs"
"""What is kept of either."""


def opened(recipe: NGrams | Pretrained) -> OpenedForPairs:
    """What reads pairs. A folder that holds no transformer, or whose transformer knows nothing of pairs and is not to
    learn it, raises `ConfigError`; without torch or transformers, where they are needed, `MissingExtraError`.
    """
    torch_for("a cross-encoder")
    return OpenedTermPairs(recipe) if isinstance(recipe, NGrams) else OpenedTokenPairs(recipe, Path(recipe.folder))


def log_odds(network: "nn.Module", rows: Rows, precision: str = "32") -> np.ndarray:
    """What a network says of pairs (float64, N)."""
    count = len(rows.lengths)
    told = np.zeros(count)
    with _asking(precision):
        for start in range(0, count, _AT_ONCE):
            some = np.arange(start, min(start + _AT_ONCE, count))
            told[some] = network(*rows.tensors(some)).float().numpy()
    return told


@dataclass(frozen=True)
class OpenedTermPairs:
    """What reads pairs as bags of terms."""

    recipe: NGrams

    @property
    def plan(self) -> Training:
        """How it is trained where no other plan is named."""
        return Training(epochs=3, batch_size=256, learning_rate=0.005, weight_decay=0.01, warm_up=0.1, epsilon=1e-8)

    @property
    def learns(self) -> bool:
        """Whether pairs change it."""
        return True

    @property
    def numbers(self) -> int:
        """Numbers that a pair leaves behind in training."""
        return 8 * self.recipe.factors

    def read(self, first: pl.Series, second: pl.Series) -> "TermRows":
        """Pairs of texts, row by row."""
        return TermRows.of(self.recipe, first, second)

    def network(self, rows: "TermRows", seed: int) -> "nn.Module":
        """A network before training: vectors as long as the idf of their bucket among the second texts."""
        torch = torch_for("a cross-encoder")
        from shortlist.nn.pairs import TermPairs

        met_T = np.bincount(rows.second_VT.indices, minlength=self.recipe.buckets)
        idf_T = 1 + np.log((1 + rows.second_VT.shape[0]) / (1 + met_T))
        generator = torch.Generator().manual_seed(seed)
        return TermPairs(torch.from_numpy(idf_T.astype(np.float32)), self.recipe.factors, generator)

    def fitted(self, network: Any) -> "FittedTermPairs":
        """What is kept of a network."""
        weights = {name: weight.detach().numpy().copy() for name, weight in network.state_dict().items()}
        return FittedTermPairs(self.recipe, weights)


@dataclass(frozen=True)
class TermRows:
    """Pairs of texts as bags of terms: a row for each different text of either side, and which two make a pair."""

    first_VT: sparse.csr_array
    second_VT: sparse.csr_array
    first_N: np.ndarray
    second_N: np.ndarray

    @classmethod
    def of(cls, recipe: NGrams, first: pl.Series, second: pl.Series) -> "TermRows":
        """Pairs of texts, row by row."""
        bags, places = [], []
        for texts in (first, second):
            different, place_N = np.unique(texts.to_numpy(), return_inverse=True)
            fields = [(pl.Series(different, dtype=pl.String), 1.0)]
            bags.append(recipe.read(fields, np.zeros(len(different), np.int64), "user").matrix)
            places.append(place_N)
        return cls(*bags, *places)

    @property
    def lengths(self) -> np.ndarray:
        """Terms of each pair."""
        first_V, second_V = (np.diff(bag.indptr) for bag in (self.first_VT, self.second_VT))
        counted: np.ndarray = first_V[self.first_N] + second_V[self.second_N]
        return counted

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The terms, and the pairs."""
        bags = (self.first_VT, self.second_VT)
        return (*(part for bag in bags for part in (bag.indptr, bag.indices)), self.first_N, self.second_N)

    def tensors(self, rows: np.ndarray) -> tuple[Any, ...]:
        """Bags of the first texts, of the second, and of the terms that both have: see `nn.pairs.TermPairs`."""
        first, second = self.first_VT[self.first_N[rows]], self.second_VT[self.second_N[rows]]
        every = np.arange(len(rows))
        return tuple(
            tensor for bag in (first, second, first.multiply(second).tocsr()) for tensor in Bags(bag).tensors(every)
        )


@dataclass(frozen=True)
class FittedTermPairs:
    """The `weights` of the network, by their names."""

    recipe: NGrams
    weights: Mapping[str, np.ndarray]

    @cached_property
    def _network(self) -> "TermPairs":
        torch = torch_for("a cross-encoder")
        from shortlist.nn.pairs import TermPairs

        net = TermPairs(torch.ones(self.recipe.buckets), self.recipe.factors, torch.Generator())
        net.load_state_dict({name: torch.from_numpy(np.array(weight)) for name, weight in self.weights.items()})
        return net.eval()

    def log_odds(self, first: pl.Series, second: pl.Series) -> np.ndarray:
        """The log-odds (float64) that texts belong together, row by row."""
        return log_odds(self._network, TermRows.of(self.recipe, first, second))


@dataclass(frozen=True)
class OpenedTokenPairs:
    """What reads pairs by a transformer from a directory."""

    recipe: Pretrained
    folder: Path

    def __post_init__(self) -> None:
        if not (self.learns or self._opened[1]):
            raise ConfigError(
                f"{str(self.folder)!r} has learnt nothing of pairs of texts (it is no cross-encoder with one number at "
                "its end): name fine_tune = true"
            )

    @cached_property
    def _opened(self) -> "tuple[TokenPairs, bool]":
        return _transformer(self.recipe, self.folder, 0)

    @property
    def plan(self) -> Training:
        """How it is trained where no other plan is named: in bf16 where the processor has instructions for it."""
        from shortlist.nn.sentences import multiplies_in_bf16

        plan = Training(epochs=2, batch_size=32, learning_rate=5e-5, weight_decay=0.01, warm_up=0.1, epsilon=1e-8)
        return plan.model_copy(update={"precision": "bf16"}) if multiplies_in_bf16() else plan

    @property
    def learns(self) -> bool:
        """Whether pairs change it."""
        return self.recipe.fine_tune

    @property
    def numbers(self) -> int:
        """Numbers that a pair leaves behind in training, of texts as long as are looked at."""
        return self._opened[0].held(1)[0]

    def read(self, first: pl.Series, second: pl.Series) -> Tokens:
        """Pairs of texts, row by row."""
        tokens, starts = self._opened[0].tokens(first.to_list(), second.to_list())
        return Tokens(tokens, starts, np.ones(len(first), bool))

    def network(self, _: Tokens, seed: int) -> "nn.Module":
        """The transformer as it was read; a new end begins by the seed."""
        return _transformer(self.recipe, self.folder, seed)[0]

    def fitted(self, network: Any) -> "FittedTokenPairs":
        """What is kept of it: the files that it came from, or those of what it has become."""
        if not self.learns:
            return FittedTokenPairs(self.recipe, files_of(self.folder))
        from shortlist.nn.directories import written_for_pairs

        return FittedTokenPairs(self.recipe, packed(partial(written_for_pairs, network.inner, network.tokenizer)))


@dataclass(frozen=True)
class FittedTokenPairs:
    """The files of a transformer: their contents (uint8) by their names."""

    recipe: Pretrained
    files: Mapping[str, np.ndarray]

    @cached_property
    def _network(self) -> "TokenPairs":
        with unpacked(self.files) as folder:
            return _transformer(self.recipe, folder, 0)[0]

    def log_odds(self, first: pl.Series, second: pl.Series) -> np.ndarray:
        """The log-odds (float64) that texts belong together, row by row.

        To rounding they hang on the pairs beside them: on how long these are.
        """
        tokens, starts = self._network.tokens(first.to_list(), second.to_list())
        rows = Tokens(tokens, starts, np.ones(len(first), bool))
        return log_odds(self._network, rows, self.recipe.precision)


def _transformer(recipe: Pretrained, folder: Path, seed: int) -> "tuple[TokenPairs, bool]":
    """The transformer of a directory, and whether it has learnt of pairs; if not, its end begins by the seed."""
    torch_for("a cross-encoder")
    try:
        from shortlist.nn.directories import opened_for_pairs
        from shortlist.nn.pairs import TokenPairs
    except ModuleNotFoundError:
        raise MissingExtraError("sentence-transformers", "text", "a cross-encoder of sentences") from None
    inner, tokenizer, ready = opened_for_pairs(folder, seed)
    return TokenPairs(inner, tokenizer, recipe.tokens, recipe.at_once, recipe.recompute).eval(), ready


@contextmanager
def _asking(precision: str) -> Iterator[None]:
    """Without gradients, in a precision: see `Pretrained`."""
    if precision == "32":
        with torch_for("a cross-encoder").inference_mode():
            yield
        return
    from shortlist.nn.sentences import encoding

    with encoding(precision):
        yield
