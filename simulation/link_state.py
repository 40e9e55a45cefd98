"""What traffic tells air: one interval of every link, as arrays and as the `link_state` table.

The joint between the two engines. Traffic fills it, air reads it, neither knows the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.schemas import VEHICLE_CLASSES

N_CLASSES = len(VEHICLE_CLASSES)
#: Speeds at which the histogram of vehicles' mean speeds over a link is kept, km/h: 0.5, 5, 10, ..., 135. A passage is
#: shared between the two around its speed by pace (s/m), so that its metres and its seconds are both kept; below the
#: first and above the last it counts there. Emission curves change least between them as functions of pace.
N_SPEED_BINS = 28
KNOT_STEP_KMH, LOWEST_KNOT_KMH = 5.0, 0.5
SPEED_KNOTS_KMH = np.maximum(np.arange(N_SPEED_BINS) * KNOT_STEP_KMH, LOWEST_KNOT_KMH)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkInterval:
    """All links over one interval. `n_links` = L, vehicle classes = C (order of `VEHICLE_CLASSES`), speed bins = B."""

    start_s: float  # seconds since the run's start
    step_s: float
    vehicle_distance_m: np.ndarray  # (L, C) half of a link's length at entry, half at exit
    vehicle_time_s: np.ndarray  # (L, C) time spent on the link within the interval, exact
    inflow_veh: np.ndarray  # (L, C)
    outflow_veh: np.ndarray  # (L, C)
    queue_veh: np.ndarray  # (L, C) vehicles past their free-flow time at the interval's end
    speed_distance_m: np.ndarray  # (L, C, B) m of vehicles that left, at `SPEED_KNOTS_KMH` around their speed


def interval_table(interval: LinkInterval, start: pd.Timestamp) -> pd.DataFrame:
    """The `link_state` rows of one interval: link and class pairs that had a vehicle.

    Parameters
    ----------
    interval : LinkInterval
    start : Timestamp
        Start of the run, UTC.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.LINK_STATE`.
    """
    link, klass = np.nonzero((interval.vehicle_time_s > 0) | (interval.inflow_veh > 0) | (interval.outflow_veh > 0))
    time = (start + pd.to_timedelta(interval.start_s, unit="s")).as_unit("us")
    return pd.DataFrame(
        {
            "link_id": link.astype(np.int64),
            "time": pd.Series(np.full(link.size, time.to_datetime64()), dtype="datetime64[us]").dt.tz_localize("UTC"),
            "vehicle_class": pd.Categorical.from_codes(klass, categories=list(VEHICLE_CLASSES)),
            "vehicle_distance_m": interval.vehicle_distance_m[link, klass],
            "vehicle_time_s": np.maximum(interval.vehicle_time_s[link, klass], 0.0),
            "inflow_veh": interval.inflow_veh[link, klass],
            "outflow_veh": interval.outflow_veh[link, klass],
            "queue_veh": interval.queue_veh[link, klass],
        }
    )
