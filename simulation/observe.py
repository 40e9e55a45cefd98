"""Sensors: what they report of the truth, and what a zone knows from them.

`place_sensors` (in `simulation.sensor_places`) chooses where they stand. `SensorNetwork.sample` reads one interval
through noise, outages, stuck electronics and spikes, and then does what a real data centre does: it throws out
impossible values and flat lines. It judges by its own readings alone, so a fault that nobody could notice stays in
the data. Every number is keyed by (seed, sensor, time), never by draw order: adding a sensor or cutting a run in two
changes no reading.

Sizes of noise and faults are assumptions in the range that operators of urban detectors and low-cost air stations
report: counts within 3 %, speeds within 2 % plus sampling, NO2 within 6 %, 2-4 % of readings missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

import numpy as np
import pandas as pd

from data.schemas import SENSOR_STATE, TARGETS, TIME_DTYPE
from data.units import KMH_PER_MPS
from simulation.air.background import SPECIES
from simulation.air.model import ZoneAir
from simulation.errors import RunError
from simulation.link_state import SPEED_KNOTS_KMH, LinkInterval
from simulation.sensor_places import place_sensors
from simulation.streams import normal, uniform
from zones.rollup import SensorRollup

__all__ = ["FAULTS", "QUANTITIES", "SensorNetwork", "SensorQuality", "SensorSample", "place_sensors"]

#: What sensors report, in the order of `SensorSample.values`: two by loops, three by air stations.
QUANTITIES: tuple[str, ...] = ("flow_veh_per_h", "speed_mps", "no2_ug_per_m3", "o3_ug_per_m3", "pm25_ug_per_m3")
_PACE_S_PER_M = KMH_PER_MPS / SPEED_KNOTS_KMH  # (bins,) time a metre takes at each knot of mean speed
#: `SensorSample.fault` codes and what the network writes for them.
FAULTS: tuple[str | None, ...] = (None, "outage", "range", "flatline")


class _Purpose(IntEnum):
    """Streams of random numbers, apart from those of `simulation.streams.Purpose`."""

    COUNT_NOISE = 203
    SPEED_NOISE = 204
    AIR_NOISE = 205
    DRIFT = 207
    OUTAGE = 208
    STUCK = 209
    SPIKE = 210


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorQuality:
    """How good the sensors are. Shares are relative standard deviations."""

    count_noise: float = 0.03  # of a loop's volume
    speed_noise: float = 0.02  # of a loop's mean speed
    vehicle_speed_noise: float = 0.05  # of each single vehicle's, besides: over sqrt(n) in the mean
    air_noise: tuple[float, float, float] = (0.06, 0.05, 0.10)  # NO2, ozone, PM2.5
    air_floor_ug: tuple[float, float, float] = (0.6, 1.0, 0.4)  # absolute noise, ug/m3
    drift_per_day: float = 0.001  # of NO2 and PM2.5, restarting at a calibration every 30 days
    outages_per_day: float = 0.14
    outage_hours: float = 4.0  # mean, exponential
    stuck_per_day: float = 0.012
    stuck_hours: float = 7.0
    spikes_per_reading: float = 0.0004
    flatline_hours: float = 3.0  # the network's filter
    readable_share: float = 0.5  # of a zone's loops, by capacity, below which it says nothing of its traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorSample:
    """What N sensors reported over one interval."""

    start_s: float
    values: np.ndarray  # (N, 5) order of `QUANTITIES`; nan where not measured, missing or thrown out
    fault: np.ndarray  # (N,) int8, index into `FAULTS`


class SensorNetwork:
    """All sensors of a city, read interval by interval.

    Parameters
    ----------
    sensors, links, zones : DataFrame
        Columns of the schemas of those names.
    seed : int
    start : Timestamp
        When `LinkInterval.start_s` is zero, UTC.
    step_s : float
        Length of an interval, s.
    receptors : DataFrame, optional
        The air model's receptors: a station reads the one of its name. Without, stations report nothing.
    quality : SensorQuality

    Raises
    ------
    RunError
        If a sensor stands in a zone or on a link that is not there, or a station at no receptor.
    """

    def __init__(
        self,
        sensors: pd.DataFrame,
        links: pd.DataFrame,
        zones: pd.DataFrame,
        *,
        seed: int,
        start: pd.Timestamp,
        step_s: float,
        receptors: pd.DataFrame | None = None,
        quality: SensorQuality | None = None,
    ) -> None:
        self.sensor_ids = list(sensors["sensor_id"])
        self.zone_ids = list(zones["zone_id"])
        self.quality = quality or SensorQuality()
        self._seed, self._start, self.step_s = seed, pd.Timestamp(start), float(step_s)
        self._key = np.array([crc32(name.encode()) for name in self.sensor_ids], dtype=np.int64)
        self._zone = pd.Index(self.zone_ids).get_indexer(sensors["zone_id"])
        is_loop = (sensors["kind"] == "loop").to_numpy()
        self._loop, self._air = np.flatnonzero(is_loop), np.flatnonzero(~is_loop)
        self._link = sensors["link_id"].to_numpy()[self._loop]
        if (self._zone < 0).any() or (self._link < 0).any() or (self._link >= len(links)).any():
            bad = [s for s, z in zip(self.sensor_ids, self._zone) if z < 0]
            bad += [self.sensor_ids[i] for i, k in zip(self._loop, self._link) if not 0 <= k < len(links)]
            raise RunError(f"sensor(s) {bad[:5]} stand in a zone or on a link that the city does not have")
        self._receptor = self._station_rows(receptors)
        capacity = links["capacity_veh_per_s"].to_numpy(dtype=float)[self._link] * 3600.0
        n = len(self.sensor_ids)
        # Upper limits of a believable reading; nothing that is measured can be below zero.
        self._high = np.full((n, len(QUANTITIES)), np.inf)
        self._high[self._loop, 0] = 1.3 * capacity + 60.0
        self._high[self._loop, 1] = 55.0
        self._high[self._air, 2:] = np.array([500.0, 400.0, 600.0])
        self._loop_zone, self._capacity = self._zone[self._loop], capacity
        self._zone_capacity = self._sum(capacity)
        self._rollup = SensorRollup(sensors, links, self.zone_ids)
        self._last = np.full((n, len(QUANTITIES)), np.nan)  # what the electronics last measured
        self._same_s = np.zeros((n, len(QUANTITIES)))  # for how long it has not moved, s
        self._days: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def sample(self, interval: LinkInterval, zone_air: ZoneAir | None) -> SensorSample:
        """Read every sensor over one interval.

        Parameters
        ----------
        interval : LinkInterval
        zone_air : ZoneAir or None
            None where air is not simulated: stations then report nothing.

        Returns
        -------
        SensorSample
        """
        second = round(self._start.timestamp() + interval.start_s)
        measured = np.full((len(self.sensor_ids), len(QUANTITIES)), np.nan)
        measured[self._loop, 0], measured[self._loop, 1] = self._read_loops(interval, second)
        if zone_air is not None and self._receptor is not None:
            measured[self._air, 2:] = self._read_stations(zone_air, second)
        spike = uniform(self._seed, second, self._key, _Purpose.SPIKE)
        jump = spike < self.quality.spikes_per_reading
        if jump.any():
            measured[jump] *= 3.0 + 4.0 * (spike[jump, None] / self.quality.spikes_per_reading)
        down, stuck = self._broken(second)
        stuck &= ~np.isnan(self._last).all(axis=1)  # a sensor needs a first reading to be stuck at
        measured = np.where(stuck[:, None], self._last, measured)
        same = (measured == self._last) & (measured > 0)
        self._same_s = np.where(same, self._same_s + interval.step_s, 0.0)
        self._last = measured
        return self._filtered(interval.start_s, measured, down)

    def zone_values(self, sample: SensorSample) -> dict[str, np.ndarray]:
        """What each zone knows from its sensors: the `zone_state` of the interval.

        Weights are those of `zones.rollup.SensorRollup`. If some of a zone's loops are silent, the others stand in
        for their flow in proportion to capacity, so that an outage does not look like an empty street; a zone of
        whose loops less than half the capacity reports says nothing of its traffic.

        Returns
        -------
        dict of ndarray, shape (Z,)
            One array for each of `data.schemas.TARGETS`; nan where unknown.
        """
        loop, values = self._loop, sample.values
        flow = values[loop, 0]
        known = ~np.isnan(flow)
        heard = self._sum(known * self._capacity)
        enough = heard >= self.quality.readable_share * self._zone_capacity
        passed = self._sum(np.where(known, flow, 0.0))
        per_capacity = np.divide(passed, heard, out=np.full(heard.shape, np.nan), where=enough & (heard > 0))
        readings = {name: values[:, QUANTITIES.index(name)].copy() for name in TARGETS}
        readings["flow_veh_per_h"][loop] = np.where(
            known & enough[self._loop_zone], flow, self._capacity * per_capacity[self._loop_zone]
        )
        readings["speed_mps"][loop] = np.where(enough[self._loop_zone], values[loop, 1], np.nan)
        known_of_zones = self._rollup.values(readings)
        return {name: known_of_zones[name] for name in TARGETS}

    def table(self, samples: Sequence[SensorSample]) -> pd.DataFrame:
        """The `sensor_state` rows of many intervals, by time, then sensor."""
        n, count = len(self.sensor_ids), len(samples)
        times = self._start + pd.to_timedelta([sample.start_s for sample in samples], unit="s")
        values = np.concatenate([s.values for s in samples]) if samples else np.empty((0, len(QUANTITIES)))
        codes = np.concatenate([s.fault for s in samples]) if samples else np.empty(0, dtype=int)
        table = pd.DataFrame(
            {
                "sensor_id": pd.Series(np.tile(np.array(self.sensor_ids, dtype=object), count), dtype="str"),
                "time": pd.Series(times.repeat(n)).astype(TIME_DTYPE),
                **{name: values[:, column] for column, name in enumerate(QUANTITIES)},
                "fault": pd.Series(np.array(FAULTS, dtype=object)[codes], dtype="str"),
            }
        )
        return table[list(SENSOR_STATE.names)]

    def state(self) -> dict[str, np.ndarray]:
        """What the next reading depends on besides its own time."""
        return {"last": self._last.copy(), "same_s": self._same_s.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from `state()`.

        Raises
        ------
        RunError
            If the state is of another number of sensors.
        """
        if np.shape(state["last"]) != self._last.shape:
            raise RunError(f"this state is of {len(state['last'])} sensors, the network has {len(self.sensor_ids)}")
        self._last, self._same_s = np.array(state["last"]), np.array(state["same_s"])

    def _station_rows(self, receptors: pd.DataFrame | None) -> np.ndarray | None:
        """Row of each air station's receptor."""
        if receptors is None:
            return None
        names = [self.sensor_ids[i] for i in self._air]
        rows = pd.Index(receptors["receptor_id"]).get_indexer(names)
        if (rows < 0).any():
            lacking = [name for name, row in zip(names, rows) if row < 0]
            raise RunError(f"air station(s) {lacking[:5]} have no receptor of their name; add them to the receptors")
        return rows

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """(Z,) sums over loops."""
        return np.bincount(self._loop_zone, values, len(self.zone_ids))

    def _read_loops(self, interval: LinkInterval, second: int) -> tuple[np.ndarray, np.ndarray]:
        """Volume at the stop line, veh/h, and space-mean speed over the link of those that passed it, m/s.

        No speed without a vehicle. The speed histogram is used rather than distance over time of the interval, which
        books half of a link at its entry and half at its exit and is far off where few vehicles pass.
        """
        quality, key = self.quality, self._key[self._loop]
        volume = interval.outflow_veh[self._link].sum(axis=1)
        miscount = 1.0 + quality.count_noise * normal(self._seed, second, key, _Purpose.COUNT_NOISE)
        seen = np.maximum(np.rint(volume * miscount), 0.0)
        distance = interval.speed_distance_m[self._link].sum(axis=1)  # (loops, bins)
        total, spent = distance.sum(axis=1), distance @ _PACE_S_PER_M
        moving = (seen > 0) & (spent > 0)
        spread = np.sqrt(quality.speed_noise**2 + quality.vehicle_speed_noise**2 / np.maximum(volume, 1.0))
        noise = np.exp(spread * normal(self._seed, second, key, _Purpose.SPEED_NOISE))
        speed = np.where(moving, total / np.where(moving, spent, 1.0) * noise, np.nan)
        return seen * 3600.0 / interval.step_s, np.round(speed, 3)

    def _read_stations(self, air: ZoneAir, second: int) -> np.ndarray:
        """NO2, ozone and PM2.5 at each station's own spot, ug/m3, to a tenth."""
        quality, key = self.quality, self._key[self._air]
        truth = air.receptors[self._receptor][:, [SPECIES.index(name) for name in ("no2", "o3", "pm25")]]
        z = normal(self._seed, second, key[:, None], _Purpose.AIR_NOISE, index=np.arange(3)[None, :])
        age_days = (second / 86_400.0 + key % 30) % 30.0
        direction = normal(self._seed, 0, key, _Purpose.DRIFT)
        drift = 1.0 + quality.drift_per_day * (age_days * direction)[:, None] * np.array([1.0, 0.0, 1.0])
        level = truth * drift
        noise = np.hypot(np.array(quality.air_noise) * level, np.array(quality.air_floor_ug)) * z
        return np.maximum(np.round(level + noise, 1), 0.0)

    def _broken(self, second: int) -> tuple[np.ndarray, np.ndarray]:
        """Which sensors are down, and which are stuck, at an instant."""
        day = second // 86_400
        down, stuck = np.zeros(len(self._key), dtype=bool), np.zeros(len(self._key), dtype=bool)
        for before in range(3):  # spells are cut at two days
            if day - before not in self._days:
                self._days[day - before] = (
                    self._spells(
                        day - before, _Purpose.OUTAGE, self.quality.outages_per_day, self.quality.outage_hours
                    ),
                    self._spells(day - before, _Purpose.STUCK, self.quality.stuck_per_day, self.quality.stuck_hours),
                )
            for hit, spells in zip((down, stuck), self._days[day - before]):
                hit |= ((spells[..., 0] <= second) & (second < spells[..., 1])).any(axis=1)
        for old in [known for known in self._days if known < day - 2]:
            del self._days[old]
        return down, stuck

    def _spells(self, day: int, purpose: _Purpose, per_day: float, hours: float) -> np.ndarray:
        """Start and end, s since 1970, of up to two faults that begin on a day, (N, 2, 2): thinned Poisson starts."""
        index = np.arange(2)[None, :]
        key = self._key[:, None]
        begins = uniform(self._seed, day, key, purpose, index=index) < per_day / 2
        start = (day + uniform(self._seed, day, key, purpose, index=index + 2)) * 86_400.0
        lasts = -hours * 3600.0 * np.log(uniform(self._seed, day, key, purpose, index=index + 4))
        end = np.where(begins, start + np.minimum(lasts, 172_800.0), start)
        return np.stack([start, end], axis=-1)

    def _filtered(self, start_s: float, measured: np.ndarray, down: np.ndarray) -> SensorSample:
        """What the data centre keeps of the raw readings."""
        wild = measured > self._high
        # Volumes of a quiet street repeat by chance, mean speeds and concentrations do not; zeros are never flat.
        flat = (self._same_s[:, 1:] + self.step_s >= self.quality.flatline_hours * 3600.0).any(axis=1)
        code = np.where(down, 1, np.where(wild.any(axis=1), 2, np.where(flat, 3, 0))).astype(np.int8)
        values = np.where(code[:, None] > 0, np.nan, measured)
        return SensorSample(start_s=start_s, values=values, fault=code)
