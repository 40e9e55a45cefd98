"""A scenario: measures under one name, applied in their order."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.live_protocol import Live, Process
from simulation.scenarios.measures import Measure
from simulation.scenarios.timetable import timetable

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.scenarios.review import Review


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is tried. `name` is a short id (file and run names), `label` and `description` are for people.

    `city` names the city that it was written for, e.g. `helsinki` or `synthetic`; empty: any. It is not checked.
    """

    name: str
    measures: tuple[Measure, ...] = ()
    label: str = ""
    description: str = ""
    city: str = ""

    @property
    def title(self) -> str:
        """The label or, without one, the name."""
        return self.label or self.name

    def apply(self, city: City) -> City:
        """The city with all permanent measures; the city itself if there are none.

        Raises
        ------
        ScenarioError
            With every measure that does not fit the city.
        """
        faults = self.check(city)
        if faults:
            raise ScenarioError(faults, source=f"scenario {self.name!r} in {city.label}")
        for measure in self.measures:
            city = measure.apply(city)
        return city

    def check(self, city: City) -> list[Fault]:
        """What does not fit the city, with the measure it is in; empty if all does."""
        faults = []
        for number, measure in enumerate(self.measures):
            for fault in measure.check(city):
                where = f"measures[{number}]" + (f".{fault.where}" if fault.where else "")
                faults.append(replace(fault, where=where))
        return faults

    def review(self, city: City) -> Review:
        """Faults, warnings and the trips that lose their way; `check` tells the faults alone."""
        from simulation.scenarios.review import review  # which reads measures

        return review(self, city)

    @property
    def timed(self) -> tuple[Measure, ...]:
        """Measures that are, or hold, a process: those with hours."""
        return tuple(measure for measure in self.measures if measure.timed)

    def process(self, live: Live) -> Generator[Any, Any, None]:
        """One SimPy process for all measures with hours; it ends at once if there are none."""
        return timetable(self.timed, live)

    def processes(self) -> tuple[Process, ...]:
        """For `City.run(processes=...)`: empty if no measure has hours."""
        return (self.process,) if self.timed else ()

    def in_words(self) -> list[str]:
        """One line a measure."""
        return [measure.in_words() for measure in self.measures]
