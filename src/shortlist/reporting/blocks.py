"""Blocks: what a page is composed of, before anybody decides how it looks; `html` and `markdown` render the same.

A page is sections; a section is blocks: prose, a table, a figure, code, or people. All cells are texts already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows under names. `text` are the names of the columns that hold words; all others hold numbers, to the right.

    Rows that begin with `ours` are about the model that is judged. The `note` stands beneath.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: frozenset[str] = frozenset()
    ours: str | None = None
    note: str = ""
    title: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture of a figure: a Vega-Lite description as plain data, and the same in words."""

    spec: Mapping[str, Any]
    alt: str
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """One or more panels of like kind, what to see in them, and the table of their data."""

    caption: str
    panels: tuple[Panel, ...]
    table: Table
    wide: bool = False
    """Whether each panel takes the full width."""
    key: tuple[str, str] | None = None
    """What the accent colour stands for, and what grey does, where the labels do not say it."""


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Code:
    """What is typed or read by machines, as it stands."""

    text: str
    title: str
    folded: bool = False
    """Whether it is shown only to those who ask."""


@dataclass(frozen=True)
class Facts:
    """A few large figures, each with what it is and a word beneath."""

    facts: tuple[tuple[str, str, str], ...]
    """(figure, what it is, more about it)."""


@dataclass(frozen=True)
class Shown:
    """One place of a list: the item, why it stands there, and whether it was taken."""

    rank: int
    title: str
    why: str
    taken: bool


@dataclass(frozen=True)
class Person:
    """One user: who, what they had lately, what they were shown and why."""

    title: str
    summary: str
    about: str
    history: Table
    shown: tuple[Shown, ...]
    note: str


@dataclass(frozen=True)
class People:
    """Several users."""

    people: tuple[Person, ...]


Block = Prose | Table | Figure | Code | Facts | People


@dataclass(frozen=True)
class Section:
    """A part of the page under a title of its own; `name` is its place in the address."""

    name: str
    title: str
    lead: str
    blocks: tuple[Block, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Page:
    """All of it: the `title` stands small above the `headline`, the `standfirst` beneath."""

    title: str
    headline: str
    standfirst: str
    sections: tuple[Section, ...]
    facts: Facts | None = None
    """What to keep in mind, beneath the headline."""
    foot: str = ""
