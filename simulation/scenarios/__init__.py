"""Scenarios: what a planner wants to try, and how it changes a city.

Read `measures` (close a street, lanes, speed limit, demand, low-emission zone), `signal_measures` (other plans,
actuation), `toll_measure` (charges), `select` (which links a measure is about), `timetable` (measures with hours in a
living city), `scenario` (measures under one name), then `entries` and `spec` (YAML files and forms, checked line by
line), `writing` (back again) and `shipped` (the examples). A permanent measure returns a changed City, one with hours
becomes a SimPy process; the engines know neither.
"""

from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.hours import Hours
from simulation.scenarios.measures import CloseStreet, LowEmissionZone, Measure, ScaleDemand, SetLanes, SpeedLimit
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.select import Selection
from simulation.scenarios.shipped import load_shipped, shipped_names
from simulation.scenarios.signal_measures import ActuateSignals, RetimeSignals
from simulation.scenarios.spec import from_form, read_scenario, scenario_from_yaml
from simulation.scenarios.toll_measure import ChargeToll
from simulation.scenarios.writing import to_form, to_yaml

__all__ = [
    "ActuateSignals",
    "ChargeToll",
    "CloseStreet",
    "Fault",
    "Hours",
    "LowEmissionZone",
    "Measure",
    "RetimeSignals",
    "ScaleDemand",
    "Scenario",
    "ScenarioError",
    "Selection",
    "SetLanes",
    "SpeedLimit",
    "from_form",
    "load_shipped",
    "read_scenario",
    "scenario_from_yaml",
    "shipped_names",
    "to_form",
    "to_yaml",
]
