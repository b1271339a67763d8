"""Memory: what training will need, counted before it begins, and what it took.

Counted: a weight is held four times (itself, its gradient, two moments of Adam), in float32; the numbers that a row of
a batch leaves behind twice (themselves, their gradients), and what is held at one time however large a batch is; every
row that is learnt from with its place in the order.
Not counted: the libraries themselves (torch and Lightning are about 500 MB), and what stood there before.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

COPIES = 4
"""Of a weight: itself, its gradient, two moments."""
FLOAT = 4
PLACE = 8
"""Bytes of a row's place in the order of an epoch."""
BATCHES = (256, 1_024, 4_096, 16_384, 65_536)
"""Sizes of a batch that a report tells of."""


@dataclass(frozen=True)
class Needs:
    """What a network is trained on: its `weights`, the numbers (`width`) that a row leaves behind, the `rows`, and the
    numbers (`aside`) that are held beside those of a batch.
    """

    weights: int
    width: int
    rows: int
    row_bytes: int
    batch: int
    aside: int = 0

    def of(self, batch: int | None = None) -> dict[str, int]:
        """Bytes by what they hold, for batches of a size, and in all."""
        parts = {
            "weights": FLOAT * self.weights,
            "gradients": FLOAT * self.weights,
            "optimizer": (COPIES - 2) * FLOAT * self.weights,
            "activations": 2 * FLOAT * self.width * min(batch or self.batch, max(self.rows, 1)) + FLOAT * self.aside,
            "rows": (self.row_bytes + PLACE) * self.rows,
        }
        return parts | {"total": sum(parts.values())}

    def __str__(self) -> str:
        """A line for each part, and the total of other batches."""
        told = [f"{name:<12}{count / 1e6:12,.1f} MB" for name, count in self.of().items()]
        others = [f"{size:>12,}{self.of(size)['total'] / 1e6:12,.1f} MB" for size in BATCHES]
        return "\n".join([f"batch of {self.batch:,}", *told, "in batches of", *others])


@dataclass
class Peak:
    """The most memory above that at the beginning, in MB; None while it is not known, or where nobody tells."""

    mb: float | None = None


@contextmanager
def peak() -> Iterator[Peak]:
    """Measures the most that the process holds inside, beyond what it held before; on a GPU what torch holds there."""
    import torch

    found = Peak()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield found
        found.mb = (torch.cuda.max_memory_allocated() - before) / 1e6
        return
    before = most = _held()
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.005):
            most = max(most, _held())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()
    found.mb = (max(most, _held()) - before) / 1e6 if before else None


def _held() -> int:
    """The bytes that the process holds now; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
