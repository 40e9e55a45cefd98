"""In a real browser: no page breaks its policy, names stay text, and signing in works by keys."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from werkzeug.serving import make_server

import app as app_package
from app.server import create_app
from app.serving.settings import Settings
from data.store.workspace import Workspace

pytestmark = pytest.mark.browser
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
AXE = (Path(app_package.__file__).parent / "assets" / "vendor" / "axe" / "axe.min.js").read_text()
RULES = "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']})"
PAGES = {
    "/": "#map-fan", "/micro-macro": "#compare-dumbbell .js-plotly-plot", "/scenarios": ".drawer", "/models": ".column",
    "/monitor": ".page-monitor", "/start": ".page-start",
}  # fmt: skip
WATCH = """document.addEventListener('securitypolicyviolation', e => {
  (window.broken = window.broken || []).push(e.violatedDirective + ' ' + e.blockedURI); })"""


@pytest.fixture(scope="module")
def evil(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy whose zones, streets and label are named by somebody who means harm, as OSM and GeoJSON let anybody."""
    root = tmp_path_factory.mktemp("evil") / "town"
    shutil.copytree(workspace.root, root)
    space = Workspace(root)
    folder = root / "runs" / space.describe()["runs"]["city"]
    for name in ("zones", "links"):
        table = gpd.read_parquet(folder / f"{name}.parquet")
        table["name"] = EVIL
        table.to_parquet(folder / f"{name}.parquet", index=False)
    space.update(label=f"Town {EVIL}")
    return space


@pytest.fixture(scope="module")
def address(evil: Workspace, people: Path) -> Iterator[str]:
    """The app with sign-in, served in a thread."""
    server = make_server("127.0.0.1", 0, create_app(evil, settings=Settings(users=people)).server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def window(browser: Any, address: str) -> Iterator[Any]:
    """A page that remembers errors and broken policies; signed in as the admin by keys alone."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.add_init_script(WATCH)
    page.errors = []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.goto(address + "/models?zone=Z02")
    assert page.url.startswith(address + "/sign-in?next=")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse")
    page.keyboard.press("Enter")
    page.wait_for_url("**/models?zone=Z02")
    yield page
    context.close()


def test_no_page_breaks_the_policy_and_names_are_text_on_each(window, address):
    """All pages, one after the other: nothing blocked, nothing run, no error; the name is there to read."""
    for path, ready in PAGES.items():
        window.goto(address + path)
        window.wait_for_selector(ready)
        window.wait_for_load_state("networkidle")
        assert window.evaluate("[window.broken || [], window.hacked || 0]") == [[], 0], path
        assert "Town <img" in window.inner_text("header .brand")
    assert window.errors == []


def test_a_tooltip_a_panel_and_a_chart_show_a_name_as_it_is(window, address):
    window.goto(address + "/?zone=Z03")
    window.wait_for_selector(".citymap[data-ready]")
    window.wait_for_selector("#map-fan")
    assert window.inner_text(".panel h2") == EVIL
    box = window.locator(".citymap").bounding_box()
    x, y = window.evaluate("document.querySelector('.citymap').zonewise.zonePoint(1)")
    window.mouse.move(box["x"] + x + 9, box["y"] + y + 9)
    window.wait_for_selector(".map-tip:has-text('<img')")
    x, y = window.evaluate("document.querySelector('.citymap').zonewise.linkPoint(1)")
    window.mouse.move(box["x"] + x, box["y"] + y)
    window.wait_for_timeout(200)
    assert window.evaluate("[window.broken || [], window.hacked || 0]") == [[], 0]


def test_a_scenario_and_a_file_that_are_named_to_do_harm_are_text(window, address, tmp_path):
    window.goto(address + "/scenarios")
    window.wait_for_selector(".drawer")
    window.fill("#scenario-name", EVIL)
    window.keyboard.press("Tab")
    window.wait_for_load_state("networkidle")
    window.goto(address + "/start")
    window.get_by_role("tab").nth(1).click()
    bad = tmp_path / "<img src=x onerror=window.hacked=1>.csv"
    pd.DataFrame({"time": ["<img src=x onerror=window.hacked=1>"], "value": [1]}).to_csv(bad, index=False)
    window.set_input_files("#start-files input[type=file]", str(bad))
    window.wait_for_selector("#start-files-names li:has-text('<img')")
    assert window.evaluate("[window.broken || [], window.hacked || 0]") == [[], 0]
    assert window.errors == []


def test_a_viewer_finds_buttons_switched_off_and_says_goodbye(browser, address):
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(address + "/sign-in?next=/scenarios")
    assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == "dark"
    page.fill("#name", "vera")
    page.fill("#password", "wrong password")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert page.evaluate("document.activeElement.id") == "password"
    page.fill("#password", "correct horse")
    page.keyboard.press("Enter")
    page.wait_for_selector("#scenario-run:disabled")
    assert page.get_attribute("#scenario-run", "title") == "Needs the role planner"
    assert "viewer" in page.inner_text(".role-note")
    assert page.inner_text(".person") == "vera\nviewer"
    page.click("header form button")
    page.wait_for_url("**/sign-in")
    page.goto(address + "/scenarios")
    assert "/sign-in" in page.url
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_of_the_sign_in_page_is_out_of_reach(browser, address, scheme):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(address + "/sign-in")
    page.evaluate(AXE)
    found = page.evaluate(RULES)["violations"]
    assert [(v["id"], [n["html"][:100] for n in v["nodes"]]) for v in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
