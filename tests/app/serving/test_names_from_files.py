"""Names that do harm, as OSM, GeoJSON and YAML bring them through the real readers, are text on every page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest

from app import ids
from app.server import create_app
from data import cities
from data.readers.polygons import read_polygons
from data.store.workspace import Workspace
from simulation.scenarios import read_scenario

IMG, SCRIPT = "<img src=x onerror=alert(1)>", '"><script>alert(1)</script>'
PAGES = ("/", "/micro-macro", "/scenarios", "/models", "/monitor", "/start")
#: Properties that a browser reads as markup, a style or an address, and components that read their text as such.
MARKUP = {"srcDoc", "dangerouslySetInnerHTML", "dangerously_allow_html", "href", "src", "style"}
READERS = {"Markdown", "DangerouslySetInnerHTML", "Iframe", "Script"}


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of the streets of an OSM file: a crossing with four arms, two of them named to do harm."""
    places = {1: (60.170, 24.940), 2: (60.172, 24.943), 3: (60.170, 24.946), 4: (60.168, 24.943), 5: (60.170, 24.943)}
    nodes = "".join(f'<node id="{k}" version="1" lat="{y}" lon="{x}"/>' for k, (y, x) in places.items())
    ways = "".join(
        f'<way id="{100 + k}" version="1"><nd ref="{k}"/><nd ref="5"/><tag k="highway" v="residential"/>'
        f'<tag k="name" v="{escape((IMG, SCRIPT)[k % 2])}"/></way>' for k in range(1, 5)
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("osm")
    path = folder / "town.osm"
    path.write_text(f'<?xml version="1.0"?>\n<osm version="0.6">\n{nodes}\n{ways}\n</osm>\n')
    return sorted(set(cities._read(str(path), path, "Europe/Helsinki", folder).links["name"].astype(str)))


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of the zones of a GeoJSON file."""
    square = {"type": "Polygon", "coordinates": [[[24, 60], [25, 60], [25, 61], [24, 60]]]}
    told = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"name": name}, "geometry": square} for name in (IMG, SCRIPT)]}  # fmt: skip
    path = tmp_path_factory.mktemp("zones") / "zones.geojson"
    path.write_text(json.dumps(told))
    return read_polygons(path)["name"].tolist()


@pytest.fixture(scope="module")
def caller(workspace: Workspace, streets: list[str], zones: list[str], served: Any, tmp_path_factory: Any) -> Any:
    """An app over a copy whose streets and zones have the names that were read."""
    root = tmp_path_factory.mktemp("evil") / "town"
    shutil.copytree(workspace.root, root)
    space = Workspace(root)
    folder = root / "runs" / space.describe()["runs"]["city"]
    for name, names in (("zones", zones), ("links", streets)):
        table = gpd.read_parquet(folder / f"{name}.parquet")
        table["name"] = [names[k % len(names)] for k in range(len(table))]
        table.to_parquet(folder / f"{name}.parquet", index=False)
    return served(create_app(space))


def hostile(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where hostile names stand in a tree of components: the types and properties that lead there."""
    if isinstance(value, str):
        if IMG in value or SCRIPT in value:
            yield path
    elif isinstance(value, dict):
        kind = (value["type"],) if isinstance(value.get("type"), str) and "props" in value else ()
        for key, inner in value.items():
            yield from hostile(inner, (*path, *kind, key))
    elif isinstance(value, list):
        for inner in value:
            yield from hostile(inner, path)


def test_readers_bring_names_as_they_are(streets, zones):
    """Escaping is for whoever shows a name: a name that a reader changed would be found by nobody."""
    assert streets == sorted([IMG, SCRIPT]) and zones == [IMG, SCRIPT]


def test_a_tree_with_a_name_as_markup_would_be_seen():
    tree = {"type": "Markdown", "namespace": "dcc", "props": {"children": [IMG]}}
    assert [READERS & set(path) for path in hostile(tree)] == [{"Markdown"}]


@pytest.mark.parametrize("page", PAGES)
def test_names_are_plain_text_on_each_page(caller, page):
    answer = caller.call(f"{ids.URL}.pathname > {ids.PAGE}", [f"{ids.URL}.pathname"], url=page)
    assert answer.status_code == 200
    found = list(hostile(answer.json))
    assert found or page in ("/start", "/", "/micro-macro")  # these bring names by later calls
    assert [path for path in found if set(path) & (MARKUP | READERS)] == []


def test_a_scenario_file_named_to_do_harm_is_refused_or_text(caller, tmp_path):
    """A name becomes a file's name, so it is refused; a label is free text, and stands as text in the list."""
    path: Path = tmp_path / "evil.yaml"
    measures = "measures:\n  - measure: close_street\n    links: [3]\n"
    path.write_text(f"name: evil\nlabel: '{SCRIPT}'\ndescription: '{IMG}'\n{measures}")
    scenario = read_scenario(path)
    assert scenario.label == SCRIPT
    draft = {"name": "evil", "label": scenario.label, "description": IMG, "measures": [
        {"measure": "close_street", "street": SCRIPT}, {"measure": "zone_30", "zones": [IMG]}]}  # fmt: skip
    for call in caller.app._callback_list:
        inputs = [(one["id"], one["property"]) for one in call["inputs"]]
        if call.get("clientside_function") or inputs[0] != (ids.SCENARIO_DRAFT, "data"):
            continue
        from app.serving.changes import name_of

        answer = caller.call(name_of(call), scenario__draft=draft, scenario__kind="close_street")
        assert answer.status_code in (200, 204, 400), name_of(call)
        if answer.status_code == 200:
            assert [one for one in hostile(answer.json) if set(one) & (MARKUP | READERS)] == [], name_of(call)
