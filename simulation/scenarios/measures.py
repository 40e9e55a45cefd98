"""The measures: frozen, each knows what it does to a City for good and to a living one for some hours.

A measure without `hours` is permanent: `apply` returns a changed City. One with hours changes nothing for good;
`begin` starts it in a living city and returns what ends it, `process` does both by the clock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from data.schemas import VEHICLE_CLASSES
from data.units import KMH_PER_MPS
from simulation.air.errors import FleetError
from simulation.air.fleet import Ban, Fleet
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.hours import Hours
from simulation.scenarios.live_protocol import Live
from simulation.scenarios.select import Selection, resolve, zone_ids_of
from simulation.scenarios.timetable import Overlay, Undo, timetable

if TYPE_CHECKING:
    from simulation.city import City

#: Drivers stay below an urban limit: free-flow speed over posted limit under 51 km/h, as the street reader has it
#: (MATSim, `LinkProperties`).
URBAN_FACTOR, URBAN_BELOW_KMH = 0.9, 51.0


@dataclass(frozen=True, kw_only=True)
class Measure(ABC):
    """Something a planner does. `hours` None: for good, all day."""

    hours: Hours | None = None

    def apply(self, city: City) -> City:
        """The city with this measure for good; the same city if the measure has hours."""
        if self.hours is not None:
            return city
        return self._applied(city)

    def process(self, live: Live) -> Generator[Any, Any, None]:
        """The SimPy process of a measure with hours; without hours it ends at once."""
        return timetable([self], live)

    @abstractmethod
    def check(self, city: City) -> list[Fault]:
        """What does not fit the city; empty if all does."""

    @abstractmethod
    def begin(self, overlay: Overlay) -> Undo:
        """Start in a living city; the result ends it."""

    @abstractmethod
    def in_words(self) -> str:
        """One line for lists, e.g. `Close Pohjoisesplanadi, 10:00-20:00`."""

    @abstractmethod
    def _applied(self, city: City) -> City: ...

    def _when(self) -> str:
        return "" if self.hours is None else f", {self.hours}"


@dataclass(frozen=True, kw_only=True)
class LinkMeasure(Measure):
    """A measure on links."""

    where: Selection

    def links(self, city: City) -> np.ndarray:
        """Ids of the links it is about."""
        return resolve(self.where, city)

    def check(self, city: City) -> list[Fault]:
        """Names that the city does not have, and selections that are empty."""
        try:
            self.links(city)
        except ScenarioError as error:
            return list(error.faults)
        return []


@dataclass(frozen=True, kw_only=True)
class CloseStreet(LinkMeasure):
    """No vehicle of these classes may enter the links; those on them drive out."""

    classes: tuple[str, ...] = VEHICLE_CLASSES

    def __post_init__(self) -> None:
        wrong = [name for name in self.classes if name not in VEHICLE_CLASSES]
        if wrong or not self.classes:
            raise ScenarioError([f"vehicle classes {wrong or 'missing'}; allowed: {list(VEHICLE_CLASSES)}"])
        if self.where.is_empty:
            raise ScenarioError(["a closure needs a place (street, links, zones, ...): it would close the whole city"])

    @property
    def class_indices(self) -> list[int]:
        """Positions in `VEHICLE_CLASSES`."""
        return [VEHICLE_CLASSES.index(name) for name in self.classes]

    def begin(self, overlay: Overlay) -> Undo:
        """Close; the result opens again."""
        return overlay.close(self.links(overlay.live.city), self.class_indices)

    def in_words(self) -> str:
        """`Close X`, with the classes if not all."""
        only = "" if len(self.classes) == len(VEHICLE_CLASSES) else f" to {', '.join(self.classes)}"
        return f"Close {self.where.in_words()}{only}{self._when()}"

    def _applied(self, city: City) -> City:
        cells = {(int(link), klass) for link in self.links(city) for klass in self.class_indices}
        return replace(city, closed=city.closed | cells)


@dataclass(frozen=True, kw_only=True)
class SetLanes(LinkMeasure):
    """Another number of lanes a direction, or some more or fewer; capacity and storage follow in proportion.

    At least one lane stays: to take the last, close the street.
    """

    lanes: float | None = None
    change: float | None = None

    def __post_init__(self) -> None:
        if (self.lanes is None) == (self.change is None):
            raise ScenarioError(["give either 'lanes' or 'change', not both"])
        if self.lanes is not None and not 1 <= self.lanes <= 12:
            raise ScenarioError([f"lanes {self.lanes:g}; allowed: 1 to 12; to take the last lane, close the street"])

    def new_lanes(self, city: City) -> np.ndarray:
        """Lanes of each of its links, (n,)."""
        built = city.links["lanes"].to_numpy(dtype=float)[self.links(city)]
        wanted = np.full(built.shape, float(self.lanes)) if self.lanes is not None else built + (self.change or 0.0)
        return np.asarray(np.clip(wanted, 1.0, 12.0))

    def begin(self, overlay: Overlay) -> Undo:
        """Change lanes; the result gives them back."""
        city = overlay.live.city
        return overlay.set_lanes(self.links(city), self.new_lanes(city))

    def in_words(self) -> str:
        """`2 lanes on X`, `1 lane fewer on X`."""
        if self.lanes is not None:
            text = f"{self.lanes:g} {'lane' if self.lanes == 1 else 'lanes'}"
        else:
            change = self.change or 0.0
            text = f"{abs(change):g} {'lane' if abs(change) == 1 else 'lanes'} {'more' if change > 0 else 'fewer'}"
        return f"{text} on {self.where.in_words()}{self._when()}"

    def _applied(self, city: City) -> City:
        links, rows = city.links, self.links(city)
        share = np.ones(len(links))
        share[rows] = self.new_lanes(city) / links["lanes"].to_numpy(dtype=float)[rows]
        changed = links.assign(
            lanes=links["lanes"] * share,
            capacity_veh_per_s=links["capacity_veh_per_s"] * share,
            jam_density_veh_per_m=links["jam_density_veh_per_m"] * share,
        )
        return replace(city, links=changed)


@dataclass(frozen=True, kw_only=True)
class SpeedLimit(LinkMeasure):
    """A posted limit, km/h. Free-flow speed falls to 0.9 of it in towns (below 51 km/h) and never rises.

    The capacity in the table stays: it is what junctions pass, where vehicles drive slower than any limit. What the
    street itself carries between them follows from its speed (`simulation.traffic.network`).
    """

    kmh: float

    def __post_init__(self) -> None:
        if not 5 <= self.kmh <= 130:
            raise ScenarioError([f"speed limit {self.kmh:g} km/h; allowed: 5 to 130"])

    @property
    def free_flow_mps(self) -> float:
        """Speed of an undisturbed driver under the limit, m/s."""
        return self.kmh / KMH_PER_MPS * (URBAN_FACTOR if self.kmh < URBAN_BELOW_KMH else 1.0)

    def begin(self, overlay: Overlay) -> Undo:
        """Post the limit; the result takes it down."""
        links = self.links(overlay.live.city)
        return overlay.limit_speed(links, np.full(links.size, self.free_flow_mps))

    def in_words(self) -> str:
        """`30 km/h on X`."""
        return f"{self.kmh:g} km/h on {self.where.in_words()}{self._when()}"

    def _applied(self, city: City) -> City:
        links, rows = city.links, self.links(city)
        speed = links["free_flow_speed_mps"].to_numpy(dtype=float).copy()
        speed[rows] = np.minimum(speed[rows], self.free_flow_mps)
        return replace(city, links=links.assign(free_flow_speed_mps=speed))


@dataclass(frozen=True, kw_only=True)
class ScaleDemand(Measure):
    """More or fewer trips, of all or of those between some places (zone ids or names, gateway ids)."""

    factor: float
    from_zones: tuple[str, ...] = ()
    to_zones: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.factor <= 5:
            raise ScenarioError([f"demand factor {self.factor:g}; allowed: 0 (no trips) to 5; 1 changes nothing"])

    def check(self, city: City) -> list[Fault]:
        """Places that the city does not have."""
        faults = []
        for key, names in (("from_zones", self.from_zones), ("to_zones", self.to_zones)):
            faults += [Fault(text, where=key) for text in _places(names, city)[1]]
        return faults

    def begin(self, overlay: Overlay) -> Undo:
        """Scale the trips that start from now on; the result stops that."""
        origins, destinations = self._ends(overlay.live.city)
        return overlay.scale_demand(self.factor, origins, destinations)

    def in_words(self) -> str:
        """`10 % fewer trips from X`."""
        share = round(100.0 * (self.factor - 1.0), 1)
        text = f"{abs(share):g} % {'more' if share > 0 else 'fewer'} trips"
        text += f" from {', '.join(self.from_zones)}" if self.from_zones else ""
        text += f" to {', '.join(self.to_zones)}" if self.to_zones else ""
        return text + self._when()

    def _applied(self, city: City) -> City:
        origins, destinations = self._ends(city)
        return replace(city, demand=city.demand.scaled(self.factor, origin_zones=origins, dest_zones=destinations))

    def _ends(self, city: City) -> tuple[list[str] | None, list[str] | None]:
        faults = self.check(city)
        if faults:
            raise ScenarioError(faults)
        ends = [_places(names, city)[0] if names else None for names in (self.from_zones, self.to_zones)]
        return ends[0], ends[1]


@dataclass(frozen=True, kw_only=True)
class LowEmissionZone(LinkMeasure):
    """On these links only the compliant remainder of the fleet drives.

    Whoever enters complies: the number of vehicles stays, their engines change (see `Fleet.without`). Through traffic
    that would drive around instead is not modelled; close the streets to classes for that.
    """

    bans: tuple[Ban, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if not self.bans:
            raise ScenarioError(["a low-emission zone needs at least one ban (fuel and standard)"])

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and bans that leave a class without vehicles."""
        faults = super().check(city)
        try:
            city.fleet.without(self.bans)
        except FleetError as error:
            faults.append(Fault(str(error), where="ban"))
        return faults

    def begin(self, overlay: Overlay) -> Undo:
        """Keep the banned out; the result lets them in again."""
        return overlay.ban(self.links(overlay.live.city), self.bans)

    def in_words(self) -> str:
        """`Low-emission zone X: no diesel up to Euro 5`."""
        banned = ", ".join(f"{ban.fuel} up to Euro {'6d' if ban.euro_max == 7 else ban.euro_max}" for ban in self.bans)
        return f"Low-emission zone, {self.where.in_words()}: no {banned}{self._when()}"

    def _applied(self, city: City) -> City:
        now: dict[int, Fleet] = {link: fleet for ids, fleet in city.link_fleet for link in ids}
        for link in self.links(city).tolist():
            now[link] = now.get(link, city.fleet).without(self.bans)
        groups: dict[Fleet, list[int]] = {}
        for link in sorted(now):
            groups.setdefault(now[link], []).append(link)
        return replace(city, link_fleet=tuple((tuple(ids), fleet) for fleet, ids in groups.items()))


def _places(names: tuple[str, ...], city: City) -> tuple[list[str], list[str]]:
    """Ids of zones and gateways, and what to say about names that are neither."""
    gateways = set(city.gateways["gateway_id"].astype(str))
    zones, wrong = zone_ids_of([name for name in names if name not in gateways], city.zones)
    return [*zones, *(name for name in names if name in gateways)], wrong
