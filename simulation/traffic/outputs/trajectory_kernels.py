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
    wave_mps: np.ndarray,  # (n,) m/s
    jam_veh_per_m: np.ndarray,  # (n,) veh/m
    until_s: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # (p,) stay, (p,) s, (p,) m from the link's start
    """Corner points of the vehicles' trajectories, each traversal's in order of time."""
    room = 0
    for k in range(wanted.size):
        room += int(length_m[link[wanted[k]]] * jam_veh_per_m[link[wanted[k]]]) + 4
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
        end = min(gone, until_s)
        length = length_m[a]
        spacing = 1.0 / jam_veh_per_m[a]
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
        at = come
        fits = int(length / spacing)
        for j in range(fits, 0, -1):  # j vehicles fit between here and the end
            x = length - j * spacing
            if x <= 0.0:
                continue
            t = come + x * pace
            if rank - j >= 0 and rank - j < leave.size:
                t = max(t, leave[rank - j] + j * spacing / wave_mps[a])
            t = min(max(t, at), gone)
            if t >= end:
                break
            n = _add(which, time, place, n, first, row, t, x)
            at = t
        if gone <= until_s:
            n = _add(which, time, place, n, first, row, gone, length)
        elif end > time[n - 1]:
            x = min(place[n - 1] + (end - time[n - 1]) / pace, length)
            n = _add(which, time, place, n, first, row, end, _held(x, leave, rank, length, spacing, wave_mps[a], end))
    return which[:n].copy(), time[:n].copy(), place[:n].copy()


@njit(cache=True)
def _held(x, leave, rank, length, spacing, wave, at):  # (all float but rank): m
    """The place of a vehicle that is still on its link: free flow, or behind those ahead."""
    ahead = 0
    while ahead < rank and rank - ahead - 1 < leave.size and leave[rank - ahead - 1] > at:
        ahead += 1
    return min(x, max(length - ahead * spacing, 0.0))


@njit(cache=True)
def _add(which, time, place, n, first, row, t, x):
    """Add a corner; one on the line of the two before it replaces the last."""
    if n - first >= 2:
        left = (place[n - 1] - place[n - 2]) * (t - time[n - 1])
        right = (x - place[n - 1]) * (time[n - 1] - time[n - 2])
        if abs(left - right) <= 1e-9 * max(abs(left), abs(right)) or (t == time[n - 1] and x == place[n - 1]):
            n -= 1
    which[n], time[n], place[n] = row, t, x
    return n + 1
