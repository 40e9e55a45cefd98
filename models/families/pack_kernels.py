"""Kernels that lay the rows of some zones out side by side for matrix products, and find what range they span.

`Rows` are stored by origin; a zone's own rows lie far apart. Memory is read once, in the order in which it is stored,
a tile of origins at a time, small enough that the matrix products find it in the processor's cache.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def widen(
    rows: np.ndarray,  # values, flat
    step: int,  # values from one origin to the next
    first: int,  # origins first ... last - 1
    last: int,
    start: int,  # values start ... of each origin
    low: np.ndarray,  # (C,) least of those C values so far, changed in place
    high: np.ndarray,  # (C,) greatest
) -> None:
    """Widen ranges by the values of some origins; four at a time, which saves loads and stores of the ranges."""
    size = low.size
    t = first
    while t + 4 <= last:
        at = t * step + start
        a, b = rows[at : at + size], rows[at + step : at + step + size]
        c, d = rows[at + 2 * step : at + 2 * step + size], rows[at + 3 * step : at + 3 * step + size]
        for k in range(size):
            less, more = (a[k], b[k]) if a[k] < b[k] else (b[k], a[k])
            least, most = (c[k], d[k]) if c[k] < d[k] else (d[k], c[k])
            less = less if less < least else least
            more = more if more > most else most
            low[k] = less if less < low[k] else low[k]
            high[k] = more if more > high[k] else high[k]
        t += 4
    for i in range(t, last):
        at = i * step + start
        a = rows[at : at + size]
        for k in range(size):
            low[k] = a[k] if a[k] < low[k] else low[k]
            high[k] = a[k] if a[k] > high[k] else high[k]


@njit(cache=True)
def pack_rows(
    common: np.ndarray,  # (n, Z, F1), flat
    common_step: int,  # values from one origin to the next
    ahead: np.ndarray,  # (n, Z, S, F2), flat
    ahead_step: int,
    y: np.ndarray,  # (n, Z, S), nan where unknown
    first: int,  # origins first ... last - 1
    last: int,
    place: int,  # of the first zone
    f1: int,
    f2: int,
    slab: np.ndarray,  # (z, m, W) filled: the constant, common features, then features ahead and outcome by horizon
) -> bool:  # whether every outcome is known
    """Lay out the rows of some zones, each zone's own together.

    What belongs to a horizon is 0 where its outcome is unknown; with one horizon the whole row is.
    """
    zones, horizons = slab.shape[0], y.shape[2]
    complete = True
    for t in range(first, last):
        for k in range(zones):
            z = place + k
            row = slab[k, t - first]
            if horizons == 1 and not np.isfinite(y[t, z, 0]):
                row[: 2 + f1 + f2] = 0.0
                continue
            row[0] = 1.0
            at = t * common_step + z * f1
            source, own = common[at : at + f1], row[1 : 1 + f1]
            for f in range(f1):
                own[f] = source[f]
            at = t * ahead_step + z * horizons * f2
            to = 1 + f1
            for s in range(horizons):
                value = y[t, z, s]
                if np.isfinite(value):
                    for f in range(f2):
                        row[to + f] = ahead[at + f]
                    row[to + f2] = value
                else:
                    row[to : to + f2 + 1] = 0.0
                    complete = False
                at += f2
                to += f2 + 1
    return complete
