"""Measures that are made of simpler ones: streets for people, 30 zones, one-way streets, roadworks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulation.scenarios.capacity_measures import LimitCapacity
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.hours import Hours
from simulation.scenarios.measures import CloseStreet, Composite, Measure, SetLanes, SpeedLimit
from simulation.scenarios.select import Selection, angle_between, bearing_of, bearings

if TYPE_CHECKING:
    from simulation.city import City

#: Limit for who may still drive in a street for people, km/h: walking pace, as in a German Verkehrsberuhigter Bereich
#: (7 km/h) or a Dutch woonerf (15 km/h); assumed between them.
WALKING_KMH = 10.0
#: Streets that a 30 zone leaves as they are: those that carry through traffic.
MAIN_CLASSES = ("motorway", "trunk", "primary", "secondary")
#: Share of its capacity that a street keeps past works that leave both directions one lane in turn; assumed: half of
#: the time each, less what it takes to clear the stretch.
SHUTTLE_SHARE = 0.4
#: Share of capacity a lane keeps beside works, where lanes are left; assumed.
BESIDE_WORKS_SHARE = 0.9


@dataclass(frozen=True, kw_only=True)
class Pedestrianise(Composite):
    """A street for people: no cars, and vans and lorries only in the hours of deliveries.

    Without `deliveries` vans and lorries stay out too. Who may enter drives at walking pace. Trips that would end in
    the street end in another of the same place.
    """

    buses: bool = False
    deliveries: Hours | None = None

    def __post_init__(self) -> None:
        faults: list[Fault | str] = []
        if self.where.is_empty:
            faults.append("a street for people needs a place (street, links, zones, ...)")
        if self.hours is not None and self.deliveries is not None:
            faults.append(Fault("give hours of the street or of deliveries, not both", where="deliveries"))
        if faults:
            raise ScenarioError(faults)

    @property
    def timed(self) -> bool:
        """Deliveries have hours as well."""
        return self.hours is not None or self.deliveries is not None

    def parts(self, city: City) -> tuple[Measure, ...]:
        """Closures by class, and a limit for the others."""
        people = ("car",) if self.buses else ("car", "bus")
        goods: tuple[Measure, ...]
        if self.deliveries is None:
            people, goods = (*people[:1], "van", "heavy", *people[1:]), ()
        else:
            shut = _other_hours(self.deliveries)
            goods = (CloseStreet(where=self.where, classes=("van", "heavy"), hours=shut),)
        closed = CloseStreet(where=self.where, classes=people, hours=self.hours)
        if not (self.buses or self.deliveries):
            return (closed,)
        return closed, *goods, SpeedLimit(where=self.where, kmh=WALKING_KMH, hours=self.hours)

    def in_words(self) -> str:
        """`Street for people, X, buses may pass, deliveries 06:00-10:00`."""
        text = f"Street for people, {self.where.in_words()}"
        text += ", buses may pass" if self.buses else ""
        text += f", deliveries {self.deliveries}" if self.deliveries else ""
        return text + self._when()


def _other_hours(hours: Hours) -> Hours:
    """The rest of every day."""
    return Hours(hours.end_s % 86_400.0, hours.start_s or 86_400.0)


@dataclass(frozen=True, kw_only=True)
class Zone30(Composite):
    """One limit, 30 km/h, on the streets of a place except the main ones."""

    kmh: float = 30.0
    main_streets: bool = False

    def parts(self, city: City) -> tuple[Measure, ...]:
        """A limit on the small streets, or on all."""
        return (SpeedLimit(where=self._streets, kmh=self.kmh, hours=self.hours),)

    def links(self, city: City) -> np.ndarray:
        """Ids of the links under the limit."""
        return self.parts(city)[0].links(city)  # type: ignore[attr-defined, no-any-return]

    def in_words(self) -> str:
        """`30 km/h zone, in Z03`."""
        main = ", main streets too" if self.main_streets else ""
        return f"{self.kmh:g} km/h zone, {self.where.in_words()}{main}{self._when()}"

    @property
    def _streets(self) -> Selection:
        if self.main_streets:
            return self.where
        inside = () if self.where.is_empty else (self.where,)
        return Selection(any_of=inside, but_not=Selection(road_class=MAIN_CLASSES))


@dataclass(frozen=True, kw_only=True)
class OneWay(Composite):
    """Streets of two directions keep the one that runs `towards`; the other is closed to these classes.

    With `give_lanes` the direction that stays gets a lane of the other.
    """

    towards: str
    classes: tuple[str, ...] = ("car", "van", "heavy", "bus")
    give_lanes: bool = False

    def __post_init__(self) -> None:
        if bearing_of(self.towards) is None:
            raise ScenarioError([Fault(f"towards {self.towards!r}; allowed: north, north-east, ... or degrees clockwise"
                                       " from north", where="towards")])  # fmt: skip
        CloseStreet(where=Selection(links=(0,)), classes=self.classes)  # checks the classes

    def closed(self, city: City) -> tuple[np.ndarray, np.ndarray]:
        """Links that are closed, and the opposite ones, which stay open. Shape (n,) each."""
        links = self.links(city)
        start, end = (city.links[name].to_numpy()[links] for name in ("from_node_id", "to_node_id"))
        key = np.stack([start, end], axis=1)
        _, code = np.unique(np.concatenate([key, key[:, ::-1]]), axis=0, return_inverse=True)
        own, back = code.ravel()[: links.size], code.ravel()[links.size :]
        twin = np.isin(own, back) & (start != end)
        bearing = bearings(city.links.geometry.to_numpy()[links])
        wanted = bearing_of(self.towards)
        assert wanted is not None
        against = twin & (angle_between(bearing, wanted) > 90.0)
        return links[against], links[np.isin(own, back[against])]

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and places without a street of two directions."""
        try:
            shut, _ = self.closed(city)
        except ScenarioError as error:
            return list(error.faults)
        if shut.size:
            return []
        return [Fault(f"no street of two directions that runs towards {self.towards}: {self.where.in_words()}")]

    def parts(self, city: City) -> tuple[Measure, ...]:
        """A closure of one direction and, if asked for, a lane more for the other."""
        shut, kept = self.closed(city)
        parts: list[Measure] = [
            CloseStreet(where=Selection(links=tuple(shut.tolist())), classes=self.classes, hours=self.hours)
        ]
        if self.give_lanes:
            parts.append(SetLanes(where=Selection(links=tuple(kept.tolist())), change=1, hours=self.hours))
        return tuple(parts)

    def in_words(self) -> str:
        """`One-way towards north, X`."""
        lanes = ", with a lane of the other direction" if self.give_lanes else ""
        return f"One-way towards {self.towards}, {self.where.in_words()}{lanes}{self._when()}"


@dataclass(frozen=True, kw_only=True)
class Roadworks(Composite):
    """Works that take lanes and slow the traffic beside them, or close the street (`lanes_closed` "all").

    Where no lane would be left, vehicles of both directions pass in turn on one.

    Attributes
    ----------
    lanes_closed : int or str
        Lanes a direction, 0 to 11, or "all".
    kmh : float, optional
        Limit beside the works.
    """

    lanes_closed: int | str = 1
    kmh: float | None = 30.0

    def __post_init__(self) -> None:
        faults: list[Fault | str] = []
        if self.where.is_empty:
            faults.append("roadworks need a place (street, links, ...)")
        if self.lanes_closed != "all" and not (isinstance(self.lanes_closed, int) and 0 <= self.lanes_closed <= 11):
            faults.append(
                Fault(f"lanes_closed {self.lanes_closed!r}; allowed: 0 to 11, or 'all'", where="lanes_closed")
            )
        if self.kmh is not None and not 5 <= self.kmh <= 130:
            faults.append(Fault(f"speed limit {self.kmh:g} km/h; allowed: 5 to 130", where="kmh"))
        if faults:
            raise ScenarioError(faults)

    def parts(self, city: City) -> tuple[Measure, ...]:
        """A closure, or fewer lanes, less capacity and a limit."""
        if self.lanes_closed == "all":
            return (CloseStreet(where=self.where, hours=self.hours),)
        taken = int(self.lanes_closed)
        parts: list[Measure] = []
        if taken:
            links = self.links(city)
            wide = city.links["lanes"].to_numpy(dtype=float)[links] >= taken + 1
            some, none = (Selection(links=tuple(links[rows].tolist())) for rows in (wide, ~wide))
            if wide.any():
                parts.append(SetLanes(where=some, change=-taken, hours=self.hours))
                parts.append(LimitCapacity(where=some, share=BESIDE_WORKS_SHARE, hours=self.hours))
            if not wide.all():
                parts.append(LimitCapacity(where=none, share=SHUTTLE_SHARE, hours=self.hours))
        if self.kmh is not None:
            parts.append(SpeedLimit(where=self.where, kmh=self.kmh, hours=self.hours))
        return tuple(parts)

    def in_words(self) -> str:
        """`Roadworks, X: 1 lane closed, 30 km/h`."""
        count = self.lanes_closed
        text = "closed" if count == "all" else f"{count} {'lane' if count == 1 else 'lanes'} closed"
        limit = "" if self.kmh is None or count == "all" else f", {self.kmh:g} km/h"
        return f"Roadworks, {self.where.in_words()}: {text}{limit}{self._when()}"
