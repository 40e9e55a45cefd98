"""Links of the traffic kernel: when vehicles may leave and enter, and what is noted when they do (Numba).

See `simulation.traffic.event_kernels` for the model.
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.heap_kernels import inlined, kernel, schedule, tie_of
from simulation.traffic.layout import (
    ARRIVED,
    DISTANCE,
    END,
    INFLOW,
    LOG_SIZE,
    LOST,
    N_FLOWS,
    NONE,
    OCCUPANCY,
    OUTFLOW,
    STAT_DISTANCE,
    STAT_FREE_TIME,
    STAT_TIME,
    STAT_TRIPS,
    TIME_SUM,
    TRAVERSALS,
)
from simulation.traffic.speed_kernels import knot_below

INF = np.inf
#: Times that differ by less are the same, s: whoever comes at exactly capacity is not taken for a queue by rounding.
SAME = 1e-6
SERVE_BIT = np.uint32(1 << 31)


@kernel
def green_from(links, link, time):
    """First instant at or after `time` at which the signal at the link's end is green.

    The beginning of a green is always the same number, whichever instant it is asked from; inf without a green.
    """
    cycle = links[link].cycle
    if cycle <= 0.0:
        return time
    if links[link].green <= 0.0:
        return INF
    start = links[link].green_start
    turn = np.floor((time - start) / cycle)
    if time - (start + turn * cycle) < links[link].green:
        return time
    return max(start + (turn + 1.0) * cycle, time)


@kernel
def lane_free_from(v, link, factor):
    """When one of several lanes may let a vehicle out: each lane, but those taken at the stop line, at its headway.

    The next vehicle leaves `abreast` headways of the link after the vehicle as many exits ahead as lanes are left.
    """
    spec = v.links[link]
    left = spec.abreast
    if spec.aside > 0:
        for s in range(spec.lane_start, spec.lane_start + spec.lane_count):
            if v.lanes[s].count > 0 and v.lanes[s].target_start == v.lanes[s].target_end:  # a pocket keeps its own
                left -= 1
        left = max(left, 1)
    place = spec.head - spec.aside - left
    while place < 0:
        place += spec.ring_size
    return v.slots[spec.ring_start + place].exit + spec.abreast * spec.headway * factor


@inlined
def head_time(v, link, time):
    """When the head of a link's queue may leave."""
    spec = v.links[link]
    at = v.slots[spec.ring_start + spec.head].entry + spec.free_time
    clear = spec.last_out + spec.headway if spec.abreast == 1 else lane_free_from(v, link, 1.0)
    if at < clear:
        if spec.drop > 1.0 and at < clear - SAME:  # it stands in a queue
            clear = spec.last_out + spec.headway * spec.drop
            if spec.abreast > 1:
                clear = lane_free_from(v, link, spec.drop)
        at = clear
    if time > at:
        at = time
    if spec.cycle > 0.0:
        at = green_from(v.links, link, at)
    return at


@kernel
def schedule_head(v, link, time):
    """Next `ready` event of a link whose queue holds at least one vehicle."""
    at = head_time(v, link, time)
    schedule(v.events, link, at, tie_of(v.links[link].key, v.rule[0].seed, at))


@kernel
def waits(v, link, time):
    """Whether somebody on another link asked to enter before an instant."""
    other = v.links[link].ask_head
    while other != NONE:
        if v.askers[other].since < time - SAME:
            return True
        other = v.askers[other].next
    return False


@inlined
def accept_time(v, link):
    """Earliest instant at which one more vehicle may enter; inf while the link is full."""
    spec = v.links[link]
    if spec.count >= spec.storage:
        return INF
    end = spec.head + spec.count - spec.aside  # may be one ring too far
    tail = end - spec.storage
    if tail < 0:
        tail += spec.ring_size
        if tail < 0:
            tail += spec.ring_size
    elif tail >= spec.ring_size:
        tail -= spec.ring_size
    space = v.slots[spec.ring_start + tail].exit + spec.wave_time
    before = spec.last_entry
    headway = spec.headway_in
    if spec.abreast > 1:  # of the vehicle before in the same lane
        place = end - spec.abreast
        while place < 0:
            place += spec.ring_size
        if place >= spec.ring_size:
            place -= spec.ring_size
        before = v.slots[spec.ring_start + place].entry
        headway *= spec.abreast
    if spec.drop > 1.0 and waits(v, link, before + headway):  # a queue waits to enter
        headway *= spec.drop
    return max(space, before + headway)


@kernel
def oldest_request(v, link):
    since = INF
    if v.links[link].gate_head != NONE:
        since = v.links[link].gate_since
    other = v.links[link].ask_head
    while other != NONE:
        since = min(since, v.askers[other].since)
        other = v.askers[other].next
    return since


@inlined
def serve_at(v, link, at):
    """Put the `serve` event of a link at an instant."""
    tie = np.uint32(tie_of(v.links[link].key, v.rule[0].seed, at) | SERVE_BIT)
    schedule(v.events, v.links.size + link, at, tie)


@kernel
def schedule_service(v, link, time):
    """Next `serve` event of a link that somebody wants to enter; a full link is asked again when patience ends."""
    at = accept_time(v, link)
    if at == INF:
        at = max(oldest_request(v, link) + v.rule[0].patience, time + 1.0)
    serve_at(v, link, max(at, time))


@kernel
def book_exit(v, link, trip, spent, time):
    """Flows by class of a vehicle that leaves."""
    klass = v.trips[trip].vehicle_class
    length = v.links[link].length
    v.flow[link, klass, OCCUPANCY] -= 1
    v.flow[link, klass, TIME_SUM] += time
    v.flow[link, klass, OUTFLOW] += 1
    v.flow[link, klass, DISTANCE] += 0.5 * length
    knot, share = knot_below(length, spent, v.flow.shape[2] - N_FLOWS)
    v.flow[link, klass, N_FLOWS + knot] += (1.0 - share) * length
    v.flow[link, klass, N_FLOWS + knot + 1] += share * length
    v.trips[trip].free_time += v.links[link].free_time
    v.trips[trip].distance += length


@kernel
def book_entry(v, link, trip, time):
    klass = v.trips[trip].vehicle_class
    v.flow[link, klass, OCCUPANCY] += 1
    v.flow[link, klass, TIME_SUM] -= time
    v.flow[link, klass, INFLOW] += 1
    v.flow[link, klass, DISTANCE] += 0.5 * v.links[link].length


@inlined
def left(v, link, trip, entry, time):
    """What the link notes when a vehicle has left it, from its queue or from a side lane."""
    spec = v.links[link]
    place = spec.head - spec.aside
    if place < 0:
        place += spec.ring_size
    v.slots[spec.ring_start + place].exit = time
    spec.last_out = time
    spec.exit_time_sum += time - entry
    spec.exit_count += 1
    v.total[TRAVERSALS] += 1
    if v.rule[0].books:
        book_exit(v, link, trip, time - entry, time)


@inlined
def after_leaving(v, link, time):
    """There is room again for those who want to enter."""
    if v.links[link].ask_head != NONE or v.links[link].gate_head != NONE:
        schedule_service(v, link, time)


@inlined
def step_on(v, link):
    """Take the head off the link's queue."""
    spec = v.links[link]
    head = spec.head + 1
    spec.head = 0 if head == spec.ring_size else head


@inlined
def take_head(v, link, time):
    """Take the head of the queue off the link; returns its trip and row. The next head is the caller's to schedule."""
    spec = v.links[link]
    slot = spec.ring_start + spec.head
    trip = np.int64(v.slots[slot].trip)
    row = np.int64(v.slots[slot].row)
    left(v, link, trip, v.slots[slot].entry, time)
    step_on(v, link)
    spec.count -= 1
    return trip, row


@kernel
def leave(v, link, time):
    """The head of the queue leaves the link; returns its trip and row."""
    trip, row = take_head(v, link, time)
    if v.links[link].count > v.links[link].aside:
        schedule_head(v, link, time)
    after_leaving(v, link, time)
    return trip, row


@inlined
def put_in(v, link, trip, row, time):
    """Put a vehicle at the end of a link; the caller schedules it where it is the head of its queue."""
    spec = v.links[link]
    place = spec.head + spec.count - spec.aside
    if place >= spec.ring_size:
        place -= spec.ring_size
    slot = spec.ring_start + place
    v.slots[slot].trip = trip
    v.slots[slot].row = row
    v.slots[slot].entry = time
    spec.count += 1
    spec.last_entry = time
    if v.rule[0].books:
        book_entry(v, link, trip, time)
    if v.rule[0].log:
        log(v, trip, link, time)


@kernel
def enter(v, link, trip, row, time):
    """A vehicle enters a link."""
    put_in(v, link, trip, row, time)
    if v.links[link].count == v.links[link].aside + 1:
        schedule_head(v, link, time)


@inlined
def log(v, trip, link, time):
    k = v.total[LOG_SIZE]
    v.log[k].time = time
    v.log[k].trip = trip
    v.log[k].link = link
    v.total[LOG_SIZE] = k + 1


@inlined
def next(v, table, link, row):
    """Link that follows on a vehicle's route, END or NONE."""
    if row >= 0:
        return np.int64(table[row, link])
    return np.int64(v.pool[~row + 1])


@inlined
def onward(row):
    """The row of a vehicle that has moved on by one link."""
    if row >= 0:
        return row
    return row - 1  # ~(position + 1)


@inlined
def arrive(v, trip, time):
    klass = v.trips[trip].vehicle_class
    v.total[ARRIVED] += 1
    v.trip_stats[klass, STAT_TRIPS] += 1
    v.trip_stats[klass, STAT_TIME] += time - v.trips[trip].depart
    v.trip_stats[klass, STAT_DISTANCE] += v.trips[trip].distance
    v.trip_stats[klass, STAT_FREE_TIME] += v.trips[trip].free_time
    v.trips[trip].origin = NONE
    if v.rule[0].log:
        log(v, trip, END, time)


@inlined
def lose(v, trip, time):
    """No way on: the trip ends here and is counted, never silently."""
    v.trips[trip].origin = NONE
    v.total[LOST] += 1
    if v.rule[0].log:
        log(v, trip, NONE, time)
