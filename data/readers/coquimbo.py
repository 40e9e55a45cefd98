"""La Serena-Coquimbo, Chile (452,000 people): streets from OpenStreetMap and 133 zones, as packaged with aequilibrae.

The package's reference project is a SpatiaLite file in a zip; it is read with sqlite3 alone. Streets come as ways of an
`OsmExtract`, so that they are cleaned like those of any extract. Map data (c) OpenStreetMap contributors, ODbL.
"""

from __future__ import annotations

import sqlite3
import zipfile
import zlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from data.errors import CityError, FileFormatError
from data.readers.osm import OsmExtract, RoadWay
from data.readers.osm_tags import road_classes
from data.readers.spatialite import shape_of_blob

NAME, LABEL = "coquimbo", "La Serena-Coquimbo"
_DATABASE = "project_database.sqlite"
_BEND = 1 << 50  # ids of the points between a street's ends: this and above
_ZONES = "SELECT zone_id, name, population, geometry FROM zones ORDER BY zone_id"
_NODES = "SELECT node_id, osm_id, geometry FROM nodes WHERE is_centroid = 0"
_LINKS = """SELECT a_node, b_node, direction, modes, link_type, name, speed_ab, speed_ba, lanes_ab, lanes_ba, osm_id,
geometry FROM links ORDER BY link_id"""


def find_coquimbo() -> Path:
    """Path of the packaged file.

    Raises
    ------
    CityError
        If aequilibrae is not installed, or lacks the file.
    """
    spec = find_spec("aequilibrae")  # finds the package without importing it
    for folder in list(spec.submodule_search_locations or ()) if spec else []:
        path = Path(folder) / "reference_files" / "coquimbo.zip"
        if path.is_file():
            return path
    raise CityError(
        "'coquimbo' needs the package aequilibrae, which ships its map; install it: pip install aequilibrae, or"
        " pip install 'zonewise[bench]'"
    )


def read_coquimbo(path: Path) -> tuple[OsmExtract, gpd.GeoDataFrame]:
    """Streets and zones of the packaged file.

    Returns
    -------
    extract : OsmExtract
        Roads alone: centroid connectors and what cars may not use are left out and counted.
    zones : GeoDataFrame
        `name`, `population` (people), geometry in EPSG:4326.

    Raises
    ------
    FileFormatError
        If the file is damaged or lacks what is read.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            raw = packed.read(_DATABASE)
        database = sqlite3.connect(":memory:")
        try:
            database.deserialize(raw)
            zones = database.execute(
                "SELECT zone_id, name, population, geometry FROM zones ORDER BY zone_id"
            ).fetchall()
            nodes = database.execute("SELECT node_id, osm_id, geometry FROM nodes WHERE is_centroid = 0").fetchall()
            links = database.execute(_LINKS).fetchall()
        finally:
            database.close()
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error, sqlite3.Error) as error:
        raise FileFormatError(
            f"{path} cannot be read as aequilibrae's reference project ({type(error).__name__}: {error}); install"
            " aequilibrae again"
        ) from error
    return _extract(nodes, links), _zones(zones)


def _zones(rows: Sequence[tuple[Any, ...]]) -> gpd.GeoDataFrame:
    shapes = np.array([shape_of_blob(blob)[0] for *_, blob in rows], dtype=object)
    return gpd.GeoDataFrame(
        {
            "name": [str(name) if name else f"Zone {number}" for number, name, _, _ in rows],
            "population": [float(people or 0.0) for _, _, people, _ in rows],
        },
        geometry=shapely.make_valid(shapes), crs="EPSG:4326",
    )  # fmt: skip


def _extract(nodes: Sequence[tuple[Any, ...]], links: Sequence[tuple[Any, ...]]) -> OsmExtract:
    extract = OsmExtract()
    osm = {int(node): int(osm_id or node) for node, osm_id, _ in nodes}
    for node, _, blob in nodes:
        point = shape_of_blob(blob)[0]
        extract.location[osm[int(node)]] = (point.x, point.y)
    bend = _BEND
    for a, b, direction, modes, kind, name, speed_ab, speed_ba, lanes_ab, lanes_ba, osm_id, blob in links:
        reason = "no street" if kind not in road_classes() else None if "c" in modes else "closed to motor traffic"
        if reason is not None or a not in osm or b not in osm:
            extract.dropped_ways[reason or "an end that is no node"] += 1
            continue
        inner = shapely.get_coordinates(shape_of_blob(blob)[0])[1:-1]
        refs = [osm[a], *range(bend, bend + len(inner)), osm[b]]
        extract.location.update(zip(refs[1:-1], map(tuple, inner.tolist())))
        bend += len(inner)
        tags = {
            "highway": kind, "name": name, "oneway": {0: "no", 1: "yes", -1: "-1"}.get(direction, "no"),
            "maxspeed:forward": speed_ab, "maxspeed:backward": speed_ba, "lanes:forward": lanes_ab,
            "lanes:backward": lanes_ba,
        }  # fmt: skip
        extract.roads.append(RoadWay(int(osm_id or 0), {k: str(v) for k, v in tags.items() if v is not None}, refs))
    if not extract.roads:
        raise FileFormatError("the reference project holds no street; install aequilibrae again")
    return extract
