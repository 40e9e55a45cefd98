"""An operator's story in a real browser: an alarm, its reason, a note, a retraining, and the new version in the log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import app

pytestmark = pytest.mark.browser
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
AXE = (Path(app.__file__).parent / "assets" / "vendor" / "axe" / "axe.min.js").read_text()
RULES = "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']})"


@pytest.fixture
def page(drifted: Any, chromium_path: str) -> Iterator[Any]:
    """A page on a server of the drifted town; at the end nothing went wrong and nothing was asked of another host."""
    from playwright.sync_api import sync_playwright
    from werkzeug.serving import make_server

    from app.server import create_app

    server = make_server("127.0.0.1", 0, create_app(drifted).server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base, errors = f"http://127.0.0.1:{server.server_port}", []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium_path, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=base, bypass_csp=True)
        page.set_default_timeout(60_000)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("request", lambda r: None if r.url.startswith((base, "data:", "blob:")) else errors.append(r.url))
        yield page
        browser.close()
    server.shutdown()
    assert errors == []


def test_an_operator_sees_an_alarm_acknowledges_it_and_trains_the_zone_again(page: Any) -> None:
    page.goto("/monitor")
    page.get_by_role("heading", name="No check yet").wait_for()
    page.get_by_role("button", name="Check now").click()
    alarm = page.locator("button.alarm", has_text="Forecasts lean to one side: Speed")
    alarm.wait_for()
    assert "Z02" in alarm.inner_text() and "Open" in alarm.inner_text()
    # its reason
    alarm.click()
    detail = page.locator("#monitor-detail")
    detail.get_by_text("lower than forecast").first.wait_for()
    detail.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert "alarm=" in page.url and alarm.get_attribute("aria-pressed") == "true"
    # nobody signs: nothing happens
    page.get_by_role("button", name="Acknowledge").click()
    page.locator("#monitor-said .fault").wait_for()
    page.get_by_label("Your name").fill("Aino")
    page.get_by_label("Note").fill("loop was cut by roadworks")
    page.get_by_role("button", name="Acknowledge").click()
    page.locator("button.alarm", has_text="Acknowledged").first.wait_for()
    detail.get_by_text("loop was cut by roadworks").wait_for()
    page.evaluate(AXE)
    assert page.evaluate(RULES)["violations"] == []
    # the zone of the alarm is the one that is trained
    page.get_by_role("button", name="Train this zone again").click()
    page.locator("#monitor-log li", has_text="Z02, Speed: 0002 in force").wait_for()
    page.locator("#monitor-jobs tr", has_text="Retraining").get_by_text("Done").wait_for()
    assert "Aino" in page.locator("#monitor-log li", has_text="Z02, Speed: 0002 in force").inner_text()
    page.locator("#monitor-model", has_text="version 0002 of 2").wait_for()
    # closed, and still there
    assert page.locator("button.alarm", has_text="Forecasts lean to one side: Speed").count() == 0
    page.goto(page.url)
    page.locator("#monitor-detail").get_by_text("trained again, version 0002").wait_for()
