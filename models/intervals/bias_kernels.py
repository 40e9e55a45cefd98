"""The loop over time of `bias`: a Numba kernel, arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def decaying_bias(
    known: np.ndarray,  # (n,) int64, last known position at each origin, increasing
    steps: np.ndarray,  # (S,) int64, horizons in positions
    errors: np.ndarray,  # (n, Z, S) reading less forecast by origin, nan where there is none
    slot: np.ndarray,  # (n,) int64, part of the day of each origin
    rate: np.ndarray,  # (S,) share of an error that its own part of the day takes over, a position that it stands for
    usual: np.ndarray,  # (Z, S) beyond which a difference from the bias is cut off
    smooth: np.ndarray,  # (2 R + 1,) weight in the parts of the day beside its own, 1 in the middle
    widest: int,  # positions that one error stands for, at most
    bias: np.ndarray,  # (Z, S, parts of a day) changed in place
    told: np.ndarray,  # (S,) int64, first row whose reading has not come due, changed in place
    last: np.ndarray,  # (S,) int64, position of the origin told last, below 0 before the first; changed in place
    added: np.ndarray,  # (n - first, Z, S) written: the bias known at each origin
    first: int,  # first row to write
) -> None:
    """Add the bias of what had come due at each origin; an error stands for the time since the one before."""
    n, n_zones, n_horizons = errors.shape
    parts, reach = bias.shape[2], smooth.size // 2
    for row in range(first, n):
        for h in range(n_horizons):
            if rate[h] == 0.0:
                continue
            due = told[h]
            while due < n and known[due] + steps[h] <= known[row]:
                passed = min(known[due] - last[h], widest) if last[h] >= 0 else 1
                last[h] = known[due]
                for zone in range(n_zones):
                    error, most, own = errors[due, zone, h], usual[zone, h], bias[zone, h]
                    if np.isfinite(error):
                        for j in range(-reach, reach + 1):
                            k = (slot[due] + j) % parts
                            away = min(max(error - own[k], -most), most)
                            own[k] += min(1.0, rate[h] * passed * smooth[j + reach]) * away
                due += 1
            told[h] = due
            for zone in range(n_zones):
                added[row - first, zone, h] = bias[zone, h, slot[row]]
