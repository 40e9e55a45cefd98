"""A planner makes a new micromodel in six steps, in a real browser: it is trained, judged, put in force and undone."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from app.model_views import version
from app.queries import Queries
from data.store.workspace import Workspace

NO2 = "no2_ug_per_m3"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
AXE = (Path(app.__file__).parent / "assets" / "vendor" / "axe" / "axe.min.js").read_text()
RULES = "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']})"


@pytest.fixture(scope="module")
def space(workspace, tmp_path_factory) -> Workspace:
    """A copy that the story may change."""
    root = tmp_path_factory.mktemp("story") / "own"
    shutil.copytree(workspace.root, root)
    return Workspace(root)


@pytest.fixture(scope="module")
def served(space) -> Iterator[str]:
    from werkzeug.serving import make_server

    from app.server import create_app

    server = make_server("127.0.0.1", 0, create_app(space).server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def page(chromium_path, served):
    """One page for the story; at its end no error was logged and nothing was asked of another host."""
    from playwright.sync_api import sync_playwright

    errors, outside = [], []
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=chromium_path, args=FLAGS)
        opened = chromium.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
        opened.set_default_timeout(30_000)
        opened.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        opened.on("pageerror", lambda e: errors.append(str(e)))
        opened.on("request", lambda r: None if r.url.startswith((served, "data:", "blob:")) else outside.append(r.url))
        yield opened
        chromium.close()
    assert errors == []
    assert outside == []


def violations(page) -> list[str]:
    page.evaluate(AXE)
    return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in page.evaluate(RULES)["violations"]]


def step(page, name: str) -> None:
    page.wait_for_selector(f".create-steps [aria-current=step]:has-text('{name}')")


def following(page, name: str) -> None:
    page.click("#create-next")
    step(page, name)


def test_a_micromodel_is_made_in_six_steps_serves_and_is_undone(page, served, space):
    page.goto(f"{served}/models?zone=Z01&target={NO2}")
    page.click("text=New micromodel")
    step(page, "Objective")
    assert violations(page) == []
    following(page, "Data")
    page.wait_for_selector("text=Readings that arrived, day by day")
    assert "8.6" in page.inner_text(".create-body .facts")
    following(page, "Technique")
    page.click("label:has-text('Median line')")
    page.wait_for_function("new URL(location.href).searchParams.get('families') === 'ridge,tree'")
    assert violations(page) == []
    following(page, "Validation")
    assert page.is_disabled("#create-next")
    page.click("#create-train")
    page.wait_for_selector(".create-body [role=progressbar]")
    page.reload()  # the job runs on, and the address finds it again
    page.wait_for_selector(".create-body :text('Errors on days left out')", timeout=60_000)
    assert violations(page) == []
    page.wait_for_selector("#create-next:not([disabled])")
    following(page, "Deployment")
    page.click("#create-deploy")
    page.wait_for_selector("#create-deploy-fault:has-text('Give your name')")
    assert version(Queries(space), "Z01", NO2) == "0001"
    page.fill("#create-by", "Ann Lee")
    page.click("#create-deploy")
    page.wait_for_selector("#create-deployed:has-text('is in force')")
    assert version(Queries(space), "Z01", NO2) == "0002"
    assert violations(page) == []
    following(page, "Monitoring")
    page.wait_for_selector("text=Version 0002 is in force and watched")
    assert violations(page) == []
    page.click("text=See the zone's models")
    page.click("button:has-text('Roll back to 0001')")
    page.wait_for_selector("[role=dialog] :text('will forecast NO₂ in Z01 again')")
    assert violations(page) == []
    page.fill("#models-by", "Ann Lee")
    page.click("text=Yes, do it")
    page.wait_for_selector("#models-said:has-text('Version 0001 is in force in Z01 again')")
    assert version(Queries(space), "Z01", NO2) == "0001"
    page.wait_for_selector("button:has-text('Roll back')", state="detached")  # the zone is drawn anew by then
    page.wait_for_load_state("networkidle")
    with page.expect_download() as taken:
        page.click("button:has-text('All files (zip)')")
    assert taken.value.suggested_filename == f"zonewise_Z01_{NO2}_0001.zip"
