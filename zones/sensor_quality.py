"""Readings that no one should learn from: out of range, stuck, spiking; and the report of each sensor's quality.

The rules are those of the simulated network's filter (`simulation.observe`), made fit for measured data: a stuck sensor
is one that repeats itself for hours *and* longer than chance explains, because rounded readings repeat. All rules but
one look back only; a spike is told from a jam by the one reading after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.schemas import OBSERVED_QUANTITIES

#: Largest believable reading of one sensor (assumed): 198 km/h; five lanes at 2,400 veh/h; a crowded square; hourly
#: means of air as `data.schemas.STATION_POLLUTANTS` has them.
LIMITS: dict[str, float] = {
    "speed_mps": 55.0, "flow_veh_per_h": 12_000.0, "occupancy_share": 1.0, "pedestrians_per_h": 5e4,
    "nox_ug_per_m3": 5e3, "no2_ug_per_m3": 2e3, "o3_ug_per_m3": 1.5e3, "pm25_ug_per_m3": 2e3, "pm10_ug_per_m3": 1e4,
    "so2_ug_per_m3": 5e3, "co_ug_per_m3": 1e5,
}  # fmt: skip
FAULTS = ("out_of_range", "stuck", "spike")
FLATLINE_HOURS = 3.0  # as `simulation.observe`
#: A run of equal readings is stuck where chance makes one as long less often than this in the whole series (assumed).
FALSE_ALARMS = 0.01
_PRIOR_PAIRS = 20.0  # weight of the sensor's own rate of repeating beside that of one value
_CHANCE_RUN = 12  # longer runs do not count for that rate, readings
#: A spike rises from the readings around it by this many robust standard deviations of the steps, while these two lie
#: closer than this share of the rise (assumed).
SPIKE_SCALES, SPIKE_RETURN = 12.0, 0.25
_SPIKE_RATIO = 2.0  # and is at least this many times the larger of the two, or less than one part in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Verdicts on a table's readings.

    Attributes
    ----------
    code : dict of str to ndarray of int8, shape (rows,)
        By quantity: 0 sound, else 1 + the place in `FAULTS`.
    """

    code: Mapping[str, np.ndarray]

    def sound(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with every flagged reading made a gap; a row that its source called faulty loses all."""
        named = table["fault"].notna().to_numpy() if "fault" in table else np.zeros(len(table), dtype=bool)
        return table.assign(**{q: table[q].mask((code > 0) | named) for q, code in self.code.items()})


def flagged(table: pd.DataFrame, *, step_s: float, limits: Mapping[str, float] = LIMITS) -> Flags:
    """Judge every reading.

    Parameters
    ----------
    table : DataFrame
        `data.schemas.OBSERVATIONS`, ordered by sensor, then time.
    step_s : float
        Length of an interval, s; a longer gap ends a run.
    limits : mapping of str to float
        Largest believable value by quantity.
    """
    sensor = pd.factorize(table["sensor_id"])[0]
    at = table["time"].to_numpy(dtype="datetime64[us]").astype(np.int64) // 1_000_000
    code = {}
    for name in (q for q in OBSERVED_QUANTITIES if q in table):
        value = table[name].to_numpy(dtype=float)
        verdict = np.zeros(len(table), dtype=np.int8)
        with np.errstate(invalid="ignore"):
            wild = (value < 0.0) | (value > limits.get(name, np.inf))
        known = np.flatnonzero(np.isfinite(value) & ~wild)
        verdict[known] = np.where(_spiking(value[known], sensor[known], at[known], step_s), 3, verdict[known])
        # volumes of a quiet street repeat by chance, and zeros are never flat
        verdict[known] = np.where(_stuck(value[known], sensor[known], at[known], step_s), 2, verdict[known])
        verdict[wild] = 1
        code[name] = verdict
    return Flags(code=code)


def _stuck(value: np.ndarray, sensor: np.ndarray, at: np.ndarray, step_s: float) -> np.ndarray:
    """Readings that have repeated themselves for too long, from the one on which it was too long."""
    n = value.size
    if n < 2:
        return np.zeros(n, dtype=bool)
    pair = (sensor[1:] == sensor[:-1]) & (np.diff(at) <= 1.5 * step_s)
    same = pair & (value[1:] == value[:-1])
    starts = np.concatenate([[True], ~same])
    run = np.cumsum(starts) - 1
    length = np.bincount(run)
    first = np.flatnonzero(starts)
    place = np.arange(n) - first[run]  # readings before this one in its run
    # how often this sensor repeats itself, and how often it repeats this very value, the run itself left out
    repeats = length - 1
    short = length <= _CHANCE_RUN
    of = sensor[first]
    total = np.bincount(of, np.where(short, length, 0.0)) + 1.0
    rate = (np.bincount(of, np.where(short, repeats, 0.0)) + 0.5) / total
    key = pd.DataFrame({"of": of, "value": value[first]}).groupby(["of", "value"], sort=False).ngroup().to_numpy()
    seen = np.bincount(key, length)[key] - length
    repeated = np.bincount(key, repeats)[key] - repeats
    chance = np.clip((repeated + _PRIOR_PAIRS * rate[of]) / (seen + _PRIOR_PAIRS), 1e-6, 0.98)
    count = np.bincount(of, length)[of]
    longest = 1.0 + np.log(FALSE_ALARMS / np.maximum(count, 1.0)) / np.log(chance)
    least = np.maximum(np.ceil(FLATLINE_HOURS * 3600.0 / step_s), longest)
    return np.asarray((place + 1 >= least[run]) & (value > 0.0))


def _spiking(value: np.ndarray, sensor: np.ndarray, at: np.ndarray, step_s: float) -> np.ndarray:
    """Single readings far off both neighbours, which agree with each other."""
    n = value.size
    out = np.zeros(n, dtype=bool)
    if n < 3:
        return out
    beside = (sensor[1:] == sensor[:-1]) & (np.diff(at) <= 1.5 * step_s)
    step = np.diff(value)
    moves = pd.DataFrame({"sensor": sensor[1:][beside], "step": np.abs(step[beside])})
    moves = moves[moves["step"] > 0]
    scale = moves.groupby("sensor")["step"].median().reindex(range(int(sensor.max()) + 1)).to_numpy() * 1.4826
    before, here, after = value[:-2], value[1:-1], value[2:]
    rise = np.minimum(np.abs(here - before), np.abs(here - after))
    large, small = np.maximum(before, after), np.minimum(before, after)
    with np.errstate(invalid="ignore"):
        far = (rise > SPIKE_SCALES * scale[sensor[1:-1]]) & (np.abs(after - before) < SPIKE_RETURN * rise)
    apart = (here > _SPIKE_RATIO * large) | (here * _SPIKE_RATIO < small)
    out[1:-1] = beside[:-1] & beside[1:] & ((here - before) * (here - after) > 0) & far & apart
    return out


def quality_report(
    table: pd.DataFrame,
    flags: Flags,
    coordinates: pd.Series,
    *,
    step_s: float,
    duplicates: Mapping[str, int] | None = None,
    span: tuple[pd.Timestamp, pd.Timestamp] | None = None,
) -> pd.DataFrame:
    """One row a sensor: what it reported, and what was wrong with it.

    Parameters
    ----------
    table : DataFrame
        `data.schemas.OBSERVATIONS`.
    flags : Flags
        Of the same rows.
    coordinates : Series of str
        Verdict by `sensor_id`, of every sensor.
    step_s : float
    duplicates : mapping of str to int, optional
        Rows dropped because they repeated another.
    span : tuple of Timestamp, optional
        First and last time at which a reading should be; default the table's.

    Returns
    -------
    DataFrame
        `sensor_id`, `rows`, `first`, `last`, `gaps_share` (readings that are not there, of all quantities and of all
        steps of the span), `duplicates_dropped`, `stuck`, `spikes`, `out_of_range`
        (readings), `coordinates`.
    """
    quantities = list(flags.code)
    ids = coordinates.index.astype("str")
    if span is None and len(table):
        span = table["time"].min(), table["time"].max()
    steps = 0.0 if span is None else (span[1] - span[0]).total_seconds() / step_s + 1.0
    by = table["sensor_id"].astype("str")
    known = table[quantities].notna().groupby(by).sum()
    measured = [q for q in quantities if known[q].any()]
    # a sensor that never measures a quantity has no gaps in it
    held = (known[measured] > 0).sum(axis=1)
    share = 1.0 - known[measured].sum(axis=1) / (held * steps).where(held > 0)
    counts = {
        name: sum(pd.Series(code == k + 1).groupby(by.to_numpy()).sum() for code in flags.code.values())
        for k, name in enumerate(FAULTS)
    }
    time = table.groupby(by)["time"]
    report = pd.DataFrame(
        {
            "rows": by.value_counts(), "first": time.min(), "last": time.max(), "gaps_share": share.clip(0, 1),
            "duplicates_dropped": pd.Series(dict(duplicates or {}), dtype="float64"),
            "stuck": counts["stuck"], "spikes": counts["spike"], "out_of_range": counts["out_of_range"],
        }
    ).reindex(ids)  # fmt: skip
    whole = ["rows", "duplicates_dropped", "stuck", "spikes", "out_of_range"]
    report[whole] = report[whole].fillna(0).astype("int64")
    report["gaps_share"] = report["gaps_share"].fillna(1.0)
    return report.assign(coordinates=coordinates.to_numpy()).rename_axis("sensor_id").reset_index()
