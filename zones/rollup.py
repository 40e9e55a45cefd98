"""From links and sensors to zones.

Traffic in a zone follows Edie's generalised definitions (Edie 1963, Proc. 2nd Int. Symp. on the Theory of Road Traffic
Flow, 139-154) over the streets of the zone and one interval, as Saberi et al. (2014, doi:10.3141/2422-02) apply them to
networks: with d the distance and t the time that all vehicles spent there, and L the length of street over an interval
T, speed = d / t, flow = d / (L T), density = t / (L T).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from data.units import SECONDS_PER_HOUR
from zones.errors import ZoneError

_MAX_DELAY_S_PER_KM, _MAX_INDEX = 1e5, 1e4  # the limits of `data.schemas`: over a day for a kilometre
_BLOCK = 32  # intervals that are rolled up at a time, to stay in a processor's cache
_AIR = ("no2_ug_per_m3", "o3_ug_per_m3", "pm25_ug_per_m3")


class ZoneRollup:
    """Adds up links by zone, for one interval at a time.

    Parameters
    ----------
    link_zone : DataFrame
        `link_id`, `zone_id`, `share`.
    links : DataFrame
        `link_id` (0..L-1 in row order), `length_m`, `free_flow_speed_mps`.
    zone_ids : sequence of str
        Order of the results, Z of them.

    Raises
    ------
    ZoneError
        If `link_zone` names a link or zone that is not there.
    """

    def __init__(self, link_zone: pd.DataFrame, links: pd.DataFrame, zone_ids: Sequence[str]) -> None:
        self.zone_ids = list(map(str, zone_ids))
        row = pd.Index(self.zone_ids).get_indexer(link_zone["zone_id"].astype("str"))
        column = pd.Index(links["link_id"]).get_indexer(link_zone["link_id"])
        if (row < 0).any() or (column < 0).any():
            wrong = link_zone[(row < 0) | (column < 0)].iloc[0]
            raise ZoneError(
                f"link_zone row (link {wrong['link_id']}, zone {wrong['zone_id']}) names a link or zone that is not in"
                " the tables; make it anew with zones.link_zone"
            )
        shape = (len(self.zone_ids), len(links))
        self._share = sparse.csr_array((link_zone["share"].to_numpy(), (row, column)), shape=shape)
        self._pace = 1.0 / links["free_flow_speed_mps"].to_numpy()
        self.length_m = self._share @ links["length_m"].to_numpy()  # (Z,) street, each direction counted

    def total(self, per_link: np.ndarray) -> np.ndarray:
        """Sum by zone of something that links have, shared by length; shape (L,) or (L, k) to (Z,) or (Z, k)."""
        return self._share @ per_link

    def traffic(
        self,
        vehicle_distance_m: np.ndarray,
        vehicle_time_s: np.ndarray,
        step_s: float,
        *,
        free_flow_speed_mps: np.ndarray | None = None,
    ) -> dict[str, np.ndarray]:
        """Zone traffic of one interval (or of k intervals in columns).

        A link's distance is booked half at entry and half at exit, its time as it passes. So a zone that few vehicles
        visit may seem faster than its streets allow, or stand for longer than any trip lasts. Speed is therefore held
        at or below free flow, delay and index below the tables' limits; distance and time stay as they were booked.

        Parameters
        ----------
        vehicle_distance_m, vehicle_time_s : ndarray, shape (L,) or (L, k)
            All vehicle classes together.
        step_s : float
            Length of an interval, s.
        free_flow_speed_mps : ndarray, shape (L,), optional
            Where speeds have been changed since; those of `links` if not given.

        Returns
        -------
        dict of ndarray, shape (Z,) or (Z, k)
            `vehicle_distance_m`, `vehicle_time_s`; `speed_mps` (`nan` where nobody drove), `flow_veh_per_h`,
            `density_veh_per_km`; `delay_s_per_km`, the time above free flow of the links driven on; and
            `travel_time_index`, time over free-flow time, at least 1.
        """
        distance, time = self.total(vehicle_distance_m), np.maximum(self.total(vehicle_time_s), 0.0)
        pace = self._pace if free_flow_speed_mps is None else 1.0 / free_flow_speed_mps
        free_time = self.total(vehicle_distance_m * (pace if vehicle_distance_m.ndim == 1 else pace[:, None]))
        length = self.length_m if distance.ndim == 1 else self.length_m[:, None]
        driven = (distance > 0.0) & (time > 0.0)
        spent = np.maximum(time, free_time)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            span = np.where(length > 0.0, length * step_s, np.nan)
            delay = np.minimum((spent - free_time) / distance * 1000.0, _MAX_DELAY_S_PER_KM)
            index = np.minimum(spent / free_time, _MAX_INDEX)
            return {
                "vehicle_distance_m": distance,
                "vehicle_time_s": time,
                "speed_mps": np.where(driven, distance / spent, np.nan),
                "flow_veh_per_h": distance / span * SECONDS_PER_HOUR,
                "density_veh_per_km": time / span * 1000.0,
                "delay_s_per_km": np.where(driven, delay, np.nan),
                "travel_time_index": np.where(driven, index, np.nan),
            }


def zone_traffic(
    link_state: pd.DataFrame, link_zone: pd.DataFrame, links: pd.DataFrame, *, step_s: float | None = None
) -> pd.DataFrame:
    """Zone traffic of every interval of a `link_state` table.

    Parameters
    ----------
    link_state : DataFrame
        `link_id`, `time`, `vehicle_distance_m`, `vehicle_time_s`; vehicle classes are added up.
    link_zone : DataFrame
        `link_id`, `zone_id`, `share`.
    links : DataFrame
        `link_id`, `length_m`, `free_flow_speed_mps`.
    step_s : float, optional
        Length of an interval; the shortest gap between times if not given.

    Returns
    -------
    DataFrame
        `zone_id`, `time` and the columns of `ZoneRollup.traffic`; every zone at every time of the table, by zone.

    Raises
    ------
    ZoneError
        If the step is neither given nor told by two different times, or a row is of an unknown link.
    """
    times, column = _instants(link_state["time"])
    if step_s is None:
        if len(times) < 2:
            raise ZoneError("link_state holds one interval only; give its length as step_s")
        step_s = float(np.diff(times.asi8).min()) / (pd.Timedelta(1, unit="s") / pd.Timedelta(1, unit=times.unit))
    zone_ids = sorted(link_zone["zone_id"].astype("str").unique())
    rollup = ZoneRollup(link_zone, links, zone_ids)
    ids = link_state["link_id"].to_numpy()
    sums = [link_state[name].to_numpy(dtype=float) for name in ("vehicle_distance_m", "vehicle_time_s")]
    if (column[1:] < column[:-1]).any():
        order = np.argsort(column, kind="stable")
        column, ids, sums = column[order], ids[order], [each[order] for each in sums]
    known = links["link_id"].to_numpy()
    parts = []
    for first in range(0, len(times), _BLOCK):
        width = min(_BLOCK, len(times) - first)
        rows = slice(*np.searchsorted(column, [first, first + width]))
        at = _rows_of(ids[rows], known)
        if (at < 0).any():
            wrong = ids[rows][at < 0]
            raise ZoneError(
                f"link_state has {len(wrong)} row(s) or more of links that are not in the links table, first link"
                f" {wrong[0]}"
            )
        at = at * width + (column[rows] - first)
        distance, time = (
            np.bincount(at, each[rows], minlength=len(links) * width).reshape(len(links), width) for each in sums
        )
        parts.append(rollup.traffic(distance, time, step_s))
    zone_column = pd.array(zone_ids, dtype="str").repeat(len(times))
    keys = {"zone_id": zone_column, "time": times[np.tile(np.arange(len(times)), len(zone_ids))]}
    values = {name: np.concatenate([part[name] for part in parts], axis=1).ravel() for name in parts[0]}
    return pd.DataFrame(keys | values, copy=False)


def _instants(time: pd.Series) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Distinct times in order, and the place of each row's time among them."""
    stamps = pd.DatetimeIndex(time)
    ticks = stamps.asi8
    starts = np.append(0, np.flatnonzero(ticks[1:] != ticks[:-1]) + 1)  # of runs of one time: tables come in its order
    times = stamps[starts].unique().sort_values()
    place = times.get_indexer(stamps[starts])
    return times, np.repeat(place, np.diff(np.append(starts, len(ticks))))


def _rows_of(ids: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Row of each id in a table of distinct whole numbers; -1 where it is not there."""
    if len(table) == 0 or table.min() < 0 or table.max() > 50_000_000:
        return pd.Index(table).get_indexer(ids)
    row = np.full(int(table.max()) + 1, -1, dtype=np.int64)
    row[table] = np.arange(len(table))
    known = (ids >= 0) & (ids < len(row))
    return row[ids] if known.all() else np.where(known, row[np.where(known, ids, 0)], -1)


class SensorRollup:
    """From what sensors report to what is known of a zone.

    Flow is the mean over the zone's loops, weighted by lanes times length of the loop's link; loops stand on main
    streets, so a zone's flow reads too high by the ratio of the flow there to that of all its streets. Speed is the
    harmonic mean, weighted by flow times length: the time to drive the sensed links, each as often as it is driven; a
    space mean, biased towards the sensed streets. Air is the mean over the zone's stations.

    Parameters
    ----------
    sensors : DataFrame
        `sensor_id`, `kind`, `zone_id`, `link_id`; S rows.
    links : DataFrame
        `link_id`, `length_m`, `lanes`.
    zone_ids : sequence of str
        Order of the results, Z of them.
    """

    def __init__(self, sensors: pd.DataFrame, links: pd.DataFrame, zone_ids: Sequence[str]) -> None:
        self.zone_ids = list(map(str, zone_ids))
        self.sensor_ids = sensors["sensor_id"].astype("str").tolist()
        zone = pd.Index(self.zone_ids).get_indexer(sensors["zone_id"].astype("str"))
        at = pd.Index(links["link_id"]).get_indexer(sensors["link_id"])
        loop = (sensors["kind"] == "loop").to_numpy()
        if (zone < 0).any() or (loop & (at < 0)).any():
            wrong = sensors[(zone < 0) | (loop & (at < 0))].iloc[0]
            raise ZoneError(
                f"sensor {wrong['sensor_id']} stands in zone {wrong['zone_id']}, link {wrong['link_id']}: unknown"
            )
        length = np.where(loop, links["length_m"].to_numpy()[at], 0.0)
        lanes = np.where(loop, links["lanes"].to_numpy()[at], 0.0)
        n = len(sensors)
        self._member = sparse.csr_array((np.ones(n), (zone, np.arange(n))), shape=(len(self.zone_ids), n))
        self._length, self._lane_length = length, length * lanes

    def values(self, readings: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Zone values of one interval (or of k in columns).

        Parameters
        ----------
        readings : dict of ndarray, shape (S,) or (S, k)
            `flow_veh_per_h`, `speed_mps`, and air quantities, those that there are; `nan` where a sensor is silent.

        Returns
        -------
        dict of ndarray, shape (Z,) or (Z, k)
            The same names; `nan` where no sensor of the zone reports.
        """
        out: dict[str, np.ndarray] = {}
        if "flow_veh_per_h" in readings:
            out["flow_veh_per_h"] = self._mean(readings["flow_veh_per_h"], self._lane_length)
        if "speed_mps" in readings:
            out["speed_mps"] = self._speed(readings["speed_mps"], readings.get("flow_veh_per_h"))
        for name in _AIR:
            if name in readings:
                out[name] = self._mean(readings[name], np.ones(len(self.sensor_ids)))
        return out

    def _mean(self, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
        weight = weight if values.ndim == 1 else weight[:, None]
        there = np.where(np.isfinite(values), weight, 0.0)
        total = self._member @ there
        top = self._member @ (there * np.nan_to_num(values))
        return np.divide(top, total, out=np.full(total.shape, np.nan), where=total > 0.0)

    def _speed(self, speed: np.ndarray, flow: np.ndarray | None) -> np.ndarray:
        length = self._length if speed.ndim == 1 else self._length[:, None]
        weight = length * (np.ones_like(speed) if flow is None else np.nan_to_num(flow))
        there = np.where(np.isfinite(speed) & (speed > 0.0), weight, 0.0)
        time = self._member @ np.divide(there, speed, out=np.zeros_like(there), where=there > 0.0)
        return np.divide(self._member @ there, time, out=np.full(time.shape, np.nan), where=time > 0.0)


def sensor_rollup(
    sensor_state: pd.DataFrame, sensors: pd.DataFrame, links: pd.DataFrame, *, zone_ids: Sequence[str] | None = None
) -> pd.DataFrame:
    """`zone_state` rows from a `sensor_state` table: see `SensorRollup` for the weights and their bias.

    A reading that the network itself has flagged (`fault` is set) is left out.

    Parameters
    ----------
    sensor_state : DataFrame
        `sensor_id`, `time`, and what sensors measure.
    sensors, links : DataFrame
        See `SensorRollup`.
    zone_ids : sequence of str, optional
        Zones to report; those with a sensor if not given.

    Returns
    -------
    DataFrame
        `zone_id`, `time` and the measured quantities; every zone at every time, missing where no sensor reports.

    Raises
    ------
    ZoneError
        If a reading is of a sensor that is not in `sensors`.
    """
    zone_ids = sorted(sensors["zone_id"].astype("str").unique()) if zone_ids is None else list(zone_ids)
    rollup = SensorRollup(sensors, links, zone_ids)
    times = pd.DatetimeIndex(sensor_state["time"].unique()).sort_values()
    row = pd.Index(rollup.sensor_ids).get_indexer(sensor_state["sensor_id"].astype("str"))
    if (row < 0).any():
        wrong = sensor_state["sensor_id"][row < 0].iloc[0]
        raise ZoneError(f"sensor_state has readings of sensor {wrong}, which is not in the sensors table")
    column = times.get_indexer(sensor_state["time"])
    sound = sensor_state["fault"].isna().to_numpy() if "fault" in sensor_state else np.ones(len(row), dtype=bool)
    readings = {}
    for name in ("flow_veh_per_h", "speed_mps", *_AIR):
        if name in sensor_state:
            grid = np.full((len(sensors), len(times)), np.nan)
            grid[row[sound], column[sound]] = sensor_state[name].to_numpy(dtype=float, na_value=np.nan)[sound]
            readings[name] = grid
    keys = {"zone_id": np.repeat(zone_ids, len(times)), "time": np.tile(times, len(zone_ids))}
    table = pd.DataFrame(keys | {name: grid.ravel() for name, grid in rollup.values(readings).items()})
    return table.astype({"zone_id": "str"})
