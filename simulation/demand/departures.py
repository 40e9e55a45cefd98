"""When trips start: shares of a day's vehicles by quarter hour, by kind of trip and day type.

The shape of the day is measured (`data/defaults/departure_profiles.csv`); that more of the morning's traffic enters
a centre and more of the evening's leaves it is the commuting asymmetry, stated below.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

KINDS = ("inbound", "outbound", "through", "internal")
DAY_TYPES = ("weekday", "weekend")
BINS = 96  # quarter hours
BIN_S = 900.0
#: Extra share of inbound trips around 08:00 and of outbound trips around 16:30 on weekdays, and its loss at the other
#: peak; assumption: about 60 % of a centre's peak traffic follows the commuting direction.
PEAK_TILT = 0.35
MORNING_S, EVENING_S, PEAK_WIDTH_S = 8.0 * 3600, 16.5 * 3600, 1.6 * 3600
#: Vehicles on a weekend day per vehicle on a weekday; assumption for a European centre. (The US survey's Saturday
#: has 1.05 of its Wednesday, shopping trips by car included.)
WEEKEND_FACTOR = 0.8
_COLUMN = {"weekday": "weekday_trips", "weekend": "weekend_trips"}


@cache
def _table() -> pd.DataFrame:
    with (files("data") / "defaults" / "departure_profiles.csv").open() as file:
        return pd.read_csv(file)


def profile(kind: str, day_type: str) -> np.ndarray:
    """Share of the day's trips that start in each quarter hour, local time. Shape (96,), sum 1."""
    hourly = _table()[_COLUMN[day_type]].to_numpy(float)
    middle = (np.arange(24) + 0.5) * 3600.0
    at = (np.arange(BINS) + 0.5) * BIN_S
    density = np.interp(at, middle, hourly, period=86_400.0)
    if day_type == "weekday" and kind in ("inbound", "outbound"):
        morning = np.exp(-0.5 * ((at - MORNING_S) / PEAK_WIDTH_S) ** 2)
        evening = np.exp(-0.5 * ((at - EVENING_S) / PEAK_WIDTH_S) ** 2)
        sign = 1.0 if kind == "inbound" else -1.0
        density = density * (1.0 + sign * PEAK_TILT * (morning - evening))
    return density / density.sum()


def occupancy() -> float:
    """Mean persons in a car, weighted by weekday trips (NHTS 2001)."""
    table = _table()
    return float((table["weekday_trips"] * table["occupancy"]).sum() / table["weekday_trips"].sum())
