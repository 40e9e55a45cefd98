"""Names that do harm, in files of OSM, GeoJSON, CSV and YAML, through the real commands to every page of a browser.

Each kind of file marks the window with its own word if a name of it is ever run, so that a failure says which.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from werkzeug.serving import make_server

from app.benchmarks.trust import _small as small
from app.server import create_app
from data.cities import load_city
from data.store.workspace import Workspace

pytestmark = pytest.mark.browser
WATCH = """window.ran = []; window.blocked = [];
window.alert = text => window.ran.push('alert ' + text);
document.addEventListener('securitypolicyviolation', e =>
  window.blocked.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + (e.sample || '')));"""
PAGES = {
    "/": "#map-table", "/micro-macro": "#page h1", "/scenarios": "#page h1", "/models": "#page h1",
    "/monitor": "#page h1", "/start": ".page-start",
}  # fmt: skip


def evil(kind: str, number: int = 0) -> str:
    """A name that runs as an image's error, as a script and out of an attribute, if anything takes it for markup."""
    run = f"window.ran.push('{kind}')"
    return f'{kind}{number} "><img src=x onerror="{run}"><script>{run}</script><svg onload="{run}">'


def streets() -> str:
    """An OSM extract: a grid of three streets by six, each with a name that does harm."""
    nodes = {10 * i + j + 1: (52.49 + 0.01 * j, 13.29 + 0.02 * i) for i in range(6) for j in range(3)}
    ways = [[10 * i + j + 1 for i in range(6)] for j in range(3)]
    ways += [[10 * i + j + 1 for j in range(3)] for i in range(6)]
    told = [f'<node id="{k}" version="1" lat="{y}" lon="{x}"/>' for k, (y, x) in nodes.items()]
    for k, way in enumerate(ways):
        refs = "".join(f'<nd ref="{node}"/>' for node in way)
        name = f'<tag k="highway" v="residential"/><tag k="name" v="{escape(evil("osm", k))}"/>'
        told.append(f'<way id="{100 + k}" version="1">{refs}{name}</way>')
    return '<?xml version="1.0"?>\n<osm version="0.6">\n' + "\n".join(told) + "\n</osm>\n"


def zones() -> str:
    """Three zones beside each other, as GeoJSON."""
    west = [13.29 + 0.04 * k for k in range(3)]
    squares = [[[x, 52.48], [x + 0.04, 52.48], [x + 0.04, 52.52], [x, 52.52], [x, 52.48]] for x in west]
    return json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"name": evil("geojson", k)},
         "geometry": {"type": "Polygon", "coordinates": [square]}} for k, square in enumerate(squares)]})  # fmt: skip


@pytest.fixture(scope="module")
def home(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Detectors of a CSV in zones of a GeoJSON on streets of an OSM file; and a town with those streets and a YAML."""
    home = tmp_path_factory.mktemp("home")
    files = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZONEWISE_CACHE", str(files / "cache"))
        patch.setenv("ZONEWISE_HOME", str(home))
        names = {f"d{k}": evil("csv", k) for k in range(small.DETECTORS)}
        table, stands = small.readings(10, 1), small.places()
        table.assign(sensor_id=table["sensor_id"].map(names)).to_csv(files / "readings.csv", index=False)
        stands.assign(id=stands["id"].map(names)).to_csv(files / "places.csv", index=False)
        (files / "town.osm").write_text(streets())
        (files / "zones.geojson").write_text(zones())
        assert small.command([
            "import", "detectors", str(files / "readings.csv"), "--places", str(files / "places.csv"), "--workspace",
            str(home / "files"), "--timezone", "Europe/Berlin", "--zones", "polygons", "--polygons",
            str(files / "zones.geojson"), "--city", str(files / "town.osm"), "--label", evil("csv", 9), "--families",
            "ridge,macro_ridge",
        ]) == 0  # fmt: skip
        assert small.command(["compare", str(home / "files"), "--n-jobs", "1"]) == 0
        shutil.copytree(workspace.root, home / "town")
        town = Workspace(home / "town")
        links = town.runs.root / town.describe()["runs"]["city"] / "links.parquet"
        table = gpd.read_parquet(links)  # named as those that the reader of OSM files found
        read = sorted({str(name) for name in load_city(str(files / "town.osm")).links["name"]})
        table.assign(name=[read[k % len(read)] for k in range(len(table))]).to_parquet(links, index=False)
        yaml = files / "evil.yaml"
        label, about = json.dumps(evil("yaml", 1)), json.dumps(evil("yaml", 2))
        yaml.write_text(
            f"name: evil\nlabel: {label}\ndescription: {about}\nmeasures:\n  - measure: close_street\n    links: [3]\n"
        )
        run = ["scenario", "run", str(yaml), str(home / "town"), "--seeds", "2", "--n-jobs", "1"]
        assert small.command(run) == 0
        yield home


@pytest.fixture(scope="module")
def address(home: Path) -> Iterator[str]:
    """The app on the imported workspace; the town stands below /w/town."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZONEWISE_HOME", str(home))
        server = make_server("127.0.0.1", 0, create_app(Workspace(home / "files")).server, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def window(browser: Any) -> Iterator[Any]:
    """A page that remembers what ran, what the policy blocked, and what went wrong."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.add_init_script(WATCH)
    page.errors = []
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: page.errors.append(str(e)))
    page.on("dialog", lambda d: (page.errors.append(f"dialog {d.message}"), d.dismiss()))
    yield page
    context.close()


def walk(page: Any, base: str) -> str:
    """All that the pages show below an address; nothing of it ran, and the policy had nothing to block."""
    shown = []
    for path, ready in PAGES.items():
        page.goto(base + path)
        page.wait_for_selector(ready)
        page.wait_for_load_state("networkidle")
        shown.append(all_text(page))
        quiet(page, path)
    return "\n".join(shown)


def all_text(page: Any) -> str:
    """Text, also of what is folded, and what is offered, hinted at or read aloud: titles, labels, values of fields."""
    return page.evaluate("""() => [
      ...[...document.body.querySelectorAll(':scope > :not(script)')].map(one => one.textContent),
      ...[...document.querySelectorAll('[title],[aria-label],[placeholder],input')].map(one =>
        [one.title, one.getAttribute('aria-label'), one.placeholder, one.value].join(' ')),
    ].join('\\n')""")


def quiet(page: Any, where: str) -> None:
    assert page.evaluate("[window.ran, window.blocked]") == [[], []], where
    assert page.errors == [], where


def test_a_name_that_ran_would_be_seen(window: Any, address: str) -> None:
    """Put into the page as markup, its handler is stopped by the policy: the test sees that too."""
    window.goto(address + "/start")
    window.wait_for_selector(".page-start")
    window.evaluate("name => { document.body.insertAdjacentHTML('beforeend', '<p title=\"' + name + '</p>'); }",
                    evil("osm"))  # fmt: skip
    window.wait_for_timeout(300)
    ran, blocked = window.evaluate("[window.ran, window.blocked]")
    assert ran or blocked


def test_names_of_osm_geojson_and_csv_are_text_on_every_page(window: Any, address: str) -> None:
    shown = walk(window, address)
    assert evil("geojson", 1) in shown
    assert evil("csv", 9) in shown  # the city's label


def test_names_in_tooltips_of_the_map_are_text(window: Any, address: str) -> None:
    """Over each zone's middle and some streets; the tips are those of the two kinds of file."""
    window.goto(address + "/")
    window.wait_for_selector(".citymap[data-ready]")
    window.wait_for_load_state("networkidle")
    box = window.locator(".citymap").bounding_box()
    tips = set()
    for place in ("zonePoint(0)", "zonePoint(1)", "zonePoint(2)", "linkPoint(0)", "linkPoint(5)", "linkPoint(9)"):
        x, y = window.evaluate(f"document.querySelector('.citymap').zonewise.{place}")
        for off in (1, 9):
            window.mouse.move(box["x"] + x + off, box["y"] + y + off)
            window.wait_for_timeout(120)
            tips |= {tip for tip in window.locator(".map-tip").all_inner_texts() if "<img src=x" in tip}
    assert any("geojson" in tip for tip in tips), tips
    quiet(window, "the map")


def test_a_scenario_file_and_its_study_are_text_on_every_page_and_in_its_report(
    window: Any, address: str, home: Path, tmp_path: Path
) -> None:
    space = Workspace(home / "town")
    study = space.runs.latest("study")["id"]
    assert evil("yaml", 1) in walk(window, address + "/w/town")
    window.goto(f"{address}/w/town/scenarios?study={study}")
    window.wait_for_selector("#page h1")
    window.wait_for_load_state("networkidle")
    assert evil("yaml", 1) in all_text(window)
    quiet(window, "the study")
    report = tmp_path / "report.html"
    assert small.command(["scenario", "report", study, str(space.root), "--to", str(report)]) == 0
    window.goto(report.as_uri())  # as a file there is no policy of the app's: escaping alone keeps it quiet
    assert evil("yaml", 1) in all_text(window)
    assert window.evaluate("window.ran") == []


def test_streets_of_an_osm_file_are_text_where_a_scenario_chooses_them(window: Any, address: str) -> None:
    """The name under the pointer, and the list of streets that a measure is chosen by."""
    window.goto(address + "/w/town/scenarios")
    window.wait_for_selector("#scenario-map .citymap[data-ready], .citymap[data-ready]")
    window.wait_for_load_state("networkidle")
    box = window.locator(".citymap").first.bounding_box()
    tips = set()
    for k in (1, 4, 9, 14):
        x, y = window.evaluate(f"document.querySelector('.citymap').zonewise.linkPoint({k})")
        window.mouse.move(box["x"] + x, box["y"] + y)
        window.wait_for_timeout(150)
        tips |= set(window.locator(".map-tip").all_inner_texts())
    assert any("osm" in tip and "<img src=x" in tip for tip in tips), tips
    window.click("#scenario-street")
    window.wait_for_selector("[role=option]:has-text('<img')")
    quiet(window, "streets")
