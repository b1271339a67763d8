"""The page as people meet it, in Chromium: drawn, quiet, offline, on any width, light, dark and printed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import shortlist as sl
from shortlist.evaluation.predictions import evaluate_predictions
from shortlist.reporting.html import html
from shortlist.reporting.predictions import page_of_predictions
from shortlist.run import Run

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@dataclass(frozen=True)
class Opened:
    """A page that is open, and what it said and asked for meanwhile."""

    page: Page
    said: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as driver:
        # Containers run as root and have little shared memory.
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sl.report(run, tmp_path_factory.mktemp("page") / "report.html")


def opened(browser: Browser, file: Path, size: str = "desktop", scheme: str = "light") -> Opened:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    charts = page.locator("[data-chart]").count()
    page.wait_for_function("count => document.querySelectorAll('.drawn').length === count", arg=charts, timeout=30_000)
    return Opened(page, said, asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_all_is_drawn_without_a_word_or_a_request(browser: Browser, file: Path, size: str, scheme: str) -> None:
    found = opened(browser, file, size, scheme)
    ARTEFACTS.mkdir(exist_ok=True)
    found.page.screenshot(path=ARTEFACTS / f"report-{size}-{scheme}.png", full_page=True)
    assert found.said == []
    assert found.asked == [file.as_uri()]
    charts = found.page.locator("[data-chart]")
    assert charts.count() >= 10
    for chart in charts.all():
        box = chart.locator("svg").bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 30
        assert box["x"] + box["width"] <= SIZES[size][0]
        assert chart.get_attribute("aria-label")
    assert found.page.evaluate("document.documentElement.scrollWidth") == SIZES[size][0]
    found.page.close()


def test_everything_folded_opens_on_a_phone_without_a_sideways_scroll(browser: Browser, file: Path) -> None:
    found = opened(browser, file, "phone")
    found.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert found.page.evaluate("document.documentElement.scrollWidth") == 390
    found.page.close()


def test_marks_and_labels_of_charts_change_with_the_dark(browser: Browser, file: Path) -> None:
    colours = """() => [getComputedStyle(document.body).backgroundColor, ...new Set(
        [...document.querySelectorAll('.chart svg text, .chart svg path')].map(e => getComputedStyle(e).fill))]"""
    light, dark = (opened(browser, file, scheme=scheme) for scheme in ("light", "dark"))
    in_light, in_dark = light.page.evaluate(colours), dark.page.evaluate(colours)
    assert in_light[0] != in_dark[0]
    see_through = {"none", "rgba(0, 0, 0, 0)"}
    assert set(in_light) & set(in_dark) <= see_through
    # A page that is open follows the system.
    light.page.emulate_media(color_scheme="dark")
    assert light.page.evaluate(colours) == in_dark
    light.page.close()
    dark.page.close()


def test_print_shows_what_was_folded_in_dark_ink_and_makes_a_pdf(browser: Browser, file: Path) -> None:
    found = opened(browser, file, scheme="dark")
    table = found.page.locator("details.data table").first
    assert not table.is_visible()
    pdf = found.page.pdf(path=ARTEFACTS / "report.pdf", format="A4")
    assert pdf.startswith(b"%PDF")
    found.page.emulate_media(media="print", color_scheme="dark")
    assert table.evaluate("e => e.getBoundingClientRect().height") > 0
    assert found.page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(27, 28, 30)"
    assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    found.page.close()


def test_contents_stay_in_sight_on_wide_screens_alone(browser: Browser, file: Path) -> None:
    wide, narrow = opened(browser, file), opened(browser, file, "phone")
    assert not narrow.page.locator("nav").is_visible()
    wide.page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    wide.page.locator("nav a[href='#recipe']").click()
    box = wide.page.locator("nav ol").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 900
    assert wide.page.evaluate("scrollY") > 1000
    wide.page.close()
    narrow.page.close()


def test_without_scripts_every_table_is_still_there(browser: Browser, file: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(file.as_uri())
    assert "The charts need JavaScript" in page.locator("noscript").inner_text()
    assert page.locator("figure table").count() == page.locator("figure").count()
    page.close()


def test_the_page_of_predictions_is_drawn_too(browser: Browser, tmp_path: Path) -> None:
    truth = pl.DataFrame({"user_id": [n % 20 for n in range(400)], "item_id": range(400)}).with_columns(
        rating=(pl.col("item_id") * 7 % 11).cast(pl.Float64)
    )
    told = truth.select("user_id", "item_id", prediction=pl.col("rating") * 0.8 + pl.col("item_id") % 3)
    page = page_of_predictions(evaluate_predictions(told, truth, name="ours"), title="Predictions")
    (tmp_path / "predictions.html").write_text(html(page), encoding="utf-8")
    found = opened(browser, tmp_path / "predictions.html")
    found.page.screenshot(path=ARTEFACTS / "predictions-desktop-light.png", full_page=True)
    assert found.said == []
    assert found.page.locator("#residuals svg").count() == 2
    found.page.close()
