"""How the cost of our engine grows: with link traversals, with vehicles on the road, with the size of the network."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from app.benchmarks.peers.grid import make_grid, trips_to_centres, wandering
from app.benchmarks.peers.process import peak_mib
from simulation.traffic.engine import TrafficEngine, Trips
from simulation.traffic.loading import simulate

VEHICLES_PER_LINK = 5  # on the road: half of what the streets of the grid carry at capacity
FILL_S = 60.0  # departures are spread over it, s


def traversals_per_second(vehicles: int, *, traversals_each: int, seed: int) -> dict[str, Any]:
    """Link traversals a CPU second with a number of vehicles on the road all the time, every entry logged.

    Vehicles wander on paths of their own over a grid of a fifth as many links; none arrives before the end.
    """
    windows, engine = _windows(vehicles, [float(traversals_each)], seed=seed)
    return {"vehicles": vehicles, **windows[0], "links": engine.n_links, "peak_mib": peak_mib()}


def by_traversals(vehicles: int, *, doublings: int, seed: int) -> dict[str, Any]:
    """CPU time of windows that are twice as long each, with the same vehicles on the road, and the exponent of a fit.

    The exponent is the slope of log CPU over log traversals: 1 where cost is linear.
    """
    windows, _ = _windows(vehicles, [0.5 * 2.0**k for k in range(doublings)], seed=seed)
    x, y = (np.log([window[name] for window in windows]) for name in ("traversals", "cpu_s"))
    return {"vehicles": vehicles, "windows": windows, "exponent": float(np.polyfit(x, y, 1)[0])}


def _windows(vehicles: int, traversals_each: list[float], *, seed: int) -> tuple[list[dict[str, float]], TrafficEngine]:
    """Advance by windows in which each vehicle passes so many links on the average."""
    grid = make_grid(max(2 * (vehicles // VEHICLES_PER_LINK // 2), 40), seed=seed)
    free_s = grid.network.arrays.length_m / grid.network.arrays.speed_mps
    pace_s = float(free_s.mean())
    length = int(2.0 * (sum(traversals_each) + FILL_S / pace_s)) + 10
    trips, paths = wandering(grid, vehicles, length, over_s=FILL_S, seed=seed)
    zero = np.zeros(vehicles, np.int64)
    engine = TrafficEngine(grid.network.arrays, 1, seed=seed, log=True, books=False, gate_fill=1.0)
    engine.release(
        Trips(
            depart_s=trips.depart_s, origin_link=paths.links[paths.start[:-1]].astype(np.int64), dest_row=zero,
            layer=zero, vehicle_class=zero, paths=paths,
        )
    )  # fmt: skip
    table = np.full((1, 1, engine.n_links), -1, np.int32)
    engine.advance(1.0, table)  # compiled, and on its way
    engine.advance(FILL_S + pace_s, table)
    out = []
    for each in traversals_each:
        before, begun = engine.counts().traversals, time.process_time()
        engine.advance(engine.now + each * pace_s, table)
        taken, counts = time.process_time() - begun, engine.counts()
        done = counts.traversals - before
        out.append({"traversals": done, "cpu_s": taken, "per_second": done / taken, "on_road": counts.on_road})
    return out, engine


def large_grid(
    *, n_links: int, n_trips: int, n_centres: int, mean_links: int, over_s: float, seed: int
) -> dict[str, Any]:
    """CPU seconds of routing and movement of trips on a large grid, run until empty, entries logged."""
    begun = time.process_time()
    grid = make_grid(n_links, seed=seed)
    trips = trips_to_centres(grid, n_trips, n_centres=n_centres, mean_links=mean_links, over_s=over_s, seed=seed)
    setup_s = time.process_time() - begun
    _warm_up(seed)
    begun = time.process_time()
    run = simulate(grid.network, trips, reroute_every_s=None, perceptions=1, seed=seed)
    cpu_s = time.process_time() - begun
    counts = run.counts
    return {
        "links": grid.network.from_node.size, "trips": n_trips, "destinations": n_centres, "cpu_s": cpu_s,
        "routing_s": run.seconds["routing"], "movement_s": run.seconds["movement"], "setup_s": setup_s,
        "traversals": counts.traversals, "links_per_trip": counts.traversals / n_trips, "arrived": counts.arrived,
        "lost": counts.lost, "forced": counts.forced, "mean_travel_time_s": float(np.nanmean(run.travel_time_s)),
        "peak_mib": peak_mib(),
    }  # fmt: skip


def _warm_up(seed: int) -> None:
    grid = make_grid(1_000, seed=seed)
    trips = trips_to_centres(grid, 50, n_centres=5, mean_links=4, over_s=60.0, seed=seed)
    simulate(grid.network, trips, reroute_every_s=None, seed=seed)
