"""An event: people come to a place and leave it again, beside the usual trips."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from data.schemas import VEHICLE_CLASSES
from data.units import SECONDS_PER_DAY
from simulation.demand.trips import DayTrips, picked_link
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.hours import Hours
from simulation.scenarios.measures import LinkMeasure
from simulation.scenarios.timetable import Overlay, Undo
from simulation.streams import Purpose, bits, uniform

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.demand.spec import Access
    from simulation.scenarios.live_protocol import Live

#: Links beside the place on which guests park, where none of its own ends trips (assumed).
NEAREST_LINKS = 4


@dataclass(frozen=True, kw_only=True)
class Event(LinkMeasure):
    """So many cars come to a place before `hours` begin and leave when they end: a match, a fair, a concert.

    Guests set out evenly over `arrive_over_s` before it begins, and leave evenly over `leave_over_s` after it ends.
    They come from, and go to, where the usual trips of the place's zone do. They park on the streets of the place at
    which trips may end or, if there are none, on the nearest. With days and dates in `hours` it comes again.
    """

    vehicles: int
    arrive_over_s: float = 5400.0
    leave_over_s: float = 2700.0

    def __post_init__(self) -> None:
        faults: list[Fault | str] = []
        if self.hours is None:
            faults.append(Fault("an event has a start and an end", where="start"))
        if self.where.is_empty:
            faults.append("an event needs a place (street, area, zones, ...)")
        if not 0 <= self.vehicles <= 200_000:
            faults.append(Fault(f"vehicles {self.vehicles}; allowed: 0 to 200,000", where="vehicles"))
        for name in ("arrive_over_s", "leave_over_s"):
            if not 60 <= getattr(self, name) <= 6 * 3600:
                faults.append(f"{name.replace('_s', '')} {getattr(self, name) / 60:g} min; allowed: 1 to 360")
        if not faults and self._length_s + self.arrive_over_s + self.leave_over_s >= SECONDS_PER_DAY:
            faults.append("arrivals, event and departures take longer than a day; give several events")
        if (
            not faults
            and self.hours is not None
            and self.hours.start_s < self.arrive_over_s
            and self.hours.on_some_days
        ):
            faults.append(Fault("guests would set out on the day before; let it start later or arrive faster",
                                where="start"))  # fmt: skip
        if faults:
            raise ScenarioError(faults)

    @property
    def _length_s(self) -> float:
        assert self.hours is not None
        return (self.hours.end_s - self.hours.start_s) % SECONDS_PER_DAY or SECONDS_PER_DAY

    @property
    def active(self) -> Hours | None:
        """From the first guest's departure to the last one's."""
        assert self.hours is not None
        begin = (self.hours.start_s - self.arrive_over_s) % SECONDS_PER_DAY
        end = (self.hours.end_s + self.leave_over_s) % SECONDS_PER_DAY or SECONDS_PER_DAY
        return Hours(begin, end, self.hours.days, self.hours.first, self.hours.last)

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and a zone that nobody can reach."""
        faults = super().check(city)
        if not faults:
            od, k = city.demand.od_veh, self._zone(city)
            if od.sum() - od[k, k] <= 0:
                faults.append(Fault(f"{city.label} has no trips that an event's could be like"))
        return faults

    def begin(self, overlay: Overlay) -> Undo:
        """Add its trips; the result takes back those that have not departed."""
        live = overlay.live
        if not self.vehicles:
            return _nothing
        return live.add_trips(self.trips(live))

    def trips(self, live: Live) -> DayTrips:
        """Trips of the event that is on, there and back, by the clock of the run."""
        assert self.hours is not None and self.active is not None
        city, demand = live.city, live.city.demand
        since = (live.time_of_day_s() - self.active.start_s) % SECONDS_PER_DAY
        first = live.env.now - since
        day = live.local().toordinal() - (since > live.time_of_day_s())
        k, p, n = self._zone(city), len(demand.places), self.vehicles
        item = (1 << 41) + zlib.crc32(repr((self.where, self.hours)).encode())

        def keyed(index: int) -> np.ndarray:
            return uniform(live.seed, day, item, Purpose.EVENT, index=np.arange(n) * 16 + index)

        leave = first + self.arrive_over_s + self._length_s
        parts = []
        for way, depart in enumerate((first + self.arrive_over_s * keyed(0), leave + self.leave_over_s * keyed(1))):
            other = _place(demand.od_veh[:, k] if way == 0 else demand.od_veh[k], demand.od_veh, way, k, keyed(2 + way))
            far, near = (demand.origins, demand.destinations) if way == 0 else (demand.destinations, demand.origins)
            beside = self._parking(city, near)
            there = picked_link(far, other, keyed(4 + way))
            here = beside[(keyed(6) * beside.size).astype(np.int64)]
            start, end = (there, here) if way == 0 else (here, there)
            parts.append((depart, start, end, other * p + k if way == 0 else k * p + other, keyed(8 + way)))
        depart, start, end, pair, taste = (np.concatenate(column) for column in zip(*parts))
        trips = DayTrips(
            depart_s=depart, origin_link=start, dest_link=end, taste=taste, pair=pair,
            vehicle_class=np.full(2 * n, VEHICLE_CLASSES.index("car"), dtype=np.int64),
            key=bits(live.seed, day, item, Purpose.EVENT, index=np.arange(2 * n) * 16 + 15),
        )  # fmt: skip
        return trips.take(np.flatnonzero((start != end) & (depart >= live.env.now)))

    def in_words(self) -> str:
        """`Event at X: 2,000 cars`."""
        return f"Event, {self.where.in_words()}: {self.vehicles:,} cars come and leave{self._when()}"

    def _zone(self, city: City) -> int:
        """Number of the zone that holds most of the place."""
        rows = city.link_zone[np.isin(city.link_zone["link_id"], self.links(city))]
        metres = rows["share"] * city.links["length_m"].to_numpy()[rows["link_id"]]
        most = metres.groupby(rows["zone_id"].to_numpy()).sum().idxmax()
        return int(np.flatnonzero(city.zones["zone_id"] == most)[0])

    def _parking(self, city: City, access: Access) -> np.ndarray:
        """Links of the place, or nearest to it, on which trips may start or end."""
        doors = np.unique(access.link)
        own = np.intersect1d(doors, self.links(city))
        if own.size:
            return own
        shapes = city.links.geometry.to_numpy()
        middle = shapely.centroid(shapely.union_all(shapes[self.links(city)]))
        return np.asarray(doors[np.argsort(shapely.distance(shapes[doors], middle), kind="stable")[:NEAREST_LINKS]])

    def _applied(self, city: City) -> City:
        return city  # it always has hours


def _place(weight: np.ndarray, od: np.ndarray, way: int, zone: int, chance: np.ndarray) -> np.ndarray:
    """Places that guests come from (way 0) or go to, as usual trips do."""
    weight = weight.copy()
    weight[zone] = 0.0
    if weight.sum() <= 0:
        weight = od.sum(axis=1 - way)
        weight[zone] = 0.0
    edges = np.cumsum(weight / weight.sum())
    return np.minimum(np.searchsorted(edges, chance), int(np.flatnonzero(weight)[-1]))


def _nothing() -> None:
    """Nobody came."""
