"""Scenarios as people write them: YAML files and forms, met by one pydantic entry a measure, then frozen.

    name: summer_esplanadi
    label: Pohjoisesplanadi without cars in the day
    measures:
      - measure: close_street
        street: Pohjoisesplanadi
        classes: [car, van]
        start: "10:00"
        end: "20:00"

Every fault is reported at once, with its line. An end before the start runs over midnight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from data.schemas import VEHICLE_CLASSES
from simulation.air.fleet import Ban
from simulation.scenarios.errors import Fault, ScenarioError, did_you_mean
from simulation.scenarios.hours import Hours, clock, seconds_of
from simulation.scenarios.measures import CloseStreet, LowEmissionZone, Measure, ScaleDemand, SetLanes, SpeedLimit
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.select import Selection
from simulation.scenarios.yaml_lines import Document, read_document

if TYPE_CHECKING:
    from simulation.city import City

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TOP_KEYS = ("name", "label", "description", "measures")


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


#: Key `measure` of an entry, and the entry. Add a measure here and it is known to files, forms and `to_yaml`.
ENTRIES: dict[str, type[Entry]] = {
    "close_street": CloseStreetEntry,
    "lanes": SetLanesEntry,
    "speed_limit": SpeedLimitEntry,
    "demand": ScaleDemandEntry,
    "low_emission_zone": LowEmissionZoneEntry,
}


def read_scenario(path: str | Path, city: City | None = None) -> Scenario:
    """A scenario from a YAML file.

    Parameters
    ----------
    path : str or Path
    city : City, optional
        With it, names of streets, zones and classes are checked too.

    Raises
    ------
    ScenarioError
        With every fault and its line.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError([f"cannot be read: {error}"], source=str(file)) from error
    return scenario_from_yaml(text, city=city, source=str(file))


def scenario_from_yaml(text: str, *, city: City | None = None, source: str = "") -> Scenario:
    """A scenario from YAML text; as `read_scenario`, whose errors name `source`."""
    document = read_document(text)
    return _build(document, city, source)


def from_form(form: Mapping[str, Any], *, city: City | None = None, source: str = "") -> Scenario:
    """A scenario from plain values (a form, JSON): the same keys and checks as in a file, without lines.

    Raises
    ------
    ScenarioError
        With every fault and the entry it is in, e.g. `measures[0].street`.
    """
    return _build(Document(value=dict(form)), city, source)


def to_form(scenario: Scenario) -> dict[str, Any]:
    """Plain JSON-able values that `from_form` reads back as the same scenario."""
    form: dict[str, Any] = {"name": scenario.name}
    form |= {key: text for key in ("label", "description") if (text := getattr(scenario, key))}
    return form | {"measures": [_measure_form(measure) for measure in scenario.measures]}


def to_yaml(scenario: Scenario) -> str:
    """YAML text that `scenario_from_yaml` reads back as the same scenario; times are quoted."""
    return str(yaml.dump(to_form(scenario), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Quotes texts that look like times."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _measure_form(measure: Measure) -> dict[str, Any]:
    form: dict[str, Any] = {}
    if isinstance(measure, ScaleDemand):
        form = {"measure": "demand", "percent": round(100.0 * (measure.factor - 1.0), 10)}
        form |= {key: list(names) for key in ("from_zones", "to_zones") if (names := getattr(measure, key))}
    elif isinstance(measure, CloseStreet):
        form = {"measure": "close_street"} | _place_form(measure.where)
        if measure.classes != VEHICLE_CLASSES:
            form["classes"] = list(measure.classes)
    elif isinstance(measure, SetLanes):
        amount = {"lanes": measure.lanes} if measure.lanes is not None else {"change": measure.change}
        form = {"measure": "lanes"} | _place_form(measure.where) | amount
    elif isinstance(measure, SpeedLimit):
        form = {"measure": "speed_limit"} | _place_form(measure.where) | {"kmh": measure.kmh}
    elif isinstance(measure, LowEmissionZone):
        form = {"measure": "low_emission_zone"} | _place_form(measure.where) | {"ban": _ban_form(measure.bans)}
    else:
        raise ScenarioError([f"a {type(measure).__name__} of your own cannot be written as YAML; only {list(ENTRIES)}"])
    if measure.hours is not None:
        form |= {"start": clock(measure.hours.start_s), "end": clock(measure.hours.end_s)}
    return form


def _place_form(where: Selection) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for key in ("street", "road_class", "zones", "links", "ways", "area", "line"):
        values = list(getattr(where, key))
        if values:
            form[key] = [list(point) for point in values] if key in ("area", "line") else values
    return form


def _ban_form(bans: tuple[Ban, ...]) -> list[dict[str, Any]]:
    form = []
    for ban in bans:
        entry: dict[str, Any] = {"fuel": ban.fuel, "up_to_euro": "6d" if ban.euro_max == 7 else ban.euro_max}
        if ban.vehicle_classes != VEHICLE_CLASSES:
            entry["classes"] = list(ban.vehicle_classes)
        form.append(entry)
    return form


class _Faults:
    """Gathers faults, each with its line where the document knows it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.all: list[Fault] = list(document.faults)

    def add(self, path: tuple[str | int, ...], text: str) -> None:
        line = self.document.line(path)
        if any(fault.line == line and "no quotes" in fault.text for fault in self.all if line is not None):
            return  # the time without quotes has said it
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        self.all.append(Fault(text, where=where, line=line))

    def in_order(self) -> list[Fault]:
        """By line."""
        return sorted(self.all, key=lambda fault: fault.line or 0)


def _build(document: Document, city: City | None, source: str) -> Scenario:
    faults = _Faults(document)
    value = document.value
    if not isinstance(value, dict):
        if not document.faults:
            faults.add((), f"a scenario is a mapping with the keys {list(_TOP_KEYS)}; found {_kind(value)}")
        raise ScenarioError(faults.all, source=source)
    for key in value:
        if key not in _TOP_KEYS:
            faults.add((key,), f"unknown key {key!r}; {did_you_mean(str(key), _TOP_KEYS)}")
    texts = {key: _top_text(value, key, faults) for key in ("name", "label", "description")}
    measures = _measures(value.get("measures"), faults)
    if not faults.all and city is not None:
        for number, measure in enumerate(measures):
            for fault in measure.check(city):
                faults.add(("measures", number, *([fault.where] if fault.where else [])), fault.text)
    if faults.all:
        raise ScenarioError(faults.in_order(), source=source)
    return Scenario(measures=tuple(measures), **texts)


def _top_text(value: dict[str, Any], key: str, faults: _Faults) -> str:
    text = value.get(key, "")
    if key == "name":
        if "name" not in value:
            faults.add((), "key 'name' is missing: a short id such as 'summer_esplanadi'")
        elif not isinstance(text, str) or not _NAME.fullmatch(text):
            faults.add(("name",), f"name {text!r}; allowed: up to 64 of a-z, 0-9, _ and -, e.g. 'summer_esplanadi'")
    elif not isinstance(text, str):
        faults.add((key,), f"{key} must be text; found {_kind(text)}")
    return text.strip() if isinstance(text, str) else ""


def _measures(value: Any, faults: _Faults) -> list[Measure]:
    """Frozen measures of the list of entries; an empty or missing list is the city as it is."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        faults.add(
            ("measures",), f"measures must be a list (lines that begin with '- measure: ...'); found {_kind(value)}"
        )
        return []
    measures = []
    for number, item in enumerate(value):
        path: tuple[str | int, ...] = ("measures", number)
        if not isinstance(item, Mapping):
            faults.add(path, f"a measure is a mapping that begins with 'measure: ...'; found {_kind(item)}")
            continue
        kind = item.get("measure")
        if kind not in ENTRIES:
            text = "key 'measure' is missing" if kind is None else f"unknown measure {kind!r}"
            where = path if kind is None else (*path, "measure")
            faults.add(where, f"{text}; {did_you_mean(str(kind or ''), ENTRIES)}")
            continue
        try:
            measures.append(ENTRIES[kind].model_validate(dict(item)).to_measure())
        except ValidationError as error:
            for fault in error.errors():
                faults.add((*path, *fault["loc"]), _plain(fault, ENTRIES[kind]))
        except ScenarioError as error:
            for problem in error.faults:
                faults.add((*path, *([problem.where] if problem.where else [])), problem.text)
    return measures


def _plain(error: Any, entry: type[BaseModel]) -> str:
    """One line for people from one of pydantic's errors."""
    key = str(error["loc"][-1]) if error["loc"] else ""
    found = error.get("input")
    if error["type"] == "extra_forbidden":
        owner = BanEntry if "ban" in error["loc"][:-1] else entry
        return f"unknown key {key!r}; {did_you_mean(key, owner.model_fields, show=16)}"
    if error["type"] == "missing":
        return f"key {key!r} is missing"
    if error["type"] == "literal_error":
        names = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        return f"unknown value {found!r}; {did_you_mean(str(found), names)}"
    if error["type"] == "value_error":
        return f"{key}: {error['ctx']['error']}"
    return f"{key}: {error['msg'][:1].lower()}{error['msg'][1:]}; found {found!r}"


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"the text {value!r}" if isinstance(value, str) else repr(value)
