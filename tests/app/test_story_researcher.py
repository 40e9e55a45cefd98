"""A researcher compares micromodels with the macromodel on measurements of their own, in a real browser."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import app
from app.comparison_metrics import zone_rows
from app.comparison_views import verdict
from app.queries import Queries
from data.store.workspace import Workspace

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
AXE = (Path(app.__file__).parent / "assets" / "vendor" / "axe" / "axe.min.js").read_text()
RULES = "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']})"
FLOW = "flow_veh_per_h"


def measurements(folder: Path) -> tuple[Path, Path]:
    """Four detectors over ten days, hourly: a daily wave, and noise that hangs together; and where they stand."""
    times = pd.date_range("2025-03-03", periods=240, freq="1h", tz="Europe/Berlin")
    rng = np.random.default_rng(11)
    wave = 500 + 380 * np.sin(2 * np.pi * (times.hour.to_numpy() - 6) / 24)
    parts = []
    for k in range(4):
        noise = np.zeros(times.size)
        for i in range(1, times.size):
            noise[i] = 0.8 * noise[i - 1] + rng.normal(0, 25)
        flow = np.maximum(wave * (1 + 0.2 * k) + noise, 0)
        parts.append(pd.DataFrame({"sensor_id": f"d{k}", "time": times, FLOW: flow.round(1)}))
    pd.concat(parts).to_csv(folder / "readings.csv", index=False)
    places = {
        "id": [f"d{k}" for k in range(4)],
        "lon": [13.30, 13.36, 13.42, 13.48],
        "lat": [52.50, 52.53, 52.49, 52.52],
    }
    pd.DataFrame(places).to_csv(folder / "places.csv", index=False)
    return folder / "readings.csv", folder / "places.csv"


@pytest.fixture(scope="module")
def space(tmp_path_factory) -> Workspace:
    """Imported, trained and compared, as the start page's form does it."""
    from app.importing import ImportOptions, import_readings
    from app.measured import measured_job
    from data.readers.detector_files import read_detector_files

    folder = tmp_path_factory.mktemp("research")
    files, places = measurements(folder)
    made = Workspace(folder / "berlin")
    readings, order, zone = read_detector_files([files], timezone="Europe/Berlin", places=places)
    options = ImportOptions(timezone=zone, label="Berlin detectors", families="ridge,macro_ridge")
    import_readings(made, readings, options, order=order, source={"files": ["readings.csv"]}, report=lambda *_: None)
    job = measured_job(made, {}, lambda *_: None)
    job.n_jobs = 1
    job.run("comparison")
    return made


@pytest.fixture(scope="module")
def served(space) -> Iterator[str]:
    from werkzeug.serving import make_server

    from app.server import create_app

    server = make_server("127.0.0.1", 0, create_app(space).server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def page(chromium_path, served):
    """A page; at its end no error was logged and nothing was asked of another host."""
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


def pick(page, field: str, words: str) -> None:
    """Choose an option of a picker by its words."""
    page.click(f"#{field}")
    page.click(f"[role=option]:has-text('{words}') >> visible=true")


def violations(page) -> list[str]:
    page.evaluate(AXE)
    return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in page.evaluate(RULES)["violations"]]


def test_a_researcher_compares_on_measurements_by_metric_horizon_and_situation_and_takes_the_table(page, served, space):
    queries = Queries(space)
    page.goto(f"{served}/micro-macro?target={FLOW}&horizon=3600")
    page.wait_for_selector("#compare-dumbbell .js-plotly-plot")
    found = verdict(zone_rows(queries, FLOW, "mae", 3600.0))
    assert found.zones == 4
    assert page.inner_text("#compare-kpi h1") == found.sentence()
    assert "Same time last week" in page.inner_text("#compare-notes .js-plotly-plot")
    assert "zonewise compare --thorough" in page.inner_text("#compare-notes")
    assert violations(page) == []
    pick(page, "compare-metric", "Root mean square")
    page.wait_for_selector("#compare-kpi :text('root mean square error')")
    assert "metric=rmse" in page.url
    rows = zone_rows(queries, FLOW, "rmse", 3600.0)
    assert page.inner_text("#compare-kpi h1") == verdict(rows).sentence()
    with page.expect_download() as taken:
        page.click("text=Download CSV")
    with taken.value.path().open() as file:
        told = {row["zone_id"]: row for row in csv.DictReader(file)}
    assert set(told) == set(rows["zone_id"])
    zone = rows.iloc[0]
    assert float(told[zone["zone_id"]]["micromodel"]) == pytest.approx(zone["micro_mae"])
    pick(page, "compare-horizon", "24 h")
    page.wait_for_selector("#compare-kpi :text('24 h ahead')")
    pick(page, "compare-period", "Night")
    page.wait_for_selector("#compare-kpi h1:has-text('Night:')")
    page.wait_for_selector("#compare-dumbbell :text('Situation by situation')")
    assert page.is_disabled("#compare-metric")
    assert violations(page) == []
    page.reload()
    page.wait_for_selector("#compare-kpi h1:has-text('Night:')")
    page.goto(f"{served}/models?target={FLOW}")
    page.wait_for_selector(":text('What competed')")
    page.wait_for_selector(":text('measured') >> nth=0")
