"""Rows: batches of a stream as tensors, for the loop or for any DataLoader.

`DataLoader(rows, batch_size=None, num_workers=...)` gives the same batches in the same order for any number of workers.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from shortlist.tables.stream import Stream


class Rows(IterableDataset[Any]):
    """An epoch of the batches of a stream each time it is gone through, each made by `make` from an Arrow table.

    `done` batches, counted over all epochs, have come already: the one number that there is to go on from. It is
    counted here only where there are no workers; with workers it is set by whoever counts (`load_state_dict`).
    """

    def __init__(self, stream: Stream, make: Callable[[Any], Any], done: int = 0) -> None:
        self.stream, self.make, self.done = stream, make, done

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self.stream)

    @property
    def size(self) -> int:
        """The most rows of a batch."""
        return self.stream.batch

    @property
    def seed(self) -> int:
        """What the order is drawn by."""
        return self.stream.seed

    def __iter__(self) -> Iterator[Any]:
        """The batches of this epoch that have not come yet; with the last one the next epoch is reached."""
        worker = get_worker_info()
        every, first = (worker.num_workers, worker.id) if worker is not None else (1, 0)
        stop = (self.done // len(self) + 1) * len(self)
        for table in self.stream.batches(self.done, stop, every=every, first=first):
            # Before the batch is handed over: whoever counts to the last one does not ask for what follows it.
            self.done += every
            yield self.make(table)

    def state_dict(self) -> dict[str, int]:
        """The place that has been reached."""
        return {"done": self.done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a place."""
        self.done = int(state["done"])
