"""The traffic model, one event at a time (Numba). Arrays in, arrays changed; callers check ranges.

Vehicle form of the kinematic-wave model with a triangular fundamental diagram (Newell 1993,
doi:10.1016/0191-2615(93)90038-C; link transmission: Yperman 2007):

- a vehicle may leave a link at `entry + length / speed` at the earliest, one headway after the vehicle ahead, in green;
- it may enter a link one headway after the vehicle ahead, and once the backward wave of the exit `storage` exits ago
  has arrived: `exit + length / wave speed`. A ring of slots per link holds those exit times;
- a link is one queue, first in, first out, unless it has side lanes at its stop line: then a vehicle that cannot go on
  steps aside, as long as there is room, and those behind it pass;
- links that want to enter the same link are served by self-clocked fair queueing (Golestani 1994,
  doi:10.1109/INFCOM.1994.337677), so a saturated merge splits by the links' weights;
- who gives way goes when the next vehicle of every link with priority is a critical gap away (step function of
  Harders 1968); a junction may have a capacity; the queue before a bottleneck may discharge less than the free street;
- full links that wait for each other in a circle move on by one vehicle each, and a head that has stood long enough
  before a full link moves on to the first link of its route with room; both are counted, no vehicle ever vanishes.

Two kinds of event: `ready` (the head of link l may leave: event id l) and `serve` (link m takes one of the vehicles that
want to enter it: event id n + m). At equal times `ready` comes first, and ties within a kind are broken by the links'
keys and the instant, so that nothing depends on the links' numbers. At most two events a link wait.
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.heap_kernels import IN_HAND, due, inlined, kernel, schedule, sift_down, take_out, tie_of, tied
from simulation.traffic.layout import (
    ARRIVED,
    CIRCLES,
    DEPARTED,
    DISTANCE,
    END,
    ENTERED,
    FORCED,
    INFLOW,
    JUMPS,
    LOG_SIZE,
    LOST,
    MAX_CIRCLE,
    N_FLOWS,
    NEXT_TRIP,
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

INF = np.inf
SERVE_BIT = np.uint32(1 << 31)
#: Rows of the log that one event may fill besides those of a circle.
LOG_MARGIN = 1024
#: What `advance` returns.
REACHED, LOG_FULL, STOPPED = range(3)


# --- when a vehicle may move ----------------------------------------------------------------------------------------


@inlined
def _green_from(v, link, time):
    """First instant at or after `time` at which the signal at the link's end is green.

    The beginning of a green is always the same number, whichever instant it is asked from.
    """
    cycle = v.links[link].cycle
    if cycle <= 0.0:
        return time
    start = v.links[link].green_start
    turn = np.floor((time - start) / cycle)
    if time - (start + turn * cycle) < v.links[link].green:
        return time
    return max(start + (turn + 1.0) * cycle, time)


@kernel
def _left_lanes(v, link):
    """Factor on the headway of a link of whose lanes at the stop line some are taken."""
    spec = v.links[link]
    busy = 0
    for s in range(spec.lane_start, spec.lane_start + spec.lane_count):
        if v.lanes[s].count > 0:
            busy += 1
    return (spec.lane_count + 1.0) / (spec.lane_count + 1.0 - busy)


@inlined
def _head_time(v, link, time):
    """When the head of a link's queue may leave."""
    spec = v.links[link]
    at = v.slots[spec.ring_start + spec.head].entry + spec.free_time
    headway = spec.headway
    if spec.aside > 0:
        headway *= _left_lanes(v, link)
    if at < spec.last_out + headway:  # it stands in a queue
        at = spec.last_out + headway * spec.drop
    if time > at:
        at = time
    if spec.cycle > 0.0:
        at = _green_from(v, link, at)
    return at


@kernel
def _schedule_head(v, link, time):
    """Next `ready` event of a link whose queue holds at least one vehicle."""
    at = _head_time(v, link, time)
    schedule(v.events, link, at, tie_of(v.links[link].key, v.rule[0].seed, at))


@inlined
def _accept_time(v, link):
    """Earliest instant at which one more vehicle may enter; inf while the link is full."""
    spec = v.links[link]
    if spec.count >= spec.storage:
        return INF
    tail = spec.head + spec.count - spec.aside - spec.storage
    if tail < 0:
        tail += spec.ring_size
        if tail < 0:
            tail += spec.ring_size
    elif tail >= spec.ring_size:
        tail -= spec.ring_size
    space = v.slots[spec.ring_start + tail].exit + spec.wave_time
    flow = spec.last_entry + spec.headway_in
    if spec.ask_head != NONE:  # a queue waits to enter
        flow = spec.last_entry + spec.headway_in * spec.drop
    return max(space, flow)


@kernel
def _gap_from(v, link, time):
    """First instant from which the next vehicle of every link with priority may be a critical gap away.

    The head of such a link counts from when it is expected at the stop line; one that stands there and waits for room
    is let out of account (vehicles then alternate).
    """
    spec = v.links[link]
    at = time
    for k in range(spec.yield_start, spec.yield_end):
        comes = due(v.events, np.int64(v.pool[k]))
        if time <= comes < time + spec.critical_gap:
            at = max(at, comes)
    return at


@inlined
def _leave_from(v, asker, link, time):
    """Earliest instant at or after `time` at which an asker may cross the stop line, its target apart."""
    n = v.links.size
    at = time
    if asker >= n:
        lane = v.lanes[asker - n]
        at = max(at, lane.last_out + lane.headway)
    node = v.links[link].node
    if node != NONE:
        at = max(at, v.lanes[node].last_out + v.lanes[node].headway)
    if v.links[link].yield_end > v.links[link].yield_start and at <= time:
        at = _gap_from(v, link, at)
    return _green_from(v, link, at)


@kernel
def _oldest_request(v, link):
    since = INF
    if v.links[link].gate_head != NONE:
        since = v.links[link].gate_since
    other = v.links[link].ask_head
    while other != NONE:
        since = min(since, v.askers[other].since)
        other = v.askers[other].next
    return since


@kernel
def _schedule_service(v, link, time):
    """Next `serve` event of a link that somebody wants to enter; a full link is asked again when patience ends."""
    at = _accept_time(v, link)
    if at == INF:
        at = max(_oldest_request(v, link) + v.rule[0].patience, time + 1.0)
    _serve_at(v, link, max(at, time))


@inlined
def _serve_at(v, link, at):
    """Put the `serve` event of a link at an instant."""
    tie = np.uint32(tie_of(v.links[link].key, v.rule[0].seed, at) | SERVE_BIT)
    schedule(v.events, v.links.size + link, at, tie)


# --- moving ---------------------------------------------------------------------------------------------------------


@kernel
def _book_exit(v, link, trip, spent, time):
    """Flows by class of a vehicle that leaves."""
    klass = v.trips[trip].vehicle_class
    length = v.links[link].length
    v.flow[link, klass, OCCUPANCY] -= 1
    v.flow[link, klass, TIME_SUM] += time
    v.flow[link, klass, OUTFLOW] += 1
    v.flow[link, klass, DISTANCE] += 0.5 * length
    speed_bin = int(length / max(spent, 1e-3) * 3.6 / 5.0)
    speed_bin = min(speed_bin, v.flow.shape[2] - N_FLOWS - 1)
    v.flow[link, klass, N_FLOWS + speed_bin] += length
    v.trips[trip].free_time += v.links[link].free_time
    v.trips[trip].distance += length


@inlined
def _left(v, link, trip, entry, time):
    """What the link notes when a vehicle has left it, from its queue or from a side lane."""
    spec = v.links[link]
    place = spec.head - spec.aside
    if place < 0:
        place += spec.ring_size
    v.slots[spec.ring_start + place].exit = time
    spec.exit_time_sum += time - entry
    spec.exit_count += 1
    v.total[TRAVERSALS] += 1
    if v.rule[0].books:
        _book_exit(v, link, trip, time - entry, time)


@inlined
def _after_leaving(v, link, time):
    """There is room again for those who want to enter."""
    if v.links[link].ask_head != NONE or v.links[link].gate_head != NONE:
        _schedule_service(v, link, time)


@inlined
def _step_on(v, link):
    """Take the head off the link's queue."""
    spec = v.links[link]
    head = spec.head + 1
    spec.head = 0 if head == spec.ring_size else head


@inlined
def _take_head(v, link, time):
    """Take the head of the queue off the link; returns its trip and row. The next head is the caller's to schedule."""
    spec = v.links[link]
    slot = spec.ring_start + spec.head
    trip = np.int64(v.slots[slot].trip)
    row = np.int64(v.slots[slot].row)
    _left(v, link, trip, v.slots[slot].entry, time)
    _step_on(v, link)
    spec.count -= 1
    spec.last_out = time
    return trip, row


@kernel
def _leave(v, link, time):
    """The head of the queue leaves the link; returns its trip and row."""
    trip, row = _take_head(v, link, time)
    if v.links[link].count > v.links[link].aside:
        _schedule_head(v, link, time)
    _after_leaving(v, link, time)
    return trip, row


@kernel
def _leave_lane(v, table, s, time):
    """The first vehicle of a side lane leaves the link; returns its trip and row."""
    link = np.int64(v.lanes[s].link)
    trip = np.int64(v.lanes[s].first)
    row = np.int64(v.trips[trip].row)
    _left(v, link, trip, v.trips[trip].entry, time)
    v.links[link].count -= 1
    v.links[link].aside -= 1
    v.lanes[s].count -= 1
    v.lanes[s].last_out = time
    v.lanes[s].first = v.trips[trip].next
    if v.lanes[s].first == NONE:
        v.lanes[s].last = NONE
    else:
        _ask_from_lane(v, table, s, time)
    _fill_lane(v, table, link, s, time)
    _after_leaving(v, link, time)
    return trip, row


@inlined
def _put_in(v, link, trip, row, time):
    """Put a vehicle at the end of a link; the caller schedules it where it is the head of its queue."""
    spec = v.links[link]
    place = spec.head + spec.count - spec.aside
    if place >= spec.ring_size:
        place -= spec.ring_size
    slot = spec.ring_start + place
    v.slots[slot].trip = trip
    v.slots[slot].row = row
    v.slots[slot].entry = time
    v.slots[slot].exit = INF
    spec.count += 1
    spec.last_entry = time
    if v.rule[0].books:
        _book_entry(v, link, trip, time)
    if v.rule[0].log:
        _log(v, trip, link, time)


@kernel
def _enter(v, link, trip, row, time):
    """A vehicle enters a link."""
    _put_in(v, link, trip, row, time)
    if v.links[link].count == v.links[link].aside + 1:
        _schedule_head(v, link, time)


@kernel
def _book_entry(v, link, trip, time):
    klass = v.trips[trip].vehicle_class
    v.flow[link, klass, OCCUPANCY] += 1
    v.flow[link, klass, TIME_SUM] -= time
    v.flow[link, klass, INFLOW] += 1
    v.flow[link, klass, DISTANCE] += 0.5 * v.links[link].length


@inlined
def _log(v, trip, link, time):
    k = v.total[LOG_SIZE]
    v.log[k].time = time
    v.log[k].trip = trip
    v.log[k].link = link
    v.total[LOG_SIZE] = k + 1


@inlined
def _next(v, table, link, row):
    """Link that follows on a vehicle's route, END or NONE."""
    if row >= 0:
        return np.int64(table[row, link])
    return np.int64(v.pool[~row + 1])


@inlined
def _onward(row):
    """The row of a vehicle that has moved on by one link."""
    if row >= 0:
        return row
    return row - 1  # ~(position + 1)


@inlined
def _arrive(v, trip, time):
    klass = v.trips[trip].vehicle_class
    v.total[ARRIVED] += 1
    v.trip_stats[klass, STAT_TRIPS] += 1
    v.trip_stats[klass, STAT_TIME] += time - v.trips[trip].depart
    v.trip_stats[klass, STAT_DISTANCE] += v.trips[trip].distance
    v.trip_stats[klass, STAT_FREE_TIME] += v.trips[trip].free_time
    v.trips[trip].origin = NONE
    if v.rule[0].log:
        _log(v, trip, END, time)


@inlined
def _lose(v, trip, time):
    """No way on: the trip ends here and is counted, never silently."""
    v.trips[trip].origin = NONE
    v.total[LOST] += 1
    if v.rule[0].log:
        _log(v, trip, NONE, time)


# --- asking to enter a link -----------------------------------------------------------------------------------------


@inlined
def _link_of(v, asker):
    n = v.links.size
    if asker < n:
        return asker
    return np.int64(v.lanes[asker - n].link)


@kernel
def _vehicle(v, asker):
    """Trip and row of an asker."""
    n = v.links.size
    if asker < n:
        slot = v.links[asker].ring_start + v.links[asker].head
        return np.int64(v.slots[slot].trip), np.int64(v.slots[slot].row)
    trip = np.int64(v.lanes[asker - n].first)
    return trip, np.int64(v.trips[trip].row)


@kernel
def _ask(v, asker, target, time, since):
    """An asker wants to enter `target`."""
    v.askers[asker].target = target
    v.askers[asker].since = since
    v.askers[asker].next = v.links[target].ask_head
    v.links[target].ask_head = asker
    v.askers[asker].stamp = v.links[target].clock + v.links[_link_of(v, asker)].turn
    _schedule_service(v, target, time)


@kernel
def _withdraw(v, asker):
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
def _lane_for(v, link, target):
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
def _step_aside(v, link, s, time):
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
    _step_on(v, link)
    spec.last_out = time
    if spec.count > spec.aside:
        _schedule_head(v, link, time)


@kernel
def _ask_from_lane(v, table, s, time):
    """The first vehicle of a side lane asks for its next link."""
    trip = v.lanes[s].first
    target = _next(v, table, np.int64(v.lanes[s].link), np.int64(v.trips[trip].row))
    if target < 0:  # no way on any more: it goes where its lane leads
        target = np.int64(v.pool[v.lanes[s].target_start])
    _ask(v, v.links.size + s, target, time, time)


@kernel
def _fill_lane(v, table, link, s, time):
    """There is room in a side lane again: the head of the queue that waits for it steps aside."""
    spec = v.links[link]
    if spec.count <= spec.aside:
        return
    target = np.int64(v.askers[link].target)
    if target == NONE:
        if v.events[link].place == NONE:  # it waits for room in its lane
            at = _green_from(v, link, time)
            schedule(v.events, link, at, tie_of(v.links[link].key, v.rule[0].seed, at))
        return
    if v.lanes[s].target_start == v.lanes[s].target_end:
        stamp = v.askers[link].stamp
        since = v.askers[link].since
        _withdraw(v, link)
        _step_aside(v, link, s, time)
        _ask(v, v.links.size + s, target, time, since)
        v.askers[v.links.size + s].stamp = stamp


@inlined
def _cross(v, link, time):
    """A vehicle crosses the junction at the end of a link."""
    node = v.links[link].node
    if node != NONE:
        v.lanes[node].last_out = time


@kernel
def _into_lane(v, table, link, target, time):
    """The head of a link with side lanes: into the queue of its own lane, if there is one. Whether that is settled."""
    s, own = _lane_for(v, link, target)
    if not own or v.lanes[s].count == 0:
        return False
    if v.lanes[s].count < v.lanes[s].capacity:
        _step_aside(v, link, s, time)
    return True  # else the lane is full, and the queue behind it stands until there is room


@kernel
def _ask_aside(v, link, target, time):
    """The head of a link cannot go on: it asks from a side lane where one is free, else from the stop line."""
    s, _ = _lane_for(v, link, target)
    if s == NONE:
        _ask(v, link, target, time, time)
    else:
        _step_aside(v, link, s, time)
        _ask(v, v.links.size + s, target, time, time)


@inlined
def _on_ready(v, table, link, time):
    """The head of a link is at the stop line in green: it arrives, goes on, steps aside, or asks for its next link."""
    spec = v.links[link]
    target = _next(v, table, link, np.int64(v.slots[spec.ring_start + spec.head].row))
    if target >= 0:
        if spec.lane_count > 0 and _into_lane(v, table, link, target, time):
            return
        into = v.links[target]
        if (
            into.ask_head != NONE
            or into.gate_head != NONE
            or _accept_time(v, target) > time
            or tied(v.events, time)
            or _leave_from(v, link, link, time) > time
        ):
            if spec.lane_count > 0:
                _ask_aside(v, link, target, time)
            else:
                _ask(v, link, target, time, time)
            return
        into.clock += spec.turn  # nobody to wait for: the request is served at once
        _cross(v, link, time)
    trip, row = _take_head(v, link, time)
    if spec.count > spec.aside:
        at = _head_time(v, link, time)
        sift_down(v.events, 0, at, tie_of(spec.key, v.rule[0].seed, at), link)
    _after_leaving(v, link, time)
    if target >= 0:
        _enter(v, target, trip, _onward(row), time)
    elif target == END:
        _arrive(v, trip, time)
    else:
        _lose(v, trip, time)


@inlined
def _first_in_line(v, link, time):
    """Who is next to enter a link: the asker with the earliest stamp among those who may go now, or NONE.

    Second value: when another asker may go at the earliest.
    """
    best = np.int64(NONE)
    best_stamp = INF
    later = INF
    other = np.int64(v.links[link].ask_head)
    while other != NONE:
        start = _link_of(v, other)
        at = _leave_from(v, other, start, time)
        if at > time:
            later = min(later, at)
            if _green_from(v, start, time) > time:
                v.askers[other].stamp = INF
        else:
            if v.askers[other].stamp == INF:
                v.askers[other].stamp = v.links[link].clock + v.links[start].turn
            stamp = v.askers[other].stamp
            if stamp < best_stamp or (stamp == best_stamp and _goes_first(v, start, _link_of(v, best), time)):
                best = other
                best_stamp = stamp
        other = np.int64(v.askers[other].next)
    return best, best_stamp, later


@kernel
def _goes_first(v, one, other, time):
    """Which of two links goes first where nothing else tells: by their keys, another one at each instant."""
    seed = v.rule[0].seed
    return tie_of(v.links[one].key, seed, time) < tie_of(v.links[other].key, seed, time)


@inlined
def _on_serve(v, table, link, time):
    """Let one vehicle into a link, or find out when that is possible."""
    n = v.links.size
    spec = v.links[link]
    at = _accept_time(v, link)
    if at > time:
        if at == INF:
            at = _stand_still(v, table, link, time)
        if spec.ask_head != NONE or spec.gate_head != NONE:
            _serve_at(v, link, at)
        return
    best, best_stamp, later = _first_in_line(v, link, time)
    gap = spec.count < max(1.0, v.rule[0].gate_fill * spec.storage)
    trip = np.int64(NONE)
    row = np.int64(0)
    if gap and spec.gate_head != NONE and spec.gate_stamp < best_stamp:
        trip = np.int64(spec.gate_head)
        row = np.int64(v.trips[trip].row)
        spec.gate_head = v.trips[trip].next
        spec.gate_count -= 1
        spec.clock = spec.gate_stamp
        spec.gate_stamp += spec.turn
        spec.gate_since = time
        v.total[ENTERED] += 1
    elif best != NONE:
        _withdraw(v, best)
        spec.clock = best_stamp
        if best < n:
            trip, row = _take_head(v, best, time)
            _cross(v, best, time)
            if v.links[best].count > v.links[best].aside:
                _schedule_head(v, best, time)
            _after_leaving(v, best, time)
        else:
            start = _link_of(v, best)
            trip, row = _leave_lane(v, table, best - n, time)
            _cross(v, start, time)
        row = _onward(row)
    if trip != NONE:
        _enter(v, link, trip, row, time)
        later = time
    if spec.ask_head != NONE or (gap and spec.gate_head != NONE):
        if later > time:  # nobody may go now
            _serve_at(v, link, max(later, _accept_time(v, link)))
        else:
            _schedule_service(v, link, time)


@inlined
def _depart(v, first, trip, time):
    """A trip starts: on its first link where nobody is before it, else it waits at the gate."""
    link = np.int64(v.trips[trip].origin)
    if link < NONE:  # it begins at a node: the best first link as of now
        link = np.int64(first[v.trips[trip].row, NONE - 1 - link])
        v.trips[trip].origin = link
    v.total[DEPARTED] += 1
    if link == NONE:
        _lose(v, trip, time)
        return
    spec = v.links[link]
    if (
        spec.gate_head == NONE
        and spec.ask_head == NONE
        and spec.count < max(1.0, v.rule[0].gate_fill * spec.storage)
        and _accept_time(v, link) <= time
        and (v.events[v.events.size - 1].id == 0 or v.events[0].time > time)
    ):
        spec.clock += spec.turn
        v.total[ENTERED] += 1
        _enter(v, link, trip, np.int64(v.trips[trip].row), time)
        return
    v.trips[trip].next = NONE
    spec.gate_count += 1
    if spec.gate_head == NONE:
        spec.gate_head = trip
        spec.gate_since = time
        spec.gate_stamp = max(spec.clock, spec.gate_stamp) + spec.turn
        _schedule_service(v, link, time)
    else:
        v.trips[spec.gate_tail].next = trip
    spec.gate_tail = trip


# --- where no one could move ----------------------------------------------------------------------------------------


@kernel
def _stand_still(v, table, link, time):
    """A full link that others have asked for long: look for ways out. Returns when to look again."""
    patience = v.rule[0].patience
    if time - _oldest_request(v, link) >= patience - 1e-6:
        _choose_again(v, table, link, time)
        _turn_circle(v, table, link, time)
        _jump(v, table, link, time)
    return time + patience


@kernel
def _choose_again(v, table, link, time):
    """Askers of a full link take another one if their routes have changed since they asked."""
    other = np.int64(v.links[link].ask_head)
    while other != NONE:
        following = np.int64(v.askers[other].next)
        _, row = _vehicle(v, other)
        target = _next(v, table, _link_of(v, other), row)
        if target != link and target >= 0:
            since = v.askers[other].since
            _withdraw(v, other)
            _ask(v, other, target, time, since)
        other = following


@kernel
def _jump(v, table, link, time):
    """Askers that have stood before a full link for long leave the jam: on their route, to the first link with room.

    Where all of the rest of the route is full, the trip ends. The rule is SUMO's (`time-to-teleport`); it keeps an
    overloaded network from locking for good. Moved vehicles are counted.
    """
    n = v.links.size
    other = np.int64(v.links[link].ask_head)
    while other != NONE:
        following = np.int64(v.askers[other].next)
        if time - v.askers[other].since >= v.rule[0].jump:
            trip, row = _vehicle(v, other)
            at = link
            row = _onward(row)
            while v.links[at].count >= v.links[at].storage:
                on = _next(v, table, at, row)
                if on < 0:
                    if on == NONE:
                        at = NONE
                    break
                at = on
                row = _onward(row)
            if at != NONE:
                _withdraw(v, other)
                if other < n:
                    _leave(v, other, time)
                else:
                    _leave_lane(v, table, other - n, time)
                v.total[FORCED] += 1
                v.total[JUMPS] += 1
                if v.links[at].count < v.links[at].storage:
                    _enter(v, at, trip, row, time)
                else:
                    _arrive(v, trip, time)
                following = np.int64(v.links[link].ask_head)  # the list may have changed
        other = following


@kernel
def _turn_circle(v, table, first, time):
    """Resolve a deadlock: where full links wait for each other in a circle, the head of each moves on by one.

    Only then could no vehicle of the circle ever move; signals are passed at red. Moved vehicles are counted.
    """
    link = first
    length = 0
    while True:
        spec = v.links[link]
        if length == MAX_CIRCLE or spec.count < spec.storage or spec.count == spec.aside:
            return
        slot = spec.ring_start + spec.head
        if v.slots[slot].entry + spec.free_time > time:
            return
        v.pool[length] = link
        length += 1
        link = _next(v, table, link, np.int64(v.slots[slot].row))
        if link < 0:
            return
        if link == first:
            break
        for k in range(1, length):
            if v.pool[k] == link:  # a circle further on, which finds itself
                return
    for k in range(length):
        link = np.int64(v.pool[k])
        if v.askers[link].target != NONE:
            _withdraw(v, link)
        trip, row = _leave(v, link, time)
        v.pool[MAX_CIRCLE + k] = trip
        v.pool[2 * MAX_CIRCLE + k] = row
    for k in range(length):
        row = _onward(np.int64(v.pool[2 * MAX_CIRCLE + k]))
        _enter(v, np.int64(v.pool[(k + 1) % length]), np.int64(v.pool[MAX_CIRCLE + k]), row, time)
    v.total[FORCED] += length
    v.total[CIRCLES] += 1


# --- the loop -------------------------------------------------------------------------------------------------------


@kernel
def advance(v, table, first, until, max_events):
    """Handle every event before `until` (s), at most `max_events`; events at `until` stay for the next call.

    `table` is (rows, n): link to take at the end of each link, END or NONE; `first` (rows, origins): link to begin on.
    Trips from `NEXT_TRIP` on are in order of departure. Returns REACHED, LOG_FULL (make room and call again) or STOPPED.
    """
    n = v.links.size
    n_trips = v.trips.size
    room = v.log.size - MAX_CIRCLE - LOG_MARGIN
    left = max_events
    departure = INF
    trip = v.total[NEXT_TRIP]
    if trip < n_trips:
        departure = v.trips[trip].depart
    while True:
        if v.total[LOG_SIZE] > room and v.rule[0].log:
            return LOG_FULL
        if left == 0:
            return STOPPED
        left -= 1
        time = INF
        if v.events[2 * n].id > 0:
            time = v.events[0].time
        if departure <= time:
            if departure >= until:
                return REACHED
            v.total[NEXT_TRIP] = trip + 1
            _depart(v, first, trip, departure)
            trip += 1
            departure = v.trips[trip].depart if trip < n_trips else INF
            continue
        if time >= until:
            return REACHED
        event = np.int64(v.events[0].id)
        v.events[event].place = IN_HAND
        v.events[0].time = -INF
        if event < n:
            _on_ready(v, table, event, time)
        else:
            _on_serve(v, table, event - n, time)
        if v.events[event].place == IN_HAND:
            v.events[event].place = NONE
            take_out(v.events, np.int64(0))


@kernel
def reschedule(v, changed, time):
    """After some links have changed: bring their events in line with the new headways, signals and storage."""
    n = v.links.size
    for link in changed:
        if v.links[link].count > v.links[link].aside and v.askers[link].target == NONE:
            _schedule_head(v, link, time)
        for s in range(v.links[link].lane_start, v.links[link].lane_start + v.links[link].lane_count):
            if v.lanes[s].count > 0:
                _schedule_service(v, np.int64(v.askers[n + s].target), time)
        if v.askers[link].target != NONE:
            _schedule_service(v, np.int64(v.askers[link].target), time)
        if v.links[link].ask_head != NONE or v.links[link].gate_head != NONE:
            _schedule_service(v, link, time)
