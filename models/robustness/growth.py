"""Growth: how many times larger a model's error is from disturbed than from clean readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.contract import Forecaster
from models.horizons import followed
from models.intervals import QUANTILES
from models.panel import Panel

_MEDIAN = QUANTILES.index(0.5)
_RESAMPLES = 400


@dataclass(frozen=True)
class Growth:
    """Mean absolute error over that on clean readings.

    Attributes
    ----------
    ratio, low, high : float
        With an interval of about 90 % over days drawn again.
    clean, mae : float
        Mean absolute errors, in the target's unit.
    n : int
        Forecasts.
    """

    ratio: float
    low: float
    high: float
    clean: float
    mae: float
    n: int


def losses(
    model: Forecaster, panel: Panel, truth: Panel, known: np.ndarray, *, zone_ids: Sequence[str], steps: Sequence[int]
) -> np.ndarray:
    """Absolute errors (n, Z, S) of median forecasts made from `panel`, against the readings of `truth`."""
    origins = panel.origins(known)
    found = model.forecast(panel, origins=origins, zone_ids=zone_ids, steps=steps)[..., _MEDIAN]
    grid = truth.values[model.target][:, truth.columns(list(zone_ids))]
    return np.abs(found - followed(grid, known[:, None] + np.asarray(steps)))


def error_growth(loss: np.ndarray, clean: np.ndarray, day: np.ndarray, *, seed: int) -> Growth:
    """Ratio of mean losses where both are known.

    Parameters
    ----------
    loss, clean : ndarray, shape (n, ...)
        Of the same forecasts, from disturbed and from clean readings.
    day : ndarray of int, shape (n,)
        Days, which are drawn again as a whole: errors of one day are alike.
    seed : int
    """
    n = len(loss)
    both = np.isfinite(loss) & np.isfinite(clean)
    a = np.where(both, loss, 0.0).reshape(n, -1).sum(axis=1)
    b = np.where(both, clean, 0.0).reshape(n, -1).sum(axis=1)
    days, of = np.unique(day, return_inverse=True)
    top, base = np.bincount(of, a, days.size), np.bincount(of, b, days.size)
    drawn = np.random.default_rng(seed).integers(0, days.size, (_RESAMPLES, days.size))
    with np.errstate(invalid="ignore", divide="ignore"):
        again = top[drawn].sum(axis=1) / base[drawn].sum(axis=1)
        ratio = float(top.sum() / base.sum())
    count = int(both.sum())
    low, high = np.nanquantile(again, (0.05, 0.95)) if count else (np.nan, np.nan)
    return Growth(ratio, float(low), float(high), float(b.sum() / max(count, 1)), float(a.sum() / max(count, 1)), count)
