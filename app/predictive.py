"""From stored quantiles to what a person reads: each step of the day, a mix, the chance of passing a limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.texts import t


def quantile_paths(rows: pd.DataFrame, *, step_s: float, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of each coming step from those of the stored horizons, by straight lines between horizons.

    Parameters
    ----------
    rows : DataFrame
        Columns `horizon_s`, `quantile`, `value` of one model, zone, target and forecast origin.
    step_s : float
        Step of the series, s.
    n_steps : int
        Steps wanted; the first ends at `forecast_origin + step_s`.

    Returns
    -------
    levels : ndarray, shape (n_quantiles,)
    paths : ndarray, shape (n_steps, n_quantiles)
        `nan` beyond the stored horizons.
    """
    columns = (rows[name].to_numpy(dtype=float, na_value=np.nan) for name in ("horizon_s", "quantile", "value"))
    return paths_of(*columns, step_s=step_s, n_steps=n_steps)


def paths_of(
    horizon_s: np.ndarray, quantile: np.ndarray, value: np.ndarray, *, step_s: float, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """`quantile_paths` of columns; of several values of one horizon and quantile the first counts, and `nan` none."""
    there = np.isfinite(value)
    if not there.any():
        return np.empty(0), np.empty((n_steps, 0))
    known, row = np.unique(horizon_s[there], return_inverse=True)
    levels, column = np.unique(quantile[there], return_inverse=True)
    wide = np.full((len(known), len(levels)), np.nan)
    wide[row[::-1], column[::-1]] = value[there][::-1]
    wanted = step_s * np.arange(1, n_steps + 1)
    paths = np.column_stack([np.interp(wanted, known, values, right=np.nan) for values in wide.T])
    return levels, np.sort(paths, axis=1)


def exceedance(levels: Sequence[float] | np.ndarray, paths: np.ndarray, limit: float) -> np.ndarray:
    """Probability that each step lies above `limit`, from the distribution function between the quantiles.

    Parameters
    ----------
    levels : array, shape (n_quantiles,)
        Rising.
    paths : ndarray, shape (n_steps, n_quantiles)
        Not falling along a row.
    limit : float
        In the unit of `paths`.

    Returns
    -------
    ndarray, shape (n_steps,)
        Never surer than the outermost quantiles: at least `1 - levels[-1]`, at most `1 - levels[0]`; `nan` where
        a quantile is missing.
    """
    levels = np.asarray(levels, dtype=float)
    if levels.size < 2:
        return np.full(len(paths), np.nan)
    from models.exceedance import from_quantiles

    return np.clip(from_quantiles(levels, paths, limit), 1.0 - levels[-1], 1.0 - levels[0])


def blend(micro: np.ndarray, macro: np.ndarray, weight_micro: float) -> np.ndarray:
    """Quantile-wise mean of two forecasts, `weight_micro` times the first (Vincentisation)."""
    return weight_micro * micro + (1.0 - weight_micro) * macro


def chance_words(p: float) -> str:
    """A chance as text; the stored quantiles end at 5 and 95 %, so beyond that only a bound is said."""
    if not np.isfinite(p):
        return "–"
    if p <= 0.0501:
        return t("chance.low")
    if p >= 0.9499:
        return t("chance.high")
    return f"{100 * p:.0f} %"
