"""Charges: on streets, on entering an area (a cordon charge), by distance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from data.schemas import VEHICLE_CLASSES
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.measures import LinkMeasure, class_faults, class_rows, only_classes
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
        faults = [] if 0 <= self.eur <= 1000 else [f"toll {self.eur:g} EUR; allowed: 0 to 1000"]
        faults += class_faults(self.classes)
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
        where = "to enter" if self.cordon else "on"
        return f"Toll of {self.eur:g} EUR {where} {self.where.in_words()}{only_classes(self.classes)}{self._when()}"

    def _rows(self) -> list[int]:
        return class_rows(self.classes)

    def _applied(self, city: City) -> City:
        toll = Toll(link_ids=tuple(self.charged(city).tolist()), eur=self.eur, classes=tuple(self._rows()))
        return replace(city, tolls=(*city.tolls, toll))


@dataclass(frozen=True, kw_only=True)
class ChargeDistance(LinkMeasure):
    """Vehicles of some classes pay for every kilometre that they drive on the links; without a place, everywhere.

    Drivers weigh it against time as they do a toll; nobody stays at home because of it.
    """

    eur_per_km: float
    classes: tuple[str, ...] = VEHICLE_CLASSES

    def __post_init__(self) -> None:
        faults = [] if 0 <= self.eur_per_km <= 100 else [f"charge {self.eur_per_km:g} EUR/km; allowed: 0 to 100"]
        faults += class_faults(self.classes)
        if faults:
            raise ScenarioError(faults)

    def eur(self, city: City) -> np.ndarray:
        """EUR of each of its links, shape (n,)."""
        return np.asarray(city.links["length_m"].to_numpy(dtype=float)[self.links(city)] * self.eur_per_km / 1000.0)

    def begin(self, overlay: Overlay) -> Undo:
        """Charge; the result ends it."""
        live = overlay.live
        return live.set_toll(self.links(live.city).tolist(), self.eur(live.city).tolist(), class_rows(self.classes))

    def in_words(self) -> str:
        """`Charge of 0.1 EUR/km in X, for car`."""
        where = self.where.in_words()
        return f"Charge of {self.eur_per_km:g} EUR/km, {where}{only_classes(self.classes)}{self._when()}"

    def _applied(self, city: City) -> City:
        toll = Toll(
            link_ids=tuple(self.links(city).tolist()), eur=0.0, classes=tuple(class_rows(self.classes)),
            each_eur=tuple(self.eur(city).tolist()),
        )  # fmt: skip
        return replace(city, tolls=(*city.tolls, toll))
