"""The report of a run as a file: all of it is there, nothing breaks out, nothing half-written is left."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_runs import SLY, small_run
from typer.testing import CliRunner

import shortlist as sl
from shortlist import store
from shortlist.cli import app
from shortlist.evaluation.predictions import evaluate_predictions
from shortlist.reporting.html import html
from shortlist.reporting.markdown import markdown
from shortlist.reporting.predictions import page_of_predictions
from shortlist.reporting.report import gather
from shortlist.reporting.sections import page_of
from shortlist.run import Run

SECTIONS = ["metrics", "differences", "candidates", "slices", "features", "people", "data", "recipe"]


def without_scripts(page: str) -> str:
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


def text_of(page: str) -> str:
    """What a reader sees: without tags, scripts and styles."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", without_scripts(page))).replace("\N{NO-BREAK SPACE}", " ").split())


def test_the_page_has_every_section_in_order_and_is_small_enough(run: Run) -> None:
    page = html(page_of(gather(run)))
    assert re.findall(r'<section id="(\w+)"', page) == SECTIONS
    assert re.findall(r'<a href="#(\w+)"', page) == SECTIONS
    assert len(page.encode()) < 3_000_000


def test_every_figure_has_words_and_a_table(run: Run) -> None:
    page = html(page_of(gather(run)))
    charts = re.findall(r'<div class="chart" role="img" aria-label="([^"]+)" data-chart="(\d+)">', page)
    specs = json.loads(re.findall(r'<script type="application/json" id="charts">(.*?)</script>', page)[0])
    assert [int(place) for _, place in charts] == list(range(len(specs)))
    assert all(len(alt) > 20 for alt, _ in charts)
    figures = re.findall(r"<figure>.*?</figure>", page, flags=re.DOTALL)
    assert figures
    assert all('<details class="data">' in figure and "<td" in figure for figure in figures)


def test_the_figures_in_the_tables_are_those_that_the_run_holds(run: Run) -> None:
    text = text_of(html(page_of(gather(run))))
    for row in run.evaluation["table"]:
        assert f"{row['model']} {row['metric']} {row['value']:.4f}" in text
    for source in run.anatomy["sources"]:
        assert f"{source['source']} {source['candidates']:.1f} {100 * source['recall']:.1f} %" in text
    for user in run.examples or []:
        assert f"User {user['user_id']}" in text
        assert all(row["title"] in text for row in user["list"])
    assert (run.importances or [])[0]["feature"] in text


def test_no_text_of_the_data_becomes_markup(run: Run) -> None:
    page = html(page_of(gather(run)))
    assert SLY not in page
    assert "<img" not in without_scripts(page)
    assert SLY in text_of(page)
    # Three scripts that run, and one that is data: all of them ours.
    assert page.count("<script") == page.count("</script>") == 3
    assert not re.search(r"(?<!\\)<", markdown(page_of(gather(run))))


def test_the_page_names_no_address(run: Run) -> None:
    page = html(page_of(gather(run)))
    marks = " ".join(re.findall(r"<[^>]+>", without_scripts(page)))
    assert not re.search(r'https?:|src=|href="(?!#)|url\(', marks)
    assert not re.search(r"https?:|url\(|@import", "".join(re.findall(r"<style>.*?</style>", page, flags=re.DOTALL)))
    assert "schema" not in re.findall(r'id="charts">(.*?)</script>', page)[0]


def test_markdown_has_the_same_sections_and_whole_tables(run: Run) -> None:
    page = page_of(gather(run))
    text = markdown(page)
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [s.title for s in page.sections]
    tables = re.findall(r"(?:^\|.*\|$\n?)+", text, flags=re.MULTILINE)
    assert len(tables) > 8
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1


def test_json_is_what_was_gathered(run: Run, tmp_path: Path) -> None:
    path = sl.report(run, tmp_path / "report.json")
    assert json.loads(path.read_text()) == json.loads(json.dumps(gather(run).to_dict(), default=str))


def test_the_ending_says_the_format_and_format_beats_it(run: Run, tmp_path: Path) -> None:
    assert sl.report(run, tmp_path / "r.md").read_text().startswith("Report of")
    assert sl.report(run.path, tmp_path / "new" / "r.txt", format="json").read_text().startswith("{")
    with pytest.raises(sl.ConfigError, match=r"the ending of '.*r\.txt' is no format of a report; there is 'html'"):
        sl.report(run, tmp_path / "r.txt")
    with pytest.raises(sl.ConfigError, match=r"--format htlm .* did you mean 'html'"):
        sl.report(run, format="htlm")


def test_without_a_place_the_report_stands_beside_the_run(run: Run) -> None:
    path = sl.report(run, format="md")
    assert path == run.path.parent / "run-report.md"
    assert store.manifest(run.path)["judged"]
    path.unlink()


def test_a_report_that_fails_leaves_the_one_that_stood_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sl.report(run, tmp_path / "r.md")
    before = path.read_text()

    def broken(self: Path, *words: Any, **more: Any) -> None:
        self.touch()
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_text", broken)
    with pytest.raises(OSError, match="disk full"):
        sl.report(run, path)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_an_older_run_does_not_hold_is_left_out(run: Run) -> None:
    contents = run.path / run.manifest["contents"]
    aside = {}
    for name in ("slices", "profile", "importances", "examples"):
        aside[name] = (contents / f"{name}.json").read_text()
        (contents / f"{name}.json").unlink()
    try:
        page = html(page_of(gather(run)))
    finally:
        for name, text in aside.items():
            (contents / f"{name}.json").write_text(text)
    assert re.findall(r'<section id="(\w+)"', page) == ["metrics", "differences", "candidates", "data", "recipe"]


def test_a_run_that_was_not_judged_says_so_and_shows_what_it_was_made_of(tmp_path: Path) -> None:
    made = small_run(tmp_path, split=None)
    page = page_of(gather(made))
    assert page.headline == "Nothing was judged: this run has no [split]"
    assert [section.name for section in page.sections] == ["features", "data", "recipe"]


def test_the_command_says_where_the_report_is(run: Run, tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["report", str(run.path), "--out", str(tmp_path / "r.html"), "--json"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout) == {"out": str(tmp_path / "r.html"), "bytes": (tmp_path / "r.html").stat().st_size}
    assert "r.html" in CliRunner().invoke(app, ["report", str(run.path), "--out", str(tmp_path / "r.html")]).stdout
    assert CliRunner().invoke(app, ["report", str(tmp_path)]).exit_code == 5


def test_predictions_have_a_page_with_calibration_and_residuals() -> None:
    rows = pl.DataFrame({"row_id": range(200), "rating": [float(n % 5 + 1) for n in range(200)]})
    told = rows.select("row_id", prediction=pl.col("rating") + pl.col("row_id") % 3 / 3)
    found = evaluate_predictions(told, rows, ["rmse", "mae"], name="ours")
    page = page_of_predictions(found, title="Predictions")
    assert [section.name for section in page.sections] == ["metrics", "differences", "calibration", "residuals"]
    assert page.headline.startswith("The ours beats")
    text = markdown(page)
    assert "Eight rows in ten lie between" in text
    assert sum(int(row[2]) for row in page.sections[3].blocks[0].table.rows) == 200
    assert html(page).count('role="img"') == 7
