"""What entries are made of: clock times, dates, lists, drawn shapes, and the keys that every measure may have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.hours import Hours, clock, seconds_of, weekdays_of
from simulation.scenarios.measures import Measure
from simulation.scenarios.select import Selection


def listed(value: Any) -> Any:
    """One value may stand for a list of one."""
    return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value


def _clock_text(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        hint = f'write "{clock(value * 60)}"' if 0 <= value < 1440 else 'write a time as "HH:MM"'
        raise ValueError(f"found the number {value:g} (YAML reads a time without quotes as minutes); {hint}")
    if not isinstance(value, str):
        raise ValueError(f'found {value!r}; write a time as "HH:MM"')
    seconds_of(value)
    return value


def _date_text(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str):
        raise ValueError(f'found {value!r}; write a date as "YYYY-MM-DD"')
    try:
        return date.fromisoformat(value.strip()).isoformat()
    except ValueError:
        raise ValueError(f'{value!r} is not a date; write "YYYY-MM-DD", e.g. "2026-06-01"') from None


def _euro(value: Any) -> Any:
    return 7 if isinstance(value, str) and value.strip().casefold() == "6d" else value


def _direction(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


def _ring(value: Any) -> Any:
    """Corners of a list of points or of a GeoJSON polygon."""
    shape = _geometry(value, "Polygon")
    if shape is None:
        return value
    if len(shape) != 1:
        raise ValueError(f"a polygon of one ring is needed, without holes; found {len(shape)} rings")
    return shape[0][:-1] if len(shape[0]) > 1 and shape[0][0] == shape[0][-1] else shape[0]


def _path(value: Any) -> Any:
    """Points of a list or of a GeoJSON line."""
    shape = _geometry(value, "LineString")
    return value if shape is None else shape


def _geometry(value: Any, kind: str) -> Any:
    """Coordinates of a GeoJSON geometry or feature; None where the value is a plain list."""
    if not isinstance(value, Mapping):
        return None
    if value.get("type") == "Feature":
        value = value.get("geometry") or {}
    if value.get("type") != kind or not isinstance(value.get("coordinates"), list | tuple):
        raise ValueError(f"a list of points or a GeoJSON {kind} is needed; found the type {value.get('type')!r}")
    return value["coordinates"]


ClockText = Annotated[str, BeforeValidator(_clock_text)]
DateText = Annotated[str, BeforeValidator(_date_text)]
Words = Annotated[tuple[str, ...], BeforeValidator(listed)]
Numbers = Annotated[tuple[int, ...], BeforeValidator(listed)]
ClassName = Literal["car", "van", "heavy", "bus"]
Classes = Annotated[tuple[ClassName, ...], BeforeValidator(listed)]
Direction = Annotated[str, BeforeValidator(_direction)]
EuroStandard = Annotated[int, BeforeValidator(_euro), Field(ge=1, le=7)]
LonLat = tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-90, le=90)]]
Ring = Annotated[tuple[LonLat, ...], BeforeValidator(_ring)]
Path = Annotated[tuple[LonLat, ...], BeforeValidator(_path)]
Percent = Annotated[float, Field(ge=0, le=100)]


def part(percent: float) -> float:
    """A share of a percentage, free of the dust of division."""
    return round(percent / 100.0, 12)


class Spot(BaseModel):
    """Words for links. Values of one key add up, keys narrow each other."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    links: Numbers = ()
    ways: Numbers = ()
    street: Words = ()
    zones: Words = ()
    road_class: Words = ()
    area: Ring = Field(default=(), description="corners of a polygon, [longitude, latitude], or GeoJSON")
    line: Path = Field(default=(), description="points of a line, [longitude, latitude], or GeoJSON")
    direction: Direction = Field(default="", description="north, south-west, ..., degrees, or along (a drawn line)")
    any_of: Annotated[tuple[Spot, ...], BeforeValidator(_one_or_more)] = ()
    but_not: Spot | None = None

    def where(self, at: str = "") -> Selection:
        """The place, with too few points as a fault."""
        for key, points, least in (("area", self.area, 3), ("line", self.line, 2)):
            if 0 < len(points) < least:
                raise ScenarioError(
                    [Fault(f"{key} needs at least {least} points; found {len(points)}", where=at + key)]
                )
        return Selection(
            links=self.links, ways=self.ways, street=self.street, zones=self.zones, road_class=self.road_class,
            area=self.area, line=self.line, direction=self.direction,
            any_of=tuple(one.where(f"{at}any_of.") for one in self.any_of),
            but_not=None if self.but_not is None else self.but_not.where(f"{at}but_not."),
        )  # fmt: skip


class Entry(BaseModel):
    """What every measure may have: hours, by the clock of the city, weekdays and dates."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    measure: str
    start: ClockText | None = None
    end: ClockText | None = None
    days: Words = Field(default=(), description="mon to sun, weekdays, weekend; of the day on which the hours begin")
    first_day: DateText = ""
    last_day: DateText = ""

    def hours(self) -> Hours | None:
        """None where the measure holds for good; days or dates without hours mean whole days."""
        if self.start is None and self.end is None:
            if not (self.days or self.first_day or self.last_day):
                return None
            return Hours(0.0, 86_400.0, self._days(), self.first_day, self.last_day)
        if self.start is None or self.end is None:
            missing, given = ("start", "end") if self.start is None else ("end", "start")
            raise ScenarioError([Fault(f"{missing!r} is missing; give both, or neither for all day", where=given)])
        begins = seconds_of(self.start)
        return Hours(
            0.0 if begins == 86_400 else begins, seconds_of(self.end) or 86_400.0, self._days(), self.first_day,
            self.last_day,
        )  # fmt: skip

    def _days(self) -> tuple[str, ...]:
        try:
            return weekdays_of(self.days)
        except ScenarioError as error:
            raise ScenarioError([Fault(fault.text, where="days") for fault in error.faults]) from None

    def to_measure(self) -> Measure:
        """The frozen measure."""
        raise NotImplementedError


class PlaceEntry(Entry, Spot):
    """A measure on links."""


def spot_form(where: Selection) -> dict[str, Any]:
    """Plain values that `Spot` reads as the same selection."""
    form: dict[str, Any] = {}
    for key in ("street", "road_class", "zones", "links", "ways", "area", "line"):
        values = list(getattr(where, key))
        if values:
            form[key] = [list(point) for point in values] if key in ("area", "line") else values
    form |= {"direction": where.direction} if where.direction else {}
    form |= {"any_of": [spot_form(one) for one in where.any_of]} if where.any_of else {}
    return form | ({} if where.but_not is None else {"but_not": spot_form(where.but_not)})


def hours_form(hours: Hours | None) -> dict[str, Any]:
    """Plain values that `Entry` reads as the same hours."""
    if hours is None:
        return {}
    whole = hours.start_s == 0 and hours.end_s == 86_400 and hours.on_some_days
    form: dict[str, Any] = {} if whole else {"start": clock(hours.start_s), "end": clock(hours.end_s)}
    form |= {"days": list(hours.days)} if hours.days else {}
    return form | {key: text for key, text in (("first_day", hours.first), ("last_day", hours.last)) if text}
