"""The kernel's state: made from links, given longer rings, given new trips."""

from __future__ import annotations

import numpy as np

from simulation.link_state import N_CLASSES, N_SPEED_BINS
from simulation.traffic.event_kernels import LOG_MARGIN
from simulation.traffic.layout import (
    ASKER,
    END,
    EVENT,
    LOG,
    MAX_CIRCLE,
    N_FLOWS,
    N_TOTALS,
    NEXT_TRIP,
    NONE,
    SLOT,
    TRIP,
    State,
)
from simulation.traffic.network import LinkArrays, make_lanes, make_links, make_pool
from simulation.traffic.paths import Paths
from simulation.traffic.reading_kernels import copy_rings, keep_trips, occupants, renumber_trips
from simulation.traffic.trips import Trips

#: Rows of the buffer of the entry log.
LOG_ROWS = 1 << 19


def empty_state(arrays: LinkArrays, rule: np.ndarray) -> State:
    """Links without a vehicle; `rule` is (1,) of `simulation.traffic.layout.RULE`."""
    links, lanes = make_links(arrays), make_lanes(arrays)
    n = links.size
    slots = np.zeros(int(links["ring_size"].sum()), dtype=SLOT)
    slots["trip"], slots["entry"], slots["exit"] = NONE, -np.inf, -np.inf
    events = np.zeros(2 * n + 1, dtype=EVENT)
    events["place"] = NONE
    askers = np.zeros(n + lanes.size, dtype=ASKER)
    askers["target"] = askers["next"] = NONE
    books = int(rule["books"][0])
    log_rows = LOG_ROWS + MAX_CIRCLE + LOG_MARGIN if rule["log"][0] else 0
    return State(
        links=links, slots=slots, trips=np.zeros(0, dtype=TRIP), events=events, askers=askers, lanes=lanes,
        pool=make_pool(arrays), flow=np.zeros((books * n, N_CLASSES, N_FLOWS + N_SPEED_BINS)),
        total=np.zeros(N_TOTALS, np.int64), trip_stats=np.zeros((N_CLASSES, 4)), rule=rule,
        log=np.zeros(log_rows, dtype=LOG),
    )  # fmt: skip


def with_rings(v: State, size: np.ndarray) -> State:
    """Give links `size` slots each, (n_links,): the newest entries stay the newest, the new slots were never used."""
    links = v.links.copy()
    slots = np.zeros(int(size.sum()), dtype=SLOT)
    slots["trip"], slots["entry"], slots["exit"] = NONE, -np.inf, -np.inf
    links["ring_size"], links["ring_start"] = size, np.concatenate([[0], np.cumsum(size)[:-1]])
    copy_rings(v, links, slots)
    return v._replace(links=links, slots=slots)


def with_trips(v: State, trips: Trips, n_dest: int, released: int) -> State:
    """Drop finished trips, append new ones, and renumber whatever names a trip.

    The first new trip is number `released` in the order of all releases.
    """
    number = np.empty(v.trips.size, dtype=np.int64)
    both = np.zeros(int((v.trips["origin"] != NONE).sum()) + len(trips), dtype=TRIP)
    live = keep_trips(v.trips, both, number)
    old, new = both[:live], both[live:]
    new["origin"], new["dest"], new["layer"] = trips.origin_link, trips.dest_row, trips.layer
    new["vehicle_class"], new["depart"], new["next"] = trips.vehicle_class, trips.depart_s, NONE
    new["row"] = trips.layer * n_dest + trips.dest_row
    new["number"] = released + np.arange(len(trips))
    renumber_trips(v, number)
    v.total[NEXT_TRIP] = live
    v = v._replace(trips=both)
    return v._replace(pool=_with_paths(v, old, new, trips.paths))


def _with_paths(v: State, old: np.ndarray, new: np.ndarray, paths: Paths | None) -> np.ndarray:
    """What is left of the paths of trips on the road, and the new ones; rows of trips and slots follow."""
    own = np.flatnonzero(old["dest"] == NONE)
    fixed = int(v.links["yield_end"][-1])  # what comes before the paths
    parts = [v.pool[:fixed]]
    if own.size:
        slot = occupants(v)[own]
        begin = ~np.where(slot == NONE, old["row"][own], v.slots["row"][np.maximum(slot, 0)]).astype(np.int64)
        ends = np.flatnonzero(v.pool == END)
        length = ends[np.searchsorted(ends, begin)] + 1 - begin
        start = np.cumsum(length) - length
        parts.append(v.pool[np.repeat(begin - start, length) + np.arange(length.sum())])
        row = (~(fixed + start)).astype(np.int32)
        old["row"][own] = row
        v.slots["row"][slot[slot != NONE]] = row[slot != NONE]
    if paths is not None:
        length = np.diff(paths.start)
        given = np.flatnonzero(length > 0)
        base = sum(part.size for part in parts)
        with_end = np.full(int(length.sum()) + given.size, END, dtype=np.int32)
        at = np.arange(int(length.sum())) + np.repeat(np.arange(given.size), length[given])
        with_end[at] = paths.links[paths.start[0] : paths.start[-1]]
        new["dest"][given] = NONE
        new["row"][given] = ~(base + np.cumsum(length[given] + 1) - length[given] - 1)
        parts.append(with_end)
    return np.concatenate(parts)
