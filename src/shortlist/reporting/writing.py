"""Writing: the report of a run, or of predictions, as one file, HTML, Markdown or JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from shortlist.errors import ConfigError, nearest
from shortlist.evaluation.predictions import PredictionEvaluation
from shortlist.reporting.blocks import Page
from shortlist.reporting.html import html
from shortlist.reporting.markdown import markdown
from shortlist.reporting.predictions import page_of_predictions
from shortlist.reporting.rating_run import page_of_numbers
from shortlist.reporting.report import from_here, gather, gather_numbers, gather_rows
from shortlist.reporting.row_run import page_of_rows
from shortlist.reporting.sections import page_of
from shortlist.run import Run, open_run

Format = Literal["html", "md", "json"]
_FORMATS: tuple[Format, ...] = ("html", "md", "json")


def report(run: Run | str | Path, out: str | Path | None = None, *, format: str | None = None) -> Path:  # noqa: A002
    """Writes the report of a stored run, or of the run at a path, and gives the path of the report.

    HTML is one file that works without a network. Without `format` the ending of `out` says it; without `out` the
    report stands beside the run: `runs/today-report.html` for `runs/today`. What is no stored run raises `StoreError`,
    a format that does not exist `ConfigError`.
    """
    run = run if isinstance(run, Run) else open_run(run)
    chosen = _format(out, format)
    path = _beside(run.path.resolve(), chosen) if out is None else Path(out)
    if run.makes_lists:
        lists = gather(run)
        write(written(page_of(lists), lists.to_dict(), chosen), path)
    elif run.of_rows:
        rows = gather_rows(run)
        write(written(page_of_rows(rows, run.predictions if run.judged else None), rows.to_dict(), chosen), path)
    else:
        told = gather_numbers(run)
        page = page_of_numbers(told, run.predictions if run.judged else None)
        write(written(page, told.to_dict(), chosen), path)
    return path


def report_predictions(
    found: PredictionEvaluation,
    file: Path,
    out: str | Path | None = None,
    *,
    format: str | None = None,  # noqa: A002
) -> Path:
    """The same of judged predictions; `file` is where they stand, and without `out` the report stands beside it."""
    chosen = _format(out, format)
    path = _beside(file, chosen) if out is None else Path(out)
    page = page_of_predictions(found, title=f"Report of {from_here(file)}")
    write(written(page, found.to_dict(), chosen), path)
    return path


def written(page: Page, figures: Mapping[str, Any], format: Format) -> str:  # noqa: A002
    """The page as text, or the figures behind it as JSON."""
    if format == "json":
        return json.dumps(figures, indent=1, ensure_ascii=False, default=str) + "\n"
    return html(page) if format == "html" else markdown(page)


def write(text: str, path: Path) -> None:
    """The text at `path`, written beside it first and then moved into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid4().hex[:12]}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _beside(path: Path, chosen: Format) -> Path:
    return path.with_name(f"{path.stem}-report.{chosen}")


def _format(out: str | Path | None, format: str | None) -> Format:  # noqa: A002
    if format is None and out is None:
        return "html"
    asked = format or Path(str(out)).suffix.lower().removeprefix(".")
    for known in _FORMATS:
        if known == asked:
            return known
    where = f"--format {format}" if format else f"the ending of {str(out)!r}"
    raise ConfigError(f"{where} is no format of a report{nearest(asked, _FORMATS)}")
