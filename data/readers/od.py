"""OD matrices, departure profiles and lists of trips from files: CSV (long or square), Parquet, OMX, TNTP.

Every reader gives long tables whose names of places are text, as the file has them; `demand_from_od` of the simulation
matches them to a city's zones and gateways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import FileFormatError
from data.readers.plain_tables import find, names_of, open_plain
from data.schemas import VEHICLE_CLASSES

#: Names that tables use for our columns, lower case.
ORIGINS = ("origin_zone_id", "origin_node_id", "origin", "orig", "from", "from_zone", "o", "o_zone_id", "origin_zone")
DESTINATIONS = ("dest_zone_id", "dest_node_id", "destination", "dest", "to", "to_zone", "d", "d_zone_id", "dest_zone")
TRIPS = ("trips_veh", "trips", "vehicles", "veh", "volume", "demand", "flow", "count")
DEPARTURES = ("departure_s", "depart_s", "departure", "depart", "time", "start_s", "t0_s")
CLASSES = ("vehicle_class", "class", "mode")


def read_od(
    path: Path | str, *, columns: Mapping[str, str] | None = None, matrix: str | Mapping[str, str] | None = None
) -> pd.DataFrame:
    """An OD table.

    Parameters
    ----------
    path : Path or str
        By its name: `.omx`; `.tntp` (`.tntp.gz`); else a table (`.csv`, `.txt`, `.tsv`, packed or not, `.parquet`):
        long, with a row a pair, or square, whose first column and header name the zones.
    columns : mapping, optional
        Our name of a column to the file's, where it is not one of the usual ones (`ORIGINS`, ...). A departure may be
        seconds since midnight or a time of day ("07:30", "07:30:00").
    matrix : str or mapping, optional
        Of an OMX file: which matrix, or vehicle class to matrix. Default the only one, or those named as our classes.

    Returns
    -------
    DataFrame
        `origin_zone_id`, `dest_zone_id` (text), `trips_veh` (above 0), and `departure_s`, `vehicle_class` where the
        file has them; ordered by all of them, so that the order of rows and columns in the file is no matter.

    Raises
    ------
    InputError
        If there is no such file, or OMX is asked for without the package h5py.
    FileFormatError
        Naming every fault.
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith(".omx"):
        from data.readers.omx import read_omx

        return _ordered(read_omx(path, matrix=matrix))
    if name.endswith((".tntp", ".tntp.gz")):
        from data.readers.tntp import read_tntp_trips

        trips = read_tntp_trips(path)
        return _ordered(
            pd.DataFrame(
                {
                    "origin_zone_id": trips["origin_zone"].astype("str"),
                    "dest_zone_id": trips["dest_zone"].astype("str"), "trips_veh": trips["trips_native"],
                }
            )
        )  # fmt: skip
    table = open_plain(path, "origins, destinations and trips")
    told = dict(columns or {})
    usual = (("origin_zone_id", ORIGINS), ("dest_zone_id", DESTINATIONS), ("trips_veh", TRIPS))
    at = {ours: _column(table, path, told, ours, names) for ours, names in usual}
    if at["origin_zone_id"] is None or at["dest_zone_id"] is None:
        if told:
            lacking = [ours for ours in ("origin_zone_id", "dest_zone_id") if at[ours] is None]
            raise FileFormatError(f"{path} has no column for {lacking}; it has {list(table.columns)[:20]}")
        return _ordered(_from_square(path))
    faults: list[str] = []
    out = pd.DataFrame({ours: names_of(_as_ids(path, table, at[ours])) for ours in ("origin_zone_id", "dest_zone_id")})
    if at["trips_veh"] is None:
        faults.append(f"no column of trips ({', '.join(TRIPS[:5])}); it has {list(table.columns)[:20]}")
    else:
        out["trips_veh"] = _numbers(table[at["trips_veh"]], faults)
    for ours, names in (("departure_s", DEPARTURES), ("vehicle_class", CLASSES)):
        column = _column(table, path, told, ours, names)
        if column is not None:
            out[ours] = _seconds(table[column], faults) if ours == "departure_s" else _class(table[column], faults)
    _refuse(path, faults)
    return _ordered(out)


def read_trips(path: Path | str, *, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A list of trips, one row each.

    Parameters
    ----------
    path : Path or str
        CSV or Parquet with origin, destination, departure and optionally class; names as in `read_od`.
    columns : mapping, optional

    Returns
    -------
    DataFrame
        `origin_zone_id`, `dest_zone_id` (text; zones, gateways or nodes), `departure_s`, `vehicle_class` (where the
        file has it), in order of departure.

    Raises
    ------
    InputError, FileFormatError
        As `read_od`.
    """
    path = Path(path)
    table, told, faults = open_plain(path, "trips"), dict(columns or {}), list[str]()
    parts = {}
    for ours, names in (
        ("origin_zone_id", ORIGINS), ("dest_zone_id", DESTINATIONS), ("departure_s", DEPARTURES),
        ("vehicle_class", CLASSES),
    ):  # fmt: skip
        column = _column(table, path, told, ours, names)
        if column is None:
            if ours != "vehicle_class":
                faults.append(f"no column for {ours} ({', '.join(names[:4])}); it has {list(table.columns)[:20]}")
        elif ours == "departure_s":
            parts[ours] = _seconds(table[column], faults)
        elif ours == "vehicle_class":
            parts[ours] = _class(table[column], faults)
        else:
            parts[ours] = names_of(_as_ids(path, table, column))
    _refuse(path, faults)
    out = pd.DataFrame(parts)
    keys = ["departure_s", *[name for name in out if name != "departure_s"]]
    return out.sort_values(keys, ignore_index=True)


def read_departure_profiles(path: Path | str) -> pd.DataFrame:
    """Departure profiles: `hour`, `share`, and `kind`, `day_type` where the file has them.

    Raises
    ------
    InputError, FileFormatError
        If there is no such file, or it lacks a column, or a value is no number.
    """
    path = Path(path)
    table, faults = open_plain(path, "hours and shares"), list[str]()
    parts = {}
    for ours, names in (("hour", ("hour", "h")), ("share", ("share", "weight", "trips"))):
        column = find(table, names)
        if column is None:
            faults.append(f"no column '{ours}'; it has {list(table.columns)[:20]}")
        else:
            parts[ours] = _numbers(table[column], faults)
    for ours in ("kind", "day_type"):
        column = find(table, (ours,))
        if column is not None:
            parts[ours] = table[column].astype("str").str.strip().str.lower()
    _refuse(path, faults)
    out = pd.DataFrame(parts)
    return out.sort_values([name for name in ("day_type", "kind", "hour") if name in out], ignore_index=True)


def square_as_long(matrix: np.ndarray, zones: Sequence[str]) -> pd.DataFrame:
    """A square matrix as a long table.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
        Trips from row to column.
    zones : sequence of str
        Names of rows and columns.
    """
    o, d = np.nonzero(matrix)
    name = np.array(list(zones), dtype=object)
    return pd.DataFrame(
        {
            "origin_zone_id": pd.Series(name[o], dtype="str"), "dest_zone_id": pd.Series(name[d], dtype="str"),
            "trips_veh": matrix[o, d].astype(float),
        }
    )  # fmt: skip


def _from_square(path: Path) -> pd.DataFrame:
    """A table whose first column and header name the zones, in any order, but the same zones."""
    table = open_plain(path, "trips between zones")
    first, header = table.columns[0], [str(name).strip() for name in table.columns[1:]]
    table = open_plain(path, "trips between zones", text=[str(first)])
    rows = [str(name) for name in names_of(table[first])]  # a missing name is no text
    faults = []
    if sorted(rows) != sorted(header):
        only = [z for z in rows if z not in set(header)][:5], [z for z in header if z not in set(rows)][:5]
        faults.append(
            "it is neither long (columns of origin, destination, trips) nor square: rows and header must name the same"
            f" zones; only in rows {only[0]}, only in the header {only[1]}"
        )
    if len(set(rows)) != len(rows):
        faults.append(f"zones {[z for z in dict.fromkeys(rows) if rows.count(z) > 1][:5]} have more than one row")
    _refuse(path, faults)
    values = np.stack([_numbers(table[name], faults, blank=0.0).to_numpy() for name in table.columns[1:]], axis=1)
    _refuse(path, faults)
    order = np.asarray(pd.Index(header).get_indexer(rows))
    return square_as_long(values[:, order], rows)


def _column(table: pd.DataFrame, path: Path, told: Mapping[str, str], ours: str, names: Sequence[str]) -> str | None:
    if ours in told:
        if told[ours] not in table:
            raise FileFormatError(f"{path} has no column '{told[ours]}' for {ours}; it has {list(table.columns)[:20]}")
        return told[ours]
    return find(table, names)


def _as_ids(path: Path, table: pd.DataFrame, column: str | None) -> pd.Series:
    """The column as text of the file, so that `007` keeps its zeros."""
    assert column is not None
    if path.suffix.lower() == ".parquet":
        return table[column]
    return open_plain(path, "trips", text=[column])[column]


def _numbers(values: pd.Series, faults: list[str], blank: float | None = None) -> pd.Series:
    cast = pd.to_numeric(values, errors="coerce").astype("float64")
    if blank is not None:
        cast = cast.where(values.notna(), blank)
    bad = ~(np.isfinite(cast.to_numpy()) & (cast.to_numpy() >= 0))
    if bad.any():
        where = np.flatnonzero(bad)[:5].tolist()
        faults.append(
            f"column '{values.name}' must hold numbers of at least 0; rows {where} have"
            f" {values.iloc[where].tolist()} ({bad.sum()} such rows)"
        )
    return cast


def _seconds(values: pd.Series, faults: list[str]) -> pd.Series:
    """Seconds since midnight, from numbers or times of day."""
    cast = pd.to_numeric(values, errors="coerce").astype("float64")
    parts = values.astype("str").str.extract(r"^\s*(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*$").astype("float64")
    clock = parts[0] * 3600.0 + parts[1] * 60.0 + parts[2].fillna(0.0)
    out = cast.where(cast.notna(), clock)
    seconds = out.to_numpy(float)
    bad = ~(np.isfinite(seconds) & (seconds >= 0) & (seconds < 86_400))
    if bad.any():
        where = np.flatnonzero(bad)[:5].tolist()
        faults.append(
            f"column '{values.name}' must hold seconds since midnight (0 to below 86,400) or times of day like 07:30;"
            f" rows {where} have {values.iloc[where].tolist()} ({bad.sum()} such rows)"
        )
    return out


def _class(values: pd.Series, faults: list[str]) -> pd.Series:
    text = values.astype("str").str.strip().str.lower()
    strange = sorted(set(text) - set(VEHICLE_CLASSES))
    if strange:
        faults.append(f"column '{values.name}' holds classes {strange[:5]}; allowed are {VEHICLE_CLASSES}")
    return text


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    keys = [n for n in ("origin_zone_id", "dest_zone_id", "departure_s", "vehicle_class") if n in table]
    table = table[table["trips_veh"] > 0]
    return table.sort_values([*keys, "trips_veh"], ignore_index=True)[[*keys[:2], *keys[2:], "trips_veh"]]


def _refuse(path: Path, faults: Sequence[str]) -> None:
    if faults:
        raise FileFormatError(f"{path} has {len(faults)} fault(s): " + "; ".join(faults))
