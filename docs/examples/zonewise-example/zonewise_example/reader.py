"""A reader: the file that a roadside counter writes.

    # counter;K12;15.6012;48.4093
    26.01.2026 00:00;14;51.5
    26.01.2026 00:15;9;52.0

First the counter's name and where it stands (longitude, latitude), then a line for each quarter of an hour: local time
at its start, vehicles counted, mean speed in km/h (empty where nothing came by).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data.errors import FileFormatError
from data.readers.clocks import to_utc
from data.readers.hourly_tables import Faults
from data.readers.readings import Readings, made

STEP_S = 900
KMH_PER_MPS = 3.6


def read_roadside_log(path: Path, *, timezone: str = "Europe/Vienna") -> Readings:
    """Flow (veh/h) and speed (m/s) of one counter.

    Raises
    ------
    FileFormatError
        If the first line is not that of a counter.
    SchemaError
        Naming every fault of the lines below it.
    """
    with path.open(encoding="utf-8") as file:
        head = file.readline().strip().split(";")
    if len(head) != 4 or head[0] != "# counter":
        raise FileFormatError(f"{path}: the first line must read '# counter;NAME;LONGITUDE;LATITUDE'; found {head}")
    faults, notes = Faults(str(path)), [f"{path.name}: speeds in km/h, vehicles a quarter of an hour"]
    table = pd.read_csv(path, sep=";", skiprows=1, names=["time", "count", "kmh"], dtype={"time": str})
    sensor = pd.Series(head[1], index=table.index, dtype="str")
    when = pd.to_datetime(table["time"], format="%d.%m.%Y %H:%M", errors="coerce")
    if when.isna().any():
        faults.add(f"times that are none: {table['time'][when.isna()].head(5).tolist()}")
    faults.check()
    readings = pd.DataFrame(
        {
            "sensor_id": sensor,
            "time": to_utc(when, timezone, faults, notes, series=[sensor]),
            "flow_veh_per_h": table["count"].astype(float) * 3600 / STEP_S,
            "speed_mps": table["kmh"].astype(float) / KMH_PER_MPS,
        }
    )
    place = {
        "sensor_id": [head[1]],
        "kind": ["loop"],
        "name": [head[1]],
        "lon": [float(head[2])],
        "lat": [float(head[3])],
    }
    return made(readings, pd.DataFrame(place), faults, notes, step_s=STEP_S)
