"""The weather of a study that was given none: one typical draw for all its pairs.

Synthetic weather that is drawn anew for each seed moves concentrations far more than most plans do, and far from
evenly: one calm hour among a few seeds decides the mean. On the toy town's NO2 (skewness 3.8 over seeds) Student's
interval of five such pairs held the true effect in 67 % of cases instead of 90. So all pairs of a study live in the
same weather, and its intervals are of what happens in that weather; another weather is another question, which
`weather="each"` or several days ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from simulation.air.background import synthetic_background
from simulation.air.weather import synthetic_weather

if TYPE_CHECKING:
    from simulation.city import City

#: Draws among which the middle one is typical; assumption.
DRAWS = 15


def typical_air(city: City, start: str | pd.Timestamp, days: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Weather and background of the draw whose air is diluted as that of the median draw.

    Dilution is told by the mean of one over the wind speed (at least 0.5 m/s) over the run: what a street's
    concentration is proportional to in plume and box models alike.

    Parameters
    ----------
    city : City
        Reads where it is.
    start : str or Timestamp
        Begin, local time.
    days : float

    Returns
    -------
    weather, background : DataFrame
        As `City.run` takes them.
    """
    moment = pd.Timestamp(start)
    moment = moment.tz_localize(city.timezone) if moment.tzinfo is None else moment
    zero = moment.tz_convert("UTC").as_unit("us")
    until = int(np.ceil(days)) + 1
    draws = [
        synthetic_weather(city.latitude, zero, until, seed, longitude=city.longitude) for seed in range(1, DRAWS + 1)
    ]
    end = zero + pd.Timedelta(days=days)
    calm = [
        float((1.0 / np.maximum(draw.loc[(draw["time"] >= zero.floor("h")) & (draw["time"] < end), "wind_speed_mps"],
                                0.5)).mean())
        for draw in draws
    ]  # fmt: skip
    middle = int(np.argsort(calm, kind="stable")[DRAWS // 2])
    background = synthetic_background(draws[middle], seed=middle + 1, latitude=city.latitude, longitude=city.longitude)
    return draws[middle], background
