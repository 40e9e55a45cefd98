"""The local calendar of a regular time grid: time of day, type of day, and where yesterday and last week lie.

People live by local time, so that profiles and "the same time yesterday" follow the city's clock through the two
clock changes of a year; positions on the grid stay positions in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

WEEKDAY, SATURDAY, SUNDAY = 0, 1, 2
DAY_TYPES = ("weekday", "Saturday", "Sunday or holiday")
_DAY_S = 86_400
PAD_DAYS = 9  # days kept beyond the grid's end, so that a forecast from its last instant finds its calendar


@dataclass(frozen=True, eq=False)
class Calendar:
    """Calendar of `n` grid positions, from the first time of a panel to `PAD_DAYS` days beyond its last.

    Attributes
    ----------
    step_of_day : ndarray of int, shape (n,)
        Local time of day, in steps since local midnight.
    day_type : ndarray of int, shape (n,)
        0 weekday, 1 Saturday, 2 Sunday or public holiday.
    day : ndarray of int, shape (n,)
        Local day, counted from 1970-01-01.
    day_before, week_before : ndarray of int, shape (n,)
        Position of the same local time one and seven days earlier; may be negative (before the grid).
    steps_per_day : int
    """

    step_of_day: np.ndarray
    day_type: np.ndarray
    day: np.ndarray
    day_before: np.ndarray
    week_before: np.ndarray
    steps_per_day: int

    @cached_property
    def waves(self) -> np.ndarray:
        """Sine and cosine of one, two and three turns a day by step of the day, shape (steps_per_day, 6)."""
        angle = 2 * np.pi * np.arange(self.steps_per_day) / self.steps_per_day
        return np.stack([turn(k * angle) for k in (1, 2, 3) for turn in (np.sin, np.cos)], axis=1)

    @classmethod
    def of(cls, times: pd.DatetimeIndex, *, step_s: int, timezone: str, country: str | None = None) -> Calendar:
        """Calendar of a regular grid of UTC times.

        Parameters
        ----------
        times : DatetimeIndex, shape (T,)
            Starts of intervals, UTC, regular.
        step_s : int
            Step of the grid, s.
        timezone : str
            IANA name of the city's time zone.
        country : str or None
            ISO code by which `holidays` names public holidays; None knows Sundays only.
        """
        n = len(times) + PAD_DAYS * _DAY_S // step_s
        grid = pd.date_range(times[0], periods=n, freq=pd.Timedelta(seconds=step_s)).tz_convert(timezone)
        utc_s = np.asarray(grid.as_unit("s").asi8)
        local_s = np.asarray(grid.tz_localize(None).as_unit("s").asi8)
        offset = local_s - utc_s
        day = local_s // _DAY_S
        weekday = (day + 3) % 7  # 1970-01-01 was a Thursday
        free = (weekday == 6) | np.isin(day, _holidays(day, country))
        day_type = np.where(free, SUNDAY, np.where(weekday == 5, SATURDAY, WEEKDAY))
        return cls(
            step_of_day=(local_s % _DAY_S // step_s).astype(np.int64),
            day_type=day_type.astype(np.int64),
            day=day,
            day_before=_same_clock(offset, 1, step_s),
            week_before=_same_clock(offset, 7, step_s),
            steps_per_day=_DAY_S // step_s,
        )


def _same_clock(offset: np.ndarray, days: int, step_s: int) -> np.ndarray:
    """Position of the same local time `days` earlier: a plain shift, mended where the clock changed in between."""
    position = np.arange(offset.size)
    back = position - days * _DAY_S // step_s
    change = offset - offset[np.clip(back, 0, None)]
    return back + np.where(back >= 0, change // step_s, 0)


def _holidays(day: np.ndarray, country: str | None) -> np.ndarray:
    """Public holidays among the days, counted from 1970-01-01."""
    if country is None:
        return np.array([], dtype=np.int64)
    import holidays

    first, last = (int(pd.Timestamp(int(d), unit="D").year) for d in (day.min(), day.max()))
    found = holidays.country_holidays(country, years=range(first, last + 1))
    return np.array([(pd.Timestamp(date) - pd.Timestamp(0)).days for date in found], dtype=np.int64)
