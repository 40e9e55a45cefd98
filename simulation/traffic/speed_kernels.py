"""Where a vehicle's mean speed over a link counts in the speed histogram (Numba)."""

from __future__ import annotations

from simulation.link_state import KNOT_STEP_KMH, LOWEST_KNOT_KMH
from simulation.traffic.heap_kernels import inlined


@inlined
def knot_below(
    length,  # m, of the link
    spent,  # s on it
    knots,  # number of knots
):  # knot at or below the speed (the last but one at most), and the share of the metres that counts at the next
    """Share a passage between two of `simulation.link_state.SPEED_KNOTS_KMH`, so that metres and seconds are kept."""
    speed = length / max(spent, 1e-3) * 3.6
    knot = min(int(speed / KNOT_STEP_KMH), knots - 2)
    low = max(knot * KNOT_STEP_KMH, LOWEST_KNOT_KMH)
    high = (knot + 1) * KNOT_STEP_KMH
    speed = min(max(speed, low), high)
    return knot, (1.0 / low - 1.0 / speed) / (1.0 / low - 1.0 / high)
