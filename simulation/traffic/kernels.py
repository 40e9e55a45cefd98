"""The traffic model, one event at a time (Numba). Arrays in, arrays changed; callers check ranges.

Vehicle form of the kinematic-wave model with a triangular fundamental diagram (Newell 1993,
doi:10.1016/0191-2615(93)90038-C; link transmission: Yperman 2007). A link is a first-in-first-out queue:

- a vehicle may leave a link at `entry + length / speed` at the earliest, one headway after the vehicle ahead, in green;
- it may enter a link one headway after the vehicle ahead, and once the backward wave of the exit of the vehicle
  `storage` places ahead has arrived: `exit + length / wave speed`. A ring of slots per link holds those exit times;
- full links that wait for each other in a circle move on by one vehicle each, and a head that stands before a full
  link for `JUMP_S` moves on to the first link of its route with room; both are counted, no vehicle ever vanishes;
- links that want to enter the same link are served by self-clocked fair queueing (Golestani 1994,
  doi:10.1109/INFCOM.1994.337677) with their capacities as weights, so a saturated merge splits by capacity.

Two kinds of event: `ready` (the head of link l may leave: event id l) and `serve` (link m takes one of the
vehicles that want to enter it: event id L + m). At equal times `ready` comes first. So at most two events a link wait.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

NONE = -1
INF = np.inf
JUMP_S = 60.0  # s at the head of a queue before a full link (MATSim: 10 s, SUMO: 300 s)
GATE_FILL = 0.7  # share of a link's storage above which nobody pulls out into it from the roadside; assumption
MAX_CIRCLE = 256  # links of the longest circle that is looked for

# positions in State.total
DEPARTED, ENTERED, ARRIVED, FORCED, TRAVERSALS, LOST, NEXT_TRIP, HEAP_SIZE = range(8)
# positions in the last axis of State.flow
TIME_SUM, DISTANCE, INFLOW, OUTFLOW, OCCUPANCY = range(5)
# positions in the columns of State.trip_stats (by class)
STAT_TRIPS, STAT_TIME, STAT_DISTANCE, STAT_FREE_TIME = range(4)

#: One link: what it is (may be changed between two calls of `advance`), and what happens on it.
LINK = np.dtype(
    [
        ("length", "f8"),  # m
        ("free_time", "f8"),  # s, length / free-flow speed
        ("headway_in", "f8"),  # s between vehicles at the capacity of the street
        ("headway", "f8"),  # s between vehicles that leave at its end
        ("wave_time", "f8"),  # s, length / backward wave speed
        ("cycle", "f8"),  # s, 0 where the end of the link has no signal
        ("green_start", "f8"),  # s into the cycle
        ("green", "f8"),  # s
        (
            "patience",
            "f8",
        ),  # s a vehicle asks for this link, while it is full, before a circle of such links is looked for
        ("storage", "i8"),  # vehicles that fit at jam density, at least 1
        ("ring_start", "i8"),  # first slot of its ring
        ("ring_size", "i8"),  # slots: the storage it was built with
        ("head", "i8"),  # slot of the first vehicle, counted from ring_start
        ("count", "i8"),  # vehicles on the link
        ("last_entry", "f8"),  # s
        ("last_exit", "f8"),  # s
        ("want", "i8"),  # link that the head asks for, NONE
        ("want_since", "f8"),  # s
        ("want_next", "i8"),  # next link in the same list of asking links, NONE
        ("ask_head", "i8"),  # first of the links that want to enter, NONE
        ("stamp", "f8"),  # virtual finish of the head's request
        ("finish", "f8"),  # virtual finish of the link's last service
        ("finish_at", "i8"),  # link where that was, NONE
        ("clock", "f8"),  # virtual time of this link's service
        ("gate_head", "i8"),  # first trip waiting to start on the link, NONE
        ("gate_tail", "i8"),
        ("gate_count", "i8"),
        ("gate_stamp", "f8"),  # virtual finish of the waiting trip's request
        ("gate_since", "f8"),  # s since when the first waiting trip asks
        ("exit_time_sum", "f8"),  # s of travel time of those who left since costs were read
        ("exit_count", "f8"),
    ]
)
#: One place in a link's ring.
SLOT = np.dtype([("trip", "i8"), ("entry", "f8"), ("exit", "f8")])  # exit: inf while occupied, -inf if never used
#: One trip, on the road or waiting.
TRIP = np.dtype(
    [
        ("origin", "i8"),  # link; NONE once the trip has ended
        ("dest", "i8"),  # row of the route table
        ("layer", "i8"),  # layer of the route table
        ("vehicle_class", "i8"),
        ("depart", "f8"),  # s
        ("free_time", "f8"),  # s at free flow, driven so far
        ("distance", "f8"),  # m driven so far
        ("next", "i8"),  # next trip at the same gate
    ]
)
#: Two events a link (`ready`, `serve`): the time of each, its place in the heap, and the heap itself.
EVENT = np.dtype([("time", "f8"), ("place", "i8"), ("heap", "i8")])


class State(NamedTuple):
    """Where everything is. Links n, ring slots S, trips T, vehicle classes C, speed bins B."""

    links: np.ndarray  # (n,) of LINK
    slots: np.ndarray  # (S,) of SLOT
    trips: np.ndarray  # (T,) of TRIP, in order of departure from NEXT_TRIP on
    events: np.ndarray  # (2 n,) of EVENT
    flow: np.ndarray  # (n, C, 5): s (exits minus entries), m, veh, veh since the last reading; vehicles on the link now
    speed_distance: np.ndarray  # (n, C, B) m
    total: np.ndarray  # (8,) int64
    trip_stats: np.ndarray  # (C, 4) of arrived trips: number, s, m, free-flow s


@njit(cache=True)
def _before(v, a, b):
    """Order of events: time, then `ready` before `serve` (ids below n), then id."""
    ta = v.events[a].time
    tb = v.events[b].time
    return ta < tb or (ta == tb and a < b)


@njit(cache=True)
def _sift_up(v, i):
    ev = v.events
    item = ev[i].heap
    while i > 0:
        parent = (i - 1) >> 1
        if not _before(v, item, ev[parent].heap):
            break
        ev[i].heap = ev[parent].heap
        v.events[ev[i].heap].place = i
        i = parent
    ev[i].heap = item
    v.events[item].place = i


@njit(cache=True)
def _sift_down(v, i):
    ev = v.events
    size = v.total[HEAP_SIZE]
    item = ev[i].heap
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and _before(v, ev[child + 1].heap, ev[child].heap):
            child += 1
        if not _before(v, ev[child].heap, item):
            break
        ev[i].heap = ev[child].heap
        v.events[ev[i].heap].place = i
        i = child
    ev[i].heap = item
    v.events[item].place = i


@njit(cache=True)
def _schedule(v, event, time):
    """Put an event at a time, or move it there."""
    at = v.events[event].place
    if at == NONE:
        at = v.total[HEAP_SIZE]
        v.total[HEAP_SIZE] += 1
        v.events[at].heap = event
        v.events[event].place = at
        v.events[event].time = time
        _sift_up(v, at)
        return
    old = v.events[event].time
    v.events[event].time = time
    if time < old:
        _sift_up(v, at)
    elif time > old:
        _sift_down(v, at)


@njit(cache=True)
def _unschedule(v, event):
    at = v.events[event].place
    if at == NONE:
        return
    v.total[HEAP_SIZE] -= 1
    last = v.events[v.total[HEAP_SIZE]].heap
    v.events[event].place = NONE
    v.events[event].time = INF
    if last != event:
        v.events[at].heap = last
        v.events[last].place = at
        _sift_up(v, at)
        _sift_down(v, v.events[last].place)


@njit(cache=True)
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


@njit(cache=True)
def _schedule_head(v, link, time):
    """Next `ready` event of a link that holds at least one vehicle."""
    slot = v.links[link].ring_start + v.links[link].head
    at = v.slots[slot].entry + v.links[link].free_time
    behind = v.links[link].last_exit + v.links[link].headway
    if behind > at:
        at = behind
    if time > at:
        at = time
    _schedule(v, link, _green_from(v, link, at))


@njit(cache=True)
def _accept_time(v, link):
    """Earliest instant at which one more vehicle may enter; inf while the vehicle `storage` ahead is still there."""
    size = v.links[link].ring_size
    tail = v.links[link].head + v.links[link].count - v.links[link].storage
    if tail < 0:
        tail += size
    elif tail >= size:
        tail -= size
    slot = v.links[link].ring_start + tail
    space = v.slots[slot].exit + v.links[link].wave_time
    if v.links[link].count >= v.links[link].storage:
        space = INF
    flow = v.links[link].last_entry + v.links[link].headway_in
    return max(space, flow)


@njit(cache=True)
def _oldest_request(v, link):
    since = INF
    if v.links[link].gate_head != NONE:
        since = v.links[link].gate_since
    other = v.links[link].ask_head
    while other != NONE:
        since = min(since, v.links[other].want_since)
        other = v.links[other].want_next
    return since


@njit(cache=True)
def _schedule_service(v, link, time):
    """Next `serve` event of a link that somebody wants to enter; a full link is asked again when patience ends."""
    n = v.links.size
    at = _accept_time(v, link)
    if at == INF:
        at = max(_oldest_request(v, link) + v.links[link].patience, time + 1.0)
    _schedule(v, n + link, max(at, time))


@njit(cache=True)
def _leave(v, link, time):
    """Take the head vehicle off a link; returns its trip."""
    n = v.links.size
    slot = v.links[link].ring_start + v.links[link].head
    trip = v.slots[slot].trip
    klass = v.trips[trip].vehicle_class
    spent = time - v.slots[slot].entry
    v.slots[slot].exit = time
    size = v.links[link].ring_size
    head = v.links[link].head + 1
    v.links[link].head = 0 if head == size else head
    v.links[link].count -= 1
    v.links[link].last_exit = time
    v.flow[link, klass, OCCUPANCY] -= 1
    v.flow[link, klass, TIME_SUM] += time
    v.flow[link, klass, OUTFLOW] += 1
    v.flow[link, klass, DISTANCE] += 0.5 * v.links[link].length
    v.links[link].exit_time_sum += spent
    v.links[link].exit_count += 1
    speed_bin = int(v.links[link].length / max(spent, 1e-3) * 3.6 / 5.0)
    speed_bin = min(speed_bin, v.speed_distance.shape[2] - 1)
    v.speed_distance[link, klass, speed_bin] += v.links[link].length
    v.trips[trip].free_time += v.links[link].free_time
    v.trips[trip].distance += v.links[link].length
    v.total[TRAVERSALS] += 1
    if v.links[link].count > 0:
        _schedule_head(v, link, time)
    if v.links[link].ask_head != NONE or v.links[link].gate_head != NONE:
        _schedule_service(v, link, time)
    elif v.events[n + link].place != NONE:
        _unschedule(v, n + link)
    return trip


@njit(cache=True)
def _enter(v, link, trip, time):
    size = v.links[link].ring_size
    place = v.links[link].head + v.links[link].count
    if place >= size:
        place -= size
    slot = v.links[link].ring_start + place
    klass = v.trips[trip].vehicle_class
    v.slots[slot].trip = trip
    v.slots[slot].entry = time
    v.slots[slot].exit = INF
    v.links[link].count += 1
    v.links[link].last_entry = time
    v.flow[link, klass, OCCUPANCY] += 1
    v.flow[link, klass, TIME_SUM] -= time
    v.flow[link, klass, INFLOW] += 1
    v.flow[link, klass, DISTANCE] += 0.5 * v.links[link].length
    if v.links[link].count == 1:
        _schedule_head(v, link, time)


@njit(cache=True)
def _arrive(v, trip, time):
    klass = v.trips[trip].vehicle_class
    v.total[ARRIVED] += 1
    v.trip_stats[klass, STAT_TRIPS] += 1
    v.trip_stats[klass, STAT_TIME] += time - v.trips[trip].depart
    v.trip_stats[klass, STAT_DISTANCE] += v.trips[trip].distance
    v.trip_stats[klass, STAT_FREE_TIME] += v.trips[trip].free_time
    v.trips[trip].origin = NONE


@njit(cache=True)
def _ask(v, link, target, time):
    """The head of `link` asks to enter `target`."""
    v.links[link].want = target
    v.links[link].want_since = time
    v.links[link].want_next = v.links[target].ask_head
    v.links[target].ask_head = link
    v.links[link].stamp = _stamp(v, link, target)
    _schedule_service(v, target, time)


@njit(cache=True)
def _stamp(v, link, target):
    """Virtual finish of a request of `link` to enter `target`."""
    start = v.links[target].clock
    if v.links[link].finish_at == target:
        start = max(start, v.links[link].finish)
    return start + v.links[link].headway


@njit(cache=True)
def _withdraw(v, link):
    target = v.links[link].want
    other = v.links[target].ask_head
    if other == link:
        v.links[target].ask_head = v.links[link].want_next
    else:
        while v.links[other].want_next != link:
            other = v.links[other].want_next
        v.links[other].want_next = v.links[link].want_next
    v.links[link].want = NONE
    v.links[link].want_next = NONE


@njit(cache=True)
def _on_ready(v, next_link, dest_link, link, time):
    """The head of a link is at the stop line in green: it arrives, or asks for its next link."""
    slot = v.links[link].ring_start + v.links[link].head
    trip = v.slots[slot].trip
    row = v.trips[trip].dest
    if dest_link[row] == link:
        _leave(v, link, time)
        _arrive(v, trip, time)
        return
    target = next_link[v.trips[trip].layer, row, link]
    if target == NONE:  # no way on: the trip ends here and is counted as lost, never silently
        _leave(v, link, time)
        v.trips[trip].origin = NONE
        v.total[LOST] += 1
        return
    alone = v.links[target].ask_head == NONE and v.links[target].gate_head == NONE
    tied = v.total[HEAP_SIZE] > 0 and v.events[v.events[0].heap].time <= time
    if alone and not tied and _accept_time(v, target) <= time:  # nobody to wait for: the request is served at once
        stamp = _stamp(v, link, target)
        v.links[target].clock = stamp
        v.links[link].finish = stamp
        v.links[link].finish_at = target
        _leave(v, link, time)
        _enter(v, target, trip, time)
        return
    _ask(v, link, target, time)


@njit(cache=True)
def _choose_again(v, next_link, link, time):
    """Heads that ask for a full link take another one if their routes have changed since they asked."""
    other = v.links[link].ask_head
    while other != NONE:
        following = v.links[other].want_next
        trip = v.slots[v.links[other].ring_start + v.links[other].head].trip
        target = next_link[v.trips[trip].layer, v.trips[trip].dest, other]
        if target != link and target != NONE:
            _withdraw(v, other)
            _ask(v, other, target, time)
        other = following


@njit(cache=True)
def _jump(v, next_link, dest_link, link, time):
    """Heads that have stood before a full link for `JUMP_S` leave the jam: on their route, to the first link with room.

    Where all of the rest of the route is full, the trip ends. The rule is SUMO's (`time-to-teleport`); it keeps an
    overloaded network from locking for good. Moved vehicles are counted.
    """
    other = v.links[link].ask_head
    while other != NONE:
        following = v.links[other].want_next
        slot = v.links[other].ring_start + v.links[other].head
        stands_since = max(v.slots[slot].entry + v.links[other].free_time, v.links[other].last_exit)
        if time - stands_since >= JUMP_S:
            trip = v.slots[slot].trip
            row = v.trips[trip].dest
            at = link
            while at != NONE and v.links[at].count >= v.links[at].storage and at != dest_link[row]:
                at = next_link[v.trips[trip].layer, row, at]
            if at != NONE:
                _withdraw(v, other)
                _leave(v, other, time)
                v.total[FORCED] += 1
                if v.links[at].count < v.links[at].storage:
                    _enter(v, at, trip, time)
                else:
                    _arrive(v, trip, time)
        other = following


@njit(cache=True)
def _turn_circle(v, next_link, dest_link, first, time):
    """Resolve a deadlock: where full links wait for each other in a circle, the head of each moves on by one.

    Only then could no vehicle of the circle ever move; signals are passed at red. Moved vehicles are counted.
    """
    path = np.empty(MAX_CIRCLE, dtype=np.int64)
    link = first
    length = 0
    while True:
        if length == MAX_CIRCLE or v.links[link].count < v.links[link].storage:
            return
        slot = v.links[link].ring_start + v.links[link].head
        if v.slots[slot].entry + v.links[link].free_time > time:
            return
        trip = v.slots[slot].trip
        row = v.trips[trip].dest
        if dest_link[row] == link:
            return
        path[length] = link
        length += 1
        link = next_link[v.trips[trip].layer, row, link]
        if link == NONE:
            return
        if link == first:
            break
        for k in range(1, length):
            if path[k] == link:  # a circle further on, which finds itself
                return
    moving = np.empty(length, dtype=np.int64)
    for k in range(length):
        if v.links[path[k]].want != NONE:
            _withdraw(v, path[k])
        moving[k] = _leave(v, path[k], time)
    for k in range(length):
        _enter(v, path[(k + 1) % length], moving[k], time)
    v.total[FORCED] += length


@njit(cache=True)
def _on_serve(v, next_link, dest_link, link, time):
    """Let one vehicle into a link, or find out when that is possible."""
    at = _accept_time(v, link)
    if at > time:
        if at == INF:
            if time - _oldest_request(v, link) >= v.links[link].patience - 1e-6:
                _choose_again(v, next_link, link, time)
                _turn_circle(v, next_link, dest_link, link, time)
                _jump(v, next_link, dest_link, link, time)
            at = time + v.links[link].patience
            if v.links[link].ask_head == NONE and v.links[link].gate_head == NONE:
                return
        _schedule(v, v.links.size + link, at)
        return
    best = NONE
    best_stamp = INF
    other = v.links[link].ask_head
    while other != NONE:
        following = v.links[other].want_next
        green = _green_from(v, other, time)
        if green > time:  # its light turned red while it waited
            _withdraw(v, other)
            _schedule(v, other, green)
        elif v.links[other].stamp < best_stamp or (v.links[other].stamp == best_stamp and other < best):
            best = other
            best_stamp = v.links[other].stamp
        other = following
    gap = v.links[link].count < max(1.0, GATE_FILL * v.links[link].storage)
    from_gate = gap and v.links[link].gate_head != NONE and v.links[link].gate_stamp < best_stamp
    if from_gate:
        trip = v.links[link].gate_head
        v.links[link].gate_head = v.trips[trip].next
        v.links[link].gate_count -= 1
        v.links[link].clock = v.links[link].gate_stamp
        if v.links[link].gate_head == NONE:
            v.links[link].gate_tail = NONE
        else:
            v.links[link].gate_stamp += v.links[link].headway
            v.links[link].gate_since = time
        v.total[ENTERED] += 1
        _enter(v, link, trip, time)
    elif best != NONE:
        _withdraw(v, best)
        v.links[link].clock = best_stamp
        v.links[best].finish = best_stamp
        v.links[best].finish_at = link
        trip = _leave(v, best, time)
        _enter(v, link, trip, time)
    if v.links[link].ask_head != NONE or (gap and v.links[link].gate_head != NONE):
        _schedule_service(v, link, time)


@njit(cache=True)
def _depart(v, trip, time):
    """A trip starts: it waits at the gate of its first link."""
    link = v.trips[trip].origin
    v.trips[trip].next = NONE
    v.total[DEPARTED] += 1
    v.links[link].gate_count += 1
    if v.links[link].gate_head == NONE:
        v.links[link].gate_head = trip
        v.links[link].gate_tail = trip
        v.links[link].gate_since = time
        v.links[link].gate_stamp = max(v.links[link].clock, v.links[link].gate_stamp) + v.links[link].headway
        _schedule_service(v, link, time)
    else:
        v.trips[v.links[link].gate_tail].next = trip
        v.links[link].gate_tail = trip


@njit(cache=True)
def advance(v, next_link, dest_link, until):
    """Handle every event before `until` (s); events at `until` stay for the next call.

    `next_link` is (layers, destinations, n), `dest_link` (destinations,). Trips from `next_trip` on are in order of
    departure.
    """
    n = v.links.size
    n_trips = v.trips.size
    while True:
        time = INF
        if v.total[HEAP_SIZE] > 0:
            time = v.events[v.events[0].heap].time
        trip = v.total[NEXT_TRIP]
        if trip < n_trips and v.trips[trip].depart <= time:
            if v.trips[trip].depart >= until:
                return
            v.total[NEXT_TRIP] += 1
            _depart(v, trip, v.trips[trip].depart)
            continue
        if time >= until:
            return
        event = v.events[0].heap
        _unschedule(v, event)
        if event < n:
            _on_ready(v, next_link, dest_link, event, time)
        else:
            _on_serve(v, next_link, dest_link, event - n, time)


@njit(cache=True)
def queue_by_class(v, time, n_classes):
    """Vehicles past their free-flow time, (n, C)."""
    out = np.zeros((v.links.size, n_classes))
    for link in range(v.links.size):
        size = v.links[link].ring_size
        for k in range(v.links[link].count):
            slot = v.links[link].ring_start + (v.links[link].head + k) % size
            if v.slots[slot].entry + v.links[link].free_time >= time:
                break
            out[link, v.trips[v.slots[slot].trip].vehicle_class] += 1
    return out


@njit(cache=True)
def head_age(v, time):
    """Time that the first vehicle of each link has spent on it, s; 0 where the link is empty. (n,)"""
    out = np.zeros(v.links.size)
    for link in range(v.links.size):
        if v.links[link].count > 0:
            out[link] = time - v.slots[v.links[link].ring_start + v.links[link].head].entry
    return out


@njit(cache=True)
def reschedule(v, changed, time):
    """After some links have changed: bring their events in line with the new headways, signals and storage."""
    n = v.links.size
    for link in changed:
        if v.links[link].count > 0 and v.links[link].want == NONE:
            _schedule_head(v, link, time)
        if v.links[link].ask_head != NONE or v.links[link].gate_head != NONE:
            _schedule_service(v, link, time)
        elif v.events[n + link].place != NONE:
            _unschedule(v, n + link)
