"""The living city: what a SimPy process may read and change at its event time.

The clock is SimPy's; before each of its events the traffic kernel advances all vehicles to that instant in one call.
At an instant t the order is: vehicle events before t, the books of the interval that ends at t, then the processes due
at t in the order of `Phase`, then vehicle events at t.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import simpy

from data.schemas import VEHICLE_CLASSES
from simulation.air.fleet import Fleet
from simulation.errors import RunError
from simulation.lights import Lights
from simulation.standing import Avoided, DemandFactor, LinkLimit, avoided_table, demand_product, limit_shares
from simulation.streams import Purpose, uniform
from simulation.traffic.costs import Toll, by_group, cost_groups, toll_eur
from simulation.traffic.engine import JAM_FILL, TURN_OFF_S, TrafficEngine
from simulation.traffic.network import LinkArrays
from simulation.traffic.routing import CLOSED_PENALTY_S, N_PERCEPTIONS, Routes

if TYPE_CHECKING:
    from simulation.air.model import AirModel, ZoneAir
    from simulation.city import City
    from simulation.demand.trips import DayTrips
    from simulation.link_state import LinkInterval
    from simulation.traffic.actuated import Actuation
    from simulation.trip_log import TripLog

Process = Callable[["LiveCity"], Generator[simpy.Event, Any, Any]]


class Phase(float, Enum):
    """Order of processes that are due at the same instant; a plain `env.timeout` counts as a measure."""

    WEATHER = 0.5
    MEASURES = 1.0
    SIGNALS = 2.0
    DEMAND = 3.0
    SENSORS = 4.0
    AGENTS = 5.0


class _At(simpy.Event):
    """A timeout with a phase."""

    def __init__(self, env: simpy.Environment, delay: float, phase: Phase) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=phase.value, delay=delay)  # type: ignore[arg-type]


class Clock(simpy.Environment):
    """SimPy's environment, with something to do before each new instant."""

    def __init__(self, initial_time: float, before: Callable[[float], None]) -> None:
        super().__init__(initial_time)
        self._before = before
        self._reached = -np.inf

    def step(self) -> None:
        """Handle the next event; first bring the city to its instant."""
        at = self.peek()
        if at > self._reached and at != np.inf:
            self._reached = at
            self._before(float(at))
        event = self._queue[0][3] if self._queue else None
        try:
            super().step()
        except BaseException:
            if event is None or event._ok:
                raise
            raise event._value from None  # SimPy raises a copy, which an error of several arguments does not survive


class LiveCity:
    """A city in a run. Times are seconds of `env.now`, counted from `start`.

    Attributes
    ----------
    city : City
        As it was when the run began.
    start : Timestamp
        Instant at which `env.now` is zero, UTC.
    step_s : float
        Interval of the books, s.
    end_s : float
        When the run ends.
    env : Clock
    """

    def __init__(
        self,
        city: City,
        *,
        seed: int,
        start: pd.Timestamp,
        now_s: float,
        end_s: float,
        step_s: float,
        air: AirModel,
        before: Callable[[float], None],
        log: bool = False,
        informed_share: float = 1.0,
    ) -> None:
        if not 0 <= informed_share <= 1:
            raise RunError(f"informed_share={informed_share!r} must be between 0 and 1")
        self.city, self.seed, self.start, self.step_s, self.air = city, seed, start, step_s, air
        self.end_s = end_s
        self._base: LinkArrays = city.link_arrays()
        n = len(city.links)
        self._speed = np.full(n, np.nan)  # set by measures, m/s; nan: as built
        self._lanes = np.full(n, np.nan)
        self._capacity_share = np.ones(n)  # what incidents leave
        self._closures = city.closed_array().astype(np.int64)  # how many closures hold, (classes, n)
        self._demand: list[DemandFactor] = list(city.demand_factors)  # in force
        self._limits: list[LinkLimit] = list(city.link_limits)
        self._avoided: list[Avoided] = list(city.avoided)
        self._extra: list[DayTrips] = []  # trips beside the usual ones, departures by the clock of the run
        self._redraw: Callable[[], None] = _nothing  # chooses the trips of the interval anew
        self._tolls: list[Toll] = list(city.tolls)
        closed, charge_s = self._kinds()
        self._group = cost_groups(closed, charge_s)  # of each class, then of its avoiders, where there are any
        self.engine = TrafficEngine(
            self._base, city.demand.dest_link.size, start_s=now_s, log=log, jam_fill=JAM_FILL, turn_off_s=TURN_OFF_S
        )
        self.trip_log: TripLog | None = None  # on request, set once a state is restored
        self.lights = Lights(self._base, self.engine)
        self._turns = city.turn_index()
        self._turn_bans = np.zeros(self._turns.in_link.size, dtype=np.int64)  # how many bans hold
        self.routes = Routes(
            self._base, self._turns, city.demand.dest_link, by_group(closed, self._group), seed=seed,
            charge_s=by_group(charge_s, self._group), habits=0 if informed_share == 1 else N_PERCEPTIONS,
        )  # fmt: skip
        self._paused = 0
        if self._limits:
            self._rebuild()
        self._informed_share = informed_share
        self.interval: LinkInterval | None = None  # the last one that was booked, with the air over it
        self.zone_air: ZoneAir | None = None
        self.last: Mapping[str, np.ndarray] = {}
        self.weather: Mapping[str, float] = {}
        for links, fleet in city.link_fleet:
            air.set_link_fleet(list(links), fleet)
        self.env = Clock(now_s, before)

    # --- time ---------------------------------------------------------------------------------------------------

    def wait(self, seconds: float, phase: Phase = Phase.MEASURES) -> simpy.Event:
        """Event in some seconds; processes of an earlier phase go first."""
        return _At(self.env, seconds, phase)

    def time(self) -> pd.Timestamp:
        """The instant, UTC."""
        return self.start + pd.Timedelta(seconds=self.env.now)

    def local(self) -> pd.Timestamp:
        """The instant in the city's time zone."""
        return self.time().tz_convert(self.city.timezone)

    def time_of_day_s(self) -> float:
        """Seconds since local midnight by the clock on the wall."""
        now = self.local()
        return now.hour * 3600.0 + now.minute * 60.0 + now.second + now.microsecond / 1e6

    def seconds_until(self, local_s: float) -> float:
        """Seconds to the next instant at which the clock on the wall shows this time; 0 if that is now.

        Parameters
        ----------
        local_s : float
            Seconds since local midnight.
        """
        if not 0 <= local_s <= 86_400:
            raise RunError(f"local_s={local_s:g} s is not a time of day; allowed: 0 to 86,400 s")
        now = self.local()
        for ahead in (0, 1, 2):
            wall = (now.tz_localize(None).normalize() + pd.Timedelta(days=ahead, seconds=local_s)).tz_localize(
                self.city.timezone, ambiguous=True, nonexistent="shift_forward"
            )
            if wall >= now:
                break
        return float((wall - now).total_seconds())

    # --- reading ------------------------------------------------------------------------------------------------

    def read(self) -> Mapping[str, np.ndarray]:
        """What happened in each zone over the last full interval, by quantity; empty before the first."""
        return self.last

    # --- changing -----------------------------------------------------------------------------------------------

    def close(self, link_ids: Sequence[int], classes: Iterable[int] | None = None) -> None:
        """Close links to vehicle classes (indices; all if None). Closures of a link count: each needs its `open`."""
        self._close(link_ids, classes, +1)

    def open(self, link_ids: Sequence[int], classes: Iterable[int] | None = None) -> None:
        """Take back one `close` of the same links and classes."""
        self._close(link_ids, classes, -1)

    def _close(self, link_ids: Sequence[int], classes: Iterable[int] | None, by: int) -> None:
        links = self._checked(link_ids)
        rows = np.arange(len(VEHICLE_CLASSES)) if classes is None else np.array(list(classes), dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(VEHICLE_CLASSES)):
            raise RunError(
                f"vehicle classes {rows.tolist()}; allowed: 0 to {len(VEHICLE_CLASSES) - 1}, {VEHICLE_CLASSES}"
            )
        cells = np.ix_(rows, links)
        if by < 0 and (self._closures[cells] <= 0).any():
            raise RunError(f"links {links.tolist()[:5]} are not closed; every open needs its close")
        before = self._closures > 0
        self._closures[cells] += by
        if not np.array_equal(before, self._closures > 0):
            self._reroute()
            self._redraw()

    def _reroute(self) -> None:
        """Other links are closed or charged: vehicles choose again, in the group of their class."""
        closed, charge_s = self._kinds()
        old, self._group = self._group, cost_groups(closed, charge_s)
        self.routes.set_groups(by_group(closed, self._group), by_group(charge_s, self._group))
        self.routes.update()
        trips, many = self.engine.v.trips, len(VEHICLE_CLASSES)
        was, perception = np.divmod(trips["layer"], self.routes.perceptions)
        kind = trips["vehicle_class"].astype(np.int64)
        if old.size > many and self._group.size > many:  # who avoided goes on avoiding
            kind = kind + many * ((was == old[many + kind]) & (was != old[kind]))
        self.engine.relayer(self.routes.layer(perception, self._group[kind]))

    def _kinds(self) -> tuple[np.ndarray, np.ndarray]:
        """Closures and charges of each class and, where some avoid streets, of its avoiders. Shape (kinds, n) each."""
        closed, charge_s = self._closures > 0, self.charge_s()
        if not self._avoided:
            return closed, charge_s
        shut, share = avoided_table(self._avoided, closed.shape[1])
        return np.concatenate([closed, closed | (shut & (share > 0)[:, None])]), np.concatenate([charge_s, charge_s])

    def avoid(self, link_ids: Sequence[int], share: Sequence[float]) -> Callable[[], None]:
        """Let a share of each class drive around some links from now on; returns what ends it.

        It holds for trips that are released from now on and neither begin nor end on such a link.

        Parameters
        ----------
        link_ids : sequence of int
        share : sequence of float, shape (classes,)
            0 to 1.
        """
        entry = Avoided(links=self._checked(link_ids), share=tuple(float(one) for one in share))

        def changed() -> None:
            self._reroute()
            self._redraw()

        return self._hold(self._avoided, entry, changed)

    def avoids(self, trips: DayTrips) -> np.ndarray | None:
        """Which trips avoid the streets that some avoid, bool, shape (trips,); None while there are no such streets."""
        if not self._avoided:
            return None
        shut, share = avoided_table(self._avoided, self._base.length_m.size)
        lot = uniform(self.seed, 0, trips.key, Purpose.AVOIDS)
        return (lot < share[trips.vehicle_class]) & ~shut[trips.origin_link] & ~shut[trips.dest_link]

    def ban_turns(self, from_link: np.ndarray, to_link: np.ndarray) -> Callable[[], None]:
        """Forbid turns from now on; returns what allows them again. Bans of a turn count.

        As with closed links, whoever has no other way makes the turn all the same.

        Parameters
        ----------
        from_link, to_link : ndarray of int, shape (k,)
            Turns of the city.

        Raises
        ------
        RunError
            If the city has no such turn.
        """
        n = len(self.city.links)
        known = np.repeat(np.arange(n), np.diff(self._turns.in_start)) * n + self._turns.in_link
        wanted = self._checked(to_link) * n + self._checked(from_link)
        at = np.minimum(np.searchsorted(known, wanted), max(known.size - 1, 0))
        if wanted.size and (not known.size or (known[at] != wanted).any()):
            raise RunError("a turn that the city does not have cannot be banned; see the turns table")

        def ban(by: int) -> None:
            self._turn_bans[at] += by
            penalty = self._turns.in_penalty + CLOSED_PENALTY_S * (self._turn_bans > 0)
            self.routes.set_turns(replace(self._turns, in_penalty=penalty))
            self.routes.update()

        if not at.size:
            return _nothing
        ban(+1)
        return lambda: ban(-1)

    def limit(self, link_ids: Sequence[int], *, capacity: Any = 1.0, speed: Any = 1.0) -> Callable[[], None]:
        """Leave links a share of their capacity and speed from now on; returns what ends it. Limits multiply.

        They stand beside the incidents of `set_capacity_share`, and end on their own.

        Parameters
        ----------
        link_ids : sequence of int
        capacity, speed : float or ndarray, shape (k,)
            Above 0 and at most 1.
        """
        entry = LinkLimit(links=self._checked(link_ids), capacity=capacity, speed=speed)
        return self._hold(self._limits, entry, self._rebuild)

    def add_trips(self, trips: DayTrips) -> Callable[[], None]:
        """Add trips to the usual ones; returns what takes those back that have not departed.

        Parameters
        ----------
        trips : DayTrips
            `depart_s` in seconds of `env.now`; those in the past are left out. `dest_link` among the demand's.
        """
        return self._hold(self._extra, trips, self._redraw)

    def extra_trips(self, first_s: float, last_s: float) -> list[DayTrips]:
        """Added trips that depart in a span of the clock, by source."""
        inside = [np.flatnonzero((one.depart_s >= first_s) & (one.depart_s < last_s)) for one in self._extra]
        return [one.take(rows) for one, rows in zip(self._extra, inside) if rows.size]

    @staticmethod
    def _hold(entries: list[Any], entry: Any, changed: Callable[[], None]) -> Callable[[], None]:
        """Put an entry in force; returns what takes it out, once."""
        entries.append(entry)
        changed()

        def undo() -> None:
            for k, other in enumerate(entries):
                if other is entry:
                    del entries[k]
                    changed()
                    return

        return undo

    def set_toll(
        self, link_ids: Sequence[int], eur: float | Sequence[float], classes: Iterable[int] | None = None
    ) -> Callable[[], None]:
        """Charge vehicle classes (indices; all if None) on each of some links from now on; returns what takes it back.

        Tolls add up. Drivers weigh them against time by the value of time of their class (`City.costs`) and choose
        their ways again at once; whoever is on a charged link drives on.

        Parameters
        ----------
        link_ids : sequence of int
        eur : float or sequence of float
            EUR a vehicle and link, one for all or one each; at least 0.
        """
        rows = tuple(range(len(VEHICLE_CLASSES)) if classes is None else classes)
        links = tuple(self._checked(link_ids).tolist())
        each = None if np.ndim(eur) == 0 else tuple(float(one) for one in np.asarray(eur))
        toll = Toll(link_ids=links, eur=float(eur) if each is None else 0.0, classes=rows, each_eur=each)  # type: ignore[arg-type]
        return self._hold(self._tolls, toll, self._reroute)

    def charge_s(self) -> np.ndarray:
        """Tolls and costs of distance in force, in seconds of each class's time. Shape (classes, n_links)."""
        base = self._base
        return self.city.costs.charge_s(base.length_m, toll_eur(self._tolls, base.length_m.size))

    @property
    def capacity_share(self) -> np.ndarray:
        """What incidents leave of each link's capacity. Shape (n_links,)."""
        return self._capacity_share.copy()

    def settle(self, capacity_share: np.ndarray) -> None:
        """After a restore: incidents go on; measures that an earlier run left in force end here."""
        self._capacity_share = np.array(capacity_share, dtype=float)
        self._rebuild()
        closed, charge_s = (by_group(table, self._group) for table in self._kinds())
        if not (np.array_equal(self.routes.closed, closed) and np.array_equal(self.routes.charge_s, charge_s)):
            self._reroute()

    def set_speed(self, link_ids: Sequence[int], mps: float | Sequence[float] | None) -> None:
        """Set the free-flow speed of links, m/s; None gives them back the speed they were built with."""
        links = self._checked(link_ids)
        value = np.nan if mps is None else np.broadcast_to(np.asarray(mps, float), links.shape)
        if mps is not None and not (np.isfinite(value) & (value > 0)).all():
            raise RunError(f"speed {mps!r} m/s must be above 0")
        self._speed[links] = value
        self._rebuild()

    def set_lanes(self, link_ids: Sequence[int], lanes: float | Sequence[float] | None) -> None:
        """Set the number of lanes of links, with capacity and storage in proportion; None gives back the old ones."""
        links = self._checked(link_ids)
        value = np.nan if lanes is None else np.broadcast_to(np.asarray(lanes, float), links.shape)
        if lanes is not None and not (np.isfinite(value) & (value > 0)).all():
            raise RunError(f"lanes={lanes!r} must be above 0; close the link instead")
        self._lanes[links] = value
        self._rebuild()

    def set_capacity_share(self, link_ids: Sequence[int], share: float) -> None:
        """Leave links a share of their capacity, as an incident does; 1 gives it back."""
        if not 0 < share <= 1:
            raise RunError(f"capacity share {share!r} must be above 0 and at most 1; close the link instead")
        self._capacity_share[self._checked(link_ids)] = share
        self._rebuild()

    def retime(
        self, link_ids: Sequence[int], *, cycle_s: float | np.ndarray, green_start_s: float | np.ndarray,
        green_s: float | np.ndarray,
    ) -> None:  # fmt: skip
        """Give the ends of links another fixed plan (one for all, or one each); `cycle_s=0` switches their signal off.

        Lights that a process controls follow it when that process gives them back.
        """
        self.lights.retime(self._checked(link_ids), cycle_s, green_start_s, green_s)

    def actuate(self, link_ids: Sequence[int], settings: Actuation | None = None) -> Callable[[], None]:
        """Let the greens of the junctions of some approaches last as long as vehicles come, from now on.

        Returns
        -------
        callable
            Gives the junctions their fixed plans back.

        Raises
        ------
        RunError
            If there is no signal with two phases, or another process controls one.
        """
        from simulation.signal_control import ActuatedControl, junction_groups

        control = ActuatedControl(self, junction_groups(self.city, self._checked(link_ids).tolist()), settings)
        self.env.process(control.start())
        return control.stop

    def keep(self, name: str, arrays: Mapping[str, np.ndarray], *, links: Sequence[int] | np.ndarray = ()) -> bool:
        """Keep a process's arrays with the city's state (`simulation.lights.Lights.keep`).

        Returns
        -------
        bool
            Whether this run goes on from one that kept them; they hold what they held there.
        """
        return self.lights.keep(name, arrays, self._checked(links))

    def set_link_fleet(self, link_ids: Sequence[int], fleet: Fleet | None) -> None:
        """Let another fleet drive on links; None gives back the city's."""
        self.air.set_link_fleet(self._checked(link_ids), fleet)

    def scale_demand(
        self, factor: float, *, origin_zones: Iterable[str] | None = None, dest_zones: Iterable[str] | None = None,
        classes: Iterable[int] | None = None,
    ) -> Callable[[], None]:  # fmt: skip
        """Multiply the trips that start from now on between some places; returns what takes it back.

        `classes` are indices into `VEHICLE_CLASSES`; None: all.
        """
        ones = replace(self.city.demand, od_veh=np.ones_like(self.city.demand.od_veh))
        matrix = ones.scaled(factor, origin_zones=origin_zones, dest_zones=dest_zones).od_veh
        return self.multiply_demand(DemandFactor(matrix=matrix, classes=None if classes is None else tuple(classes)))

    def multiply_demand(self, factor: DemandFactor) -> Callable[[], None]:
        """Multiply the trips that start from now on pair by pair; returns what takes it back."""
        return self._hold(self._demand, factor, self._redraw)

    def on_demand_change(self, redraw: Callable[[], None]) -> None:
        """Have something done when demand or closures change: who releases trips may have released too many."""
        self._redraw = redraw

    def demand_factor(self) -> np.ndarray | None:
        """Product of the factors in force, (P, P) or, where classes differ, (classes, P, P); None without any."""
        return demand_product(self._demand)

    @contextmanager
    def together(self) -> Generator[None]:
        """Make several changes of links as one."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1
            self._rebuild()

    def _rebuild(self) -> None:
        if self._paused:
            return
        base = self._base
        lanes = np.where(np.isnan(self._lanes), base.lanes, self._lanes)
        share = lanes / base.lanes
        left, slowed = limit_shares(self._limits, base.length_m.size)
        left = self._capacity_share * left
        speed = np.where(np.isnan(self._speed), base.speed_mps, self._speed) * slowed
        # a street that is made faster carries no more than before; one that is made slower carries less
        slower = np.minimum(speed / base.speed_mps, 1.0)
        wave = base.capacity_veh_per_s / (base.jam_density_veh_per_m - base.capacity_veh_per_s / base.speed_mps)
        jam = base.jam_density_veh_per_m * share
        carried = np.where(slower < 1.0, wave * jam * speed / (speed + wave), base.capacity_veh_per_s * share)
        self.engine.set_links(
            replace(
                base,
                lanes=lanes,
                speed_mps=speed,
                capacity_veh_per_s=carried * left,
                discharge_veh_per_s=np.minimum(base.discharge_veh_per_s * share, carried) * left,
                jam_density_veh_per_m=jam,
            )
        )

    def _checked(self, link_ids: Sequence[int] | np.ndarray) -> np.ndarray:
        links = np.atleast_1d(np.asarray(link_ids, dtype=np.int64))
        n = len(self.city.links)
        if links.size and (links.min() < 0 or links.max() >= n):
            raise RunError(f"link ids run from 0 to {n - 1}; found {int(links.min())} to {int(links.max())}")
        return links

    def layer_of(self, taste: np.ndarray, vehicle_class: np.ndarray, avoids: np.ndarray | None = None) -> np.ndarray:
        """Route layer of trips by their taste in (0, 1), class, and whether they avoid streets (`avoids`)."""
        share, habits = self._informed_share, self.routes.habits
        learning = self.routes.perceptions - habits
        perception = np.minimum((taste / max(share, 1e-9) * learning).astype(np.int64), learning - 1)
        if habits:
            by_habit = np.minimum(((taste - share) / (1 - share) * habits).astype(np.int64), habits - 1)
            perception = np.where(taste < share, perception, learning + by_habit)
        kind = vehicle_class if avoids is None else vehicle_class + len(VEHICLE_CLASSES) * avoids
        return self.routes.layer(perception, self._group[kind])

    def closed(self) -> np.ndarray:
        """Links closed now, bool, shape (classes, n_links)."""
        return self._closures > 0


def _nothing() -> None:
    """Before any trips are released there is nothing to redraw."""
