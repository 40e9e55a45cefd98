"""Dynamic network loading: trips from node to node over a network, to the end, with what came of it.

The short way from a network and a list of trips to an entry log, without a city: for studies of the engine, for
equilibria and for comparison with other engines. Drivers follow a route table that is renewed at intervals, or paths of
their own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from data.schemas import SIGNALS, empty
from simulation.errors import NetworkError
from simulation.streams import Purpose, uniform
from simulation.traffic.engine import Counts, TrafficEngine
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.layout import END, NONE
from simulation.traffic.link_checks import array_faults, signal_faults, table_faults, turn_faults
from simulation.traffic.loading_checks import check_loading, check_paths, check_ways
from simulation.traffic.network import LinkArrays, TurnIndex, link_arrays, turn_index
from simulation.traffic.paths import Paths
from simulation.traffic.routing import Routes, rows_in_use
from simulation.traffic.routing_kernels import mark_in_use
from simulation.traffic.trips import Trips

#: Gain for which a driver changes the way, s; assumption: nobody can tell less.
SWITCH_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Links between nodes, with the turns that are allowed.

    Attributes
    ----------
    arrays : LinkArrays
    turns : TurnIndex
    from_node, to_node : ndarray of int64, shape (n_links,)
        Nodes 0 .. n_nodes - 1.
    n_nodes : int
    """

    arrays: LinkArrays
    turns: TurnIndex
    from_node: np.ndarray
    to_node: np.ndarray
    n_nodes: int

    @classmethod
    def from_tables(
        cls,
        links: pd.DataFrame,
        *,
        turns: pd.DataFrame | None = None,
        signals: pd.DataFrame | None = None,
        nodes: pd.DataFrame | None = None,
    ) -> Network:
        """A network from tables in the form of `data.schemas`.

        Parameters
        ----------
        links : DataFrame
            Columns of `LINKS`.
        turns : DataFrame, optional
            Columns of `TURNS`; without it every movement is allowed but the way back where another leads on.
        signals : DataFrame, optional
            Columns of `SIGNALS`.
        nodes : DataFrame, optional
            Columns of `NODES`; with it, links must begin and end at nodes of the table.

        Raises
        ------
        NetworkError
            Naming every fault of all tables: ids, ends, lengths, speeds, capacities, densities, penalties, cycles.
        """
        faults = table_faults(links, nodes)
        faults += [] if turns is None else turn_faults(turns, len(links))
        faults += [] if signals is None else signal_faults(signals, len(links))
        if faults:
            raise NetworkError("the tables make no network: " + "; ".join(faults))
        arrays = link_arrays(links, empty(SIGNALS) if signals is None else signals, turns=turns)
        start, end = links["from_node_id"].to_numpy(np.int64), links["to_node_id"].to_numpy(np.int64)
        index = all_turns(start, end) if turns is None else turn_index(turns, len(links))
        return cls(
            arrays=arrays, turns=index, from_node=start, to_node=end, n_nodes=int(max(start.max(), end.max())) + 1
        )

    @classmethod
    def from_arrays(cls, arrays: LinkArrays, from_node: np.ndarray, to_node: np.ndarray) -> Network:
        """A network on which every movement is allowed but the way back where another leads on.

        Raises
        ------
        NetworkError
            Naming every fault of the links and of their ends.
        """
        start, end = np.asarray(from_node, np.int64), np.asarray(to_node, np.int64)
        faults = array_faults(arrays)
        faults += [
            f"{name} must have one node a link ({np.size(arrays.length_m)}), at least 0; found shape {nodes.shape}"
            + (f" from {nodes.min()}" if nodes.size else "")
            for name, nodes in (("from_node", start), ("to_node", end))
            if nodes.shape != np.shape(arrays.length_m) or not nodes.size or nodes.min() < 0
        ]
        if faults:
            raise NetworkError("these links make no network: " + "; ".join(faults))
        return cls(
            arrays=arrays, turns=all_turns(start, end), from_node=start, to_node=end,
            n_nodes=int(max(start.max(), end.max())) + 1,
        )  # fmt: skip


def all_turns(from_node: np.ndarray, to_node: np.ndarray) -> TurnIndex:
    """Every movement from link to link, but the way back where another leads on."""
    n = from_node.size
    links = pd.DataFrame({"link": np.arange(n), "start": from_node, "end": to_node})
    pairs = links.merge(links, left_on="end", right_on="start", suffixes=("_in", "_out"))
    back = (pairs["start_in"] == pairs["end_out"]).to_numpy()
    onward = np.bincount(pairs["link_in"].to_numpy()[~back], minlength=n)
    pairs = pairs[~back | (onward[pairs["link_in"]] == 0)]
    order = np.lexsort((pairs["link_in"], pairs["link_out"]))
    after = pairs["link_out"].to_numpy()[order]
    return TurnIndex(
        in_start=np.searchsorted(after, np.arange(n + 1)).astype(np.int64),
        in_link=pairs["link_in"].to_numpy(np.int64)[order],
        in_penalty=np.zeros(len(pairs)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTrips:
    """Trips from node to node, in order of departure. Shape (k,) each."""

    depart_s: np.ndarray
    orig: np.ndarray  # int64, node
    dest: np.ndarray  # int64, node
    vehicle_class: np.ndarray | None = None  # int64; None: 0

    def __len__(self) -> int:
        return self.depart_s.size


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRun:
    """What came of a loading. Trips k."""

    log: EntryLog | None
    counts: Counts
    engine: TrafficEngine
    depart_s: np.ndarray  # (k,)
    arrival_s: np.ndarray  # (k,), nan where a trip did not arrive; all nan without a log
    seconds: dict[str, float] = field(default_factory=dict)  # CPU seconds of "routing" and "movement"

    @property
    def travel_time_s(self) -> np.ndarray:
        """From departure to arrival, the wait for room on the first link included; nan where a trip did not arrive."""
        return self.arrival_s - self.depart_s


def simulate(
    network: Network,
    trips: NodeTrips,
    *,
    until_s: float | None = None,
    paths: Paths | None = None,
    reroute_every_s: float | None = 600.0,
    perceptions: int = 1,
    perception_sd: float = 0.0,
    newest: float = 1.0,
    informed_share: float = 1.0,
    switch_s: float = SWITCH_S,
    seed: int = 0,
    log: bool = True,
    books: bool = False,
    gate_fill: float = 1.0,
    **options: Any,
) -> TrafficRun:
    """Load trips onto a network.

    Parameters
    ----------
    network : Network
    trips : NodeTrips
    until_s : float, optional
        When to stop, s; without it the run goes on until everybody has arrived, or nobody can ever move.
    paths : Paths, optional
        A path for each trip, driven whatever happens; without it drivers follow a route table.
    reroute_every_s : float, optional
        How often the route table is renewed from the travel times of those who left each link since, s; None: never.
    perceptions, perception_sd, newest
        Route layers, the standard deviation of the log of perceived time, and the weight of the newest times; see
        `simulation.traffic.routing.Routes`. The defaults are one layer that sees the newest times as they are.
    informed_share : float
        Share of drivers, 0 to 1, who follow the route table as it is renewed on their way. The others drive the path
        to the end that was best when they set out.
    switch_s : float
        Gain for which drivers change their way, s; with it, trees are left alone where nothing has changed.
    seed : int
        Of perceptions and of ties.
    log : bool
        Whether every entry into a link is logged; arrival times need it.
    books : bool
        Whether flows are booked by class, for `engine.read_interval`.
    gate_fill, **options
        Of `TrafficEngine`.

    Returns
    -------
    TrafficRun

    Raises
    ------
    RunError
        If trips are out of order, name nodes that are not there, or no way leads from origin to destination.
    """
    check_loading(
        network, trips, until_s=until_s, reroute_every_s=reroute_every_s, perceptions=perceptions,
        perception_sd=perception_sd, newest=newest, informed_share=informed_share, switch_s=switch_s,
    )  # fmt: skip
    if paths is not None:
        return _on_paths(
            network, trips, paths, until_s, dict(seed=seed, log=log, books=books, gate_fill=gate_fill, **options)
        )
    begun = time.process_time()
    dest_nodes, row = _used(trips.dest, network.n_nodes)
    orig_nodes, origin = _used(trips.orig, network.n_nodes)
    dest_start, dest_link = _links_at(network.to_node, dest_nodes)
    origin_start, origin_link = _links_at(network.from_node, orig_nodes)
    routes = Routes(
        network.arrays, network.turns, dest_link, np.zeros((1, network.from_node.size), bool), seed=seed,
        perceptions=perceptions, perception_sd=perception_sd, dest_start=dest_start, origin_start=origin_start,
        origin_link=origin_link, switch_share=0.0, switch_s=switch_s, newest=[newest] * perceptions,
    )  # fmt: skip
    routes.update()
    routing = time.process_time() - begun
    check_ways(trips, routes.first_link[0, row, origin] >= 0)
    engine = TrafficEngine(
        network.arrays, dest_nodes.size, start_s=min(0.0, float(trips.depart_s[0])) if len(trips) else 0.0, seed=seed,
        log=log, books=books, gate_fill=gate_fill, **options,
    )  # fmt: skip
    layer = np.zeros(len(trips), np.int64)
    if perceptions > 1:
        taste = uniform(seed, 0, np.arange(len(trips), dtype=np.uint64), Purpose.TRIP_LAYER)
        layer = np.minimum((taste * perceptions).astype(np.int64), perceptions - 1)
    klass = np.zeros(len(trips), np.int64) if trips.vehicle_class is None else trips.vehicle_class
    every = Trips(depart_s=trips.depart_s, origin_link=-2 - origin, dest_row=row, layer=layer, vehicle_class=klass)
    step = np.inf if reroute_every_s is None else float(reroute_every_s)
    movement = 0.0
    while True:
        until = min(engine.now + step, np.inf if until_s is None else until_s)
        begun = time.process_time()
        _release(engine, routes, every, until, informed_share, seed)
        done = _go(engine, routes, until) and engine.released == len(trips)
        movement += time.process_time() - begun
        if done or until == until_s or (engine.released == len(trips) and engine.due_s == np.inf):
            break
        begun = time.process_time()
        routes.learn(engine.travel_times(), engine.free_time_s)
        routes.update(in_use=_in_use(engine, every, routes, until + step))
        routing += time.process_time() - begun
    return _result(engine, trips, log, {"routing": routing, "movement": movement})


def _release(
    engine: TrafficEngine, routes: Routes, trips: Trips, until: float, informed_share: float, seed: int
) -> None:
    """Release all trips at once if everybody follows the table; else those that depart before the next renewal, so
    that who does not can be given the path that is best now."""
    first = engine.released
    if first == len(trips):
        return
    if informed_share == 1:
        engine.release(trips)
        return
    part = trips.between(first, int(np.searchsorted(trips.depart_s, until)))
    number = np.arange(first, first + len(part), dtype=np.uint64)
    begin = routes.first_link[part.layer, part.dest_row, -2 - part.origin_link].astype(np.int64)
    begin[uniform(seed, 0, number, Purpose.INFORMED) < informed_share] = -1
    own = begin >= 0
    engine.release(
        replace(
            part, origin_link=np.where(own, begin, part.origin_link),
            paths=routes.paths(part.layer, begin, part.dest_row),
        )
    )  # fmt: skip


def _in_use(engine: TrafficEngine, trips: Trips, routes: Routes, until: float) -> np.ndarray:
    """Destinations of who is on the road by the table, or sets out before the next renewal. bool, (layers, D)."""
    to_come = slice(engine.released, int(np.searchsorted(trips.depart_s, until)))
    used = rows_in_use(
        trips.layer[to_come], trips.dest_row[to_come], n_layers=routes.n_layers, n_destinations=routes.n_destinations
    )
    mark_in_use(engine.v.trips, until, used.ravel())
    return used


def _on_paths(
    network: Network, trips: NodeTrips, paths: Paths, until_s: float | None, options: dict[str, Any]
) -> TrafficRun:
    begun = time.process_time()
    check_paths(network, trips, paths)
    engine = TrafficEngine(
        network.arrays, 1, start_s=min(0.0, float(trips.depart_s[0])) if len(trips) else 0.0, **options
    )
    k = np.zeros(len(trips), np.int64)
    engine.release(
        Trips(
            depart_s=trips.depart_s, origin_link=paths.links[paths.start[:-1]].astype(np.int64), dest_row=k, layer=k,
            vehicle_class=k if trips.vehicle_class is None else trips.vehicle_class, paths=paths,
        )
    )  # fmt: skip
    nowhere = np.full((1, 1, engine.n_links), NONE, np.int32)
    if until_s is None:
        engine.run_out(nowhere)
    else:
        engine.advance(until_s, nowhere)
    return _result(engine, trips, bool(options["log"]), {"routing": 0.0, "movement": time.process_time() - begun})


def _go(engine: TrafficEngine, routes: Routes, until_s: float) -> bool:
    """Advance, to the end if `until_s` is infinite; whether everybody has arrived."""
    if np.isfinite(until_s):
        engine.advance(until_s, routes.next_link, first_link=routes.first_link)
    else:
        engine.run_out(routes.next_link, first_link=routes.first_link)
    counts = engine.counts()
    return counts.departed == engine.released and counts.on_road + counts.waiting == 0


def _result(engine: TrafficEngine, trips: NodeTrips, log: bool, seconds: dict[str, float]) -> TrafficRun:
    entries = engine.entry_log() if log else None
    arrival = np.full(len(trips), np.nan)
    if entries is not None:
        ended = np.flatnonzero(entries.link == END)
        arrival[entries.trip[ended]] = entries.time_s[ended]
    return TrafficRun(
        log=entries, counts=engine.counts(), engine=engine, depart_s=trips.depart_s, arrival_s=arrival, seconds=seconds
    )


def _used(nodes: np.ndarray, n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes that occur, in order, and the position of each entry among them."""
    occurs = np.zeros(n_nodes, dtype=bool)
    occurs[nodes] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[nodes]


def _links_at(node_of_link: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Links at each node: ranges and links."""
    order = np.argsort(node_of_link, kind="stable")
    sorted_nodes = node_of_link[order]
    first, last = np.searchsorted(sorted_nodes, nodes), np.searchsorted(sorted_nodes, nodes, side="right")
    size = last - first
    start = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    return start, order[np.repeat(first - start[:-1], size) + np.arange(start[-1])].astype(np.int64)
