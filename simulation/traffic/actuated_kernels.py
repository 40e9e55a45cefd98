"""The decisions of vehicle-actuated signals (Numba). Arrays in, arrays changed; callers check ranges."""

from __future__ import annotations

import numpy as np
from numba import njit

NONE = -1
INF = np.inf


@njit(cache=True)
def _next_called(first, n, phase, link_start, queued):
    """The next phase in the ring, after `phase`, at whose stop line a vehicle stands; NONE if there is none."""
    for step in range(1, n):
        other = (phase + step) % n
        for a in range(link_start[first + other], link_start[first + other + 1]):
            if queued[a] > 0:
                return other
    return NONE


@njit(cache=True)
def _quiet(first, n, phase, link_start, on_link, free_time, resolution):
    """Time in which no vehicle can come to a stop line in red, s: that of the shortest approach, if all are empty."""
    least = INF
    for other in range(n):
        if other != phase:
            for a in range(link_start[first + other], link_start[first + other + 1]):
                least = min(least, resolution if on_link[a] > 0 else free_time[a])
    return max(resolution, np.floor(least / resolution) * resolution)


@njit(cache=True)
def _collect(links, link_start, p, out, count):
    """Add the links of a phase to a list; returns its length."""
    for a in range(link_start[p], link_start[p + 1]):
        out[count] = links[a]
        count += 1
    return count


@njit(cache=True)
def decide(
    now,  # s
    phase,  # (j,) int64 phase that is green, or was before the change that goes on
    coming,  # (j,) int64 phase that follows when the change is over; NONE in green
    since,  # (j,) s, when the green or the change began
    call_since,  # (j,) s, since when another phase has waited; inf if none does
    due,  # (j,) s, when the junction is looked at next
    phase_start,  # (j + 1,) int64 phases of junction k: phase_start[k]..phase_start[k + 1]
    link_start,  # (p + 1,) int64 approaches of phase p: link_start[p]..link_start[p + 1]
    queued,  # (a,) veh at the stop line of each approach
    near,  # (a,) veh that reach it within the passage time, those in the queue among them
    on_link,  # (a,) veh on the approach
    free_time,  # (a,) s
    headway,  # (a,) s between vehicles that leave in green
    min_green,
    max_green,
    lost,
    resolution,  # s
    links,  # (a,) int64 link of each approach
    to_green,  # (a,) int64 out: links that turn green
    to_red,  # (a,) int64 out: links that turn red
):  # how many turn green and red
    """Look at every junction that is due: let the green go on, end it, or begin the next one."""
    n_green, n_red = 0, 0
    for k in range(phase.size):
        if due[k] > now:
            continue
        first, n = phase_start[k], phase_start[k + 1] - phase_start[k]
        if coming[k] != NONE:
            if now < since[k] + lost:
                due[k] = since[k] + lost
                continue
            phase[k], coming[k], since[k] = coming[k], NONE, now
            call_since[k] = INF if _next_called(first, n, phase[k], link_start, queued) == NONE else now
            due[k] = now + min_green
            n_green = _collect(links, link_start, first + phase[k], to_green, n_green)
            continue
        called = _next_called(first, n, phase[k], link_start, queued)
        if called == NONE:
            call_since[k] = INF
            wait = _quiet(first, n, phase[k], link_start, on_link, free_time, resolution)
            due[k] = max(now + wait, since[k] + min_green)
            continue
        if call_since[k] == INF:  # a call amid the minimum green counts from its beginning
            call_since[k] = since[k] if now <= since[k] + min_green else now
        if now < since[k] + min_green:
            due[k] = since[k] + min_green
            continue
        most = call_since[k] + max_green
        needed, extends = 0.0, False
        for a in range(link_start[first + phase[k]], link_start[first + phase[k] + 1]):
            if near[a] > 0:
                extends = True
                needed = max(needed, (near[a] - 1) * headway[a])
        if extends and now < most:
            wait = max(resolution, np.floor(needed / resolution) * resolution)
            due[k] = min(now + wait, max(most, now + resolution))
            continue
        coming[k], since[k] = called, now
        due[k] = now + lost
        n_red = _collect(links, link_start, first + phase[k], to_red, n_red)
    return n_green, n_red
