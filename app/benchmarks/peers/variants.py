"""The same network with another rule at origins or at the beginning of links, to find what makes two engines part.

Rules of peers become links that our engine knows: a queue for all that start at a node becomes a connector, absolute
priority its great merge weight, a loose headway at the entry a short entrance that carries more than the street.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simulation.traffic.loading import Network, NodeTrips, Paths
from simulation.traffic.network import MIN_JAM_RATIO, LinkArrays

PRIORITY, LAST = 1e9, 1e-6  # merge weights of who goes first, and of who lets everybody else go first
_CONNECTOR_M, _CONNECTOR_MPS = 1.0, 2.0  # half a second long
_CONNECTOR_VEH_PER_S, _CONNECTOR_VEH_PER_M = 20.0, 2_000.0  # no bottleneck of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """A network, trips on paths of their own, and the street that each link is part of (-1: a connector)."""

    network: Network
    trips: NodeTrips
    paths: Paths
    street: np.ndarray


def plain(network: Network, trips: NodeTrips, paths: Paths) -> Loading:
    """As it is: trips wait at a gate of their first link."""
    return Loading(network=network, trips=trips, paths=paths, street=np.arange(network.from_node.size))


def connected(loading: Loading, *, merge_weight: float, by_link: bool = False) -> Loading:
    """All that start at a node wait in one queue, first in, first out, whatever their first link.

    Parameters
    ----------
    loading : Loading
    merge_weight : float
        Of the connector against the roads that lead to the node; `PRIORITY`: it goes first, `LAST`: the roads do.
    by_link : bool
        Instead one queue for each first link, as gates have it.
    """
    network, trips, paths = loading.network, loading.trips, loading.paths
    first = paths.links[paths.start[:-1]]
    queues, at = np.unique(first if by_link else trips.orig, return_inverse=True)
    nodes = network.from_node[queues] if by_link else queues
    n, m = network.from_node.size, nodes.size
    a = network.arrays
    weight = a.discharge_veh_per_s if a.merge_weight is None else a.merge_weight
    arrays = LinkArrays(
        length_m=_and(a.length_m, _CONNECTOR_M, m), lanes=_and(a.lanes, 1.0, m),
        speed_mps=_and(a.speed_mps, _CONNECTOR_MPS, m),
        capacity_veh_per_s=_and(a.capacity_veh_per_s, _CONNECTOR_VEH_PER_S, m),
        discharge_veh_per_s=_and(a.discharge_veh_per_s, _CONNECTOR_VEH_PER_S, m),
        jam_density_veh_per_m=_and(a.jam_density_veh_per_m, _CONNECTOR_VEH_PER_M, m), cycle_s=np.zeros(n + m),
        green_start_s=np.zeros(n + m), green_s=np.zeros(n + m), merge_weight=_and(weight, merge_weight, m),
    )  # fmt: skip
    outside = network.n_nodes + np.arange(m)
    wider = Network.from_arrays(
        arrays, np.concatenate([network.from_node, outside]), np.concatenate([network.to_node, nodes])
    )
    start = paths.start + np.arange(paths.start.size)
    links = np.empty(int(start[-1]), dtype=np.int32)
    inner = np.ones(links.size, dtype=bool)
    inner[start[:-1]] = False
    links[start[:-1]], links[inner] = n + at, paths.links
    return Loading(
        network=wider, trips=replace(trips, orig=outside[at]), paths=Paths(links=links, start=start),
        street=_and(loading.street, -1, m),
    )  # fmt: skip


def with_entrances(loading: Loading, *, length_m: float, veh_per_s: float) -> Loading:
    """Every street (not a connector) begins with an entrance that takes in `veh_per_s` a lane while it has room.

    So vehicles may follow each other into a street more closely than its capacity allows; further on it holds.
    """
    network, a = loading.network, loading.network.arrays
    cut = np.flatnonzero(loading.street >= 0)
    n, m = network.from_node.size, cut.size
    rest = np.concatenate([np.arange(n), cut])  # the entrance keeps the number, what follows comes behind
    piece = np.minimum(length_m, 0.5 * a.length_m[cut])
    length, capacity, discharge = (x[rest] for x in (a.length_m, a.capacity_veh_per_s, a.discharge_veh_per_s))
    length[n:] -= piece
    length[cut], capacity[cut] = piece, veh_per_s * a.lanes[cut]
    discharge[cut] = capacity[cut]
    jam = a.jam_density_veh_per_m[rest]
    jam[cut] = np.maximum(jam[cut], MIN_JAM_RATIO * capacity[cut] / a.speed_mps[cut])  # or no wave climbs a slow one
    arrays = LinkArrays(
        length_m=length, lanes=a.lanes[rest], speed_mps=a.speed_mps[rest], capacity_veh_per_s=capacity,
        discharge_veh_per_s=discharge, jam_density_veh_per_m=jam,
        cycle_s=np.zeros(n + m), green_start_s=np.zeros(n + m), green_s=np.zeros(n + m),
        merge_weight=None if a.merge_weight is None else a.merge_weight[rest],
    )  # fmt: skip
    middle = network.n_nodes + np.arange(m)
    to_node = network.to_node[rest]
    to_node[cut] = middle
    longer = Network.from_arrays(arrays, np.concatenate([network.from_node, middle]), to_node)
    follower = np.full(n, -1, dtype=np.int64)
    follower[cut] = n + np.arange(m)
    paths = loading.paths
    two = follower[paths.links] >= 0
    place = np.concatenate([[0], np.cumsum(1 + two)])
    links = np.empty(int(place[-1]), dtype=np.int32)
    links[place[:-1]] = paths.links
    links[place[:-1][two] + 1] = follower[paths.links[two]]
    return Loading(
        network=longer, trips=loading.trips, paths=Paths(links=links, start=place[paths.start]),
        street=loading.street[rest],
    )  # fmt: skip


def finer(loading: Loading, *, parts: int) -> Loading:
    """Every vehicle in `parts`, spread over the time until the next trip of its pair, on a network of as many times the
    numbers: towards the fluid limit."""
    trips, a = loading.trips, loading.network.arrays
    pair = trips.orig * loading.network.n_nodes + trips.dest
    _, which, count = np.unique(pair, return_inverse=True, return_counts=True)
    gap = (trips.depart_s[-1] - trips.depart_s[0]) / count[which]
    depart = (trips.depart_s[:, None] + np.arange(parts) / parts * gap[:, None]).ravel()
    order = np.argsort(depart, kind="stable")
    source = np.repeat(np.arange(len(trips)), parts)[order]
    arrays = replace(
        a, capacity_veh_per_s=parts * a.capacity_veh_per_s, discharge_veh_per_s=parts * a.discharge_veh_per_s,
        jam_density_veh_per_m=parts * a.jam_density_veh_per_m,
    )  # fmt: skip
    return Loading(
        network=replace(loading.network, arrays=arrays),
        trips=NodeTrips(depart_s=depart[order], orig=trips.orig[source], dest=trips.dest[source]),
        paths=loading.paths.take(source), street=loading.street,
    )  # fmt: skip


def _and(values: np.ndarray, more: float, count: int) -> np.ndarray:
    return np.concatenate([values, np.full(count, more, dtype=values.dtype)])
