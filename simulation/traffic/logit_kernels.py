"""Logit choice among the sensible ways to a destination (Numba). Arrays in, arrays out; callers check ranges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from simulation.traffic.routing_kernels import END, NONE, lot, settle
from simulation.traffic.search_heap_kernels import push

_TO_UNIT = 2.0**-53
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # sets the lots of links apart from those of origins


class Graph(NamedTuple):
    """Where trips may begin and end, and how links hang together. Links n, origins O, destinations D, turns t."""

    origin_start: np.ndarray  # (O + 1,) ranges of origin_link
    origin_link: np.ndarray  # ordered by key within an origin
    dest_start: np.ndarray  # (D + 1,) ranges of dest_link
    dest_link: np.ndarray
    in_start: np.ndarray  # (n + 1,) ranges of in_link
    in_link: np.ndarray  # (t,)
    in_penalty: np.ndarray  # (t,) s
    out_start: np.ndarray  # (n + 1,) ranges of out_link
    out_link: np.ndarray  # (t,) ordered by key within a link
    out_penalty: np.ndarray  # (t,) s
    key: np.ndarray  # (n,) uint64 name of each link


@njit(cache=True)
def _sensible(ahead, here, cost, penalty, elongation):
    """Whether a link brings a driver nearer, by reference times, and is not longer than the gain allows."""
    gain = here - ahead
    return gain > 0.0 and cost + penalty <= (1.0 + elongation) * gain + 1e-9


@njit(cache=True)
def _tree(ends, reference, in_start, in_link, in_penalty, key, label, next_link, heap_key, heap_link):
    """Reference time from the end of each link to a destination; fills `label` and `next_link`."""
    label[:] = np.inf
    next_link[:] = NONE
    size = 0
    for end in ends:
        label[end] = 0.0
        next_link[end] = END
        push(heap_key, heap_link, size, reference[end], end)
        size += 1
    settle(heap_key, heap_link, size, reference, in_start, in_link, in_penalty, key, np.uint64(0), label, next_link)


@njit(cache=True)
def _satisfaction(low, high, links, penalty, here, label, reference, cost, value, theta, elongation):
    """Log of the sum of exp(-theta x cost) over all sensible ways by some links; -inf where there is none."""
    most = -np.inf
    for at in range(low, high):
        link = links[at]
        if _sensible(label[link], here, reference[link], penalty[at], elongation):
            most = max(most, value[link] - theta * (cost[link] + penalty[at]))
    if most == -np.inf:
        return most
    total = 0.0
    for at in range(low, high):
        link = links[at]
        if _sensible(label[link], here, reference[link], penalty[at], elongation):
            total += np.exp(value[link] - theta * (cost[link] + penalty[at]) - most)
    return most + np.log(total)


@njit(cache=True)
def _values(next_link, label, out_start, out_link, out_penalty, reference, cost, theta, elongation, value):
    """Satisfaction from the end of each link on, the nearest first: Dial (1971, doi:10.1016/0041-1647(71)90012-8)."""
    order = np.argsort(label)
    for link in order:
        if next_link[link] == END:
            value[link] = 0.0
        elif next_link[link] == NONE:
            value[link] = -np.inf
        else:
            value[link] = _satisfaction(
                out_start[link], out_start[link + 1], out_link, out_penalty, label[link], label, reference, cost,
                value, theta, elongation,
            )  # fmt: skip
    return order


@njit(cache=True)
def draw_paths(
    group_start,  # (g + 1,) trips of one destination and one row of cost, as ranges of the trips
    origin,  # (k,) of each trip
    dest,  # (k,) of each trip
    row,  # (k,) of cost
    trip_key,  # (k,) uint64 name of each trip
    graph,
    salt,  # uint64
    reference,  # (n,) s by which ways are called sensible
    cost,  # (rows, n) s by which drivers choose
    theta,  # 1/s
    elongation,
    path_start,  # (k + 1,) out
):
    """A way for each trip, drawn link by link; returns the links of all, empty where no way leads.

    The lot of a trip at a link hangs on their names alone, so that other costs elsewhere change nothing there.
    """
    origin_start, origin_link = graph.origin_start, graph.origin_link
    dest_start, dest_link = graph.dest_start, graph.dest_link
    in_start, in_link, in_penalty = graph.in_start, graph.in_link, graph.in_penalty
    out_start, out_link, out_penalty, key = graph.out_start, graph.out_link, graph.out_penalty, graph.key
    n = reference.size
    label = np.empty(n)
    next_link = np.empty(n, dtype=np.int32)
    value = np.empty(n)
    heap_key = np.empty(2 * in_link.size + n + dest_link.size + 1)
    heap_link = np.empty(heap_key.size, dtype=np.int32)
    none = np.zeros(origin_link.size)
    links = np.empty(max(16, 16 * dest.size), dtype=np.int32)
    used = 0
    path_start[0] = 0
    for g in range(group_start.size - 1):
        first = group_start[g]
        ends = dest_link[dest_start[dest[first]] : dest_start[dest[first] + 1]]
        costs = cost[row[first]]
        _tree(ends, reference, in_start, in_link, in_penalty, key, label, next_link, heap_key, heap_link)
        _values(next_link, label, out_start, out_link, out_penalty, reference, costs, theta, elongation, value)
        for trip in range(first, group_start[g + 1]):
            low = origin_start[origin[trip]]
            high = origin_start[origin[trip] + 1]
            here = np.inf
            for at in range(low, high):
                here = min(here, label[origin_link[at]] + reference[origin_link[at]])
            at_link = NONE
            while here < np.inf:
                choices = origin_link if at_link == NONE else out_link
                penalty = none if at_link == NONE else out_penalty
                name = _GOLDEN if at_link == NONE else key[at_link] + _GOLDEN + _GOLDEN
                all_ways = _satisfaction(
                    low, high, choices, penalty, here, label, reference, costs, value, theta, elongation
                )
                left = np.float64(lot(trip_key[trip] ^ lot(name, salt), salt) >> np.uint64(11)) * _TO_UNIT
                chosen = NONE
                for at in range(low, high):
                    link = choices[at]
                    if value[link] == -np.inf or not _sensible(
                        label[link], here, reference[link], penalty[at], elongation
                    ):
                        continue
                    chosen = link
                    left -= np.exp(value[link] - theta * (costs[link] + penalty[at]) - all_ways)
                    if left < 0.0:
                        break
                if used == links.size:
                    more = np.empty(2 * used, dtype=np.int32)
                    more[:used] = links
                    links = more
                links[used] = chosen
                used += 1
                if next_link[chosen] == END:
                    break
                at_link = chosen
                here = label[chosen]
                low = out_start[chosen]
                high = out_start[chosen + 1]
            path_start[trip + 1] = used
    return links[:used].copy()


@njit(cache=True)
def spread_flow(
    flow,  # (O, D) vehicles
    graph,
    reference,  # (n,) s
    cost,  # (n,) s
    theta,
    elongation,
    out,  # (n,) out: expected vehicles on each link, added to
):
    """Expected flow on each link: every way gets its logit share. Returns vehicles that found no way."""
    origin_start, origin_link = graph.origin_start, graph.origin_link
    dest_start, dest_link = graph.dest_start, graph.dest_link
    in_start, in_link, in_penalty = graph.in_start, graph.in_link, graph.in_penalty
    out_start, out_link, out_penalty, key = graph.out_start, graph.out_link, graph.out_penalty, graph.key
    n = reference.size
    label = np.empty(n)
    next_link = np.empty(n, dtype=np.int32)
    value = np.empty(n)
    passing = np.empty(n)
    heap_key = np.empty(2 * in_link.size + n + dest_link.size + 1)
    heap_link = np.empty(heap_key.size, dtype=np.int32)
    none = np.zeros(origin_link.size)
    lost = 0.0
    for dest in range(flow.shape[1]):
        ends = dest_link[dest_start[dest] : dest_start[dest + 1]]
        _tree(ends, reference, in_start, in_link, in_penalty, key, label, next_link, heap_key, heap_link)
        order = _values(next_link, label, out_start, out_link, out_penalty, reference, cost, theta, elongation, value)
        passing[:] = 0.0
        for origin in range(flow.shape[0]):
            if flow[origin, dest] <= 0.0:
                continue
            here = np.inf
            for at in range(origin_start[origin], origin_start[origin + 1]):
                here = min(here, label[origin_link[at]] + reference[origin_link[at]])
            if here == np.inf:
                lost += flow[origin, dest]
                continue
            all_ways = _satisfaction(
                origin_start[origin], origin_start[origin + 1], origin_link, none, here, label, reference, cost,
                value, theta, elongation,
            )  # fmt: skip
            for at in range(origin_start[origin], origin_start[origin + 1]):
                link = origin_link[at]
                if _sensible(label[link], here, reference[link], 0.0, elongation):
                    passing[link] += flow[origin, dest] * np.exp(value[link] - theta * cost[link] - all_ways)
        for place in range(n - 1, -1, -1):
            link = order[place]
            if passing[link] == 0.0:
                continue
            out[link] += passing[link]
            if next_link[link] == END:
                continue
            for at in range(out_start[link], out_start[link + 1]):
                ahead = out_link[at]
                if _sensible(label[ahead], label[link], reference[ahead], out_penalty[at], elongation):
                    passing[ahead] += passing[link] * np.exp(
                        value[ahead] - theta * (cost[ahead] + out_penalty[at]) - value[link]
                    )
    return lost
