"""Compiled loops: arrays in, arrays out; they know no tables.

Each is compiled by Numba when it is first called, kept beside its source (or in the user's cache folder), and holds no
lock while it runs. None starts threads: `shortlist.threads` does, outside. Their arguments bear no types: they are
compiled for whatever comes.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

_LOOSE = {"reassoc", "contract", "arcp", "nsz"}


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function compiled to machine code. Sums may be added in another order, the same in every run on one machine."""
    made: Callable[..., Any] = njit(cache=True, nogil=True, error_model="numpy", fastmath=_LOOSE)(function)
    return made
