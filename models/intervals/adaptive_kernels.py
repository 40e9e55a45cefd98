"""The loop over time of `adaptive`: Numba kernels, arrays in, arrays out."""

from __future__ import annotations

import numpy as np
from numba import njit

_MOST_SIZES = 10.0  # an error counts at most so many times the running size, lest one broken reading swell it


@njit(cache=True)
def follow_cells(
    known: np.ndarray,  # (n,) int64, last known position at each origin, increasing
    steps: np.ndarray,  # (S,) int64, horizons in positions
    first: int,  # rows before this one were issued in an earlier call; what was said then is in `ring`
    base: int,  # origins before row 0, so that a row keeps its place in `ring` from call to call
    told: np.ndarray,  # (S,) int64, first row whose reading has not come due
    scores: np.ndarray,  # (n, Z, S) scores by origin, nan where there is none; read once they have come due
    levels: np.ndarray,  # (S, Q) increasing; 0.5 stays 0
    rates: np.ndarray,  # (S, K) step sizes of the experts, in units of probability; 0 never moves
    hold: np.ndarray,  # (S,) step size of the correction that holds the coverage
    memory: float,  # readings after which an error counts 1/e in `size`
    forget: float,  # share of the experts' record that stays from one reading to the next
    expert: np.ndarray,  # (Z, S, Q, K) offsets of the experts, changed in place
    shift: np.ndarray,  # (Z, S, Q) correction, in sizes, changed in place
    size: np.ndarray,  # (Z, S) running mean absolute score, changed in place
    record: np.ndarray,  # (Z, S, Q, K, 3) regret, its squares, its largest; changed in place
    ring: np.ndarray,  # (Z, sum of steps + 1, Q, K + 1) what each expert and, last, the whole said; changed in place
    place: np.ndarray,  # (S,) int64, where a horizon's stretch of `ring` begins; it is steps + 1 long
    issued: np.ndarray,  # (n - first, Z, S, Q) offsets, written
) -> None:
    """Go through the origins: learn from the scores that have come due, then say what each quantile is."""
    n = known.size
    n_zones, n_horizons, n_levels, n_experts = expert.shape
    weight = np.empty(n_experts)
    keep = 1.0 - 1.0 / memory
    width = np.log(n_experts + 1.0)
    for zone in range(n_zones):
        for h in range(n_horizons):
            length = steps[h] + 1
            due = told[h]
            for row in range(first, n):
                while due < n and known[due] + steps[h] <= known[row]:
                    score = scores[due, zone, h]
                    slot = place[h] + (base + due) % length
                    if np.isfinite(score):
                        unit = size[zone, h]
                        for q in range(n_levels):
                            level = levels[h, q]
                            if level == 0.5:
                                continue
                            tail = min(level, 1.0 - level)
                            said = ring[zone, slot, q, n_experts]
                            slope = (1.0 if score < said else 0.0) - level  # of the pinball loss at what was said
                            for k in range(n_experts):
                                trial = ring[zone, slot, q, k]
                                regret = slope * (trial - said) / unit if unit > 0.0 else 0.0
                                past = record[zone, h, q, k]
                                past[0] = forget * past[0] + regret
                                past[1] = forget * past[1] + regret * regret
                                past[2] = max(past[2], abs(regret))
                                wrong = (1.0 if score < trial else 0.0) - level
                                expert[zone, h, q, k] -= rates[h, k] * unit / tail * wrong
                            # held at the median already: pushing on would only have to be undone later
                            if said != 0.0 or (slope > 0.0) == (level < 0.5):
                                shift[zone, h, q] -= hold[h] / tail * slope
                        error = abs(score) if unit == 0.0 else min(abs(score), _MOST_SIZES * unit)
                        size[zone, h] = keep * unit + (1.0 - keep) * error
                    due += 1
                slot = place[h] + (base + row) % length
                below = -np.inf
                for q in range(n_levels):
                    if levels[h, q] == 0.5:
                        below = max(below, 0.0)
                        issued[row - first, zone, h, q] = below
                        continue
                    best = -np.inf
                    for k in range(n_experts):
                        past = record[zone, h, q, k]
                        pace = 0.0
                        if past[1] > 0.0:
                            pace = min(0.5 / past[2], np.sqrt(width / past[1]))
                        weight[k] = -pace * (past[0] + pace * past[1])
                        best = max(best, weight[k])
                    total = 0.0
                    value = 0.0
                    for k in range(n_experts):
                        part = np.exp(weight[k] - best)
                        total += part
                        value += part * expert[zone, h, q, k]
                        ring[zone, slot, q, k] = expert[zone, h, q, k]
                    value = value / total + shift[zone, h, q] * size[zone, h]
                    value = min(value, 0.0) if levels[h, q] < 0.5 else max(value, 0.0)
                    below = max(below, value)
                    ring[zone, slot, q, n_experts] = below
                    issued[row - first, zone, h, q] = below
