"""The living city: what a SimPy process may read and change at its event time.

The clock is SimPy's; before each of its events the traffic kernel advances all vehicles to that instant in one call.
At an instant t the order is: vehicle events before t, the books of the interval that ends at t, then the processes due
at t in the order of `Phase`, then vehicle events at t.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import simpy

from simulation.air.fleet import Fleet
from simulation.clock import At, Clock, Phase
from simulation.errors import RunError
from simulation.lights import Lights
from simulation.standing import DemandFactor, LinkLimit, demand_product, hold, limit_shares
from simulation.street_rules import StreetRules
from simulation.traffic.engine import JAM_FILL, TURN_OFF_S, TrafficEngine
from simulation.traffic.network import LinkArrays

if TYPE_CHECKING:
    from simulation.air.model import AirModel, ZoneAir
    from simulation.city import City
    from simulation.demand.trips import DayTrips
    from simulation.diary import Diary
    from simulation.link_state import LinkInterval
    from simulation.traffic.actuated import Actuation
    from simulation.trip_log import TripLog

Process = Callable[["LiveCity"], Generator[simpy.Event, Any, Any]]


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
        self._demand: list[DemandFactor] = list(city.demand_factors)  # in force
        self._limits: list[LinkLimit] = list(city.link_limits)
        self._extra: list[DayTrips] = []  # trips beside the usual ones, departures by the clock of the run
        self._redraw: Callable[[], None] = _nothing  # chooses the trips of the interval anew
        self.engine = TrafficEngine(
            self._base, city.demand.dest_link.size, start_s=now_s, log=log, jam_fill=JAM_FILL, turn_off_s=TURN_OFF_S
        )
        self.trip_log: TripLog | None = None  # on request, set once a state is restored
        self.diary: Diary | None = None  # likewise: ways that trips have learned
        self.lights = Lights(self._base, self.engine)
        self.rules = StreetRules(
            city, self._base, self.engine, seed=seed, informed_share=informed_share, redraw=lambda: self._redraw()
        )
        self.routes = self.rules.routes
        self._paused = 0
        if self._limits:
            self._rebuild()
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
        return At(self.env, seconds, phase)

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

    def closed(self) -> np.ndarray:
        """Links closed now, bool, shape (classes, n_links)."""
        return self.rules.closed()

    def charge_s(self) -> np.ndarray:
        """Tolls and costs of distance in force, in seconds of each class's time. Shape (classes, n_links)."""
        return self.rules.charge_s()

    # --- changing -----------------------------------------------------------------------------------------------

    def close(self, link_ids: Sequence[int], classes: Iterable[int] | None = None) -> None:
        """Close links to vehicle classes (indices; all if None). Closures of a link count: each needs its `open`."""
        self.rules.close(self._checked(link_ids), classes, +1)

    def open(self, link_ids: Sequence[int], classes: Iterable[int] | None = None) -> None:
        """Take back one `close` of the same links and classes."""
        self.rules.close(self._checked(link_ids), classes, -1)

    def avoid(self, link_ids: Sequence[int], share: Sequence[float]) -> Callable[[], None]:
        """Let a share of each class drive around some links from now on; returns what ends it.

        It holds for trips that are released from now on and neither begin nor end on such a link.

        Parameters
        ----------
        link_ids : sequence of int
        share : sequence of float, shape (classes,)
            0 to 1.
        """
        return self.rules.avoid(self._checked(link_ids), share)

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
        return self.rules.ban_turns(self._checked(from_link), self._checked(to_link))

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
        return self.rules.charge(self._checked(link_ids), eur, classes)

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
        return hold(self._limits, entry, self._rebuild)

    def add_trips(self, trips: DayTrips) -> Callable[[], None]:
        """Add trips to the usual ones; returns what takes those back that have not departed.

        Parameters
        ----------
        trips : DayTrips
            `depart_s` in seconds of `env.now`; those in the past are left out. `dest_link` among the demand's.
        """
        return hold(self._extra, trips, self._redraw)

    def extra_trips(self, first_s: float, last_s: float) -> list[DayTrips]:
        """Added trips that depart in a span of the clock, by source."""
        inside = [np.flatnonzero((one.depart_s >= first_s) & (one.depart_s < last_s)) for one in self._extra]
        return [one.take(rows) for one, rows in zip(self._extra, inside) if rows.size]

    @property
    def capacity_share(self) -> np.ndarray:
        """What incidents leave of each link's capacity. Shape (n_links,)."""
        return self._capacity_share.copy()

    def settle(self, capacity_share: np.ndarray) -> None:
        """After a restore: incidents go on; measures that an earlier run left in force end here."""
        self._capacity_share = np.array(capacity_share, dtype=float)
        self._rebuild()
        self.rules.settle()

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
        return hold(self._demand, factor, self._redraw)

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


def _nothing() -> None:
    """Before any trips are released there is nothing to redraw."""
