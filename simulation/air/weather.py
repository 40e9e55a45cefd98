"""Synthetic weather: a plausible hour of any day at any latitude, the same for the same (seed, day).

Slow Gaussian drivers (pressure, wind, cloud, temperature) are autoregressive in time. Each day draws its own
innovations and runs the recursions over a window of preceding days, so that a day made alone equals the same day
inside a long series, bit for bit, and the step at midnight is below 0.3 % of a driver's spread.

Every size is an assumption chosen to look like a city of that latitude, not a fit to a station; give measured
`weather` where it is known.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.special import ndtr

from data.schemas import TIME_DTYPE
from simulation.air.errors import WeatherError
from simulation.air.solar import cloudy_radiation, sun

_WINDOW_DAYS = 15


def synthetic_weather(
    latitude: float, start: pd.Timestamp, days: int, seed: int, *, longitude: float = 0.0
) -> pd.DataFrame:
    """Hourly weather from the UTC day of `start` on.

    Parameters
    ----------
    latitude, longitude : float
        Degrees north and east; the longitude sets the hour of noon.
    start : Timestamp
        UTC (or any zone); whole UTC days are made, the first holds `start`.
    days : int
        Number of days, counted from `start`; a start within a day makes one more.
    seed : int

    Returns
    -------
    DataFrame
        Columns of `data.schemas.WEATHER`; `wind_dir_deg` is where the wind comes from, `wind_speed_mps` is at 10 m.

    Raises
    ------
    WeatherError
        If the latitude or the number of days is out of range.
    """
    if not -90 <= latitude <= 90 or days < 1:
        raise WeatherError(f"weather needs -90 <= latitude <= 90 and days >= 1; found {latitude:g} and {days}")
    first, last = _utc(start), _utc(start) + pd.Timedelta(days=days)
    day0 = int(first.timestamp() // 86_400)
    n_days = int(np.ceil(last.timestamp() / 86_400)) - day0
    day = day0 - 1 + np.arange(n_days + 1)  # the day before warms the first morning east or west of Greenwich
    pressure, wind_own, cloud_own, warm_own, turn, veer, rain = _drivers(seed, day)
    hour = np.arange(24)
    seconds = (day[:, None] * 24 + hour) * 3600.0 + 1800.0
    season, cos_zenith, solar_hour = sun(latitude, longitude, seconds)

    wind_z = -0.6 * pressure + 0.8 * wind_own
    wind = _wind_speed(wind_z, season, solar_hour)
    cloud = ndtr(1.6 * (-0.5 * pressure + 0.87 * cloud_own) + np.sqrt(1 + 1.6**2) * (0.15 - 0.55 * season))
    radiation = cloudy_radiation(cos_zenith, cloud)
    # Short waves of the wind direction on long ones, around the prevailing south-westerlies of the middle latitudes.
    direction = (225.0 + 75.0 * turn + 15.0 * veer) % 360.0
    temperature = _temperature(latitude, season, solar_hour, radiation, cloud, 0.9 * warm_own - 0.44 * pressure)
    wet = ndtr(rain)
    rainfall = np.where((cloud > 0.7) & (wet > 0.72), -0.8 * np.log((1 - wet) / 0.28), 0.0)  # mm/h, exponential
    table = {
        "wind_speed_mps": wind,
        "wind_dir_deg": direction,
        "temperature_c": temperature,
        "radiation_w_per_m2": radiation,
        "cloud_share": cloud,
        "mixing_height_m": mixing_height(wind, radiation, np.vstack([radiation[:1], radiation[:-1]])),
        "precipitation_mm_per_h": rainfall,
    }
    stamps = pd.to_datetime(seconds[1:].ravel() - 1800.0, unit="s", utc=True).astype(TIME_DTYPE)
    return pd.DataFrame({"time": stamps, **{name: values[1:].ravel() for name, values in table.items()}})


def mixing_height(wind: np.ndarray, radiation: np.ndarray, radiation_before: np.ndarray) -> np.ndarray:
    """Depth of the turbulent layer over a city, m.

    The mechanical part is `2300 u*^1.5` (Venkatram 1980, doi:10.1007/BF00119423), the convective part the encroachment
    `sqrt(2 heat / (rho cp gamma))` into a lapse of 6 K/km. 30 % of the radiation above 30 W/m2 counts as sensible
    heat and is gathered from sunrise on; every dark hour halves it. Their root sum of squares, within 100-2500 m.

    Parameters
    ----------
    wind, radiation : ndarray, shape (days, 24)
        m/s at 10 m and W/m2.
    radiation_before : ndarray, shape (days, 24)
        The same of the day before each, so that a morning before UTC midnight is not cut off.

    Returns
    -------
    ndarray, shape (days, 24)
    """
    rho_cp_gamma = 1.2 * 1005.0 * 0.006  # J/m4
    both = np.hstack([radiation_before, radiation])
    heat, gathered = np.zeros(both.shape), np.zeros(len(both))
    for hour in range(both.shape[1]):
        gain = 0.3 * np.maximum(both[:, hour] - 30.0, 0.0) * 3600.0
        gathered = np.where(gain > 0, gathered + gain, 0.5 * gathered)
        heat[:, hour] = gathered
    mechanical = 2300.0 * friction_velocity(wind) ** 1.5
    return np.clip(np.hypot(mechanical, np.sqrt(2.0 * heat[:, 24:] / rho_cp_gamma)), 100.0, 2500.0)


def friction_velocity(wind_speed_mps: np.ndarray) -> np.ndarray:
    """u* over the city from the wind at 10 m of an open station, m/s: 0.1 u, a neutral profile over z0 = 0.2 m."""
    return 0.1 * np.asarray(wind_speed_mps)


def weather_at(weather: pd.DataFrame, time: pd.Timestamp) -> pd.Series:
    """The row of the hour that holds `time`.

    Raises
    ------
    WeatherError
        If no row covers that time.
    """
    moment = _utc(time)
    row = int(weather["time"].searchsorted(moment, side="right")) - 1
    if row < 0 or moment - weather["time"].iloc[row] >= pd.Timedelta(hours=1):
        raise WeatherError(
            f"no weather at {moment}; the table covers {weather['time'].iloc[0]} to {weather['time'].iloc[-1]} + 1 h"
        )
    return weather.iloc[row]


def gaussian_days(seed: int, day: np.ndarray, *, stream: int, hours: tuple[float, ...]) -> np.ndarray:
    """Standard normal autoregressive series, one for each e-folding time in `hours`, for whole days.

    Parameters
    ----------
    seed : int
    day : ndarray of int, shape (days,)
        Days since 1970-01-01 UTC.
    stream : int
        Keeps the series of weather, background and others apart.
    hours : tuple of float
        E-folding time of each series, h.

    Returns
    -------
    ndarray, shape (len(hours), days, 24)
        A day's values depend on (seed, stream, day) alone.
    """
    span = np.arange(int(day.min()) - _WINDOW_DAYS, int(day.max()) + 1)
    noise = np.stack([np.random.default_rng([seed, stream, int(d)]).standard_normal((24, len(hours))) for d in span])
    window = (day - span[0])[:, None] + np.arange(-_WINDOW_DAYS, 1)
    series = []
    for number, tau in enumerate(hours):
        keep = np.exp(-1.0 / tau)
        innovations = noise[window, :, number].reshape(len(day), -1) * np.sqrt(1 - keep**2)
        innovations[:, 0] /= np.sqrt(1 - keep**2)  # start in the stationary spread
        series.append(lfilter([1.0], [1.0, -keep], innovations, axis=1)[:, -24:])
    return np.stack(series)


def _drivers(seed: int, day: np.ndarray) -> np.ndarray:
    return gaussian_days(seed, day, stream=1, hours=(60.0, 10.0, 18.0, 72.0, 40.0, 3.0, 5.0))


def _wind_speed(z: np.ndarray, season: np.ndarray, solar_hour: np.ndarray) -> np.ndarray:
    """Weibull marginal (shape 2.1) with a windier winter and afternoon, m/s at 10 m, at least 0.4."""
    scale = (4.2 - 0.5 * season) * (1.0 + 0.12 * np.cos(2 * np.pi * (solar_hour - 14.0) / 24.0))
    return np.maximum(scale * (-np.log1p(-np.minimum(ndtr(z), 1 - 1e-9))) ** (1 / 2.1), 0.4)


def _temperature(
    latitude: float, season: np.ndarray, solar_hour: np.ndarray, radiation: np.ndarray, cloud: np.ndarray, z: np.ndarray
) -> np.ndarray:
    """Season, hour and synoptic anomaly, deg C: mean 30 - 0.39 |lat|, half range 0.183 |lat| (6.6 and 11 at 60 deg)."""
    mean = min(30.0 - 0.39 * abs(latitude), 27.0)
    half_range = 0.183 * abs(latitude)
    day_heat = radiation.mean(axis=1, keepdims=True)
    swing = 0.8 + 0.014 * day_heat * (1.0 - 0.3 * cloud)
    spread = 3.6 - 0.9 * season
    return mean + half_range * season + swing * np.cos(2 * np.pi * (solar_hour - 15.0) / 24.0) + spread * z


def _utc(time: pd.Timestamp) -> pd.Timestamp:
    moment = pd.Timestamp(time)
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
