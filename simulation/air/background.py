"""What the wind brings into the city: regional NOx, NO2, ozone, PM2.5 and PM10, hour by hour.

Synthetic levels for a northern European city, to be replaced by a regional station's series where there is one. The
sizes are stated assumptions: NO2 about 9 and PM2.5 about 5.5, PM10 about 10 ug/m3 in the yearly mean, ozone highest in
April, as regional and urban background stations around the Baltic report in the 2020s.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulation.air.solar import sun
from simulation.air.weather import gaussian_days

#: Species that the city's air carries, in the order of its arrays and as columns of a background table, ug/m3 (NOx as
#: NO2). `no2` and `o3` are as they would be without
#: reaction inside the city; `simulation.air.chemistry` lets them react.
SPECIES: tuple[str, ...] = ("nox", "no2", "o3", "pm25", "pm10")
#: Southerly to south-easterly air has crossed the continent: particles rise by this factor against clean sea air.
_CONTINENT_FROM_DEG = 165.0


def synthetic_background(weather: pd.DataFrame, *, seed: int, latitude: float, longitude: float) -> pd.DataFrame:
    """Concentrations of the air that flows in, for every hour of `weather`.

    Parameters
    ----------
    weather : DataFrame
        Reads `time`, `wind_speed_mps`, `wind_dir_deg`, `radiation_w_per_m2`, `temperature_c`,
        `precipitation_mm_per_h`.
    seed : int
        An hour depends on (seed, its day) and on its own row of `weather` alone.
    latitude, longitude : float
        Degrees; the longitude gives the local hour and weekday.

    Returns
    -------
    DataFrame
        `time` and one column for each of `SPECIES`, ug/m3 (NOx as NO2); NO2 never exceeds NOx, nor
        PM2.5 PM10.
    """
    seconds = weather["time"].dt.tz_convert("UTC").dt.as_unit("s").astype("int64").to_numpy()
    day, where = np.unique(seconds // 86_400, return_inverse=True)
    hour = seconds % 86_400 // 3600
    slow_no2, fast_no2, slow_pm, slow_o3 = gaussian_days(seed, day, stream=2, hours=(30.0, 4.0, 50.0, 40.0))[
        :, where, hour
    ]
    season, _, solar_hour = sun(latitude, longitude, seconds + 1800.0)
    wind = weather["wind_speed_mps"].to_numpy()
    weekend = ((seconds + longitude * 240.0) // 86_400 + 3) % 7 >= 5  # 1970-01-01 was a Thursday

    rush = np.exp(-(((solar_hour - 7.5) / 1.8) ** 2)) + 0.7 * np.exp(-(((solar_hour - 16.5) / 2.5) ** 2))
    calm = (3.5 / np.maximum(wind, 0.8)) ** 0.45  # a weaker dilution of everything upwind
    week = np.where(weekend, 0.72, 1.0)
    nox = 11.0 * (1 - 0.3 * season) * (0.7 + 0.55 * rush * week) * calm * np.exp(0.35 * slow_no2 + 0.15 * fast_no2)
    no2 = nox * np.clip(0.90 - 0.004 * nox, 0.6, 0.9)

    spring = np.cos(2 * np.pi * ((seconds / 86_400.0) % 365.2425 - 110.0) / 365.2425) * (1 if latitude >= 0 else -1)
    sunlight = weather["radiation_w_per_m2"].to_numpy()
    o3 = 56.0 + 13.0 * spring + 0.022 * sunlight - 0.55 * (no2 - 9.0) + 8.0 * slow_o3
    o3 = np.maximum(o3, 4.0)

    toward = np.radians(weather["wind_dir_deg"].to_numpy() - _CONTINENT_FROM_DEG)
    continent = 1.0 + 0.55 * np.exp(2.0 * (np.cos(toward) - 1.0))
    washed = np.where(weather["precipitation_mm_per_h"].to_numpy() > 0.2, 0.8, 1.0)
    heating = 1.0 + 0.02 * np.maximum(-weather["temperature_c"].to_numpy(), 0.0)  # wood stoves in frost
    pm25 = 4.4 * continent * washed * heating * calm**0.6 * np.exp(0.33 * slow_pm)
    # Coarse particles (dust, sea salt): stirred up by wind, washed out, most in the dry spring. Sizes assumed.
    slow_coarse = gaussian_days(seed, day, stream=3, hours=(30.0,))[0][where, hour]
    coarse = 4.0 * (1.0 + 0.3 * spring) * np.sqrt(np.maximum(wind, 0.8) / 3.5) * washed * np.exp(0.4 * slow_coarse)
    species = {"nox": nox, "no2": no2, "o3": o3, "pm25": pm25, "pm10": pm25 + coarse}
    return pd.DataFrame({"time": weather["time"].to_numpy(), **species})
