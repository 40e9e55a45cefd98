"""What air means for people: indices, limits and exposure, from concentrations of a run or of stations.

Read `series` (hourly values and local days), `indices` (EAQI and US AQI), `standards` (EU and WHO limits), `exposure`
(people and the air where they live), then `summary`, which does all of it for a zone table. Works on tables and
arrays alone; knows neither the dispersion models nor forecasting.
"""

from simulation.air.health.exposure import (
    PERSONS_PER_HOME,
    exposure_change,
    exposure_distribution,
    person_hours_above,
    population,
    population_weighted_mean,
    share_of_people_above,
)
from simulation.air.health.indices import INDICES, level_colours, level_names, level_of, levels, overall, us_aqi
from simulation.air.health.series import Hourly, hourly, zone_grid
from simulation.air.health.standards import STANDARDS, assess, assess_years, limits
from simulation.air.health.summary import AirQualitySummary, air_quality_summary

__all__ = [
    "INDICES",
    "PERSONS_PER_HOME",
    "STANDARDS",
    "AirQualitySummary",
    "Hourly",
    "air_quality_summary",
    "assess",
    "assess_years",
    "exposure_change",
    "exposure_distribution",
    "hourly",
    "level_colours",
    "level_names",
    "level_of",
    "levels",
    "limits",
    "overall",
    "person_hours_above",
    "population",
    "population_weighted_mean",
    "share_of_people_above",
    "us_aqi",
    "zone_grid",
]
