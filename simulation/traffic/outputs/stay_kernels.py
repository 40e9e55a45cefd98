"""Loops over stays on links (Numba): arrays in, arrays out; callers check ranges."""

from __future__ import annotations

import numpy as np
from numba import njit

from simulation.traffic.speed_kernels import knot_below


@njit(cache=True)
def leaving(
    trip: np.ndarray,  # (m,) int32, rows in order of time
    link: np.ndarray,  # (m,) int32
    time_s: np.ndarray,  # (m,) s
    n_trips: int,
) -> tuple[np.ndarray, np.ndarray]:  # (m,) s, inf where there is no next row; (m,) int32, -3 there
    """When each row's vehicle leaves, and what its next row names."""
    exit_s = np.empty(trip.size)
    into = np.empty(trip.size, dtype=np.int32)
    newest_s = np.full(n_trips, np.inf)
    newest = np.full(n_trips, -3, dtype=np.int32)
    for row in range(trip.size - 1, -1, -1):
        who = trip[row]
        exit_s[row] = newest_s[who]
        into[row] = newest[who]
        newest_s[who] = time_s[row]
        newest[who] = link[row]
    return exit_s, into


@njit(cache=True)
def book_interval(
    rows: np.ndarray,  # (r,) int64: stays that overlap the interval
    link: np.ndarray,  # (s,) int32
    klass: np.ndarray,  # (s,) int64
    entry_s: np.ndarray,  # (s,) s
    exit_s: np.ndarray,  # (s,) s, inf while there
    length_m: np.ndarray,  # (n,) m
    free_s: np.ndarray,  # (n,) s
    begin_s: float,
    end_s: float,
    books: np.ndarray,  # (5, n, C), filled: m, s, veh in, veh out, veh past their free-flow time at the end
    speed_m: np.ndarray,  # (n, C, B), filled: m of those who left, at the knots of mean speed; B = 0: not asked for
) -> np.ndarray:  # (r,) bool: stays that go on after the interval
    """Book one interval; what happens at its end belongs to the next."""
    stays_on = np.zeros(rows.size, dtype=np.bool_)
    knots = speed_m.shape[2]
    for k in range(rows.size):
        row = rows[k]
        a = link[row]
        c = klass[row]
        come = entry_s[row]
        gone = exit_s[row]
        books[1, a, c] += min(gone, end_s) - max(come, begin_s)
        if come >= begin_s:
            books[2, a, c] += 1.0
            books[0, a, c] += 0.5 * length_m[a]
        if gone < end_s:
            books[3, a, c] += 1.0
            books[0, a, c] += 0.5 * length_m[a]
            if knots > 0:
                knot, share = knot_below(length_m[a], gone - come, knots)
                speed_m[a, c, knot] += (1.0 - share) * length_m[a]
                speed_m[a, c, knot + 1] += share * length_m[a]
        else:
            stays_on[k] = True
            if come + free_s[a] < end_s:
                books[4, a, c] += 1.0
    return stays_on


@njit(cache=True)
def count_at(
    link: np.ndarray,  # (s,) int32
    entry_s: np.ndarray,  # (s,) s
    exit_s: np.ndarray,  # (s,) s
    free_s: np.ndarray,  # (n,) s
    times_s: np.ndarray,  # (T,) s, rising
    on_link: np.ndarray,  # (T, n) int32, filled: vehicles on the link at that instant
    queued: np.ndarray,  # (T, n) int32, filled: of them, past their free-flow time
) -> None:
    """Count vehicles at instants: who entered before it and did not leave before it."""
    first = np.searchsorted(times_s, entry_s, side="right")
    for row in range(link.size):
        a = link[row]
        for k in range(first[row], times_s.size):
            if exit_s[row] < times_s[k]:
                break
            on_link[k, a] += 1
            if entry_s[row] + free_s[a] < times_s[k]:
                queued[k, a] += 1


@njit(cache=True)
def delay_by_link(
    link: np.ndarray,  # (s,) int32
    entry_s: np.ndarray,  # (s,) s
    exit_s: np.ndarray,  # (s,) s
    free_s: np.ndarray,  # (n,) s
    until_s: float,
) -> np.ndarray:  # (n,) s past free-flow time, of all vehicles, until then
    """Time that vehicles spent on each link beyond free flow."""
    out = np.zeros(free_s.size)
    for row in range(link.size):
        over = min(exit_s[row], until_s) - entry_s[row] - free_s[link[row]]
        if over > 0.0:
            out[link[row]] += over
    return out


@njit(cache=True)
def free_arrivals(
    trip: np.ndarray,  # (s,) int32, stays in order of entry
    link: np.ndarray,  # (s,) int32
    begun_s: np.ndarray,  # (T,) s, when each trip wanted to enter its first link; nan: when it did
    entry_s: np.ndarray,  # (s,) s
    free_s: np.ndarray,  # (n,) s
) -> np.ndarray:  # (s,) s when each vehicle would have reached the end of the link had it met no queue on its way
    """Free-flow times added up along each trip's path."""
    at = begun_s.copy()
    out = np.empty(trip.size)
    for row in range(trip.size):
        who = trip[row]
        if np.isnan(at[who]):
            at[who] = entry_s[row]
        at[who] += free_s[link[row]]
        out[row] = at[who]
    return out


@njit(cache=True)
def largest_excess(
    times_s: np.ndarray,  # (k,) s, in order: arrivals
    rate: float,  # veh/s that can be served
) -> tuple[float, int, int]:  # veh beyond what was served, at most; first and last arrival of the time that led to it
    """The longest queue before a server of constant rate, and when it began."""
    best, first, last = 0.0, 0, -1
    queue, begin = 0.0, 0
    for k in range(times_s.size):
        if k > 0:
            queue -= rate * (times_s[k] - times_s[k - 1])
        if queue <= 0.0:
            queue, begin = 0.0, k
        queue += 1.0
        if queue > best:
            best, first, last = queue, begin, k
    return best, first, last
