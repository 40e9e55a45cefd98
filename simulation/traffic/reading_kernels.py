"""Reading the traffic kernel's state, and moving it into other arrays (Numba)."""

from __future__ import annotations

import numpy as np
from numba import njit

from simulation.traffic.layout import NONE


@njit(cache=True)
def queued(v, links, time):
    """Vehicles of some links past their free-flow time, side lanes included. (k,)"""
    out = np.zeros(links.size)
    for k in range(links.size):
        spec = v.links[links[k]]
        out[k] = spec.aside
        for j in range(spec.count - spec.aside):
            slot = spec.ring_start + (spec.head + j) % spec.ring_size
            if v.slots[slot].entry + spec.free_time >= time:
                break
            out[k] += 1
    return out


@njit(cache=True)
def queue_by_class(v, time, n_classes):
    """Vehicles past their free-flow time, (n, C)."""
    out = np.zeros((v.links.size, n_classes))
    for link in range(v.links.size):
        spec = v.links[link]
        for j in range(spec.count - spec.aside):
            slot = spec.ring_start + (spec.head + j) % spec.ring_size
            if v.slots[slot].entry + spec.free_time >= time:
                break
            out[link, v.trips[v.slots[slot].trip].vehicle_class] += 1
        for s in range(spec.lane_start, spec.lane_start + spec.lane_count):
            trip = v.lanes[s].first
            while trip != NONE:
                out[link, v.trips[trip].vehicle_class] += 1
                trip = v.trips[trip].next
    return out


@njit(cache=True)
def head_age(v, time):
    """Time that the first vehicle of each link has spent on it, s; 0 where the link is empty. (n,)"""
    out = np.zeros(v.links.size)
    for link in range(v.links.size):
        spec = v.links[link]
        if spec.count > spec.aside:
            out[link] = time - v.slots[spec.ring_start + spec.head].entry
        for s in range(spec.lane_start, spec.lane_start + spec.lane_count):
            if v.lanes[s].first != NONE:
                out[link] = max(out[link], time - v.trips[v.lanes[s].first].entry)
    return out


@njit(cache=True)
def occupants(v):
    """Which trips are on links: the slot of each (-1: it stands in a side lane or is not on the road). (T,)"""
    out = np.full(v.trips.size, NONE, dtype=np.int64)
    for link in range(v.links.size):
        spec = v.links[link]
        for j in range(spec.count - spec.aside):
            slot = spec.ring_start + (spec.head + j) % spec.ring_size
            out[v.slots[slot].trip] = slot
    return out


@njit(cache=True)
def keep_trips(trips, kept, number):
    """Copy the trips that have not ended, in order, and tell their new numbers; returns how many there are."""
    k = 0
    for old in range(trips.size):
        if trips[old].origin != NONE:
            kept[k] = trips[old]
            number[old] = k
            k += 1
        else:
            number[old] = NONE
    for j in range(k):
        if kept[j].next != NONE:
            kept[j].next = number[kept[j].next]
    return k


@njit(cache=True)
def renumber_trips(v, number):
    """Give every trip on the road or at a gate its new number; `number` is (T,)."""
    for link in range(v.links.size):
        spec = v.links[link]
        for j in range(spec.count - spec.aside):
            slot = spec.ring_start + (spec.head + j) % spec.ring_size
            v.slots[slot].trip = number[v.slots[slot].trip]
        if spec.gate_head != NONE:
            spec.gate_head = number[spec.gate_head]
            spec.gate_tail = number[spec.gate_tail]
    for s in range(v.lanes.size):
        if v.lanes[s].first != NONE:
            v.lanes[s].first = number[v.lanes[s].first]
            v.lanes[s].last = number[v.lanes[s].last]


@njit(cache=True)
def copy_rings(v, links, slots):
    """Copy each link's ring into a longer one: the n-th newest entry, and exit, stays the n-th newest."""
    for link in range(links.size):
        old = v.links[link]
        new = links[link]
        tail = old.head + old.count - old.aside
        for back in range(1, min(old.ring_size, new.ring_size) + 1):
            source = v.slots[old.ring_start + (tail - back) % old.ring_size]
            target = slots[new.ring_start + new.ring_size - back]
            target.entry = source.entry
            target.trip = source.trip
            target.row = source.row
            source = v.slots[old.ring_start + (tail - old.count - back) % old.ring_size]
            slots[new.ring_start + (new.ring_size - old.count - back) % new.ring_size].exit = source.exit
        new.head = (new.ring_size - (old.count - old.aside)) % new.ring_size
