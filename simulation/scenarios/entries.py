"""One pydantic entry a measure: what a file or a form may say, and the frozen measure that it becomes.

Add a measure to `ENTRIES` here and to `WRITERS` in `writing`, and files and forms know it. `model_json_schema()` of an
entry describes its form. Shares are written in per cent.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from data.schemas import VEHICLE_CLASSES
from simulation.air.fleet import Ban
from simulation.errors import RunError
from simulation.scenarios.capacity_measures import Incident, LimitCapacity, WeatherDay
from simulation.scenarios.demand_measures import Band, NewDevelopment, ShiftMode
from simulation.scenarios.entry_parts import (
    Classes,
    ClockText,
    Direction,
    Entry,
    EuroStandard,
    LonLat,
    Path,
    Percent,
    PlaceEntry,
    Spot,
    Words,
    listed,
    part,
)
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.event_measure import Event
from simulation.scenarios.fleet_measures import ElectrifyFleet, LowEmissionZone, ZeroEmissionZone
from simulation.scenarios.hours import Hours, seconds_of
from simulation.scenarios.link_measures import BusLane, NewLink
from simulation.scenarios.measures import CloseStreet, Measure, ScaleDemand, SetLanes, SpeedLimit
from simulation.scenarios.signal_measures import ActuateSignals, FixSignals, RetimeSignals
from simulation.scenarios.street_measures import OneWay, Pedestrianise, Roadworks, Zone30
from simulation.scenarios.toll_measure import ChargeDistance, ChargeToll
from simulation.scenarios.turn_measure import BanTurns
from simulation.traffic.actuated import Actuation

ALL: Classes = VEHICLE_CLASSES  # type: ignore[assignment]


class CloseStreetEntry(PlaceEntry):
    """`close_street`: no vehicle of these classes (all, if left out) may enter."""

    classes: Classes = ALL

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return CloseStreet(where=self.where(), hours=self.hours(), classes=tuple(self.classes))


class PedestrianiseEntry(PlaceEntry):
    """`pedestrianise`: no cars; vans and lorries in the hours of deliveries, buses if they may pass."""

    buses: bool = False
    deliveries_start: ClockText | None = None
    deliveries_end: ClockText | None = None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        begin, end = self.deliveries_start, self.deliveries_end
        if (begin is None) != (end is None):
            missing = "deliveries_start" if begin is None else "deliveries_end"
            raise ScenarioError([Fault(f"{missing!r} is missing; give both, or neither", where="deliveries_start")])
        deliveries = Hours(seconds_of(begin), seconds_of(end) or 86_400.0) if begin and end else None
        return Pedestrianise(where=self.where(), hours=self.hours(), buses=self.buses, deliveries=deliveries)


class NewLinkEntry(Entry):
    """`new_link`: a street along a line, between the crossings nearest to its ends."""

    line: Path
    name: str = "New street"
    road_class: str = "residential"
    lanes: float = 1.0
    kmh: float = 50.0
    two_way: bool = True

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return NewLink(
            line=self.line, name=self.name, road_class=self.road_class, lanes=self.lanes, kmh=self.kmh,
            two_way=self.two_way, hours=self.hours(),
        )  # fmt: skip


class SetLanesEntry(PlaceEntry):
    """`lanes`: so many lanes a direction, or a change of so many."""

    lanes: float | None = None
    change: float | None = None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return SetLanes(where=self.where(), hours=self.hours(), lanes=self.lanes, change=self.change)


class BusLaneEntry(PlaceEntry):
    """`bus_lane`: a lane of each direction for buses alone."""

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return BusLane(where=self.where(), hours=self.hours())


class SpeedLimitEntry(PlaceEntry):
    """`speed_limit`: a posted limit, km/h; it raises speeds only with `may_raise`."""

    kmh: float
    may_raise: bool = False

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return SpeedLimit(where=self.where(), hours=self.hours(), kmh=self.kmh, may_raise=self.may_raise)


class Zone30Entry(PlaceEntry):
    """`zone_30`: a limit on all but the main streets."""

    kmh: float = 30.0
    main_streets: bool = False

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return Zone30(where=self.where(), hours=self.hours(), kmh=self.kmh, main_streets=self.main_streets)


class OneWayEntry(PlaceEntry):
    """`one_way`: streets of two directions keep the one that runs `towards`."""

    towards: Direction
    classes: Classes = ALL
    give_lanes: bool = False

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return OneWay(
            where=self.where(), hours=self.hours(), towards=self.towards, classes=tuple(self.classes),
            give_lanes=self.give_lanes,
        )  # fmt: skip


class BanTurnsEntry(PlaceEntry):
    """`turn_ban`: these movements, or those onto some streets, where the links of a place end."""

    movements: Words = ()
    onto: Spot | None = None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        onto = None if self.onto is None else self.onto.where("onto.")
        return BanTurns(where=self.where(), hours=self.hours(), movements=self.movements, onto=onto)


class FixSignalsEntry(PlaceEntry):
    """`fixed_signals`: another cycle, s, and the share of its green that the streets of the place get."""

    cycle: float | None = None
    green_percent: Percent | None = None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        share = None if self.green_percent is None else part(self.green_percent)
        return FixSignals(where=self.where(), hours=self.hours(), cycle_s=self.cycle, green_share=share)


class RetimeSignalsEntry(PlaceEntry):
    """`retime_signals`: plans for the demand as it is; `cycle` in s, best if left out."""

    cycle: float | None = None
    percent_of_peak: float = 100.0

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return RetimeSignals(
            where=self.where(), hours=self.hours(), cycle_s=self.cycle, percent_of_peak=self.percent_of_peak
        )


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


class TollEntry(PlaceEntry):
    """`toll`: EUR a vehicle on each link of a place, or, with `cordon`, to enter it."""

    eur: float
    classes: Classes = ALL
    cordon: bool = False

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return ChargeToll(
            where=self.where(), hours=self.hours(), eur=self.eur, classes=tuple(self.classes), cordon=self.cordon
        )


class DistanceChargeEntry(PlaceEntry):
    """`distance_charge`: EUR a kilometre on the links of a place, everywhere if it is left out."""

    eur_per_km: float
    classes: Classes = ALL

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return ChargeDistance(
            where=self.where(), hours=self.hours(), eur_per_km=self.eur_per_km, classes=tuple(self.classes)
        )


class BanEntry(BaseModel):
    """What a low-emission zone keeps out: a fuel up to a Euro standard (1 to 6, or "6d")."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    fuel: Literal["petrol", "diesel"]
    up_to_euro: EuroStandard
    classes: Classes = ALL


class LowEmissionZoneEntry(PlaceEntry):
    """`low_emission_zone`: on these links only the compliant remainder of the fleet drives."""

    ban: tuple[BanEntry, ...] = Field(min_length=1)
    response: Literal["replace", "avoid"] = "replace"
    avoid_percent: Percent = 100.0

    def to_measure(self) -> Measure:
        """The frozen measure."""
        bans = tuple(
            Ban(fuel=ban.fuel, euro_max=ban.up_to_euro, vehicle_classes=tuple(ban.classes)) for ban in self.ban
        )
        return LowEmissionZone(
            where=self.where(), hours=self.hours(), bans=bans, response=self.response,
            avoid_share=part(self.avoid_percent),
        )  # fmt: skip


class ZeroEmissionZoneEntry(PlaceEntry):
    """`zero_emission_zone`: on these links these classes drive on batteries alone."""

    classes: Classes = ALL
    response: Literal["replace", "avoid"] = "replace"
    avoid_percent: Percent = 100.0

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return ZeroEmissionZone(
            where=self.where(), hours=self.hours(), classes=tuple(self.classes), response=self.response,
            avoid_share=part(self.avoid_percent),
        )  # fmt: skip


class ElectrifyEntry(PlaceEntry):
    """`electrify`: battery vehicles drive so many per cent of the kilometres of a class."""

    car: Percent | None = None
    van: Percent | None = None
    heavy: Percent | None = None
    bus: Percent | None = None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        given = ((name, getattr(self, name)) for name in VEHICLE_CLASSES)
        shares = tuple((name, part(percent)) for name, percent in given if percent is not None)
        if not shares:
            raise ScenarioError([f"give a percentage for at least one of {list(VEHICLE_CLASSES)}"])
        return ElectrifyFleet(where=self.where(), hours=self.hours(), shares=shares)


class ScaleDemandEntry(Entry):
    """`demand`: so many per cent more (or, below zero, fewer) trips, of all or between some zones."""

    percent: float = Field(ge=-100, le=400)
    from_zones: Words = ()
    to_zones: Words = ()
    classes: Classes = ALL

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return ScaleDemand(
            factor=round(1.0 + self.percent / 100.0, 12), from_zones=self.from_zones, to_zones=self.to_zones,
            hours=self.hours(), classes=tuple(self.classes),
        )  # fmt: skip


class BandEntry(BaseModel):
    """So many per cent of the trips up to a length, km."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    up_to_km: float
    percent: Percent


class ShiftModeEntry(Entry):
    """`mode_shift`: bicycles, transit or feet take over a share of the car trips, by distance."""

    to: Literal["bicycle", "transit", "foot"] = "bicycle"
    bands: tuple[BandEntry, ...] = Field(min_length=1)
    classes: Annotated[Classes, BeforeValidator(listed)] = ("car",)
    from_zones: Words = ()
    to_zones: Words = ()
    across_border: bool = False
    outside_km: float = 6.0

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return ShiftMode(
            to=self.to, bands=tuple(Band(band.up_to_km, part(band.percent)) for band in self.bands),
            classes=tuple(self.classes), from_zones=self.from_zones, to_zones=self.to_zones, hours=self.hours(),
            across_border=self.across_border, outside_km=self.outside_km,
        )  # fmt: skip


class DevelopmentEntry(Entry):
    """`development`: homes, jobs and shops in a zone, or at a point."""

    zone: str = ""
    at: LonLat | None = None
    homes: float = 0.0
    jobs: float = 0.0
    shops: float = 0.0

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return NewDevelopment(
            zone=self.zone, at=self.at, homes=self.homes, jobs=self.jobs, shops=self.shops, hours=self.hours()
        )


class EventEntry(PlaceEntry):
    """`event`: so many cars come before `start` and leave after `end`; times of travel in minutes."""

    vehicles: int
    arrive_over: float = 90.0
    leave_over: float = 45.0

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return Event(
            where=self.where(), hours=self.hours(), vehicles=self.vehicles, arrive_over_s=60.0 * self.arrive_over,
            leave_over_s=60.0 * self.leave_over,
        )  # fmt: skip


class CapacityEntry(PlaceEntry):
    """`capacity`: so many per cent of the capacity of the links are left."""

    percent: float

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return LimitCapacity(where=self.where(), hours=self.hours(), share=part(self.percent))


class IncidentEntry(PlaceEntry):
    """`incident`: lanes are blocked (0: the shoulder), or so many per cent of the capacity are left."""

    lanes_blocked: int = 1
    percent: Percent | None = None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        share = None if self.percent is None else part(self.percent)
        return Incident(where=self.where(), hours=self.hours(), lanes_blocked=self.lanes_blocked, share=share)


class RoadworksEntry(PlaceEntry):
    """`roadworks`: lanes a direction that are closed (a number, or "all"), and a limit beside the works."""

    lanes_closed: int | Literal["all"] = 1
    kmh: float | None = 30.0

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return Roadworks(where=self.where(), hours=self.hours(), lanes_closed=self.lanes_closed, kmh=self.kmh)


class WeatherEntry(Entry):
    """`weather`: rain or snow as drivers feel it; speed, capacity and trips in per cent of dry days."""

    kind: Literal["light_rain", "heavy_rain", "snow"] = "light_rain"
    speed_percent: float | None = None
    capacity_percent: float | None = None
    demand_percent: float | None = None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        speed, capacity, demand = (
            None if value is None else part(value)
            for value in (self.speed_percent, self.capacity_percent, self.demand_percent)
        )
        return WeatherDay(kind=self.kind, speed=speed, capacity=capacity, demand=demand, hours=self.hours())


#: Key `measure` of an entry, and the entry.
ENTRIES: dict[str, type[Entry]] = {
    "close_street": CloseStreetEntry,
    "pedestrianise": PedestrianiseEntry,
    "new_link": NewLinkEntry,
    "lanes": SetLanesEntry,
    "bus_lane": BusLaneEntry,
    "speed_limit": SpeedLimitEntry,
    "zone_30": Zone30Entry,
    "one_way": OneWayEntry,
    "turn_ban": BanTurnsEntry,
    "fixed_signals": FixSignalsEntry,
    "retime_signals": RetimeSignalsEntry,
    "actuate_signals": ActuateSignalsEntry,
    "toll": TollEntry,
    "distance_charge": DistanceChargeEntry,
    "low_emission_zone": LowEmissionZoneEntry,
    "zero_emission_zone": ZeroEmissionZoneEntry,
    "electrify": ElectrifyEntry,
    "demand": ScaleDemandEntry,
    "mode_shift": ShiftModeEntry,
    "development": DevelopmentEntry,
    "event": EventEntry,
    "capacity": CapacityEntry,
    "incident": IncidentEntry,
    "roadworks": RoadworksEntry,
    "weather": WeatherEntry,
}
