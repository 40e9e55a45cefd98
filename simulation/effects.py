"""Effects: what a scenario changes, as paired differences over replications with confidence intervals.

Base and scenario of one replication share their luck, so the difference of a pair is far less noisy than either; the
interval is Student's t over the pairs (Law 2015, Simulation Modeling and Analysis, 5th ed., section 10.2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from data.schemas import EFFECTS, validate
from simulation.air.health.exposure import population

CONFIDENCE = 0.90
#: Sums over time, and the factor from the stored unit to the shown one.
_SUMS = {
    "vehicle_km": ("vehicle_distance_m", 1e-3, "veh km"),
    "vehicle_hours": ("vehicle_time_s", 1 / 3600, "veh h"),
    "delay_hours": ("delay_veh_s", 1 / 3600, "veh h"),
    "nox_kg": ("nox_g", 1e-3, "kg"),
    "pm25_kg": ("pm25_g", 1e-3, "kg"),
    "co2_kg": ("co2_g", 1e-3, "kg"),
}
#: Concentrations, ug/m3: means over time, weighted by area where zones are put together, and as `..._exposure` by the
#: people who live there.
_MEANS = {
    name: f"{name}_ug_per_m3" for name in ("no2", "pm25", "pm10", "nox", "o3")
}  # fmt: skip
_EXPOSED = ("no2", "pm25", "pm10")


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """What one replication of one side gave."""

    zone_truth: pd.DataFrame
    trips: pd.DataFrame
    link_totals: pd.DataFrame
    unfinished: int  # vehicles on the road or waiting at the end
    noise: pd.DataFrame | None = None  # `data.schemas.NOISE`


def measure(outcome: Outcome, zones: pd.DataFrame, inside: Sequence[str], timezone: str) -> pd.Series:
    """Every quantity of an outcome, by (quantity, scope, zone_id, hour, unit).

    Parameters
    ----------
    outcome : Outcome
    zones : DataFrame
        `zone_id`, `area_m2` and, for exposure, `population` or `homes`.
    inside : sequence of str
        Zones that the scenario is about.
    timezone : str
        Of the hours.
    """
    table, zone_ids = _table(outcome, zones, timezone)
    n = len(zone_ids)
    zone, hour = table["zone"].to_numpy(), table["hour"].to_numpy()
    within = table["zone_id"].isin(list(inside)).to_numpy()
    parts = [
        _summaries(table, np.zeros(len(table), dtype=np.int64), [("city", "", -1)]),
        _summaries(table, hour, [("city", "", k) for k in range(24)]),
    ]
    if inside:
        parts.append(_summaries(table, np.where(within, 0, 1), [("inside", "", -1), ("outside", "", -1)]))
    parts.append(_summaries(table, zone, [("zone", zone_ids[k], -1) for k in range(n)]))
    parts.append(_noise(outcome.noise, inside))
    trips = outcome.trips
    number = trips["arrived"].sum()
    arrived = {
        ("travel_time_s", "s"): (trips["mean_time_s"] * trips["arrived"]).sum() / max(number, 1),
        ("trips_arrived", "veh"): float(number),
        ("trips_unfinished", "veh"): float(outcome.unfinished),
    }
    parts.append(pd.Series({(name, "city", "", -1, unit): value for (name, unit), value in arrived.items()}))
    return pd.concat([part for part in parts if len(part)])


def measure_hours(outcome: Outcome, zones: pd.DataFrame, timezone: str) -> pd.Series:
    """Every quantity of an outcome by zone and local hour of day, in the form of `measure`.

    Parameters
    ----------
    outcome : Outcome
    zones : DataFrame
        As in `measure`.
    timezone : str
        Of the hours.
    """
    table, zone_ids = _table(outcome, zones, timezone)
    code = table["zone"].to_numpy() * 24 + table["hour"].to_numpy()
    labels = [("zone", zone, hour) for zone in zone_ids for hour in range(24)]
    return _summaries(table, code, labels, exposure=False)


def _table(outcome: Outcome, zones: pd.DataFrame, timezone: str) -> tuple[pd.DataFrame, list[str]]:
    """The truth with delay, local hour, area, people and number of the zone among the zones, which ascend."""
    truth = outcome.zone_truth
    zone, zone_ids = pd.factorize(truth["zone_id"], sort=True)
    table = truth.assign(
        delay_veh_s=(truth["delay_s_per_km"] * truth["vehicle_distance_m"] / 1000.0).fillna(0.0),
        hour=truth["time"].dt.tz_convert(timezone).dt.hour,
        area=truth["zone_id"].map(zones.set_index("zone_id")["area_m2"]),
        people=truth["zone_id"].map(_people(zones)),
        zone=zone,
    )
    return table, [str(one) for one in zone_ids]


def _summaries(
    table: pd.DataFrame, code: np.ndarray, labels: Sequence[tuple[str, str, int]], *, exposure: bool = True
) -> pd.Series:
    """Sums and means over the rows of each code 0..n-1; codes without a row are left out.

    Parameters
    ----------
    table : DataFrame
        From `_table`.
    code : ndarray of int, shape (rows,)
    labels : sequence of (scope, zone_id, hour), length n
    exposure : bool
        Whether to tell the means over people too.
    """
    n = len(labels)
    used = np.flatnonzero(np.bincount(code, minlength=n))
    found: dict[tuple[str, str], np.ndarray] = {}
    for name, (column, factor, unit) in _SUMS.items():
        found[name, unit] = _summed(code, table[column], n) * factor
    distance, time = (_summed(code, table[column], n) for column in ("vehicle_distance_m", "vehicle_time_s"))
    found["speed_kmh", "km/h"] = 3.6 * np.divide(distance, time, out=np.full(n, np.nan), where=time > 0)
    for name, column in _MEANS.items():
        if column in table.columns:
            found[name, "ug/m3"] = _means(code, table[column], table["area"], n)
            if exposure and name in _EXPOSED:
                found[f"{name}_exposure", "ug/m3"] = _means(code, table[column], table["people"], n)
    keys = [(name, *labels[k], unit) for name, unit in found for k in used.tolist()]
    return pd.Series(np.concatenate([value[used] for value in found.values()]), index=_index(keys), dtype=float)


def _index(keys: Sequence[tuple[str, str, str, int, str]]) -> pd.MultiIndex:
    return pd.MultiIndex.from_tuples(keys)


def _summed(code: np.ndarray, value: pd.Series, n: int) -> np.ndarray:
    return np.asarray(np.bincount(code, weights=np.nan_to_num(value.to_numpy(dtype=float)), minlength=n))


def _means(code: np.ndarray, value: pd.Series, weight: pd.Series, n: int) -> np.ndarray:
    """Weighted means of what is known; nan where nothing is, or nobody."""
    known = value.notna().to_numpy()
    share = np.where(known, weight.to_numpy(dtype=float), 0.0)
    total = np.bincount(code, weights=share, minlength=n)
    seen = np.bincount(code, weights=share * np.nan_to_num(value.to_numpy(dtype=float)), minlength=n)
    return np.divide(seen, total, out=np.full(n, np.nan), where=total > 0)


def _mean(values: pd.Series, weight: pd.Series) -> float:
    """Weighted mean of what is known; nan where nothing is, or nobody."""
    known = values.notna()
    total = float(weight[known].sum())
    return float((values[known] * weight[known]).sum() / total) if total > 0 else np.nan


def _people(zones: pd.DataFrame) -> pd.Series:
    """People by zone; nobody where neither population nor homes are known."""
    if {"population", "homes"} & set(zones.columns):
        return population(zones)
    return pd.Series(0.0, index=zones["zone_id"])


def _noise(noise: pd.DataFrame | None, inside: Sequence[str]) -> pd.Series:
    """Lden, people-weighted mean over zones and days, and people at 65 dB or more."""
    if noise is None or noise["lden_db"].notna().sum() == 0:
        return pd.Series(dtype=float)
    table = noise[noise["lden_db"].notna()]
    days = table["date"].nunique()
    within = table["zone_id"].isin(list(inside))
    groups = [("city", "", table)] + [("zone", str(zone), rows) for zone, rows in table.groupby("zone_id")]
    if inside:
        groups += [("inside", "", table[within]), ("outside", "", table[~within])]
    values = {}
    for scope, zone, rows in groups:
        if len(rows):
            values["lden", scope, zone, -1, "dB(A)"] = _mean(rows["lden_db"], rows["people"])
            loud = float((rows["share_lden_65"] * rows["people"]).sum() / days)
            values["people_lden_65", scope, zone, -1, "people"] = loud
    return pd.Series(values)


def effects(scenario: str, base: Sequence[pd.Series], changed: Sequence[pd.Series]) -> pd.DataFrame:
    """Paired effects with intervals.

    Parameters
    ----------
    scenario : str
        Its name.
    base, changed : sequences of Series, length n
        What `measure` gave, pair by pair.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.EFFECTS`; `lower` and `upper` are 90 % bounds, missing with one pair alone.
    """
    before, after = pd.concat(list(base), axis=1), pd.concat(list(changed), axis=1)
    before, after = before.align(after, join="inner")
    known = ~(before.isna() | after.isna()).any(axis=1)
    before, after = before[known], after[known]
    difference = (after - before).to_numpy()
    n = difference.shape[1]
    mean = difference.mean(axis=1)
    half = np.full(mean.shape, np.nan)
    if n > 1:
        half = student.ppf(0.5 + CONFIDENCE / 2, n - 1) * difference.std(axis=1, ddof=1) / np.sqrt(n)
    index = before.index.to_frame(index=False, name=["quantity", "scope", "zone_id", "hour", "unit"])
    return validate(
        index.assign(
            scenario=scenario,
            base=before.mean(axis=1).to_numpy(),
            scenario_value=after.mean(axis=1).to_numpy(),
            effect=mean,
            lower=mean - half,
            upper=mean + half,
            n=n,
        ),
        EFFECTS,
    )


def link_effects(base: Sequence[pd.DataFrame], changed: Sequence[pd.DataFrame], hours: float) -> pd.DataFrame:
    """Mean flow and speed of each link before and after.

    Returns
    -------
    DataFrame
        `link_id`, `flow_base`, `flow_scenario` (veh/h), `speed_base`, `speed_scenario` (m/s, nan where nobody drove).
        Links that a measure builds have no flow before.
    """

    n = max(len(base[0]), len(changed[0]))

    def mean(tables: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
        total = sum(table[["vehicle_distance_m", "vehicle_time_s", "outflow_veh"]].to_numpy() for table in tables)
        total = np.pad(np.asarray(total), ((0, n - len(tables[0])), (0, 0)))
        distance, time, out = total.T
        speed = np.divide(distance, time, out=np.full(distance.shape, np.nan), where=time > 0)
        return out / len(tables) / hours, speed

    flow_base, speed_base = mean(base)
    flow_scenario, speed_scenario = mean(changed)
    return pd.DataFrame(
        {
            "link_id": max(base[0], changed[0], key=len)["link_id"].to_numpy(),
            "flow_base": flow_base, "flow_scenario": flow_scenario,
            "speed_base": speed_base, "speed_scenario": speed_scenario,
        }
    )  # fmt: skip
