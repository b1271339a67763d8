"""One way to show long work: a bar on a terminal, lines nowhere, a callback where a program wants to listen.

Nothing is shown unless `shown` is entered, so a library call is silent; the command line enters it around all it does.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, float], None]
"""Called with the name of a finished step and the seconds it took."""

_listener: ContextVar[Listener | None] = ContextVar("shortlist_progress", default=None)
_depth: ContextVar[int] = ContextVar("shortlist_progress_depth", default=0)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Names the work inside; its seconds go to whoever listens. Steps nest."""
    listener = _listener.get()
    if listener is None:
        yield
        return
    depth = _depth.set(_depth.get() + 1)
    started = time.perf_counter()
    try:
        yield
    finally:
        _depth.reset(depth)
        listener("  " * _depth.get() + name, time.perf_counter() - started)


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Sends every finished step inside to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
