"""The planner's story in a real browser: no console error, no outside request, nothing inaccessible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import app

pytestmark = pytest.mark.browser
AXE = (Path(app.__file__).parent / "assets" / "vendor" / "axe" / "axe.min.js").read_text()
RULES = "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']})"
PAGES = {
    "/": "#map-fan",
    "/micro-macro": "#compare-dumbbell .js-plotly-plot",
    "/scenarios": ".drawer",
    "/models": ".column",
}


def colours(page: Any) -> int:
    """Number of different colours on the map's canvas, one point in a hundred."""
    return page.evaluate(
        """() => { const c = document.querySelector('.citymap canvas'); const s = new Set();
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        for (let i = 0; i < d.length; i += 400) s.add([d[i], d[i + 1], d[i + 2], d[i + 3]].join());
        return s.size; }"""
    )


def violations(page: Any) -> list[Any]:
    """What axe finds."""
    page.evaluate(AXE)
    found = page.evaluate(RULES)["violations"]
    return [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found]


def click_map(page: Any, method: str, index: int) -> None:
    """Click the middle of a link or zone of the map."""
    x, y = page.evaluate(f"document.querySelector('.citymap').zonewise.{method}({index})")
    box = page.locator(".citymap").bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)


def test_the_slider_moves_the_map_and_asks_the_server_nothing(visit):
    page = visit("/")
    page.wait_for_load_state("networkidle")
    asked = []
    page.on("request", lambda r: asked.append(r.url))
    page.focus(".timebar input")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.citymap').dataset.step === '61'")
    assert page.inner_text(".timebar-clock strong") == "15:15"
    assert "forecast, +1 h" in page.inner_text(".timebar-clock")
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('.citymap').dataset.step === '0'")
    assert "observed" in page.inner_text(".timebar-clock")
    page.wait_for_url("**step=0**")
    assert asked == []


def test_the_map_is_painted_and_changes_with_the_layer(visit):
    page = visit("/")
    assert colours(page) > 15
    before = page.evaluate("document.querySelector('.citymap canvas').toDataURL()")
    page.click(".layers >> text=Speed")
    page.wait_for_function("document.querySelector('.citymap').dataset.layer === 'speed'")
    assert page.evaluate("document.querySelector('.citymap canvas').toDataURL()") != before


def test_a_step_paints_what_a_fresh_page_would(visit):
    """Links at rest are a picture made once a view: nothing of another hour, theme, zoom or layer may stay in it."""
    picture = "document.querySelector('.citymap canvas').toDataURL()"
    page = visit("/")
    page.wait_for_load_state("networkidle")
    first = page.evaluate(picture)
    page.focus(".timebar input")
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('.citymap').dataset.step === '0'")
    night = page.evaluate(picture)
    assert night != first
    for way in ("out", "in"):
        page.click(f".leaflet-control-zoom-{way}")
        page.wait_for_timeout(600)
    for layer in ("PM2.5", "NO₂"):
        page.click(f".layers >> text={layer}")
        page.wait_for_timeout(300)
    page.wait_for_url("**step=0**")
    walked = {}
    for theme in ("dark", "light"):
        page.click("#theme-button")
        page.wait_for_selector(f"html[data-mantine-color-scheme={theme}]")
        page.wait_for_timeout(300)
        walked[theme] = page.evaluate(picture)
    assert walked["light"] == night
    for theme, seen in walked.items():
        fresh = visit("/?step=0", colour_scheme=theme)
        fresh.wait_for_load_state("networkidle")
        fresh.wait_for_function("document.querySelector('.citymap').dataset.step === '0'")
        assert fresh.evaluate(picture) == seen, theme


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_switch_streets_draws_the_air_of_the_last_full_hour_until_now(visit, theme):
    """At 14:30 the hour from 13:00 is the last full one; after now the zones' forecast comes back."""
    page = visit("/", colour_scheme=theme)
    page.wait_for_load_state("networkidle")
    before = page.evaluate("document.querySelector('.citymap canvas').toDataURL()")
    page.click("#map-streets-box label:has-text('Streets')")
    page.wait_for_function("document.querySelector('.citymap').dataset.hour === '13:00–14:00'")
    page.wait_for_selector(".streets-hour:has-text('13:00–14:00')")
    assert page.evaluate("document.querySelector('.citymap canvas').toDataURL()") != before
    assert "streets=on" in page.url
    box = page.locator(".citymap").bounding_box()
    x, y = page.evaluate("document.querySelector('.citymap').zonewise.zonePoint(1)")
    page.mouse.move(box["x"] + x + 9, box["y"] + y + 9)
    page.wait_for_selector(".map-tip:has-text('here, modelled, 13:00–14:00')")
    assert violations(page) == []
    page.focus(".timebar input")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".streets-hour:has-text('after now')")
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('.citymap').dataset.hour === '00:00–01:00'")
    page.click(".layers >> text=Speed")
    page.wait_for_selector("#map-streets-box", state="hidden")


def test_a_click_on_a_zone_shows_its_forecast_and_keeps_it_in_the_address(visit):
    page = visit("/")
    page.wait_for_load_state("networkidle")
    x, y = page.evaluate("document.querySelector('.citymap').zonewise.zonePoint(2)")
    box = page.locator(".citymap").bounding_box()
    page.mouse.click(box["x"] + x + 40, box["y"] + y + 40)
    page.wait_for_function("document.querySelector('.panel h2').textContent === 'North-west'")
    assert "chance of passing 50" in page.inner_text(".panel .notice").lower()
    assert page.locator("tr.selected button").inner_text().startswith("Z03")
    assert "zone=Z03" in page.url
    again = visit(page.url[page.url.index("/", 9) :].replace("#", ""))
    assert again.inner_text(".panel h2") == "North-west"


def test_a_row_of_the_table_selects_the_zone_on_the_map(visit):
    page = visit("/")
    page.wait_for_load_state("networkidle")
    page.focus("table.zones tbody tr:last-child button")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.citymap').dataset.zone === 'Z04'")
    page.wait_for_function("document.querySelector('.panel .notice').textContent.includes('No NO')")


def test_the_keyboard_alone_reaches_slider_and_rows_with_a_ring_around_each(visit):
    page = visit("/")
    page.wait_for_load_state("networkidle")
    ringed = {}
    for _ in range(40):
        page.keyboard.press("Tab")
        what, ring = page.evaluate(
            """() => { const e = document.activeElement; const ring = (n) => { const s = getComputedStyle(n);
            return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0; };
            const name = e.type === 'range' ? 'slider' : e.closest('tr') ? e.innerText.slice(0, 3) :
              e.type === 'radio' ? 'layers' : e.className || e.tagName;
            return [name, ring(e) || (e.nextElementSibling ? ring(e.nextElementSibling) : false)]; }"""
        )
        ringed[what] = ring
        if what == "Z04":
            break
    assert {"slider", "layers", "Z01", "Z02", "Z03", "Z04"} <= ringed.keys()
    assert [what for what, ring in ringed.items() if not ring] == []
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.citymap').dataset.zone === 'Z04'")
    page.wait_for_selector("tr.selected button:has-text('Z04')")
    assert page.evaluate("document.activeElement.innerText").startswith("Z04")


def test_a_name_with_markup_stays_text(visit):
    page = visit("/?zone=Z01")
    assert page.inner_text(".panel h2").startswith("<img src=x")
    box = page.locator(".citymap").bounding_box()
    x, y = page.evaluate("document.querySelector('.citymap').zonewise.zonePoint(0)")
    page.mouse.move(box["x"] + x + 30, box["y"] + y + 30)
    page.wait_for_selector(".map-tip")
    assert "<img src=x" in page.inner_text(".map-tip")
    visit("/micro-macro", page=page)
    visit("/models?zone=Z01", page=page)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x']").count() == 0


def test_the_first_visit_follows_the_system_and_a_choice_is_kept(visit):
    page = visit("/", colour_scheme="dark")
    page.wait_for_selector("html[data-mantine-color-scheme=dark]")
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("html[data-mantine-color-scheme=light]")
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-mantine-color-scheme=dark]")
    page.click("#theme-button")
    page.wait_for_selector("html[data-mantine-color-scheme=light]")
    visit("/models", page=page)
    page.wait_for_selector("html[data-mantine-color-scheme=light]")


def test_three_figures_show_the_day_as_a_line_that_phones_leave_out(visit):
    page = visit("/")
    assert page.locator(".kpi .spark:visible").count() == 3
    assert page.locator(".spark-seen").first.get_attribute("d").count("L") == 57
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator(".kpi .spark:visible").count() == 0


def test_micro_against_macro_counts_its_verdict_and_follows_the_pickers(visit):
    page = visit("/micro-macro")
    assert "tied 1" in page.inner_text(".verdict")
    before = page.inner_text("#compare-kpi")
    page.click("#compare-horizon")
    page.click("[role=option]:has-text('24 h')")
    page.wait_for_function("b => document.querySelector('#compare-kpi').innerText !== b", arg=before)
    page.wait_for_url("**horizon=86400**")
    with page.expect_download() as download:
        page.click("#compare-csv")
    assert "verdict" in Path(download.value.path()).read_text().splitlines()[0]
    assert colours(page) > 8


def test_a_polygon_chooses_the_links_within(visit):
    page = visit("/scenarios")
    page.wait_for_load_state("networkidle")
    page.click("text=Polygon")
    box = page.locator(".citymap").bounding_box()
    x, y = page.evaluate("document.querySelector('.citymap').zonewise.zonePoint(0)")
    page.wait_for_timeout(300)
    for dx, dy in ((-120, -120), (120, -120), (120, 120), (-120, 120)):
        page.mouse.click(box["x"] + x + dx, box["y"] + y + dy)
    page.keyboard.press("Enter")
    page.wait_for_selector(".measure-close_street")
    assert "links" in page.inner_text("#scenario-count")
    page.click("#scenario-undo")


def test_an_example_fills_the_form_and_a_bad_time_is_told(visit):
    page = visit("/scenarios")
    page.wait_for_load_state("networkidle")
    page.click("#scenario-shipped")
    page.click("[role=option]:visible:has-text('fewer trips in')")
    page.wait_for_selector(".measure-demand")
    page.click("#scenario-add")
    page.wait_for_selector("#scenario-form-fault:has-text('Where?')")
    x, y = page.evaluate("document.querySelector('.citymap').zonewise.linkPoint(20)")
    box = page.locator(".citymap").bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_selector(".measure-close_street")
    page.wait_for_selector("#scenario-form-fault:empty", state="attached")
    page.fill("#scenario-start", "9 o'clock")
    page.keyboard.press("Tab")
    page.click("#scenario-add")
    page.wait_for_selector("#scenario-form-fault:has-text('From:')")


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", list(PAGES))
def test_every_page_is_accessible_in_both_themes_and_widths(visit, path, theme, width):
    page = visit(path, width=width, height=900 if width > 500 else 844, policy=True)
    if theme == "dark":
        page.click("#theme-button")
        page.wait_for_selector("html[data-mantine-color-scheme=dark]")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
