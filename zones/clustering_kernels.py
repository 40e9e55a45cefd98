"""Grouping the nodes of a contiguity graph (Numba). Arrays in, arrays out; callers check ranges.

The cost of a grouping is `sum of squares` (features around their group's mean, weighted) + `border` x the length of
borders between groups + `balance` x the sum of squared group weights. Places count as features.
"""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit

FIRST = 1e6  # far above any cost, which is measured in variances of the whole network


@njit(cache=True)
def merge(
    weight: np.ndarray,  # (U,) > 0
    feature: np.ndarray,  # (U, F) weighted squares add up to the cost
    start: np.ndarray,  # (U + 1,) where each node's neighbours begin
    other: np.ndarray,  # (2 E,) neighbours
    length: np.ndarray,  # (2 E,) border with each
    through: np.ndarray,  # (2 E,) bool: a group may be held together across this border
    border: float,  # cost of a metre of border between groups
    balance: float,  # cost of a squared unit of group weight
    lightest: float,  # a group below this weight is merged before all others
    count: int,  # groups wanted
) -> np.ndarray:  # (U,) group of each node, named by its lowest node
    """Merge the two touching groups whose union costs least, until `count` are left (Ward 1963)."""
    n, n_features = feature.shape
    into = np.arange(n)
    mass = weight.copy()
    mean = feature.copy()
    stamp = np.zeros(n, np.int64)  # raised whenever a group changes
    head, tail = np.arange(n), np.arange(n)  # nodes of a group as a chain
    after = np.full(n, -1)
    shared = np.zeros(n)  # border with the group in hand
    passes = np.zeros(n, np.bool_)  # whether any of it lets through
    seen = np.zeros(n, np.int64)
    heap = [(0.0, 0, 0, 0, 0)]
    heap.pop()
    for a in range(n):
        for k in range(start[a], start[a + 1]):
            b = other[k]
            if a < b and through[k]:
                cost = _union_cost(mass, mean, a, b, n_features, balance, lightest) - border * length[k]
                heapq.heappush(heap, (cost, a, b, 0, 0))
    left = n
    mark = 0
    while left > count and len(heap) > 0:
        _, a, b, stamp_a, stamp_b = heapq.heappop(heap)
        if into[a] != a or into[b] != b or stamp[a] != stamp_a or stamp[b] != stamp_b:
            continue
        total = mass[a] + mass[b]
        for f in range(n_features):
            mean[a, f] = (mass[a] * mean[a, f] + mass[b] * mean[b, f]) / total
        mass[a] = total
        into[b] = a
        stamp[a] += 1
        after[tail[a]] = head[b]
        tail[a] = tail[b]
        left -= 1
        mark += 1
        found = [0]
        found.pop()
        node = head[a]
        while node >= 0:
            for k in range(start[node], start[node + 1]):
                c = _root(into, other[k])
                if c != a:
                    if seen[c] != mark:
                        seen[c] = mark
                        shared[c] = 0.0
                        passes[c] = False
                        found.append(c)
                    shared[c] += length[k]
                    passes[c] |= through[k]
            node = after[node]
        for c in found:
            if not passes[c]:
                continue
            low, high = min(a, c), max(a, c)
            cost = _union_cost(mass, mean, low, high, n_features, balance, lightest) - border * shared[c]
            heapq.heappush(heap, (cost, low, high, stamp[low], stamp[high]))
    group = np.empty(n, np.int64)
    for node in range(n):
        group[node] = _root(into, node)
    return group


@njit(cache=True)
def _root(into: np.ndarray, node: int) -> int:
    while into[node] != node:
        into[node] = into[into[node]]
        node = into[node]
    return node


@njit(cache=True)
def _union_cost(
    mass: np.ndarray, mean: np.ndarray, a: int, b: int, n_features: int, balance: float, lightest: float
) -> float:
    """What the union of two groups adds to the sum of squares and to the balance; a light group's comes first."""
    square = 0.0
    for f in range(n_features):
        square += (mean[a, f] - mean[b, f]) ** 2
    cost = mass[a] * mass[b] * (square / (mass[a] + mass[b]) + 2.0 * balance)
    return cost - FIRST if min(mass[a], mass[b]) < lightest else cost


@njit(cache=True)
def refine(
    group: np.ndarray,  # (U,) 0 .. K-1; changed in place
    weight: np.ndarray,  # (U,)
    feature: np.ndarray,  # (U, F)
    start: np.ndarray,  # (U + 1,)
    other: np.ndarray,  # (2 E,)
    length: np.ndarray,  # (2 E,)
    through: np.ndarray,  # (2 E,) bool
    border: float,
    balance: float,
    lightest: float,  # no group may become lighter
    order: np.ndarray,  # (sweeps, U) in which nodes are looked at
    luck: np.ndarray,  # (sweeps, U) exponential variates, mean 1
    heat: np.ndarray,  # (sweeps,) temperature, in units of the cost
) -> np.ndarray:  # (sweeps,) nodes that were moved
    """Move nodes to the group across their border where that costs less, or a little more while it is warm.

    A node that holds its group together stays. Metropolis et al. (1953, doi:10.1063/1.1699114): a move that costs `c`
    is made if `c` is below `heat` times an exponential variate.
    """
    n, n_features = feature.shape
    n_groups = group.max() + 1
    mass, total = np.zeros(n_groups), np.zeros((n_groups, n_features))
    for node in range(n):
        mass[group[node]] += weight[node]
        for f in range(n_features):
            total[group[node], f] += weight[node] * feature[node, f]
    touch = np.zeros(n_groups)  # border of the node in hand with each group
    listed = np.zeros(n_groups, np.bool_)
    seen = np.zeros(n, np.int64)
    stack = np.empty(n, np.int64)
    mark = 0
    moved = np.zeros(len(heat), np.int64)
    around = np.empty(64, np.int64)
    for sweep in range(len(heat)):
        for turn in range(n):
            node = order[sweep, turn]
            mine = group[node]
            count = 0
            for k in range(start[node], start[node + 1]):
                theirs = group[other[k]]
                if theirs != mine and through[k] and not listed[theirs] and count < len(around):
                    listed[theirs] = True
                    around[count] = theirs
                    count += 1
                touch[theirs] += length[k]
            best, best_cost = -1, heat[sweep] * luck[sweep, turn]
            w = weight[node]
            if count > 0 and mass[mine] - w >= lightest:
                rest = mass[mine] - w
                leave = 0.0
                for f in range(n_features):
                    leave += (feature[node, f] - total[mine, f] / mass[mine]) ** 2
                leave *= w * mass[mine] / rest  # what the node's leaving saves
                for k in range(count):
                    theirs = around[k]
                    enter = 0.0
                    for f in range(n_features):
                        enter += (feature[node, f] - total[theirs, f] / mass[theirs]) ** 2
                    enter *= w * mass[theirs] / (mass[theirs] + w)
                    cost = enter - leave + border * (touch[mine] - touch[theirs])
                    cost += balance * 2.0 * w * (mass[theirs] - rest)
                    if cost < best_cost:
                        best, best_cost = theirs, cost
            for k in range(start[node], start[node + 1]):
                touch[group[other[k]]] = 0.0
                listed[group[other[k]]] = False
            if best < 0:
                continue
            mark += 2
            if _holds_together(node, mine, group, start, other, through, seen, stack, mark):
                continue
            group[node] = best
            mass[mine] -= w
            mass[best] += w
            for f in range(n_features):
                total[mine, f] -= w * feature[node, f]
                total[best, f] += w * feature[node, f]
            moved[sweep] += 1
    return moved


@njit(cache=True)
def _holds_together(
    node: int,
    mine: int,
    group: np.ndarray,
    start: np.ndarray,
    other: np.ndarray,
    through: np.ndarray,
    seen: np.ndarray,
    stack: np.ndarray,
    mark: int,
) -> bool:
    """Whether the node's group would fall apart, or be empty, without it."""
    want, first = 0, -1
    for k in range(start[node], start[node + 1]):
        near = other[k]
        if through[k] and group[near] == mine and seen[near] != mark:
            seen[near] = mark
            want += 1
            first = near
    if want == 0:
        return True
    if want == 1:
        return False
    reached, top = 1, 1
    stack[0] = first
    seen[first] = mark + 1
    seen[node] = mark + 1
    while top > 0:
        top -= 1
        here = stack[top]
        for k in range(start[here], start[here + 1]):
            near = other[k]
            if through[k] and group[near] == mine and seen[near] != mark + 1:
                if seen[near] == mark:
                    reached += 1
                    if reached == want:
                        return False
                seen[near] = mark + 1
                stack[top] = near
                top += 1
    return True
