"""Exports of a workspace: its city, and of the live day the trips and what the links carried."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from app.pipeline import stored_city
from data.errors import InputError, RunNotFoundError
from data.schemas import VEHICLE_CLASSES
from data.store.workspace import Workspace
from data.timezones import drives_on_left
from data.units import MPS_PER_KMH

if TYPE_CHECKING:
    from simulation.city import City

FORMATS = ("sumo", "gmns", "gpkg")


def export_workspace(
    workspace: Workspace, kind: str, folder: Path | str, *, force: bool = False, run: str | None = None
) -> dict[str, Any]:
    """Write a workspace's city in another tool's format.

    Parameters
    ----------
    workspace : Workspace
    kind : str
        One of `FORMATS`.
    folder : path
        Where to; missing, empty, or an earlier export with `force`.
    force : bool
        Replace an earlier export.
    run : str, optional
        A run with `link_state`, to take flows and trips from; default the workspace's live day, if it has one.

    Returns
    -------
    dict
        `format`, `folder`, `run` (None without flows), `files`, how many links, signals and trips were written, and how
        many trips were left out since they start or end where their class may not drive.

    Raises
    ------
    InputError
        If the format is unknown, the workspace has no city, or the folder holds something.
    RunNotFoundError
        If the run is not there or has no `link_state`.
    """
    if kind not in FORMATS:
        raise InputError(f"no format '{kind}'; allowed: {', '.join(FORMATS)}")
    city = stored_city(workspace)
    if run is None:
        live = workspace.describe().get("runs", {}).get("live")
        run = live if live is not None and workspace.runs.has(live) else None
    state = None if run is None else workspace.runs.read(run, "link_state")
    results = None if state is None else link_results(state, city.links)
    tables = {"nodes": city.nodes, "links": city.links, "signals": city.signals, "crs": city.crs}
    trips, left_out = None, 0
    if kind == "sumo":
        from data.exports.sumo import export_sumo, stranded

        start, trips = (None, None) if run is None else day_trips(workspace, run, city)
        if trips is not None and (lost := stranded(trips, city.closed)).any():
            left_out, trips = int(lost.sum()), trips[~lost].reset_index(drop=True)
        export_sumo(
            folder, **tables, turns=city.turns, drives_on_left=drives_on_left(city.timezone), closed=city.closed,
            trips=trips, link_state=None if start is None else state, start=start, force=force,
        )  # fmt: skip
    elif kind == "gmns":
        from data.exports.gmns import export_gmns

        export_gmns(
            folder, **tables, name=city.label, turns=city.turns, zones=city.zones, link_results=results, force=force
        )
    else:
        from data.exports.geopackage import export_geopackage

        more = None if state is None else {"link_hours": link_hours(state)}
        export_geopackage(folder, **tables, zones=city.zones, link_results=results, tables=more, force=force)
    return {
        "format": kind, "folder": str(folder), "run": run, "links": len(city.links), "signals": len(city.signals),
        "trips": 0 if trips is None else len(trips), "trips_left_out": left_out,
        "files": sorted(path.name for path in Path(folder).iterdir()),
    }  # fmt: skip


def link_results(link_state: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """What each link carried over all intervals of a `link_state` table; links without a vehicle are there with zeros.

    Returns
    -------
    DataFrame
        `link_id`, `volume_veh` (entries), `vehicle_km`, `speed_kmh` (distance over time, empty where nobody was),
        `delay_veh_h` (time beyond free flow), `queue_max_veh` (largest at the end of an interval, over all classes).
    """
    columns = ["vehicle_distance_m", "vehicle_time_s", "inflow_veh"]
    total = link_state.groupby("link_id")[columns].sum().reindex(links["link_id"], fill_value=0.0)
    queue = link_state.groupby(["link_id", "time"])["queue_veh"].sum().groupby("link_id").max()
    d, t = total["vehicle_distance_m"].to_numpy(), total["vehicle_time_s"].to_numpy()
    free = d / links["free_flow_speed_mps"].to_numpy()
    return pd.DataFrame({
        "link_id": links["link_id"].to_numpy(), "volume_veh": total["inflow_veh"].to_numpy(), "vehicle_km": d / 1000.0,
        "speed_kmh": np.divide(d, t, out=np.full(d.size, np.nan), where=t > 0) / MPS_PER_KMH,
        "delay_veh_h": np.maximum(t - free, 0.0) / 3600.0,
        "queue_max_veh": queue.reindex(links["link_id"]).fillna(0.0).to_numpy(),
    })  # fmt: skip


def link_hours(link_state: pd.DataFrame) -> pd.DataFrame:
    """Flow and speed of every link by hour: `link_id`, `hour` (its start, UTC), `flow_veh_per_h`, `speed_kmh`."""
    hour = link_state["time"].dt.floor("h").rename("hour")
    columns = ["vehicle_distance_m", "vehicle_time_s", "inflow_veh"]
    total = link_state.groupby(["link_id", hour])[columns].sum().reset_index()
    time = total["vehicle_time_s"].where(total["vehicle_time_s"] > 0)
    return pd.DataFrame({
        "link_id": total["link_id"], "hour": total["hour"], "flow_veh_per_h": total["inflow_veh"],
        "speed_kmh": total["vehicle_distance_m"] / time / MPS_PER_KMH,
    })  # fmt: skip


def day_trips(workspace: Workspace, run: str, city: City) -> tuple[pd.Timestamp | None, pd.DataFrame | None]:
    """The trips that departed on the first day of a run, drawn anew from its seed, and the instant they count from.

    They are those that the run released, but for measures that changed its demand or closed links midway. Both are
    None where the run does not tell its seed.
    """
    from simulation.demand.trips import sample_day

    try:
        summary = workspace.runs.read_json(run, "summary")
    except RunNotFoundError:
        return None, None
    start = pd.Timestamp(summary["start"]).tz_convert(city.timezone)
    midnight = start.normalize()
    trips = sample_day(
        city.demand, seed=int(summary["seed"]), day=midnight.toordinal(), weekend=midnight.dayofweek >= 5,
        closed=city.closed_array(),
    )  # fmt: skip
    depart = trips.depart_s - (start - midnight).total_seconds()
    table = pd.DataFrame({
        "depart_s": depart, "origin_link_id": trips.origin_link, "dest_link_id": trips.dest_link,
        "vehicle_class": np.array(VEHICLE_CLASSES, dtype=object)[trips.vehicle_class],
    })  # fmt: skip
    return start.tz_convert("UTC"), table[depart >= 0].reset_index(drop=True)
