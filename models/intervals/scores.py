"""Did the intervals hold? Coverage by zone and over time, width, interval score, pinball loss, CRPS, calibration.

Arrays with gaps: `actual` (n, Z, S) is `nan` where nothing was read, `forecast` (n, Z, S, Q) has quantiles last. A
group without any reading scores `nan`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta


@dataclass(frozen=True)
class Coverage:
    """Share of readings inside an interval, 0 to 1.

    Attributes
    ----------
    mean : float
        Over all readings.
    by_zone : ndarray, shape (Z,)
    low_zone : float
        5th percentile over zones.
    worst_zone : int
        Place of the least covered zone; -1 where no zone has a reading.
    """

    mean: float
    by_zone: np.ndarray
    low_zone: float
    worst_zone: int


def hits(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """1 where a reading lies in [lower, upper], 0 where outside, `nan` where there is none."""
    inside = (actual >= lower) & (actual <= upper)
    return np.where(np.isfinite(actual), inside.astype(float), np.nan)


def coverage(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Coverage:
    """Coverage of one horizon, arrays (n, Z), or of several together, (n, Z, S)."""
    inside = hits(actual, lower, upper)
    inside = inside.reshape(*inside.shape[:2], -1)
    by_zone = _mean(inside, (0, 2))
    heard = np.isfinite(by_zone)
    worst = int(np.nanargmin(by_zone)) if heard.any() else -1
    low = float(np.quantile(by_zone[heard], 0.05)) if heard.any() else float("nan")
    return Coverage(float(_mean(inside, None)), by_zone, low, worst)


def independent_hits(inside: np.ndarray) -> float:
    """How many independent readings the hits of one zone are worth: those of near origins go together.

    n / (1 + 2 sum of autocorrelations), pooled over zones about each zone's own mean and summed up to the first that
    is not positive; zones that truly differ are thus not taken for persistence.

    Parameters
    ----------
    inside : ndarray, shape (n, Z)
        From `hits`, every origin one row.

    Returns
    -------
    float
        Mean number over zones, at least 1; `nan` where nothing was read.

    References
    ----------
    Geyer (1992), doi:10.1214/ss/1177011137 (initial positive sequence)
    """
    known = np.isfinite(inside)
    if not known.any():
        return float("nan")
    away = np.where(known, inside - _mean(inside, (0,)), 0.0)
    read, persistence = float(known.sum(axis=0).mean()), 1.0
    variance = float((away**2).sum() / known.sum())
    for lag in range(1, len(inside)):
        pairs = int((known[lag:] & known[:-lag]).sum())
        shared = float((away[lag:] * away[:-lag]).sum()) / pairs if pairs else 0.0
        if shared <= 0.0:
            break
        persistence += 2.0 * shared / variance
    return max(1.0, read / persistence)


def low_zone_by_chance(inside: np.ndarray, nominal: float) -> float:
    """Coverage of the 5th-percentile zone if every zone's true coverage were `nominal`: what chance alone leaves.

    Parameters
    ----------
    inside : ndarray, shape (n, Z)
        From `hits`; tells how many independent readings a zone has (`independent_hits`).
    nominal : float

    Returns
    -------
    float
        5 % quantile of the beta distribution of that many readings.
    """
    n = independent_hits(inside)
    return float(beta.ppf(0.05, nominal * n, (1.0 - nominal) * n)) if np.isfinite(n) else float("nan")


def rolling_coverage(inside: np.ndarray, window: int, *, least: float = 0.5) -> np.ndarray:
    """Coverage of every window of consecutive origins.

    Parameters
    ----------
    inside : ndarray, shape (n, ...)
        From `hits`, every origin one row.
    window : int
        Origins in a window, 720 for 30 days of hours.
    least : float
        Share of a window's origins that must have a reading; else its coverage is `nan`.

    Returns
    -------
    ndarray, shape (n - window + 1, ...)
        Empty along the first axis where the series is shorter than a window.
    """
    known = np.isfinite(inside)
    if inside.shape[0] < window:
        return np.empty((0, *inside.shape[1:]))
    pad = np.zeros((1, *inside.shape[1:]))
    total = np.concatenate([pad, np.cumsum(np.where(known, inside, 0.0), axis=0)])
    count = np.concatenate([pad, np.cumsum(known, axis=0)])
    total, count = total[window:] - total[:-window], count[window:] - count[:-window]
    return np.where(count >= max(1.0, least * window), total / np.maximum(count, 1), np.nan)


def windows_within(inside: np.ndarray, window: int, low: float, high: float) -> float:
    """Share of all windows of all series whose coverage lies in [low, high]; `nan` where there is no window."""
    share = rolling_coverage(inside, window)
    share = share[np.isfinite(share)]
    return float(((share >= low) & (share <= high)).mean()) if share.size else float("nan")


def coverage_by(inside: np.ndarray, group: np.ndarray) -> pd.DataFrame:
    """Coverage by month, hour, regime: mean over all zones, the least covered zone's, and readings counted.

    Parameters
    ----------
    inside : ndarray, shape (n, Z)
        From `hits`.
    group : ndarray, shape (n,) or (n, Z)
        Any label of the intervals forecast for.

    Returns
    -------
    DataFrame
        Index: the labels, sorted. Columns `coverage`, `worst_zone` (coverage there) and `readings`.
    """
    labels, place = np.unique(group, return_inverse=True)
    place = place.reshape(np.shape(group))
    if place.ndim == 1:
        place = np.repeat(place[:, None], inside.shape[1], axis=1)
    known = np.isfinite(inside)
    zones = np.broadcast_to(np.arange(inside.shape[1]), inside.shape)
    cell = (place * inside.shape[1] + zones)[known]
    size = labels.size * inside.shape[1]
    count = np.bincount(cell, minlength=size).reshape(labels.size, -1)
    total = np.bincount(cell, inside[known], minlength=size).reshape(labels.size, -1)
    by_zone = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    worst = by_zone.min(axis=1)
    number = count.sum(axis=1)
    frame = {
        "coverage": np.where(number > 0, total.sum(axis=1) / np.maximum(number, 1), np.nan),
        "worst_zone": np.where(np.isfinite(worst), worst, np.nan),
        "readings": number,
    }
    return pd.DataFrame(frame, index=labels)


def interval_score(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, nominal: float = 0.9) -> np.ndarray:
    """Interval (Winkler) score, in the unit of `actual`, less is better: width, and 2 / (1 - nominal) times each miss.

    References
    ----------
    Winkler (1972), doi:10.2307/2284720; Gneiting & Raftery (2007), doi:10.1198/016214506000001437

    Examples
    --------
    >>> round(float(interval_score(np.array(12.0), np.array(0.0), np.array(10.0))), 6)
    50.0
    """
    missed = np.maximum(lower - actual, 0.0) + np.maximum(actual - upper, 0.0)
    return np.asarray(upper - lower + 2.0 / (1.0 - nominal) * missed)


def pinball_by_level(actual: np.ndarray, forecast: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Mean pinball loss of each level, shape (Q,), in the unit of `actual`.

    References
    ----------
    Koenker & Bassett (1978), doi:10.2307/1913643
    """
    above = actual[..., None] - forecast
    levels = np.asarray(quantiles)
    loss = np.maximum(levels * above, (levels - 1.0) * above)
    return _mean(loss, tuple(range(loss.ndim - 1)))


def crps(actual: np.ndarray, forecast: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Continuous ranked probability score from quantiles, shape of `actual`, in its unit.

    Twice the pinball loss integrated over the levels by the trapezoid rule, each outermost level standing for the
    tail beyond it: a little too low, as the tails are not known.

    References
    ----------
    Gneiting & Raftery (2007), doi:10.1198/016214506000001437; Laio & Tamea (2007), doi:10.5194/hess-11-1267-2007
    """
    levels = np.asarray(quantiles)
    edges = np.concatenate([[0.0], 0.5 * (levels[1:] + levels[:-1]), [1.0]])
    above = actual[..., None] - forecast
    loss = np.maximum(levels * above, (levels - 1.0) * above)
    return np.asarray(2.0 * (loss * np.diff(edges)).sum(axis=-1))


def reliability(actual: np.ndarray, forecast: np.ndarray, quantiles: tuple[float, ...]) -> pd.DataFrame:
    """Calibration of the quantiles: how often readings lay below each, and between each and the one before it.

    Returns
    -------
    DataFrame
        Index `level`. `below`: share of readings at or below the quantile (ties count half, so that a forecast of
        exactly 0 on a night without traffic is fair), which should be the level. `between`: share since the level
        before (a histogram of the probability integral transform); `expected`: what that should be.

    References
    ----------
    Gneiting, Balabdaoui & Raftery (2007), doi:10.1111/j.1467-9868.2007.00587.x
    """
    known = np.isfinite(actual)[..., None]
    under = np.where(known, (actual[..., None] < forecast) + 0.5 * (actual[..., None] == forecast), np.nan)
    below = _mean(under, tuple(range(under.ndim - 1)))
    index = pd.Index(quantiles, name="level")
    between, expected = np.diff(below, prepend=0.0), np.diff(np.asarray(quantiles), prepend=0.0)
    return pd.DataFrame({"below": below, "between": between, "expected": expected}, index=index)


def interval_summary(
    actual: np.ndarray,
    forecast: np.ndarray,
    *,
    quantiles: tuple[float, ...],
    nominal: float = 0.9,
    window: int | None = None,
    within: tuple[float, float] = (0.87, 0.93),
) -> dict[str, float]:
    """One horizon in one row of figures.

    Parameters
    ----------
    actual, forecast : ndarray, shape (n, Z) and (n, Z, Q)
    quantiles : tuple of float, length Q
        Must hold both ends of the nominal interval.
    nominal : float
        Coverage that the interval promises.
    window : int or None
        Origins in a window for `windows_within`.
    within : tuple of float
        What a window's coverage should lie between.

    Returns
    -------
    dict
        `coverage`, `coverage_low_zone` (5th percentile), `coverage_worst_zone`, `winkler`, `width`, `widest`,
        `pinball`, `crps`, and with `window` also `windows_within`.
    """
    levels = np.asarray(quantiles)
    low = int(np.argmin(np.abs(levels - (1 - nominal) / 2)))
    high = int(np.argmin(np.abs(levels - (1 + nominal) / 2)))
    lower, upper = forecast[..., low], forecast[..., high]
    cover = coverage(actual, lower, upper)
    heard = np.isfinite(actual)
    out = {
        "coverage": cover.mean,
        "coverage_low_zone": cover.low_zone,
        "coverage_worst_zone": float(cover.by_zone[cover.worst_zone]) if cover.worst_zone >= 0 else float("nan"),
        "winkler": float(_mean(interval_score(actual, lower, upper, nominal=nominal), None)),
        "width": float(_mean(np.where(heard, upper - lower, np.nan), None)),
        "widest": float((upper - lower).max(initial=0.0)),
        "pinball": float(pinball_by_level(actual, forecast, quantiles).mean()),
        "crps": float(_mean(crps(actual, forecast, quantiles), None)),
    }
    if window is not None:
        out["windows_within"] = windows_within(hits(actual, lower, upper), window, *within)
    return out


def _mean(values: np.ndarray, axis: tuple[int, ...] | None) -> np.ndarray:
    """Mean over what is finite; `nan` where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
