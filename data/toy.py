"""Toy town: a hand-made grid of streets in four zones, for tests, docstrings and first steps. No file is read.

Streets run every `block_m` metres; the two middle ones are `primary`, the rest `residential`. Every crossing joins
both directions of both streets. The town lies in a local metric frame whose corner is at 60.17 N, 24.94 E.
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import LineString, box

LAT0, LON0 = 60.17, 24.94
_M_PER_DEG_LAT = 111_195.0  # spherical Earth of 6,371 km
CRS = "EPSG:3067"  # a metric frame for the plane; x and y are local here


def toy_nodes(size: int = 5, block_m: float = 200.0) -> pd.DataFrame:
    """Crossings of a `size` x `size` grid, numbered row by row from the south-west; the outermost are the border."""
    row, col = np.divmod(np.arange(size * size), size)
    x, y = col * block_m, row * block_m
    edge = (row == 0) | (row == size - 1) | (col == 0) | (col == size - 1)
    middle = size // 2
    return pd.DataFrame(
        {
            "node_id": np.arange(size * size),
            "x_m": x.astype(float),
            "y_m": y.astype(float),
            "lon": LON0 + x / (_M_PER_DEG_LAT * np.cos(np.radians(LAT0))),
            "lat": LAT0 + y / _M_PER_DEG_LAT,
            "signal": (row == middle) & (col == middle),
            "border": edge & ((row == middle) | (col == middle)),
        }
    )


def toy_links(size: int = 5, block_m: float = 200.0) -> gpd.GeoDataFrame:
    """Links of the grid, both directions, ordered by their start and end nodes."""
    nodes = toy_nodes(size, block_m)
    index = np.arange(size * size).reshape(size, size)
    pairs = np.vstack(
        [
            np.column_stack([index[:, :-1].ravel(), index[:, 1:].ravel()]),
            np.column_stack([index[:-1].ravel(), index[1:].ravel()]),
        ]
    )
    pairs = np.vstack([pairs, pairs[:, ::-1]])
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    start, end = pairs.T
    middle = size // 2
    row, col = np.divmod(np.arange(size * size), size)
    east_west = row[start] == row[end]
    major = np.where(east_west, row[start] == middle, col[start] == middle)
    x, y = nodes["x_m"].to_numpy(), nodes["y_m"].to_numpy()
    street = np.where(east_west, row[start], col[start])
    names = [f"{'Row' if ew else 'Column'} street {n + 1}" for ew, n in zip(east_west, street)]
    return gpd.GeoDataFrame(
        {
            "link_id": np.arange(len(pairs)),
            "from_node_id": start,
            "to_node_id": end,
            "length_m": np.hypot(x[end] - x[start], y[end] - y[start]),
            "lanes": np.where(major, 2.0, 1.0),
            "free_flow_speed_mps": np.where(major, 50 / 3.6, 30 / 3.6),
            "capacity_veh_per_s": np.where(major, 2 * 1500 / 3600, 600 / 3600),
            "jam_density_veh_per_m": np.where(major, 2 * 0.1333, 0.1333),
            "road_class": np.where(major, "primary", "residential"),
            "name": names,
        },
        geometry=[LineString([(x[a], y[a]), (x[b], y[b])]) for a, b in pairs],
        crs=CRS,
    )


def toy_turns(size: int = 5, block_m: float = 200.0) -> pd.DataFrame:
    """Every movement from one link to the next, U-turns left out."""
    links = toy_links(size, block_m)
    nodes = toy_nodes(size, block_m).set_index("node_id")
    a = pd.DataFrame(links[["link_id", "from_node_id", "to_node_id"]])
    turns = a.merge(a, left_on="to_node_id", right_on="from_node_id", suffixes=("_in", "_out"))
    turns = turns[turns["from_node_id_in"] != turns["to_node_id_out"]]
    x, y = nodes["x_m"], nodes["y_m"]

    def heading(start: pd.Series, end: pd.Series) -> np.ndarray:
        north = y.loc[end].to_numpy() - y.loc[start].to_numpy()
        return np.asarray(np.arctan2(north, x.loc[end].to_numpy() - x.loc[start].to_numpy()))

    bend = np.degrees(
        heading(turns["from_node_id_out"], turns["to_node_id_out"])
        - heading(turns["from_node_id_in"], turns["to_node_id_in"])
    )
    return pd.DataFrame(
        {
            "from_link_id": turns["link_id_in"].to_numpy(),
            "to_link_id": turns["link_id_out"].to_numpy(),
            "angle_deg": (bend + 180.0) % 360.0 - 180.0,
            "penalty_s": 0.0,
        }
    ).sort_values(["from_link_id", "to_link_id"], ignore_index=True)


def toy_zones(size: int = 5, block_m: float = 200.0) -> gpd.GeoDataFrame:
    """Four equal square zones, `Z01` south-west, `Z02` south-east, `Z03` north-west, `Z04` north-east."""
    side = (size - 1) * block_m
    half = side / 2
    corners = [(0, 0), (half, 0), (0, half), (half, half)]
    boxes = [box(x, y, x + half, y + half) for x, y in corners]
    centre = [polygon.centroid for polygon in boxes]
    return gpd.GeoDataFrame(
        {
            "zone_id": [f"Z{n + 1:02d}" for n in range(4)],
            "name": ["South-west", "South-east", "North-west", "North-east"],
            "area_m2": [polygon.area for polygon in boxes],
            "x_m": [c.x for c in centre],
            "y_m": [c.y for c in centre],
            "lon": [LON0 + c.x / (_M_PER_DEG_LAT * np.cos(np.radians(LAT0))) for c in centre],
            "lat": [LAT0 + c.y / _M_PER_DEG_LAT for c in centre],
            "homes": [900.0, 600.0, 300.0, 150.0],
            "jobs": [200.0, 500.0, 900.0, 1500.0],
            "shops": [10.0, 20.0, 40.0, 60.0],
            "green_share": [0.3, 0.2, 0.1, 0.0],
            "road_major_m": [2 * half * 1.0] * 4,
            "road_minor_m": [4 * half * 1.0] * 4,
        },
        geometry=boxes,
        crs=CRS,
    )
