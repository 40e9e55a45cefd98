"""Signals that know of each other: a common cycle, and offsets that let platoons meet green.

Between each pair of neighbouring intersections the mean queue is a function of the difference of their offsets alone
(`platoons.queue_by_offset`): the delay-offset functions of the combination method (Hillier 1965, Traffic Engineering &
Control 7, 569-571). Their sum is what the offsets minimise. A tree of pairs, as along any street, has no circle, so
every pair gets its own best difference: the optimum is exact there. In a network the tree of the pairs that matter
most (maximum spanning tree by the range of their delay) is the start, and hill climbing over all pairs, one
intersection after the other (as TRANSYT does, Robertson 1969), improves it; the delay never rises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from simulation.errors import NetworkError
from simulation.traffic.platoons import departures, downstream, queue_by_offset, shown

_SWEEPS = 60  # of hill climbing, at most; it ends at the first without a gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One approach of an intersection as coordination sees it: its green, counted from the intersection's offset."""

    cycle_s: float
    start_s: float
    green_s: float
    flow: float  # veh/s
    saturation: float  # veh/s


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Vehicles that drive from the lights of one intersection to a light of the next."""

    upstream: int  # intersection, 0..n-1
    downstream: int
    light: Light  # at the downstream stop line, with all its flow
    feeders: tuple[tuple[Light, float, float], ...]  # upstream light, share of the flow from it, travel time s


def best_offsets(
    streams: Sequence[Stream], *, n: int, cycle_s: float, dispersion: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets of least delay of intersections with one cycle.

    Parameters
    ----------
    streams : sequence of Stream
    n : int
        Number of intersections.
    cycle_s : float
        The common cycle, s; each light's own is it or a whole part of it.
    dispersion : float
        Of platoons (`platoons.downstream`).

    Returns
    -------
    offset_s : ndarray, shape (n,)
        s, in steps of about 1 s; the first of each set of joined intersections is 0.
    queue_veh : ndarray, shape (2,)
        Mean queue of all streams, veh, with all offsets 0 and with these.

    Raises
    ------
    NetworkError
        If a stream names an intersection that is not there or the cycle is not above 0.
    """
    _check(streams, n, cycle_s)
    bins = max(round(cycle_s), 1)
    pairs, cost = _pair_costs(streams, cycle_s, bins, dispersion)
    if not len(pairs):
        return np.zeros(n), np.zeros(2)
    zero = np.zeros(n, dtype=np.int64)
    best = _climb(_along_tree(pairs, cost, n, bins), pairs, cost, bins)
    together = _total(zero, pairs, cost, bins)
    if together < _total(best, pairs, cost, bins) - 1e-9:
        best = _climb(zero, pairs, cost, bins)
    joined = connected_components(_graph(pairs, n), directed=False)[1]
    first = np.unique(joined, return_index=True)[1]
    best = (best - best[first[joined]]) % bins
    return best * (cycle_s / bins), np.array([together, _total(best, pairs, cost, bins)])


def joined_groups(pairs: np.ndarray, n: int) -> np.ndarray:
    """Number of the set of n intersections that pairs of them, shape (p, 2), join: each intersection's. Shape (n,)."""
    return np.asarray(connected_components(_graph(pairs, n), directed=False)[1])


def bandwidth(offset_s: np.ndarray, green_s: np.ndarray, travel_s: np.ndarray, *, cycle_s: float) -> float:
    """Width of the green band along a street one way, s: how long vehicles may start and meet green at every signal.

    Parameters
    ----------
    offset_s, green_s : ndarray, shape (n,)
        Beginning and length of the street's green at each signal, in driving order, s.
    travel_s : ndarray, shape (n,)
        Time from the first signal to each, s; the first is 0.
    cycle_s : float
        s.

    Returns
    -------
    float
        s; 0 where no vehicle meets green everywhere.

    References
    ----------
    Little (1966), doi:10.1287/opre.14.4.568; the band, not its optimisation.
    """
    begin = (np.asarray(offset_s) - np.asarray(travel_s)) % cycle_s
    green = np.minimum(np.asarray(green_s, dtype=float), cycle_s)
    edges = np.unique(np.concatenate([begin, (begin + green) % cycle_s]))
    widths = np.diff(np.append(edges, edges[0] + cycle_s))
    middle = edges + 0.5 * widths
    free = (((middle[:, None] - begin) % cycle_s) < green).all(axis=1)
    if free.all():
        return float(cycle_s)
    start = int(np.flatnonzero(~free)[0])
    best = width = 0.0
    for k in range(1, edges.size):
        at = (start + k) % edges.size
        width = width + widths[at] if free[at] else 0.0
        best = max(best, width)
    return float(best)


def _check(streams: Sequence[Stream], n: int, cycle_s: float) -> None:
    faults = []
    if not (np.isfinite(cycle_s) and cycle_s > 0):
        faults.append(f"cycle_s={cycle_s!r} must be above 0")
    wrong = [s for s in streams if not (0 <= s.upstream < n and 0 <= s.downstream < n)]
    if wrong:
        faults.append(f"streams name intersections 0 to {n - 1}; found {wrong[0].upstream} -> {wrong[0].downstream}")
    if faults:
        raise NetworkError("signals cannot be coordinated: " + "; ".join(faults))


def _graph(pairs: np.ndarray, n: int) -> coo_array:
    return coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))


def _pair_costs(
    streams: Sequence[Stream], cycle_s: float, bins: int, dispersion: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i < j), and their mean queue by offset of j after offset of i. Shapes (p, 2), (p, bins)."""
    streams = [s for s in streams if s.upstream != s.downstream]
    if not streams:
        return np.zeros((0, 2), dtype=np.int64), np.zeros((0, bins))
    bin_s = cycle_s / bins
    served = _saturation([s.light for s in streams])[:, None] * _shown([s.light for s in streams], cycle_s, bins)
    flow = np.array([s.light.flow for s in streams])
    alone = np.array([1.0 - sum(share for _, share, _ in s.feeders) for s in streams])
    arrivals = np.repeat((flow * alone)[:, None], bins, axis=1)
    ways = [(row, *feeder) for row, s in enumerate(streams) for feeder in s.feeders]
    if ways:
        lights = [light for _, light, _, _ in ways]
        row, share, travel_s = (np.array([way[k] for way in ways]) for k in (0, 2, 3))
        leaving = departures(
            _shown(lights, cycle_s, bins), flow=np.array([light.flow for light in lights]),
            saturation=_saturation(lights), bin_s=bin_s,
        )  # fmt: skip
        mean = leaving.mean(axis=1, keepdims=True)
        shape = np.where(mean > 0, leaving / np.maximum(mean, 1e-12), 1.0)
        come = downstream(shape, travel_s=travel_s, bin_s=bin_s, dispersion=dispersion)
        np.add.at(arrivals, row, come * (flow[row] * share)[:, None])
    late = np.stack([_late(stream, cycle_s, bins) for stream in streams])
    queue = np.maximum(queue_by_offset(np.maximum(arrivals, 0.0), served, bin_s=bin_s), 0.0) + late
    costs: dict[tuple[int, int], np.ndarray] = {}
    back = -np.arange(bins) % bins
    for stream, one in zip(streams, queue):
        i, j = stream.upstream, stream.downstream
        key, turned = ((i, j), one) if i < j else ((j, i), one[back])
        costs[key] = costs.get(key, 0.0) + turned
    keys = sorted(costs)
    return np.array(keys, dtype=np.int64), np.stack([costs[key] for key in keys])


def _shown(lights: Sequence[Light], cycle_s: float, bins: int) -> np.ndarray:
    cycle, start, green = (
        np.array([getattr(light, name) for light in lights]) for name in ("cycle_s", "start_s", "green_s")
    )
    return shown(cycle, start, green, common_cycle_s=cycle_s, bins=bins)


def _saturation(lights: Sequence[Light]) -> np.ndarray:
    return np.array([light.saturation for light in lights])


def _late(stream: Stream, cycle_s: float, bins: int) -> np.ndarray:
    """A millionth of a vehicle for a light that turns green before or after the head of its platoon. Shape (bins,).

    Of offsets that delay nobody it prefers length over speed, the textbook's.
    """
    feeder, _, travel_s = max(stream.feeders, key=lambda f: (f[1] * f[0].flow, -f[2]), default=(None, 0.0, 0.0))
    if feeder is None:
        return np.zeros(bins)
    wish = feeder.start_s + travel_s - stream.light.start_s
    cycle = stream.light.cycle_s
    away = (np.arange(bins) * (cycle_s / bins) - wish + 0.5 * cycle) % cycle - 0.5 * cycle
    return np.asarray(1e-6 * stream.light.flow * np.abs(away) / cycle)


def _along_tree(pairs: np.ndarray, cost: np.ndarray, n: int, bins: int) -> np.ndarray:
    """Offsets with the best difference of every pair of the maximum spanning tree, in bins. Shape (n,)."""
    weight = np.ptp(cost, axis=1)
    dearest = -(weight + 1e-9 * (1.0 + weight.max()))
    tree = minimum_spanning_tree(coo_array((dearest, (pairs[:, 0], pairs[:, 1])), shape=(n, n)).tocsr())
    best = {tuple(pair): int(np.argmin(np.round(row, 12))) for pair, row in zip(pairs.tolist(), cost)}
    offset, seen = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    for root in range(n):
        if seen[root]:
            continue
        order, before = breadth_first_order(tree, root, directed=False)
        seen[order] = True
        for node in order[1:]:
            i = int(before[node])
            ahead = best[(i, int(node))] if i < node else -best[(int(node), i)]
            offset[node] = (offset[i] + ahead) % bins
    return offset


def _climb(offset: np.ndarray, pairs: np.ndarray, cost: np.ndarray, bins: int) -> np.ndarray:
    """Move one intersection after the other to its best offset until none moves."""
    at_now, back = offset.tolist(), -np.arange(bins) % bins
    at: list[list[tuple[int, np.ndarray]]] = [[] for _ in at_now]
    twice, turned = np.tile(cost, 2), np.tile(cost[:, back], 2)  # a window of a row is the row, shifted
    for (i, j), row, other in zip(pairs.tolist(), twice, turned):
        at[j].append((i, row))
        at[i].append((j, other))
    for _ in range(_SWEEPS):
        moved = False
        for node, others in enumerate(at):
            if not others:
                continue
            total = np.zeros(bins)
            for other, row in others:
                total += row[bins - at_now[other] : 2 * bins - at_now[other]]
            best = int(total.round(12).argmin())
            if total[best] < total[at_now[node]] - 1e-12:
                at_now[node], moved = best, True
        if not moved:
            break
    return np.array(at_now, dtype=np.int64)


def _total(offset: np.ndarray, pairs: np.ndarray, cost: np.ndarray, bins: int) -> float:
    return float(cost[np.arange(len(pairs)), (offset[pairs[:, 1]] - offset[pairs[:, 0]]) % bins].sum())
