"""Compiled loops of the source-receptor matrices: their entries, and their product with an hour's emission.

Ranges are checked by `source_receptor`. A matrix has a row a receptor and a column a link, in compressed rows.
"""

from __future__ import annotations

import numba
import numpy as np

from simulation.air.dispersion.rline_kernels import meander_integral, plume_integral

_jit = numba.njit(cache=True, error_model="numpy")


@_jit
def entries(
    rows: np.ndarray,  # (R + 1,) first pair of every receptor
    pair_source: np.ndarray,  # (N,) int32 segment of each pair, by link within a receptor
    sources: np.ndarray,  # (S, 5) x0, y0, x1, y1, height, m
    link: np.ndarray,  # (S,) int32
    kind: np.ndarray,  # (S,) table of each segment
    receptors: np.ndarray,  # (R, 3) x, y, z, m
    tables: np.ndarray,  # (T, n, 4) plumes of the kinds of source
    per_log: float,
    east: float,  # the direction the wind blows to; both 0 for the meander
    north: float,
    nodes: np.ndarray,  # (3, m)
    weights: np.ndarray,
    orders: np.ndarray,  # (3,)
    indices: np.ndarray,  # (N,) int32, filled: column of each entry
    data: np.ndarray,  # (N,) float32, filled: its value, s/m2
) -> np.ndarray:  # (R + 1,) int32 first entry of every row
    """Fill a matrix of the direct plume of one wind direction, or of the meander; give its row starts."""
    starts = np.zeros(rows.size, dtype=np.int32)
    meander = east == 0.0 and north == 0.0
    few_nodes, few_weights = nodes[1, : orders[1]], weights[1, : orders[1]]
    count = 0
    for i in range(rows.size - 1):
        x, y, z = receptors[i, 0], receptors[i, 1], receptors[i, 2]
        last = -1
        for j in range(rows[i], rows[i + 1]):
            s = pair_source[j]
            a, b = x - sources[s, 0], y - sources[s, 1]
            c, d = x - sources[s, 2], y - sources[s, 3]
            table = tables[kind[s]]
            if meander:
                value = meander_integral(a, b, c, d, z, sources[s, 4], table, per_log, few_nodes, few_weights)
            else:
                value = plume_integral(
                    a * east + b * north, b * east - a * north, c * east + d * north, d * east - c * north,
                    z, sources[s, 4], table, per_log, nodes, weights, orders,
                )  # fmt: skip
            if value > 0.0:
                if link[s] == last:
                    data[count - 1] += value
                else:
                    last = link[s]
                    indices[count] = last
                    data[count] = value
                    count += 1
        starts[i + 1] = count
    return starts


@_jit
def add_product(
    starts: np.ndarray,  # (R + 1,) int32
    indices: np.ndarray,  # (nnz,) int32
    data: np.ndarray,  # (nnz,) float32
    emission: np.ndarray,  # (L, 4) float64
    weight: float,
    result: np.ndarray,  # (R, 4) float64, added to
) -> None:
    """Add weight x matrix x emission, four columns at once."""
    for i in range(starts.size - 1):
        a = b = c = d = 0.0
        for k in range(starts[i], starts[i + 1]):
            value = data[k]
            j = indices[k]
            a += value * emission[j, 0]
            b += value * emission[j, 1]
            c += value * emission[j, 2]
            d += value * emission[j, 3]
        result[i, 0] += weight * a
        result[i, 1] += weight * b
        result[i, 2] += weight * c
        result[i, 3] += weight * d
