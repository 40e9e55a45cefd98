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
from simulation.traffic.paths import Paths

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
        many trips were left out: they start or end where their class may not drive, or never began.

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

        start, trips, paths = (None, None, None) if run is None else run_trips(workspace, run, city)
        if trips is not None:
            kept = np.flatnonzero(~stranded(trips, city.closed) & (trips["origin_link_id"] >= 0).to_numpy())
            left_out, trips = len(trips) - kept.size, trips.iloc[kept].reset_index(drop=True)
            paths = None if paths is None else paths.take(kept)
        export_sumo(
            folder, **tables, turns=city.turns, drives_on_left=drives_on_left(city.timezone), closed=city.closed,
            trips=trips, paths=None if paths is None else (paths.links, paths.start),
            link_state=None if start is None else state, start=start, force=force,
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


def run_trips(
    workspace: Workspace, run: str, city: City
) -> tuple[pd.Timestamp | None, pd.DataFrame | None, Paths | None]:
    """The trips of a run, the instant they count from, and the ways that they drove where these are known.

    A run that was stored with the tables `released` and `entry_log` (`City.run(keep_entry_log=True)`) tells both. Of
    another the trips of its first day are drawn anew (`day_trips`), without ways. A trip that did not arrive, or that
    the gridlock rules lifted over a link, has an empty way.
    """
    from simulation.traffic.entry_log import EntryLog

    try:
        trips, table = workspace.runs.read(run, "released"), workspace.runs.read(run, "entry_log")
    except RunNotFoundError:
        return *day_trips(workspace, run, city), None
    summary, counts = workspace.runs.read_json(run, "summary"), workspace.runs.read(run, "counts")
    begun_s = float(counts["time_s"].iloc[0]) - float(summary["step_s"])  # the run's clock may have begun before it
    log = EntryLog.from_table(table, n_links=len(city.links))
    paths = log.paths(len(trips))
    entered = np.flatnonzero(np.diff(paths.start) > 0)
    origin = trips["origin_link_id"].to_numpy(np.int64).copy()
    origin[entered] = paths.links[paths.start[entered]]  # those on the road when the run began start where they were
    whole = np.isfinite(log.arrivals(len(trips))) & ~_lifted(paths, city)
    ways = paths.take(np.flatnonzero(whole))
    start = np.concatenate([[0], np.cumsum(np.where(whole, np.diff(paths.start), 0))])
    trips = trips.assign(depart_s=np.maximum(trips["depart_s"] - begun_s, 0.0), origin_link_id=origin)
    return pd.Timestamp(summary["start"]).tz_convert("UTC"), trips, Paths(links=ways.links, start=start)


def _lifted(paths: Paths, city: City) -> np.ndarray:
    """Trips that went from a link to one that no turn leads to. bool, (k,)."""
    allowed = city.turns["from_link_id"].to_numpy() * len(city.links) + city.turns["to_link_id"].to_numpy()
    step = paths.links[:-1].astype(np.int64) * len(city.links) + paths.links[1:]
    trip = np.repeat(np.arange(len(paths)), np.diff(paths.start))
    torn = (trip[1:] == trip[:-1]) & ~np.isin(step, allowed)
    return np.bincount(trip[1:][torn], minlength=len(paths)) > 0


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
