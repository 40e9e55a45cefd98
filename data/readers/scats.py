"""SCATS volumes as VicRoads publishes them: a row a detector group and day, columns V00 to V95 of 15 minutes each.

Neither site and location nor `HF VicRoads Internal` alone tells the detector groups apart (a location may have two, a
number may stand at two sites, or be -1): the sensor's id is `site.number`, with the location where even that repeats.
Volumes are of the stop line of an approach; `WARRIGAL_RD N of HIGH STREET_RD` is the approach north of the junction,
driven southwards. Negative volumes are codes of the controller for no data.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from data.readers.clocks import to_utc
from data.readers.hourly_tables import Faults, named_rows
from data.readers.plain_tables import find, names_of, open_plain, plain_numbers
from data.readers.readings import Readings, made
from data.units import SECONDS_PER_HOUR

_KEY, _SITE, _PLACE = ("hf vicroads internal",), ("scats number", "nb_scats_site"), ("location",)
_LAT, _LON, _DAY = (
    ("nb_latitude", "latitude", "lat"),
    ("nb_longitude", "longitude", "lon"),
    ("date", "qt_interval_count"),
)
#: Where an approach lies, and which way its traffic drives, degrees clockwise from north.
_APPROACH = {"N": 180.0, "NE": 225.0, "E": 270.0, "SE": 315.0, "S": 0.0, "SW": 45.0, "W": 90.0, "NW": 135.0}


def read_scats(path: Path | str, *, timezone: str = "Australia/Melbourne") -> Readings:
    """Read SCATS volumes.

    Parameters
    ----------
    path : Path or str
        CSV (plain or packed) or Parquet with `Date`, `V00`, `V01`, ... (96 of 15 minutes, or any number that divides a
        day) and `HF VicRoads Internal`, or else `SCATS Number` and `Location`.
    timezone : str
        Of the dates. On the day that clocks go forward the slots of the hour that was skipped are dropped; on the day
        that they go back the hour that came twice has one volume, taken as its first pass.

    Returns
    -------
    Readings
        `flow_veh_per_h`; the sensor's name is the location.

    Raises
    ------
    InputError, FileFormatError, SchemaError
    """
    faults = Faults(f"SCATS {path}")
    notes: list[str] = []
    table = open_plain(path, "SCATS volumes", text=("SCATS Number", "HF VicRoads Internal"))
    table = table.loc[:, [not (name.startswith("Unnamed:") and table[name].isna().all()) for name in table.columns]]
    slots = sorted((int(m[1]), name) for name in table.columns if (m := re.fullmatch(r"[Vv](\d{2,3})", name)))
    n_slots = len(slots)
    if not n_slots or [k for k, _ in slots] != list(range(n_slots)) or 86_400 % n_slots:
        faults.add(
            f"columns V00, V01, ... must be as many as divide a day (96 of 15 minutes); found"
            f" {[name for _, name in slots][:3]} and so on, {n_slots} in all"
        )
    day, key, site, location = (find(table, names) for names in (_DAY, _KEY, _SITE, _PLACE))
    if day is None:
        faults.add(f"missing column 'Date'; found {list(table.columns)[:12]}")
    if key is None and (site is None or location is None):
        faults.add("missing column 'HF VicRoads Internal', or 'SCATS Number' and 'Location'")
    faults.check()
    assert day is not None
    sensor = _ids(table, key, site, location)
    dates = pd.to_datetime(table[day].astype("str"), format="ISO8601", errors="coerce")
    for style in ("%d/%m/%Y", "%d/%m/%Y %H:%M"):
        dates = dates.fillna(pd.to_datetime(table[day].astype("str"), format=style, errors="coerce"))
    if dates.isna().any():
        faults.add(f"column '{day}' holds no date in {named_rows(dates.isna().to_numpy(), table[day].to_numpy())}")
    if (dates != dates.dt.normalize()).any():
        faults.add(f"column '{day}' must hold days without a time")
    faults.check()
    step = 86_400 // n_slots
    volumes = np.column_stack([plain_numbers(table[name], faults).to_numpy() for _, name in slots])
    faults.check()
    codes = int((volumes < 0).sum())
    if codes:
        notes.append(f"{codes} volumes below zero are codes for no data and were taken as gaps")
    volumes = np.where(volumes < 0, np.nan, volumes)
    wall = pd.Series(dates.to_numpy()).repeat(n_slots).reset_index(drop=True)
    wall = wall + pd.to_timedelta(np.tile(np.arange(n_slots) * step, len(table)), unit="s")
    # rows that came twice are no second pass of an hour: the time alone is asked, once
    code, unique = pd.factorize(wall)
    utc = to_utc(pd.Series(unique), timezone, faults, notes, skipped="drop")
    long = pd.DataFrame(
        {
            "sensor_id": np.repeat(sensor.to_numpy(dtype=object), n_slots),
            "time": utc.iloc[code].to_numpy(dtype="datetime64[us]"),
            "flow_veh_per_h": volumes.ravel() * SECONDS_PER_HOUR / step,
        }
    )
    long = long.assign(time=long["time"].dt.tz_localize("UTC"))
    long = long[long["time"].notna()].astype({"sensor_id": "str"})
    notes.append(f"flow_veh_per_h = {SECONDS_PER_HOUR / step:g} x vehicles in {step} s")
    return made(long, _places(table, sensor, location, site, faults), faults, notes, step_s=step)


def _ids(table: pd.DataFrame, key: str | None, site: str | None, location: str | None) -> pd.Series:
    """`site.number`, the number without a sense (-1) left out; the location added where one id has several."""
    number = names_of(table[key]) if key else None
    if site is None:
        assert number is not None
        return number
    ids = names_of(table[site])
    if number is not None:
        ids = ids.where(number.str.startswith("-") | (number == "nan"), ids + "." + number)
    if location is not None:
        name = names_of(table[location])
        several = name.groupby(ids).transform("nunique") > 1
        ids = ids.where(~several, ids + " " + name)
    return ids


def _places(
    table: pd.DataFrame, sensor: pd.Series, location: str | None, site: str | None, faults: Faults
) -> pd.DataFrame:
    lat, lon = find(table, _LAT), find(table, _LON)
    name = names_of(table[location]) if location else sensor
    way = name.str.extract(r"\s([NS]?[EW]?)\s+(?:of|OF)\s")[0] if location else pd.Series(np.nan, index=table.index)
    out = pd.DataFrame(
        {
            "sensor_id": sensor, "kind": "loop", "name": name,
            "lon": plain_numbers(table[lon], faults) if lon else np.nan,
            "lat": plain_numbers(table[lat], faults) if lat else np.nan,
            "bearing_deg": way.map(_APPROACH).astype("float64"),
        }
    )  # fmt: skip
    if site is not None:
        out["site"] = names_of(table[site])
    return out.drop_duplicates("sensor_id", keep="first")
