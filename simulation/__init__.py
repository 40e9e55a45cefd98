"""Simulation: the city, its clock and what a plan would change.

Read `city` (the frozen city and `City.run`), `live` (what a process may read and change while the city runs), `run`
(one run from start to end), `agents` (one a zone), then `scenarios` (what a planner changes) and `study` (what it
does, with its uncertainty). The engines stand apart: `demand`, `traffic`, `air`; they know nothing of models.

`from simulation import City, Scenario, run_study` loads each only when it is asked for.
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "City": "simulation.city",
    "make_city": "simulation.city",
    "LiveCity": "simulation.live",
    "RunResult": "simulation.run",
    "Scenario": "simulation.scenarios.scenario",
    "run_study": "simulation.study",
}
__all__ = ["City", "LiveCity", "RunResult", "Scenario", "make_city", "run_study"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'simulation' has no attribute {name!r}")
