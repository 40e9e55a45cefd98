"""A charge on streets, or on entering an area (a cordon charge)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data.schemas import VEHICLE_CLASSES
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.measures import LinkMeasure
from simulation.scenarios.timetable import Overlay, Undo
from simulation.traffic.costs import Toll

if TYPE_CHECKING:
    from simulation.city import City


@dataclass(frozen=True, kw_only=True)
class ChargeToll(LinkMeasure):
    """Vehicles of some classes pay on each of the links, or, at a cordon, on those by which they enter the place.

    Drivers weigh the charge against time by the value of time of their class (`City.costs`). Who drives does not
    change, only where: nobody stays at home or takes a bus because of a charge; scale demand for that.
    """

    eur: float
    classes: tuple[str, ...] = VEHICLE_CLASSES
    cordon: bool = False

    def __post_init__(self) -> None:
        faults = []
        if not 0 <= self.eur <= 1000:
            faults.append(f"toll {self.eur:g} EUR; allowed: 0 to 1000")
        wrong = [name for name in self.classes if name not in VEHICLE_CLASSES]
        if wrong or not self.classes:
            faults.append(f"vehicle classes {wrong or 'missing'}; allowed: {list(VEHICLE_CLASSES)}")
        if self.where.is_empty:
            faults.append("a toll needs a place (street, links, zones, ...): it would hold in the whole city")
        if faults:
            raise ScenarioError(faults)

    def charged(self, city: City) -> np.ndarray:
        """Links on which is paid: all of the place, or those of it that are entered from outside."""
        place = self.links(city)
        if not self.cordon:
            return place
        turns = city.turns
        into = turns["to_link_id"].to_numpy()[~np.isin(turns["from_link_id"], place)]
        return np.intersect1d(place, np.concatenate([into, city.gateways["in_link_id"].dropna().to_numpy()])).astype(
            int
        )

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and a cordon that nobody enters."""
        faults = super().check(city)
        if not faults and not self.charged(city).size:
            faults.append(Fault("no street leads into this place from outside; a cordon charge would meet nobody"))
        return faults

    def begin(self, overlay: Overlay) -> Undo:
        """Charge; the result ends it."""
        live = overlay.live
        return live.set_toll(self.charged(live.city).tolist(), self.eur, self._rows())

    def in_words(self) -> str:
        """`Toll of 2 EUR on X`, `Toll of 2 EUR to enter X, for heavy`."""
        only = "" if len(self.classes) == len(VEHICLE_CLASSES) else f", for {', '.join(self.classes)}"
        where = "to enter" if self.cordon else "on"
        return f"Toll of {self.eur:g} EUR {where} {self.where.in_words()}{only}{self._when()}"

    def _rows(self) -> list[int]:
        return [VEHICLE_CLASSES.index(name) for name in self.classes]

    def _applied(self, city: City) -> City:
        toll = Toll(link_ids=tuple(self.charged(city).tolist()), eur=self.eur, classes=tuple(self._rows()))
        return replace(city, tolls=(*city.tolls, toll))
