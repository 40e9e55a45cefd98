"""Shortest paths over links, backward from each destination (Numba). Arrays in, arrays changed.

A destination is a set of links: a trip ends at the end of the first of them that it drives. A tree is one row of
`next_link` and nothing more: labels are worked out along it when they are needed, so that ten thousand links and a
thousand destinations take 40 MB.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simulation.traffic.search_heap_kernels import drop_first, push

NONE = -1  # no way
END = -2  # the trip ends at the end of this link
UNKNOWN = -1.0  # label that has not been worked out yet
REPAIR_BELOW = 16  # a tree is repaired where fewer than one turn in so many links offers a better way, else made anew

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@njit(cache=True)
def lot(key, salt):
    """Hashed bits of a link at a destination: the finaliser of SplitMix64 (as `simulation.streams`)."""
    x = key ^ salt
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


@njit(cache=True)
def settle(
    heap_key,  # (h,) s from the beginning of each link in the heap to the destination
    heap_link,  # (h,) int32
    size,  # links in the heap
    cost,  # (n,) s to drive each link, above 0
    in_start,  # (n + 1,) turns into each link, as ranges of in_link
    in_link,  # (turns,) link before the turn
    in_penalty,  # (turns,) s
    key,  # (n,) uint64 name of each link
    salt,  # uint64: of equal ways, the one whose link draws the lower lot is taken
    label,  # (n,) in, out: s from the end of each link to the destination; only ever lowered
    next_link,  # (n,) in, out
):
    """Dijkstra (1959, doi:10.1007/BF01386390) over links, backward, from what stands in a four-ary heap.

    A link comes off the heap at its time from beginning to destination, so without turn penalties the first offer to
    the links before it is the last: each link enters the heap once.
    """
    while size > 0:
        reach = heap_key[0]
        link = heap_link[0]
        size -= 1
        drop_first(heap_key, heap_link, size)
        if reach > label[link] + cost[link]:
            continue  # a better offer came later and has been dealt with
        for turn in range(in_start[link], in_start[link + 1]):
            before = in_link[turn]
            value = reach + in_penalty[turn]
            old = label[before]
            if value > old:
                continue
            if value == old:
                rival = next_link[before]
                if rival >= 0 and rival != link and lot(key[link], salt) < lot(key[rival], salt):
                    next_link[before] = link
                continue
            label[before] = value
            next_link[before] = link
            offer = value + cost[before]
            useful = False  # a link that can better nothing behind it need not enter the heap
            for further in range(in_start[before], in_start[before + 1]):
                if label[in_link[further]] >= offer:
                    useful = True
                    break
            if not useful:
                continue
            push(heap_key, heap_link, size, offer, before)
            size += 1


@njit(cache=True)
def _penalty(link, following, in_start, in_link, in_penalty):
    for turn in range(in_start[following], in_start[following + 1]):
        if in_link[turn] == link:
            return in_penalty[turn]
    return 0.0


@njit(cache=True)
def label_tree(next_link, cost, in_start, in_link, in_penalty, penalties, label, stack):
    """Seconds from the end of each link to the destination along a tree; inf where there is no way. Fills `label`."""
    n = cost.size
    label[:] = UNKNOWN
    for first in range(n):
        link = first
        depth = 0
        while label[link] == UNKNOWN:
            following = next_link[link]
            if following < 0:
                label[link] = 0.0 if following == END else np.inf
                break
            stack[depth] = link
            depth += 1
            link = following
        value = label[link]
        while depth > 0:
            depth -= 1
            before = stack[depth]
            value = value + cost[link]
            if penalties:
                value += _penalty(before, link, in_start, in_link, in_penalty)
            label[before] = value
            link = before


@njit(cache=True)
def update_trees(
    rows,  # (r,) destinations to bring up to date
    built,  # (D,) bool: whether a destination has a tree; set here
    dest_start,  # (D + 1,) ranges of dest_link
    dest_link,  # links at whose end trips end
    cost,  # (n,) s, above 0
    in_start,  # (n + 1,)
    in_link,  # (turns,)
    in_penalty,  # (turns,) s
    key,  # (n,) uint64
    salt,  # (D,) uint64
    tolerance,  # share of the remaining time by which another way must be better before a tree changes
    slack,  # s, likewise
    renew,  # whether so many costs have moved that trees are made anew without a look at the old ones
    next_link,  # (D, n) in, out
    origin_start,  # (O + 1,) ranges of origin_link
    origin_link,  # links on which trips may begin
    first_link,  # (D, O) out: best of them for each destination
):
    """Bring trees up to date with the costs; returns how many were mended or made anew.

    Labels are first worked out along each old tree. Where no turn offers a clearly better way, the tree stays. Where
    one does, the tree is repaired from its labels, which are those of ways that exist, until no turn offers a better
    one: the shortest times, as a new tree would have them. Where many do, a new tree costs less.
    """
    n = cost.size
    turns = in_link.size
    label = np.empty(n)
    stack = np.empty(n + 1, dtype=np.int32)
    heap_key = np.empty(2 * turns + n + dest_link.size + 1)
    heap_link = np.empty(heap_key.size, dtype=np.int32)
    penalties = False
    for turn in range(turns):
        if in_penalty[turn] != 0.0:
            penalties = True
            break
    changed = 0
    for d in rows:
        tree = next_link[d]
        size = 0
        stale = not built[d]
        anew = stale or (renew and tolerance == 0.0 and slack == 0.0)
        if not anew:
            label_tree(tree, cost, in_start, in_link, in_penalty, penalties, label, stack)
            better = 0
            for link in range(n):
                reach = label[link] + cost[link]
                for turn in range(in_start[link], in_start[link + 1]):
                    old = label[in_link[turn]]
                    value = reach + in_penalty[turn]
                    if value < old:
                        better += 1
                        if value < old * (1.0 - tolerance) - slack:
                            stale = True
            anew = stale and better * REPAIR_BELOW > n
            if stale and not anew:
                for link in range(n):
                    reach = label[link] + cost[link]
                    for turn in range(in_start[link], in_start[link + 1]):
                        before = in_link[turn]
                        value = reach + in_penalty[turn]
                        if value < label[before]:
                            label[before] = value
                            tree[before] = link
                            push(heap_key, heap_link, size, value + cost[before], before)
                            size += 1
        if anew:
            built[d] = stale = True
            label[:] = np.inf
            tree[:] = NONE
            for at in range(dest_start[d], dest_start[d + 1]):
                end = dest_link[at]
                if label[end] == 0.0:
                    continue
                label[end] = 0.0
                tree[end] = END
                push(heap_key, heap_link, size, cost[end], end)
                size += 1
        if stale:
            changed += 1
            settle(heap_key, heap_link, size, cost, in_start, in_link, in_penalty, key, salt[d], label, tree)
        for origin in range(origin_start.size - 1):
            best = NONE
            best_time = np.inf
            for at in range(origin_start[origin], origin_start[origin + 1]):
                link = origin_link[at]
                time = label[link] + cost[link]
                if time < best_time or (
                    time == best_time and best != NONE and lot(key[link], salt[d]) < lot(key[best], salt[d])
                ):
                    best = link
                    best_time = time
            first_link[d, origin] = best
    return changed


@njit(cache=True)
def label_trees(next_link, cost, in_start, in_link, in_penalty, out):
    """`label_tree` of each destination; fills `out` (D, n)."""
    stack = np.empty(cost.size + 1, dtype=np.int32)
    for d in range(next_link.shape[0]):
        label_tree(next_link[d], cost, in_start, in_link, in_penalty, True, out[d], stack)


@njit(cache=True)
def load_trees(
    next_link,  # (D, n)
    starts,  # (D, n) vehicles that start on each link for each destination; changed on the way
    flow,  # (n,) out: vehicles that use each link, added to
):
    """All-or-nothing loading: every vehicle follows the tree of its destination, from the leaves down."""
    n = flow.size
    feeders = np.empty(n, dtype=np.int32)
    ready = np.empty(n, dtype=np.int32)
    for d in range(next_link.shape[0]):
        feeders[:] = 0
        for link in range(n):
            if next_link[d, link] >= 0:
                feeders[next_link[d, link]] += 1
        count = 0
        for link in range(n):
            if feeders[link] == 0:
                ready[count] = link
                count += 1
        done = 0
        while done < count:
            link = ready[done]
            done += 1
            following = next_link[d, link]
            if following == NONE:
                continue
            passing = starts[d, link]
            flow[link] += passing
            if following >= 0:
                starts[d, following] += passing
                feeders[following] -= 1
                if feeders[following] == 0:
                    ready[count] = following
                    count += 1


@njit(cache=True)
def path_lengths(
    next_link,  # (layers, D, n)
    layer,  # (k,)
    row,  # (k,) destination
    first,  # (k,) first link
    out,  # (k,) links of each path, 0 where there is no way
):
    """Number of links of each path."""
    n = next_link.shape[2]
    for trip in range(first.size):
        link = first[trip]
        steps = 0
        while link >= 0 and steps <= n:
            steps += 1
            link = next_link[layer[trip], row[trip], link]
        out[trip] = steps if link == END else 0


@njit(cache=True)
def write_paths(next_link, layer, row, first, start, links):
    """Links of each path, one after another, into `links`; arguments as in `path_lengths`, `start` (k + 1,)."""
    for trip in range(first.size):
        link = first[trip]
        for at in range(start[trip], start[trip + 1]):
            links[at] = link
            link = next_link[layer[trip], row[trip], link]


@njit(cache=True)
def mark_in_use(
    trips,  # (k,) of simulation.traffic.layout.TRIP
    until,  # s
    used,  # (layers * D,) bool out: rows of the route table that some trip drives by and that has set out by `until`
):
    """Rows of the route table in use; trips that have ended and those on paths of their own do not count."""
    for k in range(trips.size):
        trip = trips[k]
        if trip.origin != NONE and trip.dest >= 0 and trip.depart < until:
            used[trip.row] = True
