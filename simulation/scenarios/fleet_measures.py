"""Measures on engines: low- and zero-emission zones, and a more electric fleet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from data.schemas import VEHICLE_CLASSES
from simulation.air.errors import FleetError
from simulation.air.fleet import Ban, Fleet
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.fleet_change import FleetChange, electric_share
from simulation.scenarios.measures import LinkMeasure, class_faults, only_classes
from simulation.scenarios.select import Selection
from simulation.scenarios.timetable import Overlay, Undo
from simulation.standing import Avoided

if TYPE_CHECKING:
    from simulation.city import City

RESPONSES = ("replace", "avoid")


@dataclass(frozen=True, kw_only=True)
class EmissionZone(LinkMeasure):
    """On these links only some engines drive; what the owners of the others do is the `response`.

    `replace`: they buy or borrow a vehicle that complies, so the number of vehicles stays and their engines change.
    `avoid`: a share of the through traffic among them drives around the zone; those with business in it, and the rest,
    comply. Who avoids is drawn by trip. Outside the zone all drive with the engines of the city's fleet.
    """

    response: str = "replace"
    avoid_share: float = 1.0

    def __post_init__(self) -> None:
        faults = self._faults()
        if self.response not in RESPONSES:
            faults.append(f"response {self.response!r}; allowed: {list(RESPONSES)}")
        if not 0 <= self.avoid_share <= 1:
            faults.append(f"share that avoids {self.avoid_share:g}; allowed: 0 to 1")
        if faults:
            raise ScenarioError(faults)

    @property
    def change(self) -> FleetChange:
        """What it makes of a fleet."""
        raise NotImplementedError

    def barred(self, fleet: Fleet) -> tuple[float, ...]:
        """Share of each class that may not enter, shape (classes,)."""
        raise NotImplementedError

    def avoiders(self, city: City) -> tuple[float, ...]:
        """Share of each class's through traffic that drives around; all 0 where they replace their vehicles."""
        share = self.avoid_share if self.response == "avoid" else 0.0
        return tuple(share * one for one in self.barred(city.fleet))

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and bans that leave a class without vehicles."""
        faults = super().check(city)
        try:
            self.change.of(city.fleet)
        except FleetError as error:
            faults.append(Fault(str(error), where="ban"))
        return faults

    def begin(self, overlay: Overlay) -> Undo:
        """Keep the banned out; the result lets them in again."""
        city = overlay.live.city
        links, share = self.links(city), self.avoiders(city)
        engines = overlay.change_fleet(links, self.change)
        if not any(share):
            return engines
        ways = overlay.live.avoid(links.tolist(), share)

        def undo() -> None:
            ways()
            engines()

        return undo

    def _faults(self) -> list[str]:
        return []

    def _applied(self, city: City) -> City:
        links, share = self.links(city), self.avoiders(city)
        changed = with_fleet_change(city, links, self.change)
        if not any(share):
            return changed
        return replace(changed, avoided=(*city.avoided, Avoided(links=links, share=share)))

    def _response(self) -> str:
        return f"; {100 * self.avoid_share:g} % of them drive around" if self.response == "avoid" else ""


@dataclass(frozen=True, kw_only=True)
class LowEmissionZone(EmissionZone):
    """On these links only the compliant remainder of the fleet drives (see `Fleet.without`)."""

    bans: tuple[Ban, ...] = field(default_factory=tuple)

    @property
    def change(self) -> FleetChange:
        """The bans."""
        return FleetChange(bans=self.bans)

    def barred(self, fleet: Fleet) -> tuple[float, ...]:
        """Share of each class that is banned."""
        banned = fleet.banned_share(self.bans)
        return tuple(float(banned[name]) for name in VEHICLE_CLASSES)

    def in_words(self) -> str:
        """`Low-emission zone X: no diesel up to Euro 5`."""
        banned = ", ".join(f"{ban.fuel} up to Euro {'6d' if ban.euro_max == 7 else ban.euro_max}" for ban in self.bans)
        return f"Low-emission zone, {self.where.in_words()}: no {banned}{self._response()}{self._when()}"

    def _faults(self) -> list[str]:
        return [] if self.bans else ["a low-emission zone needs at least one ban (fuel and standard)"]


@dataclass(frozen=True, kw_only=True)
class ZeroEmissionZone(EmissionZone):
    """On these links vehicles of some classes drive on batteries alone."""

    classes: tuple[str, ...] = VEHICLE_CLASSES

    @property
    def change(self) -> FleetChange:
        """All of the classes electric."""
        return FleetChange(electric=tuple((name, 1.0) for name in self.classes))

    def barred(self, fleet: Fleet) -> tuple[float, ...]:
        """Share of each class with an engine."""
        return tuple(
            max(1.0 - electric_share(fleet, name), 0.0) if name in self.classes else 0.0 for name in VEHICLE_CLASSES
        )

    def in_words(self) -> str:
        """`Zero-emission zone, X, for van`."""
        only = only_classes(self.classes)
        return f"Zero-emission zone, {self.where.in_words()}{only}{self._response()}{self._when()}"

    def _faults(self) -> list[str]:
        return class_faults(self.classes)


@dataclass(frozen=True, kw_only=True)
class ElectrifyFleet(LinkMeasure):
    """So large a share of the vehicles of some classes drives on batteries; engines share the rest as they do today.

    It holds for good, in the whole city or, say for one operator's streets, in a place. A share below today's changes
    nothing.

    Attributes
    ----------
    shares : tuple of (str, float)
        Vehicle class and share of its vehicle-km, 0 to 1.
    """

    shares: tuple[tuple[str, float], ...] = ()
    where: Selection = field(default_factory=Selection)

    def __post_init__(self) -> None:
        faults = class_faults(tuple(name for name, _ in self.shares))
        faults += [f"electric share {share:g} of {name}; allowed: 0 to 1" for name, share in self.shares
                   if not 0 <= share <= 1]  # fmt: skip
        if self.hours is not None:
            faults.append("vehicles do not change their engines by the hour; leave out start, end and days")
        if faults:
            raise ScenarioError(faults)

    @property
    def change(self) -> FleetChange:
        """What it makes of a fleet."""
        return FleetChange(electric=self.shares)

    def remarks(self, city: City) -> list[str]:
        """Classes that are more electric already."""
        now = {name: electric_share(city.fleet, name) for name, _ in self.shares}
        return [
            f"{100 * now[name]:.1f} % of the {name}s are electric already; nothing changes for them"
            for name, share in self.shares
            if share <= now[name]
        ]

    def begin(self, overlay: Overlay) -> Undo:
        """Change the engines on its links; the result changes them back."""
        return overlay.change_fleet(self.links(overlay.live.city), self.change)

    def in_words(self) -> str:
        """`Electric: 40 % of car, 60 % of van`."""
        parts = ", ".join(f"{100 * share:g} % of {name}" for name, share in self.shares)
        return f"Electric: {parts}" + ("" if self.where.is_empty else f", {self.where.in_words()}")

    def _applied(self, city: City) -> City:
        if not self.where.is_empty:
            return with_fleet_change(city, self.links(city), self.change)
        own = tuple((links, self.change.of(fleet)) for links, fleet in city.link_fleet)
        return replace(city, fleet=self.change.of(city.fleet), link_fleet=own)


def with_fleet_change(city: City, links: np.ndarray, change: FleetChange) -> City:
    """The city with other engines on some links; the city itself where they drive there already."""
    number = np.zeros(len(city.links), dtype=np.int64)  # of the fleet of each link, 0: the city's
    fleets: list[Fleet] = [city.fleet]
    for ids, fleet in city.link_fleet:
        number[list(ids)] = len(fleets)
        fleets.append(fleet)
    before = len(fleets)
    for old in np.unique(number[links]).tolist():
        changed = change.of(fleets[old])
        if changed != fleets[old]:
            number[links[number[links] == old]] = len(fleets)
            fleets.append(changed)
    if len(fleets) == before:
        return city
    groups: dict[Fleet, np.ndarray] = {}
    for k in range(1, len(fleets)):
        here = np.flatnonzero(number == k)
        groups[fleets[k]] = np.union1d(groups.get(fleets[k], here), here)
    return replace(city, link_fleet=tuple((tuple(ids.tolist()), fleet) for fleet, ids in groups.items() if ids.size))
