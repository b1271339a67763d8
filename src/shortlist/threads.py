"""Threads: how many cores there are for us, and one way to spread work over them."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def blocks(n: int, size: int) -> list[tuple[int, int]]:
    """The stretches (start, end) of at most `size` that cover 0 to `n`.

    >>> blocks(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(start, min(start + size, n)) for start in range(0, n, size)]


def spread(work: Callable[[int, int], T], bounds: Iterable[tuple[int, int]], threads: int | None = None) -> list[T]:
    """What `work(start, end)` gives for each of `bounds`, in their order; as many at a time as there are cores.

    Threads pay where `work` lets go of the interpreter: in compiled loops, in NumPy, in BLAS. A matrix product inside
    runs on one thread, so that they do not fight over the cores.
    """
    bounds = list(bounds)
    with one_blas_thread():
        if (threads or cores()) == 1 or len(bounds) < 2:
            return [work(start, end) for start, end in bounds]
        with ThreadPoolExecutor(threads or cores()) as pool:
            return list(pool.map(work, *zip(*bounds, strict=True)))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Matrix products run on one thread for a while."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
