"""The events of the traffic kernel in order of time: a 4-ary heap in which an event can be moved (Numba).

Row i of `events` holds the heap's entry i and the place of event i; the row behind the last event holds the number of
entries (`id`). An event that is being handled stays at the root until it is scheduled anew or taken out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from simulation.traffic.layout import NONE

IN_HAND = -2  # place of the event that is being handled: its entry is still at the heap's root
#: Kernels of the traffic model leave reference counts out: they allocate nothing, and counting costs more than traffic.
_UNCOUNTED: dict[str, Any] = {"_nrt": False}
#: What Python calls is kept on disk with all that it calls; the parts are not, or an old part might be linked in. They
#: cannot be called from Python either: that saves a fifth of the time to compile.
entry: Any = njit(cache=True, **_UNCOUNTED)
_PART: dict[str, Any] = {**_UNCOUNTED, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
kernel: Any = njit(**_PART)
inlined: Any = njit(**_PART, inline="always")


@inlined
def tie_of(key, seed, time):
    """31 bits that order events of one instant: by the link's key, another order at each instant."""
    x = key ^ seed ^ np.uint64(np.int64(time * 1024.0))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.uint32(x >> np.uint64(33))


@inlined
def sift_up(events, i, time, tie, event):
    """Put an entry at place i or above."""
    while i > 0:
        parent = (i - 1) >> 2
        above = events[parent]
        if above.time < time or (above.time == time and above.tie <= tie):
            break
        events[i].time = above.time
        events[i].tie = above.tie
        events[i].id = above.id
        events[above.id].place = i
        i = parent
    events[i].time = time
    events[i].tie = tie
    events[i].id = event
    events[event].place = i


@inlined
def sift_down(events, i, time, tie, event):
    """Put an entry at place i or below."""
    size = np.int64(events[events.size - 1].id)
    while True:
        child = 4 * i + 1
        if child >= size:
            break
        best = child
        best_time = events[child].time
        best_tie = events[child].tie
        for other in range(child + 1, min(child + 4, size)):
            at = events[other].time
            if at < best_time or (at == best_time and events[other].tie < best_tie):
                best = other
                best_time = at
                best_tie = events[other].tie
        if best_time > time or (best_time == time and best_tie >= tie):
            break
        moved = events[best].id
        events[i].time = best_time
        events[i].tie = best_tie
        events[i].id = moved
        events[moved].place = i
        i = best
    events[i].time = time
    events[i].tie = tie
    events[i].id = event
    events[event].place = i


@kernel
def schedule(events, event, time, tie):
    """Put an event at a time, or move it there."""
    at = np.int64(events[event].place)
    if at == NONE:
        last = events.size - 1
        at = np.int64(events[last].id)
        events[last].id = at + 1
        sift_up(events, at, time, tie, event)
        return
    if at == IN_HAND:
        at = np.int64(0)
    old = events[at].time
    if time < old or (time == old and tie < events[at].tie):
        sift_up(events, at, time, tie, event)
    else:
        sift_down(events, at, time, tie, event)


@kernel
def take_out(events, at):
    """Close the gap at a place of the heap."""
    last = events.size - 1
    size = np.int64(events[last].id) - 1
    events[last].id = size
    if at == size:
        return
    time, tie, event = events[size].time, events[size].tie, np.int64(events[size].id)
    parent = (at - 1) >> 2
    if at > 0 and (events[parent].time > time or (events[parent].time == time and events[parent].tie > tie)):
        sift_up(events, at, time, tie, event)
    else:
        sift_down(events, at, time, tie, event)


@kernel
def unschedule(events, event):
    """Take an event off the heap, if it is there."""
    at = np.int64(events[event].place)
    if at >= 0:
        events[event].place = NONE
        take_out(events, at)


@inlined
def due(events, event):
    """When an event is due, inf if it is not scheduled."""
    at = events[event].place
    if at < 0:
        return np.inf
    return events[at].time


@inlined
def tied(events, time):
    """Whether another event than the one in hand is due at this instant."""
    found = False
    size = np.int64(events[events.size - 1].id)
    for k in range(1, 5):
        if k < size and events[k].time <= time:
            found = True
    return found
