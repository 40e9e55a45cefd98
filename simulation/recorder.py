"""The books: what every zone, link and sensor did, interval by interval, kept as arrays until the run ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.schemas import LINK_STATE, TARGETS, TIME_DTYPE, empty
from simulation.air.background import SPECIES
from simulation.demand.departures import DAY_TYPES
from simulation.link_state import LinkInterval, interval_table
from simulation.observe import SensorNetwork, SensorSample

if TYPE_CHECKING:
    from simulation.live import LiveCity

AIR_TRUTH = (
    "nox_g",
    "nox_ug_per_m3",
    "no2_ug_per_m3",
    "o3_ug_per_m3",
    "pm25_ug_per_m3",
    "pm10_ug_per_m3",
    "co2_g",
    "pm25_g",
    "pm10_g",
)
TRUTH = (
    "speed_mps", "flow_veh_per_h", "density_veh_per_km", "delay_s_per_km", "travel_time_index", *AIR_TRUTH,
    "laeq_db", "vehicle_distance_m", "vehicle_time_s",
)  # fmt: skip


class Recorder:
    """Collects one run's tables.

    Parameters
    ----------
    live : LiveCity
    sensors : SensorNetwork
    n_steps : int
        Intervals of the run.
    keep_link_state : bool
    """

    def __init__(self, live: LiveCity, sensors: SensorNetwork, n_steps: int, *, keep_link_state: bool) -> None:
        self.live, self.sensors, self.step_s = live, sensors, live.step_s
        self.zone_ids = list(live.city.zones["zone_id"])
        shape = (n_steps, len(self.zone_ids))
        self.truth = {name: np.full(shape, np.nan) for name in TRUTH}
        self.state = {name: np.full(shape, np.nan) for name in TARGETS}
        self.counts: list[dict[str, float]] = []
        self.samples: list[SensorSample] = []
        self._link_tables: list[pd.DataFrame] | None = [] if keep_link_state else None
        n_links, self._per_day = len(live.city.links), round(86_400 / self.step_s)
        self._profile = np.zeros((len(DAY_TYPES), self._per_day, 3, n_links))  # m, s, vehicles out
        self._profile_days = np.zeros((len(DAY_TYPES), self._per_day))
        self.start_s = live.env.now
        self.rows = 0
        self._at_receptors = np.zeros((len(live.city.receptors), len(SPECIES)))

    def book(self, interval: LinkInterval, truth: Mapping[str, np.ndarray]) -> None:
        """Enter an interval that has just ended."""
        for name in TRUTH:
            if name in truth:
                self.truth[name][self.rows] = truth[name]
        count = self.live.engine.counts()
        self.counts.append(
            {
                "time_s": interval.start_s + interval.step_s,
                "departed": count.departed,
                "arrived": count.arrived,
                "on_road": count.on_road,
                "waiting": count.waiting,
                "lost": count.lost,
                "forced": count.forced,
            }
        )
        local = (self.live.start + pd.Timedelta(seconds=interval.start_s)).tz_convert(self.live.city.timezone)
        kind, step = int(local.dayofweek >= 5), int((local.hour * 3600 + local.minute * 60) // self.step_s)
        cell = self._profile[kind, step]
        cell[0] += interval.vehicle_distance_m.sum(axis=1)
        cell[1] += interval.vehicle_time_s.sum(axis=1)
        cell[2] += interval.outflow_veh.sum(axis=1)
        self._profile_days[kind, step] += 1
        if self._link_tables is not None:
            self._link_tables.append(interval_table(interval, self.live.start))
        self.rows += 1

    def breathe(self, receptors: np.ndarray) -> None:
        """Enter the concentrations at every receptor over an interval, (R, S) ug/m3."""
        self._at_receptors += receptors

    def receptor_means(self) -> pd.DataFrame:
        """Mean concentration at every receptor over the run: the receptors and a column a species, ug/m3."""
        mean = self._at_receptors / max(self.rows, 1)
        return self.live.city.receptors.assign(**{f"{name}_ug_per_m3": mean[:, k] for k, name in enumerate(SPECIES)})

    def sample(self, sample: SensorSample, values: Mapping[str, np.ndarray]) -> None:
        """Enter what the sensors reported of the last booked interval."""
        self.samples.append(sample)
        for name, value in values.items():
            if name in self.state:
                self.state[name][self.rows - 1] = value

    def times(self) -> pd.DatetimeIndex:
        """Starts of the booked intervals, UTC."""
        seconds = self.start_s + np.arange(self.rows) * self.step_s
        return (self.live.start + pd.to_timedelta(seconds, unit="s")).astype(TIME_DTYPE)

    def zone_table(self, values: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Long table of zones by time."""
        n = len(self.zone_ids)
        return pd.DataFrame(
            {
                "zone_id": pd.Series(np.tile(np.array(self.zone_ids, dtype=object), self.rows), dtype="str"),
                "time": self.times().repeat(n),
                **{name: array[: self.rows].ravel() for name, array in values.items()},
            }
        )

    def link_state(self) -> pd.DataFrame:
        """Every link, interval and class that had a vehicle; empty unless it was asked for."""
        if not self._link_tables:
            return empty(LINK_STATE)
        return pd.concat(self._link_tables, ignore_index=True)

    def link_totals(self) -> pd.DataFrame:
        """Each link over the whole run: `link_id`, `vehicle_distance_m`, `vehicle_time_s`, `outflow_veh`."""
        distance, time, out = self._profile.sum(axis=(0, 1))
        return pd.DataFrame(
            {
                "link_id": np.arange(distance.size), "vehicle_distance_m": distance, "vehicle_time_s": time,
                "outflow_veh": out,
            }
        )  # fmt: skip

    def link_profile(self) -> pd.DataFrame:
        """Usual speed (share of free flow) and flow of each link by day type and step of the day.

        Columns `link_id`, `day_type`, `step_of_day`, `speed_ratio` (nan where nobody drove), `flow_veh_per_h`.
        """
        free = self.live.city.links["free_flow_speed_mps"].to_numpy(float)
        distance, time, out = (self._profile[:, :, k] for k in range(3))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(time > 0, distance / time / free, np.nan)
            flow = out / np.maximum(self._profile_days, 1)[:, :, None] * 3600.0 / self.step_s
        kind, step, link = (a.ravel() for a in np.indices(ratio.shape))
        seen = self._profile_days[kind, step] > 0
        names = np.array(DAY_TYPES, dtype=object)
        return pd.DataFrame(
            {
                "link_id": link[seen].astype(np.int32),
                "day_type": pd.Categorical(names[kind[seen]], categories=list(DAY_TYPES)),
                "step_of_day": step[seen].astype(np.int16),
                "speed_ratio": np.minimum(ratio.ravel()[seen], 1.0).astype(np.float32),
                "flow_veh_per_h": flow.ravel()[seen].astype(np.float32),
            }
        )
