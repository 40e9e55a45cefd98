"""Flows and paces of links in hours of a mean weekday, as counters and travel-time sensors report them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from simulation.clock import Phase
from simulation.hourly_flows import days_of, run_day
from simulation.live import LiveCity
from simulation.run import DEFAULT_START

if TYPE_CHECKING:
    from simulation.city import City


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class HourlyTraffic:
    """What links carried and how slowly, by simulated day.

    Attributes
    ----------
    hours : tuple of int
        Local hours of day, ascending.
    inflow_veh : ndarray, shape (days, hours, n_links)
        Vehicles that entered.
    distance_m, time_s : ndarray, shape (days, hours, n_links)
        Driven and spent on the link within the hour.
    """

    hours: tuple[int, ...]
    inflow_veh: np.ndarray
    distance_m: np.ndarray
    time_s: np.ndarray

    def flow_veh_per_h(self, link: np.ndarray, hour: np.ndarray) -> np.ndarray:
        """Mean flow of some links and hours, veh/h. Shape (m,)."""
        return np.asarray(self.inflow_veh.mean(axis=0)[np.searchsorted(self.hours, hour), link])

    def pace_s_per_m(self, link: np.ndarray, hour: np.ndarray) -> np.ndarray:
        """Time over distance of all days (the inverse of the space-mean speed); nan where nobody drove. Shape (m,)."""
        at = np.searchsorted(self.hours, hour), link
        distance, time = self.distance_m.sum(axis=0)[at], self.time_s.sum(axis=0)[at]
        return np.divide(time, distance, out=np.full(distance.shape, np.nan), where=distance > 0)

    def pace_variance(self, link: np.ndarray, hour: np.ndarray) -> np.ndarray:
        """Variance of a day's pace around the mean of days, s2/m2, 0 where fewer than two days had traffic."""
        at = np.searchsorted(self.hours, hour), link
        distance, time = (np.stack([day[at] for day in part]) for part in (self.distance_m, self.time_s))
        there = distance > 0
        pace = np.divide(time, distance, out=np.zeros_like(time), where=there)
        days = there.sum(axis=0)
        mean = np.divide(pace.sum(axis=0), days, out=np.zeros(days.shape), where=days > 0)
        square = np.where(there, np.square(pace - mean), 0.0).sum(axis=0)
        return np.asarray(np.divide(square, days - 1, out=np.zeros(days.shape), where=days > 1))


def simulated_traffic(
    city: City, hours: Sequence[int], *, days: int = 2, seed: int = 1, start: str = DEFAULT_START
) -> HourlyTraffic:
    """Some weekdays of the living city, without incidents; every day has luck of its own, as in `simulated_flows`.

    Parameters
    ----------
    city : City
    hours : sequence of int
        Local hours of day, 0 to 23.
    days : int
    seed : int
    start : str
        First date; Saturdays and Sundays are passed over.

    Raises
    ------
    RunError
        If an hour is impossible or `days` below 1.
    """
    wanted, chosen = days_of(hours, days, start=start, seed=seed)
    books = np.zeros((3, days, len(wanted), len(city.links)))
    for k, (begin, luck) in enumerate(chosen):
        run_day(city, wanted, begin, luck, _Books(wanted, books[:, k]).process)
    return HourlyTraffic(hours=wanted, inflow_veh=books[0], distance_m=books[1], time_s=books[2])


class _Books:
    """A process that adds up inflow, distance and time of each link in each hour; `out` is (3, hours, n_links)."""

    def __init__(self, hours: tuple[int, ...], out: np.ndarray) -> None:
        self.row, self.out = {hour: k for k, hour in enumerate(hours)}, out

    def process(self, live: LiveCity) -> Generator[simpy.Event, Any, None]:
        while True:
            hour = int(live.time_of_day_s() // 3600.0)
            yield live.wait(live.step_s, Phase.SENSORS)
            seen = live.interval
            if hour in self.row and seen is not None:
                self.out[:, self.row[hour]] += [
                    part.sum(axis=1) for part in (seen.inflow_veh, seen.vehicle_distance_m, seen.vehicle_time_s)
                ]
