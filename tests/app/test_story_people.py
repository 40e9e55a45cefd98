"""Three people in a real browser: a planner in the morning, one with a phone, and one with a keyboard alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def settled(page: Any) -> None:
    page.wait_for_load_state("networkidle")


def zone_point(page: Any, index: int) -> tuple[float, float]:
    """Middle of a zone, in the window."""
    x, y = page.evaluate(f"document.querySelector('.citymap').zonewise.zonePoint({index})")
    box = page.locator(".citymap").bounding_box()
    return box["x"] + x, box["y"] + y


def test_a_planner_reads_in_the_morning_what_will_go_wrong_where_and_how_sure(visit):
    """The table leads with the likeliest trouble; sentence and chart tell the same, and a link tells it to others."""
    page = visit("/")
    settled(page)
    likely = page.locator(".kpi", has_text="Zones likely over").locator(".kpi-value").inner_text()
    assert re.match(r"\d+ of 3 with a station", likely)
    rows = page.locator("table.zones tbody tr")
    chances = [rows.nth(k).locator(".chance").inner_text() for k in range(rows.count())]
    assert chances[-1] == "–"  # the zone without a station comes last
    rows.first.locator("button").click()
    zone = rows.first.get_attribute("data-zone")
    page.wait_for_function("z => document.querySelector('.citymap').dataset.zone === z", arg=zone)
    page.wait_for_selector(f".panel:has-text('Zone {zone}')")
    sentence = page.inner_text(".panel .notice")
    assert chances[0].lower() in sentence.lower() and "chance of passing 50 µg/m³" in sentence
    assert re.search(r"likeliest hour, around \d\d:\d\d", sentence)
    assert re.search(r"Largest departure from its usual value: .+, [+−]\d", sentence)
    assert "EU 2030 daily limit (Directive (EU) 2024/2881)" in page.inner_text(".panel")
    names = page.evaluate("document.querySelector('#map-panel .js-plotly-plot').data.map((trace) => trace.name || '')")
    assert "Observed" in names and any("band" in name for name in names)
    page.click(".layers >> text=Speed")
    page.wait_for_selector(".panel .notice:has-text('Slowest around')")
    assert re.search(r"90 % interval \d+ to \d+", page.inner_text(".panel .notice"))
    page.wait_for_url("**layer=speed**")
    colleague = visit(page.url[page.url.index("/", 9) :])
    colleague.wait_for_selector(".panel .notice:has-text('Slowest around')")
    assert colleague.inner_text(".panel .notice") == page.inner_text(".panel .notice")


def test_a_phone_user_taps_a_zone_another_layer_and_a_street_to_close(visit):
    page = visit("/", width=390, height=844, has_touch=True, is_mobile=True)
    settled(page)
    page.touchscreen.tap(*zone_point(page, 2))
    page.wait_for_function("document.querySelector('.citymap').dataset.zone === 'Z03'")
    page.wait_for_selector(".panel h2:has-text('North-west')")
    page.tap(".layers >> text=Speed")
    page.wait_for_selector(".panel .notice:has-text('Slowest around')")
    box = page.locator(".timebar input").bounding_box()
    page.touchscreen.tap(box["x"] + 0.1 * box["width"], box["y"] + box["height"] / 2)
    page.wait_for_selector(".timebar-clock:has-text('observed')")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    low = page.locator("nav.bottom").bounding_box()
    assert low["y"] + low["height"] <= 845  # within reach of a thumb, whatever is scrolled
    page.tap("nav.bottom a[href='/scenarios']")
    page.wait_for_selector(".citymap[data-ready]")
    page.wait_for_selector("#scenario-list > *")
    settled(page)
    x, y = page.evaluate("document.querySelector('.citymap').zonewise.linkPoint(20)")
    box = page.locator(".citymap").bounding_box()
    page.touchscreen.tap(box["x"] + x, box["y"] + y)
    page.wait_for_selector(".measure-close_street:has-text('1 link')")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")


def reach(page: Any, selector: str, *, key: str = "Tab", most: int = 160) -> None:
    """Press Tab until what is wanted has the focus."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{key} does not lead to {selector}")


def test_a_keyboard_alone_leads_from_the_start_page_to_a_run_and_stops_it(visit):
    page = visit("/start")
    settled(page)
    reach(page, "nav.pages a[href='/']")
    page.keyboard.press("Enter")
    page.wait_for_selector(".citymap[data-ready]")
    page.wait_for_selector("#map-fan")
    reach(page, "table.zones tbody button")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.citymap').dataset.zone === 'Z04'")
    page.wait_for_selector(".panel .notice:has-text('No NO')")
    reach(page, "nav.pages a[href='/scenarios']", key="Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#scenario-list > *")
    settled(page)
    reach(page, "#scenario-shipped")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=option]:visible")
    wanted = "[role=option][data-combobox-selected]:visible:has-text('fewer trips in')"
    for _ in range(20):
        page.keyboard.press("ArrowDown")
        if page.locator(wanted).count():
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".measure-demand")
    reach(page, "#scenario-run")
    page.keyboard.press("Enter")
    page.wait_for_selector("#scenario-progress .progress")
    page.wait_for_selector("#scenario-stop:not([disabled])")
    reach(page, "#scenario-stop", most=5)
    page.keyboard.press("Enter")
    page.wait_for_selector("#scenario-progress:has-text('Stopped'), #scenario-progress:has-text('Done')")
