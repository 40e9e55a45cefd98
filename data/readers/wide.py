"""Wide tables: a row an interval, a column a sensor, one quantity; with a time column or without one.

METR-LA's speeds (Li et al. 2018, arXiv:1707.01926) come this way, in mph every five minutes: as `.csv` of numbers alone
the start has to be told, rows are then equal steps of elapsed time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import InputError
from data.readers.clocks import TIME_NAMES, clock, to_utc
from data.readers.hourly_tables import Faults
from data.readers.measured_units import factor
from data.readers.places_of_sensors import no_places
from data.readers.plain_tables import find, open_plain, plain_numbers
from data.readers.readings import Readings, commonest_step, kind_of, made
from data.schemas import OBSERVED_QUANTITIES, TIME_DTYPE


def read_wide(
    path: Path | str,
    *,
    quantity: str,
    unit: str,
    timezone: str,
    start: str | None = None,
    step_s: int | None = None,
    missing: Sequence[float | str] = (),
    places: pd.DataFrame | None = None,
) -> Readings:
    """Read a table with a column for each sensor.

    Parameters
    ----------
    path : Path or str
        CSV (plain or packed) or Parquet; the header names the sensors. A column named `time`, `timestamp` or the like,
        or a first column without a name that holds times, tells the times; a running row number is dropped.
    quantity : str
        What is measured: a column of `data.schemas.OBSERVATIONS`.
    unit : str
        See `measured_units.factor`.
    timezone : str
        Of times without an offset: an IANA name, `UTC`, or a fixed offset such as `-08:00`.
    start : str, optional
        Local time of row 0, where the table has no times.
    step_s : int, optional
        Step, s; needed where the table has no times, else found.
    missing : sequence, optional
        Codes for a gap besides an empty cell: METR-LA as first published writes 0.
    places : DataFrame, optional
        Of `places_of_sensors.read_places`.

    Returns
    -------
    Readings

    Raises
    ------
    InputError, FileFormatError
        If the file cannot be read, or an option is unknown or lacking.
    SchemaError
        With every fault of the file.
    """
    if quantity not in OBSERVED_QUANTITIES:
        raise InputError(f"quantity {quantity!r} is unknown; allowed: {', '.join(OBSERVED_QUANTITIES)}")
    faults = Faults(f"detectors {path}")
    notes: list[str] = []
    table = open_plain(path, "readings, a column for each sensor")
    time_column = find(table, TIME_NAMES)
    first = table.columns[0]
    if time_column is None and (first == "" or first.startswith("Unnamed:")):
        time_column = first
        if pd.api.types.is_integer_dtype(table[first]) and (table[first].diff().iloc[1:] == 1).all():
            table, time_column = table.drop(columns=first), None
            notes.append("the first column numbers the rows and was dropped")
    sensors = [name for name in table.columns if name != time_column]
    _check_header(sensors, faults)
    if time_column is None:
        if start is None or step_s is None:
            raise InputError(
                f"{path} has no column of times; give the local time of its first row and the step in seconds"
            )
        times = _counted(start, step_s, len(table), timezone)
        notes.append(f"no times in the file: row 0 is {start} {timezone}, each row {step_s} s later, elapsed")
    else:
        times = to_utc(table[time_column], timezone, faults, notes, skipped="drop")
    faults.check()
    values = np.column_stack([plain_numbers(table[name], faults, missing).to_numpy() for name in sensors])
    n = len(table)
    long = pd.DataFrame(
        {
            "sensor_id": pd.Series(np.repeat(np.array(sensors, dtype=object), n), dtype="str"),
            "time": np.tile(times.to_numpy(dtype="datetime64[us]"), len(sensors)),
            quantity: values.T.ravel(),
        }
    )  # fmt: skip
    long = long.assign(time=long["time"].dt.tz_localize("UTC"))
    long = long[long["time"].notna()].reset_index(drop=True)
    step = step_s or commonest_step(long)
    if any(word in unit for word in ("interval", "step", "count")) and step_s is None:
        notes.append(f"counts are of intervals of {step} s, the commonest gap between rows")
    scale = factor(quantity, unit, step_s=step)
    long[quantity] = long[quantity] * scale
    notes.append(f"{quantity} = {scale:.6g} x {unit}; {len(sensors)} sensors, {n} rows")
    where = no_places(sensors, kind_of([quantity])) if places is None else places
    return made(long, where, faults, notes, step_s=step)


def _check_header(sensors: list[str], faults: Faults) -> None:
    if not sensors:
        faults.add("no column of a sensor")
    looks = [name for name in sensors if "." in name.strip("-") and name.replace(".", "", 1).strip("-").isdigit()]
    if len(looks) > len(sensors) / 2:
        faults.add(f"the header {sensors[:4]} looks like readings; put the sensors' ids into the first line")


def _counted(start: str, step_s: int, n: int, timezone: str) -> pd.Series:
    if step_s <= 0 or 86_400 % step_s:
        raise InputError(f"step_s={step_s}: a step must divide a day of 86,400 s, e.g. 300")
    try:
        first = pd.Timestamp(start)
        first = first.tz_localize(clock(timezone)) if first.tzinfo is None else first
    except (ValueError, TypeError) as error:
        raise InputError(
            f"start {start!r} cannot be read as a time of {timezone} ({error}); write 2012-03-01 00:00"
        ) from error
    times = first.tz_convert("UTC") + pd.to_timedelta(np.arange(n) * step_s, unit="s")
    return pd.Series(times).astype(TIME_DTYPE)
