"""A warm start: routes of an earlier equilibrium, on a network of the same links, for demand like that of then."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulation.traffic.paths import Paths
from simulation.traffic.static_assignment_network import NONE, StaticNetwork
from simulation.traffic.static_assignment_result import PathSet, StaticEquilibrium

_KEYS = ["user_class", "origin_node_id", "dest_node_id"]


def warm_paths(
    start: StaticEquilibrium,
    network: StaticNetwork,
    od: pd.DataFrame,
    od_class: np.ndarray,
    fixed: np.ndarray,
) -> PathSet:
    """Routes of `start` that can still be driven, with flows that sum to the demand of each OD pair they serve.

    Parameters
    ----------
    start : StaticEquilibrium
        On links with the same ends; all else may differ.
    od : DataFrame
        `origin_node_id`, `dest_node_id`, `user_class`, `flow` of the new demand, in the order of the result.
    od_class : ndarray of int, shape (n_od,)
    fixed : ndarray, shape (n_classes, n_arcs)
        Fixed costs; inf where banned.

    Returns
    -------
    PathSet
        Without paths for OD pairs that were not assigned before, or whose routes are all closed.
    """
    n_od = len(od)
    here = pd.MultiIndex.from_frame(od[_KEYS]).get_indexer(pd.MultiIndex.from_frame(start.od[_KEYS]))
    pair = here[start.paths.od]
    flow = start.paths.flow
    known = np.flatnonzero((pair >= 0) & (flow > 0))
    if not known.size:
        return PathSet.none(n_od)
    known = known[np.argsort(pair[known], kind="stable")]
    arcs, good = _arcs(network, start.link_paths(known))
    size = np.diff(arcs.start)
    owner = np.repeat(np.arange(known.size), size)
    closed = ~np.isfinite(fixed[np.repeat(od_class[pair[known]], size), arcs.links])
    good &= np.bincount(owner, weights=closed, minlength=known.size) == 0
    rows = np.flatnonzero(good)
    kept, pair, flow = arcs.take(rows), pair[known[rows]], flow[known[rows]]
    total = np.bincount(pair, weights=flow, minlength=n_od)
    return PathSet(
        of=np.searchsorted(pair, np.arange(n_od + 1)), start=kept.start, arc=kept.links,
        flow=flow * (od["flow"].to_numpy(float)[pair] / total[pair]),
    )  # fmt: skip


def _arcs(network: StaticNetwork, paths: Paths) -> tuple[Paths, np.ndarray]:
    """Paths as arcs of the search graph, and whether each is allowed there (arcs of others are meaningless)."""
    n, real = network.n_links, network.arc_link >= 0
    arc_of = np.empty(n, np.int64)
    arc_of[network.arc_link[real]] = np.flatnonzero(real)
    size = np.diff(paths.start)
    owner = np.repeat(np.arange(len(paths)), size)
    last = np.zeros(paths.links.size, bool)
    last[paths.start[1:] - 1] = True
    link_arc = arc_of[paths.links]
    if real.all():
        barred = ~last & ~network.through[network.head[link_arc]]
        good = np.bincount(owner, weights=barred, minlength=len(paths)) == 0
        return Paths(links=link_arc.astype(np.int32), start=paths.start), good
    link_at = np.full(network.through.size, NONE, np.int64)  # link that begins or ends at a search node
    link_at[network.tail[real]] = link_at[network.head[real]] = network.arc_link[real]
    first, second = link_at[network.tail], link_at[network.head]
    entry, leave = np.empty(n, np.int64), np.empty(n, np.int64)
    entry[second[first == NONE]] = np.flatnonzero(first == NONE)
    leave[first[second == NONE]] = np.flatnonzero(second == NONE)
    turn = np.flatnonzero(~real & (first != NONE) & (second != NONE))
    turn = turn[np.argsort(first[turn] * n + second[turn])]
    key = first[turn] * n + second[turn]
    wanted = paths.links.astype(np.int64) * n + np.append(paths.links[1:], 0)
    at = np.searchsorted(key, wanted) if key.size else np.zeros(wanted.size, np.int64)
    at = np.minimum(at, max(key.size - 1, 0))
    found = last | (key[at] == wanted if key.size else np.zeros(wanted.size, bool))
    after = np.where(last, leave[paths.links], turn[at] if key.size else 0)
    # entry, then link and what follows it, in turn: 2 k + 1 arcs of k links
    begin = 2 * paths.start + np.arange(paths.start.size)
    arcs = np.empty(begin[-1], np.int32)
    place = 2 * np.arange(paths.links.size) + owner + 1
    arcs[begin[:-1]] = entry[paths.links[paths.start[:-1]]]
    arcs[place], arcs[place + 1] = link_arc, after
    return Paths(links=arcs, start=begin), np.bincount(owner, weights=~found, minlength=len(paths)) == 0
