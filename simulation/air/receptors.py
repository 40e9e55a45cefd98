"""Receptors: the points at which the air is computed. Facades of every zone, air stations, and cells of a raster.

A zone's air is the mean over its facade receptors: points at the fronts of its streets, where people live and walk.
They are drawn systematically along the streets (every n-th metre, sides alternating), so that every metre of street
counts the same and no lot is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from data.schemas import RECEPTORS, empty, validate
from simulation.air.errors import AirError

FACADES_PER_ZONE = 24  # the mean of a zone then moves by 2-3 % from one choice of points to another
FACADE_HEIGHT_M = 2.0  # where OSPM's own receptors stand, near a pedestrian's breath
STATION_HEIGHT_M = 3.0  # inlets stand at 1.5 to 4 m: Directive 2008/50/EC, Annex III C
#: From a street's axis to the fronts where no walls are known: half of the lanes, 3.5 m each, and 5 m of pavement and
#: parking on either side. Assumed.
LANE_M, ROADSIDE_M = 3.5, 5.0
#: Nearest that a front may be to the lanes of any street, m, and steps along the street at which another place is
#: looked for if it is nearer: beside a second carriageway or a junction. Assumed.
KERB_M, _STEPS_M = 1.5, (0.0, 10.0, -10.0, 25.0, -25.0, 50.0, -50.0)
#: A point this far beyond a canyon's walls still counts as at its front, m: what mapped fronts are off by.
WALL_TOLERANCE_M = 2.0
LEFT, RIGHT, OPEN = 1, -1, 0


def facades(
    links: gpd.GeoDataFrame,
    zone_ids: Sequence[str],
    link_zone: pd.DataFrame,
    walls: pd.DataFrame | None = None,
    *,
    per_zone: int = FACADES_PER_ZONE,
) -> pd.DataFrame:
    """Points at the fronts of every zone's streets.

    Parameters
    ----------
    links : GeoDataFrame
        Reads `link_id`, `from_node_id`, `to_node_id`, `lanes`, `length_m`, geometry (projected, m).
    zone_ids : sequence of str, length Z
    link_zone : DataFrame
        Columns of `data.schemas.LINK_ZONE`; a link belongs to the zone with most of it.
    walls : DataFrame, optional
        Columns of `data.schemas.STREET_WALLS`: walls draw the receptors to themselves, metre by metre.
    per_zone : int
        Points in each zone that has a street.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.RECEPTORS`. A zone without streets has none.

    Raises
    ------
    AirError
        If links have no shape, or `per_zone` is below 1.
    """
    if per_zone < 1:
        raise AirError(f"per_zone={per_zone} facade receptors; at least 1 is needed")
    shapes = _shapes(links)
    home = link_zone.sort_values(["link_id", "share"]).drop_duplicates("link_id", keep="last")
    zone = np.full(len(links), -1)
    zone[home["link_id"].to_numpy()] = pd.Index(zone_ids).get_indexer(home["zone_id"])
    weight = links["length_m"].to_numpy(dtype=float) * _one_direction(links)
    if walls is not None:
        walled = weight * walls[["left_share", "right_share"]].to_numpy(dtype=float).mean(axis=1)
        has = np.bincount(zone[zone >= 0], walled[zone >= 0], len(zone_ids)) > 0
        weight = np.where((zone >= 0) & has[zone], walled, weight)
    order = np.flatnonzero((zone >= 0) & (weight > 0))
    order = order[np.argsort(zone[order], kind="stable")]
    if order.size == 0:
        return empty(RECEPTORS)
    along = np.cumsum(weight[order])
    begin = np.concatenate([[0.0], along[np.flatnonzero(np.diff(zone[order]))]])
    end = np.concatenate([begin[1:], along[-1:]])
    at = (begin[:, None] + (end - begin)[:, None] * (np.arange(per_zone) + 0.5) / per_zone).ravel()
    place = np.minimum(np.searchsorted(along, at), len(order) - 1)
    link = order[place]
    share = np.clip(1.0 - (along[place] - at) / weight[link], 0.0, 1.0)
    side = np.where(np.arange(link.size) % 2 == 0, LEFT, RIGHT)
    at = share * shapely.length(shapes[link])
    canyon = np.zeros(len(links), dtype=bool) if walls is None else walls["canyon"].to_numpy(dtype=bool)
    side, (x, y) = _off_the_lanes(links, walls, link, at, side, ~canyon[link])
    numbers = np.arange(link.size) % per_zone + 1
    names = np.array(list(zone_ids), dtype=object)[zone[link]]
    return validate(
        pd.DataFrame(
            {
                "receptor_id": [f"{name}-F{number:02d}" for name, number in zip(names, numbers)],
                "kind": "facade", "zone_id": names.astype(str), "x_m": x, "y_m": y, "z_m": FACADE_HEIGHT_M,
                "link_id": np.where(canyon[link], link, -1), "side": np.where(canyon[link], side, OPEN),
            }
        ),
        RECEPTORS,
    )  # fmt: skip


def stations(sensors: pd.DataFrame, links: gpd.GeoDataFrame, walls: pd.DataFrame | None = None) -> pd.DataFrame:
    """A receptor at every air station, in the order of `sensors`; `receptor_id` is the sensor's.

    Parameters
    ----------
    sensors : DataFrame
        Columns of `data.schemas.SENSORS`; loops are passed over.
    links : GeoDataFrame
        With its coordinate system.
    walls : DataFrame, optional

    Returns
    -------
    DataFrame
        Columns of `data.schemas.RECEPTORS`.
    """
    air = sensors[sensors["kind"] == "air"]
    if len(air) == 0:
        return empty(RECEPTORS)
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", links.crs, always_xy=True)
    x, y = to_metres.transform(air["lon"].to_numpy(dtype=float), air["lat"].to_numpy(dtype=float))
    link, side = canyon_at(x, y, links, walls)
    return validate(
        pd.DataFrame(
            {
                "receptor_id": air["sensor_id"].to_numpy(), "kind": "station", "zone_id": air["zone_id"].to_numpy(),
                "x_m": x, "y_m": y, "z_m": STATION_HEIGHT_M, "link_id": link, "side": side,
            }
        ),
        RECEPTORS,
    )  # fmt: skip


def centres(zones: pd.DataFrame, links: gpd.GeoDataFrame, walls: pd.DataFrame | None = None) -> pd.DataFrame:
    """A receptor in the middle of every zone.

    Parameters
    ----------
    zones : DataFrame
        Reads `zone_id`, `x_m`, `y_m`.
    links : GeoDataFrame
    walls : DataFrame, optional

    Returns
    -------
    DataFrame
        Columns of `data.schemas.RECEPTORS`.
    """
    x, y = (zones[name].to_numpy(dtype=float) for name in ("x_m", "y_m"))
    link, side = canyon_at(x, y, links, walls)
    names = zones["zone_id"].astype(str)
    return validate(
        pd.DataFrame(
            {
                "receptor_id": names + "-C", "kind": "centre", "zone_id": names, "x_m": x, "y_m": y,
                "z_m": FACADE_HEIGHT_M, "link_id": link, "side": side,
            }
        ),
        RECEPTORS,
    )  # fmt: skip


def canyon_at(
    x_m: np.ndarray, y_m: np.ndarray, links: gpd.GeoDataFrame, walls: pd.DataFrame | None
) -> tuple[np.ndarray, np.ndarray]:
    """Which street canyon points stand in, and on which side of its axis.

    Parameters
    ----------
    x_m, y_m : ndarray, shape (R,)
        In the coordinate system of `links`.
    links : GeoDataFrame
    walls : DataFrame or None

    Returns
    -------
    link : ndarray of int, shape (R,)
        The nearest canyon between whose walls the point lies; -1 in the open.
    side : ndarray of int, shape (R,)
        1 left of the street's axis, -1 right, 0 in the open.
    """
    link, side = np.full(len(x_m), -1, dtype=np.int64), np.zeros(len(x_m), dtype=np.int64)
    if walls is None or len(x_m) == 0:
        return link, side
    canyon = np.flatnonzero(walls["canyon"].to_numpy(dtype=bool) & (_one_direction(links) > 0))
    if canyon.size == 0:
        return link, side
    shapes = _shapes(links)[canyon]
    fronts = walls.loc[canyon, ["left_m", "right_m"]].to_numpy(dtype=float)
    points = shapely.points(x_m, y_m)
    found = shapely.STRtree(shapes).query_nearest(
        points, max_distance=float(np.nanmax(fronts)) + WALL_TOLERANCE_M, return_distance=True, all_matches=False
    )
    pairs, distance = np.asarray(found[0]), np.asarray(found[1])
    point, near = pairs
    behind, along = _direction(shapes[near], np.asarray(shapely.line_locate_point(shapes[near], points[point])))
    along = along * _sense(along, walls["angle_deg"].to_numpy(dtype=float)[canyon[near]])[:, None]
    east, north = (np.column_stack([x_m, y_m])[point] - behind).T
    left = along[:, 0] * north - along[:, 1] * east >= 0
    inside = distance <= np.where(left, fronts[near, 0], fronts[near, 1]) + WALL_TOLERANCE_M
    link[point[inside]] = canyon[near[inside]]
    side[point[inside]] = np.where(left[inside], LEFT, RIGHT)
    return link, side


def nearest_facade(facade: pd.DataFrame, zones: pd.DataFrame) -> pd.DataFrame:
    """The facade receptor of each zone that is nearest to the zone's centre; zones without one are left out."""
    centre = zones.set_index("zone_id").loc[facade["zone_id"], ["x_m", "y_m"]].to_numpy(dtype=float)
    distance = np.hypot(*(facade[["x_m", "y_m"]].to_numpy() - centre).T)
    return facade.loc[facade.assign(_far=distance).groupby("zone_id", sort=False)["_far"].idxmin()]


def _shapes(links: gpd.GeoDataFrame) -> np.ndarray:
    if "geometry" not in links.columns:
        raise AirError("the links have no geometry; receptors stand along the shapes of streets")
    return links.geometry.to_numpy()


def _one_direction(links: pd.DataFrame) -> np.ndarray:
    """1.0 for the first of the links that join the same two nodes along the same way, else 0.0."""
    low = np.minimum(links["from_node_id"], links["to_node_id"])
    high = np.maximum(links["from_node_id"], links["to_node_id"])
    pair = pd.DataFrame({"low": low, "high": high, "length": links["length_m"].round(1)})
    return (~pair.duplicated()).to_numpy(dtype=float)


def _at_front(
    links: gpd.GeoDataFrame, walls: pd.DataFrame | None, link: np.ndarray, at_m: np.ndarray, side: np.ndarray
) -> np.ndarray:
    """Places at the fronts on one side of links, at distances from their beginnings, (2, n) m."""
    shapes = _shapes(links)[link]
    _, along = _direction(shapes, at_m)
    if walls is not None:  # sides are told from the axis; a link may run against it
        along = along * _sense(along, walls["angle_deg"].to_numpy(dtype=float)[link])[:, None]
    x, y = shapely.get_coordinates(shapely.line_interpolate_point(shapes, at_m)).T
    offset = side * _front_m(links, walls, side, link)
    return np.stack([x - along[:, 1] * offset, y + along[:, 0] * offset])


def _off_the_lanes(
    links: gpd.GeoDataFrame, walls: pd.DataFrame | None, link: np.ndarray, at_m: np.ndarray, side: np.ndarray,
    free: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Sides and places, (2, n), of fronts; those that are `free` and would stand on lanes of another link move.

    A front is looked for on the other side of the street, then some steps along it, on either side. Where all of these
    lie on lanes, the one farthest from them is taken.
    """
    length = shapely.length(_shapes(links)[link])
    best_at, best_side = at_m.copy(), side.copy()
    best = _room_m(links, *_at_front(links, walls, link, at_m, side))
    for step in _STEPS_M:
        for turn in (1, -1):
            short = np.flatnonzero(free & (best < 0.0))
            if short.size == 0 or (step == 0.0 and turn == 1):
                continue
            moved = np.clip(at_m[short] + step, 0.05 * length[short], 0.95 * length[short])
            room = _room_m(links, *_at_front(links, walls, link[short], moved, turn * side[short]))
            better = room > best[short]
            chosen = short[better]
            best[chosen], best_at[chosen], best_side[chosen] = room[better], moved[better], turn * side[chosen]
    return best_side, _at_front(links, walls, link, best_at, best_side)


def _room_m(links: gpd.GeoDataFrame, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
    """From points to the nearest edge of lanes and kerb, m; below 0 on them, 0 wherever nothing is near."""
    shapes = _shapes(links)
    ends = np.sort(links[["from_node_id", "to_node_id"]].to_numpy(), axis=1)
    twin = pd.DataFrame(ends).duplicated(keep=False).to_numpy()  # a line in the middle of both directions
    half = links["lanes"].to_numpy(dtype=float) * np.where(twin, LANE_M, LANE_M / 2.0) + KERB_M
    points = shapely.points(x_m, y_m)
    point, near = shapely.STRtree(shapes).query(points, predicate="dwithin", distance=float(half.max()))
    room = np.zeros(len(points))
    np.minimum.at(room, point, shapely.distance(points[point], shapes[near]) - half[near])
    return room


def _front_m(links: pd.DataFrame, walls: pd.DataFrame | None, side: np.ndarray, link: np.ndarray) -> np.ndarray:
    """From the axis of a street to its fronts on one side, m."""
    default = links["lanes"].to_numpy(dtype=float)[link] * LANE_M + ROADSIDE_M
    if walls is None:
        return default
    known = np.where(side == LEFT, walls["left_m"].to_numpy()[link], walls["right_m"].to_numpy()[link])
    return np.where(np.isfinite(known), known, default)


def _direction(shapes: np.ndarray, at_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A point half a metre before places along lines, and the unit vectors of the lines there, (n, 2) each."""
    ahead = shapely.line_interpolate_point(shapes, np.minimum(at_m + 0.5, shapely.length(shapes)))
    behind = shapely.get_coordinates(shapely.line_interpolate_point(shapes, np.maximum(at_m - 0.5, 0.0)))
    along = shapely.get_coordinates(ahead) - behind
    return behind, along / np.maximum(np.hypot(*along.T), 1e-9)[:, None]


def _sense(along: np.ndarray, axis_deg: np.ndarray) -> np.ndarray:
    """1 where unit vectors run with an axis of that bearing, -1 where against it."""
    axis = np.radians(axis_deg)
    return np.where(along[:, 0] * np.sin(axis) + along[:, 1] * np.cos(axis) >= 0, 1.0, -1.0)
