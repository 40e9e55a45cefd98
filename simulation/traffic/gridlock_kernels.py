"""Where no one could move: the ways out of gridlock, each counted (Numba).

See `simulation.traffic.event_kernels` for the model.
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.heap_kernels import kernel
from simulation.traffic.layout import CIRCLES, FORCED, JUMPS, MAX_CIRCLE, NONE
from simulation.traffic.link_kernels import arrive, enter, leave, next, oldest_request, onward
from simulation.traffic.stop_line_kernels import ask, leave_lane, link_of, vehicle, withdraw


@kernel
def stand_still(v, table, link, time):
    """A full link that others have asked for long: look for ways out. Returns when to look again."""
    patience = v.rule[0].patience
    if time - oldest_request(v, link) >= patience - 1e-6:
        choose_again(v, table, link, time)
        turn_circle(v, table, link, time)
        jump(v, table, link, time)
    return time + patience


@kernel
def choose_again(v, table, link, time):
    """Askers of a full link take another one if their routes have changed since they asked."""
    other = np.int64(v.links[link].ask_head)
    while other != NONE:
        following = np.int64(v.askers[other].next)
        _, row = vehicle(v, other)
        target = next(v, table, link_of(v, other), row)
        if target != link and target >= 0:
            since = v.askers[other].since
            withdraw(v, other)
            ask(v, other, target, time, since)
        other = following


@kernel
def turn_circle(v, table, first, time):
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
        link = next(v, table, link, np.int64(v.slots[slot].row))
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
            withdraw(v, link)
        trip, row = leave(v, link, time)
        v.pool[MAX_CIRCLE + k] = trip
        v.pool[2 * MAX_CIRCLE + k] = row
    for k in range(length):
        row = onward(np.int64(v.pool[2 * MAX_CIRCLE + k]))
        enter(v, np.int64(v.pool[(k + 1) % length]), np.int64(v.pool[MAX_CIRCLE + k]), row, time)
    v.total[FORCED] += length
    v.total[CIRCLES] += 1


@kernel
def jump(v, table, link, time):
    """Askers that have stood before a full link for long leave the jam: on their route, to the first link with room.

    Where all of the rest of the route is full, the trip ends. The rule is SUMO's (`time-to-teleport`); it keeps an
    overloaded network from locking for good. Moved vehicles are counted.
    """
    n = v.links.size
    other = np.int64(v.links[link].ask_head)
    while other != NONE:
        following = np.int64(v.askers[other].next)
        if time - v.askers[other].since >= v.rule[0].jump:
            trip, row = vehicle(v, other)
            at = link
            row = onward(row)
            while v.links[at].count >= v.links[at].storage:
                on = next(v, table, at, row)
                if on < 0:
                    if on == NONE:
                        at = NONE
                    break
                at = on
                row = onward(row)
            if at != NONE:
                withdraw(v, other)
                if other < n:
                    leave(v, other, time)
                else:
                    leave_lane(v, table, other - n, time)
                v.total[FORCED] += 1
                v.total[JUMPS] += 1
                if v.links[at].count < v.links[at].storage:
                    enter(v, at, trip, row, time)
                else:
                    arrive(v, trip, time)
                following = np.int64(v.links[link].ask_head)  # the list may have changed
        other = following
