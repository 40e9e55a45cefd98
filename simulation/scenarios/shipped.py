"""The scenarios that come with Zonewise, for central Helsinki and synthetic cities: read, change and copy them."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from simulation.scenarios.errors import ScenarioError, did_you_mean
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.spec import scenario_from_yaml

if TYPE_CHECKING:
    from simulation.city import City


def shipped_names(city: str = "") -> tuple[str, ...]:
    """Names of the shipped scenarios, in alphabetical order; with `city`, of those that were written for it.

    Parameters
    ----------
    city : str
        `helsinki` or `synthetic`; synthetic cities of any size and seed have one name here.
    """
    folder = files("data").joinpath("scenarios")
    names = sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    return tuple(name for name in names if not city or load_shipped(name).city in ("", city))


def load_shipped(name: str, *, city: City | None = None) -> Scenario:
    """A shipped scenario by name; with a `city`, its names are checked against it.

    Raises
    ------
    ScenarioError
        If there is none of that name, or it does not fit the city.
    """
    if name not in shipped_names():
        raise ScenarioError([f"no shipped scenario {name!r}; {did_you_mean(name, shipped_names())}"])
    text = files("data").joinpath("scenarios", f"{name}.yaml").read_text(encoding="utf-8")
    return scenario_from_yaml(text, city=city, source=f"{name}.yaml")
