"""Flows on links in hours of a weekday, by the dynamic city or by a static assignment, with the routes that make them.

Both give the same: what each link carries in each hour asked for, and the route trees that drivers follow in it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import simpy

from simulation.clock import Phase
from simulation.errors import RunError
from simulation.live import LiveCity
from simulation.route_use import RouteUse
from simulation.run import DEFAULT_START, RunResult
from simulation.streams import Purpose, bits
from simulation.traffic.bpr import BPR_ALPHA, BPR_POWER
from simulation.traffic.routing import Routes
from simulation.traffic.routing_kernels import load_trees

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.demand.spec import DemandSpec

#: The city wakes up before the first hour that is asked for, s: the roads are then as full as in a whole day's run.
WARM_UP_S = 5400.0
STEP_S = 900.0
#: Smallest `response`; assumption. What a day's trips ask of a link is known with error, its routes above all, so the
#: slope from day to day comes out too flat, and below a bottleneck no count would ever move the demand.
LEAST_RESPONSE = 0.5
#: Rounds of the method of successive averages (Sheffi & Powell 1982, doi:10.1002/net.3230120209).
STATIC_ROUNDS = 12


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class HourlyFlows:
    """Flows by hour of a mean weekday.

    Attributes
    ----------
    hours : tuple of int
        Local hours of day, ascending.
    flow_veh_per_h : ndarray, shape (hours, n_links)
        Vehicles that enter each link.
    trees : dict of int to list of ndarray
        Route trees in each hour, for `RouteUse`.
    response : ndarray, shape (hours, n_links)
        Share of a small change of the trips that want to use a link which shows in its flow: 1 where traffic is free,
        less below a bottleneck.
    offset_veh_per_h : ndarray, shape (hours, n_links)
        Flow that `response` x the trees' flow of the mean demand leaves out: who set out before the hour, who waits,
        who turned off on the way.
    noise_veh_per_h : ndarray, shape (hours, n_links)
        Standard deviation of the offset: of a mean over the days simulated. 0 in a static assignment.
    day_sd_veh_per_h : ndarray, shape (hours, n_links)
        Standard deviation of a day's flow; at least that of a Poisson number in a single simulated day.
    """

    hours: tuple[int, ...]
    flow_veh_per_h: np.ndarray
    trees: Mapping[int, Sequence[np.ndarray]] = field(repr=False)
    response: np.ndarray = field(repr=False)
    offset_veh_per_h: np.ndarray = field(repr=False)
    noise_veh_per_h: np.ndarray = field(repr=False)
    day_sd_veh_per_h: np.ndarray = field(repr=False)

    def at(self, link: np.ndarray, hour: np.ndarray) -> np.ndarray:
        """Flow on some links in some hours, veh/h. Shape (m,)."""
        return np.asarray(self.flow_veh_per_h[np.searchsorted(self.hours, hour), link])

    def linear_at(self, link: np.ndarray, hour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`response` and `offset_veh_per_h` on some links in some hours. Shape (m,) each."""
        at = np.searchsorted(self.hours, hour), link
        return np.asarray(self.response[at]), np.asarray(self.offset_veh_per_h[at])

    def variance_at(self, link: np.ndarray, hour: np.ndarray, count_days: float) -> np.ndarray:
        """Variance of what is left between a count over some days and these flows, by chance. Shape (m,)."""
        at = np.searchsorted(self.hours, hour), link
        return np.asarray(self.noise_veh_per_h[at] ** 2 + self.day_sd_veh_per_h[at] ** 2 / count_days)


def simulated_flows(
    city: City, hours: Sequence[int], *, days: int = 3, seed: int = 1, start: str = DEFAULT_START
) -> HourlyFlows:
    """Mean flows of some weekdays of the living city, without incidents.

    Every day has luck of its own, drivers' perceptions included: a run has few of them, which stand for a population,
    and one draw kept over all days would leave a part of the flows that no number of days averages out.

    Parameters
    ----------
    city : City
    hours : sequence of int
        Local hours of day, 0 to 23.
    days : int
        Weekdays; every one begins with empty streets an hour and a half before the first hour.
    seed : int
        Of all luck.
    start : str
        First date; Saturdays and Sundays are passed over.

    Raises
    ------
    RunError
        If an hour is impossible or `days` below 1.
    """
    wanted, chosen = days_of(hours, days, start=start, seed=seed)
    flow = np.zeros((days, len(wanted), len(city.links)))
    explained = np.zeros_like(flow)
    trees: dict[int, list[np.ndarray]] = {hour: [] for hour in wanted}
    row_of = np.full(len(city.links), -1, dtype=np.int64)
    row_of[city.demand.dest_link] = np.arange(city.demand.dest_link.size)
    first_s = first_second(wanted)
    for k, (begin, luck) in enumerate(chosen):
        watch = _Watch(wanted, flow[k], trees)
        result = run_day(city, wanted, begin, luck, watch.process, keep_entry_log=True)
        assert result.released is not None
        mine = {hour: trees[hour][-watch.layers :] for hour in wanted}
        _explain(result.released, first_s, wanted, mine, row_of, explained[k])
    mean, response = flow.mean(axis=0), _response(flow, explained)
    return HourlyFlows(
        hours=wanted, flow_veh_per_h=mean, trees=trees, response=response,
        offset_veh_per_h=mean - response * explained.mean(axis=0),
        noise_veh_per_h=np.sqrt(_variance(flow - response * explained, mean) / days),
        day_sd_veh_per_h=np.sqrt(_variance(flow, mean)),
    )  # fmt: skip


def assigned_flows(city: City, hours: Sequence[int], *, seed: int = 1, rounds: int = STATIC_ROUNDS) -> HourlyFlows:
    """Flows of a static stochastic equilibrium: each hour by itself, travel times by the formula of `bpr`.

    Drivers perceive times with error (`simulation.traffic.routing`); times are averaged over rounds of loading. Signals
    take capacity by their green share. No queue spills back, and nobody who departs in an hour drives in the next.

    Raises
    ------
    RunError
        If an hour is impossible or `rounds` below 1.
    """
    wanted = _checked(hours, rounds)
    arrays, turns, demand = city.link_arrays(), city.turn_index(), city.demand
    green = np.divide(arrays.green_s, arrays.cycle_s, out=np.ones_like(arrays.green_s), where=arrays.cycle_s > 0)
    capacity = np.minimum(arrays.capacity_veh_per_s, arrays.discharge_veh_per_s * green) * 3600.0
    flow, trees = np.zeros((len(wanted), len(city.links))), {}
    last = np.zeros_like(flow)  # on the final trees alone
    for k, hour in enumerate(wanted):
        routes = Routes(
            arrays, turns, demand.dest_link, city.closed_array()[:1], seed=seed, switch_share=0.0, switch_s=0.0,
            charge_s=city.costs.charge_s(arrays.length_m, _tolls(city))[:1],
        )  # fmt: skip
        free = routes.known_s[0].copy()
        time = free.copy()
        for done in range(rounds):
            routes.update()
            use = RouteUse(demand, turns, {hour: list(routes.next_link)}, np.zeros(1, np.int64), np.array([hour]))
            last[k] = use.all_flows(demand.od_veh, hour)
            flow[k] += (last[k] - flow[k]) / (done + 1)
            time = free * (1.0 + BPR_ALPHA * (flow[k] / capacity) ** BPR_POWER)
            if done + 1 < rounds:
                routes.known_s[:] = time
        trees[hour] = list(routes.next_link)
    return HourlyFlows(
        hours=wanted, flow_veh_per_h=flow, trees=trees, response=np.ones_like(flow),
        offset_veh_per_h=flow - last, noise_veh_per_h=np.zeros_like(flow), day_sd_veh_per_h=np.sqrt(flow),
    )  # fmt: skip


def days_of(
    hours: Sequence[int], days: int, *, start: str, seed: int
) -> tuple[tuple[int, ...], list[tuple[pd.Timestamp, int]]]:
    """Hours in order, and of each weekday when its run begins (local) and the seed of its luck.

    Raises
    ------
    RunError
        If an hour is impossible or `days` below 1.
    """
    wanted = _checked(hours, days)
    begin = pd.Timedelta(seconds=first_second(wanted))
    dates = pd.bdate_range(pd.Timestamp(start), periods=days)
    luck = [int(bits(seed, day.toordinal(), 0, Purpose.PERCEPTION)[0] >> np.uint64(33)) for day in dates]
    return wanted, [(day + begin, own) for day, own in zip(dates, luck)]


def first_second(hours: Sequence[int]) -> float:
    """When a day's run begins, s since local midnight, so that the streets are full when the first hour comes."""
    return float(max(hours[0] * 3600.0 - WARM_UP_S, 0.0))


def run_day(
    city: City,
    hours: Sequence[int],
    begin: pd.Timestamp,
    luck: int,
    process: Callable[[LiveCity], Generator[simpy.Event, Any, None]],
    *,
    keep_entry_log: bool = False,
) -> RunResult:
    """One day of `days_of` without incidents, to the end of its last hour, with a process that watches."""
    days = ((hours[-1] + 1) * 3600.0 - first_second(hours)) / 86_400.0
    return city.run(
        days=days, seed=luck, start=begin, step_s=STEP_S, incidents_per_day=0.0, processes=(process,),
        keep_entry_log=keep_entry_log,
    )  # fmt: skip


class _Watch:
    """A process that adds up who enters each link in each hour, and keeps the routes of its middle."""

    def __init__(self, hours: tuple[int, ...], flow: np.ndarray, trees: dict[int, list[np.ndarray]]) -> None:
        self.hours, self.flow, self.trees, self.layers = hours, flow, trees, 0

    def process(self, live: LiveCity) -> Generator[simpy.Event, Any, None]:
        row = {hour: k for k, hour in enumerate(self.hours)}
        self.layers = live.routes.perceptions
        while True:
            begun = live.time_of_day_s()
            yield live.wait(live.step_s, Phase.SENSORS)
            hour = int(begun // 3600.0)
            if hour not in row or live.interval is None:
                continue
            self.flow[row[hour]] += live.interval.inflow_veh.sum(axis=1)
            if begun % 3600.0 == 1800.0:
                cars = live.routes.layer(np.arange(self.layers), np.zeros(self.layers, np.int64))
                self.trees[hour] += [live.routes.next_link[k].copy() for k in cars]


def _explain(
    released: pd.DataFrame,
    first_s: float,
    hours: tuple[int, ...],
    trees: Mapping[int, Sequence[np.ndarray]],
    row_of: np.ndarray,
    out: np.ndarray,
) -> None:
    """Flows that the trips which departed in each hour make on the trees; fills `out` (hours, n_links)."""
    depart = released["depart_s"].to_numpy() + first_s
    origin, dest = released["origin_link_id"].to_numpy(), row_of[released["dest_link_id"].to_numpy()]
    for k, hour in enumerate(hours):
        mine = (depart >= hour * 3600.0) & (depart < (hour + 1) * 3600.0) & (origin >= 0)
        starts = np.zeros(trees[hour][0].shape)
        np.add.at(starts, (dest[mine], origin[mine]), 1.0 / len(trees[hour]))
        for tree in trees[hour]:
            load_trees(tree, starts.copy(), out[k])


def _response(flow: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Slope of what links carry over what trips ask of them, from day to day. Shape (hours, n_links).

    A regression with a prior slope of 1 that weighs as much as a day of chance, a Poisson variance.
    """
    off = asked - asked.mean(axis=0)
    chance = np.maximum(asked.mean(axis=0), 1.0)
    slope = (((flow - flow.mean(axis=0)) * off).sum(axis=0) + chance) / (np.square(off).sum(axis=0) + chance)
    return np.clip(slope, LEAST_RESPONSE, 1.0)


def _variance(by_day: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Variance from day to day, with a Poisson variance as one day's worth of prior. Shape (hours, n_links)."""
    off = by_day - by_day.mean(axis=0)
    return (np.square(off).sum(axis=0) + np.maximum(mean, 1.0)) / len(by_day)


def _checked(hours: Sequence[int], count: int) -> tuple[int, ...]:
    wanted = tuple(sorted({int(hour) for hour in hours}))
    faults = []
    if not wanted or wanted[0] < 0 or wanted[-1] > 23:
        faults.append(f"hours={list(hours)} must be one or more of 0 to 23")
    if count < 1:
        faults.append(f"{count} days or rounds; at least 1 is needed")
    if faults:
        raise RunError("no hourly flows: " + "; ".join(faults))
    return wanted


def _tolls(city: City) -> np.ndarray:
    from simulation.traffic.costs import toll_eur

    return toll_eur(city.tolls, len(city.links))


def with_demand(city: City, od_veh: np.ndarray) -> City:
    """The city with another OD matrix on the same places."""
    demand: DemandSpec = replace(city.demand, od_veh=od_veh)
    return replace(city, demand=demand)
