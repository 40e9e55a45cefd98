"""Measures on traffic signals: other fixed plans, and greens that follow the vehicles."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from simulation.errors import NetworkError
from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.measures import LinkMeasure
from simulation.scenarios.timetable import Overlay, Undo
from simulation.traffic.actuated import Actuation
from simulation.traffic.signals import PlanSettings, fixed_plans, plan_groups

if TYPE_CHECKING:
    from simulation.city import City


@dataclass(frozen=True, kw_only=True)
class SignalMeasure(LinkMeasure):
    """A measure on the signals at which the links of a place end."""

    def approaches(self, city: City) -> np.ndarray:
        """All approaches of the junctions that have one among the links, ascending; empty if there are none."""
        chosen = self.links(city)
        found = [
            np.concatenate(group.phases)
            for group in plan_groups(city.signals, city.nodes, city.links)
            if len(group.phases) > 1 and np.isin(np.concatenate(group.phases), chosen).any()
        ]
        return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and places without signals."""
        faults = super().check(city)
        if not faults and not self.approaches(city).size:
            signals = len(plan_groups(city.signals, city.nodes, city.links))
            faults.append(
                Fault(f"no signal where streets cross at {self.where.in_words()}; {city.label} has {signals} elsewhere")
            )
        return faults


@dataclass(frozen=True, kw_only=True)
class ActuateSignals(SignalMeasure):
    """Greens last as long as vehicles come (`simulation.traffic.actuated`)."""

    settings: Actuation = field(default_factory=Actuation)

    def begin(self, overlay: Overlay) -> Undo:
        """Actuate; the result gives the fixed plans back."""
        return overlay.actuate(self.approaches(overlay.live.city), self.settings)

    def in_words(self) -> str:
        """`Actuated signals, X`."""
        return f"Actuated signals, {self.where.in_words()}{self._when()}"

    def _applied(self, city: City) -> City:
        own = self.approaches(city)
        kept = ((tuple(link for link in links if link not in set(own.tolist())), how) for links, how in city.actuated)
        others = tuple((links, how) for links, how in kept if links)
        return replace(city, actuated=(*others, (tuple(own.tolist()), self.settings)) if own.size else others)


@dataclass(frozen=True, kw_only=True)
class RetimeSignals(SignalMeasure):
    """Plans made anew for the demand that the city has by then (`simulation.traffic.signals`).

    Cycle, greens and offsets follow the expected flows of the busiest hour, or a share of them; signals elsewhere
    keep their plans. Expected flows are those of free-flow routes, around streets that are closed for good.
    """

    cycle_s: float | None = None
    percent_of_peak: float = 100.0

    def __post_init__(self) -> None:
        faults = []
        if self.cycle_s is not None and not 32 <= self.cycle_s <= 240:
            faults.append(f"cycle {self.cycle_s:g} s; allowed: 32 to 240, or none for the best")
        if not 1 <= self.percent_of_peak <= 300:
            faults.append(f"percent_of_peak {self.percent_of_peak:g}; allowed: 1 to 300")
        if faults:
            raise ScenarioError(faults)

    def plans(self, city: City) -> pd.DataFrame:
        """Rows of the signals table that change, with their new plans."""
        from simulation.city import peak_flow

        flow = peak_flow(city) * self.percent_of_peak / 100.0
        settings = PlanSettings(cycle_s=self.cycle_s)
        try:
            new = fixed_plans(city.nodes, city.links, turns=city.turns, flow_veh_per_s=flow, settings=settings)
        except NetworkError as error:
            raise ScenarioError([str(error)]) from error
        old = city.signals["link_id"]
        return new[new["link_id"].isin(self.approaches(city)) & new["link_id"].isin(old)].reset_index(drop=True)

    def begin(self, overlay: Overlay) -> Undo:
        """Show the new plans; the result shows the old."""
        return overlay.retime(self, self.plans)

    def in_words(self) -> str:
        """`Retimed signals, X`, with the cycle if it is given."""
        cycle = "" if self.cycle_s is None else f", cycle {self.cycle_s:g} s"
        load = "" if self.percent_of_peak == 100 else f", for {self.percent_of_peak:g} % of the busiest hour"
        return f"Retimed signals, {self.where.in_words()}{cycle}{load}{self._when()}"

    def _applied(self, city: City) -> City:
        new = self.plans(city).set_index("link_id")
        signals = city.signals.set_index("link_id")
        for name in ("cycle_s", "green_start_s", "green_s"):
            signals[name] = new[name].reindex(signals.index).fillna(signals[name])
        if "phase" in signals.columns:
            signals["phase"] = new["phase"].reindex(signals.index).fillna(signals["phase"]).astype(np.int64)
        return replace(city, signals=signals.reset_index()[list(city.signals.columns)])
