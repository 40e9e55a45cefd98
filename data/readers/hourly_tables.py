"""Hourly tables of weather and air stations: open the file, make its times UTC, and name what is wrong by row.

Rows are counted from 0 at the first row below the header, as the errors say.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from data.errors import FileFormatError, InputError, SchemaError
from data.readers.parquet_tables import read_parquet_table
from data.schemas import TIME_DTYPE
from data.timezones import checked_timezone

log = logging.getLogger(__name__)
OnFault = Literal["raise", "missing"]
_CLOCK = ("year", "month", "day", "hour")
_ROWS_NAMED = 10


@dataclass(slots=True)
class Faults:
    """What is wrong with one file; values at fault become gaps where the caller asked for that."""

    source: str
    on_fault: OnFault = "raise"
    found: list[str] = field(default_factory=list)
    _gaps_help: bool = False

    def __post_init__(self) -> None:
        if self.on_fault not in ("raise", "missing"):
            raise InputError(f"on_fault={self.on_fault!r}; allowed are 'raise' and 'missing'")

    def add(self, fault: str) -> None:
        """A fault that no gap can cure."""
        self.found.append(fault)

    def values(self, values: pd.Series, bad: np.ndarray, why: str) -> pd.Series:
        """Name the values at fault by row, or make gaps of them and log how many."""
        if not bad.any():
            return values
        text = f"column '{values.name}' {why} in {named_rows(bad, values.to_numpy())}"
        if self.on_fault == "raise":
            self.found.append(text)
            self._gaps_help = True
        else:
            log.warning("%s: %s; taken as missing", self.source, text)
        return values.mask(bad)

    def check(self) -> None:
        """Raise what was found, all of it."""
        if self.found:
            cure = " (on_fault='missing' turns values at fault into gaps)" if self._gaps_help else ""
            raise SchemaError(f"{self.source}{cure}", self.found)


def named_rows(bad: np.ndarray, values: np.ndarray | None = None) -> str:
    """`3 row(s): 4 (-1.0), 17 (-2.0), ...`, the first ten."""
    rows = np.flatnonzero(bad)
    named = [f"{row}" if values is None else f"{row} ({values[row]})" for row in rows[:_ROWS_NAMED]]
    return f"{rows.size} row(s): {', '.join(named)}{', ...' if rows.size > _ROWS_NAMED else ''}"


def open_table(path: Path | str, what: str) -> pd.DataFrame:
    """Read CSV or Parquet as it is.

    Raises
    ------
    InputError
        If there is no such file, or it holds no row.
    FileFormatError
        If it is damaged or of another format.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path}; give a CSV or Parquet table of {what}")
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            table = read_parquet_table(path)
        elif name.endswith((".csv", ".csv.gz")):
            table = pd.read_csv(path, low_memory=False)
        else:
            raise FileFormatError(f"{path}: allowed are .csv, .csv.gz and .parquet")
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if table.empty:
        raise InputError(f"{path} holds no row of {what}")
    return table


def renamed(table: pd.DataFrame, columns: Mapping[str, str], faults: Faults) -> pd.DataFrame:
    """Give columns our names; `columns` maps ours to those of the file."""
    absent = sorted(set(columns.values()) - set(map(str, table.columns)))
    if absent:
        faults.add(f"the file has no column(s) {absent}; found {list(map(str, table.columns))}")
    chosen = {theirs: ours for ours, theirs in columns.items()}
    return table.drop(columns=[c for c in columns if c in table and c not in chosen]).rename(columns=chosen)


def numbers(values: pd.Series, missing: Sequence[float | str], faults: Faults) -> pd.Series:
    """Numbers of a column; text is a fault, the codes in `missing` are gaps."""
    values = values.mask(values.isin(list(missing)))
    cast = pd.to_numeric(values, errors="coerce").astype("float64")
    cast = cast.mask(cast.isin([code for code in missing if not isinstance(code, str)]))
    faults.values(values, (cast.isna() & values.notna() & ~values.isin(list(missing))).to_numpy(), "holds no number")
    return cast


def within(values: pd.Series, low: float, high: float, unit: str, faults: Faults) -> pd.Series:
    """Values within a closed range; others are faults."""
    bad = ~values.between(low, high).to_numpy() & values.notna().to_numpy()
    return faults.values(values, bad, f"is outside {low:g} to {high:g} {unit}")


def utc_hours(table: pd.DataFrame, timezone: str, faults: Faults, *, by: Sequence[str] = ()) -> pd.Series | None:
    """Starts of the hours in UTC, from `time` or from `year`, `month`, `day`, `hour`; None where they are at fault.

    Parameters
    ----------
    table : DataFrame
    timezone : str
        Zone of times that have none of their own, as IANA writes it: `Europe/Helsinki` for clocks that are put forward
        in summer, `Etc/GMT-2` for stations that stay on standard time all year (GMT-2 is two hours *east*: the sign is
        turned round by POSIX). The hour that a clock repeats in autumn is summer time first, by order of rows.
    faults : Faults
    by : sequence of str
        Columns that tell series apart.

    Raises
    ------
    CityError
        If there is no such time zone.
    """
    checked_timezone(timezone)
    if "time" in table:
        given = table["time"]
        times = given if pd.api.types.is_datetime64_any_dtype(given) else _parsed(given)
    elif set(_CLOCK) <= set(table.columns):
        parts = table[list(_CLOCK)].apply(pd.to_numeric, errors="coerce")
        given = pd.Series(list(zip(*(parts[c] for c in _CLOCK), strict=True)), index=table.index)
        times = pd.to_datetime(parts, errors="coerce")
    else:
        faults.add(f"missing column 'time' (or {list(_CLOCK)}); found {list(map(str, table.columns))}")
        return None
    bad = times.isna().to_numpy()
    if bad.any():
        faults.add(f"time cannot be read in {named_rows(bad, given.to_numpy())}; write 2025-03-01 14:00")
        return None
    if times.dt.tz is None:
        again = table.assign(time=times).groupby([*by, "time"]).cumcount().to_numpy()
        local = times.dt.tz_localize(timezone, ambiguous=again == 0, nonexistent="NaT")
        skipped = local.isna().to_numpy()
        if skipped.any():
            faults.add(
                f"clocks of {timezone} never showed the times in {named_rows(skipped, given.to_numpy())}: a station on"
                " standard time all year needs a zone such as 'Etc/GMT-1' (one hour east)"
            )
            return None
        times = local
    times = times.dt.tz_convert("UTC").astype(TIME_DTYPE)
    off = (times != times.dt.floor("h")).to_numpy()
    if off.any():
        faults.add(f"time is not on the hour in {named_rows(off, given.to_numpy())}; give hourly means by their start")
        return None
    return times.rename("time")


def _parsed(given: pd.Series) -> pd.Series:
    """Times of a text column; NaT where a text is none. Offsets, if any, make them UTC."""
    text = given.astype("str")
    zoned = text.str.contains(r"(?:[+-]\d\d:?\d\d|Z)$", regex=True).any()
    return pd.to_datetime(text, format="ISO8601", errors="coerce", utc=bool(zoned))


def repeated(table: pd.DataFrame, key: Sequence[str], faults: Faults) -> None:
    """Name the rows that repeat the key of an earlier one."""
    again = table.duplicated(list(key)).to_numpy()
    if again.any():
        labels = np.full(len(table), "", dtype=object)
        labels[again] = table.loc[again, list(key)].astype("str").agg(" ".join, axis=1)
        faults.add(f"{' and '.join(key)} repeat an earlier row in {named_rows(again, labels)}; keep one of each")
