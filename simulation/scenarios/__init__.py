"""Scenarios: what a planner wants to try, and how it changes a city.

Read `measures` (what a measure is; close a street, lanes, speed limit, demand), then the others by what they change:
`street_measures` (made of simpler ones), `link_measures` (new streets, bus lanes), `turn_measure`, `signal_measures`,
`toll_measure`, `fleet_measures`, `demand_measures`, `event_measure`, `capacity_measures`. `select` says which links a
measure is about, `hours` when it holds, `timetable` switches measures with hours in a living city, `scenario` puts
measures under one name, `review` says what they may do before they run. Then `entries` and `spec` (YAML files and
forms, checked line by line), `writing` (back again) and `shipped` (the examples). A permanent measure returns a changed
City, one with hours becomes a SimPy process; the engines know neither.
"""

from simulation.scenarios.capacity_measures import Incident, LimitCapacity, WeatherDay
from simulation.scenarios.demand_measures import Band, NewDevelopment, ShiftMode
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.event_measure import Event
from simulation.scenarios.fleet_measures import ElectrifyFleet, LowEmissionZone, ZeroEmissionZone
from simulation.scenarios.hours import Hours
from simulation.scenarios.link_measures import BusLane, NewLink
from simulation.scenarios.measures import CloseStreet, Measure, ScaleDemand, SetLanes, SpeedLimit
from simulation.scenarios.review import Review
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.select import Selection
from simulation.scenarios.shipped import load_shipped, shipped_names
from simulation.scenarios.signal_measures import ActuateSignals, FixSignals, RetimeSignals
from simulation.scenarios.spec import from_form, read_scenario, scenario_from_yaml
from simulation.scenarios.street_measures import OneWay, Pedestrianise, Roadworks, Zone30
from simulation.scenarios.toll_measure import ChargeDistance, ChargeToll
from simulation.scenarios.turn_measure import BanTurns
from simulation.scenarios.writing import to_form, to_yaml

__all__ = [
    "ActuateSignals",
    "BanTurns",
    "Band",
    "BusLane",
    "ChargeDistance",
    "ChargeToll",
    "CloseStreet",
    "ElectrifyFleet",
    "Event",
    "Fault",
    "FixSignals",
    "Hours",
    "Incident",
    "LimitCapacity",
    "LowEmissionZone",
    "Measure",
    "NewDevelopment",
    "NewLink",
    "OneWay",
    "Pedestrianise",
    "RetimeSignals",
    "Review",
    "Roadworks",
    "ScaleDemand",
    "Scenario",
    "ScenarioError",
    "Selection",
    "SetLanes",
    "ShiftMode",
    "SpeedLimit",
    "WeatherDay",
    "ZeroEmissionZone",
    "Zone30",
    "from_form",
    "load_shipped",
    "read_scenario",
    "scenario_from_yaml",
    "shipped_names",
    "to_form",
    "to_yaml",
]
