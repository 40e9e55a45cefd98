"""A street closure in a real browser: drawn, changed, undone, reviewed, run, read, handed out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import app

pytestmark = pytest.mark.browser
AXE = (Path(app.__file__).parent / "assets" / "vendor" / "axe" / "axe.min.js").read_text()
RULES = "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']})"


def violations(page: Any) -> list[Any]:
    page.evaluate(AXE)
    found = page.evaluate(RULES)["violations"]
    return [(v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in found]


def open_page(visit: Any, path: str = "/scenarios", **given: Any) -> Any:
    page = visit(path, **given)
    page.wait_for_selector("#scenario-list > *")
    page.wait_for_load_state("networkidle")
    return page


def click_link(page: Any, index: int) -> None:
    x, y = page.evaluate(f"document.querySelector('.citymap').zonewise.linkPoint({index})")
    box = page.locator(".citymap").bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)


def choose(page: Any, field: str, words: str) -> None:
    """A choice of a list that opens, by all of its words."""
    page.click(f"#{field}")
    page.locator("[role=option]:visible", has_text=re.compile(f"^{re.escape(words)}$")).click()


def test_a_closure_goes_from_drawing_to_a_report(visit):
    page = open_page(visit)
    click_link(page, 20)
    page.wait_for_selector(".measure-close_street:has-text('1 link')")
    page.wait_for_selector("#scenario-review > *")
    page.fill("#scenario-start", "07:00")
    page.fill("#scenario-end", "19:00")
    page.click("#scenario-add")
    page.wait_for_selector(".measure-close_street:has-text('07:00–19:00')")
    page.wait_for_selector("#scenario-saved:has-text('Draft saved')")
    page.click(".measure-close_street [aria-label^=Change]")
    page.wait_for_selector("#scenario-add:has-text('Save')")
    page.fill("#scenario-end", "20:00")
    page.click("#scenario-add")
    page.wait_for_selector(".measure-close_street:has-text('07:00–20:00')")
    page.click("#scenario-undo")
    page.wait_for_selector(".measure-close_street:has-text('07:00–19:00')")
    page.click("#scenario-redo")
    page.wait_for_selector(".measure-close_street:has-text('07:00–20:00')")
    page.fill("#scenario-seeds", "2")
    page.keyboard.press("Tab")
    page.wait_for_selector("#scenario-export:has-text('--seeds 2')")
    page.click("#scenario-run")
    page.wait_for_selector("#scenario-result table.effects", timeout=120_000)
    assert "job=" in page.url
    page.wait_for_selector("#scenario-legend:has-text('change in')")
    page.click("#scenario-result summary:has-text('By hour of day')")
    page.wait_for_selector("#scenario-hour-chart .js-plotly-plot")
    page.click("label:has-text('Only what is clear of chance')")
    for choice, words in (("Speed, by street", "faster"), ("Flow, by street", "fewer vehicles")):
        choose(page, "scenario-quantity", choice)
        page.wait_for_selector(f"#scenario-legend:has-text('{words}')")
    assert "have no intervals" in page.inner_text("#scenario-legend")
    page.reload()
    page.wait_for_selector("#scenario-result table.effects")
    page.wait_for_selector("#scenario-legend:has-text('fewer vehicles')")
    page.wait_for_selector("#scenario-report:not([disabled])")
    with page.expect_download() as download:
        page.click("#scenario-report")
    text = Path(download.value.path()).read_text()
    assert text.startswith("<!") and "07:00" in text
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_timeout(300)
        assert violations(page) == []


def test_a_lasso_chooses_streets_and_a_line_becomes_a_new_one(visit):
    page = open_page(visit)
    page.click(".tools label:has-text('Lasso')")
    page.wait_for_timeout(200)
    box = page.locator(".citymap").bounding_box()
    x, y = page.evaluate("document.querySelector('.citymap').zonewise.zonePoint(1)")
    x, y = box["x"] + x, box["y"] + y
    page.mouse.move(x - 110, y - 110)
    page.mouse.down()
    for dx, dy in ((0, -130), (110, -110), (130, 0), (110, 110), (0, 130), (-110, 110), (-130, 0)):
        page.mouse.move(x + dx, y + dy, steps=3)
    page.mouse.up()
    page.wait_for_selector("#scenario-count:has-text('links chosen')")
    page.keyboard.press("Control+z")
    page.wait_for_selector(".measure-close_street", state="detached")
    choose(page, "scenario-kind", "New street")
    page.wait_for_selector("#scenario-fields:has-text('Both directions')")
    page.click(".tools label:has-text('Line')")
    page.wait_for_timeout(200)
    page.mouse.click(x - 60, y - 60)
    page.mouse.click(x + 90, y + 80)
    page.keyboard.press("Enter")
    page.wait_for_selector("#scenario-count:has-text('A line is drawn')")
    page.click("#scenario-add")
    page.wait_for_selector(".measure-new_link:has-text('along a line')")


def test_a_draft_is_back_after_a_reload_and_a_copy_leaves_it_alone(visit):
    page = open_page(visit)
    choose(page, "scenario-kind", "More or fewer trips")
    page.wait_for_selector("#scenario-fields:has-text('From zones')")
    page.click("#scenario-add")
    page.wait_for_selector(".measure-demand:has-text('−10 %')")
    page.wait_for_selector("#scenario-saved:has-text('Draft saved')")
    page = open_page(visit, page=page)
    page.wait_for_selector(".measure-demand")
    assert "is back" in page.inner_text("#scenario-note")
    page.click("#scenario-copy")
    page.wait_for_function("document.querySelector('#scenario-name').value.startsWith('Copy of')")
    page.click(".measure-demand [aria-label^=Remove]")
    page.wait_for_selector(".measure-demand", state="detached")
    choose(page, "scenario-drafts", "My scenario")
    page.wait_for_selector(".measure-demand")
    page.click("#scenario-new")
    page.wait_for_selector("#scenario-list:has-text('Nothing yet')")
