"""Reading where vehicles are in the traffic kernel's state (Numba)."""

from __future__ import annotations

import numpy as np
from numba import njit

from simulation.traffic.layout import NONE


@njit(cache=True)
def standing(v):  # State -> (k,) int64 row of State.trips, (k,) int32 link, (k,) s entry
    """Every vehicle on a link: which trip, where, since when; side lanes included."""
    total = 0
    for link in range(v.links.size):
        total += v.links[link].count
    trip = np.empty(total, dtype=np.int64)
    where = np.empty(total, dtype=np.int32)
    since = np.empty(total)
    n = 0
    for link in range(v.links.size):
        spec = v.links[link]
        for j in range(spec.count - spec.aside):
            slot = spec.ring_start + (spec.head + j) % spec.ring_size
            trip[n], where[n], since[n] = v.slots[slot].trip, link, v.slots[slot].entry
            n += 1
        for s in range(spec.lane_start, spec.lane_start + spec.lane_count):
            who = v.lanes[s].first
            while who != NONE:
                trip[n], where[n], since[n] = who, link, v.trips[who].entry
                n += 1
                who = v.trips[who].next
    return trip, where, since
