"""The traffic engine: the kernel with its state, for Python. No SimPy, no air, no models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simulation.errors import RunError
from simulation.link_state import N_CLASSES, N_SPEED_BINS, LinkInterval
from simulation.traffic.kernels import (
    ARRIVED,
    DEPARTED,
    DISTANCE,
    ENTERED,
    EVENT,
    FORCED,
    INFLOW,
    LOST,
    NEXT_TRIP,
    NONE,
    OCCUPANCY,
    OUTFLOW,
    SLOT,
    TIME_SUM,
    TRAVERSALS,
    TRIP,
    State,
    advance,
    head_age,
    queue_by_class,
    reschedule,
)
from simulation.traffic.network import LinkArrays, make_links

#: What a link is, as against what happens on it: the fields that `set_links` may change.
_PHYSICS = ("free_time", "headway_in", "headway", "wave_time", "storage", "cycle", "green_start", "green")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trips:
    """Trips to release, in order of departure. Shape (k,) each."""

    depart_s: np.ndarray  # s since the clock's zero
    origin_link: np.ndarray  # int64
    dest_row: np.ndarray  # int64, row of the route table
    layer: np.ndarray  # int64, layer of the route table
    vehicle_class: np.ndarray  # int64

    def __len__(self) -> int:
        return self.depart_s.size


@dataclass(frozen=True, slots=True)
class Counts:
    """Where all vehicles are: departed = arrived + lost + on_road + waiting, always."""

    departed: int
    arrived: int
    lost: int
    on_road: int
    waiting: int
    forced: int
    traversals: int

    @property
    def conserved(self) -> bool:
        """Whether no vehicle was made or destroyed."""
        return self.departed == self.arrived + self.lost + self.on_road + self.waiting


class TrafficEngine:
    """All vehicles of a network, advanced from event to event.

    Parameters
    ----------
    arrays : LinkArrays
        The links.
    dest_link : ndarray, shape (D,)
        Links at whose end trips may end; a trip names a row of this table.
    start_s : float
        Time of the clock at the start, s.
    """

    def __init__(self, arrays: LinkArrays, dest_link: np.ndarray, *, start_s: float = 0.0) -> None:
        self.arrays = arrays
        self.dest_link = np.ascontiguousarray(dest_link, dtype=np.int64)
        self.now = float(start_s)
        self._read_at = float(start_s)
        self.v: State = _empty_state(make_links(arrays))

    @property
    def n_links(self) -> int:
        """Number of links."""
        return int(self.v.links.size)

    @property
    def free_time_s(self) -> np.ndarray:
        """Time over each empty link, s. Shape (n_links,)."""
        return np.array(self.v.links["free_time"])

    def release(self, trips: Trips) -> None:
        """Add trips that depart from now on; finished ones leave the table of trips.

        Raises
        ------
        RunError
            If a trip departs in the past or the trips are out of order.
        """
        if len(trips) and (trips.depart_s[0] < self.now or np.any(np.diff(trips.depart_s) < 0)):
            raise RunError(f"trips must depart at or after {self.now:g} s, in order; first {trips.depart_s[0]:g} s")
        if int(self.v.total[NEXT_TRIP]) < self.v.trips.size:
            raise RunError("trips of an earlier release have not all departed; release interval by interval")
        self.v = _with_trips(self.v, trips)

    def advance(self, until_s: float, next_link: np.ndarray) -> None:
        """Handle every vehicle event before `until_s`.

        Parameters
        ----------
        until_s : float
            Clock time, s.
        next_link : ndarray, shape (layers, D, n_links)
            Link to take at the end of each link, by route layer and destination row.
        """
        if until_s < self.now:
            raise RunError(f"the clock stands at {self.now:g} s and cannot go back to {until_s:g} s")
        advance(self.v, next_link, self.dest_link, until_s)
        self.now = float(until_s)

    def read_interval(self) -> LinkInterval:
        """What happened on every link since the last reading; starts the next interval."""
        now, begun, v = self.now, self._read_at, self.v
        flow = v.flow
        interval = LinkInterval(
            start_s=begun, step_s=now - begun,
            vehicle_distance_m=flow[:, :, DISTANCE].copy(),
            vehicle_time_s=np.maximum(flow[:, :, TIME_SUM] + flow[:, :, OCCUPANCY] * now, 0.0),
            inflow_veh=flow[:, :, INFLOW].copy(), outflow_veh=flow[:, :, OUTFLOW].copy(),
            queue_veh=queue_by_class(v, now, N_CLASSES),
            speed_distance_m=v.speed_distance.copy(),
        )  # fmt: skip
        flow[:, :, TIME_SUM] = -flow[:, :, OCCUPANCY] * now
        flow[:, :, [DISTANCE, INFLOW, OUTFLOW]] = 0.0
        v.speed_distance[:] = 0.0
        self._read_at = now
        return interval

    def travel_times(self) -> np.ndarray:
        """Mean time of those who left each link since the last call, s; never below free flow. Shape (n_links,).

        A link that nobody left counts the time that its head has waited so far.
        """
        links = self.v.links
        count = links["exit_count"]
        mean = np.divide(links["exit_time_sum"], count, out=np.zeros(self.n_links), where=count > 0)
        age = head_age(self.v, self.now)
        links["exit_time_sum"] = links["exit_count"] = 0.0
        return np.maximum(np.maximum(mean, np.where(mean > 0, 0.0, age)), links["free_time"])

    def set_links(self, arrays: LinkArrays) -> None:
        """Change speeds, lanes, capacities or signals from now on; what happens on links that stay as they are does not
        change, bit for bit."""
        fresh = make_links(arrays)
        self.arrays = arrays
        if (fresh["storage"] > self.v.links["ring_size"]).any():
            self.v = _with_rings(self.v, np.maximum(fresh["storage"], self.v.links["ring_size"]))
        links = self.v.links
        changed = np.flatnonzero(np.any([links[name] != fresh[name] for name in _PHYSICS], axis=0))
        for name in _PHYSICS:
            links[name] = fresh[name]
        if changed.size:
            reschedule(self.v, changed, self.now)

    def counts(self) -> Counts:
        """Where all vehicles are now."""
        total = self.v.total
        return Counts(
            departed=int(total[DEPARTED]), arrived=int(total[ARRIVED]), lost=int(total[LOST]),
            on_road=int(self.v.links["count"].sum()), waiting=int(self.v.links["gate_count"].sum()),
            forced=int(total[FORCED]), traversals=int(total[TRAVERSALS]),
        )  # fmt: skip

    @property
    def entered(self) -> int:
        """Vehicles that have left their gate."""
        return int(self.v.total[ENTERED])

    def trip_stats(self) -> np.ndarray:
        """Of arrived trips by class: number, s, m, s at free flow. Shape (C, 4)."""
        return self.v.trip_stats.copy()

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to go on as if nothing had happened."""
        arrays = {name: value.copy() for name, value in self.v._asdict().items()}
        return {**arrays, "clock": np.array([self.now, self._read_at])}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of an engine with the same links and destinations.

        Raises
        ------
        RunError
            If the state belongs to another network.
        """
        fields = {name: np.array(state[name]) for name in State._fields}
        links = fields["links"]
        if links.shape != self.v.links.shape or not np.array_equal(links["length"], self.v.links["length"]):
            raise RunError(
                f"the state has {links.size} links of {links['length'].sum():.0f} m, this city {self.n_links} of"
                f" {self.v.links['length'].sum():.0f} m; resume with the city that made the state"
            )
        self.v = State(**fields)
        self.now, self._read_at = (float(x) for x in state["clock"])


def _empty_state(links: np.ndarray) -> State:
    n = links.size
    slots = np.zeros(int(links["ring_size"].sum()), dtype=SLOT)
    slots["trip"], slots["exit"] = NONE, -np.inf
    events = np.zeros(2 * n, dtype=EVENT)
    events["time"], events["place"] = np.inf, NONE
    return State(
        links=links, slots=slots, trips=np.zeros(0, dtype=TRIP), events=events, flow=np.zeros((n, N_CLASSES, 5)),
        speed_distance=np.zeros((n, N_CLASSES, N_SPEED_BINS)), total=np.zeros(8, np.int64),
        trip_stats=np.zeros((N_CLASSES, 4)),
    )  # fmt: skip


def _with_rings(v: State, size: np.ndarray) -> State:
    """Give links more slots: the newest entries stay the newest, the new slots were never used."""
    links = v.links.copy()
    slots = np.zeros(int(size.sum()), dtype=SLOT)
    slots["trip"], slots["exit"] = NONE, -np.inf
    links["ring_size"], links["ring_start"] = size, np.concatenate([[0], np.cumsum(size)[:-1]])
    for link, old in enumerate(v.links):
        kept, count = old["ring_size"], old["count"]
        by_age = old["ring_start"] + (old["head"] + count + np.arange(kept)) % kept
        end = links["ring_start"][link] + size[link]
        slots[end - kept : end] = v.slots[by_age]
        links["head"][link] = (size[link] - count) % size[link]
    return v._replace(links=links, slots=slots)


def _with_trips(v: State, trips: Trips) -> State:
    """Drop finished trips, append new ones, and renumber whatever names a trip."""
    live = np.flatnonzero(v.trips["origin"] != NONE)
    renumber = np.full(v.trips.size + 1, NONE, dtype=np.int64)  # the last entry serves index NONE
    renumber[live] = np.arange(live.size)
    new = np.zeros(len(trips), dtype=TRIP)
    new["origin"], new["dest"], new["layer"] = trips.origin_link, trips.dest_row, trips.layer
    new["vehicle_class"], new["depart"], new["next"] = trips.vehicle_class, trips.depart_s, NONE
    old = v.trips[live]
    old["next"] = renumber[old["next"]]
    v.slots["trip"] = np.where(np.isposinf(v.slots["exit"]), renumber[v.slots["trip"]], NONE)
    for name in ("gate_head", "gate_tail"):
        v.links[name] = renumber[v.links[name]]
    v.total[NEXT_TRIP] = live.size
    return v._replace(trips=np.concatenate([old, new]))


def with_signal(
    arrays: LinkArrays, link_ids: np.ndarray, cycle_s: float, green_start_s: float, green_s: float
) -> LinkArrays:
    """Copy of the links with another fixed plan at the end of some of them."""
    cycle, start, green = (a.copy() for a in (arrays.cycle_s, arrays.green_start_s, arrays.green_s))
    cycle[link_ids], start[link_ids], green[link_ids] = cycle_s, green_start_s, green_s
    return replace(arrays, cycle_s=cycle, green_start_s=start, green_s=green)
