"""The zone table: its data, and in a browser its pages, its order and its keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import app
from app.components.zone_table import ZoneTable, table_data

COUNT = 107
NO2, BOUNDS = "no2_ug_per_m3", (0.0, 60.0)
MARKUP = "<img src=x onerror='window.hacked=1'>"


def rows(count: int = COUNT) -> pd.DataFrame:
    """Zones whose peaks fall from 100 by one each; the fourth has no sensor."""
    peak = 100.0 - np.arange(count)
    table = pd.DataFrame(
        {
            "zone_id": [f"Z{k:03d}" for k in range(count)], "name": "Street", "now": 10.0 + np.arange(count) % 7,
            "peak": peak, "low": peak - 5, "high": peak + 5, "at": "08:00", "chance": np.clip(peak / 100, 0, 1),
            "chance_at": "08:00", "model": "micromodel",
        }
    )  # fmt: skip
    table.loc[3, ["now", "peak", "low", "high", "chance"]] = np.nan
    table.loc[3, ["at", "chance_at"]] = None
    table.loc[0, "name"] = MARKUP
    return table


def test_rows_keep_their_order_and_unknown_values_are_none_not_nan():
    told = table_data(rows(), NO2, BOUNDS)
    assert [row["id"] for row in told["rows"]] == [f"Z{k:03d}" for k in range(COUNT)]
    unknown = told["rows"][3]
    assert [unknown[key] for key in ("now", "peak", "low", "high", "at", "chance")] == [None] * 6
    assert unknown["words"] == "–"
    json.dumps(told, allow_nan=False)


def test_a_chance_goes_as_a_number_to_sort_by_and_as_words_to_read():
    """Stored quantiles end at 5 and 95 %: a chance of 1 reads 'over 95 %'."""
    told = table_data(rows(), NO2, BOUNDS)["rows"]
    assert (told[0]["chance"], told[0]["words"]) == (1.0, "over 95 %")
    assert (told[40]["chance"], told[40]["words"]) == (0.6, "60 %")


def test_only_what_has_a_limit_has_a_chance_and_the_least_speed_is_the_extreme():
    assert table_data(rows(), NO2, BOUNDS)["limit"] == 50.0
    speed = table_data(rows(), "speed_mps", (0.0, 64.0))
    assert speed["limit"] is None and speed["words"]["peak"] == "Lowest"


@pytest.fixture(scope="module")
def table_url() -> Iterator[str]:
    """A page with nothing but a table of 107 zones, with the app's scripts and styles."""
    from dash import Dash, Input, Output, html
    from werkzeug.serving import make_server

    page = Dash("table", assets_folder=str(Path(app.__file__).parent / "assets"), assets_ignore=r"axe\.min\.js")
    shown = ZoneTable(id="table", table=table_data(rows(), NO2, BOUNDS), selected="Z060")
    page.layout = html.Div([html.Div(shown, className="table-box", style={"height": 300}), html.P(id="said")])
    page.clientside_callback("(z) => z || 'none'", Output("said", "children"), Input("table", "chosen"))
    page.clientside_callback(
        "(z) => z || window.dash_clientside.no_update", Output("table", "selected"), Input("table", "chosen")
    )
    server = make_server("127.0.0.1", 0, page.server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def page(browser: Any, table_url: str) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 900, "height": 500})
    opened.set_default_timeout(20_000)
    opened.goto(table_url)
    opened.wait_for_selector("table.zones tbody tr")
    yield opened
    opened.close()


def zones(page: Any) -> list[str]:
    """Codes of the rows that stand in the page."""
    told: list[str] = page.locator("tbody .code").all_inner_texts()
    return told


@pytest.mark.browser
def test_every_zone_stands_on_one_page_and_the_marked_zones_page_is_shown_first(page):
    found = {}
    assert page.locator(".pager select").input_value() == "1" and "Z060" in zones(page)
    assert page.locator("tr.selected .code").all_inner_texts() == ["Z060"]
    for k in ("0", "1", "2"):
        page.select_option(".pager select", k)
        found[k] = zones(page)
    assert [len(part) for part in found.values()] == [50, 50, 7]
    assert [zone for part in found.values() for zone in part] == [f"Z{k:03d}" for k in range(COUNT)]
    assert page.locator(".pager button").last.is_disabled()
    page.locator(".pager button").first.click()
    assert zones(page)[0] == "Z050"


@pytest.mark.browser
def test_a_heading_sorts_both_ways_with_unknown_values_last_and_gives_the_first_order_back(page):
    heading = page.locator("thead th", has_text="Now").first
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    page.select_option(".pager select", "0")
    # ten and six more: the seventh of each seven, in the server's order
    assert zones(page)[:3] == ["Z006", "Z013", "Z020"]
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    page.select_option(".pager select", "0")
    assert zones(page)[:2] == ["Z000", "Z007"]
    page.select_option(".pager select", "2")
    assert zones(page)[-1] == "Z003"
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") is None
    page.select_option(".pager select", "0")
    assert zones(page)[:3] == ["Z000", "Z001", "Z002"]


@pytest.mark.browser
def test_arrow_keys_walk_along_rows_and_pages_and_enter_chooses(page):
    page.select_option(".pager select", "0")
    page.focus("tbody tr:last-child button")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.innerText.startsWith('Z050')")
    page.keyboard.press("ArrowUp")
    page.wait_for_function("document.activeElement.innerText.startsWith('Z049')")
    page.keyboard.press("Home")
    page.wait_for_function("document.activeElement.innerText.startsWith('Z000')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#said:has-text('Z000')")
    page.wait_for_selector("tr.selected:has-text('Z000')")
    assert page.evaluate("document.activeElement.innerText").startswith("Z000")
    assert page.locator("[aria-pressed=true]").count() == 1


@pytest.mark.browser
def test_a_name_with_markup_is_text_and_a_zone_without_a_sensor_says_so(page):
    page.select_option(".pager select", "0")
    assert MARKUP in page.inner_text("tbody tr >> nth=0")
    assert page.evaluate("window.hacked") is None and page.locator("img[src=x]").count() == 0
    assert "no sensor" in page.inner_text("tbody tr >> nth=3")
