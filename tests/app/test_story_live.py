"""Readings that arrive while the map is open: figures, table, chart, clock and map renew without a reload."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from data.store.workspace import Workspace

pytestmark = pytest.mark.browser


@pytest.fixture
def followed(workspace: Workspace, tmp_path: Any) -> Iterator[tuple[Workspace, str]]:
    """A copy of the toy town, served on its own, whose page looks for newer readings every half second."""
    from werkzeug.serving import make_server

    from app.pages import map_forecast
    from app.server import create_app

    space = Workspace(shutil.copytree(workspace.root, tmp_path / "toy"))
    usual, map_forecast.LOOK_EVERY_MS = map_forecast.LOOK_EVERY_MS, 500
    server = make_server("127.0.0.1", 0, create_app(space).server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield space, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    map_forecast.LOOK_EVERY_MS = usual


def test_a_new_reading_renews_the_open_map_and_a_silent_server_is_told(browser, followed):
    space, address = followed
    page = browser.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page.set_default_timeout(25_000)
    faults: list[str] = []
    page.on("pageerror", lambda e: faults.append(str(e)))
    page.goto(address)
    page.wait_for_selector("#map-fan .js-plotly-plot, #map-fan.js-plotly-plot")
    clock, asked = page.inner_text(".status strong"), page.evaluate("performance.now()")
    assert page.get_attribute(".citymap", "data-now") == page.get_attribute(".citymap", "data-step") == "58"
    # the forecast of a quarter of an hour before is stored, too: its clock is what a run that came since would have
    back = pd.Timestamp(space.describe()["now"]) - pd.Timedelta(minutes=15)
    space.update(now=back.isoformat())
    page.wait_for_selector(f".status strong:not(:has-text('{clock}'))")
    page.wait_for_selector(f".pulse:has-text('{back.tz_convert('Europe/Helsinki'):%H:%M}')")
    page.wait_for_function("document.querySelector('.citymap').dataset.now === '57'")
    page.wait_for_function("document.querySelector('.citymap').dataset.step === '57'")
    assert "+15 min" in page.inner_text(".timebar-clock")
    assert page.evaluate("performance.now()") > asked  # the same document: no reload
    # who looks at another hour is left there
    page.focus(".timebar input")
    page.keyboard.press("Home")
    page.wait_for_url("**step=0**")
    space.update(now=(back + pd.Timedelta(minutes=15)).isoformat())
    page.wait_for_function("document.querySelector('.citymap').dataset.now === '58'")
    assert page.get_attribute(".citymap", "data-step") == "0"
    page.route("**/api/now", lambda route: route.abort())
    page.wait_for_selector(".pulse:has-text('does not answer')")
    page.unroute("**/api/now")
    page.wait_for_selector(".pulse", state="detached")
    assert faults == []
    page.close()
