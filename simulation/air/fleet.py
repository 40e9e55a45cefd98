"""The fleet: which engines and standards stand behind each vehicle class, and what a low-emission zone leaves of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.air.errors import FleetError

FUELS = ("petrol", "diesel", "electric")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEntry:
    """One kind of vehicle and its share of its class's vehicle-km.

    `euro` orders standards within a fuel: 4, 5, 6 (up to 2016), 7 (Euro 6d), 9 (electric). `exhaust_id` and `wear_id`
    name rows of `data/defaults/emission_factors.csv`; an electric vehicle has no `exhaust_id`. `tyre_factor` and
    `brake_factor` multiply the wear of a vehicle of that size.
    """

    vehicle_class: str
    fuel: str
    euro: int
    share: float
    exhaust_id: str
    wear_id: str
    tyre_factor: float = 1.0
    brake_factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """What a low-emission zone forbids: vehicles of `fuel` up to and including standard `euro_max`."""

    fuel: str
    euro_max: int
    vehicle_classes: tuple[str, ...] = VEHICLE_CLASSES

    def __post_init__(self) -> None:
        if self.fuel not in FUELS:
            raise FleetError(f"a ban names fuel {self.fuel!r}; allowed: {list(FUELS)}")
        unknown = [name for name in self.vehicle_classes if name not in VEHICLE_CLASSES]
        if unknown:
            raise FleetError(f"a ban names vehicle class(es) {unknown}; allowed: {list(VEHICLE_CLASSES)}")

    def forbids(self, entry: FleetEntry) -> bool:
        """Whether that vehicle may not enter."""
        return entry.fuel == self.fuel and entry.euro <= self.euro_max and entry.vehicle_class in self.vehicle_classes


@dataclass(frozen=True, slots=True)
class Fleet:
    """What drives in a street: entries whose shares sum to one in every vehicle class."""

    entries: tuple[FleetEntry, ...]

    def __post_init__(self) -> None:
        faults = []
        for name in VEHICLE_CLASSES:
            shares = [entry.share for entry in self.entries if entry.vehicle_class == name]
            if abs(sum(shares) - 1.0) > 1e-6 or any(share < 0 for share in shares):
                faults.append(f"shares of class '{name}' are {shares}, they must be >= 0 and sum to 1")
        for entry in self.entries:
            if entry.vehicle_class not in VEHICLE_CLASSES:
                faults.append(f"vehicle class {entry.vehicle_class!r}; allowed: {list(VEHICLE_CLASSES)}")
            if entry.fuel not in FUELS:
                faults.append(f"fuel {entry.fuel!r} of a {entry.vehicle_class}; allowed: {list(FUELS)}")
        if faults:
            raise FleetError(f"the fleet has {len(faults)} fault(s): " + "; ".join(faults))

    def without(self, bans: Sequence[Ban]) -> Fleet:
        """The compliant remainder: banned entries leave, the others of their class share what they drove.

        A simplification: whoever still enters complies (changed vehicle or other owner), so the number of vehicles
        stays. It overstates the effect of a zone that drivers avoid, and understates one that they give up driving for.

        Raises
        ------
        FleetError
            If a class would be left without any vehicle.
        """
        if not bans:
            return self
        kept: list[FleetEntry] = []
        for name in VEHICLE_CLASSES:
            group = [entry for entry in self.entries if entry.vehicle_class == name]
            allowed = [entry for entry in group if not any(ban.forbids(entry) for ban in bans)]
            total = sum(entry.share for entry in allowed)
            if total <= 0:
                raise FleetError(
                    f"the bans leave no vehicle of class '{name}'; to keep the class out, close the streets to it"
                )
            scale = 1.0 if len(allowed) == len(group) else 1.0 / total
            kept += [FleetEntry(**{**asdict(entry), "share": entry.share * scale}) for entry in allowed]
        return Fleet(tuple(kept))

    def banned_share(self, bans: Sequence[Ban]) -> dict[str, float]:
        """Share of each class's vehicle-km that the bans forbid."""
        return {
            name: sum(
                entry.share
                for entry in self.entries
                if entry.vehicle_class == name and any(ban.forbids(entry) for ban in bans)
            )
            for name in VEHICLE_CLASSES
        }

    def to_table(self) -> pd.DataFrame:
        """One row an entry, columns as the fields of `FleetEntry`."""
        return pd.DataFrame([asdict(entry) for entry in self.entries])

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Fleet:
        """A fleet from the columns of `FleetEntry`; others (a `source`, say) are passed over.

        Raises
        ------
        FleetError
            If a column is missing, or the shares of a class do not sum to one.
        """
        names = list(FleetEntry.__dataclass_fields__)
        missing = [name for name in names if name not in table.columns]
        if missing:
            raise FleetError(f"the fleet table lacks column(s) {missing}; found {list(map(str, table.columns))}")
        text = ("vehicle_class", "fuel", "exhaust_id", "wear_id")
        clean = table[names].assign(**{name: table[name].fillna("").astype(str) for name in text})
        rows = clean.to_dict("records")
        return cls(
            tuple(FleetEntry(**{**{str(k): v for k, v in row.items()}, "euro": int(row["euro"])}) for row in rows)
        )


@cache
def default_fleet() -> Fleet:
    """An urban fleet of northern Europe in the mid 2020s (`data/defaults/fleet.csv`, assumed shares)."""
    with files("data").joinpath("defaults/fleet.csv").open(encoding="utf-8") as handle:
        return Fleet.from_table(pd.read_csv(handle))
