"""The adversary: which small changes of the last readings, within a sensor's tolerance, spoil forecasts most.

Each reading may be changed by a share of itself. The direction is found by trying each of the last readings up and
down: for a line that is the sign of its coefficient, and the result is the worst there is; for others a greedy start.

References
----------
Goodfellow et al. (2015), doi:10.48550/arXiv.1412.6572 (a step along the sign of the gradient)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.contract import Forecaster
from models.intervals import QUANTILES
from models.panel import Panel

_MEDIAN = QUANTILES.index(0.5)


def worst_within(
    model: Forecaster,
    panel: Panel,
    known: np.ndarray,
    *,
    zone_ids: Sequence[str],
    step: int,
    tolerance: float,
    lags: int = 6,
) -> Panel:
    """The panel with readings before each origin changed so that the forecast of one horizon errs most.

    Parameters
    ----------
    model : Forecaster
    panel : Panel
        Holds what followed: the adversary knows it, which is the worst case.
    known : ndarray of int, shape (n,)
        Last known position at each origin, at least `lags` apart, so that no reading serves two origins.
    zone_ids : sequence of str
        Zones whose sensors are changed, best `apart`.
    step : int
        Horizon in steps.
    tolerance : float
        Largest change of a reading, as a share of it.
    lags : int
        Last readings that are changed.
    """
    columns, origins = panel.columns(list(zone_ids)), panel.origins(known)
    grid = panel.values[model.target]

    def changed(change: np.ndarray) -> Panel:
        """The panel with a `change` (n, lags, Z) of its last readings, in tolerances."""
        told = grid.copy()
        at = known[:, None] - np.arange(lags)  # (n, lags)
        told[at[:, :, None], columns] = grid[at[:, :, None], columns] * (1 + tolerance * change)
        return replace(panel, values={**panel.values, model.target: told})

    def forecast(change: np.ndarray) -> np.ndarray:
        found = model.forecast(changed(change), origins=origins, zone_ids=zone_ids, steps=(step,))
        return np.asarray(found[:, :, 0, _MEDIAN])

    n, zones = known.size, columns.size
    still = np.zeros((n, lags, zones))
    base = forecast(still)
    up = still.copy()
    for lag in range(lags):
        one = still.copy()
        one[:, lag] = 1.0
        rise, fall = forecast(one) - base, base - forecast(-one)
        up[:, lag] = np.sign(np.where(np.abs(rise) >= np.abs(fall), rise, fall))
    actual = grid[np.minimum(known + step, len(grid) - 1)][:, columns]
    high, low = np.abs(forecast(up) - actual), np.abs(forecast(-up) - actual)
    side = np.where(np.nan_to_num(high) >= np.nan_to_num(low), 1.0, -1.0)
    change = up * side[:, None]
    better = np.maximum(high, low) >= np.abs(base - actual)  # where nothing spoils it, leave it
    change *= better[:, None]
    return changed(change)
