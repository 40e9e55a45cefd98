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
    truth = outcome.zone_truth
    km = truth["vehicle_distance_m"] / 1000.0
    table = truth.assign(
        delay_veh_s=(truth["delay_s_per_km"] * km).fillna(0.0),
        hour=truth["time"].dt.tz_convert(timezone).dt.hour,
        area=truth["zone_id"].map(zones.set_index("zone_id")["area_m2"]),
        people=truth["zone_id"].map(_people(zones)),
        within=truth["zone_id"].isin(list(inside)),
    )
    parts = [_summary(table, "city", "", -1)]
    for hour, rows in table.groupby("hour"):
        parts.append(_summary(rows, "city", "", int(hour)))
    if inside:
        for scope, rows in (("inside", table[table["within"]]), ("outside", table[~table["within"]])):
            if len(rows):
                parts.append(_summary(rows, scope, "", -1))
    for zone, rows in table.groupby("zone_id"):
        parts.append(_summary(rows, "zone", str(zone), -1))
    parts.append(_noise(outcome.noise, inside))
    trips = outcome.trips
    number = trips["arrived"].sum()
    arrived = {
        ("travel_time_s", "s"): (trips["mean_time_s"] * trips["arrived"]).sum() / max(number, 1),
        ("trips_arrived", "veh"): float(number),
        ("trips_unfinished", "veh"): float(outcome.unfinished),
    }
    parts.append(pd.Series({(name, "city", "", -1, unit): value for (name, unit), value in arrived.items()}))
    return pd.concat(parts)


def _summary(rows: pd.DataFrame, scope: str, zone: str, hour: int) -> pd.Series:
    values: dict[tuple[str, str, str, int, str], float] = {}
    for name, (column, factor, unit) in _SUMS.items():
        values[name, scope, zone, hour, unit] = float(rows[column].sum() * factor)
    distance, time = rows["vehicle_distance_m"].sum(), rows["vehicle_time_s"].sum()
    values["speed_kmh", scope, zone, hour, "km/h"] = float(3.6 * distance / time) if time > 0 else np.nan
    for name, column in _MEANS.items():
        if column in rows.columns:
            values[name, scope, zone, hour, "ug/m3"] = _mean(rows[column], rows["area"])
            if name in _EXPOSED:
                values[f"{name}_exposure", scope, zone, hour, "ug/m3"] = _mean(rows[column], rows["people"])
    return pd.Series(values)


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
    """

    def mean(tables: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
        total = sum(table[["vehicle_distance_m", "vehicle_time_s", "outflow_veh"]].to_numpy() for table in tables)
        distance, time, out = np.asarray(total).T
        speed = np.divide(distance, time, out=np.full(distance.shape, np.nan), where=time > 0)
        return out / len(tables) / hours, speed

    flow_base, speed_base = mean(base)
    flow_scenario, speed_scenario = mean(changed)
    return pd.DataFrame(
        {
            "link_id": base[0]["link_id"].to_numpy(), "flow_base": flow_base, "flow_scenario": flow_scenario,
            "speed_base": speed_base, "speed_scenario": speed_scenario,
        }
    )  # fmt: skip
