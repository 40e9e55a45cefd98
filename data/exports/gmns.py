"""Export to the General Modeling Network Specification (https://github.com/zephyr-data-specs/GMNS), version 0.96.

Files: `config.csv` (units and coordinate system), `node.csv`, `link.csv`, `movement.csv`, `zone.csv`, and where the
city has signals `signal_controller.csv`, `signal_timing_plan.csv`, `signal_timing_phase.csv`, `signal_phase_mvmt.csv`
and `signal_coordination.csv`. Every column of the specification is there, empty where a city does not know it; what the
specification has no place for is in columns that begin with `opt_`, as its examples do.

Lengths are km (`long_length`) and m (`short_length`), speeds km/h, capacities vehicles an hour and lane, times s.
A controller is a junction; each green of its cycle is a phase, in the order of their begin, one ring, no barriers, with
the lost time after it as clearance. The offset is the begin of the first phase's green after the clock's zero. A node
on the border of zones belongs to the first. Bans of vehicle classes are not kept; bans of turns are movements left out.
"""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from data.exports.folder import new_folder
from data.units import MPS_PER_KMH

VERSION = 0.96
EVERY_DAY = "11111111_0000_2400"  # days of the week, Sunday first, and holidays; from and to

_NODE = ("node_id", "name", "x_coord", "y_coord", "z_coord", "node_type", "ctrl_type", "zone_id", "parent_node_id")
_LINK = (
    "link_id", "name", "from_node_id", "to_node_id", "directed", "geometry_id", "geometry", "parent_link_id",
    "dir_flag", "length", "grade", "facility_type", "capacity", "free_speed", "lanes", "bike_facility",
    "ped_facility", "parking", "allowed_uses", "toll", "jurisdiction", "row_width",
)  # fmt: skip
_MOVEMENT = (
    "mvmt_id", "node_id", "name", "ib_link_id", "start_ib_lane", "end_ib_lane", "ob_link_id", "start_ob_lane",
    "end_ob_lane", "type", "penalty", "capacity", "ctrl_type", "mvmt_code", "allowed_uses", "geometry",
)  # fmt: skip
_PLAN = ("timing_plan_id", "controller_id", "timeday_id", "time_day", "cycle_length")
_PHASE = (
    "timing_phase_id", "timing_plan_id", "signal_phase_num", "min_green", "max_green", "extension", "clearance",
    "walk_time", "ped_clearance", "ring", "barrier", "position",
)  # fmt: skip
_PHASE_MOVEMENT = ("signal_phase_mvmt_id", "timing_phase_id", "mvmt_id", "link_id", "protection")
_COORDINATION = (
    "coordination_id", "timing_plan_id", "controller_id", "coord_contr_id", "coord_phase", "coord_ref_to", "offset",
)  # fmt: skip


def export_gmns(
    folder: Path | str,
    *,
    name: str,
    nodes: pd.DataFrame,
    links: gpd.GeoDataFrame,
    turns: pd.DataFrame,
    signals: pd.DataFrame,
    zones: gpd.GeoDataFrame,
    crs: str,
    link_results: pd.DataFrame | None = None,
    force: bool = False,
) -> Path:
    """Write a city as GMNS.

    Parameters
    ----------
    folder : path
        Appears whole; see `data.exports.folder.new_folder`.
    name : str
        Name of the data set.
    nodes, links, turns, signals, zones : DataFrame
        As in `data.schemas`; geometry in `crs`.
    crs : str
        Coordinate system of all coordinates, kept in `config.csv`.
    link_results : DataFrame, optional
        Results by `link_id`, written as `opt_link_results.csv` as they are; units in the column names.
    force : bool
        Replace an earlier export.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError, StoreError
        If the folder holds something, or cannot be written.
    """
    tables = {
        "config": _config(name, crs), "node": _nodes(nodes, links, signals, zones), "link": _links(links),
        "movement": (movements := _movements(links, turns, signals)),
        "zone": pd.DataFrame({
            "zone_id": zones["zone_id"], "name": zones["name"], "boundary": zones.geometry.to_wkt(rounding_precision=3),
            "super_zone": "",
        }),
    }  # fmt: skip
    if len(signals):
        tables |= signal_tables(links, signals, movements)
    if link_results is not None:
        tables["opt_link_results"] = link_results
    with new_folder(folder, kind="gmns", force=force) as aside:
        for table, rows in tables.items():
            rows.to_csv(aside / f"{table}.csv", index=False, encoding="utf-8", lineterminator="\n")
    return Path(folder)


def _config(name: str, crs: str) -> pd.DataFrame:
    return pd.DataFrame([{
        "dataset_name": name, "short_length": "m", "long_length": "km", "speed": "km/h", "crs": crs,
        "geometry_field_format": "WKT", "currency": "", "version_number": VERSION, "id_type": "string",
    }])  # fmt: skip


def _nodes(nodes: pd.DataFrame, links: pd.DataFrame, signals: pd.DataFrame, zones: gpd.GeoDataFrame) -> pd.DataFrame:
    points = shapely.points(nodes["x_m"], nodes["y_m"])
    node, zone = shapely.STRtree(zones.geometry.to_numpy()).query(points, predicate="intersects")
    inside = zones["zone_id"].reset_index(drop=True).loc[pd.Series(zone).groupby(node).min()]
    home = pd.Series(inside.to_numpy(), index=np.unique(node), dtype="str").reindex(np.arange(len(nodes)))
    planned = _junction_of(links).loc[signals["link_id"]].unique()
    return _full(_NODE, nodes, {
        "node_id": nodes["node_id"], "x_coord": nodes["x_m"], "y_coord": nodes["y_m"],
        "node_type": np.where(nodes["border"], "border", "intersection"),
        "ctrl_type": np.where(nodes["node_id"].isin(planned), "signal", ""),
        "zone_id": home.fillna(""), "opt_lon": nodes["lon"], "opt_lat": nodes["lat"],
    })  # fmt: skip


def _links(links: gpd.GeoDataFrame) -> pd.DataFrame:
    lanes = np.maximum(np.rint(links["lanes"]), 1).astype(np.int64)
    return _full(_LINK, links, {
        "link_id": links["link_id"], "name": links["name"].fillna(""), "from_node_id": links["from_node_id"],
        "to_node_id": links["to_node_id"], "directed": "true", "geometry": links.geometry.to_wkt(rounding_precision=3),
        "dir_flag": 1, "length": links["length_m"] / 1000.0, "facility_type": links["road_class"],
        "capacity": links["capacity_veh_per_s"] * 3600.0 / lanes,
        "free_speed": links["free_flow_speed_mps"] / MPS_PER_KMH, "lanes": lanes,
        "opt_jam_density_veh_per_km": links["jam_density_veh_per_m"] * 1000.0, "opt_lanes": links["lanes"],
    })  # fmt: skip


def _movements(links: pd.DataFrame, turns: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    angle = turns["angle_deg"].to_numpy(float)
    kind = np.select([np.abs(angle) >= 165.0, angle > 45.0, angle < -45.0], ["uturn", "left", "right"], "thru")
    return _full(_MOVEMENT, turns, {
        "mvmt_id": np.arange(len(turns)), "node_id": _junction_of(links).loc[turns["from_link_id"]].to_numpy(),
        "ib_link_id": turns["from_link_id"], "ob_link_id": turns["to_link_id"], "type": kind,
        "penalty": turns["penalty_s"],
        "ctrl_type": np.where(turns["from_link_id"].isin(signals["link_id"]), "signal", ""), "opt_angle_deg": angle,
    })  # fmt: skip


def signal_tables(links: pd.DataFrame, signals: pd.DataFrame, movements: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The signal tables: a controller a junction, a phase for each of its greens."""
    plans = signals[["link_id", "cycle_s", "green_start_s", "green_s"]].reset_index(drop=True)
    plans = plans.assign(node_id=_junction_of(links).loc[plans["link_id"]].to_numpy())
    phase = plans.groupby(["node_id", "cycle_s", "green_start_s", "green_s"], as_index=False).size()
    phase = phase.sort_values(["node_id", "green_start_s", "green_s"], ignore_index=True)
    plan = phase.groupby(["node_id", "cycle_s"], as_index=False).agg(offset=("green_start_s", "first"))
    plan = plan.assign(timing_plan_id=np.arange(len(plan)))
    phase = phase.merge(plan, on=["node_id", "cycle_s"]).assign(timing_phase_id=np.arange(len(phase)))
    number = phase.groupby("timing_plan_id").cumcount().to_numpy() + 1
    first = phase.groupby("timing_plan_id")["green_start_s"].transform("first")
    following = phase.groupby("timing_plan_id")["green_start_s"].shift(-1).fillna(first + phase["cycle_s"])
    clearance = (following - phase["green_start_s"] - phase["green_s"]).clip(lower=0.0, upper=120.0)
    key = ["node_id", "cycle_s", "green_start_s", "green_s"]
    of_link = plans.merge(phase[[*key, "timing_phase_id"]], on=key)[["link_id", "timing_phase_id"]]
    served = movements[["mvmt_id", "ib_link_id", "type"]].merge(of_link, left_on="ib_link_id", right_on="link_id")
    served = served.sort_values(["timing_phase_id", "mvmt_id"], ignore_index=True)
    ids = np.unique(plan["node_id"])
    return {
        "signal_controller": pd.DataFrame({"controller_id": ids}),
        "signal_timing_plan": _full(_PLAN, plan, {
            "timing_plan_id": plan["timing_plan_id"], "controller_id": plan["node_id"], "time_day": EVERY_DAY,
            "cycle_length": plan["cycle_s"],
        }),
        "signal_timing_phase": _full(_PHASE, phase, {
            "timing_phase_id": phase["timing_phase_id"], "timing_plan_id": phase["timing_plan_id"],
            "signal_phase_num": number, "min_green": phase["green_s"], "clearance": clearance, "ring": 1, "barrier": 0,
            "position": number, "opt_green_start_s": phase["green_start_s"],
        }),
        "signal_phase_mvmt": _full(_PHASE_MOVEMENT, served, {
            "signal_phase_mvmt_id": np.arange(len(served)), "timing_phase_id": served["timing_phase_id"],
            "mvmt_id": served["mvmt_id"], "protection": np.where(served["type"] == "left", "permitted", "protected"),
        }),
        "signal_coordination": _full(_COORDINATION, plan, {
            "coordination_id": plan["timing_plan_id"], "timing_plan_id": plan["timing_plan_id"],
            "controller_id": plan["node_id"], "coord_phase": 1, "coord_ref_to": "begin_of_green",
            "offset": plan["offset"],
        }),
    }  # fmt: skip


def _junction_of(links: pd.DataFrame) -> pd.Series:
    """Node at the end of each link, by `link_id`."""
    return pd.Series(links["to_node_id"].to_numpy(), index=links["link_id"].to_numpy())


def _full(columns: tuple[str, ...], rows: pd.DataFrame, told: dict[str, object]) -> pd.DataFrame:
    """A table with every column of the specification, in its order, empty where nothing is told; then the others."""
    own = {name: value.to_numpy() if isinstance(value, pd.Series) else value for name, value in told.items()}
    empty = {name: "" for name in columns if name not in own}
    table = pd.DataFrame({**own, **empty}, index=pd.RangeIndex(len(rows)))
    return table[[*columns, *(name for name in own if name not in columns)]]
