"""Shortest paths over links, backward from each destination (Numba). Arrays in, arrays changed."""

from __future__ import annotations

import numpy as np
from numba import njit

NONE = -1


@njit(cache=True)
def shortest_tree(
    dest,  # link at whose end trips end
    cost,  # (n,) s to drive each link
    in_start,  # (n + 1,) turns into each link, as ranges of in_link
    in_link,  # (turns,) link before the turn
    in_penalty,  # (turns,) s
    label,  # (n,) out: s from the end of each link to the end of `dest`, inf where there is no way
    next_link,  # (n,) out: link to take at the end of each link, NONE at the destination and where there is no way
    order,  # (n,) out: links as they were settled, from the destination on, NONE behind the last
):
    """Dijkstra (1959, doi:10.1007/BF01386390) on the link graph, from the destination backward."""
    n = cost.size
    label[:] = np.inf
    next_link[:] = NONE
    order[:] = NONE
    settled = np.zeros(n, dtype=np.bool_)
    size_max = in_link.size + 1
    heap_key = np.empty(size_max)
    heap_link = np.empty(size_max, dtype=np.int64)
    size = 1
    heap_key[0] = 0.0
    heap_link[0] = dest
    label[dest] = 0.0
    done = 0
    while size > 0:
        key = heap_key[0]
        link = heap_link[0]
        size -= 1
        last_key = heap_key[size]
        last_link = heap_link[size]
        i = 0
        while True:
            child = 2 * i + 1
            if child >= size:
                break
            if child + 1 < size and heap_key[child + 1] < heap_key[child]:
                child += 1
            if heap_key[child] >= last_key:
                break
            heap_key[i] = heap_key[child]
            heap_link[i] = heap_link[child]
            i = child
        heap_key[i] = last_key
        heap_link[i] = last_link
        if settled[link]:
            continue
        settled[link] = True
        order[done] = link
        done += 1
        reach = key + cost[link]
        for turn in range(in_start[link], in_start[link + 1]):
            before = in_link[turn]
            if settled[before]:
                continue
            value = reach + in_penalty[turn]
            if value < label[before]:
                label[before] = value
                next_link[before] = link
                i = size
                size += 1
                while i > 0:
                    parent = (i - 1) >> 1
                    if heap_key[parent] <= value:
                        break
                    heap_key[i] = heap_key[parent]
                    heap_link[i] = heap_link[parent]
                    i = parent
                heap_key[i] = value
                heap_link[i] = before


@njit(cache=True)
def update_trees(
    dest_link,  # (D,) links
    cost,  # (n,) s
    in_start,
    in_link,
    in_penalty,
    penalty_of,  # (D, n) out: s of the turn taken at the end of each link
    label,  # (D, n)
    next_link,  # (D, n)
    order,  # (D, n)
    tolerance,  # share of the remaining time by which another way must be better before a tree is made anew
    slack,  # s, likewise
):
    """Bring the trees up to date with the costs; returns how many had to be made anew.

    Labels are first recomputed along each old tree; only where some turn now offers a clearly better way is the
    tree rebuilt.
    """
    rebuilt = 0
    n = cost.size
    for d in range(dest_link.size):
        dest = dest_link[d]
        stale = order[d, 0] != dest
        if not stale:
            lab = label[d]
            lab[dest] = 0.0
            for k in range(1, n):
                link = order[d, k]
                if link == NONE:
                    break
                following = next_link[d, link]
                lab[link] = penalty_of[d, link] + cost[following] + lab[following]
            for link in range(n):
                if stale:
                    break
                reach = lab[link] + cost[link]
                for turn in range(in_start[link], in_start[link + 1]):
                    before = in_link[turn]
                    if before == dest:
                        continue
                    value = reach + in_penalty[turn]
                    if value < lab[before] * (1.0 - tolerance) - slack:
                        stale = True
                        break
        if stale:
            rebuilt += 1
            shortest_tree(dest, cost, in_start, in_link, in_penalty, label[d], next_link[d], order[d])
            for link in range(n):
                following = next_link[d, link]
                penalty_of[d, link] = 0.0
                if following != NONE:
                    for turn in range(in_start[following], in_start[following + 1]):
                        if in_link[turn] == link:
                            penalty_of[d, link] = in_penalty[turn]
                            break
    return rebuilt


@njit(cache=True)
def load_trees(
    dest_link,  # (D,) links
    next_link,  # (D, n)
    order,  # (D, n)
    starts,  # (D, n) vehicles that start on each link for each destination; changed on the way
    flow,  # (n,) out: vehicles that use each link, added to
):
    """All-or-nothing loading: every vehicle follows the tree of its destination."""
    n = flow.size
    for d in range(dest_link.size):
        for k in range(n - 1, -1, -1):
            link = order[d, k]
            if link == NONE:
                continue
            passing = starts[d, link]
            flow[link] += passing
            following = next_link[d, link]
            if following != NONE:
                starts[d, following] += passing
