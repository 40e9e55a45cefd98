"""What there is to say of a scenario in a city before it runs: faults, warnings, and the trips that lose their way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd

from simulation.scenarios.capacity_measures import Incident
from simulation.scenarios.errors import Fault
from simulation.scenarios.lost_ways import COLUMNS, lost_trips
from simulation.scenarios.measures import CloseStreet, Measure
from simulation.scenarios.select import Selection
from simulation.scenarios.turn_measure import BanTurns

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.scenarios.scenario import Scenario


@dataclass(frozen=True, eq=False, kw_only=True)
class Review:
    """Faults forbid a run, warnings do not.

    Attributes
    ----------
    faults : tuple of Fault
        As `Scenario.check` finds them.
    warnings : tuple of Fault
        Measures that change nothing somewhere, and a city that falls apart; each with the measure it is in.
    lost : DataFrame
        `simulation.scenarios.lost_ways.lost_trips`, with all closures and turn bans in force at once, whatever their
        hours.
    """

    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    lost: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))

    @property
    def lost_veh(self) -> float:
        """Vehicles of a weekday that lose their way."""
        return float(self.lost["trips_veh"].sum())

    def __str__(self) -> str:
        lines = [f"fault: {one}" for one in self.faults] + [f"warning: {one}" for one in self.warnings]
        return "\n".join(lines) or "nothing to remark"


def review(scenario: Scenario, city: City) -> Review:
    """Look at a scenario in a city.

    Parameters
    ----------
    scenario : Scenario
    city : City
        The base.
    """
    faults = scenario.check(city)
    if faults:
        return Review(faults=tuple(faults))
    warnings = [
        Fault(text, where=f"measures[{number}]")
        for number, measure in enumerate(scenario.measures)
        for text in measure.remarks(city)
    ]
    shut = city
    for measure in scenario.measures:
        for part in measure.parts(city):
            for rule in _rules(part, city):
                shut = rule.apply(shut)
    lost = lost_trips(city, shut) if shut is not city else pd.DataFrame(columns=list(COLUMNS))
    if len(lost):
        warnings.append(Fault(_in_words(lost)))
    return Review(warnings=tuple(warnings), lost=lost)


def _rules(measure: Measure, city: City) -> list[Measure]:
    """What a measure forbids, for good."""
    if isinstance(measure, CloseStreet | BanTurns):
        return [replace(measure, hours=None)]
    if isinstance(measure, Incident):
        links = measure.links(city)[measure.left(city) == 0]
        return [CloseStreet(where=Selection(links=tuple(links.tolist())))] if links.size else []
    return []


def _in_words(lost: pd.DataFrame) -> str:
    pairs = lost.groupby(["origin_zone_id", "dest_zone_id"], sort=False)["trips_veh"].sum()
    pairs = pairs.sort_values(ascending=False, kind="stable")
    most = ", ".join(f"{o} to {d} ({_counted(veh)})" for (o, d), veh in pairs.head(3).items())
    trips = _counted(lost["trips_veh"].sum())
    return (
        f"{trips} vehicle trips of a weekday between {len(pairs)} pairs of places lose their way, most from {most};"
        " they are not dropped: who has no open way drives through, as residents and rescuers may"
    )


def _counted(vehicles: float) -> str:
    """Tenths only of few: demand is a mean of days."""
    return f"{vehicles:,.0f}" if vehicles >= 10 else f"{vehicles:,.1f}"
