"""Where sensors stand: loops on the major links of every zone, air stations in most zones."""

from __future__ import annotations

from enum import IntEnum
from zlib import crc32

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj

from simulation.air.receptors import nearest_facade
from simulation.streams import uniform

_CLASS_RANK = {"motorway": 0, "trunk": 1, "primary": 2, "secondary": 3, "tertiary": 4}
_M_PER_DEG_LAT = 111_195.0  # spherical Earth of 6,371 km


class _Purpose(IntEnum):
    """Streams of random numbers, apart from those of `simulation.streams.Purpose`."""

    PLACE = 201
    STATION = 202


def place_sensors(
    links: gpd.GeoDataFrame,
    zones: pd.DataFrame,
    link_zone: pd.DataFrame,
    fronts: pd.DataFrame | None = None,
    *,
    seed: int,
    loops_per_zone: int = 3,
    air_share: float = 2 / 3,
) -> pd.DataFrame:
    """Loops on the major links of every zone, air stations in a share of the zones; each zone has a sensor.

    Parameters
    ----------
    links, zones, link_zone : DataFrame
        Columns of the schemas of those names.
    fronts : DataFrame, optional
        Facade receptors (`data.schemas.RECEPTORS`): a station stands at the one nearest to its zone's centre; without,
        at the centre.
    seed : int
    loops_per_zone : int
        At most; the widest classes first, then capacity, one direction of a street before a second one.
    air_share : float
        Share of zones with an air station, drawn by lot; zones without a street always have one.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.SENSORS`; `link_id` is -1 for air stations.
    """
    zone_ids = list(zones["zone_id"])
    home = link_zone.sort_values(["link_id", "share"]).drop_duplicates("link_id", keep="last")
    ranked = links[["link_id", "road_class", "capacity_veh_per_s", "length_m"]].merge(home, on="link_id")
    ranked["street"] = links["name"].fillna("").to_numpy()[ranked["link_id"].to_numpy()]
    ranked["rank"] = ranked["road_class"].str.removesuffix("_link").map(_CLASS_RANK).fillna(5)
    ranked["lot"] = uniform(seed, 0, ranked["link_id"].to_numpy(), _Purpose.PLACE)
    ranked = ranked.sort_values(["zone_id", "rank", "capacity_veh_per_s", "lot"], ascending=[True, True, False, True])
    nth = ranked.groupby(["zone_id", "street"]).cumcount()
    ranked = ranked.assign(nth=nth).sort_values(["zone_id", "nth"], kind="stable")
    loops = ranked.groupby("zone_id", sort=False).head(loops_per_zone)
    lot = uniform(seed, 0, np.array([crc32(z.encode()) for z in zone_ids]), _Purpose.STATION)
    wanted = max(1, int(np.ceil(air_share * len(zone_ids))))
    streetless = ~np.isin(zone_ids, loops["zone_id"].to_numpy())
    measured = streetless | (np.argsort(np.argsort(lot)) < wanted)
    stations = zones.loc[measured, ["zone_id", "lon", "lat"]]
    if fronts is not None and len(fronts):
        stations = _at_fronts(stations, fronts, links, zones)
    lon, lat = _link_places(links, zones, loops)
    number = loops.groupby("zone_id").cumcount() + 1
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "sensor_id": [f"{z}-L{n}" for z, n in zip(loops["zone_id"], number)],
                    "kind": "loop",
                    "zone_id": loops["zone_id"].to_numpy(),
                    "link_id": loops["link_id"].to_numpy(),
                    "lon": lon,
                    "lat": lat,
                }
            ),
            pd.DataFrame(
                {
                    "sensor_id": [f"{z}-A1" for z in stations["zone_id"]],
                    "kind": "air",
                    "zone_id": stations["zone_id"].to_numpy(),
                    "link_id": -1,
                    "lon": stations["lon"].to_numpy(),
                    "lat": stations["lat"].to_numpy(),
                }
            ),
        ]
    )
    return table.sort_values("sensor_id", ignore_index=True)


def _at_fronts(
    stations: pd.DataFrame, fronts: pd.DataFrame, links: gpd.GeoDataFrame, zones: pd.DataFrame
) -> pd.DataFrame:
    """Stations moved to the street fronts nearest to the centres of their zones; without a street they stay."""
    near = nearest_facade(fronts, zones).set_index("zone_id")
    to_degrees = pyproj.Transformer.from_crs(links.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(near["x_m"].to_numpy(dtype=float), near["y_m"].to_numpy(dtype=float))
    place = pd.DataFrame({"lon": lon, "lat": lat}, index=near.index).reindex(stations["zone_id"])
    known = place["lon"].notna().to_numpy()
    moved = stations.copy()
    for name in ("lon", "lat"):
        moved[name] = np.where(known, place[name].to_numpy(), stations[name].to_numpy())
    return moved


def _link_places(links: pd.DataFrame, zones: pd.DataFrame, loops: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of the middles of links, by metres from their zone's centre (within a few metres)."""
    zone = pd.Index(zones["zone_id"]).get_indexer(loops["zone_id"])
    x, y, lon, lat = (zones[name].to_numpy(dtype=float)[zone] for name in ("x_m", "y_m", "lon", "lat"))
    if "geometry" not in links.columns:
        return lon, lat
    shapes = links["geometry"].to_numpy()[loops["link_id"].to_numpy()]
    middle = [shape.interpolate(0.5, normalized=True) for shape in shapes]
    east = np.array([point.x for point in middle]) - x
    north = np.array([point.y for point in middle]) - y
    return lon + east / (_M_PER_DEG_LAT * np.cos(np.radians(lat))), lat + north / _M_PER_DEG_LAT
