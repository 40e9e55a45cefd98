"""Export for Eclipse SUMO (https://eclipse.dev/sumo): plain XML that `netconvert` turns into a network, and trips.

Files: `city.nod.xml`, `city.edg.xml`, `city.con.xml`, `city.tll.xml` (junctions, streets, movements, signals),
`city.netccfg` (makes `city.net.xml` of them), and with trips `city.rou.xml` and `city.sumocfg`; with `link_state` also
`city.flows.xml`, SUMO's edge data. In the folder: `netconvert -c city.netccfg`, then `sumo -c city.sumocfg`.

Kept: geometry, lengths, speeds, lanes, names, bans of turns and of vehicle classes, fixed signal plans, trips and their
paths. Not kept, since SUMO derives them from its own car-following: capacities and jam densities (capacity a lane
becomes the right of way at junctions without signal); nor turn penalties, tolls and actuated control. Lanes are whole
numbers in SUMO.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj

from data.errors import InputError
from data.exports.folder import new_folder
from data.exports.sumo_network import (
    SUMO_CLASSES,
    connection_lines,
    document,
    edge_lines,
    element,
    first_edge,
    is_loop,
    lane_connections,
    last_edge,
    node_lines,
)
from data.exports.sumo_signals import signal_lines, signalled_nodes
from data.schemas import VEHICLE_CLASSES


def export_sumo(
    folder: Path | str,
    *,
    nodes: pd.DataFrame,
    links: gpd.GeoDataFrame,
    turns: pd.DataFrame,
    signals: pd.DataFrame,
    crs: str,
    drives_on_left: bool = False,
    closed: Iterable[tuple[int, int]] = (),
    trips: pd.DataFrame | None = None,
    paths: tuple[np.ndarray, np.ndarray] | None = None,
    link_state: pd.DataFrame | None = None,
    start: pd.Timestamp | None = None,
    force: bool = False,
) -> Path:
    """Write a city for SUMO.

    Parameters
    ----------
    folder : path
        Appears whole; see `data.exports.folder.new_folder`.
    nodes, links, turns, signals : DataFrame
        As in `data.schemas`; links with geometry in `crs`.
    crs : str
        Coordinate system of the geometry.
    drives_on_left : bool
    closed : pairs of int
        Links closed to vehicle classes: `link_id` and position in `VEHICLE_CLASSES`.
    trips : DataFrame, optional
        `depart_s` (s since `start`), `origin_link_id`, `dest_link_id`, `vehicle_class` (a name).
    paths : (links, start), optional
        Links of every trip, that of trip i being `links[start[i]:start[i + 1]]`; a trip with a path drives it, the
        others choose their way in SUMO.
    link_state : DataFrame, optional
        Flows to give along, as in `data.schemas`; needs `start`.
    start : Timestamp, optional
        Instant at which the clock of the trips and signals is zero.
    force : bool
        Replace an earlier export.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        Naming every fault: trips from or to links that are not there or closed to their class, of unknown classes or at
        negative times, paths of another number of trips, or a target that holds something.
    """
    closed = list(closed)
    _check(links, trips, paths, link_state, start)
    _check_closed(trips, closed)
    connections = lane_connections(links, turns, drives_on_left=drives_on_left)
    lights = set(signalled_nodes(links, signals, connections))
    files = {
        "city.nod.xml": document("nodes", node_lines(nodes, links, lights, _location(nodes, crs))),
        "city.edg.xml": document("edges", edge_lines(links, closed)),
        "city.con.xml": document("connections", connection_lines(links, connections)),
        "city.tll.xml": document("tlLogics", signal_lines(links, signals, connections, drives_on_left=drives_on_left)),
        "city.netccfg": _netconvert(drives_on_left),
    }
    if trips is not None:
        files["city.sumocfg"] = _settings({
            "input": {"net-file": "city.net.xml", "route-files": "city.rou.xml"}, "time": {"begin": "0"},
            "processing": {"ignore-route-errors": "true"},  # a trip without a way is told, and ends no run
        })  # fmt: skip
    with new_folder(folder, kind="sumo", force=force) as aside:
        for name, text in files.items():
            (aside / name).write_text(text, encoding="utf-8")
        if trips is not None:
            with (aside / "city.rou.xml").open("w", encoding="utf-8") as file:
                file.write('<?xml version="1.0" encoding="UTF-8"?>\n<routes>\n')
                file.writelines(f"    {line}\n" for line in trip_lines(links, trips, paths))
                file.write("</routes>\n")
        if link_state is not None and start is not None:
            text = document("data", flow_lines(links, link_state, start))
            (aside / "city.flows.xml").write_text(text, encoding="utf-8")
    return Path(folder)


def trip_lines(
    links: pd.DataFrame, trips: pd.DataFrame, paths: tuple[np.ndarray, np.ndarray] | None = None
) -> Iterator[str]:
    """Lines of the routes file: vehicle types, then trips in order of departure."""
    for name, classes in SUMO_CLASSES.items():
        yield element("vType", {"id": name, "vClass": classes[0]})
    loop = is_loop(links)
    depart = trips["depart_s"].to_numpy(float)
    start, end = trips["origin_link_id"].to_numpy(np.int64), trips["dest_link_id"].to_numpy(np.int64)
    klass = trips["vehicle_class"].astype("str").to_numpy()
    for k in np.argsort(depart, kind="stable"):
        told = {"id": int(k), "type": klass[k], "depart": float(depart[k]), "departLane": "best"}
        way = np.zeros(0, np.int64) if paths is None else paths[0][paths[1][k] : paths[1][k + 1]]
        if way.size:
            edges = (e for a in way for e in ([first_edge(a), last_edge(a, True)] if loop[a] else [first_edge(a)]))
            yield element("vehicle", told, closed=False) + element("route", {"edges": " ".join(edges)}) + "</vehicle>"
        else:
            ends = {"from": first_edge(start[k]), "to": last_edge(end[k], bool(loop[end[k]]))}
            yield element("trip", {**told, **ends})


def flow_lines(links: pd.DataFrame, link_state: pd.DataFrame, start: pd.Timestamp) -> Iterator[str]:
    """Lines of an edge-data file: vehicles in and out, their time and mean speed, by interval and edge."""
    columns = ["vehicle_distance_m", "vehicle_time_s", "inflow_veh", "outflow_veh"]
    books = link_state.groupby(["time", "link_id"], observed=True)[columns].sum().reset_index()
    at = (books["time"] - start).dt.total_seconds()
    step = float(np.diff(np.unique(at)).min()) if at.min() < at.max() else 900.0
    loop = is_loop(links)
    for begin, rows in books.groupby(at):
        yield element("interval", {"id": "zonewise", "begin": float(begin), "end": float(begin) + step}, closed=False)
        for link, distance, time, into, out in rows[["link_id", *columns]].itertuples(index=False):
            for edge in [first_edge(link), last_edge(link, True)] if loop[link] else [first_edge(link)]:
                share = 0.5 if loop[link] else 1.0
                yield "    " + element("edge", {
                    "id": edge, "sampledSeconds": share * float(time), "entered": round(into),
                    "left": round(out), "speed": float(distance / time) if time > 0 else None,
                })  # fmt: skip
        yield "</interval>"


def _check(
    links: pd.DataFrame,
    trips: pd.DataFrame | None,
    paths: tuple[np.ndarray, np.ndarray] | None,
    link_state: pd.DataFrame | None,
    start: pd.Timestamp | None,
) -> None:
    faults, n = [], len(links)
    if not np.array_equal(links["link_id"].to_numpy(), np.arange(n)):
        faults.append("link_id must be 0..n-1 in order")
    if trips is not None:
        for name in ("origin_link_id", "dest_link_id"):
            wrong = ~trips[name].between(0, n - 1).to_numpy()
            if wrong.any():
                faults.append(
                    f"{int(wrong.sum())} trip(s) with {name} outside 0..{n - 1}, first {trips[name][wrong].iloc[0]}"
                )
        if len(trips) and not (trips["depart_s"] >= 0).all():
            faults.append(f"departures must be at or after 0 s; found {trips['depart_s'].min():g} s")
        unknown = sorted(set(trips["vehicle_class"].astype("str")) - set(VEHICLE_CLASSES))
        if unknown:
            faults.append(f"vehicle classes {unknown}; allowed: {list(VEHICLE_CLASSES)}")
    if paths is not None and (trips is None or paths[1].size != len(trips) + 1):
        faults.append(f"paths of {paths[1].size - 1} trips, {0 if trips is None else len(trips)} trips given")
    if link_state is not None and start is None:
        faults.append("link_state needs start, the instant at which the clock is zero")
    if faults:
        raise InputError("the city cannot be exported to SUMO: " + "; ".join(faults))


def _check_closed(trips: pd.DataFrame | None, closed: Iterable[tuple[int, int]]) -> None:
    """SUMO ends at a trip that may not depart; so does the export."""
    wrong = np.flatnonzero(stranded(trips, closed)) if trips is not None else np.zeros(0, np.int64)
    if wrong.size:
        raise InputError(
            f"{wrong.size} trip(s) that start or end on a link closed to their class, first trip {wrong[0]}; give them"
            f" another link, or leave them out"
        )


def stranded(trips: pd.DataFrame, closed: Iterable[tuple[int, int]]) -> np.ndarray:
    """Trips that start or end on a link that is closed to their class. bool, (k,)."""
    pairs = {(int(link), VEHICLE_CLASSES[klass]) for link, klass in closed}
    if not pairs:
        return np.zeros(len(trips), dtype=bool)
    klass = trips["vehicle_class"].astype("str")
    ends = (trips["origin_link_id"], trips["dest_link_id"])
    return np.array([(a, k) in pairs or (b, k) in pairs for a, b, k in zip(*ends, klass)], dtype=bool)


def _location(nodes: pd.DataFrame, crs: str) -> str | None:
    """What tells SUMO where its plane lies on Earth; None where the system cannot be put in PROJ's old form."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SUMO reads the old form only; for projected systems it says the same
        system = pyproj.CRS.from_user_input(crs)
        if system.to_dict().get("proj") in (None, "longlat"):
            return None
        plain = system.to_proj4()
    x, y, lon, lat = (nodes[name].to_numpy(float) for name in ("x_m", "y_m", "lon", "lat"))
    return element("location", {
        "netOffset": "0.00,0.00", "convBoundary": f"{x.min():.2f},{y.min():.2f},{x.max():.2f},{y.max():.2f}",
        "origBoundary": f"{lon.min():.6f},{lat.min():.6f},{lon.max():.6f},{lat.max():.6f}", "projParameter": plain,
    })  # fmt: skip


def _netconvert(drives_on_left: bool) -> str:
    inputs = {
        "node-files": "city.nod.xml", "edge-files": "city.edg.xml", "connection-files": "city.con.xml",
        "tllogic-files": "city.tll.xml",
    }  # fmt: skip
    rules = {"no-turnarounds": "true"}
    if drives_on_left:
        rules["lefthand"] = "true"
    parts = {"input": inputs, "output": {"output-file": "city.net.xml"}, "processing": rules}
    return _settings(parts)


def _settings(parts: dict[str, dict[str, str]]) -> str:
    lines = []
    for part, values in parts.items():
        lines += [
            f"<{part}>",
            *("    " + element(name, {"value": value}) for name, value in values.items()),
            f"</{part}>",
        ]
    return document("configuration", lines)
