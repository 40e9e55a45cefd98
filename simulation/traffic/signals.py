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
from simulation.traffic.coordination import best_offsets, joined_groups
from simulation.traffic.intersections import find_intersections
from simulation.traffic.progression import TurnFlows, ways_between
from simulation.traffic.signal_sites import MIN_PLAN_CYCLE_S, PlanSettings, Site
from simulation.traffic.webster import Timing

__all__ = ["MIN_PLAN_CYCLE_S", "PlanGroup", "PlanSettings", "fixed_plans", "plan_groups"]

#: Flow over capacity where no flow is given; assumption.
USUAL_LOAD = 0.5
_CYCLE_STEP_S = 10.0  # between the common cycles that are tried


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
    link_id, lanes = pd.Index(links["link_id"]), links["lanes"].to_numpy(float)
    sites = [Site(one, link_id, lanes, flow, turn_flows, how) for one in find_intersections(nodes, links)]
    sites = [site for site in sites if site.ratios.size > 1 or how.pedestrian_stage_s is not None]
    if not sites:
        nothing = np.zeros(0, dtype=np.int64)
        return empty(SIGNALS).assign(intersection=nothing, phase=nothing)
    _check_room(sites, how)
    timings, offset_s = _timed(sites, links, turn_flows, nodes, how)
    shift_s = how.max_cycle_s * float(uniform(seed, 0, 0, Purpose.SIGNAL_OFFSET)[0])
    rows = [
        site.rows(number, timing, offset + shift_s)
        for number, (site, timing, offset) in enumerate(zip(sites, timings, offset_s))
    ]
    table = pd.DataFrame({name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
    return validate(table.sort_values("link_id", ignore_index=True), SIGNALS)


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


def _timed(
    sites: Sequence[Site], links: pd.DataFrame, turn_flows: TurnFlows, nodes: pd.DataFrame, how: PlanSettings
) -> tuple[list[Timing], np.ndarray]:
    """Timing and offset of each intersection, set by set of those that feed each other."""
    offset_s = np.zeros(len(sites))
    if how.cycle_s is not None:
        timings = [site.timing(how.cycle_s) for site in sites]
    else:
        timings = [site.timing(site.own_cycle()) for site in sites]
    if not how.coordinate:
        return timings, offset_s

    ways = ways_between([site.intersection for site in sites], links, turn_flows, nodes)
    pairs = np.array([(way.upstream, way.downstream) for way in ways], dtype=np.int64).reshape(-1, 2)
    group = joined_groups(pairs, len(sites))
    for number in np.flatnonzero(np.bincount(group) > 1):
        members = np.flatnonzero(group == number).tolist()
        common = _common_cycle([sites[k] for k in members], how)
        for k in members:
            timings[k] = sites[k].timing(_multiple(sites[k], common, how))
        lights = {k: sites[k].lights(timings[k]) for k in members}
        place = {k: at for at, k in enumerate(members)}
        streams = [way.stream(lights, place) for way in ways if way.upstream in place]
        offset_s[members], _ = best_offsets(streams, n=len(members), cycle_s=common, dispersion=how.dispersion)
    return timings, offset_s


def _common_cycle(sites: Sequence[Site], how: PlanSettings) -> float:
    """Cycle that delays all vehicles least by the formula of the HCM, intersections on their own."""
    if how.cycle_s is not None:
        return how.cycle_s
    least = max(how.min_cycle_s, max(site.needed_s for site in sites))
    tried = np.unique(np.append(np.arange(least, how.max_cycle_s, _CYCLE_STEP_S), how.max_cycle_s))
    total = [sum(min(site.delay(cycle), site.delay(cycle / 2)) for site in sites) for cycle in tried]
    return float(tried[int(np.argmin(np.round(total, 9)))])


def _multiple(site: Site, cycle_s: float, how: PlanSettings) -> float:
    """The cycle, or half of it where that delays less."""
    if how.cycle_s is not None:
        return cycle_s
    return cycle_s / 2 if site.delay(cycle_s / 2) < site.delay(cycle_s) else cycle_s


def _check_room(sites: Sequence[Site], how: PlanSettings) -> None:
    longest = how.cycle_s if how.cycle_s is not None else how.max_cycle_s
    tight = [site for site in sites if site.needed_s > longest + 1e-9]
    if tight:
        worst = max(tight, key=lambda site: site.needed_s)
        raise NetworkError(
            f"{len(tight)} intersections need a longer cycle than {longest:g} s, e.g. node"
            f" {int(worst.intersection.node_ids[0])} {worst.needed_s:g} s for {worst.ratios.size} phases;"
            " lengthen the cycle or shorten the minimum green"
        )
