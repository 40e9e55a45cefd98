"""Scenarios back to plain values and YAML text, which `spec` reads as the same scenario."""

from __future__ import annotations

import re
from typing import Any

import yaml

from data.schemas import VEHICLE_CLASSES
from simulation.air.fleet import Ban
from simulation.scenarios.entries import ENTRIES
from simulation.scenarios.errors import ScenarioError
from simulation.scenarios.hours import clock
from simulation.scenarios.measures import CloseStreet, LowEmissionZone, Measure, ScaleDemand, SetLanes, SpeedLimit
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.select import Selection
from simulation.scenarios.signal_measures import ActuateSignals, RetimeSignals
from simulation.scenarios.toll_measure import ChargeToll


def to_form(scenario: Scenario) -> dict[str, Any]:
    """Plain JSON-able values that `spec.from_form` reads back as the same scenario."""
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
    elif isinstance(measure, ActuateSignals):
        how = measure.settings
        times = {"min_green": how.min_green_s, "max_green": how.max_green_s, "passage": how.passage_s}
        form = {"measure": "actuate_signals"} | _place_form(measure.where) | times
    elif isinstance(measure, RetimeSignals):
        form = {"measure": "retime_signals"} | _place_form(measure.where)
        form |= {} if measure.cycle_s is None else {"cycle": measure.cycle_s}
        form |= {} if measure.percent_of_peak == 100 else {"percent_of_peak": measure.percent_of_peak}
    elif isinstance(measure, ChargeToll):
        form = {"measure": "toll"} | _place_form(measure.where) | {"eur": measure.eur}
        if measure.classes != VEHICLE_CLASSES:
            form["classes"] = list(measure.classes)
        form |= {"cordon": True} if measure.cordon else {}
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
