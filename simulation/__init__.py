"""Simulation: the city, its clock and what a plan would change.

Read `city` (the frozen city and `City.run`), `live` (what a process may read and change while the city runs), `run`
(one run from start to end), `signal_control` (signals that a process controls), `agents` (one a zone), then
`scenarios` (what a planner changes) and `study` (what it does, with its uncertainty). The engines stand apart:
`demand`, `traffic`, `air`; they know nothing of models.

`from simulation import City, Scenario, run_study` loads each only when it is asked for.
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "actuated": "simulation.signal_control",
    "control": "simulation.signal_control",
    "max_pressure": "simulation.signal_control",
    "City": "simulation.city",
    "make_city": "simulation.city",
    "LiveCity": "simulation.live",
    "RunResult": "simulation.run",
    "Scenario": "simulation.scenarios.scenario",
    "compare_plans": "simulation.plans",
    "run_study": "simulation.study",
    "sweep": "simulation.sweeps",
}
__all__ = [
    "City",
    "LiveCity",
    "RunResult",
    "Scenario",
    "actuated",
    "compare_plans",
    "control",
    "make_city",
    "max_pressure",
    "run_study",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'simulation' has no attribute {name!r}")
