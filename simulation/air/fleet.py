"""The fleet: which engines and standards stand behind each vehicle class, and what a low-emission zone leaves of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.air.errors import FleetError
from simulation.air.factors import EXHAUST_ROWS, WEAR_ROWS, vehicles_with
from simulation.air.hbefa4 import battery_vehicles

FUELS = ("petrol", "diesel", "electric")
#: Battery vehicle and wear class that stand for a vehicle class, where a fleet names none. A battery bus stands for
#: lorries too (assumed: no polynomial of a battery lorry is at hand, and 15-18 t are the weight of a rigid one).
BATTERY_OF_CLASS = {"car": "PC_BEV", "van": "LCV_BEV", "heavy": "BUS_BEV", "bus": "BUS_BEV"}
WEAR_OF_CLASS = {"car": "PC", "van": "LCV", "heavy": "HDV_2axle_50pct", "bus": "HDV_2axle_50pct"}
#: Wear of a battery vehicle over that of one with an engine: heavier on its tyres, lighter on its brakes. Assumptions,
#: not guidebook values.
ELECTRIC_TYRE_FACTOR, ELECTRIC_BRAKE_FACTOR = 1.15, 0.5
_ELECTRIC_EURO = 9
_MOST_EURO = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetEntry:
    """One kind of vehicle and its share of its class's vehicle-km.

    `euro` orders standards within a fuel: 4, 5, 6 (up to 2016), 7 (Euro 6d), 9 (electric). `exhaust_id` and `wear_id`
    name rows of `data/defaults/emission_factors.csv`; an electric vehicle has no `exhaust_id`, but an
    `electricity_id`, a row of `data/defaults/hbefa4_polynomials.csv` (`BATTERY_OF_CLASS` if left empty).
    `tyre_factor` and `brake_factor` multiply the wear of a vehicle of that size.
    """

    vehicle_class: str
    fuel: str
    euro: int
    share: float
    exhaust_id: str = ""
    wear_id: str
    tyre_factor: float = 1.0
    brake_factor: float = 1.0
    electricity_id: str = ""

    @property
    def battery_id(self) -> str:
        """The polynomial of its electricity; empty for a vehicle with an engine."""
        return (self.electricity_id or BATTERY_OF_CLASS[self.vehicle_class]) if self.fuel == "electric" else ""


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
    """What drives in a street: entries whose shares sum to one in every vehicle class.

    Raises
    ------
    FleetError
        Naming every fault: shares that do not sum to one, are negative or not numbers, unknown classes, fuels and
        vehicles, an engine without exhaust or a battery with one, wear factors below 0.
    """

    entries: tuple[FleetEntry, ...]

    def __post_init__(self) -> None:
        faults = []
        for name in VEHICLE_CLASSES:
            shares = [entry.share for entry in self.entries if entry.vehicle_class == name]
            if not abs(sum(shares) - 1.0) <= 1e-6 or not all(share >= 0 for share in shares):
                faults.append(
                    f"shares of class '{name}' are {shares}, they must be >= 0 and sum to 1, not {sum(shares):g}"
                )
        for number, entry in enumerate(self.entries):
            faults += [f"entry {number} ({entry.fuel} {entry.vehicle_class}): {fault}" for fault in _faults(entry)]
        if faults:
            raise FleetError(f"the fleet has {len(faults)} fault(s): " + "; ".join(faults))

    def of_class(self, vehicle_class: str) -> tuple[FleetEntry, ...]:
        """Entries of one class."""
        return tuple(entry for entry in self.entries if entry.vehicle_class == vehicle_class)

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
            group = self.of_class(name)
            allowed = [entry for entry in group if not any(ban.forbids(entry) for ban in bans)]
            total = sum(entry.share for entry in allowed)
            if total <= 0:
                raise FleetError(
                    f"the bans leave no vehicle of class '{name}'; to keep the class out, close the streets to it"
                )
            scale = 1.0 if len(allowed) == len(group) else 1.0 / total
            kept += [replace(entry, share=entry.share * scale) for entry in allowed]
        return Fleet(tuple(kept))

    def with_electric_share(self, vehicle_class: str, share: float) -> Fleet:
        """This fleet with another share of battery vehicles in one class; the engines of that class share the rest.

        Parameters
        ----------
        vehicle_class : str
            One of `VEHICLE_CLASSES`.
        share : float
            Of the class's vehicle-km, 0 to 1.

        Raises
        ------
        FleetError
            If there is no such class or share, or no engine that could drive the rest.
        """
        faults = []
        if vehicle_class not in VEHICLE_CLASSES:
            faults.append(f"vehicle class {vehicle_class!r}; allowed: {list(VEHICLE_CLASSES)}")
        if not 0.0 <= share <= 1.0:
            faults.append(f"an electric share of {share}; allowed: 0 to 1")
        if faults:
            raise FleetError("the fleet cannot be electrified: " + "; ".join(faults))
        group = self.of_class(vehicle_class)
        electric = sum(entry.share for entry in group if entry.fuel == "electric")
        engines = sum(entry.share for entry in group if entry.fuel != "electric")
        if engines <= 0 and share < 1:
            raise FleetError(f"class '{vehicle_class}' has no engine to drive the other {1 - share:.0%} of its km")
        changed = [entry for entry in self.entries if entry.vehicle_class != vehicle_class]
        if share < 1:
            changed += [replace(e, share=e.share * (1 - share) / engines) for e in group if e.fuel != "electric"]
        if share > 0 and electric > 0:
            changed += [replace(e, share=e.share * share / electric) for e in group if e.fuel == "electric"]
        elif share > 0:
            changed.append(
                FleetEntry(
                    vehicle_class=vehicle_class, fuel="electric", euro=_ELECTRIC_EURO, share=share,
                    wear_id=WEAR_OF_CLASS[vehicle_class], tyre_factor=ELECTRIC_TYRE_FACTOR,
                    brake_factor=ELECTRIC_BRAKE_FACTOR,
                )
            )  # fmt: skip
        return Fleet(tuple(sorted(changed, key=lambda entry: VEHICLE_CLASSES.index(entry.vehicle_class))))

    def banned_share(self, bans: Sequence[Ban]) -> dict[str, float]:
        """Share of each class's vehicle-km that the bans forbid."""
        return {
            name: sum(entry.share for entry in self.of_class(name) if any(ban.forbids(entry) for ban in bans))
            for name in VEHICLE_CLASSES
        }

    def to_table(self) -> pd.DataFrame:
        """One row an entry, columns as the fields of `FleetEntry`."""
        return pd.DataFrame([asdict(entry) for entry in self.entries])

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Fleet:
        """A fleet from the columns of `FleetEntry`; others (a `source`, say) are passed over.

        Parameters
        ----------
        table : DataFrame
            `vehicle_class`, `fuel`, `euro`, `share` and `wear_id` must be there; `exhaust_id` and `electricity_id` are
            empty, `tyre_factor` and `brake_factor` 1 where they are missing.

        Raises
        ------
        FleetError
            Naming every fault: missing columns alone, then values that are no numbers alone, then those of `Fleet`.
        """
        needed = ("vehicle_class", "fuel", "euro", "share", "wear_id")
        missing = [name for name in needed if name not in table.columns]
        if missing:
            raise FleetError(f"the fleet table lacks column(s) {missing}; found {list(map(str, table.columns))}")
        text = ("vehicle_class", "fuel", "exhaust_id", "wear_id", "electricity_id")
        default: Mapping[str, Any] = {"tyre_factor": 1.0, "brake_factor": 1.0}
        columns: dict[str, list[Any]] = {}
        faults: list[str] = []
        for name in FleetEntry.__dataclass_fields__:
            if name not in table.columns:
                columns[name] = [default.get(name, "")] * len(table)
            elif name in text:
                columns[name] = table[name].fillna("").astype(str).tolist()
            else:
                columns[name] = _numbers(table[name], name, whole=name == "euro", faults=faults)
        if faults:
            raise FleetError(f"the fleet table has {len(faults)} fault(s): " + "; ".join(faults))
        return cls(tuple(FleetEntry(**dict(zip(columns, row))) for row in zip(*columns.values())))


@cache
def default_fleet() -> Fleet:
    """An urban fleet of the EU in the mid 2020s (`data/defaults/fleet.csv`).

    Fuels are those of the registered vehicles of 2024 (ACEA), standards of cars those of Germany (KBA), lorries those
    of German toll roads (BAG); that shares of the stock are shares of the kilometres, and the rest, is assumed: see
    the file's `source` column. Vehicles without a curve of their own drive on the nearest one.
    """
    with files("data").joinpath("defaults/fleet.csv").open(encoding="utf-8") as handle:
        return Fleet.from_table(pd.read_csv(handle))


def _faults(entry: FleetEntry) -> list[str]:
    """What is wrong with one entry, besides its share."""
    faults = []
    if entry.vehicle_class not in VEHICLE_CLASSES:
        faults.append(f"vehicle class {entry.vehicle_class!r}; allowed: {list(VEHICLE_CLASSES)}")
    if entry.fuel not in FUELS:
        faults.append(f"fuel {entry.fuel!r}; allowed: {list(FUELS)}")
    if not 0 <= entry.euro <= _MOST_EURO:
        faults.append(f"Euro standard {entry.euro}; allowed: 0 to {_MOST_EURO}")
    if entry.wear_id not in vehicles_with(WEAR_ROWS):
        faults.append(f"wear_id {entry.wear_id!r}; allowed: {list(vehicles_with(WEAR_ROWS))}")
    if entry.fuel == "electric" and entry.exhaust_id:
        faults.append(f"exhaust_id {entry.exhaust_id!r}; an electric vehicle has none, leave it empty")
    if entry.fuel in ("petrol", "diesel") and entry.exhaust_id not in vehicles_with(EXHAUST_ROWS):
        faults.append(f"exhaust_id {entry.exhaust_id!r}; allowed: {list(vehicles_with(EXHAUST_ROWS))}")
    if entry.electricity_id and (entry.fuel != "electric" or entry.electricity_id not in battery_vehicles()):
        faults.append(
            f"electricity_id {entry.electricity_id!r}; allowed: {list(battery_vehicles())} for an electric vehicle,"
            " empty for others"
        )
    for name, value in (("tyre_factor", entry.tyre_factor), ("brake_factor", entry.brake_factor)):
        if not (math.isfinite(value) and value >= 0):
            faults.append(f"{name} {value}; it must be 0 or more")
    return faults


def _numbers(values: pd.Series, name: str, *, whole: bool, faults: list[str]) -> list[Any]:
    """A column as numbers, adding to `faults` what is none."""
    numbers = pd.to_numeric(values, errors="coerce")
    bad = numbers.isna() | (whole & (numbers % 1 != 0))
    if bad.any():
        row = int(bad.to_numpy().argmax())
        kind = "whole numbers" if whole else "numbers"
        faults.append(f"column '{name}' must hold {kind}; row {row} holds {values.iloc[row]!r}")
        return [0] * len(values)
    return [int(value) for value in numbers] if whole else [float(value) for value in numbers]
