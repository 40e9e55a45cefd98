"""What a loading refuses: trips that do not fit the network, pairs without a way, torn paths, options out of range."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from simulation.errors import RunError
from simulation.link_state import N_CLASSES
from simulation.traffic.paths import Paths

if TYPE_CHECKING:
    from simulation.traffic.loading import Network, NodeTrips

#: Which values the options of `simulate` may have, and how that is said.
_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "until_s": (lambda s: s >= 0, "at least 0, or None to go on until everybody has arrived"),
    "reroute_every_s": (lambda s: s > 0, "above 0, or None for never"),
    "perceptions": (lambda k: k >= 1, "at least 1"),
    "perception_sd": (lambda sd: 0 <= sd < np.inf, "at least 0"),
    "newest": (lambda share: 0 < share <= 1, "above 0 and at most 1"),
    "informed_share": (lambda share: 0 <= share <= 1, "between 0 and 1"),
    "switch_s": (lambda s: 0 <= s < np.inf, "at least 0"),
}


def check_loading(network: Network, trips: NodeTrips, **options: float | None) -> None:
    """Refuse trips that do not fit the network, and options out of range.

    Raises
    ------
    RunError
        Naming every fault.
    """
    faults = []
    depart = np.asarray(trips.depart_s)
    if not np.isfinite(depart).all():
        faults.append(f"departures must be finite; trip {np.flatnonzero(~np.isfinite(depart))[0]} has none")
    elif depart.size:
        if depart.min() < 0:
            k = int(np.argmin(depart))
            faults.append(f"trips must depart at 0 s or later; trip {k} departs at {depart[k]:g} s")
        if (np.diff(depart) < 0).any():
            faults.append("trips must be in order of departure; sort them by depart_s")
    for name, nodes, at in (("orig", trips.orig, network.from_node), ("dest", trips.dest, network.to_node)):
        if nodes.shape != depart.shape:
            faults.append(f"{name} must have one node a trip: shape {depart.shape}; found {nodes.shape}")
        elif nodes.size and (nodes.min() < 0 or nodes.max() >= network.n_nodes):
            faults.append(f"{name} runs from node 0 to {network.n_nodes - 1}; found {nodes.min()} to {nodes.max()}")
        elif (bare := np.setdiff1d(nodes, at)).size:
            way = "leaves" if name == "orig" else "leads to"
            faults.append(f"no link {way} node(s) {_few(bare)}, named by {name}; add links, or leave the trips out")
    klass = trips.vehicle_class
    if klass is not None and not (
        klass.shape == depart.shape and klass.min(initial=0) >= 0 and klass.max(initial=0) < N_CLASSES
    ):
        faults.append(f"vehicle_class must hold one of 0..{N_CLASSES - 1} for each trip")
    if trips.orig.shape == trips.dest.shape and (same := int((trips.orig == trips.dest).sum())):
        faults.append(f"{same} trips end where they begin; leave them out")
    for name, value in options.items():
        allowed, words = _ALLOWED[name]
        if not (value is None and name in ("until_s", "reroute_every_s")) and not allowed(value):
            faults.append(f"{name}={value!r} must be {words}")
    if faults:
        raise RunError("the trips cannot be loaded: " + "; ".join(faults))


def check_ways(trips: NodeTrips, found: np.ndarray) -> None:
    """Refuse trips without a way; `found` is bool, one a trip.

    Raises
    ------
    RunError
        Naming the pairs of nodes.
    """
    lost = np.flatnonzero(~found)
    if not lost.size:
        return
    pairs, count = np.unique(np.stack([trips.orig[lost], trips.dest[lost]], axis=1), axis=0, return_counts=True)
    told = ", ".join(
        f"from node {a} to node {b} ({k} trips)"
        for (a, b), k in zip(pairs[:5].tolist(), count[:5].tolist(), strict=True)
    )
    more = f" and {len(pairs) - 5} other pairs" if len(pairs) > 5 else ""
    raise RunError(
        f"no way leads {told}{more}; {lost.size} trips in all, the first is trip {lost[0]}: leave these trips"
        " out, or add the missing links or turns"
    )


def _few(values: np.ndarray) -> str:
    return ", ".join(map(str, values[:5].tolist())) + (f" and {values.size - 5} more" if values.size > 5 else "")


def check_paths(network: Network, trips: NodeTrips, paths: Paths) -> None:
    """Refuse paths that are torn or do not lead from a trip's origin to its destination.

    Raises
    ------
    RunError
        Naming the first of each fault.
    """
    size = np.diff(paths.start)
    if len(paths) != len(trips) or (size <= 0).any():
        raise RunError(f"every trip needs a path of at least one link; {len(paths)} paths for {len(trips)} trips")
    links = paths.links.astype(np.int64)
    if links.size and (links.min() < 0 or links.max() >= network.from_node.size):
        raise RunError(f"paths name links outside 0..{network.from_node.size - 1}")
    inner = np.ones(links.size, dtype=bool)
    inner[paths.start[1:] - 1] = False
    at = np.flatnonzero(inner)
    torn = at[network.to_node[links[at]] != network.from_node[links[at + 1]]]
    first, last = links[paths.start[:-1]], links[paths.start[1:] - 1]
    astray = np.flatnonzero((network.from_node[first] != trips.orig) | (network.to_node[last] != trips.dest))
    faults = []
    if torn.size:
        k = int(np.searchsorted(paths.start, torn[0], side="right")) - 1
        faults.append(f"the path of trip {k} is torn: link {links[torn[0] + 1]} does not follow {links[torn[0]]}")
    if astray.size:
        faults.append(
            f"the path of trip {astray[0]} does not lead from its origin to its destination ({astray.size} such)"
        )
    if faults:
        raise RunError("; ".join(faults))
