"""Loops over an entry log (Numba): arrays in, arrays out; callers check ranges."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def following_rows(
    trip: np.ndarray,  # (m,) int32, rows in order of time
    n_trips: int,
) -> np.ndarray:  # (m,) int64: the next row of the same trip, -1 where there is none
    """Link each row to its trip's next one, in one pass from the end."""
    after = np.empty(trip.size, dtype=np.int64)
    newest = np.full(n_trips, -1, dtype=np.int64)
    for row in range(trip.size - 1, -1, -1):
        after[row] = newest[trip[row]]
        newest[trip[row]] = row
    return after


@njit(cache=True)
def group_by_trip(
    trip: np.ndarray,  # (m,) int32
    n_trips: int,
) -> tuple[np.ndarray, np.ndarray]:  # (m,) int64 rows by trip, (n_trips + 1,) int64 where each trip begins
    """Counting sort: stable, so each trip's rows stay in order of time."""
    start = np.zeros(n_trips + 1, dtype=np.int64)
    for row in range(trip.size):
        start[trip[row] + 1] += 1
    for k in range(n_trips):
        start[k + 1] += start[k]
    place = start[:-1].copy()
    rows = np.empty(trip.size, dtype=np.int64)
    for row in range(trip.size):
        rows[place[trip[row]]] = row
        place[trip[row]] += 1
    return rows, start


@njit(cache=True)
def first_fault(
    trip: np.ndarray,  # (m,) int32
    link: np.ndarray,  # (m,) int32
    time_s: np.ndarray,  # (m,) s
    n_trips: int,  # 0 where a trip is negative
    n_links: int,
) -> np.ndarray:  # (4,) int64: first row out of order, of an unknown link, of a negative trip, after its trip's end
    """First row of each kind of fault, -1 where there is none."""
    found = np.full(4, -1, dtype=np.int64)
    ended = np.zeros(n_trips, dtype=np.bool_)
    last = -np.inf
    for row in range(trip.size):
        if found[0] < 0 and not (time_s[row] >= last and time_s[row] < np.inf):
            found[0] = row
        last = time_s[row]
        if found[1] < 0 and (link[row] < -2 or link[row] >= n_links):
            found[1] = row
        if trip[row] < 0:
            if found[2] < 0:
                found[2] = row
        elif n_trips > 0:
            if ended[trip[row]] and found[3] < 0:
                found[3] = row
            ended[trip[row]] |= link[row] < 0
    return found
