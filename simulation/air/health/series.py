"""Hourly values and local days: the form in which limits, indices and exposure are worked out.

A long table of zones or receptors becomes a grid (time, place); a grid of quarter-hours becomes hourly means, and
hours are grouped by the city's local days. Nothing is filled in: a mean exists where enough values do (`CAPTURE`).
An hour belongs to the local day in which it starts; hours are those of UTC, also where local time is off by a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from simulation.air.errors import AirError

#: Share of values that a mean needs: 45 minutes of an hour, 6 hours of 8, 18 hours of a day (Directive 2008/50/EC
#: Annex XI and (EU) 2024/2881 Annex V Point C).
CAPTURE = 0.75
_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Grid:
    """Values of places on a regular time grid; NaN where there is none."""

    places: tuple[str, ...]
    start_s: int  # of the first interval, seconds since 1970 UTC
    step_s: int
    values: dict[str, np.ndarray]  # column -> (T, R)

    @property
    def hours(self) -> float:
        """Length, h."""
        return len(next(iter(self.values.values()))) * self.step_s / _HOUR_S


def zone_grid(
    table: pd.DataFrame, columns: Sequence[str], *, places: Sequence[str] | None = None, key: str = "zone_id",
    step_s: int | None = None, others: Literal["drop", "raise"] = "drop",
) -> Grid:  # fmt: skip
    """Grid of a long table such as `zone_state`, `zone_truth` or a station's records.

    Parameters
    ----------
    table : DataFrame
        Reads `key`, `time` (start of the interval, with a time zone) and `columns`; rows in any order, gaps allowed.
    columns : sequence of str
        Columns to take, each of the table.
    places : sequence of str, optional
        Order of the places; those that the table lacks stay NaN. As first met if left out.
    key : str
        Column that names the place.
    step_s : int, optional
        Length of an interval, s; the largest step that fits all times if left out.
    others : {"drop", "raise"}
        What to do with rows of places that are not among `places`.

    Raises
    ------
    AirError
        If columns are missing, there are no rows, times have no zone or lie on no grid whose step divides an hour, a
        place and time stand twice, or (`others="raise"`) places are not among `places`.
    """
    missing = [name for name in (key, "time", *columns) if name not in table.columns]
    if missing:
        raise AirError(f"the table lacks column(s) {missing}; found {list(map(str, table.columns))}")
    if not len(table) or not len(columns):
        raise AirError(f"nothing to grid: {len(table)} row(s), column(s) {list(columns)}")
    if getattr(table["time"].dt, "tz", None) is None:
        raise AirError(f"column 'time' must have a time zone (UTC); found {table['time'].dtype}")
    seconds = table["time"].dt.tz_convert("UTC").dt.as_unit("s").astype("int64").to_numpy()
    first = int(seconds.min())
    offset = seconds - first
    step = int(np.gcd.reduce(offset)) or _HOUR_S if step_s is None else int(step_s)
    if step < 60 or _HOUR_S % step or first % step or (offset % step).any():
        raise AirError(
            f"times are {step} s apart (first at {pd.Timestamp(first, unit='s', tz='UTC')}); they must lie on a grid"
            " whose step is a minute or more and divides an hour"
        )
    column, found, strangers = _codes(table[key], places)
    if strangers and others == "raise":
        raise AirError(f"the table names {len(strangers)} {key}(s) that are not known: {strangers[:5]}")
    cell = offset // step * len(found) + column
    shape = (int(offset.max()) // step + 1, len(found))
    if len(cell) == shape[0] * shape[1] and not strangers and _in_order(cell):
        filled = {name: table[name].to_numpy(dtype=float, na_value=np.nan).reshape(shape) for name in columns}
        return Grid(places=found, start_s=first, step_s=step, values=filled)
    inside = column >= 0
    cell = cell[inside]
    seen = np.zeros(shape[0] * shape[1], dtype=bool)
    seen[cell] = True
    if (count := int(np.count_nonzero(seen))) != len(cell):
        raise AirError(f"{len(cell) - count} row(s) repeat a {key} and time; each may stand once")
    values = {}
    for name in columns:
        flat = np.full(seen.size, np.nan)
        flat[cell] = table[name].to_numpy(dtype=float, na_value=np.nan)[inside]
        values[name] = flat.reshape(shape)
    return Grid(places=found, start_s=first, step_s=step, values=values)


@dataclass(frozen=True, slots=True)
class Hourly:
    """Hourly means of one quantity at R places, and the local day of each hour."""

    values: np.ndarray  # (H, R), NaN where less than `CAPTURE` of the hour is known
    start_s: int  # of the first hour, seconds since 1970 UTC
    timezone: str
    day_starts: np.ndarray  # (D,) index of each local day's first hour
    days: pd.DatetimeIndex  # (D,) local dates, without a zone

    @property
    def n_hours(self) -> int:
        """Number of hours, known or not."""
        return self.values.shape[0]

    def valid_hours(self) -> np.ndarray:
        """Hours with a value, (R,)."""
        return np.count_nonzero(~np.isnan(self.values), axis=0)

    def mean(self) -> np.ndarray:
        """Mean of the hours with a value, (R,); NaN where there is none."""
        return _divide(np.nansum(self.values, axis=0), self.valid_hours())

    def daily_mean(self, capture: float = CAPTURE) -> np.ndarray:
        """Mean of each local day, (D, R); NaN below `capture` of 24 hours."""
        known = ~np.isnan(self.values)
        count = np.add.reduceat(known, self.day_starts, axis=0, dtype=np.int64)
        total = np.add.reduceat(np.where(known, self.values, 0.0), self.day_starts, axis=0)
        return np.where(count >= capture * 24.0, _divide(total, count), np.nan)

    def daily_max(self, capture: float = CAPTURE) -> np.ndarray:
        """Highest hour of each local day, (D, R); NaN below `capture` of 24 hours."""
        return _daily_max(self.values, self.day_starts, capture)

    def running_mean(self, hours: int, capture: float = CAPTURE) -> np.ndarray:
        """Mean of the `hours` up to and including each hour, (H, R); NaN below `capture` of them."""
        known = ~np.isnan(self.values)
        total, count = np.where(known, self.values, 0.0), known.astype(np.int64)
        sums, counts = total.copy(), count.copy()
        for back in range(1, min(hours, self.n_hours)):
            sums[back:] += total[:-back]
            counts[back:] += count[:-back]
        return np.where(counts >= capture * hours, _divide(sums, counts), np.nan)

    def daily_max_8h(self, capture: float = CAPTURE) -> np.ndarray:
        """Highest 8-hour mean of each local day, (D, R).

        A running mean belongs to the day on which it ends, so the first of a day covers 17:00 of the day before to
        01:00; a day needs `capture` of its 24 running means (Directive 2008/50/EC Annexes VII and XI).
        """
        return _daily_max(self.running_mean(8, capture), self.day_starts, capture)


def hourly(
    values: np.ndarray, *, start: pd.Timestamp | int, step_s: float, timezone: str, capture: float = CAPTURE
) -> Hourly:
    """Hourly means of values on a regular grid, with their local days.

    Parameters
    ----------
    values : ndarray, shape (T, R) or (T,)
        Means over intervals, any unit; NaN where missing.
    start : Timestamp or int
        Start of the first interval: with a time zone, or seconds since 1970 UTC. Hours that begin before it or end
        after the last interval are kept where `capture` of them is known.
    step_s : float
        Length of an interval, s: an hour or a part that divides it.
    timezone : str
        Of the days, e.g. `"Europe/Helsinki"`.
    capture : float
        Share of an hour's intervals that its mean needs.

    Raises
    ------
    AirError
        With every fault: empty or wrongly shaped values, a step that does not divide an hour, a start off the grid
        or without a zone, an unknown time zone.
    """
    values = np.asarray(values, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    faults = []
    if values.ndim != 2 or not len(values):
        faults.append(f"values have shape {values.shape}; needed (times, places) with one time or more")
    step = round(step_s)
    if step < 1 or step != step_s or _HOUR_S % step:
        faults.append(f"step_s={step_s:g} must divide an hour (3600 s)")
    if isinstance(start, pd.Timestamp) and start.tz is None:
        faults.append(f"start {start} has no time zone")
    start_s = round(start.timestamp()) if isinstance(start, pd.Timestamp) else int(start)
    if step >= 1 and start_s % step:
        faults.append(f"start {pd.Timestamp(start_s, unit='s', tz='UTC')} does not lie on the grid of {step} s")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        faults.append(f"unknown time zone {timezone!r}; give an IANA name such as 'Europe/Helsinki'")
    if faults:
        raise AirError("hourly means cannot be made: " + "; ".join(faults))
    parts, ahead = _HOUR_S // step, start_s % _HOUR_S // step
    if parts > 1:
        behind = -(ahead + len(values)) % parts
        padded = np.pad(values, ((ahead, behind), (0, 0)), constant_values=np.nan) if ahead + behind else values
        blocks = padded.reshape(-1, parts, values.shape[1])
        values = blocks.sum(axis=1) / parts
        if np.isnan(values).any():
            known = ~np.isnan(blocks)
            count = known.sum(axis=1)
            total = np.where(known, blocks, 0.0).sum(axis=1)
            values = np.where(count >= capture * parts - 1e-9, _divide(total, count), np.nan)
    first = start_s - start_s % _HOUR_S
    local = pd.to_datetime(first + _HOUR_S * np.arange(len(values)), unit="s", utc=True).tz_convert(timezone)
    dates = local.tz_localize(None).normalize()
    new = np.concatenate([[True], dates[1:] != dates[:-1]])
    return Hourly(
        values=values,
        start_s=first,
        timezone=timezone,
        day_starts=np.flatnonzero(new),
        days=pd.DatetimeIndex(dates[new]),
    )


def _in_order(cell: np.ndarray, chunk: int = 1 << 18) -> bool:
    """Whether cells count up from 0 one by one, looked at in pieces to spare memory."""
    return all(
        np.array_equal(cell[begin : begin + chunk], np.arange(begin, min(begin + chunk, len(cell))))
        for begin in range(0, len(cell), chunk)
    )


def _codes(keys: pd.Series, places: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Position of each row's place (-1 where it is none of `places`), the places, and the strangers among the keys."""
    codes, unique = pd.factorize(keys)
    names = [str(name) for name in unique]
    if places is None:
        return codes, tuple(names), []
    wanted = pd.Index([str(place) for place in places])
    if not wanted.is_unique:
        raise AirError(f"place(s) {sorted(set(wanted[wanted.duplicated()]))[:5]} are named more than once")
    position = wanted.get_indexer(pd.Index(names))
    strangers = sorted(name for name, place in zip(names, position, strict=True) if place < 0)
    return np.append(position, -1)[codes], tuple(wanted), strangers


def _daily_max(values: np.ndarray, day_starts: np.ndarray, capture: float) -> np.ndarray:
    known = ~np.isnan(values)
    count = np.add.reduceat(known, day_starts, axis=0, dtype=np.int64)
    highest = np.maximum.reduceat(np.where(known, values, -np.inf), day_starts, axis=0)
    return np.where(count >= capture * 24.0, highest, np.nan)


def _divide(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
