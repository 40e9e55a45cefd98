"""What measures do to the engines on a street: standards that are kept out, shares that become electric."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulation.air.fleet import Ban, Fleet


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetChange:
    """Bans, and least shares of battery vehicles by class.

    Attributes
    ----------
    bans : tuple of Ban
    electric : tuple of (str, float)
        Vehicle class, and the share of its vehicle-km that battery vehicles drive at least, 0 to 1.
    """

    bans: tuple[Ban, ...] = ()
    electric: tuple[tuple[str, float], ...] = ()

    def of(self, fleet: Fleet) -> Fleet:
        """The fleet after it; the fleet itself where nothing changes.

        Raises
        ------
        FleetError
            If the bans leave a class without vehicles.
        """
        for name, share in self.electric:
            if share > electric_share(fleet, name):
                fleet = fleet.with_electric_share(name, share)
        return fleet.without(self.bans)


def together(changes: Iterable[FleetChange]) -> FleetChange:
    """Several changes at once: all bans, and of each class the largest share."""
    bans: dict[Ban, None] = {}
    electric: dict[str, float] = {}
    for change in changes:
        bans |= dict.fromkeys(change.bans)
        for name, share in change.electric:
            electric[name] = max(share, electric.get(name, 0.0))
    return FleetChange(bans=tuple(bans), electric=tuple(electric.items()))


def electric_share(fleet: Fleet, vehicle_class: str) -> float:
    """Share of a class's vehicle-km that battery vehicles drive."""
    return sum(entry.share for entry in fleet.of_class(vehicle_class) if entry.fuel == "electric")
