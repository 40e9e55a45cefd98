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

#: Shortest green of a plan that is set by hand, s; assumed, near the 5-7 s of European guidelines.
MIN_GREEN_S = 6.0


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
class FixSignals(SignalMeasure):
    """Fixed plans by hand: another cycle, and the share of its green time that the streets of the place get.

    All phases that serve a link of the place share `green_share`, in proportion to their greens today, the others the
    rest; no green falls below `MIN_GREEN_S`. The time between greens stays, and so does the start of the first one.
    Junctions all of whose phases serve the place keep their split.
    """

    cycle_s: float | None = None
    green_share: float | None = None

    def __post_init__(self) -> None:
        faults: list[Fault | str] = []
        if self.cycle_s is not None and not 32 <= self.cycle_s <= 240:
            faults.append(Fault(f"cycle {self.cycle_s:g} s; allowed: 32 to 240", where="cycle"))
        if self.green_share is not None and not 0.1 <= self.green_share <= 0.9:
            text = f"green share {100 * self.green_share:g} %; allowed: 10 to 90"
            faults.append(Fault(text, where="green_percent"))
        if faults:
            raise ScenarioError(faults)

    def check(self, city: City) -> list[Fault]:
        """Unknown places, places without signals, and cycles that leave no room for the greens."""
        faults = super().check(city)
        if faults:
            return faults
        try:
            self.plans(city)
        except ScenarioError as error:
            return list(error.faults)
        return []

    def plans(self, city: City) -> pd.DataFrame:
        """Rows of the signals table that change, with their new plans."""
        chosen = self.links(city)
        plan = city.signals.set_index("link_id")
        rows: list[pd.DataFrame] = []
        tight: list[str] = []
        for group in plan_groups(city.signals, city.nodes, city.links):
            if len(group.phases) < 2 or not np.isin(np.concatenate(group.phases), chosen).any():
                continue
            start, green, cycle = (
                plan.loc[[phase[0] for phase in group.phases], name].to_numpy(float)
                for name in ("green_start_s", "green_s", "cycle_s")
            )
            serves = np.array([np.isin(phase, chosen).any() for phase in group.phases])
            made = self._split(start, green, float(cycle[0]), serves)
            if made is None:
                tight.append(str(int(group.node_ids[0])))
                continue
            links = np.concatenate(group.phases)
            phase = np.repeat(np.arange(len(group.phases)), [part.size for part in group.phases])
            rows.append(pd.DataFrame({"link_id": links, "cycle_s": made[2], "green_start_s": made[0][phase],
                                      "green_s": made[1][phase]}))  # fmt: skip
        if tight:
            text = f"no room for {len(tight)} junctions' greens of {MIN_GREEN_S:g} s each, e.g. at node {tight[0]}"
            raise ScenarioError([Fault(text + "; lengthen the cycle", where="cycle")])
        return pd.concat(rows, ignore_index=True)

    def _split(
        self, start: np.ndarray, green: np.ndarray, cycle: float, serves: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, float] | None:
        """Starts and greens of the phases of a junction, and its cycle, s; None where there is no room."""
        new_cycle = cycle if self.cycle_s is None else self.cycle_s
        share = None if serves.all() else self.green_share
        if new_cycle == cycle and share is None:
            return start, green, cycle
        order = np.argsort((start - start[0]) % cycle, kind="stable")
        gap = (np.roll(start[order], -1) - start[order] - green[order]) % cycle
        room = new_cycle - gap.sum()
        if room < MIN_GREEN_S * green.size:
            return None
        weight = green / green.sum()
        if share is not None:
            weight = np.where(serves, share * green / green[serves].sum(), (1 - share) * green / green[~serves].sum())
        new = MIN_GREEN_S + np.maximum(weight * room - MIN_GREEN_S, 0.0)
        spare = new - MIN_GREEN_S
        if new.sum() > room:
            new = MIN_GREEN_S + spare * (room - MIN_GREEN_S * green.size) / spare.sum()
        begins = start[0] + np.concatenate([[0.0], np.cumsum(new[order] + gap)[:-1]])
        starts = np.empty_like(start)
        starts[order] = begins % new_cycle
        return starts, new, new_cycle

    def begin(self, overlay: Overlay) -> Undo:
        """Show the new plans; the result shows the old."""
        return overlay.retime(self, self.plans)

    def in_words(self) -> str:
        """`Fixed signals, X: cycle 80 s, 60 % of the green`."""
        parts = [] if self.cycle_s is None else [f"cycle {self.cycle_s:g} s"]
        parts += [] if self.green_share is None else [f"{100 * self.green_share:g} % of the green"]
        return f"Fixed signals, {self.where.in_words()}: {', '.join(parts) or 'as they are'}{self._when()}"

    def _applied(self, city: City) -> City:
        return with_plans(city, self.plans(city))


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
        return with_plans(city, self.plans(city))


def with_plans(city: City, plans: pd.DataFrame) -> City:
    """The city with other plans on some approaches."""
    new = plans.set_index("link_id")
    signals = city.signals.set_index("link_id")
    for name in ("cycle_s", "green_start_s", "green_s"):
        signals[name] = new[name].reindex(signals.index).fillna(signals[name])
    if "phase" in signals.columns and "phase" in new.columns:
        signals["phase"] = new["phase"].reindex(signals.index).fillna(signals["phase"]).astype(np.int64)
    return replace(city, signals=signals.reset_index()[list(city.signals.columns)])
