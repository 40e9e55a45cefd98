"""Kernels that grow model trees: splits by how much better two lines fit than one."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _explained(sums: np.ndarray, k: int, ridge: float, solution: np.ndarray, factor: np.ndarray) -> float:
    """How much a ridge line takes off the sum of squares, from sums laid out as in `_add_row`.

    Fills `solution`, shape (k,). The constant (last) is held back by one row, the others by `ridge` rows.
    """
    at = 0
    for i in range(k):
        for j in range(i + 1):
            total = sums[at]
            at += 1
            if i == j:
                total += ridge if i < k - 1 else 1.0
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i == j:
                factor[i, i] = np.sqrt(max(total, 1e-9))
            else:
                factor[i, j] = total / factor[j, j]
    explained = 0.0
    for i in range(k):
        total = sums[at + i]
        for m in range(i):
            total -= factor[i, m] * solution[m]
        solution[i] = total / factor[i, i]
        explained += solution[i] * solution[i]
    for i in range(k - 1, -1, -1):
        total = solution[i]
        for m in range(i + 1, k):
            total -= factor[m, i] * solution[m]
        solution[i] = total / factor[i, i]
    return explained


@njit(cache=True, nogil=True)
def _add_row(x: np.ndarray, y: float, out: np.ndarray) -> None:
    """Products of one row: lower triangle of x x', then x y, then 1; shape (k (k + 1) / 2 + k + 1,)."""
    at = 0
    for i in range(x.size):
        for j in range(i + 1):
            out[at] = x[i] * x[j]
            at += 1
    for i in range(x.size):
        out[at + i] = x[i] * y
    out[at + x.size] = 1.0


@njit(cache=True, nogil=True)
def _best_line_split(bins, lines_x, y, order, start, stop, used, max_bin, min_leaf, ridge):
    """Feature, cut and gain of the best split of the rows order[start:stop]; gain 0 if none."""
    width, k = bins.shape[1], lines_x.shape[1]
    size = k * (k + 1) // 2 + k + 1
    sums = np.zeros((width, max_bin, size))
    row_sums, whole = np.empty(size), np.zeros(size)
    for i in range(start, stop):
        row = order[i]
        _add_row(lines_x[row], y[row], row_sums)
        whole += row_sums
        for f in range(width):
            here = sums[f, bins[row, f]]
            for j in range(size):
                here[j] += row_sums[j]
    factor, solution = np.zeros((k, k)), np.zeros(k)
    node = _explained(whole, k, ridge, solution, factor)
    best_gain, best_feature, best_cut = 0.0, -1, 0
    below, above = np.empty(size), np.empty(size)
    for f in range(width):
        below[:] = 0.0
        for b in range(used[f] - 1):
            below += sums[f, b]
            n_below = below[size - 1]
            if sums[f, b, size - 1] == 0 or n_below < min_leaf:
                continue
            if whole[size - 1] - n_below < min_leaf:
                break
            for j in range(size):
                above[j] = whole[j] - below[j]
            gain = _explained(below, k, ridge, solution, factor) + _explained(above, k, ridge, solution, factor) - node
            if gain > best_gain:
                best_gain, best_feature, best_cut = gain, f, b
    return best_feature, best_cut, best_gain


@njit(cache=True, nogil=True)
def grow_lines(
    bins: np.ndarray,  # (N, F) uint8
    lines_x: np.ndarray,  # (N, k) float32: the features of the lines, 1 last
    y: np.ndarray,  # (N,)
    order: np.ndarray,  # (m,) rows; put in the order of the leaves, in place
    used: np.ndarray,  # (F,) bins of each feature
    max_bin: int,
    max_leaves: int,
    min_leaf: int,
    ridge: float,
    feature: np.ndarray,  # (2 * max_leaves - 1,) int64, filled, as in `tree_kernels.grow`
    cut: np.ndarray,
    left: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    rank: np.ndarray,
) -> int:  # nodes
    """Grow one tree, the split that helps the lines most first."""
    gain = np.zeros(2 * max_leaves - 1)
    later = np.empty(order.size, dtype=order.dtype)
    feature[0], left[0], rank[0], start[0], stop[0] = -1, -1, -1, 0, order.size
    nodes, leaves, fresh = 1, 1, 0
    while leaves < max_leaves:
        for k in range(fresh, nodes):
            if stop[k] - start[k] >= 2 * min_leaf:
                best = _best_line_split(bins, lines_x, y, order, start[k], stop[k], used, max_bin, min_leaf, ridge)
                feature[k], cut[k], gain[k] = best[0], best[1], best[2]
        fresh = nodes
        node = -1
        for k in range(nodes):
            if left[k] < 0 and feature[k] >= 0 and gain[k] > 1e-9 and (node < 0 or gain[k] > gain[node]):
                node = k
        if node < 0:
            break
        middle, above = start[node], 0
        for i in range(start[node], stop[node]):
            if bins[order[i], feature[node]] <= cut[node]:
                order[middle] = order[i]
                middle += 1
            else:
                later[above] = order[i]
                above += 1
        order[middle : middle + above] = later[:above]
        left[node], rank[node] = nodes, leaves - 1
        start[nodes], stop[nodes], start[nodes + 1], stop[nodes + 1] = start[node], middle, middle, stop[node]
        for child in (nodes, nodes + 1):
            feature[child], left[child], rank[child] = -1, -1, -1
        nodes += 2
        leaves += 1
    for k in range(nodes):
        if left[k] < 0:
            feature[k] = -1
    return nodes


@njit(cache=True, nogil=True)
def node_lines(
    lines_x: np.ndarray,  # (N, k) float32
    y: np.ndarray,  # (N,) what the root's line leaves over
    horizon: np.ndarray,  # (N,)
    horizons: int,
    order: np.ndarray,  # (m,) as growing left it
    left: np.ndarray,  # (nodes,)
    start: np.ndarray,
    stop: np.ndarray,
    ridge: float,  # rows that hold each change of slope back
    smooth: float,  # rows of its parent's line that each node is thought to hold besides
) -> np.ndarray:  # (nodes, horizons, k) change of the root's line
    """A line for each node and horizon: a ridge line on what its parent's leaves over, drawn to the parent's."""
    nodes, k = left.size, lines_x.shape[1]
    size = k * (k + 1) // 2 + k + 1
    lines = np.zeros((nodes, horizons, k))
    row_sums, solution, factor = np.empty(size), np.empty(k), np.zeros((k, k))
    for node in range(nodes):
        if node > 0:
            sums = np.zeros((horizons, size))
            for i in range(start[node], stop[node]):
                row = order[i]
                s = horizon[row]
                rest = y[row]
                for j in range(k):
                    rest -= lines_x[row, j] * lines[node, s, j]
                _add_row(lines_x[row], rest, row_sums)
                for j in range(size):
                    sums[s, j] += row_sums[j]
            for s in range(horizons):
                n = sums[s, size - 1]
                if n > 0:
                    _explained(sums[s], k, ridge, solution, factor)
                    for j in range(k):
                        lines[node, s, j] += solution[j] * n / (n + smooth)
        if left[node] >= 0:
            lines[left[node]] = lines[node]
            lines[left[node] + 1] = lines[node]
    return lines


@njit(cache=True, nogil=True)
def line_forecasts_by_size(
    bins: np.ndarray,  # (N, F) uint8
    lines_x: np.ndarray,  # (N, k)
    horizon: np.ndarray,  # (N,)
    rows: np.ndarray,  # (m,) held out
    feature: np.ndarray,
    cut: np.ndarray,
    left: np.ndarray,
    rank: np.ndarray,
    lines: np.ndarray,  # (nodes, horizons, k)
    max_leaves: int,
) -> np.ndarray:  # (m, max_leaves) float32: by the tree cut back to 1, 2, ... leaves
    """What each tree of the nested sequence that growing went through adds to the root's line in held-out rows."""
    out = np.empty((rows.size, max_leaves), dtype=np.float32)
    for i in range(rows.size):
        row = rows[i]
        node, done = 0, 0
        while True:
            total = 0.0
            for j in range(lines_x.shape[1]):
                total += lines_x[row, j] * lines[node, horizon[row], j]
            until = rank[node] + 1 if left[node] >= 0 else max_leaves
            out[i, done:until] = total
            if left[node] < 0:
                break
            done = until
            node = left[node] + (bins[row, feature[node]] > cut[node])
    return out


@njit(cache=True, nogil=True)
def leaf_forecast(
    common: np.ndarray,  # (n, Z, F1) float32
    ahead: np.ndarray,  # (n, Z, S, F2) float32
    places: np.ndarray,  # (Z,)
    horizons: np.ndarray,  # (S,)
    feature: np.ndarray,  # (nodes,)
    threshold: np.ndarray,  # (nodes,) float32
    left: np.ndarray,  # (nodes,)
    tree: np.ndarray,  # (zones + 1,) first node of each zone's tree; a zone may have none
    lines: np.ndarray,  # (nodes, horizons, k) float32
    chosen: np.ndarray,  # (zones, k - 1) features of the lines
) -> np.ndarray:  # (n, Z, S) float32
    """What the leaves' lines add to the root's."""
    n, zones, f1 = common.shape
    k = lines.shape[2]
    out = np.zeros((n, zones, horizons.size), dtype=np.float32)
    x = np.empty(f1 + ahead.shape[3], dtype=np.float32)
    for z in range(zones):
        root = tree[places[z]]
        if tree[places[z] + 1] == root:
            continue
        for s in range(horizons.size):
            for i in range(n):
                x[:f1] = common[i, z]
                x[f1:] = ahead[i, z, s]
                node = root
                while feature[node] >= 0:
                    node = root + left[node] + (x[feature[node]] > threshold[node])
                total = lines[node, horizons[s], k - 1]
                for j in range(k - 1):
                    total += lines[node, horizons[s], j] * x[chosen[places[z], j]]
                out[i, z, s] = total
    return out
