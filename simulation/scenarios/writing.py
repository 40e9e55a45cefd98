"""Scenarios back to plain values and YAML text, which `spec` reads as the same scenario."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from data.schemas import VEHICLE_CLASSES
from simulation.air.fleet import Ban
from simulation.scenarios.capacity_measures import Incident, LimitCapacity, WeatherDay
from simulation.scenarios.demand_measures import NewDevelopment, ShiftMode
from simulation.scenarios.entry_kinds import entry_class, kinds
from simulation.scenarios.entry_parts import hours_form, spot_form
from simulation.scenarios.errors import ScenarioError
from simulation.scenarios.event_measure import Event
from simulation.scenarios.fleet_measures import ElectrifyFleet, EmissionZone, LowEmissionZone, ZeroEmissionZone
from simulation.scenarios.hours import clock
from simulation.scenarios.link_measures import BusLane, NewLink
from simulation.scenarios.measures import CloseStreet, Measure, ScaleDemand, SetLanes, SpeedLimit
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.select import Selection
from simulation.scenarios.signal_measures import ActuateSignals, FixSignals, RetimeSignals
from simulation.scenarios.street_measures import OneWay, Pedestrianise, Roadworks, Zone30
from simulation.scenarios.toll_measure import ChargeDistance, ChargeToll
from simulation.scenarios.turn_measure import BanTurns


def to_form(scenario: Scenario) -> dict[str, Any]:
    """Plain JSON-able values that `spec.from_form` reads back as the same scenario."""
    form: dict[str, Any] = {"name": scenario.name}
    form |= {key: text for key in ("label", "description", "city") if (text := getattr(scenario, key))}
    return form | {"measures": [_measure_form(measure) for measure in scenario.measures]}


def to_yaml(scenario: Scenario) -> str:
    """YAML text that `scenario_from_yaml` reads back as the same scenario; times are quoted."""
    return str(yaml.dump(to_form(scenario), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


class _Dumper(yaml.SafeDumper):
    """Quotes texts that look like times."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = '"' if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?|\d{4}-\d{2}-\d{2}", text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _measure_form(measure: Measure) -> dict[str, Any]:
    if type(measure) in WRITERS:
        kind, write = WRITERS[type(measure)]
    elif measure.entry_kind and entry_class(measure.entry_kind) is not None:
        kind, write = measure.entry_kind, type(measure).form
    else:
        raise ScenarioError(
            [
                f"a {type(measure).__name__} of your own cannot be written as YAML; only {list(kinds())}, and measures"
                " whose `entry_kind` a package brings"
            ]
        )
    where = getattr(measure, "where", None)
    place = spot_form(where) if isinstance(where, Selection) else {}
    return {"measure": kind} | place | write(measure) | hours_form(measure.hours)


def _percent(share: float) -> float:
    """Per cent of a share, whole numbers as such."""
    value = round(100.0 * share, 10)
    return int(value) if value == int(value) else value


def _classes(measure: Any) -> dict[str, Any]:
    return {} if measure.classes == VEHICLE_CLASSES else {"classes": list(measure.classes)}


def _given(**values: Any) -> dict[str, Any]:
    """Values that are there: neither None, nor empty, nor False."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items() if v not in (None, (), "", False)}


def _pedestrianise(m: Pedestrianise) -> dict[str, Any]:
    form = _given(buses=m.buses)
    if m.deliveries is not None:
        form |= {"deliveries_start": clock(m.deliveries.start_s), "deliveries_end": clock(m.deliveries.end_s)}
    return form


def _new_link(m: NewLink) -> dict[str, Any]:
    return {"line": [list(point) for point in m.line], "name": m.name, "road_class": m.road_class, "lanes": m.lanes,
            "kmh": m.kmh, "two_way": m.two_way}  # fmt: skip


def _lanes(m: SetLanes) -> dict[str, Any]:
    return {"lanes": m.lanes} if m.lanes is not None else {"change": m.change}


def _turns(m: BanTurns) -> dict[str, Any]:
    return _given(movements=m.movements) | ({} if m.onto is None else {"onto": spot_form(m.onto)})


def _fixed(m: FixSignals) -> dict[str, Any]:
    return _given(cycle=m.cycle_s, green_percent=None if m.green_share is None else _percent(m.green_share))


def _retimed(m: RetimeSignals) -> dict[str, Any]:
    return _given(cycle=m.cycle_s) | ({} if m.percent_of_peak == 100 else {"percent_of_peak": m.percent_of_peak})


def _actuated(m: ActuateSignals) -> dict[str, Any]:
    how = m.settings
    return {"min_green": how.min_green_s, "max_green": how.max_green_s, "passage": how.passage_s}


def _response(m: EmissionZone) -> dict[str, Any]:
    form = {} if m.response == "replace" else {"response": m.response}
    return form | ({} if m.avoid_share == 1 else {"avoid_percent": _percent(m.avoid_share)})


def _ban_form(bans: tuple[Ban, ...]) -> list[dict[str, Any]]:
    form = []
    for ban in bans:
        entry: dict[str, Any] = {"fuel": ban.fuel, "up_to_euro": "6d" if ban.euro_max == 7 else ban.euro_max}
        if ban.vehicle_classes != VEHICLE_CLASSES:
            entry["classes"] = list(ban.vehicle_classes)
        form.append(entry)
    return form


def _demand(m: ScaleDemand) -> dict[str, Any]:
    between = _given(from_zones=m.from_zones, to_zones=m.to_zones)
    return {"percent": round(100.0 * (m.factor - 1.0), 10)} | between | _classes(m)


def _shift(m: ShiftMode) -> dict[str, Any]:
    form: dict[str, Any] = {"to": m.to}
    form["bands"] = [{"up_to_km": band.up_to_km, "percent": _percent(band.share)} for band in m.bands]
    form |= {} if m.classes == ("car",) else {"classes": list(m.classes)}
    form |= _given(from_zones=m.from_zones, to_zones=m.to_zones, across_border=m.across_border)
    return form | ({} if m.outside_km == 6 else {"outside_km": m.outside_km})


def _development(m: NewDevelopment) -> dict[str, Any]:
    return _given(zone=m.zone, at=m.at) | {"homes": m.homes, "jobs": m.jobs, "shops": m.shops}


def _event(m: Event) -> dict[str, Any]:
    return {"vehicles": m.vehicles, "arrive_over": m.arrive_over_s / 60.0, "leave_over": m.leave_over_s / 60.0}


def _incident(m: Incident) -> dict[str, Any]:
    return {"lanes_blocked": m.lanes_blocked} | ({} if m.share is None else {"percent": _percent(m.share)})


def _weather(m: WeatherDay) -> dict[str, Any]:
    given = {f"{name}_percent": getattr(m, name) for name in ("speed", "capacity", "demand")}
    return {"kind": m.kind} | {key: _percent(share) for key, share in given.items() if share is not None}


#: Key `measure`, and what makes the keys of its own, beside the place and the hours.
WRITERS: dict[type[Measure], tuple[str, Callable[[Any], dict[str, Any]]]] = {
    CloseStreet: ("close_street", _classes),
    Pedestrianise: ("pedestrianise", _pedestrianise),
    NewLink: ("new_link", _new_link),
    SetLanes: ("lanes", _lanes),
    BusLane: ("bus_lane", lambda m: {}),
    SpeedLimit: ("speed_limit", lambda m: {"kmh": m.kmh} | _given(may_raise=m.may_raise)),
    Zone30: ("zone_30", lambda m: {"kmh": m.kmh} | _given(main_streets=m.main_streets)),
    OneWay: ("one_way", lambda m: {"towards": m.towards} | _classes(m) | _given(give_lanes=m.give_lanes)),
    BanTurns: ("turn_ban", _turns),
    FixSignals: ("fixed_signals", _fixed),
    RetimeSignals: ("retime_signals", _retimed),
    ActuateSignals: ("actuate_signals", _actuated),
    ChargeToll: ("toll", lambda m: {"eur": m.eur} | _classes(m) | _given(cordon=m.cordon)),
    ChargeDistance: ("distance_charge", lambda m: {"eur_per_km": m.eur_per_km} | _classes(m)),
    LowEmissionZone: ("low_emission_zone", lambda m: {"ban": _ban_form(m.bans)} | _response(m)),
    ZeroEmissionZone: ("zero_emission_zone", lambda m: _classes(m) | _response(m)),
    ElectrifyFleet: ("electrify", lambda m: {name: _percent(share) for name, share in m.shares}),
    ScaleDemand: ("demand", _demand),
    ShiftMode: ("mode_shift", _shift),
    NewDevelopment: ("development", _development),
    Event: ("event", _event),
    LimitCapacity: ("capacity", lambda m: {"percent": _percent(m.share)}),
    Incident: ("incident", _incident),
    Roadworks: ("roadworks", lambda m: {"lanes_closed": m.lanes_closed, "kmh": m.kmh}),
    WeatherDay: ("weather", _weather),
}
