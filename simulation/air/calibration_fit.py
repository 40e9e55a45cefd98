"""How far the background is off, hour by hour of the day, and how well that holds where it was not fitted.

A residual is observed minus modelled at a station. The city's residual of an hour is the median over stations, so that
one station beside a kerb or a wood stove does not carry the background with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Days that an hour of the day needs for a correction of its own (assumed).
MIN_DAYS_PER_HOUR = 10
#: Hours that a day needs to have a mean that its hours can be held against (assumed).
MIN_HOURS_OF_DAY = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyFit:
    """Correction for each hour of the day, UTC: an offset in ug/m3, or a factor."""

    correction: Array  # (24,)
    standard_error: Array  # (24,)
    n_hours: NDArray[np.int64]  # (24,) hours that it rests on
    n_stations: int


def fit_hours(
    residual: Array, background: Array, hour: NDArray[np.int64], day: NDArray[np.int64], form: str, by_hour: bool = True
) -> HourlyFit:
    """Fit one part of the background.

    Parameters
    ----------
    residual : ndarray, shape (T, S)
        Observed minus modelled, ug/m3; nan for a gap.
    background : ndarray, shape (T,)
        Of the same part, ug/m3.
    hour, day : ndarray of int, shape (T,)
        Hour of the day and day number.
    form : {"offset", "scale"}
    by_hour : bool
        Let hours differ; else all have the mean of the days.

    Returns
    -------
    HourlyFit
        The mean over days, plus what each hour differs from its day's mean, drawn toward 0 by the share of the hours'
        spread that chance explains (empirical Bayes: weight tau^2 / (tau^2 + s^2)). Standard errors count the
        correlation from day to day (variance times (1 + rho) / (1 - rho)) and the spread between stations, which a
        single station cannot show. Without a residual there is no correction, and its error is infinite.
    """
    city = median_of_stations(residual)
    seen = np.isfinite(city)
    count = np.bincount(hour[seen], minlength=24)
    stations = int(np.isfinite(residual).any(axis=0).sum())
    neutral = 0.0 if form == "offset" else 1.0
    per_unit = np.ones(24) if form == "offset" else _levels(background[seen], hour[seen])
    if not seen.any():
        none = np.full(24, neutral)
        return HourlyFit(correction=none, standard_error=np.full(24, np.inf), n_hours=count, n_stations=stations)
    clock, value = hour[seen], city[seen] / per_unit[hour[seen]]
    _, date = np.unique(day[seen], return_inverse=True)
    size = np.bincount(date)
    mean_of_day = np.bincount(date, weights=value) / size
    whole = size >= min(MIN_HOURS_OF_DAY, size.max())
    overall, overall_variance = _mean_of_days(mean_of_day[whole])
    deviation, variance = np.zeros(24), np.full(24, np.inf)
    for h in np.flatnonzero(count >= MIN_DAYS_PER_HOUR) if by_hour else ():
        of_hour = (clock == h) & whole[date]
        if of_hour.sum() >= MIN_DAYS_PER_HOUR:
            deviation[h], variance[h] = _mean_of_days((value - mean_of_day[date])[of_hour])
    own = np.isfinite(variance)
    tau2 = max(float((deviation[own] ** 2).mean() - variance[own].mean()), 0.0) if own.sum() > 1 else 0.0
    weight = np.where(own, tau2 / np.maximum(tau2 + np.where(own, variance, 1.0), 1e-30), 0.0)
    own_variance = weight * np.where(own, variance, 0.0)
    between = _between(residual, float(per_unit.mean()))
    return HourlyFit(
        correction=neutral + overall + weight * deviation,
        standard_error=np.sqrt(overall_variance + own_variance + between),
        n_hours=count.astype(np.int64),
        n_stations=stations,
    )


def median_of_stations(residual: Array) -> Array:
    """Median over stations of each hour, nan where none reports, shape (T,)."""
    if not residual.shape[1]:
        return np.full(len(residual), np.nan)
    ordered = np.sort(residual, axis=1)  # nan last
    count = np.isfinite(residual).sum(axis=1)
    row = np.arange(len(residual))
    low = ordered[row, np.maximum(count - 1, 0) // 2]
    high = ordered[row, np.minimum(count // 2, residual.shape[1] - 1)]
    return np.where(count > 0, 0.5 * (low + high), np.nan)


def _mean_of_days(values: Array) -> tuple[float, float]:
    """Mean of a series of days, and the variance of that mean with the correlation of neighbours counted."""
    n = len(values)
    if n < 3:
        return float(values.mean()), float("inf")
    anomaly = values - values.mean()
    variance = float((anomaly**2).sum() / (n - 1))
    rho = float((anomaly[1:] * anomaly[:-1]).mean() / variance) if variance > 0 else 0.0
    rho = min(max(rho, 0.0), 0.95)
    return float(values.mean()), variance / n * (1 + rho) / (1 - rho)


def _between(residual: Array, per_unit: float) -> float:
    """Variance of the mean over stations from the spread of their mean residuals; 0 with one station."""
    held = residual[:, np.isfinite(residual).any(axis=0)]
    if held.shape[1] < 2:
        return 0.0
    return float(np.nanmean(held, axis=0).var(ddof=1)) / held.shape[1] / per_unit**2


def _levels(background: Array, hour: NDArray[np.int64]) -> Array:
    """Mean of each hour of the day, ug/m3; the mean of all where an hour has none, never 0."""
    overall = max(float(background.mean()) if len(background) else 0.0, 1e-9)
    count = np.bincount(hour, minlength=24)
    level = np.bincount(hour, weights=background, minlength=24) / np.maximum(count, 1)
    return np.where((count > 0) & (level > 0), level, overall)


def scores(modelled: Array, observed: Array) -> tuple[int, float, float]:
    """Pairs, bias (modelled minus observed: positive is too high) and root mean square error; nan without a pair."""
    error = (modelled - observed)[np.isfinite(modelled) & np.isfinite(observed)]
    if not len(error):
        return 0, float("nan"), float("nan")
    return len(error), float(error.mean()), float(np.sqrt((error**2).mean()))
