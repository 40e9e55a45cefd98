"""Shortest paths at free flow: the routes that all engines can be given alike, and the bound that none may beat."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from data.errors import InputError
from data.readers.dynamic_case import DynamicCase

_NO_NODE = -9999  # scipy's mark of a node without predecessor


def free_flow_paths(case: DynamicCase) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shortest path at free flow of every trip.

    Returns
    -------
    links : ndarray of int32
        Paths of all pairs of nodes that occur, one after another.
    start : ndarray of int64, shape (pairs + 1,)
        Path of pair p is `links[start[p] : start[p + 1]]`.
    pair : ndarray of int64, shape (trips,)
        Pair of each trip.

    Raises
    ------
    InputError
        If no way leads from the origin to the destination of some trips; all such pairs are counted.
    """
    pairs, pair = _pairs(case)
    by_nodes = _fastest_links(case)
    origins, row = np.unique(pairs[:, 0], return_inverse=True)
    graph = _graph(case)
    _, before = dijkstra(graph, indices=origins, return_predecessors=True)
    at, lost = pairs[:, 1].copy(), np.zeros(len(pairs), dtype=bool)
    backwards = []  # by steps from the destination: link of each pair, -1 once its path has ended
    while True:
        going = (at != pairs[:, 0]) & ~lost
        if not going.any():
            break
        previous = np.where(going, before[row, at], 0)
        lost |= going & (previous == _NO_NODE)
        going &= ~lost
        link = np.full(len(pairs), -1, dtype=np.int32)
        link[going] = by_nodes[previous[going], at[going]]
        backwards.append(link)
        at = np.where(going, previous, at)
    if lost.any():
        name = case.nodes["name"].to_numpy()
        o, d = pairs[np.flatnonzero(lost)[0]]
        raise InputError(f"{lost.sum()} pair(s) of nodes have no way, such as from {name[o]} to {name[d]}")
    steps = np.stack(backwards[::-1], axis=1)
    taken = steps >= 0
    return steps[taken], np.concatenate([[0], np.cumsum(taken.sum(axis=1))]), pair


def paths_of_trips(case: DynamicCase) -> tuple[np.ndarray, np.ndarray]:
    """Like `free_flow_paths`, written out trip by trip: links, and start of shape (trips + 1,)."""
    links, start, pair = free_flow_paths(case)
    length = np.diff(start)[pair]
    out = np.concatenate([[0], np.cumsum(length)])
    within = np.arange(out[-1]) - np.repeat(out[:-1], length)
    return links[np.repeat(start[pair], length) + within], out


def free_flow_bound_s(case: DynamicCase) -> float:
    """Mean over all trips of the shortest time at free flow, s: no engine's mean may be lower."""
    pairs, pair = _pairs(case)
    origins, row = np.unique(pairs[:, 0], return_inverse=True)
    time = dijkstra(_graph(case), indices=origins)
    return float(time[row, pairs[:, 1]][pair].mean())


def _pairs(case: DynamicCase) -> tuple[np.ndarray, np.ndarray]:
    both = case.trips[["origin_node_id", "dest_node_id"]].to_numpy()
    code, pair = np.unique(both[:, 0] * len(case.nodes) + both[:, 1], return_inverse=True)
    return np.stack(np.divmod(code, len(case.nodes)), axis=1), pair


def _ranked(case: DynamicCase) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Start, end, time and number of the fastest link of each pair of neighbours."""
    links = case.links.assign(time_s=case.links["length_m"] / case.links["free_flow_speed_mps"])
    best = links.sort_values(["time_s", "link_id"]).drop_duplicates(["from_node_id", "to_node_id"])
    a, b, t, k = (best[name].to_numpy() for name in ("from_node_id", "to_node_id", "time_s", "link_id"))
    return a, b, t, k


def _graph(case: DynamicCase) -> csr_array:
    start, end, time, _ = _ranked(case)
    n = len(case.nodes)
    return csr_array((time, (start, end)), shape=(n, n))


def _fastest_links(case: DynamicCase) -> np.ndarray:
    start, end, _, link = _ranked(case)
    n = len(case.nodes)
    table = np.full((n, n), -1, dtype=np.int32)
    table[start, end] = link
    return table
