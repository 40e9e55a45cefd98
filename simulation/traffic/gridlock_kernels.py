"""Where no one could move: what drivers do about jams, and the ways out of gridlock, each counted (Numba).

Drivers look before they leave (`jam_ahead`), keep a place free that would close a circle (`closes_circle`) and turn off
before a full link (`turn_off`): choices, that move nobody against the rules of traffic. `turn_circle` and `jump` do.
See `simulation.traffic.event_kernels` for the model.
"""

from __future__ import annotations

import numpy as np

from simulation.traffic.heap_kernels import kernel
from simulation.traffic.layout import CIRCLES, END, FORCED, JUMPS, MAX_CIRCLE, NONE, TURNED_OFF
from simulation.traffic.link_kernels import arrive, enter, leave, next, oldest_request, onward
from simulation.traffic.stop_line_kernels import ask, leave_lane, link_of, vehicle, withdraw

#: Vehicles on neighbouring links, each filled above the share of a jam, that make one; assumption: more than stand in a
#: lane at the end of a red light.
JAM_VEH = 10
#: Links that hold fewer vehicles than this do not part two jams, however empty.
FEW = 4
#: How long who does not enter, lest a circle closes, waits before looking again, s.
CIRCLE_S = 2.0
#: How long who waits at the roadside for a jam to dissolve waits before he looks again, s.
LOOK_S = 30.0
#: A way that leads back to the full link within so many links is no way round it.
BACK = 4


@kernel
def jam_ahead(v, table, link, row):
    """Whether a way leads through a jam, from its first link on."""
    at = link
    queue = 0
    for _ in range(MAX_CIRCLE):
        spec = v.links[at]
        if spec.count >= v.rule[0].jam * spec.storage:
            queue += spec.count
            if queue >= JAM_VEH:
                return True
        elif spec.storage >= FEW:
            queue = 0
        at = next(v, table, at, row)
        if at < 0:
            return False
        row = onward(row)
    return False


@kernel
def closes_circle(v, table, link, start, row):
    """Whether a vehicle that takes the last place on `link` would leave a circle of full links behind it.

    `start` is the link it comes from, NONE from the roadside, and `row` its row once it is on `link`. Where there are
    side lanes in use, somebody may pass.
    """
    if v.links[link].aside > 0:
        return False
    if v.links[link].count > 0:
        row = np.int64(v.slots[v.links[link].ring_start + v.links[link].head].row)
    at = link
    for _ in range(MAX_CIRCLE):
        at = next(v, table, at, row)
        if at < 0 or at == start:
            return False
        if at == link:
            return True
        if v.links[at].count < v.links[at].storage or v.links[at].aside > 0:
            return False
        row = np.int64(v.slots[v.links[at].ring_start + v.links[at].head].row)
    return True


@kernel
def stand_still(v, table, link, time):
    """A full link that others have asked for long: look for ways out. Returns when to look again."""
    patience = v.rule[0].patience
    if time - oldest_request(v, link) >= patience - 1e-6:
        choose_again(v, table, link, time)
        turn_off(v, table, link, time)
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
def turn_off(v, table, link, time):
    """Askers that have stood before a full link for long take another turn from which a way leads on.

    They take the one with the shortest way as things stand, of all turns that anybody bound for anywhere would take at
    the end of their link. Whoever drives a path of his own, or stands in a turn pocket, stays.
    """
    n = v.links.size
    wait = v.rule[0].turn_off
    other = np.int64(v.links[link].ask_head)
    while other != NONE:
        following = np.int64(v.askers[other].next)
        waited = time - v.askers[other].since
        pocket = other >= n and v.lanes[other - n].target_start != v.lanes[other - n].target_end
        if waited >= wait and waited % wait < v.rule[0].patience and not pocket:
            _, row = vehicle(v, other)
            if row >= 0:
                best = another_turn(v, table, link_of(v, other), row, link)
                if best != NONE:
                    withdraw(v, other)
                    ask(v, other, best, time, time)
                    v.total[TURNED_OFF] += 1
        other = following


@kernel
def another_turn(v, table, start, row, full):
    """Link to take at the end of `start` instead of a full one, or NONE."""
    best = np.int64(NONE)
    best_cost = np.inf
    first = row - row % v.rule[0].rows
    for k in range(first, first + v.rule[0].rows):
        to = np.int64(table[k, start])
        if to >= 0 and to != full and to != best:
            cost = way_time(v, table, to, row, start, full)
            if cost < best_cost or (cost == best_cost < np.inf and v.links[to].key < v.links[best].key):
                best = to
                best_cost = cost
    return best


@kernel
def way_time(v, table, first, row, start, full):
    """Time of a way from its first link to its end as things stand, s; inf where it is full or leads back."""
    if v.links[first].count >= v.links[first].storage:
        return np.inf
    time = 0.0
    at = first
    for k in range(MAX_CIRCLE):
        if at == start or (at == full and k < BACK):
            return np.inf
        spec = v.links[at]
        time += spec.free_time + max(spec.count - spec.free_time / spec.headway_in, 0.0) * spec.headway
        at = next(v, table, at, row)
        if at < 0:
            return time if at == END else np.inf
    return np.inf


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
