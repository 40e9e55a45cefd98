"""Readings of detectors and air stations in one long table, CSV or Parquet: one row a sensor and interval.

Columns are those of `data.schemas.SENSOR_STATE`: `sensor_id`, `time` (start of the interval) and at least one quantity,
in the unit that its name ends with. Times without a zone are local to the city.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from data.errors import FileFormatError, InputError, SchemaError
from data.readers.parquet_tables import read_parquet_table
from data.schemas import SENSOR_STATE, TIME_DTYPE, validate

_KEYS = ("sensor_id", "time")


def read_detectors(path: Path | str, *, timezone: str, sensors: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a long table of sensor readings.

    Parameters
    ----------
    path : Path or str
        `.csv`, `.csv.gz` or `.parquet`.
    timezone : str
        IANA zone of times that have none of their own. The hour that a clock repeats in autumn is taken as summer
        time first, by order in each sensor; a time that the clock skipped in spring is an error.
    sensors : sequence of str, optional
        Sensors that are known; others are an error.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.SENSOR_STATE`, ordered by sensor and time.

    Raises
    ------
    InputError
        If there is no such file, or no sensor reports anything.
    FileFormatError
        If the file is damaged or of another format.
    SchemaError
        With every fault: unknown or missing columns, times that cannot be read, repeated times, values out of range,
        a quantity or a sensor without a single reading.
    """
    table = _read(Path(path))
    faults = []
    missing = [name for name in _KEYS if name not in table.columns]
    unknown = [str(name) for name in table.columns if name not in SENSOR_STATE.names]
    quantities = [name for name in table.columns if name in SENSOR_STATE.names and name not in (*_KEYS, "fault")]
    if missing:
        faults.append(f"missing column(s) {missing}")
    if unknown:
        faults.append(f"unknown column(s) {unknown}; allowed: {list(SENSOR_STATE.names)}")
    if not quantities:
        faults.append(f"no quantity; at least one of {[n for n in SENSOR_STATE.names if n not in (*_KEYS, 'fault')]}")
    if faults:
        raise SchemaError(f"detectors {path}", faults)
    table = table.assign(
        sensor_id=table["sensor_id"].astype("str"),
        time=_utc(table, timezone, str(path)),
        **{name: _numbers(table[name], faults) for name in quantities},
    )
    faults += [f"column '{name}' holds no reading at all" for name in quantities if table[name].isna().all()]
    silent = table.groupby("sensor_id")[quantities].count().sum(axis=1)
    faults += [f"sensor '{name}' reports nothing in all its rows" for name in silent.index[silent == 0][:5]]
    if sensors is not None:
        strange = sorted(set(table["sensor_id"]) - set(sensors))
        if strange:
            faults.append(f"unknown sensor(s) {strange[:5]}; known are {list(sensors)[:5]} and so on")
    if faults:
        raise SchemaError(f"detectors {path}", faults)
    return validate(table.sort_values(list(_KEYS), ignore_index=True), SENSOR_STATE)


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"no file {path}; give a CSV or Parquet table of sensor readings")
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return read_parquet_table(path)
        if name.endswith((".csv", ".csv.gz")):
            return pd.read_csv(path, dtype={"sensor_id": "str"})
    except (OSError, ValueError, EOFError) as error:
        raise FileFormatError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    raise FileFormatError(f"{path}: allowed are .csv, .csv.gz and .parquet")


def _numbers(values: pd.Series, faults: list[str]) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    bad = numbers.isna() & values.notna()
    if bad.any():
        row = int(bad.to_numpy().argmax())
        faults.append(f"column '{values.name}' must be numbers; row {row} holds {values.iloc[row]!r}")
    return numbers.astype("float64")


def _utc(table: pd.DataFrame, timezone: str, path: str) -> pd.Series:
    """Starts of the intervals, UTC."""
    try:
        times = table["time"]
        if not pd.api.types.is_datetime64_any_dtype(times):
            times = pd.to_datetime(times, format="ISO8601")
        if times.dt.tz is None:
            # in the repeated hour of autumn the first pass is summer time
            again = table.assign(time=times).groupby(["sensor_id", "time"]).cumcount().to_numpy()
            times = times.dt.tz_localize(timezone, ambiguous=again == 0, nonexistent="raise")
        return times.dt.tz_convert("UTC").astype(TIME_DTYPE)
    except (ValueError, TypeError, AttributeError) as error:
        text = str(error).splitlines()[0]
        raise SchemaError(
            f"detectors {path}", [f"column 'time' cannot be read as times of {timezone}: {text}"]
        ) from error
