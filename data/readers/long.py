"""Long tables: a row a sensor and interval, a column a quantity, under any names and units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from data.readers.clocks import TIME_NAMES, to_utc
from data.readers.hourly_tables import Faults
from data.readers.measured_units import factor
from data.readers.places_of_sensors import no_places
from data.readers.plain_tables import find, names_of, open_plain, plain_numbers
from data.readers.readings import Readings, commonest_step, kind_of, made
from data.schemas import OBSERVED_QUANTITIES

_IDS = ("sensor_id", "sensor", "detector_id", "detector", "station_id", "station", "site_id", "id")
_PLACES = ("lat", "lon", "latitude", "longitude", "name", "kind")  # of a sensor, not of its readings


def read_long(
    path: Path | str,
    *,
    timezone: str,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    missing: Sequence[float | str] = (),
    places: pd.DataFrame | None = None,
    step_s: int | None = None,
) -> Readings:
    """Read a table with a row for each sensor and interval.

    Parameters
    ----------
    path : Path or str
        CSV (plain or packed) or Parquet, columns in any order: a sensor's id, a time (start of the interval), and
        quantities under our names, or under those that `columns` tells.
    timezone : str
        Of times without an offset; see `clocks.clock`.
    columns : mapping of str to str, optional
        Our column to the file's, e.g. `{"flow_veh_per_h": "count"}`; other columns are not read.
    units : mapping of str to str, optional
        Quantity to unit, where it is not that of its name, e.g. `{"flow_veh_per_h": "veh/interval"}`.
    missing : sequence, optional
        Codes for a gap besides an empty cell.
    places : DataFrame, optional
    step_s : int, optional
        Step, s; found if not given.

    Returns
    -------
    Readings

    Raises
    ------
    InputError, FileFormatError, SchemaError
    """
    faults = Faults(f"readings {path}")
    notes: list[str] = []
    theirs = dict(columns or {})
    table = open_plain(path, "readings, a row for each sensor and time", text=(*_IDS, theirs.get("sensor_id", "")))
    absent = sorted(set(theirs.values()) - set(table.columns))
    if absent:
        faults.add(f"the file has no column(s) {absent}; found {list(table.columns)}")
    unknown = sorted(set(theirs) - {"sensor_id", "time", "fault", *OBSERVED_QUANTITIES})
    if unknown:
        faults.add(f"column(s) {unknown} are none of ours; allowed: sensor_id, time, {', '.join(OBSERVED_QUANTITIES)}")
    sensor = theirs.get("sensor_id") or find(table, _IDS)
    time = theirs.get("time") or find(table, TIME_NAMES)
    held = {q: theirs.get(q, q) for q in OBSERVED_QUANTITIES if theirs.get(q, q) in table.columns}
    for name, found in (("sensor_id", sensor), ("time", time)):
        if found is None:
            faults.add(f"missing column '{name}'; found {list(table.columns)}")
    if not held:
        faults.add(f"no quantity; at least one of {list(OBSERVED_QUANTITIES)}; found {list(table.columns)}")
    for name in sorted(set(units or {}) - set(held)):
        faults.add(f"unit of '{name}', which the file does not hold; it holds {sorted(held)}")
    faults.check()
    unread = [c for c in map(str, table.columns) if c not in {sensor, time, "fault", *held.values(), *_PLACES}]
    if unread:
        notes.append(
            f"column(s) {', '.join(unread[:10])} are not read; one that is a quantity of ours is named by --columns"
            f" OURS=THEIRS, ours being {', '.join(OBSERVED_QUANTITIES)}"
        )
    assert sensor is not None and time is not None
    ids = names_of(table[sensor])
    nameless = table[sensor].isna() | (ids == "")
    if nameless.any():
        faults.add(f"column '{sensor}' is empty in {int(nameless.sum())} row(s); every reading needs its sensor")
    times = to_utc(table[time], timezone, faults, notes, series=[ids], skipped="raise")
    values = {name: plain_numbers(table[column], faults, missing) for name, column in held.items()}
    faults.check()
    long = pd.DataFrame({"sensor_id": ids, "time": times, **values})
    if "fault" in table:
        long["fault"] = table["fault"].astype("str").where(table["fault"].notna())
    step = step_s or commonest_step(long.sort_values(["sensor_id", "time"]))
    for name in held:
        unit = (units or {}).get(name)
        if unit is not None:
            scale = factor(name, unit, step_s=step)
            long[name] = long[name] * scale
            notes.append(f"{name} = {scale:.6g} x {unit} (steps of {step} s)")
    where = no_places(sorted(set(ids)), kind_of(list(held))) if places is None else places
    return made(long, where, faults, notes, step_s=step)
