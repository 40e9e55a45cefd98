"""The stop line: giving way, junctions of limited capacity, asking to enter a link, side lanes (Numba).

See `simulation.traffic.event_kernels` for the model.
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.heap_kernels import due, inlined, kernel, schedule, tie_of
from simulation.traffic.layout import NONE, YIELD, YIELD_GAP, YIELD_LEAD, YIELD_TARGET, YIELD_THEN, YIELD_TO
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
def gap_from(v, table, link, target, time, since):
    """First instant from which the next vehicle of every stream with priority may be a critical gap away.

    The head of a link with priority counts from when it is expected at the junction until the instant it comes there;
    one that stands there and waits for room is let out of account (vehicles then alternate). Who has waited for long
    takes shorter and shorter gaps.
    """
    waited = time - since - v.rule[0].calm
    share = 1.0
    if waited > 0.0:
        share = max(1.0 - waited / v.rule[0].calm, 0.0)
    at = time
    for k in range(v.links[link].yield_start, v.links[link].yield_end, YIELD):
        if v.pool[k + YIELD_TARGET] != target and v.pool[k + YIELD_TARGET] != NONE:
            continue
        other = np.int64(v.pool[k + YIELD_TO])
        lead = 0.001 * v.pool[k + YIELD_LEAD]
        comes = due(v.events, other)
        if comes < np.inf:
            comes += lead
            if time <= comes < time + 0.001 * v.pool[k + YIELD_GAP] * share:
                bound = v.pool[k + YIELD_THEN]
                slot = v.links[other].ring_start + v.links[other].head
                if bound == NONE or next(v, table, other, np.int64(v.slots[slot].row)) == bound:
                    at = max(at, comes)
        if lead == 0.0 and share > 0.0 and comes_now(v, other, time):
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
def leave_from(v, table, asker, link, target, time, since):
    """Earliest instant at or after `time` at which an asker may cross the stop line for its target."""
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
        at = gap_from(v, table, link, target, at, since)
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
def own_lane(v, link, target):
    """Turn pocket of a link for vehicles bound for `target`; NONE where its side lanes are for any."""
    spec = v.links[link]
    for s in range(spec.lane_start, spec.lane_start + spec.lane_count):
        for k in range(v.lanes[s].target_start, v.lanes[s].target_end):
            if v.pool[k] == target:
                return s
    return NONE


@kernel
def free_lane(v, link):
    """A free side lane for any target, or NONE."""
    spec = v.links[link]
    for s in range(spec.lane_start, spec.lane_start + spec.lane_count):
        if v.lanes[s].target_start == v.lanes[s].target_end and v.lanes[s].count == 0:
            return s
    return NONE


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
        else:
            schedule_head(v, link, time)  # one lane more: it may come earlier
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
def into_pocket(v, table, link, s, time):
    """The head of a link takes its place in its turn pocket, unless nobody is before it. Whether that is settled."""
    lane = v.lanes[s]
    if lane.count == 0 and lane.last_out + lane.headway <= time:
        return False
    if lane.count < lane.capacity:
        step_aside(v, link, s, time)
        if lane.count == 1:
            ask_from_lane(v, table, s, time)
    return True  # else the pocket is full, and the queue behind it stands until there is room


@kernel
def ask_aside(v, link, s, target, time):
    """The head of a link cannot go on: it asks from a side lane where one is free, else from the stop line."""
    if s == NONE:
        s = free_lane(v, link)
    if s == NONE:
        ask(v, link, target, time, time)
    else:
        step_aside(v, link, s, time)
        ask(v, v.links.size + s, target, time, time)
