"""Path-based traffic assignment: shortest trees, path sets and the exchange of flow between paths (Numba).

Arrays in, arrays out; ranges are checked by the caller. Arcs lie in order of their start node, so that the arcs out
of node v are `out_start[v] .. out_start[v + 1] - 1`. OD pairs lie in order of their group (a user class and an origin).
Paths of OD pair w are `path_of[w] .. path_of[w + 1] - 1`; arcs of path p are `path_arc[path_start[p] ..]`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

NONE = -1
#: Two costs that differ by less than this share are one, summed in another order.
SAME = 1e-14


@njit(cache=True)
def _power(ratio, power):
    """ratio ** power, fast for the fourth and first powers."""
    if power == 4.0:
        square = ratio * ratio
        return square * square
    if power == 1.0:
        return ratio
    if power == 0.0:
        return 1.0
    return ratio**power


@njit(cache=True)
def shortest_tree(
    start,  # node to start from
    out_start,  # (n_nodes + 1,)
    head,  # (n_arcs,) node at the end of each arc
    cost,  # (n_arcs,) at least 0; inf where the arc may not be used
    through,  # (n_nodes,) bool: routes may pass through the node
    wanted,  # number of nodes with `mark == stamp` that need a label
    mark,  # (n_nodes,)
    stamp,
    label,  # (n_nodes,) out: cost from `start`, inf where there is no way (or where nobody wants to go)
    before,  # (n_nodes,) out: arc by which the node is reached, NONE at `start` and where there is no way
    heap,  # (n_nodes,) room
    place,  # (n_nodes,) room
):
    """Dijkstra (1959, doi:10.1007/BF01386390) with a heap of four branches, until all wanted nodes are settled."""
    for v in range(label.size):
        label[v] = np.inf
        before[v] = NONE
        place[v] = NONE
    label[start] = 0.0
    heap[0] = start
    place[start] = 0
    size = 1
    while size > 0:
        node = heap[0]
        size -= 1
        if size > 0:  # the last one sinks from the top
            last = heap[size]
            key = label[last]
            i = 0
            while True:
                child = 4 * i + 1
                if child >= size:
                    break
                best = child
                for other in range(child + 1, min(child + 4, size)):
                    if label[heap[other]] < label[heap[best]]:
                        best = other
                if label[heap[best]] >= key:
                    break
                heap[i] = heap[best]
                place[heap[i]] = i
                i = best
            heap[i] = last
            place[last] = i
        place[node] = -2
        if mark[node] == stamp:
            wanted -= 1
            if wanted == 0:
                break
        if not through[node] and node != start:
            continue
        reach = label[node]
        for arc in range(out_start[node], out_start[node + 1]):
            after = head[arc]
            value = reach + cost[arc]
            if value < label[after]:
                label[after] = value
                before[after] = arc
                i = place[after]
                if i < 0:
                    if i == -2:
                        continue  # settled already: only rounding can lead here
                    i = size
                    size += 1
                while i > 0:
                    parent = (i - 1) >> 2
                    if label[heap[parent]] <= value:
                        break
                    heap[i] = heap[parent]
                    place[heap[i]] = i
                    i = parent
                heap[i] = after
                place[after] = i


@njit(cache=True)
def search(
    out_start,  # (n_nodes + 1,)
    tail,  # (n_arcs,)
    head,  # (n_arcs,)
    through,  # (n_nodes,) bool
    fixed,  # (n_classes, n_arcs) fixed cost in units of time; inf where the class may not go
    group_class,  # (n_groups,)
    group_node,  # (n_groups,) start node
    group_od,  # (n_groups + 1,) OD pairs of each group
    od_node,  # (n_od,) end node
    demand,  # (n_od,) flow
    path_of,  # (n_od + 1,)
    path_start,  # (n_paths + 1,)
    path_arc,  # int32
    path_flow,  # (n_paths,)
    free,  # (n_arcs,) this and the next three: the travel time function
    growth,  # (n_arcs,) free time x alpha
    per_capacity,  # (n_arcs,) 1 / capacity
    power,  # (n_arcs,)
    flow,  # (n_arcs,) of all classes over the given paths; changed if `passes` > 0
    time,  # (n_arcs,) at `flow`, likewise
    slope,  # (n_arcs,) derivative of the time, likewise
    mark,  # (n_arcs,) int64 room
    stamp,  # number above all in `mark`
    passes,  # how often each group's flow is settled at once; with 0 all groups see the same costs
    tolerance,  # as in `exchange`
):
    """Drop unused paths and add each OD pair's cheapest where it is new, group after group.

    OD pairs without a path are loaded on theirs. Returns the new `path_of, path_start, path_arc, path_flow`; the cost
    if each group, when its turn came, had been on its cheapest paths, and the cost as it was; the last stamp.
    """
    n_nodes, n_od = through.size, demand.size
    label = np.empty(n_nodes)
    before = np.empty(n_nodes, dtype=np.int64)
    heap = np.empty(n_nodes, dtype=np.int64)
    place = np.empty(n_nodes, dtype=np.int64)
    wish = np.empty(n_nodes, dtype=np.int64)
    wish[:] = NONE
    cost = np.empty(time.size)
    new_of = np.empty(n_od + 1, dtype=np.int64)
    new_start = np.empty(path_flow.size + n_od + 1, dtype=np.int64)
    new_start[0] = 0
    new_flow = np.empty(path_flow.size + n_od)
    new_arc = np.empty(path_arc.size + max(path_arc.size >> 2, 16 * n_od), dtype=np.int32)
    n_paths, n_used = 0, 0
    shortest, total = 0.0, 0.0
    for group in range(group_node.size):
        first_od, end_od = group_od[group], group_od[group + 1]
        extra = fixed[group_class[group]]
        for arc in range(time.size):
            cost[arc] = time[arc] + extra[arc]
        wanted = np.int64(0)
        for w in range(first_od, end_od):
            if wish[od_node[w]] != group:
                wish[od_node[w]] = group
                wanted += 1
        shortest_tree(
            group_node[group], out_start, head, cost, through, wanted, wish, group, label, before, heap, place
        )
        for w in range(first_od, end_od):
            best = label[od_node[w]]
            shortest += demand[w] * best
            least = np.inf
            new_of[w] = n_paths
            for p in range(path_of[w], path_of[w + 1]):
                if path_flow[p] <= 0.0:
                    continue
                size = path_start[p + 1] - path_start[p]
                if n_used + size > new_arc.size:
                    new_arc = _longer(new_arc, size)
                own = 0.0
                for k in range(path_start[p], path_start[p + 1]):
                    new_arc[n_used] = path_arc[k]
                    n_used += 1
                    own += cost[path_arc[k]]
                total += path_flow[p] * own
                least = min(least, own)
                new_flow[n_paths] = path_flow[p]
                n_paths += 1
                new_start[n_paths] = n_used
            if best < least - SAME * best and best < np.inf:
                node = od_node[w]
                size = 0
                while before[node] != NONE:
                    size += 1
                    node = tail[before[node]]
                if n_used + size > new_arc.size:
                    new_arc = _longer(new_arc, size)
                first = n_used
                n_used += size
                node = od_node[w]
                for k in range(n_used - 1, first - 1, -1):
                    new_arc[k] = before[node]
                    node = tail[before[node]]
                new_flow[n_paths] = 0.0
                if least == np.inf:
                    new_flow[n_paths] = demand[w]
                    total += demand[w] * best
                    for k in range(first, n_used):
                        _shift(new_arc[k], demand[w], free, growth, per_capacity, power, flow, time, slope)
                n_paths += 1
                new_start[n_paths] = n_used
        new_of[end_od] = n_paths
        if passes > 0:
            _, stamp = exchange(
                group, group + 1, group_class, group_od, new_of, new_start, new_arc, new_flow, fixed, free, growth,
                per_capacity, power, flow, time, slope, mark, stamp, tolerance, passes, 0.0,
            )  # fmt: skip
    new_of[n_od] = n_paths
    return (
        new_of, new_start[: n_paths + 1], new_arc[:n_used], new_flow[:n_paths], shortest, total, stamp
    )  # fmt: skip


@njit(cache=True)
def class_flows(
    n_classes,
    n_arcs,
    group_class,  # (n_groups,)
    group_od,  # (n_groups + 1,)
    path_of,  # (n_od + 1,)
    path_start,  # (n_paths + 1,)
    path_arc,
    path_flow,  # (n_paths,)
):  # (n_classes, n_arcs)
    """Flow of each class on each arc: the sum over the paths."""
    flow = np.zeros((n_classes, n_arcs))
    for group in range(group_class.size):
        for p in range(path_of[group_od[group]], path_of[group_od[group + 1]]):
            for k in range(path_start[p], path_start[p + 1]):
                flow[group_class[group], path_arc[k]] += path_flow[p]
    return flow


@njit(cache=True)
def exchange(
    first_group,  # groups to settle: from this one
    end_group,  # up to the one before this
    group_class,  # (n_groups,)
    group_od,  # (n_groups + 1,)
    path_of,  # (n_od + 1,)
    path_start,  # (n_paths + 1,)
    path_arc,
    path_flow,  # (n_paths,) changed
    fixed,  # (n_classes, n_arcs)
    free,  # (n_arcs,)
    growth,  # (n_arcs,)
    per_capacity,  # (n_arcs,)
    power,  # (n_arcs,)
    flow,  # (n_arcs,) flow of all classes; changed
    time,  # (n_arcs,) changed with the flow
    slope,  # (n_arcs,) changed with the flow
    mark,  # (n_arcs,) int64 room
    stamp,  # number above all in `mark`
    tolerance,  # OD pairs whose used paths differ by no more than this share of their cost are left alone
    max_passes,
    enough,  # stop when a pass finds no more than this excess cost
):
    """Settle OD pairs, pass after pass: move flow between each path and the cheapest until both cost the same.

    The step is Newton's on the difference of the two costs, over the arcs that the paths do not share (Jayakrishnan et
    al. 1994), shortened where it would overshoot, so that the Beckmann objective never rises. Times follow at once
    (Gauss-Seidel). Returns the number of passes and the last stamp.
    """
    most = 1
    for w in range(group_od[first_group], group_od[end_group]):
        most = max(most, path_of[w + 1] - path_of[w])
    path_cost = np.empty(most)
    for done in range(max_passes):
        excess = 0.0
        for group in range(first_group, end_group):
            extra = fixed[group_class[group]]
            for w in range(group_od[group], group_od[group + 1]):
                first, end = path_of[w], path_of[w + 1]
                if end - first < 2:
                    continue
                best, least, worst = first, np.inf, 0.0
                for p in range(first, end):
                    own = 0.0
                    for k in range(path_start[p], path_start[p + 1]):
                        own += time[path_arc[k]] + extra[path_arc[k]]
                    path_cost[p - first] = own
                    if own < least:
                        least, best = own, p
                for p in range(first, end):
                    if path_flow[p] > 0.0:
                        excess += path_flow[p] * (path_cost[p - first] - least)
                        worst = max(worst, path_cost[p - first])
                if worst - least <= tolerance * least:
                    continue
                for p in range(first, end):
                    if p == best or (path_flow[p] <= 0.0 and path_flow[best] <= 0.0):
                        continue
                    stamp += 2
                    _settle(
                        p, best, path_start, path_arc, path_flow, extra, free, growth, per_capacity, power, flow, time,
                        slope, mark, stamp,
                    )  # fmt: skip
        if excess <= enough:
            return done + 1, stamp
    return max_passes, stamp


@njit(cache=True)
def _longer(
    values,  # int32
    more,
):
    """The same values with room for `more` and as many again behind them."""
    longer = np.empty(2 * values.size + more, dtype=np.int32)
    for k in range(values.size):
        longer[k] = values[k]
    return longer


@njit(cache=True)
def _settle(
    p, best, path_start, path_arc, path_flow, extra, free, growth, per_capacity, power, flow, time, slope, mark, stamp
):  # fmt: skip
    """Move flow between paths `p` and `best`; `mark` tells the arcs they do not share."""
    p0, p1, b0, b1 = path_start[p], path_start[p + 1], path_start[best], path_start[best + 1]
    for k in range(p0, p1):
        mark[path_arc[k]] = stamp
    gain, steep = 0.0, 0.0  # cost of p above best; its derivative by the flow moved, sign turned
    for k in range(b0, b1):
        arc = path_arc[k]
        if mark[arc] == stamp:
            mark[arc] = stamp + 1  # shared
        else:
            gain -= time[arc] + extra[arc]
            steep += slope[arc]
    for k in range(p0, p1):
        arc = path_arc[k]
        if mark[arc] == stamp:
            gain += time[arc] + extra[arc]
            steep += slope[arc]
    if gain == 0.0:
        return
    limit = path_flow[p] if gain > 0.0 else path_flow[best]
    if limit <= 0.0:
        return
    size = abs(gain)
    step = limit if steep * limit <= size else size / steep
    sign = 1.0 if gain > 0.0 else -1.0
    for _ in range(12):
        left = 0.0
        for k in range(b0, b1):
            arc = path_arc[k]
            if mark[arc] < stamp:
                x = max(flow[arc] + sign * step, 0.0)
                left -= free[arc] + growth[arc] * _power(x * per_capacity[arc], power[arc]) + extra[arc]
        for k in range(p0, p1):
            arc = path_arc[k]
            if mark[arc] == stamp:
                x = max(flow[arc] - sign * step, 0.0)
                left += free[arc] + growth[arc] * _power(x * per_capacity[arc], power[arc]) + extra[arc]
        left *= sign
        if left >= -0.1 * size:
            break
        step *= max(0.1, size / (size - left))  # too far: where a straight line would end
    moved = sign * step
    path_flow[p] -= moved
    path_flow[best] += moved
    if step >= limit:
        if gain > 0.0:
            path_flow[p] = 0.0
        else:
            path_flow[best] = 0.0
    for k in range(b0, b1):
        if mark[path_arc[k]] < stamp:
            _shift(path_arc[k], moved, free, growth, per_capacity, power, flow, time, slope)
    for k in range(p0, p1):
        if mark[path_arc[k]] == stamp:
            _shift(path_arc[k], -moved, free, growth, per_capacity, power, flow, time, slope)


@njit(cache=True)
def _shift(arc, moved, free, growth, per_capacity, power, flow, time, slope):
    flow[arc] += moved
    x = max(flow[arc], 0.0) * per_capacity[arc]
    if power[arc] == 4.0:
        square = x * x
        time[arc] = free[arc] + growth[arc] * square * square
        slope[arc] = 4.0 * growth[arc] * per_capacity[arc] * square * x
    else:
        time[arc] = free[arc] + growth[arc] * _power(x, power[arc])
        slope[arc] = 0.0
        if power[arc] > 0.0:
            slope[arc] = growth[arc] * power[arc] * per_capacity[arc] * _power(x, power[arc] - 1.0)
