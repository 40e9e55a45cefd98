"""Kernels that read forests: forecasts, paths and what each feature adds."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def forest_forecast(
    common: np.ndarray,  # (n, Z, F1) float32
    ahead: np.ndarray,  # (n, Z, S, F2) float32
    places: np.ndarray,  # (Z,) places of the zones in the forest
    horizons: np.ndarray,  # (S,) places of the horizons in the forest
    per_zone: int,  # owners of a zone: one a horizon, or 1 whose trees hold a value for each
    feature: np.ndarray,  # (nodes,) feature tested, -1 at a leaf
    threshold: np.ndarray,  # (nodes,) float32; values above it go to the second child
    left: np.ndarray,  # (nodes,) first child, counted from the tree's first node; the second follows
    value: np.ndarray,  # (nodes, V) float32
    tree: np.ndarray,  # (trees + 1,) first node of each tree
    owner: np.ndarray,  # (owners + 1,) first tree of each owner
) -> np.ndarray:  # (n, Z, S) float32
    """Sum of the leaves' values over the trees of each zone and horizon."""
    n, zones, f1 = common.shape
    f2 = ahead.shape[3]
    out = np.zeros((n, zones, horizons.size), dtype=np.float32)
    x = np.empty(f1 + f2, dtype=np.float32)
    for z in range(zones):
        for s in range(horizons.size):
            column = horizons[s] if per_zone == 1 else 0
            mine = places[z] * per_zone + (0 if per_zone == 1 else horizons[s])
            first, last = owner[mine], owner[mine + 1]
            if first == last:
                continue
            for i in range(n):
                x[:f1] = common[i, z]
                x[f1:] = ahead[i, z, s]
                total = 0.0
                for t in range(first, last):
                    root = tree[t]
                    node = root
                    while feature[node] >= 0:
                        node = root + left[node] + (x[feature[node]] > threshold[node])
                    total += value[node, column]
                out[i, z, s] = total
    return out


@njit(cache=True, nogil=True)
def forest_shares(
    x: np.ndarray,  # (F,) float32, one row
    column: int,  # of the values
    first: int,  # trees first to last are read
    last: int,
    feature: np.ndarray,
    threshold: np.ndarray,
    left: np.ndarray,
    value: np.ndarray,
    tree: np.ndarray,
) -> np.ndarray:  # (F + 1,): what the splits on each feature add, the sum of the roots' values last
    """Change of the value from node to node, added up by the feature tested."""
    shares = np.zeros(x.size + 1)
    for t in range(first, last):
        root = tree[t]
        node = root
        shares[x.size] += value[node, column]
        while feature[node] >= 0:
            child = root + left[node] + (x[feature[node]] > threshold[node])
            shares[feature[node]] += value[child, column] - value[node, column]
            node = child
    return shares


@njit(cache=True, nogil=True)
def node_values(
    y: np.ndarray,  # (N,) float32
    horizon: np.ndarray,  # (N,) place of each row's horizon
    horizons: int,
    order: np.ndarray,  # (m,) as growing left it
    nodes: int,
    left: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    shrink: float,  # rows of the parent's value that each node is thought to hold besides
    median: bool,
) -> np.ndarray:  # (nodes, horizons)
    """Mean or median of each node and horizon, drawn to the parent's (the root's to 0)."""
    value = np.zeros((nodes, horizons))
    memory = np.empty(order.size)
    for node in range(nodes):
        size = stop[node] - start[node]
        sums = np.zeros(horizons)
        counts = np.zeros(horizons)
        for i in range(start[node], stop[node]):
            sums[horizon[order[i]]] += y[order[i]]
            counts[horizon[order[i]]] += 1.0
        if median and size > 0:
            fill = np.zeros(horizons, dtype=np.int64)
            fill[1:] = np.cumsum(counts)[:-1].astype(np.int64)
            first = fill.copy()
            for i in range(start[node], stop[node]):
                s = horizon[order[i]]
                memory[fill[s]] = y[order[i]]
                fill[s] += 1
            for s in range(horizons):
                if counts[s] > 0:
                    sums[s] = np.median(memory[first[s] : fill[s]]) * counts[s]
        for s in range(horizons):
            if counts[s] + shrink > 0:
                value[node, s] = (sums[s] + shrink * value[node, s]) / (counts[s] + shrink)
        if left[node] >= 0:
            value[left[node]] = value[node]
            value[left[node] + 1] = value[node]
    return value


@njit(cache=True, nogil=True)
def add_values(
    bins: np.ndarray,  # (N, F) uint8
    horizon: np.ndarray,  # (N,)
    rows: np.ndarray,  # (m,)
    feature: np.ndarray,
    cut: np.ndarray,
    left: np.ndarray,
    value: np.ndarray,  # (nodes, horizons)
    total: np.ndarray,  # (N,) changed in place
) -> None:
    """Add the values of the leaves that rows fall into."""
    for i in range(rows.size):
        row = rows[i]
        node = 0
        while left[node] >= 0:
            node = left[node] + (bins[row, feature[node]] > cut[node])
        total[row] += value[node, horizon[row]]


@njit(cache=True, nogil=True)
def forecasts_by_size(
    bins: np.ndarray,  # (N, F) uint8
    horizon: np.ndarray,  # (N,)
    rows: np.ndarray,  # (m,) held out
    feature: np.ndarray,
    cut: np.ndarray,
    left: np.ndarray,
    rank: np.ndarray,  # (nodes,) how many nodes were split before, -1 at a leaf
    value: np.ndarray,  # (nodes, horizons)
    max_leaves: int,
) -> np.ndarray:  # (m, max_leaves) float32: by the tree cut back to 1, 2, ... leaves
    """Forecasts of held-out rows by each tree of the nested sequence that growing went through."""
    out = np.empty((rows.size, max_leaves), dtype=np.float32)
    for i in range(rows.size):
        row = rows[i]
        node, done = 0, 0
        while True:
            until = rank[node] + 1 if left[node] >= 0 else max_leaves
            out[i, done:until] = value[node, horizon[row]]
            if left[node] < 0:
                break
            done = until
            node = left[node] + (bins[row, feature[node]] > cut[node])
    return out
