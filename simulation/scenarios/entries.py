"""One pydantic entry a measure: what a file or a form may say, and the frozen measure that it becomes.

Add a measure to `ENTRIES` and files and forms know it. `model_json_schema()` of an entry describes its form.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from data.schemas import VEHICLE_CLASSES
from simulation.air.fleet import Ban
from simulation.errors import RunError
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.hours import Hours, clock, seconds_of
from simulation.scenarios.measures import CloseStreet, LowEmissionZone, Measure, ScaleDemand, SetLanes, SpeedLimit
from simulation.scenarios.select import Selection
from simulation.scenarios.signal_measures import ActuateSignals, RetimeSignals
from simulation.scenarios.toll_measure import ChargeToll
from simulation.traffic.actuated import Actuation


def _listed(value: Any) -> Any:
    """One value may stand for a list of one."""
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _clock_text(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        hint = f'write "{clock(value * 60)}"' if 0 <= value < 1440 else 'write a time as "HH:MM"'
        raise ValueError(f"found the number {value:g} (YAML reads a time without quotes as minutes); {hint}")
    if not isinstance(value, str):
        raise ValueError(f'found {value!r}; write a time as "HH:MM"')
    seconds_of(value)
    return value


def _euro(value: Any) -> Any:
    return 7 if isinstance(value, str) and value.strip().casefold() == "6d" else value


ClockText = Annotated[str, BeforeValidator(_clock_text)]
Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Numbers = Annotated[tuple[int, ...], BeforeValidator(_listed)]
ClassName = Literal["car", "van", "heavy", "bus"]
LonLat = tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]]


class Entry(BaseModel):
    """What every measure may have: hours, by the clock of the city."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    measure: str
    start: ClockText | None = None
    end: ClockText | None = None

    def hours(self) -> Hours | None:
        """None where the measure holds for good."""
        if self.start is None and self.end is None:
            return None
        if self.start is None or self.end is None:
            missing, given = ("start", "end") if self.start is None else ("end", "start")
            raise ScenarioError([Fault(f"{missing!r} is missing; give both, or neither for all day", where=given)])
        begins = seconds_of(self.start)
        return Hours(0.0 if begins == 86_400 else begins, seconds_of(self.end) or 86_400.0)

    def to_measure(self) -> Measure:
        """The frozen measure."""
        raise NotImplementedError


class PlaceEntry(Entry):
    """A measure on links. Values of one key add up, keys narrow each other."""

    links: Numbers = ()
    ways: Numbers = ()
    street: Words = ()
    zones: Words = ()
    road_class: Words = ()
    area: tuple[LonLat, ...] = Field(default=(), description="corners of a polygon, [longitude, latitude]")
    line: tuple[LonLat, ...] = Field(default=(), description="points of a line, [longitude, latitude]")

    def where(self) -> Selection:
        """The place, with too few points as a fault."""
        for key, points, least in (("area", self.area, 3), ("line", self.line, 2)):
            if 0 < len(points) < least:
                raise ScenarioError([Fault(f"{key} needs at least {least} points; found {len(points)}", where=key)])
        return Selection(
            links=self.links, ways=self.ways, street=self.street, zones=self.zones, road_class=self.road_class,
            area=self.area, line=self.line,
        )  # fmt: skip


class CloseStreetEntry(PlaceEntry):
    """`close_street`: no vehicle of these classes (all, if left out) may enter."""

    classes: Annotated[tuple[ClassName, ...], BeforeValidator(_listed)] = VEHICLE_CLASSES  # type: ignore[assignment]

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return CloseStreet(where=self.where(), hours=self.hours(), classes=tuple(self.classes))


class SetLanesEntry(PlaceEntry):
    """`lanes`: so many lanes a direction, or a change of so many."""

    lanes: float | None = None
    change: float | None = None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return SetLanes(where=self.where(), hours=self.hours(), lanes=self.lanes, change=self.change)


class SpeedLimitEntry(PlaceEntry):
    """`speed_limit`: a posted limit, km/h."""

    kmh: float

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return SpeedLimit(where=self.where(), hours=self.hours(), kmh=self.kmh)


class ScaleDemandEntry(Entry):
    """`demand`: so many per cent more (or, below zero, fewer) trips, of all or between some zones."""

    percent: float = Field(ge=-100, le=400)
    from_zones: Words = ()
    to_zones: Words = ()

    def to_measure(self) -> Measure:
        """The frozen measure."""
        factor = round(1.0 + self.percent / 100.0, 12)
        return ScaleDemand(factor=factor, from_zones=self.from_zones, to_zones=self.to_zones, hours=self.hours())


class BanEntry(BaseModel):
    """What a low-emission zone keeps out: a fuel up to a Euro standard (1 to 6, or "6d")."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    fuel: Literal["petrol", "diesel"]
    up_to_euro: Annotated[int, BeforeValidator(_euro), Field(ge=1, le=7)]
    classes: Annotated[tuple[ClassName, ...], BeforeValidator(_listed)] = VEHICLE_CLASSES  # type: ignore[assignment]


class LowEmissionZoneEntry(PlaceEntry):
    """`low_emission_zone`: on these links only the compliant remainder of the fleet drives."""

    ban: tuple[BanEntry, ...] = Field(min_length=1)

    def to_measure(self) -> Measure:
        """The frozen measure."""
        bans = tuple(
            Ban(fuel=ban.fuel, euro_max=ban.up_to_euro, vehicle_classes=tuple(ban.classes)) for ban in self.ban
        )
        return LowEmissionZone(where=self.where(), hours=self.hours(), bans=bans)


class ActuateSignalsEntry(PlaceEntry):
    """`actuate_signals`: greens last as long as vehicles come, between a minimum and a maximum, s."""

    min_green: float = Actuation().min_green_s
    max_green: float = Actuation().max_green_s
    passage: float = Actuation().passage_s

    def to_measure(self) -> Measure:
        """The frozen measure."""
        try:
            settings = Actuation(min_green_s=self.min_green, max_green_s=self.max_green, passage_s=self.passage)
        except RunError as error:
            raise ScenarioError([str(error)]) from error
        return ActuateSignals(where=self.where(), hours=self.hours(), settings=settings)


class RetimeSignalsEntry(PlaceEntry):
    """`retime_signals`: plans for the demand as it is; `cycle` in s, best if left out."""

    cycle: float | None = None
    percent_of_peak: float = 100.0

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return RetimeSignals(
            where=self.where(), hours=self.hours(), cycle_s=self.cycle, percent_of_peak=self.percent_of_peak
        )


class TollEntry(PlaceEntry):
    """`toll`: EUR a vehicle on each link of a place, or, with `cordon`, to enter it."""

    eur: float
    classes: Annotated[tuple[ClassName, ...], BeforeValidator(_listed)] = VEHICLE_CLASSES  # type: ignore[assignment]
    cordon: bool = False

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return ChargeToll(
            where=self.where(), hours=self.hours(), eur=self.eur, classes=tuple(self.classes), cordon=self.cordon
        )


#: Key `measure` of an entry, and the entry. Add a measure here and it is known to files, forms and `to_yaml`.
ENTRIES: dict[str, type[Entry]] = {
    "close_street": CloseStreetEntry,
    "lanes": SetLanesEntry,
    "speed_limit": SpeedLimitEntry,
    "demand": ScaleDemandEntry,
    "low_emission_zone": LowEmissionZoneEntry,
    "actuate_signals": ActuateSignalsEntry,
    "retime_signals": RetimeSignalsEntry,
    "toll": TollEntry,
}
