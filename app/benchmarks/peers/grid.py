"""A seeded grid of streets, with trips over it: as large as one likes, for what only our own engine is asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.traffic.loading import Network, NodeTrips, Paths
from simulation.traffic.network import WAVE_SPEED_MPS, LinkArrays

#: Streets of the grid, m/s and m (assumption): alike enough that shortest paths spread over it, not along a few.
_SPEEDS_MPS = (12.5, 13.89, 15.28)
_LENGTH_M = (200.0, 300.0)
_JAM_VEH_PER_M = 1 / 7.5  # a lane (MATSim's 7.5 m a vehicle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A network whose nodes lie in `rows` x `columns`, numbered row by row."""

    network: Network
    rows: int
    columns: int


def make_grid(n_links: int, *, seed: int) -> Grid:
    """About square grid of two-way streets with exactly `n_links` links (an even number), seeded lengths and speeds.

    A full grid holds a few streets more; those to leave out are drawn.
    """
    rng = np.random.default_rng(seed)
    rows = columns = 2
    while 4 * rows * columns - 2 * (rows + columns) < n_links:
        rows, columns = columns, rows + 1
    node = np.arange(rows * columns).reshape(rows, columns)
    a = np.concatenate([node[:, :-1].ravel(), node[:-1].ravel()])
    b = np.concatenate([node[:, 1:].ravel(), node[1:].ravel()])
    kept = np.sort(rng.permutation(a.size)[: n_links // 2])
    a, b = a[kept], b[kept]
    both = np.concatenate
    length, speed = rng.uniform(*_LENGTH_M, a.size), rng.choice(_SPEEDS_MPS, a.size)
    lanes = 1.0 + np.searchsorted(_SPEEDS_MPS, speed)  # the faster, the wider
    jam = _JAM_VEH_PER_M * lanes
    capacity = WAVE_SPEED_MPS * jam * speed / (speed + WAVE_SPEED_MPS)
    columns_of_street = {"length": length, "speed": speed, "lanes": lanes, "jam": jam, "q": capacity}
    two = {name: both([x, x]) for name, x in columns_of_street.items()}
    none = np.zeros(2 * a.size)
    arrays = LinkArrays(
        length_m=two["length"], lanes=two["lanes"], speed_mps=two["speed"], capacity_veh_per_s=two["q"],
        discharge_veh_per_s=two["q"], jam_density_veh_per_m=two["jam"], cycle_s=none, green_start_s=none, green_s=none,
    )  # fmt: skip
    return Grid(network=Network.from_arrays(arrays, both([a, b]), both([b, a])), rows=rows, columns=columns)


def wandering(grid: Grid, n_trips: int, path_links: int, *, over_s: float, seed: int) -> tuple[NodeTrips, Paths]:
    """Trips that wander along `path_links` links each without turning round, departing evenly within `over_s`."""
    rng = np.random.default_rng(seed)
    network = grid.network
    onward, count = _onward(network)
    links = np.empty((n_trips, path_links), dtype=np.int32)
    links[:, 0] = rng.integers(0, network.from_node.size, n_trips)
    for k in range(1, path_links):
        at = links[:, k - 1]
        links[:, k] = onward[at, (rng.random(n_trips) * count[at]).astype(np.int64)]
    trips = NodeTrips(
        depart_s=np.linspace(0.0, over_s, n_trips, endpoint=False), orig=network.from_node[links[:, 0]],
        dest=network.to_node[links[:, -1]], vehicle_class=np.zeros(n_trips, np.int64),
    )  # fmt: skip
    return trips, Paths(links=links.ravel(), start=np.arange(n_trips + 1, dtype=np.int64) * path_links)


def trips_to_centres(
    grid: Grid, n_trips: int, *, n_centres: int, mean_links: int, over_s: float, seed: int
) -> NodeTrips:
    """Trips to `n_centres` seeded nodes, from between half and one and a half times `mean_links` streets away.

    The grid must be three times `mean_links` wide, so that one of two opposite ways never leads outside.
    """
    rng = np.random.default_rng(seed)
    size = np.array([grid.rows, grid.columns])
    to = rng.integers(0, size, (n_centres, 2))[rng.integers(0, n_centres, n_trips)]
    away = rng.integers(mean_links - mean_links // 2, mean_links + mean_links // 2 + 1, n_trips)
    along = rng.integers(0, away + 1)
    offset = rng.choice([-1, 1], (n_trips, 2)) * np.stack([along, away - along], axis=1)
    start = to + offset
    start = np.where((start < 0) | (start >= size), to - offset, start)  # the other way, where that leads outside
    return NodeTrips(
        depart_s=np.sort(rng.uniform(0.0, over_s, n_trips)), orig=start[:, 0] * grid.columns + start[:, 1],
        dest=to[:, 0] * grid.columns + to[:, 1], vehicle_class=np.zeros(n_trips, np.int64),
    )  # fmt: skip


def _onward(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Links that may follow each link, shape (n, most), and how many there are."""
    turns = network.turns
    n = network.from_node.size
    into = np.repeat(np.arange(n), np.diff(turns.in_start))
    order = np.argsort(turns.in_link, kind="stable")
    after, before = into[order], turns.in_link[order]
    count = np.bincount(before, minlength=n)
    rank = np.arange(before.size) - np.repeat(np.concatenate([[0], np.cumsum(count)[:-1]]), count)
    onward = np.full((n, count.max()), -1, dtype=np.int32)
    onward[before, rank] = after
    return onward, count
