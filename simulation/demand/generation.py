"""Trip ends: how many vehicles a day start and end in each zone, from what the zone is like."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Vehicle trip ends a day, both directions together; assumptions for a dense European centre with good transit,
#: where a dwelling makes fewer car trips than the 5-10 a day of North American trip generation tables.
ENDS_PER_HOME = 1.0
ENDS_PER_JOB = 0.6
ENDS_PER_SHOP = 8.0
#: A zone with nothing known about it still has doors: trip ends a day per metre of street.
ENDS_PER_STREET_M = 0.05
#: Mean length of an urban car trip, m; assumption, near the median of German car trips (6 km; MiD 2017).
MEAN_TRIP_M = 6000.0


def trip_ends(zones: pd.DataFrame) -> np.ndarray:
    """Vehicle trip ends a day of each zone, departures and arrivals together. Shape (n_zones,).

    Parameters
    ----------
    zones : DataFrame
        `homes`, `jobs`, `shops`, `road_major_m`, `road_minor_m`.
    """
    street = zones["road_major_m"] + zones["road_minor_m"]
    ends = ENDS_PER_HOME * zones["homes"] + ENDS_PER_JOB * zones["jobs"] + ENDS_PER_SHOP * zones["shops"]
    return (ends + ENDS_PER_STREET_M * street).to_numpy(float)


def internal_share(area_m2: float) -> float:
    """Share of trip ends whose other end lies in the city too, by the city's area.

    Trip lengths of density r exp(-r / a) with mean 2 a = `MEAN_TRIP_M` stay within the radius R of a circle of that
    area with probability 1 - (1 + R / a) exp(-R / a): 2 % in a centre of 1.6 km2, 60 % in a city of 110 km2.
    """
    x = np.sqrt(area_m2 / np.pi) / (MEAN_TRIP_M / 2.0)
    return float(1.0 - (1.0 + x) * np.exp(-x))
