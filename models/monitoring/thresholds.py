"""Thresholds: how large a window statistic must be, so that chance alone passes it as rarely as was asked.

Half a false alarm a year is one day in thousands; no zone has lived that many, and resampling its days cannot give a
day worse than the worst. So each zone tells its own scale, all zones together the shape of the tail, and the tail is
followed to the rate that was asked for.
"""

from __future__ import annotations

import numpy as np

DAYS_A_YEAR = 365.25
LEAN_DAYS = 10.0  # days of one zone that weigh as much as all zones in its scale (assumed)
#: Shape of a tail before anything was seen, and the exceedances that weigh as much as that belief (assumed).
TAIL_SHAPE, TAIL_LEAN = 0.1, 30.0
SHAPE_RANGE = (-0.1, 0.4)
_TAIL_SHARE = 0.1  # of the days that make up the tail


def daily_maxima(statistic: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Largest value of each local day, shape (D, Z); `nan` where a day has none."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(day) != 0]))
    filled = np.where(np.isfinite(statistic), statistic, -np.inf)
    top = np.maximum.reduceat(filled, starts, axis=0)
    return np.where(np.isfinite(top), top, np.nan)


def zone_scales(maxima: np.ndarray) -> np.ndarray:
    """Typical daily maximum of each zone (Z,): its median of those above 0, leaning on all zones' where days are few.

    Parameters
    ----------
    maxima : ndarray, shape (D, Z)
    """
    positive = np.where(maxima > 0, maxima, np.nan)
    number = np.isfinite(positive).sum(axis=0)
    if not number.any():
        return np.ones(maxima.shape[1])
    log = np.log(positive)
    city = float(np.nanmedian(log))
    own = np.array([np.nanmedian(log[:, z]) if number[z] else city for z in range(log.shape[1])])
    return np.asarray(np.exp((number * own + LEAN_DAYS * city) / (number + LEAN_DAYS)))


def tail_level(maxima: np.ndarray, per_day: float) -> float:
    """Level that a day's maximum passes with the chance `per_day`.

    Parameters
    ----------
    maxima : ndarray, any shape
        Daily maxima of all zones, each in units of its zone's scale; `nan` is left out.
    per_day : float

    Notes
    -----
    Excesses over the level that a tenth of the days pass follow a generalised Pareto distribution, fitted by
    probability-weighted moments; with few days its shape leans on a tail a little heavier than exponential.

    References
    ----------
    Hosking & Wallis (1987), doi:10.1080/00401706.1987.10488243; Coles (2001), doi:10.1007/978-1-4471-3675-0
    """
    values = np.sort(maxima[np.isfinite(maxima)])
    if values.size < 8:
        return float("inf")
    share = max(_TAIL_SHARE, min(0.5, 10.0 / values.size))
    base = float(np.quantile(values, 1 - share))
    excess = values[values > base] - base
    if not excess.size or per_day >= share:
        return float(np.quantile(values, max(0.0, 1 - per_day)))
    n = excess.size
    mean = float(excess.mean())
    weighted = float((excess * (n - 1 - np.arange(n)) / max(n - 1, 1)).mean())
    shape = 2 - mean / (mean - 2 * weighted) if mean > 2 * weighted else SHAPE_RANGE[1]
    shape = (n * np.clip(shape, -0.5, 0.8) + TAIL_LEAN * TAIL_SHAPE) / (n + TAIL_LEAN)
    shape = float(np.clip(shape, *SHAPE_RANGE))
    scale = mean * (1 - shape)
    ratio = per_day / share
    grown = -np.log(ratio) if abs(shape) < 1e-6 else (ratio**-shape - 1) / shape
    return base + scale * float(grown)


def limits(statistic: np.ndarray, day: np.ndarray, *, per_year: float) -> np.ndarray:
    """Level of a statistic in each zone (Z,) that chance passes `per_year` times a zone-year.

    Parameters
    ----------
    statistic : ndarray, shape (n, Z)
        On the reference; large is unusual.
    day : ndarray of int, shape (n,)
        Local day of each row.
    """
    maxima = daily_maxima(statistic, day)
    scale = zone_scales(maxima)
    level = tail_level(maxima / scale, per_year / DAYS_A_YEAR)
    days = np.isfinite(maxima).sum(axis=0)
    return np.asarray(scale * level * (1 + 1 / np.sqrt(8.0 * (days + LEAN_DAYS))))
