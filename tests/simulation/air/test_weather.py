"""Synthetic weather and background: repeatable by day, within the schema, plausible over a year."""

import numpy as np
import pandas as pd
import pytest

from data.schemas import WEATHER, validate
from simulation.air.background import SPECIES, synthetic_background
from simulation.air.errors import WeatherError
from simulation.air.solar import sun
from simulation.air.weather import synthetic_weather, weather_at

HELSINKI = {"latitude": 60.17, "longitude": 24.94}


@pytest.fixture(scope="module")
def year():
    return synthetic_weather(60.17, pd.Timestamp("2025-01-01", tz="UTC"), 365, 3, longitude=24.94)


def test_a_day_made_alone_equals_the_same_day_of_a_year(year):
    """Bit for bit, for a day in the middle of the series."""
    day = pd.Timestamp("2025-06-17", tz="UTC")
    alone = synthetic_weather(60.17, day, 1, 3, longitude=24.94)
    inside = year[(year["time"] >= day) & (year["time"] < day + pd.Timedelta(days=1))].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, inside, check_exact=True)


def test_the_background_of_a_day_made_alone_is_the_same(year):
    whole = synthetic_background(year, seed=3, **HELSINKI)
    part = synthetic_background(year.iloc[2400:2448].reset_index(drop=True), seed=3, **HELSINKI)
    pd.testing.assert_frame_equal(part, whole.iloc[2400:2448].reset_index(drop=True), check_exact=True)


def test_the_table_follows_its_schema_and_is_hourly(year):
    validate(year, WEATHER)
    assert len(year) == 365 * 24
    assert (year["time"].diff().dropna() == pd.Timedelta(hours=1)).all()


def test_another_seed_is_another_year(year):
    other = synthetic_weather(60.17, pd.Timestamp("2025-01-01", tz="UTC"), 365, 4, longitude=24.94)
    assert abs(np.corrcoef(other["wind_speed_mps"], year["wind_speed_mps"])[0, 1]) < 0.2


def test_midnight_is_no_jump(year):
    """Steps over midnight UTC are of the size of steps within the night."""
    step = year["temperature_c"].diff().abs()
    hour = year["time"].dt.hour
    assert step[hour == 0].mean() < 2.0 * step[hour.isin([23, 1, 2])].mean()


def test_helsinki_has_winter_summer_and_dark_nights(year):
    month = year.groupby(year["time"].dt.month)[["temperature_c", "radiation_w_per_m2"]].mean()
    assert -11 < month["temperature_c"].loc[[1, 2]].mean() < 1 and 14 < month["temperature_c"].loc[7] < 22
    assert month["radiation_w_per_m2"].loc[6] > 8 * month["radiation_w_per_m2"].loc[12]
    night = year[(year["time"].dt.hour == 22) & (year["time"].dt.month == 12)]
    assert (night["radiation_w_per_m2"] == 0).all()
    assert 2.5 < year["wind_speed_mps"].mean() < 5.0
    assert year["mixing_height_m"].between(100, 2500).all()


@pytest.mark.parametrize(("latitude", "warm", "cold"), [(-33.9, 1, 7), (52.5, 7, 1)])
def test_summer_is_in_january_in_the_south(latitude, warm, cold):
    weather = synthetic_weather(latitude, pd.Timestamp("2025-01-01", tz="UTC"), 365, 1)
    month = weather.groupby(weather["time"].dt.month)["temperature_c"].mean()
    assert month[warm] > month[cold] + 6


def test_polar_winters_are_dark_and_still_valid():
    weather = validate(synthetic_weather(78.2, pd.Timestamp("2025-12-01", tz="UTC"), 20, 1, longitude=15.6), WEATHER)
    assert (weather["radiation_w_per_m2"] == 0).all()


def test_the_sun_stands_highest_at_solar_noon():
    """21 June at 60.17 N, 24.94 E: 53.3 degrees high (90 - 60.17 + 23.44), near 12:22 local winter time (10:22 UTC)."""
    seconds = pd.Timestamp("2025-06-21", tz="UTC").timestamp() + np.arange(0, 86_400, 60.0)
    _, cos_zenith, _ = sun(60.17, 24.94, seconds)
    assert np.degrees(np.arcsin(cos_zenith.max())) == pytest.approx(53.27, abs=0.2)
    assert cos_zenith.argmax() == pytest.approx(10 * 60 + 22, abs=4)


def test_background_levels_are_those_of_a_northern_city(year):
    mean = synthetic_background(year, seed=3, **HELSINKI)[list(SPECIES)].mean()
    assert 6 < mean["no2"] < 12 and 4 < mean["pm25"] < 8 and 45 < mean["o3"] < 70
    assert mean["no2"] < mean["nox"]


def test_weather_at_takes_the_hour_that_holds_the_time(year):
    row = weather_at(year, pd.Timestamp("2025-03-01 07:59:59", tz="UTC"))
    assert row["time"] == pd.Timestamp("2025-03-01 07:00", tz="UTC")
    with pytest.raises(WeatherError, match="the table covers 2025-01-01"):
        weather_at(year, pd.Timestamp("2026-01-01", tz="UTC"))


def test_impossible_latitudes_are_refused():
    with pytest.raises(WeatherError, match="latitude"):
        synthetic_weather(95.0, pd.Timestamp("2025-01-01"), 1, 1)


def test_pm10_is_pm25_and_coarse_dust(year):
    """Coarse particles are added: PM10 above PM2.5 in every hour, NO2 below NOx, PM2.5 about 0.4-0.8 of PM10."""
    table = synthetic_background(year, seed=3, **HELSINKI)
    assert list(table.columns) == ["time", *SPECIES]
    assert (table["pm10"] > table["pm25"]).all() and (table["nox"] > table["no2"]).all()
    assert 0.4 < table["pm25"].mean() / table["pm10"].mean() < 0.8
