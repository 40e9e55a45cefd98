"""Zones of a city of which only its sensors are known: Voronoi cells around sensors, or around groups of them.

No street is needed. A cell is the ground that is nearer to its group's sensors than to others' (Voronoi 1908), cut at
the outline of all sensors and a margin. Groups are found by Ward's hierarchical clustering of places (Ward 1963,
doi:10.1080/01621459.1963.10500845), which has no random start.
"""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from data.schemas import ADJACENCY, ZONES, validate
from zones.errors import ZoneError
from zones.membership import nearest_index
from zones.naming import reading_order, zone_ids

#: The city reaches this share of the mean distance to the next group beyond its outermost sensors (assumed).
_MARGIN_SHARE, _MARGIN_M = 0.5, 200.0
#: Sensors closer than this stand at one place and share a cell, m.
SAME_PLACE_M = 1.0


def metric_crs(lon: np.ndarray, lat: np.ndarray) -> str:
    """Universal Transverse Mercator zone of the middle of some points, as `EPSG:326xx` or `EPSG:327xx`."""
    zone = int(np.clip((np.median(lon) + 180.0) // 6 + 1, 1, 60))
    return f"EPSG:{(32_600 if np.median(lat) >= 0 else 32_700) + zone}"


def sensor_zones(places: pd.DataFrame, *, count: int | None = None) -> tuple[gpd.GeoDataFrame, pd.Series]:
    """Cut zones around sensors.

    Parameters
    ----------
    places : DataFrame
        `data.schemas.SENSOR_PLACES`; sensors without a place get no zone.
    count : int, optional
        Groups to make; without, every place is its own zone.

    Returns
    -------
    zones : GeoDataFrame
        `data.schemas.ZONES` in a metric system; homes, jobs and streets are 0, for nobody told.
    zone_of : Series
        `zone_id` by `sensor_id`, of sensors with a place.

    Raises
    ------
    ZoneError
        If no sensor has a place, or the count is below 1.
    """
    if count is not None and count < 1:
        raise ZoneError(f"count={count}: at least one zone is needed")
    placed = places[places["lon"].notna() & places["lat"].notna()].reset_index(drop=True)
    if placed.empty:
        raise ZoneError("no sensor has a place, so no zone can be drawn; give a table of places (lon, lat)")
    crs = metric_crs(placed["lon"].to_numpy(), placed["lat"].to_numpy())
    project = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    xy = np.column_stack(project.transform(placed["lon"].to_numpy(), placed["lat"].to_numpy()))
    site = _sites(xy)
    where = np.column_stack([np.bincount(site, xy[:, k]) / np.bincount(site) for k in (0, 1)])
    group = _groups(where, count)
    shapes = _cells(where, group)
    order = reading_order(shapes)
    rank = np.argsort(order)
    ids = np.array(zone_ids(len(shapes)), dtype=object)
    of_sensor = rank[group[site]]
    zones = bare_zones(shapes[order], _names(placed["name"].to_numpy(), of_sensor, len(shapes)), crs)
    return zones, pd.Series(ids[of_sensor], index=placed["sensor_id"].to_numpy(), dtype="str")


def zones_from_polygons(polygons: gpd.GeoDataFrame, places: pd.DataFrame) -> tuple[gpd.GeoDataFrame, pd.Series]:
    """Given polygons as zones, and the one that each sensor stands in; a sensor outside all has none.

    Raises
    ------
    ZoneError
        If the polygons have no coordinate system, or no sensor stands in any.
    """
    if polygons.crs is None:
        raise ZoneError("the zone polygons have no coordinate system; set it, e.g. EPSG:4326")
    placed = places[places["lon"].notna() & places["lat"].notna()].reset_index(drop=True)
    centre = polygons.to_crs(4326).total_bounds
    crs = metric_crs(np.array([centre[0], centre[2]]), np.array([centre[1], centre[3]]))
    given = polygons.to_crs(crs)
    order = reading_order(given.geometry.to_numpy())
    shapes = given.geometry.to_numpy()[order]
    points = gpd.GeoSeries(gpd.points_from_xy(placed["lon"], placed["lat"]), crs=4326).to_crs(crs).to_numpy()
    at, zone = shapely.STRtree(shapes).query(points, predicate="intersects")
    if not at.size:
        raise ZoneError("no sensor stands in any of the zone polygons; are both of the same city and system?")
    sensor, first = np.unique(at, return_index=True)
    ids = np.array(zone_ids(len(shapes)), dtype=object)
    names = [str(n) for n in given["name"].to_numpy()[order]] if "name" in given else [f"Zone {z}" for z in ids]
    names = names if len(set(names)) == len(names) else [f"{n} ({z})" for n, z in zip(names, ids)]
    zone_of = pd.Series(ids[zone[first]], index=placed["sensor_id"].to_numpy()[sensor], dtype="str")
    return bare_zones(shapes, names, crs), zone_of


def bare_zones(shapes: np.ndarray, names: Sequence[str], crs: str) -> gpd.GeoDataFrame:
    """The zones table of shapes of which nothing else is known."""
    centre = shapely.centroid(shapes)
    x, y = shapely.get_x(centre), shapely.get_y(centre)
    lon, lat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    zeros = dict.fromkeys(("homes", "jobs", "shops", "built_share", "green_share", "road_major_m", "road_minor_m"), 0.0)
    table = gpd.GeoDataFrame(
        {
            "zone_id": zone_ids(len(shapes)), "name": list(names), "area_m2": shapely.area(shapes), "x_m": x, "y_m": y,
            "lon": lon, "lat": lat, **zeros, "character_source": "none",
        },
        geometry=shapes, crs=crs,
    )  # fmt: skip
    return gpd.GeoDataFrame(validate(table, ZONES), geometry="geometry", crs=crs)


def weighted_adjacency(
    weights: np.ndarray, sensor_ids: Sequence[str], zone_of: pd.Series, zones: pd.DataFrame
) -> pd.DataFrame:
    """Neighbours of zones from given weights between sensors.

    Parameters
    ----------
    weights : ndarray, shape (S, S)
        How much the sensor of a column says about that of a row; 0 nothing. The diagonal is not read.
    sensor_ids : sequence of str, length S
    zone_of : Series
        `zone_id` by `sensor_id`.
    zones : DataFrame
        `zone_id`, `x_m`, `y_m`.

    Returns
    -------
    DataFrame
        `data.schemas.ADJACENCY` with `weight`, the mean over the sensors of both zones; `border_m` is 0.

    Raises
    ------
    ZoneError
        If the matrix does not fit the sensors, or holds negative numbers or none.
    """
    weights = np.asarray(weights, dtype=float)
    if weights.shape != (len(sensor_ids), len(sensor_ids)):
        raise ZoneError(
            f"weights must be {len(sensor_ids)} x {len(sensor_ids)}, one row a sensor; found {weights.shape}"
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ZoneError("weights must be numbers of 0 and more")
    ids = zones["zone_id"].astype("str").to_numpy()
    zone = pd.Index(ids).get_indexer(zone_of.reindex(list(map(str, sensor_ids))).astype("str"))
    member = np.zeros((len(ids), len(zone)))
    member[zone[zone >= 0], np.flatnonzero(zone >= 0)] = 1.0
    n = np.maximum(member.sum(axis=1), 1.0)
    mean = member @ weights @ member.T / np.outer(n, n)
    np.fill_diagonal(mean, 0.0)
    a, b = np.nonzero(mean > 0)
    x, y = zones["x_m"].to_numpy(), zones["y_m"].to_numpy()
    table = pd.DataFrame(
        {
            "zone_id": ids[a], "neighbour_zone_id": ids[b], "border_m": 0.0,
            "distance_m": np.hypot(x[a] - x[b], y[a] - y[b]), "weight": mean[a, b],
        }
    ).astype({"zone_id": "str", "neighbour_zone_id": "str"})  # fmt: skip
    return validate(table, ADJACENCY)


def _sites(xy: np.ndarray) -> np.ndarray:
    """Number of the place of each sensor; those at one place share it."""
    _, site = np.unique(np.round(xy / SAME_PLACE_M).astype(np.int64), axis=0, return_inverse=True)
    return np.asarray(site).ravel()


def _groups(where: np.ndarray, count: int | None) -> np.ndarray:
    """Group of each place, numbered from 0 without gaps."""
    if count is None or count >= len(where):
        return np.arange(len(where))
    from scipy.cluster.hierarchy import fcluster, linkage

    label = fcluster(linkage(where, method="ward"), t=count, criterion="maxclust")
    return np.unique(label, return_inverse=True)[1]


def _cells(where: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Ground of each group."""
    points = shapely.points(where)
    if len(points) > 1:
        next_m = shapely.STRtree(points).query_nearest(points, exclusive=True, all_matches=False, return_distance=True)[
            1
        ]
        reach = max(_MARGIN_M, _MARGIN_SHARE * float(np.mean(next_m)), 0.03 * float(np.ptp(where, axis=0).max()))
    else:
        reach = 1_000.0
    frame = shapely.buffer(shapely.convex_hull(shapely.multipoints(points)), reach, quad_segs=8)
    if len(points) == 1:
        return np.array([frame])
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), extend_to=frame.buffer(reach)))
    cells = cells[nearest_index(points, cells)]  # a point lies in its own cell
    cut = shapely.intersection(cells, frame)
    return np.array([shapely.union_all(cut[group == k]) for k in range(group.max() + 1)])


def _names(names: np.ndarray, zone: np.ndarray, n: int) -> list[str]:
    """A zone's name: its sensor's, or the first's and how many more."""
    found = []
    for k in range(n):
        own = sorted(set(map(str, names[zone == k])))
        found.append(own[0] if len(own) == 1 else f"{own[0]} and {len(own) - 1} more")
    return found if len(set(found)) == n else [f"{name} ({k + 1})" for k, name in enumerate(found)]
