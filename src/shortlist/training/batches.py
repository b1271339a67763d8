"""Batches: rows of tensors in an order that the seed and the epoch alone decide, from any place on.

A batch is made whole, by one index into each tensor, not row by row. Where it is in an epoch is part of its state, so
that what was cut off goes on with the very batches that would have come.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

Maker = Callable[[torch.Tensor, torch.Generator], tuple[torch.Tensor, ...]]
"""Makes a batch of the numbers of its rows; what it draws, it draws from the generator."""


UNEVEN = 0.05
"""How much lengths are stretched at most before rows of like length are put together: so not always the same are."""


class Batches:
    """`rows` numbers in batches of `size`, drawn anew each epoch, each made by `make`; the last one may be smaller.

    Where rows have `lengths` (1 or more), `size` counts these, at least one row: about so much in all is in a batch,
    and its rows are of about one length, so that little is lost where they are made equally long. Where they have
    `groups` (whole numbers) instead, rows of one group stand together: few batches have more than one.
    """

    def __init__(
        self,
        rows: int,
        size: int,
        seed: int,
        make: Maker,
        lengths: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> None:
        self.rows, self.seed, self.make, self.lengths, self.groups = rows, seed, make, lengths, groups
        self.size = size if lengths is None else max(size, int(lengths.max()))
        self._epoch, self._done = 0, 0

    @classmethod
    def of_like_length(cls, rows: int, seed: int, make: Maker, lengths: np.ndarray) -> "Batches":
        """Rows of about one length stand together, `rows` of them in a batch on average."""
        lengths = np.maximum(lengths, 1)
        return cls(len(lengths), int(rows * lengths.mean()), seed, make, lengths)

    def __len__(self) -> int:
        """Batches of an epoch."""
        if self.lengths is None:
            return (self.rows + self.size - 1) // self.size
        return max(1, int(self.lengths.sum()) // self.size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """The batches of this epoch that have not come yet; with the last one the next epoch is reached."""
        epoch, count = self._epoch, len(self)
        order, ends = self._order(self._generator(epoch, -1))
        for number in range(self._done, count):
            # Before the batch is handed over: whoever counts to the last one does not ask for what follows it.
            self._epoch, self._done = (epoch, number + 1) if number + 1 < count else (epoch + 1, 0)
            rows = order[ends[number] : ends[number + 1]]
            batch = self.make(rows, self._generator(epoch, number))
            if number + 1 == count:
                del order, rows  # an order may be large, and the next one comes while this generator still stands
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The place that has been reached."""
        return {"epoch": self._epoch, "done": self._done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a place."""
        self._epoch, self._done = state["epoch"], state["done"]

    def _order(self, random: torch.Generator) -> tuple[torch.Tensor, np.ndarray]:
        """The rows in the order of an epoch, and where in it the batches end, 0 before them."""
        count = len(self)
        if self.groups is not None:
            drawn = torch.randperm(self.rows, generator=random)
            sorted_ = drawn[torch.from_numpy(np.argsort(self.groups[drawn.numpy()], kind="stable"))]
            runs = torch.split(sorted_, self.size)
            of_batches = [runs[place] for place in torch.randperm(count, generator=random).tolist()]
            return torch.cat(of_batches), np.cumsum([0, *map(len, of_batches)])
        if self.lengths is None:
            return torch.randperm(self.rows, generator=random), np.minimum(np.arange(count + 1) * self.size, self.rows)
        stretched = self.lengths * (1 + UNEVEN * torch.rand(self.rows, generator=random, dtype=torch.float64).numpy())
        order = np.argsort(stretched, kind="stable")
        # Batch b begins with the first row before which b shares of the whole length lie. None is empty: a share is
        # as long as the longest row at least.
        before = np.cumsum(self.lengths[order]) - self.lengths[order]
        starts = np.searchsorted(before, np.arange(count) * (self.lengths.sum() / count))
        parts = np.split(order, starts[1:])
        parts = [parts[place] for place in torch.randperm(count, generator=random).tolist()]
        ends = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        return torch.from_numpy(np.concatenate(parts)), ends

    def _generator(self, epoch: int, number: int) -> torch.Generator:
        mixed = (self.seed * 1_000_003 + epoch) * 1_000_003 + number
        return torch.Generator().manual_seed(mixed % 2**63)


def of_tensors(tensors: tuple[torch.Tensor, ...]) -> Maker:
    """Batches of the rows of tensors, all of one length."""
    return lambda rows, _: tuple(tensor[rows] for tensor in tensors)
