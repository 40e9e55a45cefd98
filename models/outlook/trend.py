"""Trend: the steady change of daily values, with an interval that knows that days resemble the days before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from models.outlook.memory import fitted, held

LEAST_DAYS = 14  # known days without which no trend is told (assumed)
SEASON_DAYS = 730  # from two years on the seasons can be told from a trend
LEVEL = 0.9


@dataclass(frozen=True)
class Trend:
    """A steady change.

    Attributes
    ----------
    per_week, low, high : float
        In the target's unit a week, with an interval of 90 %; `nan` where the days are too few.
    days : int
        Known days.
    memory : float
        Correlation from day to day that the interval allows for.
    seasons : bool
        Whether the yearly wave was taken off; else a trend may be a season.
    """

    per_week: float
    low: float
    high: float
    days: int
    memory: float
    seasons: bool

    @property
    def sure(self) -> bool:
        """Whether the interval leaves no doubt about the sign."""
        return bool(self.low > 0 or self.high < 0)


def trend(day: np.ndarray, value: np.ndarray, steps: tuple[int, ...] = ()) -> Trend:
    """Slope of one zone's daily values by generalised least squares.

    Parameters
    ----------
    day : ndarray of int, shape (D,)
    value : ndarray, shape (D,)
        `nan` for gaps; wild days are held first.
    steps : tuple of int
        Days on which the level changes: each gets a step of its own, so that it is not told as a trend.

    Notes
    -----
    Errors follow an order-1 autoregression whose memory is chosen by restricted likelihood; the interval is Student's,
    with as many degrees of freedom as there are independent days.
    """
    known = np.isfinite(value)
    n = int(known.sum())
    blank = Trend(float("nan"), float("nan"), float("nan"), n, float("nan"), False)
    if n < LEAST_DAYS:
        return blank
    at, y = day[known], held(value)[known]
    seasons = bool(at[-1] - at[0] >= SEASON_DAYS)
    x = design(at, steps, slope=True, seasons=seasons)
    beta, cover, memory, _ = fitted(x, y, at)
    free = max((n - x.shape[1]) * (1 - memory) / (1 + memory), 2.0)
    half = float(student.ppf(0.5 + LEVEL / 2, free) * np.sqrt(max(cover[1, 1], 0.0)))
    slope = float(beta[1])
    return Trend(7 * slope, 7 * (slope - half), 7 * (slope + half), n, memory, seasons)


def design(day: np.ndarray, steps: tuple[int, ...], *, slope: bool, seasons: bool) -> np.ndarray:
    """Columns: constant, the slope, the seasons' two waves, and a step for each day of change."""
    columns = [np.ones(day.size)]
    if slope:
        columns.append((day - day.mean()).astype(float))
    if seasons:
        turn = 2 * np.pi * day / 365.2425
        columns += [np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)]
    columns += [(day >= step).astype(float) for step in steps]
    return np.column_stack(columns)
