"""One way to show long work: a live line on a terminal, plain lines in a pipe, a callback where a program listens.

Nothing is shown unless `shown` is entered, so a library call is silent; the command line enters it around all it does.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.text import Text

Listener = Callable[[str, float], None]
"""Called with the name of a finished step, indented by its depth, and the seconds it took."""
Announcer = Callable[[str], None]
"""Called with the name of the step that now runs; empty where none does."""

_listener: ContextVar[Listener | None] = ContextVar("shortlist_progress", default=None)
_announcer: ContextVar[Announcer | None] = ContextVar("shortlist_progress_begun", default=None)
_running: ContextVar[tuple[str, ...]] = ContextVar("shortlist_progress_running", default=())

_WORTH_A_LINE = 1.0
"""Seconds from which a step inside another gets a line of its own."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """Names the work inside; its seconds go to whoever listens. Steps nest; one that fails is not finished."""
    listener, announcer = _listener.get(), _announcer.get()
    if listener is None:
        yield
        return
    outer = _running.get()
    token = _running.set((*outer, name))
    if announcer is not None:
        announcer(name)
    started = time.perf_counter()
    try:
        yield
    finally:
        _running.reset(token)
        if announcer is not None:
            announcer(outer[-1] if outer else "")
    listener("  " * len(outer) + name, time.perf_counter() - started)


def reached(place: str) -> None:
    """Tells whoever watches how far the step that runs has come, such as `3 of 10 users`."""
    announcer, running = _announcer.get(), _running.get()
    if announcer is not None and running:
        announcer(f"{running[-1]}: {place}")


@contextmanager
def heard(listener: Listener, begun: Announcer | None = None) -> Iterator[None]:
    """Sends every finished step inside to `listener`, and the name of the one that now runs to `begun`."""
    tokens = _listener.set(listener), _announcer.set(begun)
    try:
        yield
    finally:
        _listener.reset(tokens[0])
        _announcer.reset(tokens[1])


@contextmanager
def shown(console: Console) -> Iterator[None]:
    """Shows the steps inside: a line for each that ended, and on a terminal a live one for what runs.

    A step inside another gets a line if it took a second.
    """

    def finished(name: str, seconds: float) -> None:
        if seconds >= _WORTH_A_LINE or not name.startswith(" "):
            console.print(f"{seconds:7.1f} s  {name}", markup=False, highlight=False, soft_wrap=True)

    if not console.is_terminal:
        with heard(finished):
            yield
        return
    with console.status("") as live, heard(finished, lambda name: live.update(Text(name))):
        yield
