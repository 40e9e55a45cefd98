"""One hour of trips on a city's streets, until everybody has arrived: `zonewise benchmark hour [CITY ...] [TRIPS ...]`.

A city is a name or an OpenStreetMap file; without one, Krems and Monaco of the shared data (`ZONEWISE_SHARED_DATA`, or
`shared/data` beside the project), each with 5,000 and 20,000 trips. Origins and destinations are drawn by length x
lanes of the links where people may stop, departures uniformly over the hour. Signals are timed for the expected flow,
and drivers choose their ways as in a city's run. Told are: who arrived within four hours of the last departure, the
share of vehicles that the gridlock rules moved, and the ten worst queues with the capacity that was exceeded.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.benchmarks import figure

if TYPE_CHECKING:
    import pandas as pd

    from simulation.traffic.engine import TrafficEngine, Trips
    from simulation.traffic.network import LinkArrays, TurnIndex
    from simulation.traffic.routing import Routes

SEED = 1
HOUR_S = 3600.0
#: Time for the last trip to arrive after the last departure, s.
GRACE_S = 4 * HOUR_S
#: Time after which the run ends whoever is still on the road, s.
END_S = HOUR_S + 3 * GRACE_S
#: Interval at which drivers learn travel times, s; that of a city's run.
STEP_S = 900.0
#: Classes on which nobody stops; links of a roundabout are left out too.
NO_STOP = ("motorway", "motorway_link", "trunk", "trunk_link", "primary_link", "secondary_link", "tertiary_link")
USUAL_TRIPS = (5_000, 20_000)
MAX_FORCED_SHARE = 0.001  # of vehicles; none with few trips


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case.

    Parameters
    ----------
    arguments : sequence of str
        Cities (names or files), and numbers of trips.
    """
    counts = [int(a) for a in arguments if a.isdigit()] or list(USUAL_TRIPS)
    cities = [a for a in arguments if not a.isdigit()] or _default_cities()
    results, figures = {}, []
    for city in cities:
        for trips in counts:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                result = pool.submit(measure, city, trips).result()
            name = f"{Path(city).name.split('.')[0]}, {trips} trips"
            results[name] = result
            figures += _figures(name, result, trips)
    return {"cities": results, "figures": figures}


def _default_cities() -> list[str]:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("ZONEWISE_SHARED_DATA", beside)) / "osm"
    return [str(folder / f"{name}.osm.gz") for name in ("krems", "monaco")]


def _figures(name: str, result: dict[str, Any], trips: int) -> list[dict[str, Any]]:
    most = 0.0 if trips <= min(USUAL_TRIPS) else MAX_FORCED_SHARE
    return [
        figure(f"{name}: arrived within 4 h", result["arrived_in_time_share"], "1", target=1.0, at_most=False,
               n=trips, seed=SEED),
        figure(f"{name}: moved by gridlock rules", result["forced_share"], "1", target=most, n=trips, seed=SEED),
        figure(f"{name}: last arrival", result["last_arrival_s"], "s", n=trips, seed=SEED),
        figure(f"{name}: mean travel time", result["mean_travel_time_s"], "s", n=trips, seed=SEED),
        figure(f"{name}: CPU time", result["cpu_s"], "s", n=trips, seed=SEED),
        figure(f"{name}: worst queues with an exceeded capacity", result["queues_explained"], "queues",
               target=float(len(result["worst_queues"])), at_most=False, seed=SEED),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """A city's streets and an hour of trips on them. Trips k."""

    arrays: LinkArrays
    turns: TurnIndex
    links: pd.DataFrame
    signals: pd.DataFrame
    depart_s: np.ndarray  # (k,)
    origin_link: np.ndarray  # (k,)
    dest_link: np.ndarray  # (k,)
    taste: np.ndarray  # (k,) in (0, 1)


def make_hour(nodes: pd.DataFrame, links: pd.DataFrame, turns: pd.DataFrame, trips: int, *, seed: int = SEED) -> Hour:
    """Streets with signals, and seeded trips between links where people may stop.

    Parameters
    ----------
    nodes, links, turns : DataFrame
        Columns of `data.schemas`; a column `roundabout` of links is heeded.
    trips : int
        Number of trips, uniform in time over an hour.
    seed : int
    """
    from data.schemas import SIGNALS, empty
    from simulation.traffic.network import core_links, link_arrays, turn_index
    from simulation.traffic.signals import fixed_plans

    index = turn_index(turns, len(links))
    stop = core_links(index) & ~links["road_class"].isin(NO_STOP).to_numpy()
    if "roundabout" in links:
        stop &= ~links["roundabout"].to_numpy(bool)
    weight = np.where(stop, links["length_m"].to_numpy() * links["lanes"].to_numpy(), 0.0)
    rng = np.random.default_rng(seed)
    ends = np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random((2, trips)), side="right")
    again = np.flatnonzero(ends[0] == ends[1])
    while again.size:
        ends[1, again] = np.searchsorted(np.cumsum(weight) / weight.sum(), rng.random(again.size), side="right")
        again = again[ends[0, again] == ends[1, again]]
    depart, taste = np.sort(rng.random(trips) * HOUR_S), rng.random(trips)
    bare = link_arrays(links, empty(SIGNALS), turns=turns)
    routes = _routes(bare, index, np.unique(ends[1]), seed)
    flow = np.zeros(len(links))
    layer = np.minimum((taste * routes.perceptions).astype(np.int64), routes.perceptions - 1)
    row = np.searchsorted(routes.dest_link, ends[1])
    at, on = ends[0].copy(), np.arange(trips)
    while on.size:
        np.add.at(flow, at[on], 1.0 / HOUR_S)
        at[on] = routes.next_link[layer[on], row[on], at[on]]
        on = on[at[on] >= 0]
    signals = fixed_plans(nodes, links, turns=turns, flow_veh_per_s=flow, seed=seed)
    return Hour(
        arrays=link_arrays(links, signals, turns=turns), turns=index, links=links, signals=signals, depart_s=depart,
        origin_link=ends[0], dest_link=ends[1], taste=taste,
    )  # fmt: skip


def _routes(arrays: LinkArrays, turns: TurnIndex, dest_link: np.ndarray, seed: int) -> Routes:
    from simulation.traffic.routing import Routes

    routes = Routes(arrays, turns, dest_link, np.zeros((1, arrays.length_m.size), dtype=bool), seed=seed)
    routes.update()
    return routes


def drive(
    hour: Hour, *, seed: int = SEED, end_s: float = END_S, **options: Any
) -> tuple[TrafficEngine, dict[str, float]]:
    """Let the trips of an hour drive until everybody has arrived; drivers look at the times as in a city's run.

    Returns
    -------
    engine : TrafficEngine
        With its entry log.
    seconds : dict of str to float
        CPU seconds of "routing" and "movement".
    """
    from simulation.traffic.engine import JAM_FILL, TURN_OFF_S, TrafficEngine

    begun = time.process_time()
    routes = _routes(hour.arrays, hour.turns, np.unique(hour.dest_link), seed)
    routing, movement = time.process_time() - begun, 0.0
    options = {"jam_fill": JAM_FILL, "turn_off_s": TURN_OFF_S, **options}
    engine = TrafficEngine(hour.arrays, routes.n_destinations, books=False, log=True, seed=seed, **options)
    engine.release(_released(hour, routes))
    step = 0
    while True:
        step += 1
        begun = time.process_time()
        engine.advance(step * STEP_S, routes.next_link)
        middle = time.process_time()
        movement += middle - begun
        counts = engine.counts()
        if step * STEP_S >= min(end_s, END_S) or counts.departed == engine.released == counts.arrived + counts.lost:
            return engine, {"routing": routing, "movement": movement}
        looking = routes.looking(step)
        routes.learn(engine.travel_times(), engine.free_time_s, looking)
        routes.update(looking)
        routing += time.process_time() - middle


def _released(hour: Hour, routes: Routes) -> Trips:
    from simulation.traffic.trips import Trips

    layer = np.minimum((hour.taste * routes.perceptions).astype(np.int64), routes.perceptions - 1)
    return Trips(
        depart_s=hour.depart_s, origin_link=hour.origin_link,
        dest_row=np.searchsorted(routes.dest_link, hour.dest_link), layer=layer,
        vehicle_class=np.zeros(hour.depart_s.size, np.int64),
    )  # fmt: skip


def measure(source: str, trips: int) -> dict[str, Any]:
    """Read a city, warm the kernels, and drive an hour of trips, in this process."""
    from data.cities import load_city
    from simulation.traffic.network import rounded_up
    from simulation.traffic.outputs.bottlenecks import worst_queues

    city = load_city(source)
    drive(make_hour(city.nodes, city.links, city.turns, 20), end_s=STEP_S)
    hour = make_hour(city.nodes, city.links, city.turns, trips)
    begun = time.process_time()
    engine, seconds = drive(hour)
    cpu_s = time.process_time() - begun
    counts, log = engine.counts(), engine.entry_log()
    arrived = log.time_s[log.link == -2]
    taken = arrived - hour.depart_s[log.trip[log.link == -2]]
    queues = worst_queues(log, hour.arrays, count=10)
    names = hour.links["name"].astype("object").where(hour.links["name"].notna(), "").to_numpy()
    told = queues.assign(
        name=names[queues["link_id"]], road_class=hour.links["road_class"].to_numpy()[queues["link_id"]]
    )
    return {
        "trips": trips, "arrived": counts.arrived, "lost": counts.lost,
        "unfinished": counts.on_road + counts.waiting, "conserved": counts.conserved,
        "arrived_in_time_share": float((arrived <= hour.depart_s[-1] + GRACE_S).sum() / trips),
        "last_arrival_s": float(arrived.max(initial=0.0)),
        "mean_travel_time_s": float(taken.mean()) if taken.size else 0.0,
        **{f"gridlock_{name}": value for name, value in engine.gridlock().items()},
        "forced_share": counts.forced / trips, "traversals": counts.traversals, "cpu_s": cpu_s,
        "routing_s": seconds["routing"], "movement_s": seconds["movement"],
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, "links": len(city.links),
        "links_rounded_up": rounded_up(hour.arrays), "signals": len(hour.signals),
        "queues_explained": float((queues["demand_over_capacity"] > 1.0).sum()),
        "worst_queues": told.to_dict("records"),
    }  # fmt: skip
