"""Link times by instant of entry, and fastest ways through them (Numba). Arrays in, arrays out; callers check ranges.

A link's times are the instants `exit[l, b]` at which a vehicle that enters at knot `b` would leave, straight lines
between. They never fall, so nobody overtakes by waiting (first in, first out), and a search by earliest arrival is
exact (Dreyfus 1969, doi:10.1287/opre.17.3.395; the condition: Kaufman & Smith 1993). Knots lie at `begin + b x step`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simulation.traffic.routing_kernels import lot
from simulation.traffic.search_heap_kernels import drop_first, push

NONE = -1
END = -2
STALE = -3
#: A vehicle counts as held up from this delay on, s: above rounding, below any headway.
HELD_S = 1e-3


@njit(cache=True)
def _fill(exits, link, knot, before, last_entry, last_exit, entry, leave, free, begin, step):
    """Knots after the last vehicle's entry up to the entry of the one behind it; returns the next knot to fill."""
    held = leave - entry > free + HELD_S
    while knot < exits.shape[1]:
        at = begin + knot * step
        if at > entry:
            break
        value = at + free
        if before:
            value = max(value, last_exit)
            if held and entry > last_entry:
                value = max(value, last_exit + (leave - last_exit) * (at - last_entry) / (entry - last_entry))
        elif held:
            value = max(value, min(leave, at + leave - entry))
        exits[link, knot] = value
        knot += 1
    return knot


@njit(cache=True)
def measure_exits(
    trip,  # (m,) of the entry log, in order of time
    link,  # (m,) END or NONE where the trip ended
    time,  # (m,) s
    depart,  # (k,) s of each trip
    free,  # (n,) s at free flow
    end,  # s when the log ended: who is still on a link leaves it then at the earliest
    begin,
    step,
    exits,  # (n, B) out: s
    gates,  # (n, B) out: s at which a trip that departs at a knot enters each link as its first
):
    """Instants of exit by instant of entry, from those who drove; free flow where nobody was held up.

    Between two vehicles the instant of exit rises evenly if the second was held up; if not, whoever enters between
    them leaves at free flow, but not before the first.
    """
    n = free.size
    knot = np.zeros(n, dtype=np.int64)
    last_entry = np.full(n, -np.inf)
    last_exit = np.full(n, -np.inf)
    gate_knot = np.zeros(n, dtype=np.int64)
    last_depart = np.full(n, -np.inf)
    last_start = np.full(n, -np.inf)
    where = np.full(depart.size, NONE, dtype=np.int32)
    since = np.zeros(depart.size)
    for row in range(trip.size + depart.size):
        if row < trip.size:
            who = trip[row]
            now = time[row]
            following = link[row]
        else:  # those whom the log leaves on the road
            who = row - trip.size
            if where[who] < 0:
                continue
            now = max(end, since[who] + free[where[who]])
            following = END
        at = where[who]
        if at >= 0:
            if since[who] >= last_entry[at]:
                knot[at] = _fill(exits, at, knot[at], last_entry[at] > -np.inf, last_entry[at], last_exit[at],
                                 since[who], now, free[at], begin, step)  # fmt: skip
                last_entry[at] = since[who]
            last_exit[at] = max(last_exit[at], now)
        elif at == NONE and following >= 0:
            if depart[who] >= last_depart[following]:
                gate_knot[following] = _fill(
                    gates, following, gate_knot[following], last_depart[following] > -np.inf, last_depart[following],
                    last_start[following], depart[who], now, 0.0, begin, step,
                )  # fmt: skip
                last_depart[following] = depart[who]
            last_start[following] = max(last_start[following], now)
        where[who] = following if following >= 0 else END
        since[who] = now
    for at in range(n):
        for k in range(knot[at], exits.shape[1]):
            exits[at, k] = max(begin + k * step + free[at], last_exit[at])
        for k in range(gate_knot[at], gates.shape[1]):
            gates[at, k] = max(begin + k * step, last_start[at])


@njit(cache=True)
def leave_at(exits, link, at, begin, step):
    """Instant at which a vehicle that enters a link at some instant leaves it; beyond the knots as at the last one."""
    place = (at - begin) / step
    last = exits.shape[1] - 1
    if place >= last:
        return at + exits[link, last] - (begin + last * step)
    if place <= 0.0:
        return at + exits[link, 0] - begin
    k = int(place)
    share = place - k
    return exits[link, k] * (1.0 - share) + exits[link, k + 1] * share


@njit(cache=True)
def arrivals_on_paths(
    links,  # all paths one after another
    start,  # (k + 1,)
    depart,  # (k,) s
    exits,
    gates,
    begin,
    step,
    out,  # (k,) s: arrival
):
    """Arrival of each trip if it drove its path through the link times."""
    for trip in range(depart.size):
        now = depart[trip]
        for at in range(start[trip], start[trip + 1]):
            if at == start[trip]:
                now = leave_at(gates, links[at], now, begin, step)
            now = leave_at(exits, links[at], now, begin, step)
        out[trip] = now


@njit(cache=True)
def fastest_paths(
    group_start,  # (g + 1,) trips of one origin and one instant, as ranges of the trips
    origin,  # (k,) of each trip
    dest,  # (k,) of each trip
    depart,  # (k,) s, the same within a group
    origin_start,  # (O + 1,) ranges of origin_link
    origin_link,
    dest_of,  # (n,) destination that each link ends at, NONE
    out_start,  # (n + 1,) turns out of each link, as ranges of out_link
    out_link,
    name,  # (n,) uint64 key of each link
    salt,  # uint64: of equal ways, the one whose link draws the lower lot is taken
    exits,
    gates,
    begin,
    step,
    charge,  # (rows, n) s of generalised cost besides time, inf where a link is banned; (0, n): none
    row,  # (k,) of charge, the same within a group
    arrival,  # (k,) out: s, inf where no way leads
    path_start,  # (k + 1,) out
):
    """Cheapest way of each trip, its arrival and links: Dijkstra (1959, doi:10.1007/BF01386390), forward in time.

    Without charges the cheapest way is the one of earliest arrival, and the search is exact. With charges each link
    keeps its cheapest way alone, though a dearer one that is there earlier might win further on.

    Returns the links of all ways, one after another; empty where there is none.
    """
    n = out_start.size - 1
    n_dest = max(dest_of.max(), dest.max() if dest.size else 0) + 1
    charged = charge.shape[0] > 0
    label = np.empty(n)  # s of cost, counted from the clock's zero
    left = np.empty(n)  # s at which the end of each link is reached
    before = np.empty(n, dtype=np.int32)
    entered = np.empty(n)  # instant at which the link before each is left
    stamp = np.zeros(n, dtype=np.int64)  # group that last reached each link
    reached_by = np.full(n_dest, -1, dtype=np.int32)
    reached_in = np.zeros(n_dest, dtype=np.int64)
    wanted = np.zeros(n_dest, dtype=np.int64)
    key = np.empty(n + 1 + (out_link.size if charged else 0))
    item = np.empty(key.size, dtype=np.int32)
    paths = np.empty(max(16, 16 * depart.size), dtype=np.int32)
    used = 0
    path_start[0] = 0
    for g in range(group_start.size - 1):
        first = group_start[g]
        mark = g + 1
        missing = 0
        for trip in range(first, group_start[g + 1]):
            if wanted[dest[trip]] != mark:
                wanted[dest[trip]] = mark
                missing += 1
        size = 0
        link = NONE
        now = depart[first]
        cost = now
        over = np.inf  # cost at which the last destination was reached; what costs as much may still be as good
        while True:
            if link == NONE:
                low = origin_start[origin[first]]
                high = origin_start[origin[first] + 1]
            elif link == STALE:
                low = high = 0
            else:
                low = out_start[link]
                high = out_start[link + 1]
            for at in range(low, high):
                if link == NONE:
                    following = origin_link[at]
                    value = leave_at(exits, following, leave_at(gates, following, now, begin, step), begin, step)
                else:
                    following = out_link[at]
                    if stamp[following] == mark and not charged:  # the first to lead here was the earliest
                        rival = before[following]
                        if (
                            now == entered[following]
                            and rival != NONE
                            and lot(name[link], salt) < lot(name[rival], salt)
                        ):
                            before[following] = link
                        continue
                    value = leave_at(exits, following, now, begin, step)
                time = value
                if charged:
                    value += cost - now + charge[row[first], following]
                    if value == np.inf:
                        continue
                    if stamp[following] == mark and value >= label[following]:
                        rival = before[following]
                        if (
                            value == label[following]
                            and rival != NONE
                            and link != NONE
                            and label[link] < label[following]
                            and lot(name[link], salt) < lot(name[rival], salt)
                        ):
                            before[following] = link
                            left[following] = time
                        continue
                stamp[following] = mark
                label[following] = value
                left[following] = time
                entered[following] = now
                before[following] = link
                push(key, item, size, value, following)
                size += 1
            if size == 0 or key[0] > over:
                break
            cost = key[0]
            link = item[0]
            now = left[link]
            size -= 1
            drop_first(key, item, size)
            if cost > label[link]:  # a cheaper way came later
                link = STALE
                continue
            end = dest_of[link]
            if end < 0:
                continue
            if reached_in[end] != mark:
                reached_in[end] = mark
                reached_by[end] = link
                if wanted[end] == mark:
                    missing -= 1
                    if missing == 0:
                        over = cost
            elif cost == label[reached_by[end]] and lot(name[link], salt) < lot(name[reached_by[end]], salt):
                reached_by[end] = link
        for trip in range(first, group_start[g + 1]):
            arrival[trip] = np.inf
            if reached_in[dest[trip]] == mark:
                last = reached_by[dest[trip]]
                arrival[trip] = left[last]
                length = 0
                link = last
                while link != NONE:
                    length += 1
                    link = before[link]
                if used + length > paths.size:
                    more = np.empty(2 * (used + length), dtype=np.int32)
                    more[:used] = paths[:used]
                    paths = more
                link = last
                for k in range(length):
                    paths[used + length - 1 - k] = link
                    link = before[link]
                used += length
            path_start[trip + 1] = used
    return paths[:used].copy()
