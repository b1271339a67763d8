"""Text encoders: what makes vectors of texts, and one of our own that starts as TF-IDF. `pretrained` has the others.

An encoder recipe is `opened`; what is opened reads texts (`read`) into rows that a network takes, makes that network
(`network`), and says what is kept of it (`fitted`). What is kept reads and encodes texts in the same way.

Source: vectors of texts as sums over runs of characters: Bojanowski et al., "Enriching Word Vectors with
Subword Information", TACL 2017. Differs: the start, at which products of vectors are about those of TF-IDF.

Shapes: N texts, T terms, D numbers of a vector, E entries of rows.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from pydantic import Field, PositiveInt
from scipy import sparse

from shortlist.models.between_texts import Fields, Terms
from shortlist.models.factors import of_length_one
from shortlist.training.memory import Needs
from shortlist.training.plan import Training, torch_for

if TYPE_CHECKING:
    from torch import nn


Side = Literal["user", "item"]
PAIR_BYTES = 8
"""Of a pair while it is learnt from."""


class Rows(Protocol):
    """Texts as a network takes them."""

    @property
    def lengths(self) -> np.ndarray:
        """Entries of each text; 0 for what says nothing."""
        ...

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What tells these texts from others."""
        ...

    def tensors(self, rows: np.ndarray) -> tuple[Any, ...]:
        """What the network is given for these rows."""
        ...


class Opened(Protocol):
    """An encoder that reads texts and may learn; `Any` are its own `Rows`, and its network."""

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        ...

    @property
    def plan(self) -> Training:
        """How it is trained where no other plan is named."""
        ...

    @property
    def drawn(self) -> int:
        """Misses that are drawn for a batch where no other number is named."""
        ...

    @property
    def learns(self) -> bool:
        """Whether pairs change it."""
        ...

    @property
    def numbers(self) -> int:
        """Numbers that a pair leaves behind in training."""
        ...

    def needs(self, rows: int, batch: int) -> Needs:
        """What training will need of memory where there are so many pairs."""
        ...

    def read(self, fields: Fields, salts: np.ndarray, side: Side, /) -> Any:
        """The texts as the network takes them."""
        ...

    def network(self, items: Any, seed: int, /) -> "nn.Module":
        """The network before training."""
        ...

    def encoded(self, network: Any, rows: Any, /) -> np.ndarray:
        """The vectors (float32, N × D) that a network makes of texts, of length one; zeros for a text of nothing."""
        ...

    def fitted(self, network: Any, /) -> "FittedEncoder":
        """What is kept of a network."""
        ...


class FittedEncoder(Protocol):
    """What is kept of an encoder."""

    def read(self, fields: Fields, salts: np.ndarray, side: Side, /) -> Any:
        """The rows of texts: see `Opened`."""
        ...

    def encode(self, rows: Any, /) -> np.ndarray:
        """The vectors (float32, N × D) of texts, of length one; zeros for a text of nothing."""
        ...


class NGrams(Terms):
    """An encoder that sums the vectors of a text's terms, which are put into `buckets` by their hash."""

    kind: Literal["n_grams"] = "n_grams"
    factors: PositiveInt = 64
    """Length of a vector."""
    buckets: int = Field(2**16, ge=1)
    """Vectors that terms are put to."""

    def opened(self) -> "NGrams":
        """Itself: nothing has to be read first."""
        return self

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.factors

    @property
    def plan(self) -> Training:
        """How it is trained where no other plan is named."""
        return Training(epochs=10, batch_size=512, learning_rate=0.02, weight_decay=0.0, warm_up=0.1, epsilon=1e-8)

    @property
    def drawn(self) -> int:
        """Misses that are drawn for a batch where no other number is named."""
        return 512

    @property
    def learns(self) -> bool:
        """Whether pairs change it."""
        return True

    def read(self, fields: Fields, salts: np.ndarray, _: Side) -> "Bags":
        """The terms of each text: log(1 + times), summed in a bucket."""
        row_E, term_E, times_E = self.terms(fields, salts)
        bucket_E = (term_E.view(np.uint64) % np.uint64(self.buckets)).astype(np.int64)
        bags = sparse.csr_array((np.log1p(times_E), (row_E, bucket_E)), shape=(len(salts), self.buckets))
        bags.sum_duplicates()
        return Bags(bags)

    def network(self, items: "Bags", seed: int) -> "nn.Module":
        """A network before training: vectors as long as the idf of their bucket, in random directions."""
        torch = torch_for("training a network")
        from shortlist.nn.texts import Bags as Network

        met_T = np.bincount(items.matrix.indices, minlength=self.buckets)
        idf_T = (1 + np.log((1 + items.matrix.shape[0]) / (1 + met_T))).astype(np.float32)
        return Network(torch.from_numpy(idf_T), self.factors, torch.Generator().manual_seed(seed))

    @property
    def numbers(self) -> int:
        """Numbers that a pair leaves behind in training."""
        return 4 * self.factors

    def needs(self, rows: int, batch: int) -> Needs:
        """What training will need of memory where there are so many pairs."""
        return Needs(self.buckets * self.factors, self.numbers, rows, PAIR_BYTES, batch)

    def encoded(self, network: Any, rows: "Bags") -> np.ndarray:
        """The vectors that a network makes of texts: see `FittedNGrams`."""
        return self.fitted(network).encode(rows)

    def fitted(self, network: Any) -> "FittedNGrams":
        """What is kept of a network."""
        return FittedNGrams(self, network.weight.detach().numpy().copy())


@dataclass(frozen=True)
class Bags:
    """Texts as bags of terms (float32, N × T)."""

    matrix: sparse.csr_array

    @property
    def lengths(self) -> np.ndarray:
        """Terms of each text."""
        return np.diff(self.matrix.indptr)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The terms."""
        return (self.matrix.indptr, self.matrix.indices)

    def tensors(self, rows: np.ndarray) -> tuple[Any, ...]:
        """The term and the weight of each entry, and where the bags start between them: see `nn.texts.Bags`."""
        import torch

        some = self.matrix[rows]
        arrays = (some.indices.astype(np.int64), some.indptr[:-1].astype(np.int64), some.data)
        return tuple(torch.from_numpy(array) for array in arrays)


@dataclass(frozen=True)
class FittedNGrams:
    """The `vectors` of terms (float32, T × D)."""

    recipe: NGrams
    vectors: np.ndarray

    def read(self, fields: Fields, salts: np.ndarray, side: Side) -> Bags:
        """As that of the recipe."""
        return self.recipe.read(fields, salts, side)

    def encode(self, rows: Any) -> np.ndarray:
        """The vectors (float32, N × D) of texts, of length one; zeros for a text of nothing."""
        return of_length_one(rows.matrix @ self.vectors)
