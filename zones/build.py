"""The front door: from links and places to the `zones` table."""

from __future__ import annotations

import logging
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from scipy import sparse

from data.schemas import ZONES, validate
from zones import partition
from zones.character import character
from zones.errors import ZoneError
from zones.naming import reading_order, street_names, zone_ids
from zones.spec import ZoneSpec

logger = logging.getLogger(__name__)


def make_zones(
    links: gpd.GeoDataFrame,
    places: gpd.GeoDataFrame | None = None,
    *,
    crs: Any = None,
    kind: str = "hex",
    count: int | None = 18,
    resolution: int | None = None,
    cell_m: float | None = None,
    polygons: gpd.GeoDataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Cut a city into zones and tell what each is like.

    Parameters
    ----------
    links : GeoDataFrame
        Columns of `data.schemas.LINKS`, projected geometry.
    places : GeoDataFrame, optional
        `kind`, `category`, `area_m2`, `floors`, geometry; without it, homes and jobs follow from street lengths.
    crs : optional
        The city's projected system; that of `links` if not given.
    kind : {"hex", "square", "polygons"}
    count : int
        Target number of zones for hexagons and squares, reached by joining cells with little street. A coarse H3 grid
        may give fewer. Not used with `resolution`, `cell_m` or `polygons`.
    resolution : int, optional
        H3 resolution.
    cell_m : float, optional
        Side of a square, m.
    polygons : GeoDataFrame, optional
        Zones as given, in any coordinate system; a column `name` names them.

    Returns
    -------
    GeoDataFrame
        Columns of `data.schemas.ZONES` and `character_source`. Zones do not overlap, neighbours share their vertices,
        every zone holds streets where trips can start and end; ids run north to south, then west to east.

    Raises
    ------
    ZoneError
        If the request contradicts itself, or no zone lies in the city.
    """
    if polygons is not None and kind != "polygons":
        raise ZoneError(f"polygons are given, but kind={kind!r}; say kind='polygons' or leave them out")
    spec = ZoneSpec(kind=kind, count=count, resolution=resolution, cell_m=cell_m)
    links = links if crs is None else links.to_crs(crs)
    area = partition.city_area(links)
    streets = links[core_links(links)]
    if spec.kind == "polygons":
        if polygons is None:
            raise ZoneError("kind='polygons' needs polygons; read them with data.readers.polygons.read_polygons")
        given = polygons if polygons.crs is None else polygons.to_crs(links.crs)
        cells = partition.from_polygons(area, given)
        shapes, origin = partition.joined(cells, streets, count=None, keep_cells=True)
        if len(shapes) < len(given):
            lost = len(given) - len(shapes)
            logger.warning("%d of %d given zones hold no street where trips could start or end", lost, len(given))
        names = _given_names(given, origin)
    else:
        shapes, names = _grid(spec, area, streets), None
    order = reading_order(shapes)
    shapes = shapes[order]
    names = street_names(shapes, links) if names is None else [names[k] for k in order]
    return _table(shapes, names, links, places)


def core_links(links: pd.DataFrame) -> np.ndarray:
    """Which links lie in the largest strongly connected part of the network, shape (L,), bool.

    A street that only leads in from the border, or out to it, is not among them: no trip inside the city can start or
    end there. If no street leads back, all count.

    Parameters
    ----------
    links : DataFrame
        Reads `from_node_id`, `to_node_id`.
    """
    start, end = links["from_node_id"].to_numpy(), links["to_node_id"].to_numpy()
    n = int(max(start.max(), end.max())) + 1
    graph = sparse.csr_array((np.ones(len(links)), (start, end)), shape=(n, n))
    _, part = sparse.csgraph.connected_components(graph, directed=True, connection="strong")
    inside = part[start] == part[end]
    largest = np.bincount(part[start[inside]]).argmax() if inside.any() else -1
    return inside & (part[start] == largest) if inside.any() else np.ones(len(links), dtype=bool)


def _grid(spec: ZoneSpec, area: shapely.Polygon, links: gpd.GeoDataFrame) -> np.ndarray:
    if spec.kind == "square":
        return _square_zones(spec, area, links)
    crs = pyproj.CRS(links.crs)
    if spec.resolution is not None:
        return partition.joined(partition.hexagons(area, crs, spec.resolution), links, count=None)[0]
    count = spec.count or 1
    nearest = partition.nearest_resolution(area, crs, count)
    shapes, _cell = partition.joined(partition.hexagons(area, crs, nearest), links, count=count)
    if len(shapes) < 0.67 * count and nearest < 15:
        shapes, _cell = partition.joined(partition.hexagons(area, crs, nearest + 1), links, count=count)
    return shapes


def _square_zones(spec: ZoneSpec, area: shapely.Polygon, links: gpd.GeoDataFrame) -> np.ndarray:
    """Squares of the side asked for, or of the largest side that gives as many zones as asked for."""
    if spec.cell_m is not None:
        return partition.joined(partition.squares(area, spec.cell_m), links, count=None)[0]
    count = spec.count or 1
    side = 1.5 * float(np.sqrt(area.area / count))
    for _ in range(25):  # down to a fifth of that side
        shapes = partition.joined(partition.squares(area, side), links, count=None)[0]
        if len(shapes) >= count:
            break
        side *= 0.94
    return partition.joined(partition.squares(area, side), links, count=count)[0]


def _given_names(given: gpd.GeoDataFrame, origin: np.ndarray) -> list[str] | None:
    """Names from the caller's table, where all are there and differ."""
    if "name" not in given.columns:
        return None
    names = [str(name).strip() if pd.notna(name) else "" for name in given["name"].to_numpy()[origin]]
    return names if all(names) and len(set(names)) == len(names) else None


def _table(
    shapes: np.ndarray, names: list[str], links: gpd.GeoDataFrame, places: gpd.GeoDataFrame | None
) -> gpd.GeoDataFrame:
    centre = shapely.centroid(shapes)
    x, y = shapely.get_x(centre), shapely.get_y(centre)
    lon, lat = pyproj.Transformer.from_crs(links.crs, "EPSG:4326", always_xy=True).transform(x, y)
    zones = gpd.GeoDataFrame(
        {
            "zone_id": zone_ids(len(shapes)), "name": names, "area_m2": shapely.area(shapes), "x_m": x, "y_m": y,
            "lon": lon, "lat": lat,
        },
        geometry=shapes, crs=links.crs,
    )  # fmt: skip
    if places is not None and places.crs != links.crs:
        places = places.to_crs(links.crs)
    table = validate(pd.concat([zones, character(zones, links, places)], axis=1), ZONES)
    return gpd.GeoDataFrame(table, geometry="geometry", crs=links.crs)
