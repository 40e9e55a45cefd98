"""Where the traffic kernel keeps everything: the records of links, vehicles, junctions and events, and their `State`.

Records hold what is used together side by side, since a large city is bound by cache misses, not by arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NONE = -1
END = -2  # in a route: the trip ends at the end of this link

# positions in State.total
DEPARTED, ENTERED, ARRIVED, FORCED, TRAVERSALS, LOST, NEXT_TRIP, LOG_SIZE, CIRCLES, JUMPS, TURNED_OFF = range(11)
N_TOTALS = 11
# positions in the last axis of State.flow
TIME_SUM, DISTANCE, INFLOW, OUTFLOW, OCCUPANCY = range(5)
# positions in the columns of State.trip_stats (by class)
STAT_TRIPS, STAT_TIME, STAT_DISTANCE, STAT_FREE_TIME = range(4)

#: One link: what it is (may be changed between two calls of `advance`), and what happens on it.
LINK = np.dtype(
    [
        ("free_time", "f8"),  # s, length / free-flow speed
        ("headway_in", "f8"),  # s between vehicles at the capacity of the street
        ("headway", "f8"),  # s between vehicles that leave at its end
        ("wave_time", "f8"),  # s, length / backward wave speed
        ("last_entry", "f8"),  # s
        ("last_out", "f8"),  # s, when the last vehicle left the link
        ("ring_start", "i8"),  # first slot of its ring
        ("ring_size", "i4"),  # slots: the storage it was built with
        ("storage", "i4"),  # vehicles that fit at jam density, at least 1
        ("head", "i4"),  # slot of the first vehicle of the queue, counted from ring_start
        ("count", "i4"),  # vehicles on the link
        ("aside", "i4"),  # of these, vehicles in side lanes at the stop line
        ("ask_head", "i4"),  # first of the askers that want to enter, NONE
        ("gate_head", "i4"),  # first trip waiting to start on the link, NONE
        ("gate_tail", "i4"),
        ("lane_start", "i4"),  # first of its side lanes
        ("lane_count", "i4"),  # 0: one queue, strictly first in, first out
        ("abreast", "i4"),  # vehicles that may enter or leave side by side, one a lane, each lane at its own headway
        ("unused", "i4"),
        ("exit_time_sum", "f8"),  # s of travel time of those who left since costs were read
        ("exit_count", "f8"),
        ("clock", "f8"),  # virtual time of the services at its entry
        ("turn", "f8"),  # what a service adds to the virtual time: 1 / weight at merges
        ("length", "f8"),  # m
        ("drop", "f8"),  # factor on the headways of a queue: 1 / (1 - capacity drop)
        ("key", "u8"),  # names the link whatever its number; breaks ties
        ("cycle", "f8"),  # s, 0 where the end of the link has no signal
        ("green_start", "f8"),  # s into the cycle
        ("green", "f8"),  # s
        ("gate_stamp", "f8"),  # virtual finish of the waiting trip's request
        ("gate_since", "f8"),  # s since when the first waiting trip asks
        ("gate_look", "f8"),  # s, when the first waiting trip looks at its way again
        ("gate_count", "i4"),
        ("node", "i4"),  # junction of limited capacity at its end, by its place in State.lanes; NONE
        ("yield_start", "i4"),  # whom its drivers give way to: a range of State.pool, YIELD places each
        ("yield_end", "i4"),
    ],
    align=True,
)
#: One place in a link's ring. `trip`, `row` and `entry` of the n-th vehicle that entered, `exit` of the n-th that left;
#: what is older than the ring is long is overwritten. -inf: never used.
SLOT = np.dtype([("entry", "f8"), ("exit", "f8"), ("trip", "i4"), ("row", "i4")])
#: Who may ask to enter a link: asker l < n is the head of link l's queue, asker n + s the first vehicle of side lane s.
ASKER = np.dtype(
    [
        ("stamp", "f8"),  # virtual finish of the request; inf: to be set when the asker may go
        ("since", "f8"),  # s
        ("target", "i4"),  # link, NONE
        ("next", "i4"),  # next asker of the same target, NONE
    ],
    align=True,
)
#: One side lane at the stop line of a link: a short queue beside the link's own. Junctions of limited capacity follow
#: in the same array: what crosses them is spaced likewise.
LANE = np.dtype(
    [
        ("headway", "f8"),  # s between vehicles that leave it
        ("last_out", "f8"),  # s
        ("link", "i4"),  # of a junction: from where the last vehicle crossed
        ("capacity", "i4"),  # vehicles
        ("count", "i4"),
        ("first", "i4"),  # trip, NONE
        ("last", "i4"),
        ("target_start", "i4"),  # links that it leads to: a range of State.pool; empty: to any
        ("target_end", "i4"),
        ("unused", "i4"),
    ],
    align=True,
)
#: One trip, on the road or waiting.
TRIP = np.dtype(
    [
        ("depart", "f8"),  # s
        ("entry", "f8"),  # s, of who stands in a side lane
        ("free_time", "f8"),  # s at free flow, driven so far (books only)
        ("distance", "f8"),  # m driven so far (books only)
        ("origin", "i4"),  # link; NONE once the trip has ended; -2 - k: it begins at origin k, on the best link then
        ("dest", "i4"),  # destination of the route table; NONE for a trip on a path of its own
        ("layer", "i4"),  # layer of the route table
        ("vehicle_class", "i4"),
        ("row", "i4"),  # row of the route table, or ~(position in State.paths)
        ("next", "i4"),  # next trip at the same gate or in the same side lane
        ("number", "i4"),  # position in the order of all releases
        ("unused", "i4"),  # no padding, so that equal states have equal bytes
    ],
    align=True,
)
#: Events. Row i holds the heap's entry i (time, tie, id), and the place of event i in the heap. `ready` of link l has
#: id l, `serve` of link m has id n + m; `tie` orders equal times.
EVENT = np.dtype([("time", "f8"), ("tie", "u4"), ("id", "i4"), ("place", "i4"), ("unused", "i4")])
#: One row of the entry log.
LOG = np.dtype([("time", "f8"), ("trip", "i4"), ("link", "i4")])
#: Rules that hold for all links.
RULE = np.dtype(
    [
        ("gate_fill", "f8"),  # share of a link's storage above which nobody pulls out into it from the roadside
        (
            "jam",
            "f8",
        ),  # share of a link's storage above which nobody leaves for a way that leads through it; inf: never
        ("turn_off", "f8"),  # s at the head of a queue before a full link, after which another way is looked for
        ("patience", "f8"),  # s a vehicle asks for a full link before a circle of such links is looked for
        ("jump", "f8"),  # s at the head of a queue before a full link, after which it moves on
        ("calm", "f8"),  # s a driver waits for his critical gap; twice as long, and he takes any
        ("seed", "u8"),  # of ties
        ("rows", "i8"),  # rows of one layer of the route table
        ("books", "i8"),  # whether flows by class are booked
        ("log", "i8"),  # whether entries are logged
    ]
)


#: First columns of State.flow, by link and class; bins of speed follow, in m.
N_FLOWS = 5
#: Places of one rule to give way in State.pool: link entered (NONE: any), link given way to, the link that its vehicle
#: must be bound for (NONE: any), critical gap in ms, time from that link's end to the junction in ms.
YIELD_TARGET, YIELD_TO, YIELD_THEN, YIELD_GAP, YIELD_LEAD, YIELD = range(6)
#: Links of the longest circle of full links that is looked for; three times as many places of State.pool are its desk.
MAX_CIRCLE = 256


class State(NamedTuple):
    """Where everything is. Links n, side lanes s, ring slots S, trips T, vehicle classes C, speed bins B.

    Few arrays: the kernels hand all of them from function to function.
    """

    links: np.ndarray  # (n,) of LINK
    slots: np.ndarray  # (S,) of SLOT
    trips: np.ndarray  # (T,) of TRIP, in order of departure from NEXT_TRIP on
    events: np.ndarray  # (2 n + 1,) of EVENT, a 4-ary heap; see simulation.traffic.heap_kernels
    askers: np.ndarray  # (n + s,) of ASKER
    lanes: np.ndarray  # (s,) of LANE, then the junctions of limited capacity
    pool: (
        np.ndarray
    )  # int32: 3 MAX_CIRCLE places to work in, targets of lanes, links given way to, paths (END behind each)
    flow: (
        np.ndarray
    )  # (n, C, 5 + B): s (exits minus entries), m, veh, veh since the last reading; vehicles now; m by speed
    total: np.ndarray  # (N_TOTALS,) int64
    trip_stats: np.ndarray  # (C, 4) of arrived trips: number, s, m, free-flow s
    rule: np.ndarray  # (1,) of RULE
    log: np.ndarray  # of LOG, LOG_SIZE rows in use
