"""The ledger: what key figures need of a run and its tables do not keep, noted by a process at each interval's end.

It reads and changes nothing, so a run with a ledger is the run without one, bit for bit.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy
from scipy.sparse import csr_array

from simulation.clock import Phase
from simulation.link_state import N_CLASSES
from simulation.live import LiveCity

if TYPE_CHECKING:
    from simulation.city import City

#: Local hours of day in which travel times from place to place are told, where the run has them: the morning's and the
#: evening's busy hours and midday; assumption.
SKIM_HOURS = (8, 12, 17)


class Ledger:
    """Notes of one run. Give `process` to `City.run(processes=...)`; a ledger serves one run.

    Parameters
    ----------
    city : City
        The one that runs.
    hours : sequence of int
        Local hours of day in which the times of links are kept.

    Attributes
    ----------
    distance_m, time_s, free_s : list of ndarray, shape (Z, C)
        Of each interval: distance, time, and time at the free-flow speed of the city's links.
    queue_veh : list of ndarray, shape (Z,)
        Vehicles past their free-flow time at the end of each interval.
    hour_starts : list of float
        Beginning of each noted hour, in seconds of the run's clock.
    link_distance_m, link_time_s : list of ndarray, shape (n_links,)
        Of each noted hour, all classes.
    closed, charge_s : list of ndarray, shape (C, n_links)
        In force at the end of each noted hour.
    """

    def __init__(self, city: City, *, hours: Sequence[int] = SKIM_HOURS) -> None:
        zone = {name: k for k, name in enumerate(city.zones["zone_id"])}
        rows = city.link_zone["zone_id"].map(zone).to_numpy()
        shape = (len(zone), len(city.links))
        self._share = csr_array((city.link_zone["share"].to_numpy(), (rows, city.link_zone["link_id"])), shape=shape)
        self._pace = 1.0 / city.links["free_flow_speed_mps"].to_numpy(float)
        self._hours = frozenset(hours)
        self.distance_m: list[np.ndarray] = []
        self.time_s: list[np.ndarray] = []
        self.free_s: list[np.ndarray] = []
        self.queue_veh: list[np.ndarray] = []
        self.hour_starts: list[float] = []
        self.link_distance_m: list[np.ndarray] = []
        self.link_time_s: list[np.ndarray] = []
        self.closed: list[np.ndarray] = []
        self.charge_s: list[np.ndarray] = []

    def process(self, live: LiveCity) -> Generator[simpy.Event, Any, None]:
        """Note every interval as it ends, before agents have their turn."""
        hours = self._hours or frozenset(range(24))
        last = (-1, -1)
        while True:
            local = live.local()
            yield live.wait(live.step_s, Phase.SENSORS)
            interval = live.interval
            assert interval is not None
            distance, time = interval.vehicle_distance_m, interval.vehicle_time_s
            self.distance_m.append(self._share @ distance)
            self.time_s.append(self._share @ time)
            self.free_s.append(self._share @ (distance * self._pace[:, None]))
            self.queue_veh.append(self._share @ interval.queue_veh.sum(axis=1))
            if local.hour not in hours:
                continue
            if (local.dayofyear, local.hour) != last:
                last = (local.dayofyear, local.hour)
                self.hour_starts.append(interval.start_s)
                for sums in (self.link_distance_m, self.link_time_s):
                    sums.append(np.zeros(self._pace.size))
                for kept in (self.closed, self.charge_s):
                    kept.append(np.zeros((N_CLASSES, self._pace.size)))
            self.link_distance_m[-1] += distance.sum(axis=1)
            self.link_time_s[-1] += time.sum(axis=1)
            self.closed[-1], self.charge_s[-1] = live.closed().copy(), live.charge_s()


def noted_hours(start: Any, days: float, hours: Sequence[int] = SKIM_HOURS) -> tuple[int, ...]:
    """Which of some hours of day a run has; without any of them, the hour in its middle.

    Parameters
    ----------
    start : Timestamp
        Local time.
    days : float
    hours : sequence of int

    Examples
    --------
    >>> import pandas as pd
    >>> noted_hours(pd.Timestamp("2026-01-27 07:00"), 2 / 24), noted_hours(pd.Timestamp("2026-01-27 20:00"), 2 / 24)
    ((8,), (21,))
    """
    first = start.hour + start.minute / 60.0
    last = first + 24.0 * days
    found = tuple(h for h in hours if any(first <= h + 24 * k and h + 24 * k + 1 <= last + 1e-9 for k in (0, 1)))
    return found or (int((first + last) / 2) % 24,)
