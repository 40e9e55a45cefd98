"""Backtest: forecasts of a test part from every origin in it, and what they score on the same rows.

Every step of the test part is an origin; a row counts for a horizon when the interval forecast for lies inside the
part and was reported. All models are asked at the same origins, so that they are scored on the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.errors import ShortHistoryError
from models.horizons import followed
from models.intervals import QUANTILES
from models.metrics import pinball
from models.panel import Panel

METRICS = ("mae", "rmse", "mase", "pinball", "coverage_80", "coverage_90", "width_90")
LEAST_DAYS = 5  # days of test below which quarters of a day are resampled instead (assumed): two days tell nothing
_Q = {level: QUANTILES.index(level) for level in QUANTILES}


@dataclass(frozen=True, eq=False)
class TestRows:
    """Origins and readings of a test part for one target.

    Attributes
    ----------
    known : ndarray of int, shape (n,)
        Last known position at each origin.
    actual : ndarray, shape (n, Z, H)
        Readings; `nan` where none or where the interval lies outside the part.
    day : ndarray of int, shape (n,)
        Block of each origin, 0 .. D-1: its local day.
    hour : ndarray of int, shape (n, H)
        Local hour of the interval forecast for.
    quarter : ndarray of int, shape (n,)
        Quarter of a local day that each origin is in, counted on from day to day.
    """

    __test__ = False

    known: np.ndarray
    actual: np.ndarray
    day: np.ndarray
    hour: np.ndarray
    quarter: np.ndarray

    @property
    def days(self) -> int:
        """Days that the part touches."""
        return int(self.day[-1]) + 1

    @property
    def block(self) -> np.ndarray:
        """What is resampled as a whole, (n,): days, or quarters of a day where there are fewer than five days."""
        return self.day if self.days >= LEAST_DAYS else self.quarter

    @classmethod
    def of(
        cls,
        panel: Panel,
        *,
        target: str,
        zone_ids: Sequence[str],
        test_from: pd.Timestamp,
        test_to: pd.Timestamp,
        steps: Sequence[int],
    ) -> TestRows:
        """Rows of the test part [test_from, test_to); `ShortHistoryError` where it holds none."""
        first, end = (int(panel.known(at)[0]) for at in (test_from, test_to))
        end = min(end + 1, len(panel))
        known = np.arange(max(first, 0), end - 1)
        if known.size < 1:
            raise ShortHistoryError(
                f"the test part {test_from} to {test_to} holds no origins; the panel ends {panel.times[-1]}"
            )
        aim = known[:, None] + np.asarray(steps)
        actual = followed(panel.values[target][:, panel.columns(zone_ids)], aim, end=end)
        calendar = panel.calendar
        day = np.unique(calendar.day[known + 1], return_inverse=True)[1]
        hour = calendar.step_of_day[aim] * 24 // calendar.steps_per_day
        quarter = 4 * day + calendar.step_of_day[known + 1] * 4 // calendar.steps_per_day
        return cls(known, actual, day, hour, np.unique(quarter, return_inverse=True)[1])


@dataclass(frozen=True, eq=False)
class DailySums:
    """Sums of a model's scores by block, zone and horizon: all that a bootstrap needs.

    Attributes
    ----------
    total : dict of str to ndarray, shape (D, Z, H)
        By metric; "rmse" holds squares, "mase" absolute errors over each zone's scale.
    count : ndarray, shape (D, Z, H)
    """

    total: dict[str, np.ndarray]
    count: np.ndarray

    @classmethod
    def of(cls, rows: TestRows, forecast: np.ndarray, scale: np.ndarray) -> DailySums:
        """Score quantile forecasts of shape (n, Z, H, Q) against the rows; `scale` (Z,) is MASE's."""
        known = np.isfinite(rows.actual)
        actual = np.where(known, rows.actual, 0.0)
        error = np.abs(actual - forecast[..., _Q[0.5]])

        def inside(low: float, high: float) -> np.ndarray:
            return (actual >= forecast[..., _Q[low]]) & (actual <= forecast[..., _Q[high]])

        parts = {
            "mae": error, "rmse": error**2, "mase": error / scale[:, None],
            "pinball": pinball(actual, forecast, QUANTILES),
            "coverage_80": inside(0.1, 0.9), "coverage_90": inside(0.05, 0.95),
            "width_90": forecast[..., _Q[0.95]] - forecast[..., _Q[0.05]],
        }  # fmt: skip
        return cls(
            {name: block_sums(known * part, rows.day) for name, part in parts.items()}, block_sums(known, rows.day)
        )

    def pooled(self) -> DailySums:
        """The same with a zone before the others that holds all of them together."""
        count = np.concatenate([self.count.sum(axis=1, keepdims=True), self.count], axis=1)
        total = {
            name: np.concatenate([np.nansum(t, axis=1, keepdims=True), t], axis=1) for name, t in self.total.items()
        }
        return DailySums(total, count)

    @classmethod
    def beside(cls, parts: Sequence[DailySums]) -> DailySums:
        """Sums of some zones after those of others."""
        total = {name: np.concatenate([part.total[name] for part in parts], axis=1) for name in parts[0].total}
        return cls(total, np.concatenate([part.count for part in parts], axis=1))

    def value(self, metric: str, weights: np.ndarray | None = None) -> np.ndarray:
        """A metric by zone and horizon, shape (Z, H); with block weights (B, D), shape (B, Z, H)."""
        if weights is None:
            weights = np.ones((1, self.count.shape[0]))
        heard = np.tensordot(weights, self.count, axes=1)
        mean = np.divide(
            np.tensordot(weights, self.total[metric], axes=1), heard, out=np.full_like(heard, np.nan), where=heard > 0
        )
        mean = np.sqrt(mean) if metric == "rmse" else mean
        return mean[0] if weights.shape[0] == 1 else mean


def block_sums(values: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Sums of (n, ...) by block, shape (D, ...); blocks are numbered in order and contiguous."""
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    return np.add.reduceat(np.asarray(values, dtype=float), starts, axis=0)


def bootstrap_weights(n_blocks: int, *, draws: int, seed: int) -> np.ndarray:
    """How often each block is drawn in each resample, shape (draws, n_blocks).

    References
    ----------
    Kuensch (1989), doi:10.1214/aos/1176347265 (resampling blocks of dependent data).
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_blocks, np.full(n_blocks, 1.0 / n_blocks), size=draws).astype(float)


def bounds(resampled: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval along axis 0; `nan` where nothing was resampled."""
    missing = np.isnan(resampled)
    empty, partly = missing.all(axis=0), missing.any(axis=0)
    shares = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(np.where(partly, 0.0, resampled), shares, axis=0)
    partly &= ~empty
    if partly.any():  # column by column, so that it is kept for those that need it
        low[partly], high[partly] = np.nanquantile(resampled[:, partly], shares, axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)
