"""What a run says of the air that people breathe and the traffic that they hear, from its stored tables.

Concentrations are those at the street fronts of a zone; the city's means weigh zones by their people. A run of some
weeks says how often a level was passed and how many people live there, never whether a year's limit is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.errors import InputError
from data.store.workspace import Workspace

#: Names of pollutants and standards as people write them.
POLLUTANT_NAMES = {"no2": "NO2", "o3": "O3", "pm25": "PM2.5", "pm10": "PM10"}
STANDARD_NAMES = {"eu_2008": "EU 2008", "eu_2030": "EU 2030", "who_2021": "WHO 2021"}
PERIOD_NAMES = {"hour": "hour", "day": "day", "max_daily_8h": "8 h", "year": "year"}
_KINDS = ("simulation", "live")


@dataclass(frozen=True, kw_only=True)
class AirReport:
    """Air and noise of one run.

    Attributes
    ----------
    about : dict
        `run`, `label`, `begin`, `end` (local), `days`, `weather`, `background`, `now` (local).
    zones : DataFrame
        A row a zone: `zone_id`, `name`, `people`, `<pollutant>_mean`, `<pollutant>_max_hour` (ug/m3), `eaqi_now`,
        `eaqi_worst` (names of levels; of the worst hour), `hours_poor`, `worst_day` and `us_aqi` of that day,
        `lden_db`.
    city : DataFrame
        A row a pollutant: `mean` weighted by people, `max_hour` (of any zone), `max_day` (of the city), `threshold`,
        `person_hours` above it, `hours_a_person`.
    limits : DataFrame
        A row a limit: `standard`, `pollutant`, `period`, `limit_ug_per_m3`, `worst_ug_per_m3` (highest zone),
        `exceedances` (of the worst zone), `allowed_per_year`, `people_above`, `share_above`, `verdict`.
    levels : DataFrame
        Of the EAQI: `name`, `people_now`, `person_hours`.
    noise : dict
        `lden_db`, `lnight_db` (means over people), `share_lden_55`, `share_lden_65`, `people_lden_55`,
        `people_lden_65`, `share_lnight_50`, `days`; empty where the run has no whole day of noise.
    """

    about: dict[str, Any]
    zones: pd.DataFrame
    city: pd.DataFrame
    limits: pd.DataFrame
    levels: pd.DataFrame
    noise: dict[str, float]


def air_report(workspace: Workspace, run: str | None = None) -> AirReport:
    """The air of a run; of the workspace's simulation where none is named.

    Raises
    ------
    InputError
        If the workspace has no simulation yet, or the run is of another kind.
    RunNotFoundError
        If there is no such run.
    AirError
        If the run's tables hold no concentration.
    """
    from simulation.air.health import air_quality_summary

    told, runs = workspace.describe(), workspace.runs
    known = told.get("runs", {})
    run = run or known.get("simulation")
    if run is None:
        raise InputError(
            f"workspace '{workspace.name}' has no simulation yet; 'zonewise demo' or 'zonewise simulate' makes one"
        )
    manifest = runs.manifest(run)
    if manifest["kind"] not in _KINDS:
        raise InputError(f"run '{run}' is a {manifest['kind']}; only {' and '.join(_KINDS)} runs have air")
    zones = runs.read(_city_of(workspace, manifest), "zones")
    timezone = str(told.get("timezone", "UTC"))
    truth = runs.read(run, "zone_truth")
    summary = air_quality_summary(truth, zones, timezone=timezone)
    noise = runs.read(run, "noise") if "noise" in manifest["tables"] else None
    return AirReport(
        about=_about(manifest, truth["time"], told, timezone, summary.now),
        zones=_zones(summary, zones, noise),
        city=_city(summary.pollutants),
        limits=_limits(summary),
        levels=summary.levels[["name", "people_now", "person_hours"]],
        noise=city_noise(noise),
    )


def zone_lden(noise: pd.DataFrame | None) -> pd.Series:
    """Lden of each zone over all whole days, dB(A): the mean of their sound energy (Directive 2002/49/EC, annex I)."""
    if noise is None or noise["lden_db"].notna().sum() == 0:
        return pd.Series(dtype=float)
    return 10.0 * np.log10((10.0 ** (noise.set_index("zone_id")["lden_db"].dropna() / 10.0)).groupby("zone_id").mean())


def city_noise(noise: pd.DataFrame | None) -> dict[str, float]:
    """Noise where people live: levels are means over people, shares are of people, over all whole days."""
    whole = None if noise is None else noise[noise["lden_db"].notna() & (noise["people"] > 0)]
    if whole is None or whole.empty:
        return {}
    shares = ["share_lden_55", "share_lden_65", "share_lnight_50"]
    by_zone = whole.groupby("zone_id")[["people", *shares]].mean()
    level = zone_lden(whole).reindex(by_zone.index)
    night = zone_lden(whole.assign(lden_db=whole["lnight_db"])).reindex(by_zone.index)
    people = by_zone["people"]

    def mean(values: pd.Series) -> float:
        held = values.notna()
        return float(np.average(values[held], weights=people[held])) if people[held].sum() > 0 else float("nan")

    found = {"lden_db": mean(level), "lnight_db": mean(night), **{name: mean(by_zone[name]) for name in shares}}
    for name in shares[:2]:
        found[name.replace("share", "people")] = found[name] * float(people.sum())
    return {**found, "days": float(whole["date"].nunique())}


def _city_of(workspace: Workspace, manifest: dict[str, Any]) -> str:
    """The city's run behind a simulation or a live day."""
    for parent in manifest["parents"]:
        if parent.startswith("city-"):
            return str(parent)
        if parent.startswith("simulation-"):
            return _city_of(workspace, workspace.runs.manifest(parent))
    return str(workspace.describe()["runs"]["city"])


def _about(
    manifest: dict[str, Any], times: pd.Series, told: dict[str, Any], timezone: str, now: pd.Timestamp
) -> dict[str, Any]:
    step = pd.Timedelta(seconds=float(told.get("step_s", 900)))
    begin, end = times.min().tz_convert(timezone), times.max().tz_convert(timezone) + step
    spec = manifest.get("spec", {})
    air = spec.get("air", {})
    calibration = spec.get("calibration")
    source = str(air.get("background") or "synthetic").split(":")[0]
    return {
        "run": manifest["id"], "label": str(told.get("label", "")), "begin": begin.isoformat(), "end": end.isoformat(),
        "days": round((end - begin) / pd.Timedelta(days=1), 2),
        "weather": str(air.get("weather") or "synthetic").split(":")[0],
        "background": source + (f", calibrated by {calibration}" if calibration else ""),
        "now": now.tz_convert(timezone).isoformat(),
    }  # fmt: skip


def _zones(summary: Any, zones: pd.DataFrame, noise: pd.DataFrame | None) -> pd.DataFrame:
    rows = summary.pollutants[summary.pollutants["scope"] == "zone"]
    names = dict(zip(summary.levels["level"], summary.levels["name"]))
    held = summary.index.set_index("zone_id")
    table = pd.DataFrame(index=held.index)
    table["name"] = zones.set_index("zone_id")["name"].reindex(table.index) if "name" in zones.columns else ""
    table["people"] = rows.drop_duplicates("zone_id").set_index("zone_id")["population"]
    for pollutant, part in rows.groupby("pollutant", sort=False):
        table[f"{pollutant}_mean"] = part.set_index("zone_id")["mean"]
        table[f"{pollutant}_max_hour"] = part.set_index("zone_id")["max_hour"]
    table["eaqi_now"], table["eaqi_worst"] = held["eaqi_now"].map(names), held["eaqi_worst"].map(names)
    table["hours_poor"] = held["hours_poor"]
    table["worst_day"] = pd.to_datetime(held["us_aqi_worst_day"]).dt.strftime("%Y-%m-%d")
    table["us_aqi"] = held["us_aqi_worst"]
    table["lden_db"] = zone_lden(noise).reindex(table.index)
    return table.rename_axis("zone_id").reset_index()


def _city(pollutants: pd.DataFrame) -> pd.DataFrame:
    rows = pollutants[pollutants["scope"] == "city"]
    people = rows["population"].where(rows["population"] > 0)
    return rows[["pollutant", "mean", "max_hour", "max_day", "threshold", "person_hours"]].assign(
        hours_a_person=rows["person_hours"] / people
    )


def _limits(summary: Any) -> pd.DataFrame:
    """The worst zone against each limit, and how many people live where it is passed."""
    keys = [*(["year"] if "year" in summary.limits.columns else []), "standard", "pollutant", "period"]
    worst = summary.limits.groupby(keys, sort=False).agg(
        limit_ug_per_m3=("limit_ug_per_m3", "first"), worst_ug_per_m3=("value_ug_per_m3", "max"),
        exceedances=("exceedances", "max"), allowed_per_year=("allowed_per_year", "first"),
        verdict=("verdict", _worst_verdict),
    )  # fmt: skip
    above = summary.people_above.set_index(keys)[["people", "share"]]
    table = worst.join(above.rename(columns={"people": "people_above", "share": "share_above"})).reset_index()
    order = ["limit_ug_per_m3", "worst_ug_per_m3", "exceedances", "allowed_per_year", "people_above", "share_above"]
    table = table[[*keys, *order, "verdict"]]
    return table.sort_values("standard", kind="stable", ignore_index=True)


def _worst_verdict(verdicts: pd.Series) -> str:
    found = set(verdicts)
    return next((name for name in ("exceeded", "open", "met", "no data") if name in found), "no data")
