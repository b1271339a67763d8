"""Every exception that Shortlist raises on purpose.

::

    ShortlistError
    ├── ConfigError          a recipe, an option or a command says something that cannot be meant
    ├── DataError            a table or an answer of a query cannot be used as it is
    │   ├── ColumnError      a column is missing, doubled, or of a type that cannot be read
    │   └── RejectsError     more rows break the rules than was allowed
    ├── MissingExtraError    an optional package is not installed
    └── StoreError           a directory is not a stored run, or not one that this version reads

A message says what is wrong with the actual value, where it came from, and what to do now.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ShortlistError(Exception):
    """The root: catch it to catch all that follow."""


class ConfigError(ShortlistError, ValueError):
    """A recipe, an option or a command says something that cannot be meant."""


class DataError(ShortlistError, ValueError):
    """A table cannot be used as it is."""


class ColumnError(DataError):
    """A column is missing, doubled, or of a type that cannot be read."""


class RejectsError(DataError):
    """More rows break the rules than was allowed."""


class MissingExtraError(ShortlistError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, why: str) -> None:
        super().__init__(f"{why} needs the package {package!r}: pip install 'shortlist[{extra}]'")


class StoreError(ShortlistError, ValueError):
    """A directory is not a stored run, or not one that this version reads."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for the end of a message: `; did you mean 'x'?`, else what there is, else nothing."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not names:
        return ""
    shown = ", ".join(repr(n) for n in names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; there is {shown}"
