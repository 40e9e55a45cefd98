"""What a planner may set of each kind of measure: one table, from which the form is made and read back.

An *offer* names the group of the menu, what the place of the measure is, whether it has hours, and its fields. Keys
are those of a scenario file; where a file's value is a list of things (`ban`, `bands`), `_READ` and `_WRITE` turn it
into plain fields and back. What a form cannot show of a measure from a file stays as it is while it is edited.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from data.errors import InputError

CLASSES = ("car", "van", "heavy", "bus")
DIRECTIONS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")
DAYS = ("weekdays", "weekend", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
EUROS = ("none", "1", "2", "3", "4", "5", "6", "6d")
ROAD_CLASSES = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential", "living_street", "service",
)  # fmt: skip
#: Keys of the place that the form shows, and those that only a file may hold.
PLACE = ("links", "line", "street", "zones", "road_class", "direction")
PLACE_KEPT = ("ways", "area", "any_of", "but_not")
HOURS = ("start", "end", "days", "first_day", "last_day")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing to set. `unit` is a text, `low` and `high` the range that the form allows, both included."""

    key: str
    control: str  # number, choice, many, yes, text, clock, zone, zones, streets
    unit: str = ""
    low: float | None = None
    high: float | None = None
    step: float = 1.0
    default: Any = None
    options: tuple[str, ...] = ()
    label: str = ""  # of a package's own field; the catalogue names ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A kind of measure in the menu. `place`: links, line or none; `hours`: may, must or never."""

    group: str
    place: str = "links"
    hours: str = "may"
    icon: str = "road"
    fields: tuple[Field, ...] = ()
    name: str = ""  # of a package's own measure, and what it does; the catalogue names ours
    about: str = ""


def _number(key: str, default: float | None, low: float, high: float, unit: str = "", step: float = 1.0) -> Field:
    return Field(key=key, control="number", default=default, low=low, high=high, unit=unit, step=step)


def _choice(key: str, options: tuple[str, ...], default: str | None = None) -> Field:
    return Field(key=key, control="choice", options=options, default=default or options[0])


def _yes(key: str, default: bool = False) -> Field:
    return Field(key=key, control="yes", default=default)


_CLASSES = Field(key="classes", control="many", options=CLASSES)
_RESPONSE = (_choice("response", ("replace", "avoid")), _number("avoid_percent", 100, 0, 100, "%"))
_BETWEEN = (Field(key="from_zones", control="zones"), Field(key="to_zones", control="zones"))

#: By the key `measure` of a scenario file, in the order of the menu.
OFFERS: dict[str, Offer] = {
    "close_street": Offer(group="streets", icon="barrier-block", fields=(_CLASSES,)),
    "pedestrianise": Offer(
        group="streets", icon="users",
        fields=(
            _yes("buses"), Field(key="deliveries_start", control="clock"), Field(key="deliveries_end", control="clock"),
        ),
    ),
    "new_link": Offer(
        group="streets", icon="plus", place="line", hours="never",
        fields=(
            Field(key="name", control="text", default="New street"), _choice("road_class", ROAD_CLASSES, "residential"),
            _number("lanes", 1, 1, 6), _number("kmh", 50, 5, 130, "km/h", 5), _yes("two_way", True),
        ),
    ),
    "lanes": Offer(group="streets", fields=(_choice("by", ("change", "lanes")), _number("number", -1, -6, 8))),
    "bus_lane": Offer(group="streets"),
    "one_way": Offer(
        group="streets", icon="arrows-left-right", fields=(_choice("towards", DIRECTIONS), _CLASSES, _yes("give_lanes"))
    ),
    "turn_ban": Offer(
        group="streets", icon="arrow-back-up",
        fields=(
            Field(key="movements", control="many", options=("left", "right", "straight", "u_turn"), default=("left",)),
            Field(key="onto", control="streets"),
        ),
    ),
    "speed_limit": Offer(
        group="speed", icon="gauge", fields=(_number("kmh", 30, 5, 130, "km/h", 5), _yes("may_raise"))
    ),
    "zone_30": Offer(group="speed", icon="gauge", fields=(_number("kmh", 30, 5, 50, "km/h", 5), _yes("main_streets"))),
    "fixed_signals": Offer(
        group="signals", icon="activity",
        fields=(_number("cycle", 90, 20, 240, "s", 5), _number("green_percent", None, 1, 99, "%")),
    ),
    "retime_signals": Offer(
        group="signals", icon="activity",
        fields=(_number("cycle", None, 20, 240, "s", 5), _number("percent_of_peak", 100, 10, 200, "%", 5)),
    ),
    "actuate_signals": Offer(
        group="signals", icon="activity",
        fields=(
            _number("min_green", 8, 1, 60, "s"), _number("max_green", 45, 5, 180, "s"),
            _number("passage", 3, 0.5, 10, "s", 0.5),
        ),
    ),
    "toll": Offer(
        group="charges", icon="gauge", fields=(_number("eur", 2, 0, 100, "EUR", 0.5), _yes("cordon"), _CLASSES)
    ),
    "distance_charge": Offer(
        group="charges", icon="gauge", fields=(_number("eur_per_km", 0.1, 0, 10, "EUR/km", 0.05), _CLASSES)
    ),
    "low_emission_zone": Offer(
        group="clean", icon="leaf",
        fields=(_choice("diesel", EUROS, "5"), _choice("petrol", EUROS, "none"), *_RESPONSE),
    ),
    "zero_emission_zone": Offer(group="clean", icon="leaf", fields=(_CLASSES, *_RESPONSE)),
    "electrify": Offer(
        group="clean", icon="leaf", hours="never",
        fields=(
            _number("car", 50, 0, 100, "%", 5), *(_number(name, None, 0, 100, "%", 5) for name in CLASSES[1:]),
        ),
    ),
    "demand": Offer(
        group="trips", icon="users", place="none",
        fields=(_number("percent", -10, -100, 400, "%"), *_BETWEEN, _CLASSES),
    ),
    "mode_shift": Offer(
        group="trips", icon="users", place="none",
        fields=(
            _choice("to", ("bicycle", "transit", "foot")),
            _number("km_1", 3, 0.1, 200, "km", 0.5), _number("percent_1", 20, 0, 100, "%"),
            _number("km_2", None, 0.1, 200, "km", 0.5), _number("percent_2", None, 0, 100, "%"),
            *_BETWEEN, _CLASSES, _yes("across_border"), _number("outside_km", 6, 0, 200, "km"),
        ),
    ),
    "development": Offer(
        group="trips", icon="building-community", place="none", hours="never",
        fields=(
            Field(key="zone", control="zone"), _number("homes", 500, 0, 100_000, step=50),
            _number("jobs", 0, 0, 100_000, step=50), _number("shops", 0, 0, 1_000),
        ),
    ),
    "event": Offer(
        group="days", icon="bell", hours="must",
        fields=(
            _number("vehicles", 500, 1, 100_000, "veh", 50), _number("arrive_over", 90, 1, 600, "min", 5),
            _number("leave_over", 45, 1, 600, "min", 5),
        ),
    ),
    "incident": Offer(
        group="days", icon="alert-triangle", hours="must",
        fields=(_number("lanes_blocked", 1, 0, 6), _number("percent", None, 0, 100, "%")),
    ),
    "roadworks": Offer(
        group="days", icon="barrier-block",
        fields=(_choice("lanes_closed", ("1", "2", "3", "all")), _number("kmh", 30, 5, 130, "km/h", 5)),
    ),
    "capacity": Offer(group="days", fields=(_number("percent", 80, 1, 100, "%"),)),
    "weather": Offer(
        group="days", icon="activity", place="none",
        fields=(
            _choice("kind", ("light_rain", "heavy_rain", "snow")), _number("speed_percent", None, 1, 100, "%"),
            _number("capacity_percent", None, 1, 100, "%"), _number("demand_percent", None, 0, 200, "%"),
        ),
    ),
}  # fmt: skip
GROUPS = ("streets", "speed", "signals", "charges", "clean", "trips", "days")
BROUGHT = "brought"  # the group of measures that other packages bring, last in the menu
#: Kinds of measures that the form does not offer, with the reason; a test holds both tables against `ENTRIES`.
LEFT_OUT: dict[str, str] = {}
#: Keys of entries that only files hold, with the reason.
FILE_KEYS: dict[str, str] = {
    "ways": "numbers of OpenStreetMap that nobody knows by heart; streets are named or drawn instead",
    "area": "what is drawn on the map becomes its links, so that each can be taken out again",
    "any_of": "places joined by 'or' are drawn on the map instead",
    "but_not": "a link is taken out by clicking it",
    "at": "the zone is chosen by its name",
}


def offers() -> dict[str, Offer]:
    """All kinds that the form offers: ours, then those that other packages bring."""
    from app.plugin_offers import brought_offers

    return OFFERS | brought_offers()


def offer_of(kind: str) -> Offer | None:
    """The offer of a kind; None where the form has none."""
    return OFFERS.get(kind) or offers().get(kind)


def _known(kind: str) -> Offer:
    offer = offer_of(kind)
    if offer is None:
        raise InputError(f"measure '{kind}' is none that the form has; there are: {', '.join(offers())}")
    return offer


def defaults(kind: str) -> dict[str, Any]:
    """What the form shows of a new measure."""
    return {
        one.key: list(one.default) if isinstance(one.default, tuple) else one.default for one in _known(kind).fields
    }


def values_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a measure as a file has it; fields that it leaves out are empty or at the file's own default."""
    kind = str(entry["measure"])
    told = {**entry, **_READ.get(kind, _nothing)(entry)}
    found = {}
    for one in _known(kind).fields:
        value = told.get(
            one.key, one.default if one.control in ("choice", "yes") else _FILE_DEFAULTS.get((kind, one.key))
        )
        if one.control in ("many", "zones", "streets") and isinstance(value, str):
            value = [value]
        found[one.key] = list(value) if isinstance(value, tuple) else value
    return found


def entry_of(
    kind: str, values: Mapping[str, Any], place: Mapping[str, Any], when: Mapping[str, Any],
    before: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The measure as a file has it; what is wrong with it is said by `from_form`.

    Parameters
    ----------
    kind : str
        Key of `OFFERS`.
    values : mapping
        By key of the offer's fields.
    place : mapping
        `links`, `line`, `street`, `zones`, `road_class`, `direction`; what the kind does not take is left out.
    when : mapping
        `start`, `end`, `days`, `first_day`, `last_day`.
    before : mapping, optional
        The measure that is edited: what the form cannot show of it is kept.
    """
    offer = _known(kind)
    given = {key: value for key, value in values.items() if not _empty(value)}
    entry: dict[str, Any] = {"measure": kind}
    same = before is not None and before.get("measure") == kind
    if offer.place == "links":
        entry |= {key: place[key] for key in PLACE if not _empty(place.get(key))}
        if entry.get("links"):
            entry.pop("line", None)
        entry |= {key: before[key] for key in PLACE_KEPT if before is not None and key in before}
    elif offer.place == "line" and not _empty(place.get("line")):
        entry["line"] = place["line"]
    if same and before is not None and _plain(values_of(before)) == _plain(given):
        skip = {"measure", *PLACE_KEPT, *HOURS, *(PLACE if offer.place == "links" else ("line",))}
        entry |= {key: value for key, value in before.items() if key not in skip}
    else:
        own = dict(given)
        for one in offer.fields:
            if one.control == "yes" and own.get(one.key) is False and not one.default:
                own.pop(one.key)
        if offer.group == BROUGHT and same and before is not None:  # keys that no form can show
            shown = {"measure", *PLACE, *PLACE_KEPT, *HOURS, *(one.key for one in offer.fields)}
            own |= {key: value for key, value in before.items() if key not in shown}
        entry |= _WRITE[kind](own) if kind in _WRITE else own
    if offer.hours != "never":
        entry |= {key: when[key] for key in HOURS if not _empty(when.get(key))}
    return entry


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == ()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not _empty(value)}


def _nothing(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _read_bans(entry: Mapping[str, Any]) -> dict[str, Any]:
    found = {"diesel": "none", "petrol": "none"}
    for ban in entry.get("ban", ()):
        euro = ban.get("up_to_euro")
        found[str(ban.get("fuel"))] = "6d" if euro in (7, "6d") else str(euro)
    return found


def _write_bans(own: dict[str, Any]) -> dict[str, Any]:
    bans = [
        {"fuel": fuel, "up_to_euro": euro if euro == "6d" else int(euro)}
        for fuel in ("diesel", "petrol")
        if (euro := str(own.pop(fuel, "none"))) != "none"
    ]
    return {"ban": bans, **_write_response(own)}


def _write_response(own: dict[str, Any]) -> dict[str, Any]:
    if own.get("response", "replace") == "replace":
        own.pop("avoid_percent", None)
    return own


def _read_bands(entry: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, band in enumerate(list(entry.get("bands", ()))[:2], start=1):
        found |= {f"km_{number}": band.get("up_to_km"), f"percent_{number}": band.get("percent")}
    return found


def _write_bands(own: dict[str, Any]) -> dict[str, Any]:
    bands = []
    for number in (1, 2):
        band = {"up_to_km": own.pop(f"km_{number}", None), "percent": own.pop(f"percent_{number}", None)}
        if band["up_to_km"] is not None or band["percent"] is not None:
            bands.append({key: value for key, value in band.items() if value is not None})
    return {"bands": bands, **own}


def _read_lanes(entry: Mapping[str, Any]) -> dict[str, Any]:
    by = "lanes" if entry.get("lanes") is not None else "change"
    return {"by": by, "number": entry.get(by)}


def _write_lanes(own: dict[str, Any]) -> dict[str, Any]:
    return {own.get("by", "change"): own["number"]} if "number" in own else {}


def _read_onto(entry: Mapping[str, Any]) -> dict[str, Any]:
    street = (entry.get("onto") or {}).get("street", [])
    return {"onto": [street] if isinstance(street, str) else list(street)}


def _write_onto(own: dict[str, Any]) -> dict[str, Any]:
    onto = own.pop("onto", None)
    return {**own, **({"onto": {"street": onto}} if onto else {})}


def _read_works(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"lanes_closed": str(entry.get("lanes_closed", 1))}


def _write_works(own: dict[str, Any]) -> dict[str, Any]:
    closed = str(own.get("lanes_closed", "1"))
    return {**own, "lanes_closed": closed if closed == "all" else int(closed), "kmh": own.get("kmh")}


_READ: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "low_emission_zone": _read_bans, "mode_shift": _read_bands, "lanes": _read_lanes, "turn_ban": _read_onto,
    "roadworks": _read_works,
}  # fmt: skip
_WRITE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "low_emission_zone": _write_bans, "zero_emission_zone": _write_response, "mode_shift": _write_bands,
    "lanes": _write_lanes, "turn_ban": _write_onto, "roadworks": _write_works,
}  # fmt: skip
#: What a file means by leaving a number out, where that is not "nothing".
_FILE_DEFAULTS: dict[tuple[str, str], Any] = {
    ("zone_30", "kmh"): 30, ("new_link", "kmh"): 50, ("new_link", "lanes"): 1, ("new_link", "name"): "New street",
    ("retime_signals", "percent_of_peak"): 100, ("event", "arrive_over"): 90, ("event", "leave_over"): 45,
    ("incident", "lanes_blocked"): 1, ("roadworks", "kmh"): 30, ("mode_shift", "outside_km"): 6,
    ("actuate_signals", "min_green"): 8, ("actuate_signals", "max_green"): 45, ("actuate_signals", "passage"): 3,
    ("low_emission_zone", "avoid_percent"): 100, ("zero_emission_zone", "avoid_percent"): 100,
    ("development", "homes"): 0, ("development", "jobs"): 0, ("development", "shops"): 0,
}  # fmt: skip
