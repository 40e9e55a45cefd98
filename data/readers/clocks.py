"""Local times to UTC, with what the clock repeated or skipped told.

A clock that is put back in autumn shows an hour twice; of two equal times of a series the first is taken as summer
time. A clock that is put forward in spring never shows an hour; a reading from it is a fault, or is dropped and told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from data.errors import InputError
from data.readers.hourly_tables import Faults, named_rows
from data.schemas import TIME_DTYPE
from data.timezones import checked_timezone

_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?([0-5]\d))?")
#: What a file may call its time column, without regard to case.
TIME_NAMES = ("time", "datetime", "timestamp", "date_time", "date", "utc", "datetimeutc", "datetime_utc")
#: Seconds or milliseconds since 1970 that lie in the years 1980 to 2100 (assumed for times given as bare numbers).
_EPOCH_S = (315_532_800, 4_102_444_800)


def clock(name: str) -> tzinfo:
    """A time zone: an IANA name, `UTC`, or a fixed offset such as `+10:00`, `UTC-8`.

    Raises
    ------
    InputError
        If it is none of these, or an offset beyond 14 hours.
    """
    text = name.strip()
    if text.upper() in ("UTC", "Z"):
        return timezone.utc  # noqa: UP017 - the same object under both names
    match = _OFFSET.fullmatch(text)
    if match:
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        if minutes > 14 * 60:
            raise InputError(f"time zone {name!r}: an offset is at most 14 hours")
        return timezone(timedelta(minutes=minutes if match[1] == "+" else -minutes))
    return ZoneInfo(checked_timezone(text))


def iana(name: str) -> str:
    """A name that calendars know: fixed offsets of whole hours become `Etc/GMT...` (whose sign is turned round).

    Raises
    ------
    InputError
        If the offset is no whole hour, for which there is no such name.
    """
    zone = clock(name)
    if isinstance(zone, ZoneInfo):
        return name.strip()
    hours, rest = divmod(int(zone.utcoffset(None).total_seconds()), 3600)  # type: ignore[union-attr]
    if rest:
        raise InputError(f"time zone {name!r}: only offsets of whole hours can be a city's; give an IANA name")
    return "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"


def to_utc(
    given: pd.Series,
    zone: str,
    faults: Faults,
    notes: list[str],
    *,
    series: Sequence[pd.Series] = (),
    skipped: str = "raise",
) -> pd.Series:
    """Times of a column in UTC; those that carry an offset keep it.

    Parameters
    ----------
    given : Series
        Times, text (ISO 8601), or seconds or milliseconds since 1970.
    zone : str
        Of times that carry none; see `clock`.
    faults : Faults
        Gets what cannot be read.
    notes : list of str
        Gets what the clock repeated and skipped.
    series : sequence of Series
        What tells series apart, in the rows of `given`.
    skipped : {"raise", "drop"}
        Of times that the clock never showed: a fault, or missing (NaT) and told.

    Returns
    -------
    Series
        UTC; NaT where a time cannot be read or was dropped.
    """
    times = _parsed(given)
    bad = times.isna().to_numpy()
    if bad.any():
        faults.add(f"time cannot be read in {named_rows(bad, given.to_numpy())}; write 2025-03-01 14:00")
    if getattr(times.dt, "tz", None) is not None:
        return times.dt.tz_convert("UTC").astype(TIME_DTYPE)
    wall = clock(zone)
    keys = {str(k): column.to_numpy() for k, column in enumerate(series)}
    again = pd.DataFrame({**keys, "time": times.to_numpy()}).groupby([*keys, "time"]).cumcount().to_numpy()
    summer, winter = (
        times.dt.tz_localize(wall, ambiguous=np.full(len(times), dst), nonexistent="NaT") for dst in (True, False)
    )
    lost = summer.isna().to_numpy() & ~bad
    if lost.any():
        text = f"clocks of {zone} never showed the time in {named_rows(lost, given.to_numpy())}"
        if skipped == "raise":
            faults.add(f"{text}: a logger on standard time all year needs a fixed offset such as '+01:00'")
        else:
            notes.append(f"{text}: dropped")
    twice = (summer != winter).to_numpy() & ~bad & ~lost
    if twice.any():
        alone = int((twice & (again == 0)).sum() - (twice & (again == 1)).sum())
        notes.append(
            f"{int(twice.sum())} row(s) lie in an hour that clocks of {zone} showed twice: taken as summer time first"
            + (f"; the second pass of {alone} of them is not there and stays a gap" if alone > 0 else "")
        )
    utc = summer.where(again == 0, winter).dt.tz_convert("UTC").astype(TIME_DTYPE)
    return utc


def _parsed(given: pd.Series) -> pd.Series:
    """Times as pandas holds them, with a zone where they carry offsets; NaT where one cannot be read."""
    if pd.api.types.is_datetime64_any_dtype(given):
        return given
    if pd.api.types.is_numeric_dtype(given) and not pd.api.types.is_bool_dtype(given):
        number = given.astype("float64")
        seconds = number.where(~number.between(_EPOCH_S[0] * 1e3, _EPOCH_S[1] * 1e3), number / 1e3)
        return pd.to_datetime(seconds.where(seconds.between(*_EPOCH_S)), unit="s", utc=True)
    text = given.astype("str").str.strip()
    zoned = bool(text.str.contains(r"\d[T ]\d.*(?:[+-]\d\d:?\d\d|Z)$", regex=True).any())
    try:
        times = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=zoned)
    except ValueError:  # offsets in odd places, on some rows alone: those rows cannot be read
        single = [pd.to_datetime(word, format="ISO8601", errors="coerce") for word in text]
        naive = [pd.NaT if time is pd.NaT or time.tzinfo is not None else time for time in single]
        times = pd.Series(pd.DatetimeIndex(naive), index=text.index)
    if times.isna().any():
        american = pd.to_datetime(text, format="%m/%d/%Y %H:%M:%S", errors="coerce", utc=zoned)
        times = times.fillna(american)
    return times
