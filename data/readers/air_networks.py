"""Air stations as networks publish them: OpenAQ's long tables and the European Environment Agency's downloads.

OpenAQ: a row a station, pollutant and hour, the unit in the row. EEA: `Pollutant` is a code of its vocabulary, times
are UTC+1 all year unless they carry an offset, `Validity` below 1 marks what must not be used; `Verification` 1 is
verified, 2 preliminarily so, 3 not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import InputError
from data.readers.clocks import to_utc
from data.readers.hourly_tables import Faults
from data.readers.measured_units import EU_TEMPERATURE_C, factor
from data.readers.plain_tables import find, names_of, open_plain, plain_numbers
from data.readers.readings import Readings, made
from data.readers.stations import pollutant_name
from data.schemas import STATION_POLLUTANTS

#: Codes of the EEA's pollutant vocabulary (dd.eionet.europa.eu/vocabulary/aq/pollutant).
EEA_CODES = {1: "so2", 5: "pm10", 7: "o3", 8: "no2", 9: "nox", 10: "co", 6001: "pm25"}
EEA_ZONE = "+01:00"
HOUR_S = 3600


def read_openaq(
    path: Path | str,
    *,
    timezone: str,
    temperature_c: float = EU_TEMPERATURE_C,
    places: pd.DataFrame | None = None,
) -> Readings:
    """Read an OpenAQ-style long table.

    Parameters
    ----------
    path : Path or str
        Columns, in any order and under usual names: station (`location_id`, `location`), time (`datetimeUtc`,
        `datetime`, `datetimeLocal`, `date_utc`), `parameter`, `value`, `unit` or `units`; `lat`/`latitude` and
        `lon`/`longitude` where they are.
    timezone : str
        Of times without an offset.
    temperature_c : float
        At which ppb and ppm are counted, C; 20 in the EU's directives, 25 in the US.
    places : DataFrame, optional
        Of `read_places`; the file's own coordinates without.

    Returns
    -------
    Readings

    Raises
    ------
    InputError, FileFormatError, SchemaError
    """
    faults = Faults(f"OpenAQ {path}")
    notes: list[str] = []
    ids = ("location_id", "locationid", "station_id", "location", "station")
    table = open_plain(path, "air readings, long", text=ids)
    found = {
        "station": find(table, ids),
        "time": find(
            table, ("datetimeutc", "datetime_utc", "date_utc", "date.utc", "datetime", "datetimelocal", "time")
        ),
        "parameter": find(table, ("parameter", "pollutant")),
        "value": find(table, ("value", "concentration")),
        "unit": find(table, ("unit", "units")),
    }
    lacking = [name for name, column in found.items() if column is None]
    if lacking:
        faults.add(f"missing column(s) {lacking}; found {list(table.columns)}")
    faults.check()
    column = {name: table[theirs] for name, theirs in found.items()}
    station = names_of(column["station"])
    zone = "UTC" if "utc" in str(found["time"]).lower() else timezone
    own = column["parameter"].astype("str").map(lambda text: pollutant_name(text))
    other = sorted(set(column["parameter"].astype("str")[own.isna()]))
    if other:
        notes.append(f"rows of {', '.join(other[:8])} were left out: none of {', '.join(STATION_POLLUTANTS)}")
    unit = column["unit"].astype("str").str.strip()
    return _long(
        station, column["time"], zone, own, column["value"], unit, faults, notes, temperature_c=temperature_c,
        places=_own_places(table, station, faults) if places is None else places,
    )  # fmt: skip


def read_eea(path: Path | str, *, places: pd.DataFrame | None = None, least_verification: int = 3) -> Readings:
    """Read a download of the EEA: Parquet or CSV of today's service, or the CSV of the older one.

    Parameters
    ----------
    path : Path or str
        `Samplingpoint`, `Pollutant` (a code), `Start`, `End`, `Value`, `Unit`, `AggType`, `Validity`, `Verification`;
        or `SamplingPoint` or `AirQualityStation`, `AirPollutant`, `DatetimeBegin`, `Concentration`,
        `UnitOfMeasurement`, `AveragingTime`. Rows that are no hourly means are left out and told.
    places : DataFrame, optional
        The downloads carry none.
    least_verification : int
        Largest code of `Verification` that is used: 1 verified data alone, 3 all.

    Returns
    -------
    Readings

    Raises
    ------
    InputError, FileFormatError, SchemaError
    """
    if least_verification not in (1, 2, 3):
        raise InputError(f"least_verification={least_verification}; allowed are 1 (verified), 2 and 3 (all)")
    faults = Faults(f"EEA {path}")
    notes: list[str] = []
    table = open_plain(path, "air readings of the EEA")
    found = {
        "station": find(table, ("airqualitystation", "samplingpoint", "airqualitystationeoicode")),
        "time": find(table, ("start", "datetimebegin")),
        "parameter": find(table, ("pollutant", "airpollutant", "airpollutantcode")),
        "value": find(table, ("value", "concentration")),
        "unit": find(table, ("unit", "unitofmeasurement")),
    }
    lacking = [name for name, column in found.items() if column is None]
    if lacking:
        faults.add(f"missing column(s) {lacking}; found {list(table.columns)}")
    faults.check()
    keep = np.ones(len(table), dtype=bool)
    mean = find(table, ("aggtype", "averagingtime"))
    if mean is not None:
        hourly = table[mean].astype("str").str.lower().isin(["hour", "h1h", "1h"]).to_numpy()
        _told(notes, keep & ~hourly, "are no hourly means")
        keep &= hourly
    for name, text, good in (
        ("validity", "are marked as not valid", lambda code: code >= 1),
        (
            "verification",
            f"are verified to less than level {least_verification}",
            lambda code: code <= least_verification,
        ),
    ):
        theirs = find(table, (name,))
        if theirs is not None:
            fine = good(plain_numbers(table[theirs], faults)).to_numpy()
            _told(notes, keep & ~fine, text)
            keep &= fine
    table = table[keep].reset_index(drop=True)
    column = {name: table[theirs] for name, theirs in found.items()}
    own = column["parameter"].map(_eea_pollutant)
    strange = sorted(set(column["parameter"].astype("str")[own.isna()]))
    if strange:
        notes.append(f"rows of pollutant(s) {', '.join(strange[:8])} were left out")
    station = names_of(column["station"]).str.rsplit("/", n=1).str[-1]
    return _long(
        station, column["time"], EEA_ZONE, own, column["value"], column["unit"].astype("str"), faults, notes,
        places=places,
    )  # fmt: skip


def _eea_pollutant(value: object) -> str | None:
    text = str(value).rsplit("/", maxsplit=1)[-1]
    try:
        return EEA_CODES.get(int(float(text)))
    except ValueError:
        return pollutant_name(text)


def _told(notes: list[str], left_out: np.ndarray, why: str) -> None:
    if left_out.any():
        notes.append(f"{int(left_out.sum())} row(s) {why} and were left out")


def _long(
    station: pd.Series,
    time: pd.Series,
    zone: str,
    pollutant: pd.Series,
    value: pd.Series,
    unit: pd.Series,
    faults: Faults,
    notes: list[str],
    *,
    temperature_c: float = EU_TEMPERATURE_C,
    places: pd.DataFrame | None,
) -> Readings:
    """One column a pollutant, ug/m3, from a row for each."""
    times = to_utc(time, zone, faults, notes, series=[station, pollutant.astype("str")])
    number = plain_numbers(value, faults)
    pairs = pd.DataFrame({"pollutant": pollutant, "unit": unit}).dropna().drop_duplicates()
    scale = pd.Series(np.nan, index=value.index)
    for own, text in pairs.itertuples(index=False):
        try:
            one = factor(f"{own}_ug_per_m3", text, step_s=HOUR_S, temperature_c=temperature_c)
        except InputError as error:
            faults.add(str(error))
            continue
        if "pp" in text.lower():
            notes.append(f"{own}: {one:.4g} ug/m3 in a {text} at {temperature_c:g} C and 1 atm")
        scale[(pollutant == own) & (unit == text)] = one
    faults.check()
    table = pd.DataFrame({"sensor_id": station, "time": times, "pollutant": pollutant, "value": number * scale})
    table = table[table["pollutant"].notna() & table["time"].notna()]
    again = table.duplicated(["sensor_id", "time", "pollutant"]).to_numpy()
    if again.any():
        notes.append(f"{int(again.sum())} row(s) repeat a station, pollutant and hour; the first was kept")
    table = table[~again]
    if table.empty:
        faults.add(f"no row of a pollutant that is known: {', '.join(STATION_POLLUTANTS)}")
    faults.check()
    wide = table.pivot(index=["sensor_id", "time"], columns="pollutant", values="value")  # noqa: PD010 - keys are unique
    wide = wide.add_suffix("_ug_per_m3").rename_axis(columns=None).reset_index()
    ids = pd.Series(sorted(set(station)), dtype="str")
    nowhere = pd.DataFrame({"sensor_id": ids, "kind": "air", "name": ids, "lon": np.nan, "lat": np.nan})
    return made(wide, nowhere if places is None else places, faults, notes, step_s=HOUR_S)


def _own_places(table: pd.DataFrame, station: pd.Series, faults: Faults) -> pd.DataFrame | None:
    lat, lon = (
        find(table, ("lat", "latitude", "coordinates.latitude")),
        find(table, ("lon", "longitude", "coordinates.longitude")),
    )
    if lat is None or lon is None:
        return None
    name = find(table, ("location_name", "location", "station"))
    out = pd.DataFrame(
        {
            "sensor_id": station, "kind": "air", "name": station if name is None else names_of(table[name]),
            "lon": plain_numbers(table[lon], faults), "lat": plain_numbers(table[lat], faults),
        }
    )  # fmt: skip
    return out.drop_duplicates("sensor_id")


def as_readings(air: pd.DataFrame, places: pd.DataFrame | None, notes: Sequence[str] = ()) -> Readings:
    """Hourly air of `stations.read_station_air` as readings.

    Station names are matched with those of `places` whatever their case.
    """
    table = air.rename(columns={"station_id": "sensor_id"})
    faults = Faults("air stations")
    if places is not None:
        spelling = {name.casefold(): name for name in set(table["sensor_id"].astype("str"))}
        own = places["sensor_id"].astype("str").str.casefold().map(spelling).fillna(places["sensor_id"])
        places = places.assign(sensor_id=own.astype("str"), name=own.astype("str"), kind="air")
    else:
        ids = pd.Series(sorted(set(table["sensor_id"])), dtype="str")
        places = pd.DataFrame({"sensor_id": ids, "kind": "air", "name": ids, "lon": np.nan, "lat": np.nan})
    return made(table, places, faults, list(notes), step_s=HOUR_S)
