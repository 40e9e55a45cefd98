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
- who departs waits at the roadside while the first link is full to a share, or the way leads through a jam; who has
  stood before a full link for long takes another turn, and nobody takes a last place that would close a circle of full
  links; these are options;
- full links that wait for each other in a circle move on by one vehicle each, and a head that has stood long enough
  before a full link moves on to the first link of its route with room; both are counted, no vehicle ever vanishes.

Two kinds of event: `ready` (the head of link l may leave: event id l) and `serve` (link m takes one of the vehicles
that want to enter it: event id n + m). At equal times `ready` comes first, and ties within a kind are broken by the
links' keys and the instant, so that nothing depends on the links' numbers. At most two events a link wait.

Read `layout` (what is kept), `heap_kernels` (events in order), `speed_kernels`, `link_kernels`, `stop_line_kernels`,
`gridlock_kernels`, then this file. A compiled kernel is kept until the content of its own file changes: after a change
in one of the others, delete what ends in `.nbi` in `__pycache__`.
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.gridlock_kernels import CIRCLE_S, LOOK_S, closes_circle, jam_ahead, stand_still
from simulation.traffic.heap_kernels import IN_HAND, entry, inlined, kernel, sift_down, take_out, tie_of, tied
from simulation.traffic.layout import DEPARTED, END, ENTERED, LOG_SIZE, MAX_CIRCLE, NEXT_TRIP, NONE
from simulation.traffic.link_kernels import (
    INF,
    accept_time,
    after_leaving,
    arrive,
    enter,
    green_from,
    head_time,
    lose,
    next,
    onward,
    schedule_head,
    schedule_service,
    serve_at,
    take_head,
)
from simulation.traffic.stop_line_kernels import (
    ask,
    ask_aside,
    cross,
    into_pocket,
    leave_from,
    leave_lane,
    link_of,
    own_lane,
    vehicle,
    withdraw,
)

#: Rows of the log that one event may fill besides those of a circle.
LOG_MARGIN = 1024
#: What `advance` returns.
REACHED, LOG_FULL, STOPPED = range(3)


@inlined
def on_ready(v, table, link, time):
    """The head of a link is at the stop line in green: it arrives, goes on, steps aside, or asks for its next link."""
    spec = v.links[link]
    target = next(v, table, link, np.int64(v.slots[spec.ring_start + spec.head].row))
    if target >= 0:
        pocket = NONE
        if spec.lane_count > 0:
            pocket = own_lane(v, link, target)
            if pocket != NONE and into_pocket(v, table, link, pocket, time):
                return
        into = v.links[target]
        if (
            into.ask_head != NONE
            or into.gate_head != NONE
            or accept_time(v, target) > time
            or tied(v.events, time)
            or leave_from(v, table, link, link, target, time, time) > time
            or (into.count + 1 >= into.storage and v.rule[0].jam < INF)  # the last place: not without a look
        ):
            if spec.lane_count > 0:
                ask_aside(v, link, pocket, target, time)
            else:
                ask(v, link, target, time, time)
            return
        into.clock += spec.turn  # nobody to wait for: the request is served at once
        cross(v, link, time)
        if pocket != NONE:
            v.lanes[pocket].last_out = time
    trip, row = take_head(v, link, time)
    if spec.count > spec.aside:
        at = head_time(v, link, time)
        sift_down(v.events, 0, at, tie_of(spec.key, v.rule[0].seed, at), link)
    after_leaving(v, link, time)
    if target >= 0:
        enter(v, target, trip, onward(row), time)
    elif target == END:
        arrive(v, trip, time)
    else:
        lose(v, trip, time)


@kernel
def goes_first(v, one, other, time):
    """Which of two links goes first where nothing else tells: by their keys, another one at each instant."""
    seed = v.rule[0].seed
    return tie_of(v.links[one].key, seed, time) < tie_of(v.links[other].key, seed, time)


@inlined
def first_in_line(v, table, link, time):
    """Who is next to enter a link: the asker with the earliest stamp among those who may go now, or NONE.

    Second value: when another asker may go at the earliest.
    """
    best = np.int64(NONE)
    best_stamp = INF
    later = INF
    last = v.links[link].count + 1 >= v.links[link].storage and v.rule[0].jam < INF
    other = np.int64(v.links[link].ask_head)
    while other != NONE:
        start = link_of(v, other)
        at = leave_from(v, table, other, start, link, time, v.askers[other].since)
        if at > time:
            later = min(later, at)
            if v.links[start].cycle > 0.0 and green_from(v.links, start, time) > time:
                v.askers[other].stamp = INF
        elif last and closes_circle(v, table, link, start, onward(vehicle(v, other)[1])):
            later = min(later, time + CIRCLE_S)
        else:
            if v.askers[other].stamp == INF:
                v.askers[other].stamp = v.links[link].clock + v.links[start].turn
            stamp = v.askers[other].stamp
            if stamp < best_stamp or (stamp == best_stamp and goes_first(v, start, link_of(v, best), time)):
                best = other
                best_stamp = stamp
        other = np.int64(v.askers[other].next)
    return best, best_stamp, later


@inlined
def on_serve(v, table, link, time):
    """Let one vehicle into a link, or find out when that is possible."""
    n = v.links.size
    spec = v.links[link]
    at = accept_time(v, link)
    if at > time:
        if at == INF:
            at = stand_still(v, table, link, time)
        if spec.ask_head != NONE or spec.gate_head != NONE:
            serve_at(v, link, at)
        return
    best, best_stamp, later = first_in_line(v, table, link, time)
    gap = spec.gate_head != NONE and spec.count < max(1.0, v.rule[0].gate_fill * spec.storage)
    if gap and v.rule[0].jam < INF:
        row = np.int64(v.trips[spec.gate_head].row)
        if time >= spec.gate_look and jam_ahead(v, table, link, row):
            spec.gate_look = time + LOOK_S
        if spec.count + 1 >= spec.storage and closes_circle(v, table, link, NONE, row):
            spec.gate_look = max(spec.gate_look, time + CIRCLE_S)
        if time < spec.gate_look:
            gap = False
            later = min(later, spec.gate_look)
    trip = np.int64(NONE)
    row = np.int64(0)
    if gap and spec.gate_stamp < best_stamp:
        trip = np.int64(spec.gate_head)
        row = np.int64(v.trips[trip].row)
        spec.gate_head = v.trips[trip].next
        spec.gate_count -= 1
        spec.clock = spec.gate_stamp
        if spec.gate_head != NONE:
            spec.gate_stamp += spec.turn
        spec.gate_since = time
        v.total[ENTERED] += 1
    elif best != NONE:
        withdraw(v, best)
        spec.clock = best_stamp
        if best < n:
            trip, row = take_head(v, best, time)
            cross(v, best, time)
            if v.links[best].count > v.links[best].aside:
                schedule_head(v, best, time)
            after_leaving(v, best, time)
        else:
            start = link_of(v, best)
            trip, row = leave_lane(v, table, best - n, time)
            cross(v, start, time)
        row = onward(row)
    if trip != NONE:
        enter(v, link, trip, row, time)
        later = time
    if spec.ask_head != NONE or (spec.gate_head != NONE and (gap or later < INF)):
        if later > time:  # nobody may go now
            serve_at(v, link, max(later, accept_time(v, link)))
        else:
            schedule_service(v, link, time)


@inlined
def depart(v, table, first, trip, time):
    """A trip starts: on its first link where nobody is before it, else it waits at the gate."""
    link = np.int64(v.trips[trip].origin)
    if link < NONE:  # it begins at a node: the best first link as of now
        link = np.int64(first[v.trips[trip].row, NONE - 1 - link])
        v.trips[trip].origin = link
    v.total[DEPARTED] += 1
    if link == NONE:
        lose(v, trip, time)
        return
    spec = v.links[link]
    if (
        spec.gate_head == NONE
        and spec.ask_head == NONE
        and spec.count < max(1.0, v.rule[0].gate_fill * spec.storage)
        and accept_time(v, link) <= time
        and not (v.rule[0].jam < INF and jam_ahead(v, table, link, np.int64(v.trips[trip].row)))
        and (v.events[v.events.size - 1].id == 0 or v.events[0].time > time)
    ):
        spec.clock += spec.turn
        v.total[ENTERED] += 1
        enter(v, link, trip, np.int64(v.trips[trip].row), time)
        return
    v.trips[trip].next = NONE
    spec.gate_count += 1
    if spec.gate_head == NONE:
        spec.gate_head = trip
        spec.gate_since = time
        spec.gate_stamp = spec.clock + spec.turn
        schedule_service(v, link, time)
    else:
        v.trips[spec.gate_tail].next = trip
    spec.gate_tail = trip


@entry
def advance(v, table, first, until, max_events):
    """Handle every event before `until` (s), at most `max_events`; events at `until` stay for the next call.

    `table` is (rows, n): link to take at the end of each link, END or NONE; `first` (rows, origins): link to begin on.
    Trips from `NEXT_TRIP` on are in order of departure. Returns REACHED, LOG_FULL (make
    room and call again) or STOPPED.
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
            depart(v, table, first, trip, departure)
            trip += 1
            departure = v.trips[trip].depart if trip < n_trips else INF
            continue
        if time >= until:
            return REACHED
        event = np.int64(v.events[0].id)
        v.events[event].place = IN_HAND
        v.events[0].time = -INF
        if event < n:
            on_ready(v, table, event, time)
        else:
            on_serve(v, table, event - n, time)
        if v.events[event].place == IN_HAND:
            v.events[event].place = NONE
            take_out(v.events, np.int64(0))


@entry
def reschedule(v, changed, time):
    """After some links have changed: bring their events in line with the new headways, signals and storage."""
    n = v.links.size
    for link in changed:
        if v.links[link].count > v.links[link].aside and v.askers[link].target == NONE:
            schedule_head(v, link, time)
        for s in range(v.links[link].lane_start, v.links[link].lane_start + v.links[link].lane_count):
            if v.lanes[s].count > 0:
                schedule_service(v, np.int64(v.askers[n + s].target), time)
        if v.askers[link].target != NONE:
            schedule_service(v, np.int64(v.askers[link].target), time)
        if v.links[link].ask_head != NONE or v.links[link].gate_head != NONE:
            schedule_service(v, link, time)
