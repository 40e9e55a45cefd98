"""The measures: frozen, each knows what it does to a City for good and to a living one for some hours.

A measure without `hours` is permanent: `apply` returns a changed City. One with hours changes nothing for good;
`begin` starts it in a living city and returns what ends it, `process` does both by the clock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass, fields, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from data.schemas import VEHICLE_CLASSES
from data.units import KMH_PER_MPS
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.hours import Hours
from simulation.scenarios.live_protocol import Live
from simulation.scenarios.select import Selection, resolve, zone_ids_of
from simulation.scenarios.timetable import Overlay, Undo, timetable
from simulation.standing import DemandFactor

if TYPE_CHECKING:
    from simulation.city import City

#: Drivers stay below an urban limit: free-flow speed over posted limit under 51 km/h, as the street reader has it
#: (MATSim, `LinkProperties`).
URBAN_FACTOR, URBAN_BELOW_KMH = 0.9, 51.0


@dataclass(frozen=True, kw_only=True)
class Measure(ABC):
    """Something a planner does. `hours` None: for good, all day."""

    #: Key `measure` of its entry, for a measure that another package brings.
    entry_kind: ClassVar[str] = ""

    hours: Hours | None = None

    def apply(self, city: City) -> City:
        """The city with this measure for good; the same city if the measure has hours."""
        if self.hours is not None:
            return city
        return self._applied(city)

    def process(self, live: Live) -> Generator[Any, Any, None]:
        """The SimPy process of a measure with hours; without hours it ends at once."""
        return timetable([self], live)

    @property
    def active(self) -> Hours | None:
        """When its process holds it; an event's guests come before it begins."""
        return self.hours

    @property
    def timed(self) -> bool:
        """Whether some of it is a process."""
        return self.active is not None

    def parts(self, city: City) -> tuple[Measure, ...]:
        """The simple measures that it is made of; itself, if it is one."""
        return (self,)

    def remarks(self, city: City) -> list[str]:
        """What fits the city and yet deserves a word, such as links on which nothing changes."""
        return []

    def form(self) -> dict[str, Any]:
        """Plain values of its own keys as its entry reads them; a place and hours are written for it.

        Here all fields by their names, which fits an entry that has the same; measures of Zonewise have writers.
        """
        values = ((one.name, getattr(self, one.name)) for one in fields(self) if one.name not in ("hours", "where"))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values if value is not None}

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
class Composite(LinkMeasure):
    """A measure on links that is made of simpler ones (`parts`)."""

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and what its parts find."""
        faults = super().check(city)
        if faults:
            return faults
        try:
            return [fault for part in self.parts(city) for fault in part.check(city)]
        except ScenarioError as error:
            return list(error.faults)

    def apply(self, city: City) -> City:
        """The city with all parts that hold for good."""
        for part in self.parts(city):
            city = part.apply(city)
        return city

    def begin(self, overlay: Overlay) -> Undo:
        """Begin all parts; the result ends them."""
        undone = [part.begin(overlay) for part in self.parts(overlay.live.city)]

        def undo() -> None:
            for one in reversed(undone):
                one()

        return undo

    def remarks(self, city: City) -> list[str]:
        """What its parts remark."""
        return [text for part in self.parts(city) for text in part.remarks(city)]

    def _applied(self, city: City) -> City:
        return self.apply(city)


@dataclass(frozen=True, kw_only=True)
class CloseStreet(LinkMeasure):
    """No vehicle of these classes may enter the links; those on them drive out."""

    classes: tuple[str, ...] = VEHICLE_CLASSES

    def __post_init__(self) -> None:
        faults = class_faults(self.classes)
        if self.where.is_empty:
            faults.append("a closure needs a place (street, links, zones, ...): it would close the whole city")
        if faults:
            raise ScenarioError(faults)

    @property
    def class_indices(self) -> list[int]:
        """Positions in `VEHICLE_CLASSES`."""
        return class_rows(self.classes)

    def begin(self, overlay: Overlay) -> Undo:
        """Close; the result opens again."""
        return overlay.close(self.links(overlay.live.city), self.class_indices)

    def in_words(self) -> str:
        """`Close X`, with the classes if not all."""
        only = "" if len(self.classes) == len(VEHICLE_CLASSES) else f" to {', '.join(self.classes)}"
        return f"Close {self.where.in_words()}{only}{self._when()}"

    def _applied(self, city: City) -> City:
        links = self.links(city).tolist()
        return replace(city, closed=city.closed.union(*(zip(links, repeat(klass)) for klass in self.class_indices)))


@dataclass(frozen=True, kw_only=True)
class SetLanes(LinkMeasure):
    """Another number of lanes a direction, or some more or fewer; capacity and storage follow in proportion.

    At least one lane stays: to take the last, close the street.
    """

    lanes: float | None = None
    change: float | None = None

    def __post_init__(self) -> None:
        if (self.lanes is None) == (self.change is None):
            raise ScenarioError(["give either 'lanes' or 'change', and not both"])
        if self.change is not None and not abs(self.change) <= 11:
            raise ScenarioError([Fault(f"change of lanes {self.change:g}; allowed: -11 to 11", where="change")])
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

    def remarks(self, city: City) -> list[str]:
        """Links that keep the lanes they have."""
        built = city.links["lanes"].to_numpy(dtype=float)[self.links(city)]
        return same_as_before(built == self.new_lanes(city), "of these lanes already, or of only one")

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
    """A posted limit, km/h. Free-flow speed falls to 0.9 of it in towns (below 51 km/h).

    It rises only with `may_raise`: without, a limit above what is driven today changes nothing.

    The capacity in the table stays: it is what junctions pass, where vehicles drive slower than any limit. What the
    street itself carries between them follows from its speed (`simulation.traffic.network`).
    """

    kmh: float
    may_raise: bool = False

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
        speed = np.full(links.size, self.free_flow_mps)
        return overlay.post_speed(links, speed) if self.may_raise else overlay.limit_speed(links, speed)

    def remarks(self, city: City) -> list[str]:
        """Links that are slower already."""
        built = city.links["free_flow_speed_mps"].to_numpy(dtype=float)[self.links(city)]
        slow = built == self.free_flow_mps if self.may_raise else built <= self.free_flow_mps
        return same_as_before(slow, f"driven at {self.free_flow_mps * KMH_PER_MPS:.0f} km/h or less already")

    def in_words(self) -> str:
        """`30 km/h on X`."""
        return f"{self.kmh:g} km/h on {self.where.in_words()}{self._when()}"

    def _applied(self, city: City) -> City:
        links, rows = city.links, self.links(city)
        speed = links["free_flow_speed_mps"].to_numpy(dtype=float).copy()
        speed[rows] = self.free_flow_mps if self.may_raise else np.minimum(speed[rows], self.free_flow_mps)
        return replace(city, links=links.assign(free_flow_speed_mps=speed))


@dataclass(frozen=True, kw_only=True)
class ScaleDemand(Measure):
    """More or fewer trips, of all or of some classes, all or between some places (zone ids or names, gateway ids)."""

    factor: float
    from_zones: tuple[str, ...] = ()
    to_zones: tuple[str, ...] = ()
    classes: tuple[str, ...] = VEHICLE_CLASSES

    def __post_init__(self) -> None:
        faults = class_faults(self.classes)
        if not 0 <= self.factor <= 5:
            faults.append(f"demand factor {self.factor:g}; allowed: 0 (no trips) to 5; 1 changes nothing")
        if faults:
            raise ScenarioError(faults)

    def check(self, city: City) -> list[Fault]:
        """Places that the city does not have."""
        faults = []
        for key, names in (("from_zones", self.from_zones), ("to_zones", self.to_zones)):
            faults += [Fault(text, where=key) for text in places_of(names, city)[1]]
        return faults

    def begin(self, overlay: Overlay) -> Undo:
        """Scale the trips that start from now on; the result stops that."""
        origins, destinations = self._ends(overlay.live.city)
        rows = None if len(self.classes) == len(VEHICLE_CLASSES) else class_rows(self.classes)
        return overlay.scale_demand(self.factor, origins, destinations, rows)

    def in_words(self) -> str:
        """`10 % fewer trips from X`."""
        share = round(100.0 * (self.factor - 1.0), 1)
        text = f"{abs(share):g} % {'more' if share > 0 else 'fewer'} trips"
        text += f" from {', '.join(self.from_zones)}" if self.from_zones else ""
        text += f" to {', '.join(self.to_zones)}" if self.to_zones else ""
        return text + only_classes(self.classes) + self._when()

    def _applied(self, city: City) -> City:
        origins, destinations = self._ends(city)
        if len(self.classes) == len(VEHICLE_CLASSES):
            return replace(city, demand=city.demand.scaled(self.factor, origin_zones=origins, dest_zones=destinations))
        ones = replace(city.demand, od_veh=np.ones_like(city.demand.od_veh))
        matrix = ones.scaled(self.factor, origin_zones=origins, dest_zones=destinations).od_veh
        factor = DemandFactor(matrix=matrix, classes=tuple(class_rows(self.classes)))
        return replace(city, demand_factors=(*city.demand_factors, factor))

    def _ends(self, city: City) -> tuple[list[str] | None, list[str] | None]:
        faults = self.check(city)
        if faults:
            raise ScenarioError(faults)
        ends = [places_of(names, city)[0] if names else None for names in (self.from_zones, self.to_zones)]
        return ends[0], ends[1]


def places_of(names: tuple[str, ...], city: City) -> tuple[list[str], list[str]]:
    """Ids of zones and gateways, and what to say about names that are neither."""
    gateways = set(city.gateways["gateway_id"].astype(str))
    zones, wrong = zone_ids_of([name for name in names if name not in gateways], city.zones)
    return [*zones, *(name for name in names if name in gateways)], wrong


def class_faults(classes: tuple[str, ...]) -> list[str]:
    """What is wrong with names of vehicle classes."""
    wrong = [name for name in classes if name not in VEHICLE_CLASSES]
    if wrong or not classes:
        return [f"vehicle classes {wrong or 'missing'}; allowed: {list(VEHICLE_CLASSES)}"]
    return []


def class_rows(classes: tuple[str, ...]) -> list[int]:
    """Positions in `VEHICLE_CLASSES`."""
    return [VEHICLE_CLASSES.index(name) for name in classes]


def only_classes(classes: tuple[str, ...]) -> str:
    """`, for car, van`; empty for all."""
    return "" if len(classes) == len(VEHICLE_CLASSES) else f", for {', '.join(classes)}"


def same_as_before(same: np.ndarray, why: str) -> list[str]:
    """A remark where a measure changes nothing on some of its links, bool, shape (n,)."""
    if not same.any():
        return []
    if same.size == 1:
        return [f"its only link is {why}; nothing changes there"]
    some = "all" if same.all() else f"{int(same.sum())} of"
    return [f"{some} {same.size} links are {why}; nothing changes there"]
