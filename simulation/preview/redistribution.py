"""A quick rerouting: where the base's trips would drive on the changed streets, in a few hundredths of a second.

It starts from the flows and times that the base runs show. In each round the drivers of one perception look for their
ways on the times that the rounds before have made; those whose way is another than in the base move to it, all together
as far as they do not become slower by it: the step is where the sum of what they would gain is nothing (the line search
of Frank & Wolfe 1956, doi:10.1002/nav.3800030109, on the traffic that moves alone). More or fewer trips come first, on
the ways of the base. So no change gives exactly no effect, and a toll turns away no more than the ways around it bear.

In a large city a place's doors are one destination: trips end at the first of them that they reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from simulation.city import City
from simulation.demand.spec import Access
from simulation.link_state import SPEED_KNOTS_KMH
from simulation.preview.network_change import Roads, roads
from simulation.preview.window import Window
from simulation.route_use import access_weights
from simulation.traffic.expected_load import expected_load
from simulation.traffic.routing import CLOSED_PENALTY_S, LEAST_COST_S, PERCEPTION_SD, Routes
from simulation.traffic.routing_kernels import label_trees, load_trees, update_trees

#: Perceptions of travel times, and how often each looks for its ways in a question: in a small and a large city.
PERCEPTIONS, LOOKS = (3, 2), (2, 1)
#: Destinations x links above which a city is large, and the doors of a place are taken together.
MOST_CELLS = 400_000
#: How the delay of the base grows with the load of a street, below and above its capacity (assumed: the square, as
#: between the second power of light traffic and the fourth of the Bureau of Public Roads at capacity).
DELAY_POWER = 2.0
#: Bounds of that growth: beyond them a street is jammed or empty, and the formula tells nothing (assumed).
LEAST_GROWTH, MOST_GROWTH = 0.1, 10.0
#: Load above capacity beyond which a queue only keeps vehicles out: none waits longer than the window.
MOST_QUEUE = 1.0

#: Share by which a link's cost must move before drivers are asked again; smaller moves wait (assumed).
TOLERANCE = 0.01
_BISECTIONS = 8  # of a step
#: Share of links whose cost has moved above which every destination is looked at.
MANY = 0.2
LEAST_GAIN_S = 0.01  # a way that is better by less is none
QUANTITIES = ("vehicle_km", "vehicle_hours", "delay_hours", "nox_kg")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Flows:
    """What a rerouting gives, over the window."""

    flow: np.ndarray  # (n,) vehicles
    time_s: np.ndarray  # (n,) mean time to drive each link
    zones: np.ndarray  # (Z, 4) order of `QUANTITIES`


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Round:
    """A perception on the unchanged city. D destinations, n links."""

    cost: np.ndarray  # (n,) s
    loads: np.ndarray  # (D, n) vehicles by destination
    label: np.ndarray  # (D, n) s from the end of each link
    flow: np.ndarray  # (n,) sum of the loads


class Redistribution:
    """The base's trees and loads, ready for questions.

    Parameters
    ----------
    city : City
        The base.
    window : Window
    time_s : ndarray, shape (n_links,)
        Mean travel time of each link over the base runs, s; nan where nobody drove.
    flow : ndarray, shape (n_links,), optional
        Mean vehicles on each link over the base runs; default: those of trips on the fastest ways at these times.
    """

    def __init__(self, city: City, window: Window, time_s: np.ndarray, flow: np.ndarray | None = None) -> None:
        self.city, self.window = city, window
        self.base_roads = roads(city)
        n = len(city.links)
        arrays, self._turns = city.link_arrays(), city.turn_index()
        demand = city.demand
        self.by_quarter = window.demand(demand)
        self.part = np.divide(  # of each pair's weekday, within the window
            self.by_quarter.sum(axis=0), demand.od_veh, out=np.zeros(demand.od_veh.shape), where=demand.od_veh > 0
        )
        dest, start = demand.dest_link, None
        self._exact = dest.size * n <= MOST_CELLS
        self._perceptions = PERCEPTIONS[not self._exact]
        if not self._exact:
            dest, start, self._end = _doors(demand.destinations)
        else:
            self._end = access_weights(demand.destinations, dest)
        self._start = access_weights(demand.origins, np.arange(n))
        self._routes = Routes(
            arrays, self._turns, dest, np.zeros((1, n), dtype=bool), seed=0, perceptions=self._perceptions,
            perception_sd=PERCEPTION_SD, dest_start=start, switch_share=0.0, switch_s=0.0,
        )  # fmt: skip
        self.length_m = city.links["length_m"].to_numpy(float)
        rows = city.zones["zone_id"].reset_index(drop=True)
        place = {zone: k for k, zone in enumerate(rows)}
        membership = city.link_zone
        self.membership = csr_array(
            (membership["share"].to_numpy(float), (membership["zone_id"].map(place), membership["link_id"])),
            shape=(len(rows), n),
        )  # fmt: skip
        free = self.base_roads.free_s
        self._delay_s = np.maximum(np.where(np.isfinite(time_s), time_s, free) - free, 0.0)
        self._seconds = window.hours * 3600.0
        self._rounds = self._perceptions * LOOKS[not self._exact]
        self._base_starts: np.ndarray | None = None
        self._kept = self._settle_base()
        self._assigned = np.asarray(np.mean([kept.flow for kept in self._kept], axis=0))
        self._base_flow = self._assigned if flow is None else np.asarray(flow, dtype=float)
        load = expected_load(self._base_flow / self._seconds, arrays, self._turns)
        green = np.divide(arrays.green_s, arrays.cycle_s, out=np.ones(n), where=arrays.cycle_s > 0)
        alone = 1.0 / (arrays.discharge_veh_per_s * np.maximum(green, 0.01) * self._seconds)
        #: Volume over capacity that one vehicle in the window makes.
        self._load_per_veh = np.where(
            self._base_flow > 1.0, np.maximum(load / np.maximum(self._base_flow, 1.0), alone), alone
        )
        self.base = self.reroute(self.base_roads)

    @property
    def weight(self) -> np.ndarray:
        """Trips that depart in each quarter of the window."""
        return np.asarray(self.by_quarter.sum(axis=(1, 2)))

    def reroute(self, changed: Roads) -> Flows:
        """Flows on changed streets.

        Parameters
        ----------
        changed : Roads
            Of a city with the same links and places.
        """
        flow = self._all_rounds(changed)
        time_s = self._time(flow, changed)
        pace = time_s / np.maximum(self.length_m, 1.0)
        knots = 3.6 / SPEED_KNOTS_KMH  # s/m, falling
        nox = np.empty(flow.size)
        for k, table in enumerate(changed.nox):
            of = changed.fleet_row == k
            nox[of] = np.interp(pace[of], knots[::-1], table[::-1])
        km = flow * self.length_m / 1000.0
        table = np.stack([km, flow * time_s / 3600.0, flow * (time_s - changed.free_s) / 3600.0, km * nox], axis=1)
        return Flows(flow=flow, time_s=time_s, zones=self.membership @ table)

    def _settle_base(self) -> list[_Round]:
        """Trees and loads of each perception on the unchanged city: a question makes anew what it touches."""
        routes, n = self._routes, self.length_m.size
        starts = self._starts(self.base_roads)
        every, kept = np.arange(routes.n_destinations), []
        for k in range(self._perceptions):
            cost = self._cost(k, self.base_roads.free_s + self._delay_s, self.base_roads)
            self._update(routes.next_link[k], cost, every, built=False)
            loads = np.zeros((every.size, n), dtype=np.float32)
            for d in every:
                flow = np.zeros(n)
                load_trees(routes.next_link[k][d : d + 1], starts[d : d + 1].copy(), flow)
                loads[d] = flow
            label = np.empty((every.size, n))
            label_trees(routes.next_link[k], cost, routes._in_start, routes._in_link, routes.turns.in_penalty, label)
            kept.append(
                _Round(cost=cost, loads=loads, label=label.astype(np.float32), flow=loads.sum(axis=0, dtype=float))
            )
        self._base_starts = starts
        return kept

    def _all_rounds(self, changed: Roads) -> np.ndarray:
        """Flow on changed streets, shape (n_links,): the base's, with those trips moved that a change touches."""
        starts, n = self._starts(changed), self.length_m.size
        other = np.flatnonzero((starts != self._base_starts).any(axis=1)) if starts is not self._base_starts else None
        more = [self._other_trips(k, starts, other) for k in range(self._perceptions)]
        moved = np.zeros((self._perceptions, n))  # vehicles that drive elsewhere than in the base
        flow = self._base_flow + np.mean(more, axis=0)
        for number in range(self._rounds):
            k = number % self._perceptions
            target = self._moved(k, self._time(flow, changed), changed, starts, other)
            way = (target - more[k] - moved[k]) / self._perceptions
            step = self._step(flow, way, changed)
            moved[k] += step * self._perceptions * way
            flow = flow + step * way
        return np.asarray(np.maximum(flow, 0.0) * ~(changed.cars_closed & ~self.base_roads.cars_closed))

    def _other_trips(self, k: int, starts: np.ndarray, other: np.ndarray | None) -> np.ndarray:
        """What other trips than the base's add to the flow on the base's ways, shape (n_links,)."""
        add = np.zeros(self.length_m.size)
        if other is not None and other.size:
            load_trees(self._routes.next_link[k][other], starts[other], add)
            add -= self._kept[k].loads[other].sum(axis=0, dtype=float)
        return add

    def _moved(
        self, k: int, time_s: np.ndarray, changed: Roads, starts: np.ndarray, other: np.ndarray | None
    ) -> np.ndarray:
        """Flow of a perception on its best ways at some times, less that of the base. Shape (n_links,)."""
        routes, kept = self._routes, self._kept[k]
        cost = self._cost(k, time_s, changed)
        cost = np.where(np.abs(cost - kept.cost) > TOLERANCE * kept.cost, cost, kept.cost)
        touched = self._touched(kept, cost, np.flatnonzero(cost != kept.cost))
        if other is not None:
            touched[other] = True
        rows, total = np.flatnonzero(touched), np.zeros(self.length_m.size)
        if not rows.size:
            return total
        trees = routes.next_link[k][rows]  # a copy
        self._update(trees, cost, rows)
        load_trees(trees, starts[rows], total)
        return np.asarray(total - kept.loads[rows].sum(axis=0, dtype=float))

    def _step(self, flow: np.ndarray, way: np.ndarray, changed: Roads) -> float:
        """Share of a move, 0 to 1, up to which those who move gain by it together."""
        at = np.flatnonzero(way)
        if not at.size:
            return 0.0
        fixed = CLOSED_PENALTY_S * changed.cars_closed[at] + changed.charge_s[at]

        def gain(share: float) -> float:
            time_s = self._time_at(np.maximum(flow[at] + share * way[at], 0.0), changed, at)
            return -float(way[at] @ (time_s + fixed))

        if gain(1.0) >= 0.0:
            return 1.0
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if gain(middle) > 0.0 else (low, middle)
        return low

    def _touched(self, kept: _Round, cost: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Destinations whose drivers meet a dearer link, or to whom a cheaper one offers a better way. bool, (D,)."""
        if moved.size > MANY * cost.size:
            return np.ones(len(kept.loads), dtype=bool)
        dearer, cheaper = moved[cost[moved] > kept.cost[moved]], moved[cost[moved] < kept.cost[moved]]
        touched = (kept.loads[:, dearer] > 0).any(axis=1)
        if cheaper.size:
            turns = self._turns
            count = np.diff(turns.in_start)[cheaper]
            at = np.repeat(turns.in_start[cheaper], count) + _within(count)
            into, before = np.repeat(cheaper, count), turns.in_link[at]
            offer = kept.label[:, into] + cost[into] + turns.in_penalty[at]
            touched |= (offer < kept.label[:, before] - LEAST_GAIN_S).any(axis=1)
        return np.asarray(touched)

    def _starts(self, changed: Roads) -> np.ndarray:
        """Vehicles that begin on each link for each destination, shape (D, n_links)."""
        shut = changed.cars_closed & ~self.base_roads.cars_closed
        begin = _around(self._start, shut)
        end = _around(self._end, shut[self._routes.dest_link]) if self._exact else self._end
        same_trips = changed.od_veh is self.base_roads.od_veh or np.array_equal(changed.od_veh, self.base_roads.od_veh)
        if self._base_starts is not None and same_trips and begin is self._start and end is self._end:
            return self._base_starts
        od = changed.od_veh * self.part
        return np.ascontiguousarray((end.T @ od.T) @ begin)

    def _cost(self, k: int, time_s: np.ndarray, changed: Roads) -> np.ndarray:
        """What drivers of a perception reckon with, s."""
        cost = time_s * self._routes._factor[k] + CLOSED_PENALTY_S * changed.cars_closed + changed.charge_s
        return np.maximum(cost, LEAST_COST_S)

    def _update(self, trees: np.ndarray, cost: np.ndarray, rows: np.ndarray, *, built: bool = True) -> None:
        """Bring the trees of some destinations up to date; row i of `trees` is that of destination `rows[i]`."""
        routes, none = self._routes, np.zeros(1, dtype=np.int64)
        first, last = routes.dest_start[rows], routes.dest_start[rows + 1]
        start = np.concatenate([[0], np.cumsum(last - first)])
        dest = routes.dest_link[np.repeat(first, last - first) + _within(last - first)]
        update_trees(
            np.arange(rows.size), np.full(rows.size, built), start, dest, cost, routes._in_start, routes._in_link,
            routes.turns.in_penalty, routes._key, routes._salt[rows], 0.0, 0.0, False, trees, none, none[:0],
            np.zeros((rows.size, 0), dtype=np.int32),
        )  # fmt: skip

    def _time(self, flow: np.ndarray, changed: Roads) -> np.ndarray:
        """Travel time of each link at a flow, s: free flow, the base's delay as it grows, and the queue above capacity.

        A queue that grows evenly makes its vehicles wait half of what it holds in the end (x - 1) / 2 of the window.
        """
        return self._time_at(np.maximum(flow, 0.0), changed, slice(None))

    def _time_at(self, flow: np.ndarray, changed: Roads, at: np.ndarray | slice) -> np.ndarray:
        """As `_time`, of some links alone."""
        room = np.maximum(changed.capacity[at] / self.base_roads.capacity[at], 1e-3)
        now, then = flow * self._load_per_veh[at] / room, self._base_flow[at] * self._load_per_veh[at]
        growth = np.clip(((now + 0.05) / (then + 0.05)) ** DELAY_POWER, LEAST_GROWTH, MOST_GROWTH)
        queue = np.clip(now - 1.0, 0.0, MOST_QUEUE) - np.clip(then - 1.0, 0.0, MOST_QUEUE)
        waits = np.maximum(self._delay_s[at] * growth + 0.5 * self._seconds * queue, 0.0)
        return np.asarray(changed.free_s[at] + waits)


def _doors(access: Access) -> tuple[np.ndarray, np.ndarray, csr_array]:
    """Each place's doors as one destination: links, ranges, and the identity between places and rows."""
    places = access.start.size - 1
    held = np.flatnonzero(np.diff(access.start) > 0)
    owner = np.arange(held.size)
    begin = np.concatenate([[0], np.cumsum(np.diff(access.start)[held])])
    identity = csr_array((np.ones(held.size), (held, owner)), shape=(places, held.size))
    return access.link, begin, identity


def _within(count: np.ndarray) -> np.ndarray:
    """0, 1, ... for each range of so many."""
    return np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)


def _around(doors: csr_array, shut: np.ndarray) -> csr_array:
    """Shares of doors when some are shut: the others of the place take over, where it has any. Shape (P, k)."""
    if not shut[doors.indices].any():
        return doors
    owner = np.repeat(np.arange(doors.shape[0]), np.diff(doors.indptr))
    open_ = doors.data * ~shut[doors.indices]
    left = np.bincount(owner, weights=open_, minlength=doors.shape[0])
    share = np.where(left[owner] > 0, open_ / np.where(left > 0, left, 1.0)[owner], doors.data)
    return csr_array((share, doors.indices, doors.indptr), shape=doors.shape)
