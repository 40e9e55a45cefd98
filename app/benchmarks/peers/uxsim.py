"""UXsim's C++ mode: one step a second (times the vehicles of a platoon), log off."""

from __future__ import annotations

import time
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks.peers.free_flow import free_flow_paths
from app.benchmarks.peers.process import peak_mib
from app.benchmarks.peers.task import Outcome, Task
from data.readers.dynamic_case import DynamicCase

REACTION_TIME_S = 1.0  # UXsim's default; with it the wave of the shared cases is 5 m/s, as their tables say


def measure(task: Task, *, platoon: int) -> Outcome:
    """Run a task in this process, `platoon` vehicles moving as one."""
    begun = time.process_time()
    case = task.read()
    world = build(case, task, platoon=platoon)
    built = time.process_time()
    world._cpp_world.main_loop(-1.0, task.horizon_s)  # its compiled loop alone: `exec_simulation` evaluates the run too
    stepped = time.process_time()
    world.exec_simulation()
    depart, arrival = trip_times(world)
    return Outcome.of_trips(
        depart, arrival, weight=platoon, horizon_s=task.horizon_s, cpu_s=stepped - built, setup_s=built - begun,
        after_s=time.process_time() - stepped, compile_s=0.0, peak_mib=peak_mib(), version=version("uxsim"),
    )  # fmt: skip


def build(case: DynamicCase, task: Task, *, platoon: int, log: bool = False) -> Any:
    """A finalized UXsim world that holds the case."""
    from uxsim import World

    world = World(
        name="", deltan=platoon, reaction_time=REACTION_TIME_S, tmax=task.horizon_s, random_seed=task.seed,
        print_mode=0, save_mode=0, show_mode=0, duo_update_time=task.reroute_every_s or 2 * task.horizon_s,
        vehicle_logging_timestep_interval=1 if log else -1, cpp=True, threads=1,
    )  # fmt: skip
    for node in case.nodes.itertuples():
        world.addNode(str(node.node_id), node.x, node.y)
    for link in case.links.itertuples():
        world.addLink(
            f"l{link.link_id}", str(link.from_node_id), str(link.to_node_id), length=link.length_m,
            free_flow_speed=link.free_flow_speed_mps, jam_density=link.jam_density_veh_per_m,
            number_of_lanes=int(link.lanes), merge_priority=link.merge_weight,
        )  # fmt: skip
    trips = platoons(case.trips, platoon)
    vehicles = [
        world.addVehicle(str(trip.origin_node_id), str(trip.dest_node_id), trip.depart_s)
        for trip in trips.itertuples(index=False)
    ]
    if task.reroute_every_s is None:
        links, start, pair = free_flow_paths(DynamicCase(name="", nodes=case.nodes, links=case.links, trips=trips))
        routes = [[f"l{k}" for k in links[a:b]] for a, b in pairwise(start)]
        for vehicle, p in zip(vehicles, pair, strict=True):
            vehicle.enforce_route(routes[p])
    world.finalize_scenario()
    return world


def platoons(trips: pd.DataFrame, size: int) -> pd.DataFrame:
    """Trips of platoons of `size` vehicles, as many vehicles as there are trips to within half a platoon.

    A platoon has one origin and one destination, but few pairs have a multiple of `size` trips. Pairs are taken in
    order and the running total is rounded, so that what one pair loses the next one gains; a pair's platoons depart at
    evenly spaced ranks of its trips.
    """
    if size == 1:
        return trips
    by_pair = trips.sort_values(["origin_node_id", "dest_node_id", "depart_s"], ignore_index=True)
    count = by_pair.groupby(["origin_node_id", "dest_node_id"], sort=True).size().to_numpy()
    total = np.floor(np.concatenate([[0], np.cumsum(count)]) / size + 0.5).astype(np.int64)
    made = np.diff(total)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    rank = np.arange(total[-1]) - np.repeat(total[:-1], made)
    at = np.repeat(first, made) + ((rank + 0.5) * np.repeat(count / np.maximum(made, 1), made)).astype(np.int64)
    return by_pair.iloc[at].sort_values("depart_s", kind="stable", ignore_index=True)


def trip_times(world: Any) -> tuple[np.ndarray, np.ndarray]:
    """Departure and arrival (nan where there was none) of every vehicle object, s."""
    vehicles = [vehicle._cpp_vehicle for vehicle in world.VEHICLES.values()]  # no proxy: a million look-ups by name
    depart = np.array([vehicle.departure_time for vehicle in vehicles])
    arrival = np.array([vehicle.arrival_time for vehicle in vehicles])
    return depart, np.where(arrival >= 0, arrival, np.nan)
