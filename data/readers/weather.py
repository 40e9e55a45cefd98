"""Measured weather, hour by hour, from a table in CSV or Parquet.

The reader returns what a station measured, gaps included; `simulation.air.measured_weather.complete_weather` makes a
whole table of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from data.readers.hourly_tables import Faults, OnFault, numbers, open_table, renamed, repeated, utc_hours, within
from data.schemas import MEASURED_WEATHER, validate

#: Columns of the files of the Beijing Multi-Site Air-Quality data (doi:10.1098/rspa.2017.0457); their times are in
#: `year`, `month`, `day`, `hour` of Asia/Shanghai, taken as the start of each hour.
BEIJING_WEATHER = {
    "wind_speed_mps": "WSPM",
    "wind_dir_deg": "wd",
    "temperature_c": "TEMP",
    "dew_point_c": "DEWP",
    "pressure_hpa": "PRES",
    "precipitation_mm_per_h": "RAIN",
}
#: Hourly mean wind above this is taken for a code or a slip, m/s (assumed; codes such as 99.9 are common).
ABSURD_WIND_MPS = 60.0
_POINTS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
#: Words for a wind without a direction: calm, calm and variable, variable.
_NO_DIRECTION = ("", "C", "CV", "CALM", "VRB", "VAR", "VARIABLE")
#: Factor and offset from a unit to ours; a knot is 1852 m/h, a mile 1609.344 m.
_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "wind_speed_mps": {"km/h": (1 / 3.6, 0.0), "kn": (1852 / 3600, 0.0), "mph": (1609.344 / 3600, 0.0)},
    "temperature_c": {"K": (1.0, -273.15), "F": (5 / 9, -160 / 9)},
    "dew_point_c": {"K": (1.0, -273.15), "F": (5 / 9, -160 / 9)},
    "cloud_share": {"percent": (0.01, 0.0), "oktas": (0.125, 0.0), "tenths": (0.1, 0.0)},
    "pressure_hpa": {"Pa": (0.01, 0.0), "kPa": (10.0, 0.0)},
    "radiation_w_per_m2": {"kJ/m2/h": (1 / 3.6, 0.0), "MJ/m2/h": (1000 / 3.6, 0.0)},
}


def read_weather(
    path: Path | str,
    *,
    timezone: str,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    missing: Sequence[float | str] = (),
    on_fault: OnFault = "raise",
) -> pd.DataFrame:
    """Read hourly weather.

    Parameters
    ----------
    path : Path or str
        `.csv`, `.csv.gz` or `.parquet`, one row an hour, in any order.
    timezone : str
        IANA zone of times that carry none. Many weather services log standard time all year: then give a zone without
        summer time, such as `Etc/GMT-1` for Central European Time (POSIX turns the sign: -1 is one hour east).
    columns : mapping of str to str, optional
        Our column to the file's, for files that do not use our names: `BEIJING_WEATHER`. Columns that are neither
        mapped nor ours are left out.
    units : mapping of str to str, optional
        Our column to the unit of the file: km/h, kn, mph; K, F; percent, oktas, tenths; Pa, kPa; kJ/m2/h, MJ/m2/h.
    missing : sequence, optional
        Codes for a gap besides an empty cell and NA, such as -999 or 99.9.
    on_fault : {"raise", "missing"}
        What becomes of values that cannot be: an error that names them all, or gaps, logged as a warning.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.MEASURED_WEATHER`: every hour from the first to the last, UTC, gaps null. The
        direction may be a compass point (NNW is 337.5 deg); words for calm and variable wind, and hours with a wind of
        0 m/s, have none.

    Raises
    ------
    InputError
        If there is no such file or an option is unknown.
    FileFormatError
        If the file is damaged or of another format.
    SchemaError
        With every fault and its rows: times that cannot be read, repeat or are not hours, text for numbers, negative or
        absurd values, unknown compass points, no wind.
    """
    faults = Faults(f"weather {path}", on_fault)
    table = renamed(open_table(path, "hourly weather"), columns or {}, faults)
    present = [c for c in MEASURED_WEATHER.columns if c.name != "time" and c.name in table]
    if "wind_speed_mps" not in table:
        faults.add(f"missing column 'wind_speed_mps'; found {list(map(str, table.columns))}: map it by `columns`")
    for name, unit in (units or {}).items():
        if unit not in _UNITS.get(name, {}):
            faults.add(f"unit {unit!r} of '{name}' is unknown; allowed: {sorted(_UNITS.get(name, {})) or 'none'}")
    time = utc_hours(table, timezone, faults)
    read = {}
    for column in present:
        values = table[column.name]
        if column.name == "wind_dir_deg":
            values = _degrees(values, missing, faults)
        values = numbers(values, missing, faults)
        factor, offset = _UNITS.get(column.name, {}).get((units or {}).get(column.name, ""), (1.0, 0.0))
        values = values * factor + offset
        high = ABSURD_WIND_MPS if column.name == "wind_speed_mps" else float(column.high or 0.0)
        read[column.name] = within(values, float(column.low or 0.0), high, column.unit, faults)
    if "wind_speed_mps" in read and read["wind_speed_mps"].isna().all():
        faults.add("column 'wind_speed_mps' holds no reading at all")
    if time is not None:
        repeated(pd.DataFrame({"time": time}), ["time"], faults)
    faults.check()
    assert time is not None
    if "wind_dir_deg" in read:
        read["wind_dir_deg"] = read["wind_dir_deg"].mask(read["wind_speed_mps"] == 0.0)
    measured = pd.DataFrame({"time": time, **read}).set_index("time").sort_index()
    hours = pd.date_range(measured.index[0], measured.index[-1], freq="h", name="time", unit="us")
    return validate(measured.reindex(hours).reset_index(), MEASURED_WEATHER)


def _degrees(values: pd.Series, missing: Sequence[float | str], faults: Faults) -> pd.Series:
    """Compass points to degrees; numbers stay."""
    if pd.api.types.is_numeric_dtype(values):
        return values
    text = values.astype("object").where(values.notna(), "").astype("str").str.strip().str.upper()
    known: dict[str, float] = {point: 22.5 * number for number, point in enumerate(_POINTS)}
    degrees = text.map(known).fillna(pd.to_numeric(text, errors="coerce"))
    silent = text.isin([*_NO_DIRECTION, *(str(code).upper() for code in missing)])
    wrong = (degrees.isna() & ~silent).to_numpy()
    faults.values(values, wrong, "is neither degrees nor one of the 16 compass points")
    return degrees.astype("float64").rename(values.name)
