"""Places of vehicles on their links (Numba): arrays in, arrays out; callers check ranges."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def positions(
    wanted: np.ndarray,  # (k,) int64: stays to follow
    rows: np.ndarray,  # (s,) int64: stays by link, in order of entry
    start: np.ndarray,  # (n + 1,) int64: where each link's begin
    link: np.ndarray,  # (s,) int32
    entry_s: np.ndarray,  # (s,) s
    exit_s: np.ndarray,  # (s,) s, inf while there
    length_m: np.ndarray,  # (n,) m
    free_s: np.ndarray,  # (n,) s
    wave_s: np.ndarray,  # (n,) s that the backward wave takes over the link
    storage: np.ndarray,  # (n,) int64: vehicles that fit
    until_s: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # (p,) stay, (p,) s, (p,) m from the link's start
    """Corner points of the vehicles' trajectories, each traversal's in order of time."""
    room = 0
    for k in range(wanted.size):
        room += 2 * storage[link[wanted[k]]] + 6
    which = np.empty(room, dtype=np.int64)
    time = np.empty(room)
    place = np.empty(room)
    n = 0
    ready_link = -1
    leave = np.empty(0)
    for k in range(wanted.size):
        row = wanted[k]
        a = link[row]
        if a != ready_link:
            mine = rows[start[a] : start[a + 1]]
            leave = np.sort(exit_s[mine])
            ready_link = a
        come = entry_s[row]
        gone = exit_s[row]
        length = length_m[a]
        spacing = length / storage[a]
        wave = wave_s[a] / storage[a]  # s, over one spacing
        pace = free_s[a] / length
        # vehicles that leave before this one: among those still on the link, the ones that entered before it
        rank = np.searchsorted(leave, gone)
        if gone == np.inf:
            rank = 0
            for j in range(start[a], start[a + 1]):
                if rows[j] == row:
                    break
                rank += 1
        first = n
        which[n], time[n], place[n] = row, come, 0.0
        n += 1
        at, here = come, 0.0
        for j in range(storage[a], -1, -1):  # j vehicles fit between here and the end
            x = length - j * spacing
            if x <= 1e-9:
                continue
            arrive = at + (x - here) * pace
            move = gone
            if j > 0:
                move = arrive
                if 0 <= rank - j < leave.size:
                    move = max(move, leave[rank - j] + j * wave)
                move = min(move, gone - (length - x) * pace)  # in time for the end, whoever moved it there
            arrive = min(arrive, move)
            if arrive > until_s:
                n = _add(which, time, place, n, first, row, until_s, here + (until_s - at) / pace)
                break
            n = _add(which, time, place, n, first, row, arrive, x)
            if move > until_s:
                n = _add(which, time, place, n, first, row, until_s, x)
                break
            n = _add(which, time, place, n, first, row, move, x)
            at, here = move, x
    return which[:n].copy(), time[:n].copy(), place[:n].copy()


@njit(cache=True)
def _add(which, time, place, n, first, row, t, x):
    """Add a corner; one on the line of the two before it replaces the last."""
    if t == time[n - 1] and x == place[n - 1]:
        return n
    if n - first >= 2:
        left = (place[n - 1] - place[n - 2]) * (t - time[n - 1])
        right = (x - place[n - 1]) * (time[n - 1] - time[n - 2])
        if abs(left - right) <= 1e-9 * max(abs(left), abs(right)):
            n -= 1
    which[n], time[n], place[n] = row, t, x
    return n + 1
