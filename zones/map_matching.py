"""Which link a sensor stands on: by distance, by the direction of its traffic, and by the class of its road.

A sensor's candidates are the links within reach of its place. Each has a cost: the squared distance over the usual
error of a place, plus the squared angle between link and traffic over the usual error of a bearing, plus a penalty
where the road is of another class than told; the least cost wins. Distance enters as the emission of the map matching
of Newson and Krumm (2009, doi:10.1145/1653771.1653818); there is no path to follow here.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from zones.errors import ZoneError

#: Standard error of a detector's mapped place, m, and of a told bearing, degrees (assumed; approaches are told to 45).
PLACE_SD_M, BEARING_SD_DEG = 15.0, 30.0
#: Cost of another road class, by steps in rank; of a ramp where a main road was told, or the reverse (assumed).
CLASS_COST, RAMP_COST = 1.0, 1.0
#: A second link whose cost is less than this above the first's makes a match ambiguous (odds below e, assumed).
CLEAR_COST = 1.0
_RANKS = {"motorway": 0, "trunk": 1, "primary": 2, "secondary": 3, "tertiary": 4}


def match_sensors(
    sensors: pd.DataFrame, links: gpd.GeoDataFrame, *, reach_m: float = 60.0, most_turn_deg: float = 75.0
) -> pd.DataFrame:
    """Match loops to links.

    Parameters
    ----------
    sensors : DataFrame
        `sensor_id`, `kind`, `lon`, `lat`; `bearing_deg` (of the traffic, clockwise from north) and `road_class` where
        they are known. Sensors that are no loops are not matched.
    links : GeoDataFrame
        `link_id`, `road_class`, geometry in a projected system, drawn in the direction of travel.
    reach_m : float
        Farthest link, m.
    most_turn_deg : float
        Largest angle between the link, where it is nearest, and the traffic, degrees.

    Returns
    -------
    DataFrame
        In the sensors' order: `sensor_id`, `link_id` (-1 without a match), `distance_m`, `turn_deg` (null where no
        bearing is known), `status`: `matched`, `ambiguous` (another link fits almost as well, such as the opposite
        carriageway where no bearing is known), `none`, `no_loop`.

    Raises
    ------
    ZoneError
        If links are not projected, or the reach is not positive.
    """
    if links.crs is None or not links.crs.is_projected:
        raise ZoneError(f"links must be in a projected coordinate system (metres); found {links.crs}")
    if not reach_m > 0.0:
        raise ZoneError(f"reach_m={reach_m:g}: a positive distance is needed")
    n = len(sensors)
    points = gpd.GeoSeries(gpd.points_from_xy(sensors["lon"], sensors["lat"]), crs=4326).to_crs(links.crs).to_numpy()
    loop = (sensors["kind"] == "loop").to_numpy() & sensors[["lon", "lat"]].notna().all(axis=1).to_numpy()
    lines = links.geometry.to_numpy()
    row = np.flatnonzero(loop)
    at, link = shapely.STRtree(lines).query(points[row], predicate="dwithin", distance=reach_m)
    sensor = row[at]
    distance = shapely.distance(points[sensor], lines[link])
    bearing = _numbers(sensors, "bearing_deg")[sensor]
    turn = np.abs((_bearing_at(lines[link], points[sensor]) - bearing + 180.0) % 360.0 - 180.0)
    keep = ~(turn > most_turn_deg)
    sensor, link, distance, turn = sensor[keep], link[keep], distance[keep], turn[keep]
    cost = (distance / PLACE_SD_M) ** 2 + np.nan_to_num(turn / BEARING_SD_DEG) ** 2
    cost = cost + _class_cost(sensors, links, sensor, link)
    order = np.lexsort((links["link_id"].to_numpy()[link], cost, sensor))
    sensor, link, distance, turn, cost = (v[order] for v in (sensor, link, distance, turn, cost))
    first = np.flatnonzero(np.diff(sensor, prepend=-1) != 0)
    second = first + 1
    there = second < sensor.size
    there[there] = sensor[second[there]] == sensor[first[there]]
    close = np.zeros(first.size, dtype=bool)
    close[there] = cost[second[there]] - cost[first[there]] < CLEAR_COST
    out = pd.DataFrame(
        {
            "sensor_id": sensors["sensor_id"].to_numpy(), "link_id": np.full(n, -1, dtype=np.int64),
            "distance_m": np.full(n, np.nan), "turn_deg": np.full(n, np.nan),
            "status": np.where(loop, "none", "no_loop").astype(object),
        }
    )  # fmt: skip
    hit = sensor[first]
    out.loc[hit, "link_id"] = links["link_id"].to_numpy()[link[first]]
    out.loc[hit, "distance_m"], out.loc[hit, "turn_deg"] = distance[first], turn[first]
    out.loc[hit, "status"] = np.where(close, "ambiguous", "matched")
    return out.astype({"sensor_id": "str", "status": "str"})


def _bearing_at(lines: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Direction of travel of each line where it is nearest to its point, degrees clockwise from north."""
    if not len(lines):
        return np.zeros(0)
    length = shapely.length(lines)
    along = shapely.line_locate_point(lines, points)
    half = np.minimum(5.0, length / 4.0)
    a = shapely.get_coordinates(shapely.line_interpolate_point(lines, np.clip(along - half, 0.0, length)))
    b = shapely.get_coordinates(shapely.line_interpolate_point(lines, np.clip(along + half, 0.0, length)))
    return np.asarray(np.degrees(np.arctan2(b[:, 0] - a[:, 0], b[:, 1] - a[:, 1])) % 360.0)


def _class_cost(sensors: pd.DataFrame, links: pd.DataFrame, sensor: np.ndarray, link: np.ndarray) -> np.ndarray:
    if "road_class" not in sensors:
        return np.zeros(sensor.size)
    told = sensors["road_class"].astype("str").where(sensors["road_class"].notna(), "")
    own = links["road_class"].astype("str")
    rank_told, rank = (c.str.removesuffix("_link").map(_RANKS).fillna(5).to_numpy() for c in (told, own))
    ramp_told, ramp = (c.str.endswith("_link").to_numpy() for c in (told, own))
    known = (told != "").to_numpy()[sensor]
    cost = CLASS_COST * np.abs(rank_told[sensor] - rank[link]) + RAMP_COST * (ramp_told[sensor] != ramp[link])
    return np.where(known, cost, 0.0)


def _numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[name].to_numpy(dtype=float, na_value=np.nan) if name in table else np.full(len(table), np.nan)
