"""Kernels that grow trees: features cut into bins, whole-number histograms, best split first.

Gradients are whole numbers here: a row's gradient and its count share one 64-bit number (the gradient above bit 24), so
a histogram is one addition a row and feature, a sibling's histogram is an exact difference, and sums do not depend on
the order of the rows.
"""

from __future__ import annotations

import numpy as np
from numba import njit

COUNT_BITS = 24  # so at most 16.7 million rows
COUNT_MASK = (1 << COUNT_BITS) - 1
SUM_RANGE = 2.0**36  # sums of whole-number gradients stay below, far from the 39 bits that are there
_EDGE_ROWS = 4096  # rows that bin edges are computed from, evenly spaced


@njit(cache=True, nogil=True)
def bin_edges(
    x: np.ndarray,  # (n, F) float32
    max_bin: int,  # 2 to 256
) -> tuple[np.ndarray, np.ndarray]:  # (F, max_bin - 1) float32, inf beyond those used; (F,) bins used
    """Upper edges of the bins of each feature: half-way between values, at even shares of the rows."""
    n, width = x.shape
    gap = max(1, -(-n // _EDGE_ROWS))
    m = -(-n // gap)
    edges = np.full((width, max_bin - 1), np.inf, dtype=np.float32)
    used = np.ones(width, dtype=np.int64)
    column = np.empty(m, dtype=np.float32)
    for f in range(width):
        for i in range(m):
            column[i] = x[i * gap, f]
        column.sort()
        distinct = 1
        for i in range(1, m):
            distinct += column[i] > column[i - 1]
        count = 0
        if distinct <= max_bin:
            for i in range(1, m):
                if column[i] > column[i - 1]:
                    edges[f, count] = _between(column[i - 1], column[i])
                    count += 1
        else:
            for k in range(1, max_bin):
                i = k * m // max_bin
                while i < m and column[i] == column[i - 1]:
                    i += 1
                if i == m:
                    break
                edge = _between(column[i - 1], column[i])
                if count == 0 or edge > edges[f, count - 1]:
                    edges[f, count] = edge
                    count += 1
        used[f] = count + 1
    return edges, used


@njit(cache=True, nogil=True)
def _between(low: np.float32, high: np.float32) -> np.float32:
    middle = np.float32(0.5 * (low + high))
    return middle if middle < high else low


@njit(cache=True, nogil=True)
def bin_rows(
    x: np.ndarray,  # (n, F) float32
    edges: np.ndarray,  # (F, max_bin - 1) float32, rising
    used: np.ndarray,  # (F,)
) -> np.ndarray:  # (n, F) uint8: how many edges lie below the value
    """Bin of each value."""
    n, width = x.shape
    out = np.empty((n, width), dtype=np.uint8)
    for i in range(n):
        for f in range(width):
            value = x[i, f]
            low, high = 0, used[f] - 1
            while low < high:
                middle = (low + high) >> 1
                if value > edges[f, middle]:
                    low = middle + 1
                else:
                    high = middle
            out[i, f] = low
    return out


@njit(cache=True, nogil=True)
def next_random(state: np.ndarray) -> float:  # state (1,) uint64, changed in place; a number in [0, 1)
    """Next of a stream of random numbers (splitmix64; Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def pack(
    gradient: np.ndarray,  # (N,) float
    packed: np.ndarray,  # (N,) int64, changed in place
) -> float:  # whole-number gradients are this many times the gradients
    """Put gradient and count of each row into one number."""
    largest = 1e-30
    for i in range(gradient.size):
        largest = max(largest, abs(gradient[i]))
    scale = SUM_RANGE / (largest * (gradient.size + 1))
    for i in range(gradient.size):
        packed[i] = (np.int64(np.rint(gradient[i] * scale)) << COUNT_BITS) + 1
    return scale


@njit(cache=True, nogil=True)
def _histogram(bins, packed, order, start, stop, hist, max_bin):
    """Add up rows order[start:stop] in hist, shape (F * max_bin,)."""
    width = bins.shape[1]
    hist[:] = 0
    for i in range(start, stop):
        row = order[i]
        p = packed[row]
        for f in range(width):
            hist[np.uint64(f * max_bin) + np.uint64(bins[row, f])] += p


@njit(cache=True, nogil=True)
def _best_split(hist, used, max_bin, total, min_leaf, shrink, scale, tries, extra, state, pool):
    """Feature, cut (last bin below) and gain of the best split of a node with that histogram; gain 0 if none.

    `tries` features are looked at, drawn without replacement (all in turn where that is the number there are);
    with `extra` each has one random cut (Geurts, Ernst & Wehenkel 2006, doi:10.1007/s10994-006-6226-1).
    """
    width = used.size
    n = total & COUNT_MASK
    whole = (total >> COUNT_BITS) / scale
    node = whole * whole / (n + shrink)
    best_gain, best_feature, best_cut = 0.0, -1, 0
    for k in range(tries):
        f = k
        if tries < width:
            j = k + int(next_random(state) * (width - k))
            pool[k], pool[j] = pool[j], pool[k]
            f = pool[k]
        first, last = 0, used[f] - 1
        if extra and last > 0:
            low, high = 0, last
            while low < last and hist[f * max_bin + low] & COUNT_MASK == 0:
                low += 1
            while high > low and hist[f * max_bin + high] & COUNT_MASK == 0:
                high -= 1
            if high == low:
                continue
            first = low + int(next_random(state) * (high - low))
            last = first + 1
        below = np.int64(0)
        for b in range(last):
            here = hist[f * max_bin + b]
            below += here
            if here == 0 and b > first:
                continue  # an empty bin: the cut before is the same
            if b < first:
                continue
            n_below = below & COUNT_MASK
            if n_below < min_leaf:
                continue
            if n - n_below < min_leaf:
                break
            low_sum = (below >> COUNT_BITS) / scale
            high_sum = whole - low_sum
            a, c = n_below + shrink, n - n_below + shrink
            gain = (low_sum * low_sum * c + high_sum * high_sum * a) / (a * c)
            if gain > best_gain:
                best_gain, best_feature, best_cut = gain, f, b
    return best_feature, best_cut, best_gain - node


@njit(cache=True, nogil=True)
def grow(
    bins: np.ndarray,  # (N, F) uint8
    packed: np.ndarray,  # (N,) int64, see `pack`
    scale: float,  # as `pack` returned it
    order: np.ndarray,  # (m,) rows to grow on, may repeat; put in the order of the leaves, in place
    used: np.ndarray,  # (F,) bins of each feature
    max_bin: int,
    max_leaves: int,
    max_depth: int,
    min_leaf: int,  # rows on each side of a split
    shrink: float,  # rows of gradient 0 that each side is thought to hold besides
    min_gain: float,  # least fall of the squared error that a split must bring
    tries: int,  # features looked at for each split
    extra: bool,  # one random cut a feature
    state: np.ndarray,  # (1,) uint64
    feature: np.ndarray,  # (2 * max_leaves - 1,) int64, filled: feature tested, -1 at a leaf
    cut: np.ndarray,  # the same: last bin that goes below
    left: np.ndarray,  # the same: child at most the cut; the one above it follows
    start: np.ndarray,  # the same: rows of a node are order[start:stop]
    stop: np.ndarray,  # the same
    rank: np.ndarray,  # the same: how many nodes were split before this one; -1 at a leaf
) -> int:  # nodes
    """Grow one tree, the split that helps most first; parents precede their children."""
    size = 2 * max_leaves - 1
    width = bins.shape[1]
    hist = np.empty((max_leaves + 1, width * max_bin), dtype=np.int64)
    slot = np.full(size, -1, dtype=np.int64)
    gain = np.zeros(size)
    depth = np.zeros(size, dtype=np.int64)
    total = np.zeros(size, dtype=np.int64)
    spare = np.arange(max_leaves + 1)
    n_spare = max_leaves + 1
    pool = np.arange(width)
    later = np.empty(order.size, dtype=order.dtype)
    feature[0], left[0], rank[0], start[0], stop[0] = -1, -1, -1, 0, order.size
    for i in range(order.size):
        total[0] += packed[order[i]]
    nodes, leaves = 1, 1
    if max_leaves > 1 and max_depth > 0 and order.size >= 2 * min_leaf:
        n_spare -= 1
        slot[0] = spare[n_spare]
        _histogram(bins, packed, order, 0, order.size, hist[slot[0]], max_bin)
        best = _best_split(hist[slot[0]], used, max_bin, total[0], min_leaf, shrink, scale, tries, extra, state, pool)
        feature[0], cut[0], gain[0] = best[0], best[1], best[2]
    while leaves < max_leaves:
        node = -1
        for k in range(nodes):
            if left[k] < 0 and feature[k] >= 0 and gain[k] > min_gain and (node < 0 or gain[k] > gain[node]):
                node = k
        if node < 0:
            break
        f, c, low, high = feature[node], cut[node], start[node], stop[node]
        middle, above = low, 0
        below_total = np.int64(0)
        for i in range(low, high):
            row = order[i]
            if bins[row, f] <= c:
                order[middle] = row
                middle += 1
                below_total += packed[row]
            else:
                later[above] = row
                above += 1
        order[middle:high] = later[:above]
        a, b = nodes, nodes + 1
        left[node], rank[node] = a, leaves - 1
        start[a], stop[a], total[a] = low, middle, below_total
        start[b], stop[b], total[b] = middle, high, total[node] - below_total
        for child in (a, b):
            feature[child], left[child], rank[child], gain[child] = -1, -1, -1, 0.0
            depth[child] = depth[node] + 1
        nodes += 2
        leaves += 1
        open_a = middle - low >= 2 * min_leaf
        open_b = high - middle >= 2 * min_leaf
        if depth[a] < max_depth and leaves < max_leaves and (open_a or open_b):
            few, many = (a, b) if middle - low <= high - middle else (b, a)
            n_spare -= 1
            slot[few] = spare[n_spare]
            slot[many] = slot[node]
            _histogram(bins, packed, order, start[few], stop[few], hist[slot[few]], max_bin)
            for j in range(width * max_bin):
                hist[slot[many], j] -= hist[slot[few], j]
            for child in (a, b):
                if stop[child] - start[child] >= 2 * min_leaf:
                    best = _best_split(
                        hist[slot[child]], used, max_bin, total[child], min_leaf, shrink, scale, tries, extra, state,
                        pool,
                    )  # fmt: skip
                    feature[child], cut[child], gain[child] = best[0], best[1], best[2]
                if feature[child] < 0:
                    spare[n_spare] = slot[child]
                    n_spare += 1
        else:
            spare[n_spare] = slot[node]
            n_spare += 1
    for k in range(nodes):
        if left[k] < 0:
            feature[k] = -1
    return nodes
