"""Compiling the traffic model: once an installation, for up to half a minute, before the first vehicle moves."""

from __future__ import annotations

import numpy as np

from simulation.traffic.loading import Network, NodeTrips, simulate
from simulation.traffic.network import LinkArrays
from simulation.traffic.paths import Paths
from simulation.traffic.trips import Trips


def compile_kernels() -> None:
    """Compile the kernels of movement and routes, or load them where an earlier process has compiled them.

    Drives one vehicle over two links, with books and log, by table and by path.
    """
    two = np.ones(2)
    arrays = LinkArrays(
        length_m=100.0 * two, lanes=two, speed_mps=10.0 * two, capacity_veh_per_s=0.5 * two,
        discharge_veh_per_s=0.5 * two, jam_density_veh_per_m=0.2 * two, cycle_s=0.0 * two, green_start_s=0.0 * two,
        green_s=0.0 * two,
    )  # fmt: skip
    network = Network.from_arrays(arrays, np.array([0, 1]), np.array([1, 2]))
    trips = NodeTrips(depart_s=np.zeros(1), orig=np.array([0]), dest=np.array([2]))
    run = simulate(network, trips, books=True, reroute_every_s=60.0)
    simulate(network, trips, paths=Paths.from_lists([[0, 1]]))
    engine = run.engine
    nobody = np.zeros(0, dtype=np.int64)
    none = Trips(depart_s=np.zeros(0), origin_link=nobody, dest_row=nobody, layer=nobody, vehicle_class=nobody)
    engine.release(none)
    engine.read_interval()
    engine.relayer(np.zeros(engine.v.trips.size, np.int64))
    engine.queued(np.zeros(1, np.int64))
    engine.set_links(arrays)
    engine.set_signals(np.zeros(1, np.int64), cycle_s=0.0, green_start_s=0.0, green_s=0.0)
