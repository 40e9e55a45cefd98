"""One call from a run's zone table to what an app or a notebook shows of its air."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.air.errors import AirError
from simulation.air.health.exposure import (
    PERSONS_PER_HOME,
    person_hours_above,
    population,
    population_weighted_mean,
)
from simulation.air.health.indices import Overall, level_colours, level_names, overall
from simulation.air.health.series import Hourly, hourly, zone_grid
from simulation.air.health.standards import assess, assess_years

POLLUTANTS: tuple[str, ...] = ("no2", "o3", "pm25", "pm10")
#: Levels for person-hours, ug/m3: the EU's day and 8-hour limits from 2030, here compared with hourly means, which is
#: a measure of burden and no legal test.
THRESHOLDS: Mapping[str, float] = {"no2": 50.0, "o3": 120.0, "pm25": 25.0, "pm10": 45.0}
_POOR = 4  # level of the EAQI named "Poor"


@dataclass(frozen=True, slots=True)
class AirQualitySummary:
    """Air of a period, by zone and for the city. Concentrations in ug/m3.

    Attributes
    ----------
    pollutants : DataFrame
        A row a zone and pollutant, and a city row (`scope` "city", `zone_id` ""): `population`, `mean`, `max_hour`,
        `max_day`, `capture` (share of hours with a value), `threshold`, `person_hours` (people times hours with an
        hourly mean above it). The city's mean and days are population-weighted, its highest hour is that of any zone.
    index : DataFrame
        A row a zone: `eaqi_now` (level 0 to 6 of the last hour with data), `eaqi_now_name`, `eaqi_now_colour`,
        `eaqi_now_pollutant`, `eaqi_worst` (worst hour), `eaqi_worst_pollutant`, `hours_poor` (hours at "Poor" or
        worse), `us_aqi_worst` (worst local day), `us_aqi_worst_pollutant`, `us_aqi_worst_day`.
    levels : DataFrame
        A row a level of the EAQI, 0 for none: `level`, `name`, `colour`, `people_now`, `person_hours`.
    limits : DataFrame
        `standards.assess` of every zone and pollutant (by calendar year where the period is longer than one).
    people_above : DataFrame
        A row a limit: `people` and `share` of the city who live where it is exceeded: the mean above an annual limit,
        or more exceedances in the period than a whole year may hold.
    now : Timestamp
        Start of the last hour with data, UTC.
    """

    pollutants: pd.DataFrame
    index: pd.DataFrame
    levels: pd.DataFrame
    limits: pd.DataFrame
    people_above: pd.DataFrame
    now: pd.Timestamp

    def table(self) -> pd.DataFrame:
        """All numbers as one long table: `scope`, `zone_id`, `pollutant`, `measure`, `value`.

        Counts against a limit are measures such as `eu_2030 day exceedances`.
        """
        first = self.pollutants.melt(
            ["scope", "zone_id", "pollutant"],
            ["mean", "max_hour", "max_day", "capture", "person_hours"],
            var_name="measure",
        )
        second = self.index.assign(scope="zone", pollutant="").melt(
            ["scope", "zone_id", "pollutant"], ["eaqi_now", "eaqi_worst", "hours_poor", "us_aqi_worst"],
            var_name="measure",
        )  # fmt: skip
        counted = self.limits[self.limits["period"] != "year"]
        third = pd.DataFrame(
            {
                "scope": "zone",
                "zone_id": counted["place"],
                "pollutant": counted["pollutant"],
                "measure": counted["standard"] + " " + counted["period"] + " exceedances",
                "value": counted["exceedances"],
            }
        )
        return pd.concat([first, second, third], ignore_index=True)


def air_quality_summary(
    table: pd.DataFrame, zones: pd.DataFrame, *, timezone: str, standards: Sequence[str] = ("eu_2030", "who_2021"),
    thresholds: Mapping[str, float] = THRESHOLDS, persons_per_home: float = PERSONS_PER_HOME,
) -> AirQualitySummary:  # fmt: skip
    """Means, indices, exceedances and exposure of a zone table.

    Parameters
    ----------
    table : DataFrame
        `zone_state`- or `zone_truth`-like: `zone_id`, `time` (UTC, start of the interval; any step that divides an
        hour) and one or more of `no2_ug_per_m3`, `o3_ug_per_m3`, `pm25_ug_per_m3`, `pm10_ug_per_m3`, with gaps.
    zones : DataFrame
        `zone_id` and `population` or `homes`; zones that the table lacks appear without values.
    timezone : str
        Of the days, e.g. `"Europe/Helsinki"`.
    standards : sequence of str
        Of `standards.STANDARDS`.
    thresholds : mapping of str to float
        Level of the person-hours by pollutant, ug/m3; pollutants not named have none.
    persons_per_home : float
        Where zones have no population.

    Returns
    -------
    AirQualitySummary

    Raises
    ------
    AirError
        If no pollutant has a value, the table names zones that `zones` lacks, values are negative, or as
        `series.zone_grid`, `series.hourly` and `exposure.population`.
    """
    people = population(zones, persons_per_home=persons_per_home)
    columns = {name: f"{name}_ug_per_m3" for name in POLLUTANTS if f"{name}_ug_per_m3" in table.columns}
    grid = None
    if columns:
        grid = zone_grid(table, list(columns.values()), places=list(people.index), others="raise")
        columns = {name: column for name, column in columns.items() if not np.isnan(grid.values[column]).all()}
    if grid is None or not columns:
        raise AirError(f"no concentration to sum up; needed one or more of {[f'{x}_ug_per_m3' for x in POLLUTANTS]}")
    series = {
        name: hourly(grid.values[column], start=grid.start_s, step_s=grid.step_s, timezone=timezone)
        for name, column in columns.items()
    }
    weights = people.to_numpy()
    index, levels, now = _indices(series, people)
    long = next(iter(series.values())).n_hours > 366 * 24
    judge = assess_years if long else assess
    limits = pd.concat([judge(one, name, places=people.index, standards=standards) for name, one in series.items()])
    pollutants = pd.concat([_pollutant(name, one, people, thresholds.get(name)) for name, one in series.items()])
    limits, pollutants = limits.reset_index(drop=True), pollutants.reset_index(drop=True)
    return AirQualitySummary(pollutants, index, levels, limits, _people_above(limits, weights), now)


def _pollutant(name: str, series: Hourly, people: pd.Series, threshold: float | None) -> pd.DataFrame:
    weights = people.to_numpy()
    mean, days = series.mean(), series.daily_mean()
    city_days = population_weighted_mean(days, weights)
    burden = np.full(len(weights), np.nan)
    if threshold is not None:
        burden = person_hours_above(series.values, weights, threshold, step_s=3600.0)
    highest, highest_day = _highest(series.values), _highest(days)
    capture = series.valid_hours() / series.n_hours
    return pd.DataFrame(
        {
            "scope": ["zone"] * len(people) + ["city"],
            "zone_id": [*people.index, ""],
            "pollutant": name,
            "population": np.append(weights, weights.sum()),
            "mean": np.append(mean, population_weighted_mean(mean, weights)),
            "max_hour": np.append(highest, _highest(highest[:, None])),
            "max_day": np.append(highest_day, _highest(city_days[:, None])),
            "capture": np.append(capture, population_weighted_mean(capture, weights)),
            "threshold": np.nan if threshold is None else threshold,
            "person_hours": np.append(burden, burden.sum()),
        }
    )


def _indices(series: Mapping[str, Hourly], people: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame, pd.Timestamp]:
    any_series = next(iter(series.values()))
    eaqi = overall({name: one.values for name, one in series.items()}, index="eaqi")
    names, colours = np.array(level_names("eaqi"), dtype=object), np.array(level_colours("eaqi"), dtype=object)
    last = int(np.flatnonzero((eaqi.level > 0).any(axis=1))[-1]) if (eaqi.level > 0).any() else any_series.n_hours - 1
    worst_hour = eaqi.level.argmax(axis=0)
    place = np.arange(len(people))
    deciding = np.array([*eaqi.pollutants, ""], dtype=object)
    aqi = _us_aqi_by_day(series)
    worst_day = np.nan_to_num(aqi.value, nan=-1.0).argmax(axis=0)
    known = ~np.isnan(aqi.value[worst_day, place])
    days = np.asarray(any_series.days)
    table = pd.DataFrame(
        {
            "zone_id": list(people.index),
            "eaqi_now": eaqi.level[last],
            "eaqi_now_name": names[eaqi.level[last]],
            "eaqi_now_colour": colours[eaqi.level[last]],
            "eaqi_now_pollutant": deciding[eaqi.decides[last]],
            "eaqi_worst": eaqi.level[worst_hour, place],
            "eaqi_worst_pollutant": deciding[eaqi.decides[worst_hour, place]],
            "hours_poor": np.count_nonzero(eaqi.level >= _POOR, axis=0),
            "us_aqi_worst": aqi.value[worst_day, place],
            "us_aqi_worst_pollutant": deciding[aqi.decides[worst_day, place]],
            "us_aqi_worst_day": np.where(known, days[worst_day], np.datetime64("NaT")),
        }
    )
    weights = people.to_numpy()
    levels = pd.DataFrame(
        {
            "level": range(7),
            "name": names,
            "colour": colours,
            "people_now": np.bincount(eaqi.level[last], weights, minlength=7),
            "person_hours": [float(np.count_nonzero(eaqi.level == level, axis=0) @ weights) for level in range(7)],
        }
    )
    return table, levels, pd.Timestamp(any_series.start_s + 3600 * last, unit="s", tz="UTC")


def _us_aqi_by_day(series: Mapping[str, Hourly]) -> Overall:
    """US AQI of each local day: day's mean of particles, highest hour of NO2, highest 8-hour (and hour) of ozone."""
    daily = {}
    for name, one in series.items():
        if name == "o3":
            daily[name] = one.daily_max_8h()
        else:
            daily[name] = one.daily_max() if name == "no2" else one.daily_mean()
    peak = series["o3"].daily_max() if "o3" in series else None
    return overall(daily, index="us_aqi", one_hour_ozone=peak)


def _people_above(limits: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    annual = limits["period"] == "year"
    count, allowed = limits["exceedances"], limits["allowed_per_year"]
    above = np.where(annual, limits["value_ug_per_m3"] > limits["limit_ug_per_m3"], count > allowed)
    years = ["year"] if "year" in limits.columns else []
    keys = [*years, "standard", "pollutant", "period", "limit_ug_per_m3", "allowed_per_year"]
    blocks = len(limits) // len(weights)  # each limit stands once for every zone, in the zones' order
    people = (above.reshape(blocks, -1) * weights).sum(axis=1)
    first = limits.iloc[:: len(weights)][keys].reset_index(drop=True)
    total = weights.sum()
    return first.assign(people=people, share=people / total if total > 0 else np.nan)


def _highest(values: np.ndarray) -> np.ndarray:
    """Highest of each column; NaN where it has no value."""
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=0)
    return np.where(np.isneginf(highest), np.nan, highest)
