"""Air stations: where they stand, and what they measured hour by hour, from tables in CSV or Parquet.

Three layouts are read: a column for each pollutant (one row a station and hour), long (`pollutant` and `value`
columns), and a column for each station (of one pollutant). Pollutants go by their usual names (PM2.5, NO2, NOx) or ours
(`pm25`, `no2_ug_per_m3`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data.errors import InputError
from data.readers.hourly_tables import (
    Faults,
    OnFault,
    named_rows,
    numbers,
    open_table,
    renamed,
    repeated,
    utc_hours,
    within,
)
from data.schemas import AIR_STATIONS, STATION_AIR, STATION_POLLUTANTS, validate

#: Litres of a mole of air at 20 C and 1 atm, to which the EU's directives refer gases (2008/50/EC, annex VI C).
MOLAR_VOLUME_L = 24.055
_MOLAR_MASS_G = {"no2": 46.006, "nox": 46.006, "o3": 47.998, "so2": 64.066, "co": 28.010}
_ALIASES = {"station": "station_id", "latitude": "lat", "longitude": "lon", "datetime": "time"}


def read_stations(path: Path | str, *, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Where air stations stand.

    Parameters
    ----------
    path : Path or str
        CSV or Parquet with `station_id` (or `station`), `lat` (`latitude`) and `lon` (`longitude`), degrees.
    columns : mapping of str to str, optional
        Our column to the file's.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.AIR_STATIONS`, then the file's others.

    Raises
    ------
    InputError, FileFormatError, SchemaError
        As `read_station_air`.
    """
    faults = Faults(f"air stations {path}")
    table = _aliased(renamed(open_table(path, "air stations"), columns or {}, faults))
    for name in (n for n in AIR_STATIONS.names if n not in table):
        faults.add(f"missing column '{name}'; found {list(map(str, table.columns))}")
    faults.check()
    return validate(table.assign(station_id=table["station_id"].astype("str").str.strip()), AIR_STATIONS)


def read_station_air(
    path: Path | str | Sequence[Path | str],
    *,
    timezone: str,
    stations: pd.DataFrame | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    pollutant: str | None = None,
    missing: Sequence[float | str] = (),
    on_fault: OnFault = "raise",
) -> pd.DataFrame:
    """Hourly concentrations at air stations.

    Parameters
    ----------
    path : Path, str or sequence of these
        `.csv`, `.csv.gz` or `.parquet`; several files (of a station each, say) are joined.
    timezone : str
        IANA zone of times that carry none, and the start of the hour. Stations mostly log local *standard* time all
        year: give a zone without summer time then, such as `Etc/GMT-1` for Central European Time (-1 is one hour east).
    stations : DataFrame, optional
        Of `read_stations`. Station names are matched whatever their case and take the spelling given here; one that is
        not in it is a fault.
    columns : mapping of str to str, optional
        Our column (`station_id`, `time`, `no2`) to the file's.
    units : mapping of str to str, optional
        Pollutant to unit where it is not ug/m3: mg/m3, or ppb and ppm (gases, at 20 C and 1 atm; NOx as NO2).
    pollutant : str, optional
        The one pollutant of a file with a column for each station.
    missing : sequence, optional
        Codes for a gap besides an empty cell and NA.
    on_fault : {"raise", "missing"}
        What becomes of negative, absurd or unreadable values: an error that names them all, or gaps with a warning.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.STATION_AIR` that were measured, ug/m3, ordered by station and time; UTC. A gap is
        null; an hour that the file leaves out has no row.

    Raises
    ------
    InputError
        If there is no such file, or an option is unknown.
    FileFormatError
        If a file is damaged or of another format.
    SchemaError
        With every fault of a file and its rows: times that cannot be read or are not hours, repeated hours, negative or
        absurd values, unknown stations and units, no pollutant.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    if not paths:
        raise InputError("no file of air stations was given")
    cell = _Cell(units or {}, missing)
    read = [
        _one_file(p, timezone, stations, columns or {}, cell, pollutant, Faults(f"air {p}", on_fault)) for p in paths
    ]
    whole = pd.concat(read, ignore_index=True)
    across = Faults(f"air of {len(paths)} files")
    repeated(whole, ["station_id", "time"], across)
    across.check()
    whole = whole[[name for name in STATION_AIR.names if name in whole]]
    return validate(whole.sort_values(["station_id", "time"], ignore_index=True), STATION_AIR)


def _one_file(
    path: Path | str,
    timezone: str,
    stations: pd.DataFrame | None,
    columns: Mapping[str, str],
    cell: _Cell,
    pollutant: str | None,
    faults: Faults,
) -> pd.DataFrame:
    """One file, of any layout: `station_id`, `time` and a column for each pollutant."""
    table = _aliased(renamed(open_table(path, "air stations"), columns, faults))
    if pollutant is not None:
        read = _from_station_columns(table, timezone, cell, pollutant, faults)
    elif "station_id" not in table:
        faults.add(
            f"missing column 'station_id'; found {list(map(str, table.columns))}. Where each column is a station, name"
            " the `pollutant`"
        )
        read = table
    elif {"pollutant", "value"} <= set(table.columns):
        read = _from_long(table, timezone, cell, faults)
    else:
        read = _from_pollutant_columns(table, timezone, cell, faults)
    if "station_id" in read:
        read = read.assign(station_id=_names(read, stations, faults))
        held = [name for name in read if name not in ("station_id", "time")]
        if held and not read[held].notna().any(axis=None):
            faults.add("no station reports anything")
        if "time" in read:
            repeated(read, ["station_id", "time"], faults)
    faults.check()
    return read


@dataclass(frozen=True, slots=True)
class _Cell:
    """How a cell becomes ug/m3."""

    units: Mapping[str, str]
    missing: Sequence[float | str]

    def clean(self, values: pd.Series, pollutant: str, faults: Faults) -> pd.Series:
        read = numbers(values, self.missing, faults) * _factor(pollutant, self.units.get(pollutant, "ug/m3"), faults)
        return within(read, 0.0, STATION_POLLUTANTS[pollutant], f"ug/m3 of {pollutant}", faults)

    def check_units(self, pollutants: Iterable[str], faults: Faults) -> None:
        for name in sorted(set(self.units) - set(pollutants)):
            faults.add(f"unit of {name!r}, which the file does not hold; it holds {sorted(set(pollutants))}")


def _from_pollutant_columns(table: pd.DataFrame, timezone: str, cell: _Cell, faults: Faults) -> pd.DataFrame:
    found = {name: own for name in map(str, table.columns) if (own := pollutant_name(name)) is not None}
    if not found:
        faults.add(f"no pollutant; at least one of {list(STATION_POLLUTANTS)}; found {list(map(str, table.columns))}")
    if len(set(found.values())) < len(found):
        faults.add(f"columns {sorted(found)} name a pollutant twice; drop the others")
    cell.check_units(found.values(), faults)
    time = utc_hours(table, timezone, faults, by=("station_id",))
    read = {f"{own}_ug_per_m3": cell.clean(table[theirs], own, faults) for theirs, own in found.items()}
    return pd.DataFrame({"station_id": table["station_id"], **({} if time is None else {"time": time}), **read})


def _from_long(table: pd.DataFrame, timezone: str, cell: _Cell, faults: Faults) -> pd.DataFrame:
    own = table["pollutant"].astype("str").map({n: pollutant_name(n) for n in set(table["pollutant"].astype("str"))})
    strange = own.isna().to_numpy()
    if strange.any():
        faults.add(
            f"column 'pollutant' is none of {list(STATION_POLLUTANTS)} in"
            f" {named_rows(strange, table['pollutant'].to_numpy())}"
        )
    held = sorted(set(own.dropna()))
    cell.check_units(held, faults)
    value = pd.Series(float("nan"), index=table.index)
    for name in held:
        value = value.fillna(cell.clean(table["value"].where(own == name), name, faults))
    table = table.assign(pollutant=own, value=value)
    time = utc_hours(table, timezone, faults, by=("station_id", "pollutant"))
    if time is None:
        return table[["station_id"]]
    table = table.assign(time=time)
    repeated(table, ["station_id", "time", "pollutant"], faults)
    faults.check()
    wide = table.pivot(index=["station_id", "time"], columns="pollutant", values="value")  # noqa: PD010 - keys are unique
    return wide.add_suffix("_ug_per_m3").rename_axis(columns=None).reset_index()


def _from_station_columns(
    table: pd.DataFrame, timezone: str, cell: _Cell, pollutant: str, faults: Faults
) -> pd.DataFrame:
    own = pollutant_name(pollutant)
    if own is None:
        faults.add(f"pollutant {pollutant!r} is unknown; allowed: {list(STATION_POLLUTANTS)}")
        return table[[]]
    cell.check_units([own], faults)
    names = [name for name in table.columns if name not in ("time", "year", "month", "day", "hour")]
    if not names:
        faults.add(f"no column of a station; found {list(map(str, table.columns))}")
    time = utc_hours(table, timezone, faults)
    if time is None or not names:
        return table[[]]
    return pd.concat(
        [
            pd.DataFrame(
                {"station_id": str(name), "time": time, f"{own}_ug_per_m3": cell.clean(table[name], own, faults)}
            )
            for name in names
        ],
        ignore_index=True,
    )


def pollutant_name(text: str) -> str | None:
    """Our name of a pollutant: `PM2.5` is `pm25`; None for other words."""
    plain = re.sub(r"[^a-z0-9]", "", re.sub(r"_?ug_per_m3$", "", text.strip().lower()))
    return plain if plain in STATION_POLLUTANTS else None


def _aliased(table: pd.DataFrame) -> pd.DataFrame:
    """Usual names of the key columns to ours."""
    lower = {name: str(name).strip().lower() for name in table.columns}
    keys = {"time", "year", "month", "day", "hour", "station_id", "pollutant", "value", "lat", "lon", *_ALIASES}
    names = {name: _ALIASES.get(low, low) for name, low in lower.items() if low in keys}
    own = {name: key for name, key in names.items() if name == key or key not in table.columns}
    return table.rename(columns=own)


def _names(table: pd.DataFrame, stations: pd.DataFrame | None, faults: Faults) -> pd.Series:
    """Station names, spelt as in the table of places where there is one."""
    names = table["station_id"].astype("str").str.strip()
    if stations is None:
        return names
    spelling = {name.casefold(): name for name in stations["station_id"].astype("str")}
    own = names.str.casefold().map(spelling)
    strange = sorted(set(names[own.isna()]))
    if strange:
        faults.add(f"unknown station(s) {strange[:10]}; known are {sorted(spelling.values())[:20]}")
    return own.fillna(names).astype("str")


def _factor(pollutant: str, unit: str, faults: Faults) -> float:
    """ug/m3 in one of the unit."""
    factors = {"ug/m3": 1.0, "mg/m3": 1000.0}
    if pollutant in _MOLAR_MASS_G:
        ppb = _MOLAR_MASS_G[pollutant] / MOLAR_VOLUME_L
        factors |= {"ppb": ppb, "ppm": 1000.0 * ppb}
    if unit not in factors:
        faults.add(f"unit {unit!r} of '{pollutant}' is unknown; allowed: {sorted(factors)}")
    return factors.get(unit, 1.0)
