"""From real sensors to zones: readings on a common step, the flagged left out, rolled up without any street.

As `zones.rollup.SensorRollup` on streets: flow is a mean over a zone's sensors, speed the harmonic mean weighted by
flow (space mean of what was sensed), air a plain mean. A zone of whose sensors less than half report says nothing; a
silent counter's place is taken by the others in proportion to what each usually counts, so that an outage does not look
like an empty street.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data.schemas import OBSERVED_QUANTITIES, ZONE_QUANTITIES, ZONE_STATE, validate
from zones.errors import ZoneError

#: Share of the readings of a longer step, and of a zone's sensors, that must be there (assumed).
READABLE_SHARE = 0.5
_COUNTS = ("flow_veh_per_h", "pedestrians_per_h")


def on_step(table: pd.DataFrame, *, given_s: int, step_s: int) -> pd.DataFrame:
    """Readings on a longer step: counts and air by their means, speeds by their harmonic means.

    Parameters
    ----------
    table : DataFrame
        `data.schemas.OBSERVATIONS`, flagged readings already gaps.
    given_s, step_s : int
        Step of the table and step wanted, a multiple of it, s; steps count from midnight UTC.

    Raises
    ------
    ZoneError
        If the step is no multiple, or does not divide a day.
    """
    if step_s % given_s or 86_400 % step_s:
        raise ZoneError(f"step_s={step_s}: it must be a multiple of the readings' {given_s} s and divide a day")
    names = [q for q in OBSERVED_QUANTITIES if q in table]
    at = table["time"].dt.floor(pd.Timedelta(seconds=step_s))
    if step_s == given_s and (at == table["time"]).all():
        return table[["sensor_id", "time", *names]]
    values = {q: 1.0 / table[q].where(table[q] > 0) if q == "speed_mps" else table[q] for q in names}
    grouped = pd.DataFrame({"sensor_id": table["sensor_id"], "time": at, **values}).groupby(["sensor_id", "time"])
    mean = grouped.mean().where(grouped.count() >= READABLE_SHARE * step_s / given_s)
    if "speed_mps" in mean:
        mean["speed_mps"] = 1.0 / mean["speed_mps"]
    return mean.reset_index()


def measured_zone_state(
    table: pd.DataFrame, zone_of: pd.Series, zone_ids: Sequence[str], *, times: pd.DatetimeIndex | None = None
) -> pd.DataFrame:
    """`zone_state` from readings of real sensors.

    Parameters
    ----------
    table : DataFrame
        `data.schemas.OBSERVATIONS` on one step, flagged readings already gaps.
    zone_of : Series
        `zone_id` by `sensor_id`; readings of other sensors are left out.
    zone_ids : sequence of str
        Zones to report.
    times : DatetimeIndex, optional
        Times to report, ascending, among them those of the table; default the table's.

    Returns
    -------
    DataFrame
        `data.schemas.ZONE_STATE`: every zone at every time of the table, null where no sensor says.

    Raises
    ------
    ZoneError
        If no reading is of a sensor in a zone.
    """
    names = [q for q in OBSERVED_QUANTITIES if q in table and q in ZONE_QUANTITIES]
    sensors = sorted(set(table["sensor_id"].astype("str")) & set(zone_of.index.astype("str")))
    if not sensors or not names:
        raise ZoneError("no reading is of a sensor that stands in a zone")
    if times is None:
        times = pd.DatetimeIndex(table["time"].unique()).sort_values()
    row = pd.Index(sensors).get_indexer(table["sensor_id"].astype("str"))
    column = times.get_indexer(table["time"])
    inside = row >= 0
    zone = pd.Index(list(map(str, zone_ids))).get_indexer(zone_of.reindex(sensors).astype("str"))
    if (zone < 0).any():
        raise ZoneError(f"sensor {sensors[int(np.argmax(zone < 0))]} stands in a zone that is not in the table")
    member = np.zeros((len(zone_ids), len(sensors)))
    member[zone, np.arange(len(sensors))] = 1.0
    grid = {}
    for name in names:
        values = np.full((len(sensors), len(times)), np.nan)
        values[row[inside], column[inside]] = table[name].to_numpy(dtype=float, na_value=np.nan)[inside]
        grid[name] = values
    out = {}
    for name, values in grid.items():
        if name == "speed_mps":
            out[name] = _speed(values, grid.get("flow_veh_per_h"), member)
        else:
            out[name] = _mean(values, member, scaled=name in _COUNTS)
    keys = {"zone_id": np.repeat(list(map(str, zone_ids)), len(times)), "time": np.tile(times, len(zone_ids))}
    state = pd.DataFrame(keys | {name: values.ravel() for name, values in out.items()}).astype({"zone_id": "str"})
    return validate(state, ZONE_STATE)


def _mean(values: np.ndarray, member: np.ndarray, *, scaled: bool) -> np.ndarray:
    """Mean over each zone's sensors; where `scaled`, each sensor's silence is filled by the others' share of usual."""
    known = np.isfinite(values)
    heard = known.any(axis=1)
    usual = np.ones(len(values))
    if scaled:
        usual = np.where(heard, np.nan_to_num(values).sum(axis=1) / np.maximum(known.sum(axis=1), 1), 0.0)
        usual = np.maximum(usual, 1e-9)
    alive = member * heard
    n = np.maximum(alive.sum(axis=1, keepdims=True), 1.0)
    there = (member * usual) @ known
    top = member @ np.nan_to_num(values)
    size = (alive * usual).sum(axis=1, keepdims=True) / n
    enough = _enough(known, alive)
    return np.divide(top * size, there, out=np.full(top.shape, np.nan), where=enough & (there > 0))


def _speed(speed: np.ndarray, flow: np.ndarray | None, member: np.ndarray) -> np.ndarray:
    """Harmonic mean, weighted by flow where every counted sensor has one."""
    known = np.isfinite(speed) & (speed > 0.0)
    weight = np.ones_like(speed)
    if flow is not None:
        usual = np.nanmean(flow, axis=1, keepdims=True, where=np.isfinite(flow)) if np.isfinite(flow).any() else 1.0
        usual = np.where(np.isfinite(usual), usual, 1.0)
        weight = np.where(np.isfinite(flow), np.maximum(flow, 1e-6), np.maximum(usual, 1e-6))
    weight = np.where(known, weight, 0.0)
    time = member @ np.divide(weight, speed, out=np.zeros_like(weight), where=known)
    total = member @ weight
    enough = _enough(known, member * np.isfinite(speed).any(axis=1))
    return np.divide(total, time, out=np.full(total.shape, np.nan), where=enough & (time > 0.0))


def _enough(known: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Whether at least half of a zone's sensors report; those that never do are not counted."""
    heard = alive @ known
    return np.asarray((heard > 0) & (heard >= READABLE_SHARE * alive.sum(axis=1, keepdims=True)))
