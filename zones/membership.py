"""Which link, and which point, lies in which zone."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.schemas import LINK_ZONE, validate
from zones.errors import ZoneError

_SLIVER = 1e-4  # a smaller share of a link is rounding along a border


def overlay(lines: np.ndarray, polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (line, polygon) that overlap, and the length of the line inside, in the unit of the coordinates."""
    line, polygon = shapely.STRtree(polygons).query(lines, predicate="intersects")
    length = shapely.length(shapely.intersection(lines[line], polygons[polygon]))
    return line[length > 0.0], polygon[length > 0.0], length[length > 0.0]


def link_zone(links: gpd.GeoDataFrame, zones: gpd.GeoDataFrame) -> pd.DataFrame:
    """Share of each link in each zone, by length.

    A link that runs along a border belongs half to each side. What lies outside all zones is counted in the zones
    that the rest of the link lies in; a link wholly outside belongs to the nearest zone.

    Parameters
    ----------
    links : GeoDataFrame
        Reads `link_id`, geometry.
    zones : GeoDataFrame
        Reads `zone_id`, geometry, in the same coordinate system.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.LINK_ZONE`, ordered by link, then zone. Shares of a link sum to one.

    Raises
    ------
    ZoneError
        If there is no zone, or the coordinate systems differ.
    """
    _same_crs(links, zones)
    lines, polygons = links.geometry.to_numpy(), zones.geometry.to_numpy()
    line, zone, length = overlay(lines, polygons)
    total = np.bincount(line, weights=length, minlength=len(lines))
    kept = length > _SLIVER * total[line]
    line, zone, length = line[kept], zone[kept], length[kept]
    lost = np.setdiff1d(np.arange(len(lines)), line)
    if lost.size:
        line, length = np.append(line, lost), np.append(length, np.ones(lost.size))
        zone = np.append(zone, nearest_index(shapely.centroid(lines[lost]), polygons))
    total = np.bincount(line, weights=length, minlength=len(lines))
    table = pd.DataFrame(
        {
            "link_id": links["link_id"].to_numpy()[line], "zone_id": zones["zone_id"].to_numpy()[zone],
            "share": length / total[line],
        }
    )  # fmt: skip
    return validate(table.sort_values(["link_id", "zone_id"], ignore_index=True), LINK_ZONE)


def nearest(points: gpd.GeoSeries | np.ndarray, zones: gpd.GeoDataFrame) -> np.ndarray:
    """`zone_id` of the zone that holds each point, or is nearest to it; the first of equals.

    Parameters
    ----------
    points : GeoSeries or ndarray of shapely points, shape (n,)
        In the zones' coordinate system.
    zones : GeoDataFrame
        Reads `zone_id`, geometry.
    """
    if len(zones) == 0:
        raise ZoneError("there are no zones")
    shapes = np.asarray(points.to_numpy() if isinstance(points, gpd.GeoSeries) else points)
    return zones["zone_id"].to_numpy()[nearest_index(shapes, zones.geometry.to_numpy())]


def nearest_index(points: np.ndarray, polygons: np.ndarray) -> np.ndarray:
    """Position of the nearest polygon of each point; the lowest of equals."""
    if len(points) == 0:
        return np.array([], dtype=np.int64)
    point, polygon = shapely.STRtree(polygons).query_nearest(points, all_matches=True)
    order = np.lexsort((polygon, point))
    _, first = np.unique(point[order], return_index=True)
    return polygon[order][first]


def _same_crs(links: gpd.GeoDataFrame, zones: gpd.GeoDataFrame) -> None:
    if len(zones) == 0:
        raise ZoneError("there are no zones, so no link can lie in one")
    if links.crs != zones.crs:
        raise ZoneError(f"links are in {links.crs}, zones in {zones.crs}; bring both to the city's projected system")
