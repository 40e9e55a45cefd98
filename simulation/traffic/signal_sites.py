"""One signal site: an intersection with its phases, the flows that it is timed for, and what a cycle does to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import NetworkError
from simulation.traffic.coordination import Light
from simulation.traffic.intersections import OPPOSED_DEG, Intersection, phase_groups
from simulation.traffic.network import SATURATION_FLOW_PER_LANE
from simulation.traffic.platoons import DISPERSION
from simulation.traffic.progression import TurnFlows
from simulation.traffic.webster import (
    LOST_S_PER_PHASE,
    MAX_CYCLE_S,
    MIN_GREEN_S,
    Timing,
    green_times,
    hcm_delay,
    optimal_cycle,
)

#: Flow of the busiest quarter of an hour over that of the hour is one over this (Highway Capacity Manual 2000, chapter
#: 10: 0.92 where nothing was counted).
PEAK_HOUR_FACTOR = 0.92
#: Least flow over capacity that an approach is timed for; assumption: expected flows know only the best routes, and
#: drivers take others when those are full.
LEAST_LOAD = 0.2
#: Shortest cycle of a fixed plan, s; assumption, usual practice: shorter ones spend so much time on changes of phase
#: that the signals have no reserve when drivers take other routes than expected.
MIN_PLAN_CYCLE_S = 60.0
#: Left turns times facing flow, both veh/h, above which left turns need a phase of their own, by facing lanes 1, 2
#: and more (Highway Capacity Manual 2000, chapter 10, left-turn phases).
LEFT_TIMES_FACING = (50_000.0, 90_000.0, 110_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """How plans are made; all times in s.

    `cycle_s` sets the cycle of every intersection. `split_left_turns` gives facing approaches a phase each where the
    rule of left turns asks for it; it is off because the engine lets left turns pass without waiting for a gap, so
    that a phase for them would cost capacity and save nothing. `pedestrian_stage_s`: time without any green for
    vehicles at signals where no streets cross; None leaves those signals out, since the model has nobody on foot who
    would call the stage. `dispersion` of platoons is that of streets by default: the
    engine's vehicles all drive alike, but flows and turns are only estimated, and offsets for blurred platoons do
    better there too.
    """

    cycle_s: float | None = None
    lost_s_per_phase: float = LOST_S_PER_PHASE
    min_green_s: float = MIN_GREEN_S
    min_cycle_s: float = MIN_PLAN_CYCLE_S
    max_cycle_s: float = MAX_CYCLE_S
    peak_hour_factor: float = PEAK_HOUR_FACTOR
    least_load: float = LEAST_LOAD
    split_left_turns: bool = False
    coordinate: bool = True
    pedestrian_stage_s: float | None = None
    dispersion: float = DISPERSION

    def __post_init__(self) -> None:
        faults = []
        if self.cycle_s is not None and not 1 <= self.cycle_s <= 600:
            faults.append(f"cycle_s={self.cycle_s:g}; allowed: 1 to 600 s")
        if not 0 < self.min_cycle_s <= self.max_cycle_s <= 600:
            faults.append(f"cycles from {self.min_cycle_s:g} to {self.max_cycle_s:g} s; allowed: above 0, up to 600 s")
        if self.lost_s_per_phase < 0 or self.min_green_s < 1:
            faults.append(f"lost {self.lost_s_per_phase:g} s, green {self.min_green_s:g} s; allowed: from 0 and 1 s")
        if self.pedestrian_stage_s is not None and not 0 < self.pedestrian_stage_s <= 60:
            faults.append(f"pedestrian_stage_s={self.pedestrian_stage_s:g}; allowed: above 0, up to 60 s")
        if not (0 < self.peak_hour_factor <= 1 and 0 <= self.least_load <= 1):
            faults.append(
                f"peak_hour_factor={self.peak_hour_factor:g}, least_load={self.least_load:g}; allowed: up to 1"
            )
        if not 0 <= self.dispersion <= 2:
            faults.append(f"dispersion={self.dispersion:g}; allowed: 0 to 2")
        if faults:
            raise NetworkError("signal plans cannot be made: " + "; ".join(faults))


class Site:
    """An intersection with its phases and flows.

    Parameters
    ----------
    intersection : Intersection
    link_id : Index
        Of all links.
    lanes, flow : ndarray, shape (n_links,)
        Lanes, and flow that is timed for, veh/s.
    turn_flows : TurnFlows
    how : PlanSettings

    Attributes
    ----------
    phase : ndarray of int64, shape (a,)
        Phase of each approach.
    flow, saturation : ndarray, shape (a,)
        veh/s.
    ratios : ndarray, shape (phases,)
        Critical flow ratio of each phase.
    lost_s, needed_s : float
        Lost time in a cycle and least cycle, s.
    """

    def __init__(
        self,
        intersection: Intersection,
        link_id: pd.Index,
        lanes: np.ndarray,
        flow: np.ndarray,
        turn_flows: TurnFlows,
        how: PlanSettings,
    ) -> None:
        self.intersection, self._how = intersection, how
        at = link_id.get_indexer(intersection.approach)
        self.flow, self.lanes = flow[at], lanes[at]
        self.saturation = self.lanes * SATURATION_FLOW_PER_LANE
        phases = phase_groups(intersection, self.flow)
        if how.split_left_turns and turn_flows.left_sign:
            phases = self._split(phases, at, turn_flows)
        self.phase = np.empty(at.size, dtype=np.int64)
        for number, members in enumerate(phases):
            self.phase[members] = number
        ratio = self.flow / self.saturation
        self.ratios = np.array([ratio[members].max() for members in phases])
        stage = 0.0 if len(phases) > 1 else (how.pedestrian_stage_s or 0.0) + how.lost_s_per_phase
        self.lost_s = how.lost_s_per_phase * len(phases) + stage
        self.needed_s = self.lost_s + how.min_green_s * len(phases)

    def _split(self, phases: list[np.ndarray], at: np.ndarray, turn_flows: TurnFlows) -> list[np.ndarray]:
        """Facing sides of a phase apart where the rule of left turns asks for it, the busiest first; four at most."""
        heading, excess = self.intersection.heading, []
        for number, members in enumerate(phases):
            for k in members.tolist():
                faces = np.cos(heading[members] - heading[k]) <= np.cos(np.radians(OPPOSED_DEG))
                left, _ = turn_flows.crossing_and_rest(at[k])
                against = sum(turn_flows.crossing_and_rest(at[other])[1] for other in members[faces])
                lanes = int(np.clip(round(self.lanes[members[faces]].sum()), 1, 3))
                excess.append((left * against / LEFT_TIMES_FACING[lanes - 1], number, faces))
        out = [[members] for members in phases]
        for worst, number, faces in sorted(excess, key=lambda item: -item[0]):
            if worst > 1.0 and len(out[number]) == 1 and sum(map(len, out)) < 4:
                out[number] = [phases[number][~faces], phases[number][faces]]
        return [members for parts in out for members in parts]

    def timing(self, cycle_s: float) -> Timing:
        """Greens in a cycle."""
        green = green_times(self.ratios, cycle_s=cycle_s, lost_s=self.lost_s, min_green_s=self._how.min_green_s)
        return Timing(cycle_s=cycle_s, green_s=tuple(green.tolist()), lost_s=self.lost_s)

    def own_cycle(self) -> float:
        """Webster's cycle, s."""
        how = self._how
        return optimal_cycle(
            self.ratios, lost_s=self.lost_s, min_cycle_s=max(how.min_cycle_s, self.needed_s),
            max_cycle_s=how.max_cycle_s,
        )  # fmt: skip

    def delay(self, cycle_s: float) -> float:
        """Vehicles in delay, on average; infinite where the phases do not fit."""
        if cycle_s < max(self.needed_s, self._how.min_cycle_s):
            return np.inf
        green = np.array(self.timing(cycle_s).green_s)[self.phase]
        return float((self.flow * hcm_delay(cycle_s, green, self.flow, self.saturation)).sum())

    def lights(self, timing: Timing) -> list[Light]:
        """What coordination needs of each approach."""
        start, green = np.array(timing.start_s)[self.phase], np.array(timing.green_s)[self.phase]
        return [
            Light(cycle_s=timing.cycle_s, start_s=float(a), green_s=float(g), flow=float(q), saturation=float(s))
            for a, g, q, s in zip(start, green, self.flow, self.saturation)
        ]

    def rows(self, number: int, timing: Timing, offset_s: float) -> dict[str, np.ndarray]:
        """Its part of the signals table, by column."""
        n = self.phase.size
        return {
            "link_id": self.intersection.approach, "node_id": self.intersection.stop_node,
            "cycle_s": np.full(n, timing.cycle_s),
            "green_start_s": (np.array(timing.start_s)[self.phase] + offset_s) % timing.cycle_s,
            "green_s": np.array(timing.green_s)[self.phase],
            "intersection": np.full(n, number, dtype=np.int64), "phase": self.phase,
        }  # fmt: skip
