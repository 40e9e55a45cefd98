"""A traffic assignment problem in the TNTP text format as a city: its nodes, its links, where it lies, in SI units.

The format states neither units nor a coordinate system, so a file `city.toml` beside the network says what they are:

    crs = "EPSG:4326"        # of the node file's x and y
    length_unit = "mi"       # mi, km, m, ft, or metres in one unit
    time_unit = "min"        # h, min, s, or seconds in one unit
    capacity_unit = "veh/h"  # veh/h, veh/d, or vehicles a second in one unit
    timezone = "America/Chicago"  # optional

Such a network knows no lanes, signs or signals: lanes follow from the capacity, and junctions let through what the
capacities of the links do (`control` is "capacity"). Nodes below the first through node are where trips start and end;
no route passes them.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from data.errors import CityError, FileFormatError
from data.readers.tntp import TntpNetwork, read_tntp_network, read_tntp_nodes
from data.schemas import LINKS, NODES, validate
from data.units import MPS_PER_KMH

SETTINGS = "city.toml"
UNITS: dict[str, dict[str, float]] = {
    "length_unit": {"mi": 1609.344, "km": 1000.0, "m": 1.0, "ft": 0.3048},
    "time_unit": {"h": 3600.0, "min": 60.0, "s": 1.0},
    "capacity_unit": {"veh/h": 1 / 3600.0, "veh/d": 1 / 86_400.0},
}
#: Speed of links that the file gives no time or no length for, as centroid connectors often have none; assumption.
CONNECTOR_MPS = 50.0 * MPS_PER_KMH
#: Vehicles a second of a lane, from which lanes are counted (1,800 veh/h, a round figure; assumption).
LANE_VEH_PER_S = 0.5
#: Vehicles a metre of a lane that stand in a queue, 7.5 m each; assumption.
JAM_VEH_PER_M = 1 / 7.5
#: Road classes by free-flow speed, from this on, m/s; they colour the map and guess who lives where; assumption.
CLASSES = ((24.0, "motorway"), (17.0, "primary"), (12.5, "secondary"), (9.0, "tertiary"), (0.0, "residential"))
_SCALE = 10.0  # by which lengths may differ from those on the map; drawings of networks are rough (assumed)
_BOUNDS = {"free_flow_speed_mps": (2.0, 45.0), "capacity_veh_per_s": (0.01, 10.0), "lanes": (1.0, 12.0)}


@dataclass(frozen=True, eq=False)
class TntpCity:
    """Tables of `data.schemas`, and what was changed.

    Attributes
    ----------
    nodes : DataFrame
        `node_id` is the file's number.
    links : GeoDataFrame
        Projected.
    zones : int
        Nodes 1 to this one are zones.
    centroids : frozenset of int
        Nodes that no route may pass.
    timezone : str or None
    report : dict
        What the file says of its units, and how many values were held within bounds.
    """

    nodes: pd.DataFrame
    links: gpd.GeoDataFrame
    zones: int
    centroids: frozenset[int]
    timezone: str | None
    report: dict[str, Any]


def network_file(folder: Path) -> Path | None:
    """The network file of a folder; None where it holds none."""
    found = sorted(folder.glob("*_net.tntp*"))
    return found[0] if found else None


def files_of(folder: Path) -> tuple[Path, Path, Path]:
    """Network, nodes and settings of a folder.

    Raises
    ------
    CityError
        Naming everything that is absent.
    """
    net = network_file(folder)
    nodes = next(iter(sorted(folder.glob("*_node.tntp*"))), None)
    settings = folder / SETTINGS
    faults = []
    if net is None:
        faults.append("no *_net.tntp")
    if nodes is None:
        faults.append("no *_node.tntp, which says where the nodes lie")
    if not settings.is_file():
        faults.append(
            f"no {SETTINGS}, which says what the files do not; write one: crs = 'EPSG:4326', length_unit = 'mi',"
            " time_unit = 'min', capacity_unit = 'veh/h', on a line each"
        )
    if faults or net is None or nodes is None:
        raise CityError(f"{folder} cannot be read as a city: " + "; ".join(faults))
    return net, nodes, settings


def read_tntp_city(folder: Path) -> TntpCity:
    """Read the network of a folder.

    Raises
    ------
    CityError
        If a file is absent, or the settings or the nodes leave something open: all faults at once.
    FileFormatError
        If a file is damaged.
    """
    net, places, settings = files_of(folder)
    network, points = read_tntp_network(net), read_tntp_nodes(places)
    facts = _settings(settings)
    used = np.union1d(network.links["from_node"], network.links["to_node"])
    lacking = np.setdiff1d(used, points["node"])
    if lacking.size:
        raise FileFormatError(f"{places} lacks {lacking.size} node(s) of {net.name}, e.g. {lacking[:5].tolist()}")
    points = points[points["node"].isin(used)].sort_values("node", ignore_index=True)
    lon, lat = _degrees(facts["crs"], points, settings)
    nodes, plane = _nodes(points["node"].to_numpy(), lon, lat)
    links, report = _links(network, nodes, plane, facts)
    centroids = frozenset(int(k) for k in used if k < network.first_thru_node)
    return TntpCity(nodes, links, network.n_zones, centroids, facts["timezone"], report)


def _settings(path: Path) -> dict[str, Any]:
    """What `city.toml` says: factors to SI units, `crs`, `timezone`."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(f"{path} cannot be read: {error}") from error
    faults, found = [], {"timezone": said.get("timezone")}
    for name, units in UNITS.items():
        value = said.get(name)
        factor = units.get(value) if isinstance(value, str) else value
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not (0 < factor < math.inf):
            faults.append(f"{name} is {value!r}; allowed are {', '.join(map(repr, units))} or a number above 0")
        else:
            found[name] = float(factor)
    if found["timezone"] is not None and not isinstance(found["timezone"], str):
        faults.append(f"timezone is {found['timezone']!r}; a name such as 'America/Chicago' is needed")
    try:
        found["crs"] = pyproj.CRS.from_user_input(said.get("crs"))
    except pyproj.exceptions.CRSError:
        faults.append(f"crs is {said.get('crs')!r}; a coordinate system such as 'EPSG:4326' is needed")
    extra = sorted(set(said) - {*UNITS, "crs", "timezone"})
    if extra:
        faults.append(f"{extra} are not known; known are {sorted([*UNITS, 'crs', 'timezone'])}")
    if faults:
        raise CityError(f"{path}: " + "; ".join(faults))
    return found


def _degrees(crs: pyproj.CRS, points: pd.DataFrame, settings: Path) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of the nodes."""
    x, y = points["x_native"].to_numpy(float), points["y_native"].to_numpy(float)
    lon, lat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
    good = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) < 85) & (np.abs(lon) <= 180)
    if not good.all():
        shown = points.loc[~good, ["x_native", "y_native"]].head(3).to_numpy().tolist()
        raise CityError(
            f"{(~good).sum()} node(s) lie nowhere on the earth in {crs.to_string()}, e.g. {shown}; set crs in"
            f" {settings} to the coordinate system of the node file"
        )
    return np.asarray(lon), np.asarray(lat)


def _nodes(ids: np.ndarray, lon: np.ndarray, lat: np.ndarray) -> tuple[pd.DataFrame, pyproj.CRS]:
    """The `nodes` table, in the UTM zone of the city's middle."""
    frame = gpd.GeoSeries(gpd.points_from_xy(lon, lat), crs="EPSG:4326")
    plane = frame.estimate_utm_crs()
    moved = frame.to_crs(plane)
    table = pd.DataFrame(
        {"node_id": ids.astype(np.int64), "x_m": moved.x, "y_m": moved.y, "lon": lon, "lat": lat, "signal": False,
         "border": False, "enters": False, "leaves": False}
    )  # fmt: skip
    return validate(table, NODES), plane


def _check_scale(ratio: np.ndarray) -> None:
    """Refuse lengths that cannot be those of lines between the nodes."""
    middle = float(np.median(ratio)) if ratio.size else 1.0
    if not 1 / _SCALE <= middle <= _SCALE:
        raise CityError(
            f"links are {middle:.3g} times as long as the lines between their nodes (median); up to {_SCALE:g} times"
            f" either way is allowed. Check crs and length_unit in {SETTINGS}"
        )


def _links(
    network: TntpNetwork, nodes: pd.DataFrame, plane: pyproj.CRS, facts: dict[str, Any]
) -> tuple[gpd.GeoDataFrame, dict[str, Any]]:
    """The `links` table in the order of the file; loops are left out."""
    table = network.links[network.links["from_node"] != network.links["to_node"]].reset_index(drop=True)
    at = nodes.set_index("node_id")[["x_m", "y_m"]]
    start, end = (at.loc[table[name]].to_numpy() for name in ("from_node", "to_node"))
    straight = np.maximum(np.hypot(*(end - start).T), 1.0)
    length = table["length_native"].to_numpy() * facts["length_unit"]
    time = table["free_flow_time_native"].to_numpy() * facts["time_unit"]
    _check_scale(length[length > 0] / straight[length > 0])
    length = np.where(length > 0, length, straight)
    raw = {
        "free_flow_speed_mps": np.where(time > 0, length / np.where(time > 0, time, 1.0), CONNECTOR_MPS),
        "capacity_veh_per_s": table["capacity_native"].to_numpy() * facts["capacity_unit"],
    }
    raw["lanes"] = np.round(raw["capacity_veh_per_s"] / LANE_VEH_PER_S)
    held = {name: np.clip(value, *_BOUNDS[name]) for name, value in raw.items()}
    speed = held["free_flow_speed_mps"]
    jam = held["lanes"] * JAM_VEH_PER_M
    capacity = np.minimum(held["capacity_veh_per_s"], 0.5 * jam * speed)  # a wave back is no faster than the way out
    kind = np.select([speed >= least for least, _ in CLASSES], [name for _, name in CLASSES], "residential")
    pairs = set(zip(table["from_node"], table["to_node"]))
    made = gpd.GeoDataFrame(
        {
            "link_id": np.arange(len(table)), "from_node_id": table["from_node"], "to_node_id": table["to_node"],
            "length_m": np.maximum(length, 1.0), "lanes": held["lanes"], "free_flow_speed_mps": speed,
            "capacity_veh_per_s": capacity, "jam_density_veh_per_m": jam, "road_class": kind,
            "name": [f"{a} - {b}" for a, b in zip(table["from_node"], table["to_node"])], "control": "capacity",
            "roundabout": False, "signal_end": False,
            "oneway": [(b, a) not in pairs for a, b in zip(table["from_node"], table["to_node"])],
            "bridge": False, "tunnel": False,
        },
        geometry=shapely.linestrings(np.stack([start, end], axis=1)), crs=plane,
    ).astype({"road_class": "str", "name": "str", "control": "str"})  # fmt: skip
    changed = {
        f"{name} held within {low:g} and {high:g}": int(((raw[name] < low) | (raw[name] > high)).sum())
        for name, (low, high) in _BOUNDS.items()
    }
    changed["capacity lowered to what the speed allows"] = int((capacity < held["capacity_veh_per_s"]).sum())
    changed["loops left out"] = int(len(network.links) - len(table))
    return gpd.GeoDataFrame(validate(made, LINKS), geometry="geometry", crs=plane), {
        "stated_header": network.stated_header, "changed": {k: n for k, n in changed.items() if n}
    }  # fmt: skip
