"""The window of time that a preview speaks of, and in which part of it each measure holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from simulation.demand.spec import DemandSpec
from simulation.preview.errors import PreviewError
from simulation.scenarios.measures import Measure
from simulation.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Local begin and length of every run of an ensemble. The default is a Tuesday's morning peak."""

    start: str = "2026-01-27 06:30"
    hours: float = 3.0

    def __post_init__(self) -> None:
        faults = []
        try:
            moment = pd.Timestamp(self.start)
            if moment.tzinfo is not None or (moment.minute * 60 + moment.second) % 900:
                faults.append(f"start {self.start!r} must be local time without a zone, on a quarter of an hour")
        except ValueError:
            faults.append(f"start {self.start!r} is no date and time, e.g. '2026-01-27 06:30'")
        if not 0.25 <= self.hours <= 24 * 28 or (self.hours * 4) % 1:
            faults.append(f"hours {self.hours!r}; allowed: quarters of an hour, from 0.25 to 672")
        if faults:
            raise PreviewError("the window cannot be used: " + "; ".join(faults))

    @property
    def days(self) -> float:
        """Length, days."""
        return self.hours / 24.0

    def quarters(self) -> np.ndarray:
        """Begin of each quarter of an hour, seconds since local midnight. Shape (n,)."""
        begin = pd.Timestamp(self.start)
        first = begin.hour * 3600 + begin.minute * 60 + begin.second
        return np.asarray((first + 900.0 * np.arange(round(self.hours * 4))) % 86_400.0)

    def demand(self, spec: DemandSpec) -> np.ndarray:
        """Vehicles by pair that depart in each quarter of an hour of a weekday. Shape (n, P, P)."""
        hours = (self.quarters() // 3600).astype(int)
        by_hour = {hour: spec.od_veh * spec.hour_share(hour) / 4.0 for hour in np.unique(hours)}
        return np.stack([by_hour[hour] for hour in hours])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A part of the window with the same measures in force: `share` is of the window's trips."""

    share: float
    scenario: Scenario  # without hours


def slots(scenario: Scenario, window: Window, weight: np.ndarray) -> list[Slot]:
    """The window, cut by the hours of the measures.

    Parameters
    ----------
    scenario : Scenario
    window : Window
    weight : ndarray, shape (n,)
        Trips that depart in each of its quarters.
    """
    quarters = window.quarters()
    active = np.stack([_holds(measure, quarters) for measure in scenario.measures] or [np.ones(quarters.size, bool)])
    patterns, which = np.unique(active, axis=1, return_inverse=True)
    share = np.bincount(which.ravel(), weights=weight, minlength=patterns.shape[1]) / max(float(weight.sum()), 1e-12)
    found = []
    for column, part in enumerate(share):
        held = [
            replace(measure, hours=None)
            for measure, on in zip(scenario.measures, patterns[:, column], strict=False)
            if on
        ]
        if held and part > 0:
            found.append(Slot(share=float(part), scenario=replace(scenario, measures=tuple(held))))
    return found


def _holds(measure: Measure, quarters: np.ndarray) -> np.ndarray:
    hours = measure.hours
    if hours is None:
        return np.ones(quarters.size, dtype=bool)
    return np.array([hours.hold_at(float(second)) for second in quarters])
