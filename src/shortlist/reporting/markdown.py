"""Markdown: the same page without pictures; a figure is its caption and the table of its data."""

from shortlist.reporting.blocks import Block, Code, Facts, Figure, Page, People, Person, Prose, Table

_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|#~"})


def markdown(page: Page) -> str:
    """The page as Markdown, with tables as GitHub writes them."""
    parts = [_text(page.title), f"# {_text(page.headline)}", _text(page.standfirst)]
    parts += [_block(page.facts)] if page.facts else []
    for section in page.sections:
        parts += [f"## {_text(section.title)}", _text(section.lead), *map(_block, section.blocks)]
    parts += ["---", _text(page.foot)] if page.foot else []
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block) -> str:
    match block:
        case Prose(text=text):
            return _text(text)
        case Table():
            return _table(block)
        case Figure(caption=caption, table=table):
            return f"{_text(caption)}\n\n{_table(table)}"
        case Code(text=text, title=title):
            fence = "`" * max(3, 1 + max((len(run) for run in _ticks(text)), default=0))
            return f"### {_text(title)}\n\n{fence}\n{text.rstrip()}\n{fence}"
        case Facts(facts=facts):
            return "\n".join(
                f"- **{_text(figure)}** {_text(what)}" + (f" ({_text(more)})" if more else "")
                for figure, what, more in facts
            )
        case People(people=people):
            return "\n\n".join(map(_person, people))


def _person(person: Person) -> str:
    rows = tuple((str(row.rank), row.title, row.why, "yes" if row.taken else "") for row in person.shown)
    shown = Table(("rank", "item", "why", "taken"), rows, text=frozenset({"item", "why", "taken"}), note=person.note)
    history = _table(person.history) if person.history.rows else _text(person.history.note)
    parts = (f"### {_text(person.title)}", _text(person.summary), _text(person.about), history, _table(shown))
    return "\n\n".join(part for part in parts if part)


def _table(table: Table) -> str:
    rule = ["---" if name in table.text else "---:" for name in table.columns]
    rows = [list(map(_text, table.columns)), rule, *([_text(cell) for cell in row] for row in table.rows)]
    drawn = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    titled = f"### {_text(table.title)}\n\n{drawn}" if table.title else drawn
    return titled + (f"\n\n{_text(table.note)}" if table.note else "")


def _text(text: str) -> str:
    """The text on one line, with what Markdown would take for marks written out."""
    return " ".join(text.split()).translate(_SPECIAL)


def _ticks(text: str) -> list[str]:
    """The runs of backticks in a text."""
    return "".join(letter if letter == "`" else " " for letter in text).split()
