"""The loop over time of `normalised`: Numba kernels, arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def recent_means(
    known: np.ndarray,  # (n,) int64, last known position at each origin, increasing
    steps: np.ndarray,  # (S,) int64, horizons in positions
    sizes: np.ndarray,  # (n, Z, S) absolute scores by origin, nan where there is none
    memories: np.ndarray,  # (M,) positions after which a score counts 1/e
    total: np.ndarray,  # (Z, S, M) weighted sums so far, changed in place
    mass: np.ndarray,  # (Z, S, M) their weights, changed in place
    told: np.ndarray,  # (S,) int64, first row whose reading has not come due, changed in place
    last: np.ndarray,  # (S,) int64, position of the origin told last, below 0 before the first; changed in place
    means: np.ndarray,  # (n, Z, S, M) written from row `first` on: mean absolute score known at the origin, nan if none
    weights: np.ndarray,  # (n, Z, S, M) written likewise: weight that it rests on, 0 to 1
    first: int,  # first row to write
) -> None:
    """Exponentially weighted mean absolute score of what had come due at each origin."""
    n, n_zones, n_horizons = sizes.shape
    parts = np.empty(memories.size)
    for row in range(first, n):
        for h in range(n_horizons):
            due = told[h]
            while due < n and known[due] + steps[h] <= known[row]:
                passed = known[due] - last[h] if last[h] >= 0 else 1
                last[h] = known[due]
                for m in range(memories.size):
                    parts[m] = 1.0 - np.exp(-passed / memories[m])
                for zone in range(n_zones):
                    value = sizes[due, zone, h]
                    if np.isfinite(value):
                        for m in range(memories.size):
                            total[zone, h, m] += parts[m] * (value - total[zone, h, m])
                            mass[zone, h, m] += parts[m] * (1.0 - mass[zone, h, m])
                due += 1
            told[h] = due
            for zone in range(n_zones):
                for m in range(memories.size):
                    weight = mass[zone, h, m]
                    weights[row, zone, h, m] = weight
                    means[row, zone, h, m] = total[zone, h, m] / weight if weight > 0.0 else np.nan
