"""The stop line: giving way, junctions of limited capacity, asking to enter a link, side lanes (Numba).

See `simulation.traffic.event_kernels` for the model.
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.heap_kernels import due, inlined, kernel, schedule, tie_of
from simulation.traffic.layout import NONE
from simulation.traffic.link_kernels import (
    after_leaving,
    green_from,
    left,
    next,
    schedule_head,
    schedule_service,
    step_on,
)

#: Time, s, that settles who is first of two vehicles that could go at the same instant: the other one looks again then.
MOMENT = 1e-6


@inlined
def link_of(v, asker):
    n = v.links.size
    if asker < n:
        return asker
    return np.int64(v.lanes[asker - n].link)


@kernel
def vehicle(v, asker):
    """Trip and row of an asker."""
    n = v.links.size
    if asker < n:
        slot = v.links[asker].ring_start + v.links[asker].head
        return np.int64(v.slots[slot].trip), np.int64(v.slots[slot].row)
    trip = np.int64(v.lanes[asker - n].first)
    return trip, np.int64(v.trips[trip].row)


@kernel
def gap_from(v, link, time):
    """First instant from which the next vehicle of every link with priority may be a critical gap away.

    The head of such a link counts from when it is expected at the stop line until the instant it comes there; one that
    stands there and waits for room is let out of account (vehicles then alternate).
    """
    spec = v.links[link]
    at = time
    for k in range(spec.yield_start, spec.yield_end):
        other = np.int64(v.pool[k])
        comes = due(v.events, other)
        if time <= comes < time + spec.critical_gap:
            at = max(at, comes)
        if comes_now(v, other, time):
            at = max(at, time + MOMENT)
    return at


@kernel
def comes_now(v, link, time):
    """Whether a vehicle has come to the stop line of a link, or into a side lane of it, at this very instant."""
    n = v.links.size
    found = v.askers[link].target != NONE and v.askers[link].since == time
    for s in range(v.links[link].lane_start, v.links[link].lane_start + v.links[link].lane_count):
        found |= v.lanes[s].count > 0 and v.askers[n + s].since == time
    return found


@inlined
def leave_from(v, asker, link, time):
    """Earliest instant at or after `time` at which an asker may cross the stop line, its target apart."""
    n = v.links.size
    at = time
    if asker >= n:
        lane = v.lanes[asker - n]
        at = max(at, lane.last_out + lane.headway)
    node = v.links[link].node
    if node != NONE:
        clear = v.lanes[node].last_out + v.lanes[node].headway
        if v.lanes[node].link == link:  # the other streets first
            clear += MOMENT
        at = max(at, clear)
    if v.links[link].yield_end > v.links[link].yield_start and at <= time:
        at = gap_from(v, link, at)
    if v.links[link].cycle > 0.0:
        at = green_from(v.links, link, at)
    return at


@inlined
def cross(v, link, time):
    """A vehicle crosses the junction at the end of a link."""
    node = v.links[link].node
    if node != NONE:
        v.lanes[node].last_out = time
        v.lanes[node].link = link


@kernel
def ask(v, asker, target, time, since):
    """An asker wants to enter `target`."""
    v.askers[asker].target = target
    v.askers[asker].since = since
    v.askers[asker].next = v.links[target].ask_head
    v.links[target].ask_head = asker
    v.askers[asker].stamp = v.links[target].clock + v.links[link_of(v, asker)].turn
    schedule_service(v, target, time)


@kernel
def withdraw(v, asker):
    target = v.askers[asker].target
    other = v.links[target].ask_head
    if other == asker:
        v.links[target].ask_head = v.askers[asker].next
    else:
        while v.askers[other].next != asker:
            other = v.askers[other].next
        v.askers[other].next = v.askers[asker].next
    v.askers[asker].target = NONE
    v.askers[asker].next = NONE


@kernel
def lane_for(v, link, target):
    """Side lane of a link that leads to `target` alone or among others, or any that is free; NONE without room.

    Second value: whether the lane belongs to its targets, so that no one else overtakes its queue.
    """
    spec = v.links[link]
    for s in range(spec.lane_start, spec.lane_start + spec.lane_count):
        lane = v.lanes[s]
        if lane.target_start == lane.target_end:
            if lane.count == 0:
                return s, False
        else:
            for k in range(lane.target_start, lane.target_end):
                if v.pool[k] == target:
                    return s, True
    return NONE, False


@kernel
def step_aside(v, link, s, time):
    """Move the head of a link's queue to the end of a side lane; the next one may then come to the stop line."""
    spec = v.links[link]
    slot = spec.ring_start + spec.head
    trip = v.slots[slot].trip
    v.trips[trip].entry = v.slots[slot].entry
    v.trips[trip].row = v.slots[slot].row
    v.trips[trip].next = NONE
    if v.lanes[s].first == NONE:
        v.lanes[s].first = trip
    else:
        v.trips[v.lanes[s].last].next = trip
    v.lanes[s].last = trip
    v.lanes[s].count += 1
    spec.aside += 1
    step_on(v, link)
    if spec.count > spec.aside:
        schedule_head(v, link, time)


@kernel
def ask_from_lane(v, table, s, time):
    """The first vehicle of a side lane asks for its next link."""
    trip = v.lanes[s].first
    target = next(v, table, np.int64(v.lanes[s].link), np.int64(v.trips[trip].row))
    if target < 0:  # no way on any more: it goes where its lane leads
        target = np.int64(v.pool[v.lanes[s].target_start])
    ask(v, v.links.size + s, target, time, time)


@kernel
def fill_lane(v, table, link, s, time):
    """There is room in a side lane again: the head of the queue that waits for it steps aside."""
    spec = v.links[link]
    if spec.count <= spec.aside:
        return
    target = np.int64(v.askers[link].target)
    if target == NONE:
        if v.events[link].place == NONE:  # it waits for room in its lane
            at = green_from(v.links, link, time)
            schedule(v.events, link, at, tie_of(v.links[link].key, v.rule[0].seed, at))
        return
    if v.lanes[s].target_start == v.lanes[s].target_end:
        stamp = v.askers[link].stamp
        since = v.askers[link].since
        withdraw(v, link)
        step_aside(v, link, s, time)
        ask(v, v.links.size + s, target, time, since)
        v.askers[v.links.size + s].stamp = stamp


@kernel
def leave_lane(v, table, s, time):
    """The first vehicle of a side lane leaves the link; returns its trip and row."""
    link = np.int64(v.lanes[s].link)
    trip = np.int64(v.lanes[s].first)
    row = np.int64(v.trips[trip].row)
    left(v, link, trip, v.trips[trip].entry, time)
    v.links[link].count -= 1
    v.links[link].aside -= 1
    v.lanes[s].count -= 1
    v.lanes[s].last_out = time
    v.lanes[s].first = v.trips[trip].next
    if v.lanes[s].first == NONE:
        v.lanes[s].last = NONE
    else:
        ask_from_lane(v, table, s, time)
    fill_lane(v, table, link, s, time)
    after_leaving(v, link, time)
    return trip, row


@kernel
def into_lane(v, table, link, target, time):
    """The head of a link with side lanes: into the queue of its own lane, if there is one. Whether that is settled."""
    s, own = lane_for(v, link, target)
    if not own or v.lanes[s].count == 0:
        return False
    if v.lanes[s].count < v.lanes[s].capacity:
        step_aside(v, link, s, time)
    return True  # else the lane is full, and the queue behind it stands until there is room


@kernel
def ask_aside(v, link, target, time):
    """The head of a link cannot go on: it asks from a side lane where one is free, else from the stop line."""
    s, _ = lane_for(v, link, target)
    if s == NONE:
        ask(v, link, target, time, time)
    else:
        step_aside(v, link, s, time)
        ask(v, v.links.size + s, target, time, time)
