"""Our own engine on a peer's task, with every link entry logged."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from app.benchmarks.peers.free_flow import paths_of_trips
from app.benchmarks.peers.process import peak_mib
from app.benchmarks.peers.task import Outcome, Task
from data.readers.dynamic_case import DynamicCase
from data.store.runs import versions
from simulation.traffic.dynamic_equilibrium import dynamic_equilibrium
from simulation.traffic.loading import Network, NodeTrips, Paths, TrafficRun, simulate

_WARM_S = 2_000.0


def measure(task: Task) -> Outcome:
    """Run a task in this process; kernels are compiled, or loaded, before the clock starts."""
    compile_s = warm_up(task)
    begun = time.process_time()
    case = task.read()
    network, trips = network_of(case), trips_of(case)
    paths = paths_of(case) if task.reroute_every_s is None else None
    built = time.process_time()
    run = run_task(network, trips, task, paths)
    cpu_s = time.process_time() - built
    return Outcome.of_trips(
        trips.depart_s, run.arrival_s, weight=1, horizon_s=task.horizon_s, cpu_s=cpu_s, setup_s=built - begun,
        after_s=0.0, compile_s=compile_s, peak_mib=peak_mib(), version=versions().get("zonewise", "from source"),
        parts_s=tuple(run.seconds.items()),
    )  # fmt: skip


def run_task(network: Network, trips: NodeTrips, task: Task, paths: Paths | None, *, log: bool = True) -> TrafficRun:
    """Simulate until the horizon."""
    return simulate(
        network,
        trips,
        until_s=task.horizon_s,
        paths=paths,
        reroute_every_s=task.reroute_every_s,
        seed=task.seed,
        log=log,
    )


def equilibrium(task: Task, *, gap: float) -> dict[str, Any]:
    """Dynamic user equilibrium of a task's trips, everybody driven until empty.

    Returns
    -------
    dict
        `gap` and `rounds` reached, `cpu_s`, and `curve`: a row a round.
    """
    warm_up(task)
    case = task.read()
    begun = time.process_time()
    found = dynamic_equilibrium(network_of(case), trips_of(case), gap=gap, seed=task.seed)
    curve = found.curve[["iteration", "gap", "mean_travel_time_s"]].to_dict("records")
    return {"gap": found.gap, "rounds": len(curve), "cpu_s": time.process_time() - begun, "curve": curve}


def network_of(case: DynamicCase) -> Network:
    """The case's links with its merge weights; every movement but U-turns is allowed."""
    network = Network.from_tables(case.links)
    arrays = replace(network.arrays, merge_weight=case.links["merge_weight"].to_numpy(float))
    return replace(network, arrays=arrays)


def trips_of(case: DynamicCase) -> NodeTrips:
    """The case's trips."""
    trips = case.trips
    return NodeTrips(
        depart_s=trips["depart_s"].to_numpy(float), orig=trips["origin_node_id"].to_numpy(np.int64),
        dest=trips["dest_node_id"].to_numpy(np.int64), vehicle_class=np.zeros(len(trips), np.int64),
    )  # fmt: skip


def paths_of(case: DynamicCase) -> Paths:
    """A shortest path at free flow for every trip."""
    links, start = paths_of_trips(case)
    return Paths(links=links.astype(np.int32), start=start)


def warm_up(task: Task) -> float:
    """CPU seconds of a run of a few trips that uses all that the task will use: compiling, or loading the cache.

    They depart over several renewals of the routes, so that what happens only then is compiled too.
    """
    case = task.read()
    early = case.trips[case.trips["depart_s"] < _WARM_S]
    few = DynamicCase(
        name=case.name, nodes=case.nodes, links=case.links,
        trips=early.iloc[:: max(len(early) // 60, 1)].reset_index(drop=True),
    )  # fmt: skip
    paths = paths_of(few) if task.reroute_every_s is None else None
    network, trips = network_of(few), trips_of(few)
    begun = time.process_time()
    run_task(network, trips, replace(task, horizon_s=_WARM_S), paths)
    return time.process_time() - begun
