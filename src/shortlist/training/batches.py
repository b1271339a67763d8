"""Batches: rows of tensors in an order that the seed and the epoch alone decide, from any place on.

A batch is made whole, by one index into each tensor, not row by row. Where it is in an epoch is part of its state, so
that what was cut off goes on with the very batches that would have come.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

Maker = Callable[[torch.Tensor, torch.Generator], tuple[torch.Tensor, ...]]
"""Makes a batch of the numbers of its rows; what it draws, it draws from the generator."""


class Batches:
    """`rows` numbers in batches of `size`, drawn anew each epoch, each made by `make`; the last one may be smaller."""

    def __init__(self, rows: int, size: int, seed: int, make: Maker) -> None:
        self.rows, self.size, self.seed, self.make = rows, size, seed, make
        self._epoch, self._done = 0, 0

    def __len__(self) -> int:
        """Batches of an epoch."""
        return (self.rows + self.size - 1) // self.size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """The batches of this epoch that have not come yet; with the last one the next epoch is reached."""
        epoch, count = self._epoch, len(self)
        order = torch.randperm(self.rows, generator=self._generator(epoch, -1))
        for number in range(self._done, count):
            # Before the batch is handed over: whoever counts to the last one does not ask for what follows it.
            self._epoch, self._done = (epoch, number + 1) if number + 1 < count else (epoch + 1, 0)
            rows = order[number * self.size : (number + 1) * self.size]
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

    def _generator(self, epoch: int, number: int) -> torch.Generator:
        mixed = (self.seed * 1_000_003 + epoch) * 1_000_003 + number
        return torch.Generator().manual_seed(mixed % 2**63)


def of_tensors(tensors: tuple[torch.Tensor, ...]) -> Maker:
    """Batches of the rows of tensors, all of one length."""
    return lambda rows, _: tuple(tensor[rows] for tensor in tensors)
