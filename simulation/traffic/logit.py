"""Logit route choice: each sensible way is taken with a probability proportional to exp(-theta x generalised cost).

The ways are those of Dial (1971, doi:10.1016/0041-1647(71)90012-8): each link brings the driver nearer to the
destination. Nearer is judged by fixed reference times (free flow), as Leurent (1997,
doi:10.1016/S0191-2615(96)00035-5) proposed, so the set of ways stays the same when costs move and shares move smoothly
with them. `elongation` can narrow them: no link may take more than 1 + `elongation` times the reference time that it
gains. All such ways are weighed without listing any, and a trip draws its way link by link.

`theta_per_s` is the scale of the model, per second of generalised cost: perceived costs have a standard deviation of
pi / (sqrt(6) theta). Of two ways that differ by d seconds the better has the share 1 / (1 + exp(-theta d)). As in every
multinomial logit, ways that share most of their links count as different ones; where that matters, use the correlated
perceptions of `simulation.traffic.routing` instead.
"""

from __future__ import annotations

import numpy as np

from simulation.errors import RunError
from simulation.streams import Purpose, bits
from simulation.traffic.loading import Network, NodeTrips
from simulation.traffic.loading_checks import check_ways
from simulation.traffic.logit_kernels import Graph, draw_paths, spread_flow
from simulation.traffic.paths import Paths
from simulation.traffic.routing import free_times, link_keys

#: Every link that brings a driver nearer may be taken, as in Dial's model: detours lose by their cost.
ELONGATION = np.inf


def logit_paths(
    network: Network,
    trips: NodeTrips,
    *,
    theta_per_s: float,
    cost_s: np.ndarray | None = None,
    elongation: float = ELONGATION,
    seed: int = 0,
) -> Paths:
    """A path for each trip, drawn by logit.

    Parameters
    ----------
    network : Network
    trips : NodeTrips
        The position of a trip names its lot: the same trip draws the same lot whatever the costs.
    theta_per_s : float
        Scale, 1/s; above 0.
    cost_s : ndarray, shape (n_links,) or (classes, n_links), optional
        Generalised cost of each link, s: time plus charges (`simulation.traffic.costs`), for all or by vehicle class.
        Default free flow.
    elongation : float
        Largest detour of a link, as a share of the reference time that it gains; 0 allows only shortest ways.
    seed : int

    Raises
    ------
    RunError
        If an option is impossible or no way leads from some origin to its destination.
    """
    reference, cost = _costs(network, cost_s, theta_per_s, elongation)
    classes = np.zeros(len(trips), np.int64) if trips.vehicle_class is None else trips.vehicle_class
    row = classes if cost.shape[0] > 1 else np.zeros(len(trips), np.int64)
    if row.size and int(row.max()) >= cost.shape[0]:
        raise RunError(f"cost_s has {cost.shape[0]} rows; trips name vehicle class {int(row.max())}")
    order = np.lexsort((trips.dest, row))
    dest, rows = trips.dest[order], row[order]
    new = np.ones(len(trips), dtype=bool)
    new[1:] = (dest[1:] != dest[:-1]) | (rows[1:] != rows[:-1])
    group_start = np.append(np.flatnonzero(new), len(trips)).astype(np.int64)
    start = np.empty(len(trips) + 1, dtype=np.int64)
    name = bits(seed, 0, order.astype(np.uint64), Purpose.PATH_STEP)
    salt = bits(seed, 1, 0, Purpose.PATH_STEP)[0]
    links: np.ndarray = draw_paths(
        group_start, np.ascontiguousarray(trips.orig[order]), dest, rows, name, _graph(network), salt, reference, cost,
        float(theta_per_s), float(elongation), start,
    )  # fmt: skip
    back = np.empty(len(trips), dtype=np.int64)
    back[order] = np.arange(len(trips))
    paths = Paths(links=links, start=start).take(back)
    check_ways(trips, np.diff(paths.start) > 0)
    return paths


def logit_flows(
    network: Network,
    flow_veh: np.ndarray,
    *,
    theta_per_s: float,
    cost_s: np.ndarray | None = None,
    elongation: float = ELONGATION,
) -> np.ndarray:
    """Expected vehicles on each link if all choose by logit. Shape (n_links,).

    Parameters
    ----------
    flow_veh : ndarray, shape (n_nodes, n_nodes)
        Vehicles from node to node.
    theta_per_s, cost_s, elongation
        As in `logit_paths`, with `cost_s` of shape (n_links,).

    Raises
    ------
    RunError
        If an option is impossible or some vehicles find no way.
    """
    reference, cost = _costs(network, cost_s, theta_per_s, elongation)
    flow = np.array(flow_veh, dtype=float)
    if flow.shape != (network.n_nodes,) * 2 or not np.isfinite(flow).all() or (flow < 0).any():
        raise RunError(f"flow_veh must be finite, at least 0 and of shape {(network.n_nodes,) * 2}; found {flow.shape}")
    np.fill_diagonal(flow, 0.0)
    out = np.zeros(network.from_node.size)
    lost = spread_flow(
        flow, _graph(network), reference, cost[0], float(theta_per_s), float(elongation),
        out,
    )  # fmt: skip
    if lost > 0:
        raise RunError(f"{lost:g} vehicles find no way to their destination: leave them out, or add links or turns")
    return out


def _costs(
    network: Network, cost_s: np.ndarray | None, theta_per_s: float, elongation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Reference and cost, checked."""
    reference = np.maximum(free_times(network.arrays), 1e-6)
    cost = np.ascontiguousarray(np.atleast_2d(reference if cost_s is None else cost_s), dtype=float)
    faults = []
    if not (np.isfinite(theta_per_s) and theta_per_s > 0):
        faults.append(f"theta_per_s={theta_per_s!r} must be above 0, e.g. 0.01")
    if not elongation >= 0:
        faults.append(f"elongation={elongation!r} must be at least 0")
    if cost.shape[1] != reference.size or not np.isfinite(cost).all() or (cost < 0).any():
        faults.append(
            f"cost_s must be finite, at least 0 s and one a link ({reference.size}); found shape {cost.shape}"
        )
    if faults:
        raise RunError("no logit choice: " + "; ".join(faults))
    return reference, cost


def _graph(network: Network) -> Graph:
    """Sets of origins and destinations by node, turns into and out of each link; choices in the order of their keys."""
    key, turns, n = link_keys(network.arrays), network.turns, network.from_node.size
    nodes = np.arange(network.n_nodes + 1)
    leaving = np.lexsort((key, network.from_node))
    ending = np.argsort(network.to_node, kind="stable")
    after = np.repeat(np.arange(n), np.diff(turns.in_start))
    by_link = np.lexsort((key[after], turns.in_link))
    return Graph(
        np.searchsorted(network.from_node[leaving], nodes).astype(np.int64), leaving.astype(np.int64),
        np.searchsorted(network.to_node[ending], nodes).astype(np.int64), ending.astype(np.int64),
        turns.in_start.astype(np.int64), turns.in_link.astype(np.int32), turns.in_penalty,
        np.searchsorted(turns.in_link[by_link], np.arange(n + 1)).astype(np.int64), after[by_link].astype(np.int64),
        np.ascontiguousarray(turns.in_penalty[by_link]), key,
    )  # fmt: skip
