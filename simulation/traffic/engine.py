"""The traffic engine: the kernel with its state, for Python. No SimPy, no air, no models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from simulation.errors import RunError
from simulation.link_state import N_CLASSES, LinkInterval
from simulation.traffic.engine_state import empty_state, with_rings, with_trips
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.event_kernels import LOG_FULL, REACHED, advance, reschedule
from simulation.traffic.layout import (
    ARRIVED,
    CIRCLES,
    DEPARTED,
    DISTANCE,
    ENTERED,
    FORCED,
    INFLOW,
    JUMPS,
    LOG_SIZE,
    LOST,
    N_FLOWS,
    NEXT_TRIP,
    NONE,
    OCCUPANCY,
    OUTFLOW,
    RULE,
    TIME_SUM,
    TRAVERSALS,
    TURNED_OFF,
    State,
)
from simulation.traffic.network import LinkArrays, make_links
from simulation.traffic.reading_kernels import (
    head_age,
    occupants,
    queue_by_class,
    queued,
)
from simulation.traffic.trips import Trips, check_trips

#: How long a vehicle asks for a full link before a circle of full links is looked for, s (MATSim's default time
#: after which a vehicle counts as stuck: 10 s).
PATIENCE_S = 10.0
#: How long a vehicle stands at the head of a queue before a full link until it jumps, s (SUMO: 300 s).
JUMP_S = 300.0
#: In a city: the same until its driver looks for another turn, s; assumption.
TURN_OFF_S = 60.0
#: In a city: share of a link's storage above which it is part of a jam that drivers know of. Nobody leaves for a way
#: through a jam as long as it lasts; assumption: half, where a street at 40 to 50 km/h carries a quarter to a third
#: less than it could. It keeps the network from filling beyond what it can carry.
JAM_FILL = 0.5
#: How long a driver who gives way waits for his critical gap, s; from then on he takes shorter ones, and any after as
#: long again, when somebody lets him in; assumption (SUMO: impatience grows to full over 180 s).
CALM_S = 60.0
#: Share of a link's storage above which nobody pulls out into it from the roadside; assumption.
GATE_FILL = 0.7
#: What a link is, as against what happens on it: the fields that `set_links` may change.
_PHYSICS = ("free_time", "headway_in", "headway", "wave_time", "storage", "turn", "drop", "abreast",
            "cycle", "green_start", "green")  # fmt: skip
#: Arrays of the state that are not kept: buffers, and what the network says.
_NOT_KEPT = ("log", "rule")


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
    n_dest : int
        Destinations of the route table; a trip names one of them.
    start_s : float
        Time of the clock at the start, s.
    books : bool
        Whether flows are booked by class, for `read_interval`.
    log : bool
        Whether every entry into a link is logged, for `entry_log`.
    gate_fill : float
        Share of a link's storage above which nobody pulls out into it from the roadside.
    patience_s, jump_s : float
        The two times of the gridlock rules, s; see `simulation.traffic.event_kernels`.
    calm_s : float
        How long who gives way waits for the critical gap, s; after twice as long, any gap does.
    jam_fill : float
        Share of a link's storage above which it is a jam, and nobody leaves for a way through it; see `JAM_FILL`.
    turn_off_s : float
        How long a driver stands before a full link until he looks for another turn, s; see `TURN_OFF_S`.
    seed : int
        Of the order of events that are due at the same instant.

    Raises
    ------
    NetworkError
        If vehicles could not drive on the links; naming every fault.
    RunError
        If an option is impossible.
    """

    def __init__(
        self,
        arrays: LinkArrays,
        n_dest: int,
        *,
        start_s: float = 0.0,
        books: bool = True,
        log: bool = False,
        gate_fill: float = GATE_FILL,
        patience_s: float = PATIENCE_S,
        jump_s: float = JUMP_S,
        calm_s: float = CALM_S,
        jam_fill: float = np.inf,
        turn_off_s: float = np.inf,
        seed: int = 0,
    ) -> None:
        _check_options(n_dest, start_s, gate_fill=gate_fill, patience_s=patience_s, jump_s=jump_s)
        self.arrays, self.n_dest = _own_signals(arrays), int(n_dest)
        self._layers = self._origins = 0  # of the tables that trips need
        self.now = float(start_s)
        self._read_at = float(start_s)
        self._released = 0
        self._log: list[list[np.ndarray]] = []
        rule = np.zeros(1, dtype=RULE)
        rule["gate_fill"], rule["patience"], rule["jump"], rule["calm"] = gate_fill, patience_s, jump_s, calm_s
        rule["jam"], rule["turn_off"] = jam_fill, turn_off_s
        rule["rows"] = max(self.n_dest, 1)
        rule["seed"], rule["books"], rule["log"] = seed, books, log
        self.v: State = empty_state(arrays, rule)

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
            If trips depart in the past or out of order, or name links or destinations that are not there.
        """
        check_trips(trips, self.now, self.n_links, self.n_dest)
        if int(self.v.total[NEXT_TRIP]) < self.v.trips.size:
            raise RunError("trips of an earlier release have not all departed; release interval by interval")
        self._layers = max(self._layers, int(trips.layer.max(initial=-1)) + 1)
        self._origins = max(self._origins, -1 - int(trips.origin_link.min(initial=0)))
        self._take_log()
        self.v = with_trips(self.v, trips, self.n_dest, self._released)
        self._released += len(trips)

    def recall(self) -> int:
        """Take back the trips that were released but have not departed; returns how many. They may be released anew."""
        first = int(self.v.total[NEXT_TRIP])
        taken = self.v.trips.size - first
        if taken:
            self.v = self.v._replace(trips=self.v.trips[:first].copy())
            self._released -= taken
        return taken

    def advance(
        self, until_s: float, next_link: np.ndarray, *, first_link: np.ndarray | None = None, max_events: int = -1
    ) -> bool:
        """Handle every vehicle event before `until_s`.

        Parameters
        ----------
        until_s : float
            Clock time, s.
        next_link : ndarray of int32, shape (layers, n_dest, n_links)
            Link to take at the end of each link, by route layer and destination; END (-2) where the trip ends, NONE
            (-1) where no way leads on.
        first_link : ndarray of int32, shape (layers, n_dest, n_origins), optional
            Link on which a trip from each origin begins, for trips that name an origin instead of a first link.
        max_events : int
            Stop after so many events; -1: never.

        Returns
        -------
        bool
            Whether `until_s` was reached; else the clock stands at the next event.
        """
        if not until_s >= self.now:
            raise RunError(f"the clock stands at {self.now:g} s and cannot go back to {until_s:g} s")
        table, first = self._tables(next_link, first_link)
        while (reason := advance(self.v, table, first, float(until_s), max_events)) == LOG_FULL:
            self._take_log()
        self.now = float(until_s) if reason == REACHED else min(float(until_s), max(self.now, self.due_s))
        return bool(reason == REACHED)

    @property
    def due_s(self) -> float:
        """When the next event is due, s; inf when nobody who was released can ever move."""
        v, trip = self.v, int(self.v.total[NEXT_TRIP])
        event = float(v.events["time"][0]) if v.events["id"][-1] else np.inf
        return min(event, float(v.trips["depart"][trip])) if trip < v.trips.size else event

    def _tables(self, next_link: np.ndarray, first_link: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        shape = next_link.shape
        if len(shape) != 3 or shape[0] < self._layers or shape[1:] != (self.n_dest, self.n_links):
            raise RunError(
                f"next_link has shape {shape}; allowed is ({max(self._layers, 1)} or more layers, {self.n_dest}"
                f" destinations, {self.n_links} links)"
            )
        rows = shape[0] * shape[1]
        first = np.zeros((rows, 0), np.int32) if first_link is None else first_link.reshape(rows, -1)
        if first.shape[1] < self._origins:
            raise RunError(f"first_link knows {first.shape[1]} origins; trips begin at origin {self._origins - 1}")
        return next_link.reshape(rows, self.n_links), first

    def run_out(self, next_link: np.ndarray, *, first_link: np.ndarray | None = None) -> None:
        """Handle events until none is left: until everybody has arrived, or whoever is left can never move."""
        table, first = self._tables(next_link, first_link)
        while advance(self.v, table, first, np.inf, -1) == LOG_FULL:
            self._take_log()
        self.now = float(max(self.v.links["last_out"].max(initial=self.now), self.now))

    def entry_log(self) -> EntryLog:
        """Every entry into a link and every arrival since the engine was made, in order of time."""
        self._take_log()
        columns = []
        for k, dtype in enumerate((np.int32, np.int32, np.float64)):  # one column at a time: a log may be large
            column = np.concatenate([part[k] for part in self._log] or [np.zeros(0, dtype)])
            for part in self._log:
                part[k] = column[:0]
            columns.append(column)
        self._log = [columns]
        return EntryLog(*columns)

    def _take_log(self) -> None:
        size = int(self.v.total[LOG_SIZE])
        if size:
            rows = self.v.log[:size]
            number = self.v.trips["number"][rows["trip"]]
            self._log.append([number, rows["link"].copy(), rows["time"].copy()])
            self.v.total[LOG_SIZE] = 0

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
            speed_distance_m=flow[:, :, N_FLOWS:].copy(),
        )  # fmt: skip
        flow[:, :, TIME_SUM] = -flow[:, :, OCCUPANCY] * now
        flow[:, :, [DISTANCE, INFLOW, OUTFLOW]] = 0.0
        flow[:, :, N_FLOWS:] = 0.0
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
        self.arrays = _own_signals(arrays)
        if (fresh["storage"] > self.v.links["ring_size"]).any():
            self.v = with_rings(self.v, np.maximum(fresh["storage"], self.v.links["ring_size"]))
        links = self.v.links
        changed = np.flatnonzero(np.any([links[name] != fresh[name] for name in _PHYSICS], axis=0))
        for name in _PHYSICS:
            links[name] = fresh[name]
        if changed.size:
            reschedule(self.v, changed, self.now)

    def set_signals(
        self, link_ids: np.ndarray, *, cycle_s: float | np.ndarray, green_start_s: float | np.ndarray,
        green_s: float | np.ndarray,
    ) -> None:  # fmt: skip
        """Change the signals at the ends of some links from now on, at a cost that does not grow with the network.

        Parameters
        ----------
        link_ids : ndarray of int64, shape (k,)
        cycle_s, green_start_s, green_s : float or ndarray, shape (k,)
            Seconds. A cycle of 0 means no signal; of 1e9 with a green of 1e9 that begins now, green until told; with a
            green of 0, red until told.
        """
        at = np.asarray(link_ids, dtype=np.int64)
        links = self.v.links
        links["cycle"][at], links["green_start"][at], links["green"][at] = cycle_s, green_start_s, green_s
        self.arrays.cycle_s[at], self.arrays.green_start_s[at], self.arrays.green_s[at] = (
            cycle_s,
            green_start_s,
            green_s,
        )
        reschedule(self.v, at, self.now)

    def queued(self, link_ids: np.ndarray) -> np.ndarray:
        """Vehicles of some links past their free-flow time now. Shape (k,)."""
        return queued(self.v, np.asarray(link_ids, dtype=np.int64), self.now)

    def on_link(self, link_ids: np.ndarray) -> np.ndarray:
        """Vehicles on some links now. Shape (k,)."""
        return self.v.links["count"][np.asarray(link_ids, dtype=np.int64)].copy()

    def relayer(self, layer: np.ndarray) -> None:
        """Give every trip in the table of trips another layer of the route table. Shape (trips,)."""
        trips = self.v.trips
        self._layers = int(np.max(layer, initial=-1)) + 1
        trips["layer"] = layer
        by_table = np.flatnonzero(trips["dest"] != NONE)
        row = trips["layer"][by_table].astype(np.int64) * self.n_dest + trips["dest"][by_table]
        trips["row"][by_table] = row
        slot = occupants(self.v)[by_table]
        self.v.slots["row"][slot[slot != NONE]] = row[slot != NONE]

    def counts(self) -> Counts:
        """Where all vehicles are now."""
        total = self.v.total
        return Counts(
            departed=int(total[DEPARTED]), arrived=int(total[ARRIVED]), lost=int(total[LOST]),
            on_road=int(self.v.links["count"].sum()), waiting=int(self.v.links["gate_count"].sum()),
            forced=int(total[FORCED]), traversals=int(total[TRAVERSALS]),
        )  # fmt: skip

    @property
    def released(self) -> int:
        """Trips released so far, departed or not."""
        return self._released

    @property
    def entered(self) -> int:
        """Vehicles that have left their gate."""
        return int(self.v.total[ENTERED])

    def trip_stats(self) -> np.ndarray:
        """Of arrived trips by class: number, s, m, s at free flow. Shape (C, 4)."""
        return self.v.trip_stats.copy()

    def gridlock(self) -> dict[str, int]:
        """What the gridlock rules did: circles turned, heads that jumped, vehicles moved; and turns changed."""
        total = self.v.total
        return {"circles": int(total[CIRCLES]), "jumps": int(total[JUMPS]), "vehicles": int(total[FORCED]),
                "turned_off": int(total[TURNED_OFF])}  # fmt: skip

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to go on as if nothing had happened; the log so far is not part of it."""
        self._take_log()
        arrays = {name: value.copy() for name, value in self.v._asdict().items() if name not in _NOT_KEPT}
        return {**arrays, "clock": np.array([self.now, self._read_at, self._released])}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of an engine with the same links and destinations.

        Raises
        ------
        RunError
            If the state belongs to another network.
        """
        fields = {name: np.array(state[name]) for name in State._fields if name not in _NOT_KEPT}
        links = fields["links"]
        if links.shape != self.v.links.shape or not np.array_equal(links["length"], self.v.links["length"]):
            raise RunError(
                f"the state has {links.size} links of {links['length'].sum():.0f} m, this city {self.n_links} of"
                f" {self.v.links['length'].sum():.0f} m; resume with the city that made the state"
            )
        self.v = State(**fields, **{name: getattr(self.v, name) for name in _NOT_KEPT})
        self.now, self._read_at = (float(x) for x in state["clock"][:2])
        self._released = int(state["clock"][2])
        trips = self.v.trips
        self._layers = int(trips["layer"].max(initial=-1)) + 1
        self._origins = -1 - int(trips["origin"].min(initial=0))
        self._log = []


def _own_signals(arrays: LinkArrays) -> LinkArrays:
    """Links whose signals may be changed in place."""
    return replace(
        arrays, cycle_s=arrays.cycle_s.copy(), green_start_s=arrays.green_start_s.copy(), green_s=arrays.green_s.copy()
    )


def _check_options(n_dest: int, start_s: float, *, gate_fill: float, patience_s: float, jump_s: float) -> None:
    faults = []
    if n_dest < 1:
        faults.append(f"n_dest={n_dest} must be at least 1")
    if not np.isfinite(start_s):
        faults.append(f"start_s={start_s} must be finite")
    if not gate_fill > 0:
        faults.append(f"gate_fill={gate_fill} must be above 0")
    for name, value in (("patience_s", patience_s), ("jump_s", jump_s)):
        if not value > 0:
            faults.append(f"{name}={value} must be above 0")
    if faults:
        raise RunError("no engine can be made: " + "; ".join(faults))


def with_signal(
    arrays: LinkArrays, link_ids: np.ndarray, cycle_s: float, green_start_s: float, green_s: float
) -> LinkArrays:
    """Copy of the links with another fixed plan at the end of some of them."""
    cycle, start, green = (a.copy() for a in (arrays.cycle_s, arrays.green_start_s, arrays.green_s))
    cycle[link_ids], start[link_ids], green[link_ids] = cycle_s, green_start_s, green_s
    return replace(arrays, cycle_s=cycle, green_start_s=start, green_s=green)
