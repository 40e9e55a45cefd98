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
from zones.administrative import one_a_name
from zones.character import character
from zones.dynamics import link_dynamics
from zones.errors import ZoneError
from zones.naming import reading_order, street_names, zone_ids
from zones.own import Partition, known, partition_named, polygons_of
from zones.spec import KINDS, NEEDS, ZoneSpec

logger = logging.getLogger(__name__)

#: More hexagons than this are alike, so that their compactness hardly depends on their number (assumed).
_MANY = 200


def make_zones(
    links: gpd.GeoDataFrame,
    places: gpd.GeoDataFrame | None = None,
    *,
    crs: Any = None,
    kind: str | Partition = "hex",
    count: int | None = 18,
    resolution: int | None = None,
    cell_m: float | None = None,
    polygons: gpd.GeoDataFrame | None = None,
    sensors: gpd.GeoDataFrame | None = None,
    dynamics: pd.DataFrame | None = None,
    compactness: float = 0.85,
    seed: int = 0,
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
    kind : {"hex", "square", "polygons", "administrative", "voronoi", "functional"}, other name, or Partition
        Grids; `polygons` as given; the same as administrative units, one a name; the ground nearest to each sensor;
        or streets with similar traffic (see `zones.functional`). Another name is that of a partition which an installed
        package brings; a function is one of your own (see `zones.own`).
    count : int
        Target number of zones for hexagons, squares and functional zones; grids reach it by joining cells with little
        street. A coarse H3 grid may give fewer. Not used with `resolution`, `cell_m`, `polygons` or `sensors`.
    resolution : int, optional
        H3 resolution.
    cell_m : float, optional
        Side of a square, m.
    polygons : GeoDataFrame, optional
        Zones as given, in any coordinate system; a column `name` names them. Administrative units need it, and those of
        one name are one zone.
    sensors : GeoDataFrame, optional
        Points, in any coordinate system; `sensor_id` and `name` are read where they are there. Sensors within a metre
        of each other share a zone.
    dynamics : DataFrame, optional
        Traffic of links for functional zones, as `zones.dynamics.link_dynamics` reads it.
    compactness : float
        Of functional zones: at least this share of the compactness of hexagons of equal number.
    seed : int
        Of functional zones: of the order in which streets are looked at; handed on to a partition that is not ours.

    Returns
    -------
    GeoDataFrame
        Columns of `data.schemas.ZONES` and `character_source`; for zones around sensors also `sensor_ids`, joined by
        commas. Zones do not overlap, neighbours share their vertices, every zone holds streets where trips can start
        and end; ids run north to south, then west to east.

    Raises
    ------
    ZoneError
        If the request contradicts itself (every fault is named), or no zone lies in the city.
    PluginError
        If the package that brings the kind is broken.
    """
    if callable(kind) or (kind not in KINDS and known(kind)):
        cut = kind if callable(kind) else partition_named(kind)
        here = links if crs is None else links.to_crs(crs)
        polygons = polygons_of(cut, here, places, count=ZoneSpec(count=count).count or 18, seed=seed)
        kind, count = "polygons", None
    given = {"polygons": polygons, "sensors": sensors, "dynamics": dynamics}
    spec = _checked(given, kind=str(kind), count=count, resolution=resolution, cell_m=cell_m, compactness=compactness)
    links = links if crs is None else links.to_crs(crs)
    area = partition.city_area(links)
    inner = core_links(links)
    doors = links[inner & ~links["road_class"].str.startswith("motorway").to_numpy()]  # no trip starts on a motorway
    streets = doors if len(doors) else links[inner]
    names: list[str] | None = None
    members: list[str] | None = None
    if spec.kind == "polygons":
        shapes, names = _given_zones(polygons, area, streets)
    elif spec.kind == "administrative":
        shapes, names = _given_zones(one_a_name(polygons), area, streets)
    elif spec.kind == "voronoi":
        shapes, names, members = _sensor_zones(sensors, area, streets)
    elif spec.kind == "functional":
        shapes = _functional_zones(spec, dynamics, area, links, inner, seed)
    else:
        shapes = _grid(spec, area, streets)
    order = reading_order(shapes)
    shapes = shapes[order]
    names = street_names(shapes, links) if names is None else [names[k] for k in order]
    zones = _table(shapes, names, links, places)
    return zones if members is None else zones.assign(sensor_ids=[members[k] for k in order])


def _checked(given: dict[str, Any], **asked: Any) -> ZoneSpec:
    """The request, or one error that names all its faults."""
    spec = object.__new__(ZoneSpec)
    for name, value in asked.items():
        object.__setattr__(spec, name, value)
    faults = spec.faults()
    need, how = NEEDS.get(spec.kind, (None, ""))
    if need is not None and given[need] is None:
        faults.append(f"kind={spec.kind!r} needs {need}; give {need}: {how}")
    for name, value in given.items():
        if value is not None and name != need:
            fits = " or ".join(repr(kind) for kind, (what, _) in NEEDS.items() if what == name)
            faults.append(f"{name} are given, but kind={spec.kind!r}; say kind={fits} or leave them out")
    if faults:
        raise ZoneError("zones cannot be cut: " + "; ".join(faults))
    return spec


def _given_zones(
    polygons: gpd.GeoDataFrame, area: shapely.Polygon, streets: gpd.GeoDataFrame
) -> tuple[np.ndarray, list[str] | None]:
    given = polygons if polygons.crs is None else polygons.to_crs(streets.crs)
    cells = partition.from_polygons(area, given)
    shapes, origin = partition.joined(cells, streets, count=None, keep_cells=True)
    if len(shapes) < len(given):
        gone = np.setdiff1d(np.arange(len(given)), origin)
        named = [str(given["name"].iloc[k]) if "name" in given.columns else f"shape {k}" for k in gone[:10]]
        logger.warning(
            "%d of %d given zones hold no street where trips could start or end, and are left out: %s",
            len(gone),
            len(given),
            ", ".join(named),
        )
    return shapes, _given_names(given, origin)


def _sensor_zones(
    sensors: gpd.GeoDataFrame, area: shapely.Polygon, streets: gpd.GeoDataFrame
) -> tuple[np.ndarray, list[str] | None, list[str]]:
    """Zones around sensors, their names where sensors have some, and which sensors belong to each."""
    shapes = sensors.geometry.to_numpy()
    wrong = [row for row, shape in enumerate(shapes) if shape is None or shape.is_empty or shape.geom_type != "Point"]
    faults = [f"rows {wrong[:5]} are no points"] if wrong else []
    if sensors.crs is None:
        faults.append("they have no coordinate system; set it, e.g. EPSG:4326 for longitude and latitude")
    if faults:
        raise ZoneError("the sensors cannot have zones: " + "; ".join(faults))
    points = shapely.get_coordinates(sensors.geometry.to_crs(streets.crs).to_numpy()).reshape(-1, 2)
    cells, place = partition.around_points(area, points)
    polygons, origin = partition.joined(cells, streets, count=None, keep_cells=True)
    ids = (sensors["sensor_id"] if "sensor_id" in sensors.columns else pd.Series(range(len(sensors)))).astype("str")
    at_place = ids.groupby(place).agg(",".join)
    shared = at_place[at_place.str.contains(",")]
    if len(shared):
        logger.warning("sensors at one place share a zone: %s", "; ".join(shared))
    if len(polygons) < len(at_place):
        lost = at_place.drop(index=origin)
        logger.warning("%d sensor place(s) have no zone, for no street is nearest: %s", len(lost), "; ".join(lost[:10]))
    rows = [int(np.flatnonzero(place == k)[0]) for k in origin]
    return polygons, _given_names(sensors.iloc[rows], np.arange(len(rows))), [at_place[k] for k in origin]


def _functional_zones(
    spec: ZoneSpec, dynamics: pd.DataFrame, area: shapely.Polygon, links: gpd.GeoDataFrame, inner: np.ndarray, seed: int
) -> np.ndarray:
    from zones.functional import functional_polygons  # loads Numba, which the other kinds do without

    count = spec.count or 1
    streets = links[inner]
    known = link_dynamics(dynamics, links).of(inner)
    least = 0.0
    if spec.compactness > 0.0:
        least = spec.compactness * partition.compactness(_hexagons_like(count, area, streets))
    found = functional_polygons(streets, known, area, count=count, least_compactness=least, seed=seed)
    if found.compactness < least:
        logger.warning("functional zones are less compact than asked for: %.3f, not %.3f", found.compactness, least)
    return found.polygons


def _hexagons_like(count: int, area: shapely.Polygon, streets: gpd.GeoDataFrame) -> np.ndarray:
    """About as many hexagons; where there are many, whatever the nearest resolution gives, for speed."""
    resolution = None
    if count > _MANY:
        resolution = partition.nearest_resolution(area, pyproj.CRS(streets.crs), count)
    return _grid(ZoneSpec(count=count, resolution=resolution), area, streets)


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
