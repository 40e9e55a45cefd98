"""Scores of forecasts: MAE, RMSE, MASE, pinball loss, coverage and width, on arrays with gaps."""

from __future__ import annotations

import numpy as np

from models.errors import ShortHistoryError


def mae(actual: np.ndarray, forecast: np.ndarray) -> float:
    """Mean absolute error over the pairs without gaps, in the unit of `actual`; `nan` where there are none."""
    return _mean(np.abs(actual - forecast))


def rmse(actual: np.ndarray, forecast: np.ndarray) -> float:
    """Root mean squared error over the pairs without gaps, in the unit of `actual`."""
    return float(np.sqrt(_mean((actual - forecast) ** 2)))


def mase_scale(history: np.ndarray, *, season: int) -> np.ndarray:
    """Mean absolute change from one season to the next within a history: the unit of MASE.

    Parameters
    ----------
    history : ndarray, shape (T,) or (T, Z)
        Oldest first; gaps allowed.
    season : int
        Steps in a season, 96 for a day of 15-minute steps.

    Returns
    -------
    ndarray, shape () or (Z,)
        In the unit of `history`; `nan` where it repeats exactly or has no pairs.

    Raises
    ------
    ShortHistoryError
        If `history` holds no more than `season` values.

    References
    ----------
    Hyndman & Koehler (2006), doi:10.1016/j.ijforecast.2006.03.001
    """
    if history.shape[0] <= season:
        raise ShortHistoryError(
            f"history holds {history.shape[0]} values; MASE needs more than one season of {season} to scale by"
        )
    change = np.abs(history[season:] - history[:-season])
    known = np.isfinite(change)
    total = np.where(known, change, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.where(total > 0, total / np.maximum(count, 1), np.nan)


def mase(actual: np.ndarray, forecast: np.ndarray, history: np.ndarray, *, season: int) -> float:
    """Mean absolute scaled error of one series: below 1, better than repeating last season was in the history.

    Examples
    --------
    >>> mase(np.array([4.0]), np.array([3.0]), np.array([1.0, 2.0, 3.0]), season=1)
    1.0
    """
    return mae(actual, forecast) / float(mase_scale(history, season=season))


def pinball(actual: np.ndarray, forecast: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Pinball loss averaged over quantiles, shape of `actual`, in its unit; `forecast` has a last axis of quantiles.

    References
    ----------
    Koenker & Bassett (1978), doi:10.2307/1913643
    """
    above = actual[..., None] - forecast
    levels = np.asarray(quantiles)
    return np.maximum(levels * above, (levels - 1.0) * above).mean(axis=-1)


def coverage(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Share of readings inside [lower, upper], 0 to 1."""
    inside = ((actual >= lower) & (actual <= upper)).astype(float)
    return _mean(np.where(np.isfinite(actual), inside, np.nan))


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
