"""Fixed signal plans from streets and expected flows, as periodic arrays for the kernel.

1. Signal nodes become intersections, and their approaches groups that may be green together (`intersections`).
2. On request, facing approaches whose left turns are too many to slip through a gap are split into two phases.
3. Each intersection gets its greens, and a lone one its cycle, after Webster (`webster`).
4. Intersections that feed each other share the cycle that delays their vehicles least in all; one that needs no more
   than half of it runs twice in it.
5. Offsets let platoons meet green (`coordination`).

The result depends on the streets and their flows, not on how links and nodes are numbered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.schemas import SIGNALS, empty, validate
from simulation.errors import NetworkError
from simulation.streams import Purpose, uniform
from simulation.traffic.coordination import Light, Stream, best_offsets, joined_groups
from simulation.traffic.intersections import OPPOSED_DEG, Intersection, find_intersections, phase_groups
from simulation.traffic.network import SATURATION_FLOW_PER_LANE
from simulation.traffic.progression import TurnFlows, streams_between
from simulation.traffic.webster import (
    LOST_S_PER_PHASE,
    MAX_CYCLE_S,
    MIN_GREEN_S,
    Timing,
    green_times,
    hcm_delay,
    optimal_cycle,
)

#: Flow over capacity where no flow is given; assumption.
USUAL_LOAD = 0.5
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
_LEFT_DEG, _U_DEG = 45.0, 165.0  # a turn between these angles goes left
_CYCLE_STEP_S = 5.0  # between the common cycles that are tried


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """How plans are made; all times in s.

    `cycle_s` sets the cycle of every intersection. `split_left_turns` gives facing approaches a phase each where the
    rule of left turns asks for it; it is off because the engine lets left turns pass without waiting for a gap, so
    that a phase for them would cost capacity and save nothing. `pedestrian_stage_s`: time without any green for
    vehicles at signals where no streets cross; None leaves those signals out, since the model has nobody on foot who
    would call the stage. `dispersion` of platoons is 0 in the engine, `platoons.DISPERSION` on streets.
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
    dispersion: float = 0.0

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


def fixed_plans(
    nodes: pd.DataFrame,
    links: pd.DataFrame,
    *,
    turns: pd.DataFrame | None = None,
    flow_veh_per_s: np.ndarray | None = None,
    seed: int = 0,
    settings: PlanSettings | None = None,
) -> pd.DataFrame:
    """Plans for every intersection whose approaches cross.

    Parameters
    ----------
    nodes : DataFrame
        `node_id`, `x_m`, `y_m`, `signal`.
    links : DataFrame
        `link_id`, `from_node_id`, `to_node_id`, `length_m`, `lanes`, `free_flow_speed_mps`, `capacity_veh_per_s`.
    turns : DataFrame, optional
        `from_link_id`, `to_link_id`, `angle_deg`, `penalty_s`; every movement but U-turns if not given, and then no
        phase for left turns.
    flow_veh_per_s : ndarray, shape (n_links,), optional
        Expected flow of the busiest hour; `USUAL_LOAD` of the capacity if not given.
    seed : int
        Shifts all plans together.
    settings : PlanSettings, optional

    Returns
    -------
    DataFrame
        Columns of `data.schemas.SIGNALS`, and `intersection` (numbered from the west) and `phase`, from 0. Links
        inside an intersection have no row: they clear with the green before them.

    Raises
    ------
    NetworkError
        If the settings leave no room for the phases of an intersection.

    References
    ----------
    Webster (1958), Road Research Technical Paper 39; Highway Capacity Manual 2000, chapters 10 and 16.
    """
    how = settings or PlanSettings()
    capacity = links["capacity_veh_per_s"].to_numpy(float)
    flow = USUAL_LOAD * capacity if flow_veh_per_s is None else np.asarray(flow_veh_per_s, dtype=float).round(9)
    flow = np.maximum(flow / how.peak_hour_factor, how.least_load * capacity)
    turn_flows = TurnFlows(links, turns, flow)
    left_sign = _left_sign(turns)
    sites = [
        _Site(one, links, flow, turn_flows, left_sign, how)
        for one in find_intersections(nodes, links)
        if one.crosses or how.pedestrian_stage_s is not None
    ]
    if not sites:
        return empty(SIGNALS)
    _check_room(sites, how)
    timings, offset_s = _timed(sites, links, turn_flows, nodes, how)
    shift_s = how.max_cycle_s * float(uniform(seed, 0, 0, Purpose.SIGNAL_OFFSET)[0])
    rows = [
        site.rows(number, timing, offset + shift_s)
        for number, (site, timing, offset) in enumerate(zip(sites, timings, offset_s))
    ]
    return validate(pd.concat(rows, ignore_index=True).sort_values("link_id", ignore_index=True), SIGNALS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanGroup:
    """The approaches of one intersection in a signals table, by phase."""

    node_ids: np.ndarray  # int64 nodes at its stop lines
    phases: tuple[np.ndarray, ...]  # int64 links of each phase, in the order in which they turn green


def plan_groups(signals: pd.DataFrame, nodes: pd.DataFrame, links: pd.DataFrame) -> tuple[PlanGroup, ...]:
    """Intersections and phases of a signals table, from its columns or, where it has none, from the streets.

    Parameters
    ----------
    signals : DataFrame
        Columns of `data.schemas.SIGNALS`; `intersection` and `phase`, if there (`fixed_plans`), say what belongs
        together. Else the rows of one intersection of the street map do, and a phase is what has the same green.
    nodes, links : DataFrame
        As for `fixed_plans`.

    Returns
    -------
    tuple of PlanGroup
        Ordered by `intersection` or, without that column, by place.
    """
    if signals.empty:
        return ()
    table = signals[["link_id", "node_id", "green_start_s", "green_s"]].copy()
    if {"intersection", "phase"} <= set(signals.columns):
        table["intersection"], table["phase"] = signals["intersection"], signals["phase"]
    else:
        marked = nodes.assign(signal=nodes["node_id"].isin(signals["node_id"]))
        owner = {n: k for k, one in enumerate(find_intersections(marked, links)) for n in one.node_ids.tolist()}
        table["intersection"] = table["node_id"].map(owner)
        windows = table[["green_start_s", "green_s"]].round(6).apply(tuple, axis=1)
        table["phase"] = windows.groupby(table["intersection"]).transform(lambda w: pd.factorize(w, sort=True)[0])
    return tuple(
        PlanGroup(
            node_ids=np.unique(rows["node_id"].to_numpy(np.int64)),
            phases=tuple(np.sort(part["link_id"].to_numpy(np.int64)) for _, part in rows.groupby("phase")),
        )
        for _, rows in table.groupby("intersection")
    )


class _Site:
    """An intersection with its phases and flows."""

    def __init__(
        self,
        intersection: Intersection,
        links: pd.DataFrame,
        flow: np.ndarray,
        turn_flows: TurnFlows,
        left_sign: float,
        how: PlanSettings,
    ) -> None:
        self.intersection, self._how = intersection, how
        at = pd.Series(np.arange(len(links)), index=links["link_id"].to_numpy()).loc[intersection.approach].to_numpy()
        self.flow = flow[at]
        self.lanes = links["lanes"].to_numpy(float)[at]
        self.saturation = self.lanes * SATURATION_FLOW_PER_LANE
        phases = phase_groups(intersection, self.flow)
        if how.split_left_turns and left_sign:
            phases = self._split(phases, at, turn_flows, left_sign)
        self.phase = np.empty(at.size, dtype=np.int64)
        for number, members in enumerate(phases):
            self.phase[members] = number
        ratio = self.flow / self.saturation
        self.ratios = np.array([ratio[members].max() for members in phases])
        stage = 0.0 if intersection.crosses else (how.pedestrian_stage_s or 0.0) + how.lost_s_per_phase
        self.lost_s = how.lost_s_per_phase * len(phases) + stage
        self.needed_s = self.lost_s + how.min_green_s * len(phases)

    def _split(
        self, phases: list[np.ndarray], at: np.ndarray, turn_flows: TurnFlows, left_sign: float
    ) -> list[np.ndarray]:
        """Facing sides of a phase apart where the rule of left turns asks for it, the busiest first; four at most."""
        heading, excess = self.intersection.heading, []
        for number, members in enumerate(phases):
            worst = 0.0
            for k in members:
                facing = members[np.cos(heading[members] - heading[k]) <= np.cos(np.radians(OPPOSED_DEG))]
                left, _ = _turning(turn_flows, at[k], left_sign)
                against = sum(_turning(turn_flows, at[other], left_sign)[1] for other in facing)
                lanes = int(np.clip(round(self.lanes[facing].sum()), 1, 3))
                worst = max(worst, left * against / LEFT_TIMES_FACING[lanes - 1])
            excess.append((worst, number))
        out = list(phases)
        for worst, number in sorted(excess, key=lambda pair: (-pair[0], pair[1])):
            if worst > 1.0 and len(out) < 4:
                members = phases[number]
                same = np.cos(heading[members] - heading[members[0]]) > np.cos(np.radians(OPPOSED_DEG))
                place = next(n for n, other in enumerate(out) if other is members)
                out[place : place + 1] = [members[same], members[~same]]
        return out

    def timing(self, cycle_s: float) -> Timing:
        green = green_times(self.ratios, cycle_s=cycle_s, lost_s=self.lost_s, min_green_s=self._how.min_green_s)
        return Timing(cycle_s=cycle_s, green_s=tuple(green.tolist()), lost_s=self.lost_s)

    def own_cycle(self) -> float:
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
        start, green = np.array(timing.start_s)[self.phase], np.array(timing.green_s)[self.phase]
        return [
            Light(cycle_s=timing.cycle_s, start_s=float(a), green_s=float(g), flow=float(q), saturation=float(s))
            for a, g, q, s in zip(start, green, self.flow, self.saturation)
        ]

    def rows(self, number: int, timing: Timing, offset_s: float) -> pd.DataFrame:
        start = (np.array(timing.start_s)[self.phase] + offset_s) % timing.cycle_s
        return pd.DataFrame(
            {
                "link_id": self.intersection.approach, "node_id": self.intersection.stop_node,
                "cycle_s": timing.cycle_s, "green_start_s": start,
                "green_s": np.array(timing.green_s)[self.phase], "intersection": number, "phase": self.phase,
            }
        )  # fmt: skip


def _timed(
    sites: Sequence[_Site], links: pd.DataFrame, turn_flows: TurnFlows, nodes: pd.DataFrame, how: PlanSettings
) -> tuple[list[Timing], np.ndarray]:
    """Timing and offset of each intersection, set by set of those that feed each other."""
    offset_s = np.zeros(len(sites))
    if how.cycle_s is not None:
        timings = [site.timing(how.cycle_s) for site in sites]
    else:
        timings = [site.timing(site.own_cycle()) for site in sites]
    if not how.coordinate:
        return timings, offset_s

    def streams_of(members: np.ndarray) -> list[Stream]:
        chosen = [(sites[k], timings[k]) for k in members.tolist()]
        lights = [site.lights(timing) for site, timing in chosen]
        return streams_between([site.intersection for site, _ in chosen], lights, links, turn_flows, nodes)

    everyone = np.arange(len(sites))
    group = joined_groups(streams_of(everyone), len(sites))
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        if members.size == 1:
            continue
        common = _common_cycle([sites[k] for k in members.tolist()], how)
        for k in members.tolist():
            timings[k] = sites[k].timing(_multiple(sites[k], common, how))
        offset_s[members], _ = best_offsets(
            streams_of(members), n=members.size, cycle_s=common, dispersion=how.dispersion
        )
    return timings, offset_s


def _common_cycle(sites: Sequence[_Site], how: PlanSettings) -> float:
    """Cycle that delays all vehicles least by the formula of the HCM, intersections on their own."""
    if how.cycle_s is not None:
        return how.cycle_s
    least = max(how.min_cycle_s, max(site.needed_s for site in sites))
    tried = np.unique(np.append(np.arange(least, how.max_cycle_s, _CYCLE_STEP_S), how.max_cycle_s))
    total = [sum(min(site.delay(cycle), site.delay(cycle / 2)) for site in sites) for cycle in tried]
    return float(tried[int(np.argmin(np.round(total, 9)))])


def _multiple(site: _Site, cycle_s: float, how: PlanSettings) -> float:
    """The cycle, or half of it where that delays less."""
    if how.cycle_s is not None:
        return cycle_s
    return cycle_s / 2 if site.delay(cycle_s / 2) < site.delay(cycle_s) else cycle_s


def _check_room(sites: Sequence[_Site], how: PlanSettings) -> None:
    longest = how.cycle_s if how.cycle_s is not None else how.max_cycle_s
    tight = [site for site in sites if site.needed_s > longest + 1e-9]
    if tight:
        worst = max(tight, key=lambda site: site.needed_s)
        raise NetworkError(
            f"{len(tight)} intersections need a longer cycle than {longest:g} s, e.g. node"
            f" {int(worst.intersection.node_ids[0])} {worst.needed_s:g} s for {worst.ratios.size} phases;"
            " lengthen the cycle or shorten the minimum green"
        )


def _left_sign(turns: pd.DataFrame | None) -> float:
    """+1 where turns that cross the facing traffic go left, -1 where they go right (traffic drives on the left).

    That is the side on which turns cost more; left where both cost the same. 0 where angles are not known.
    """
    if turns is None or "angle_deg" not in turns.columns or not len(turns):
        return 0.0
    angle = turns["angle_deg"].to_numpy(float)
    penalty = turns["penalty_s"].to_numpy(float) if "penalty_s" in turns.columns else np.zeros(len(turns))
    left, right = (angle > _LEFT_DEG) & (angle < _U_DEG), (angle < -_LEFT_DEG) & (angle > -_U_DEG)
    if not left.any() or not right.any():
        return 1.0
    return -1.0 if penalty[right].mean() > penalty[left].mean() + 1e-9 else 1.0


def _turning(turn_flows: TurnFlows, link: int, left_sign: float) -> tuple[float, float]:
    """Flow of a link that crosses the facing traffic, and the rest of it, veh/h."""
    rows = turn_flows.out_of[link]
    angle, flow = left_sign * turn_flows.angle_deg[rows], 3600.0 * turn_flows.flow[rows]
    left = (angle > _LEFT_DEG) & (angle < _U_DEG)
    return float(flow[left].sum()), float(flow[~left].sum())
