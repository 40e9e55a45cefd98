"""City geometry for the browser: whole numbers around one corner, so that the file is small and exact to 0.1 m."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

SCALE = 1_000_000  # whole numbers per degree: 0.11 m of latitude
#: Drawing rank of a road class: 0 widest. Links (ramps) rank with their road.
RANKS = {"motorway": 0, "trunk": 0, "primary": 0, "secondary": 1, "tertiary": 2}
#: Base map in drawing order.
KINDS = ("land", "park", "water", "walk", "rail", "building")


def rank(road_class: str) -> int:
    """Drawing rank of a road class, 0 (widest) to 3."""
    return RANKS.get(str(road_class).removesuffix("_link"), 3)


def city_geometry(zones: gpd.GeoDataFrame, links: gpd.GeoDataFrame, basemap: gpd.GeoDataFrame | None) -> dict[str, Any]:
    """Everything that the map draws, once.

    Parameters
    ----------
    zones : GeoDataFrame
        Columns `zone_id`, `name`; geometry in any CRS.
    links : GeoDataFrame
        Columns `name`, `road_class`, `free_flow_speed_mps`; geometry in any CRS, rows in order of `link_id`.
    basemap : GeoDataFrame or None
        Columns `kind`; geometry.

    Returns
    -------
    dict
        `origin` (lon, lat), `scale`, `bounds`, `zones` (id, name, at, rings), `links` (n, c, v in km/h, line), `base`.
    """
    zones, links = zones.to_crs(4326), links.to_crs(4326)
    bounds = [float(v) for v in zones.total_bounds]
    origin = np.round(np.array(bounds[:2]), 4)
    inner = [geometry.representative_point() for geometry in zones.geometry]
    zone_list = [
        {"id": str(z), "name": str(n), "at": [round(p.x, 6), round(p.y, 6)], "rings": _rings(g, origin)}
        for z, n, p, g in zip(zones["zone_id"], zones["name"], inner, zones.geometry)
    ]
    lines = _lines(links, origin)
    link_list = [
        {"n": "" if n is None or n != n else str(n), "c": rank(c), "v": round(float(v) * 3.6, 1), "line": line}
        for n, c, v, line in zip(links["name"], links["road_class"], links["free_flow_speed_mps"], lines)
    ]
    return {
        "origin": [float(v) for v in origin], "scale": SCALE, "bounds": bounds, "zones": zone_list, "links": link_list,
        "base": _base(basemap, origin),
    }  # fmt: skip


def _flat(geometry: BaseGeometry, origin: np.ndarray) -> list[int]:
    points = shapely.get_coordinates(geometry)
    return np.rint((points - origin) * SCALE).astype(np.int64).ravel().tolist()


def _lines(rows: gpd.GeoDataFrame, origin: np.ndarray) -> list[list[int]]:
    """`_flat` of every row at once."""
    points, row = shapely.get_coordinates(rows.geometry.to_numpy(), return_index=True)
    whole = np.rint((points - origin) * SCALE).astype(np.int64)
    ends = np.cumsum(np.bincount(row, minlength=len(rows)))
    return [part.ravel().tolist() for part in np.split(whole, ends[:-1])] if len(rows) else []


def _rings(geometry: BaseGeometry, origin: np.ndarray) -> list[list[int]]:
    """Outer rings and holes, wound against each other, so that a non-zero fill leaves the holes open."""
    rings = []
    for part in _parts(geometry):
        if part.geom_type == "Polygon":
            turned = shapely.geometry.polygon.orient(part)
            rings += [_flat(turned.exterior, origin), *(_flat(hole, origin) for hole in turned.interiors)]
    return rings


def _parts(geometry: BaseGeometry) -> Iterable[BaseGeometry]:
    return getattr(geometry, "geoms", [geometry])


def _base(basemap: gpd.GeoDataFrame | None, origin: np.ndarray) -> list[dict[str, Any]]:
    if basemap is None or basemap.empty:
        return []
    basemap = basemap.to_crs(4326)
    groups = []
    for kind in KINDS:
        lines: list[list[int]] = []
        for geometry in basemap.geometry[basemap["kind"] == kind]:
            for part in _parts(geometry):
                if part.geom_type == "Polygon":
                    lines += _rings(part, origin)
                elif part.geom_type in ("LineString", "LinearRing"):
                    lines.append(_flat(part, origin))
        if lines:
            groups.append({"kind": kind, "lines": lines})
    return groups
