"""HTML: a page as one file that asks nobody for anything: style, charts and the scripts that draw them are inside.

Texts from the data are escaped by the template, those in charts as JSON in which no mark can end a script. The page's
own policy (Content-Security-Policy) allows its three scripts by their hashes, and no address at all.
"""

import hashlib
import json
from base64 import b64encode
from functools import cache
from importlib.resources import files

import altair as alt
import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from shortlist.reporting.blocks import Figure, Page, Panel


def html(page: Page) -> str:
    """The page as HTML, about 0.9 MB of it the library that draws."""
    panels = [panel for section in page.sections for block in section.blocks for panel in _panels(block)]
    places = {id(panel): place for place, panel in enumerate(panels)}
    scripts = {"bundle": _bundle(), "script": _own("page.js")}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_kept_together)
    return environment.from_string(_own("page.html.j2")).render(
        page=page,
        css=Markup(_own("page.css")),  # noqa: S704  (our own file)
        charts=_inside_a_script([panel.spec for panel in panels]),
        script_hashes=Markup(" ".join(map(_hash, scripts.values()))),  # noqa: S704  (letters and digits)
        place=lambda panel: places[id(panel)],
        kind_of=lambda block: type(block).__name__,
        **{name: Markup(text) for name, text in scripts.items()},  # noqa: S704  (no text from data in them)
    )


def _panels(block: object) -> tuple[Panel, ...]:
    return block.panels if isinstance(block, Figure) else ()


def _kept_together(value: object) -> object:
    """A text in which no line breaks between a number and its per cent; what is marked up already stays as it is."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


def _inside_a_script(value: object) -> Markup:
    """JSON in which nothing looks like a tag: `<`, `>` and `&` are written by number."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.translate({ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&"}))  # noqa: S704


def _hash(script: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, of the version of Vega-Lite that Altair writes for."""
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version))


def _own(name: str) -> str:
    return (files("shortlist.reporting") / name).read_text(encoding="utf-8")
