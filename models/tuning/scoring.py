"""What a setting scores: losses of its forecasts in a fold, as sums by day and zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import SettingsError
from models.learner import Learner, learner_class
from models.rows import Rows
from models.tuning.folds import Fold

LOSSES = ("absolute", "squared")


def point_losses(y: np.ndarray, forecast: np.ndarray, loss: str | float = "absolute") -> np.ndarray:
    """Loss of each forecast, shape of `y`, float32; `nan` where the outcome is not known.

    Parameters
    ----------
    y, forecast : ndarray, shape (n, Z, S)
        In the zone's scale.
    loss : "absolute", "squared" or float
        A number between 0 and 1 is the level of a quantile, scored by twice the pinball loss, so that 0.5 is
        "absolute".

    Raises
    ------
    SettingsError
        For another loss.

    Examples
    --------
    >>> point_losses(np.array([2.0, np.nan]), np.array([1.0, 1.0]), 0.9)
    array([1.8, nan], dtype=float32)
    """
    check_loss(loss)
    error = (y - forecast).astype(np.float32)
    if loss == "absolute":
        return np.abs(error, out=error)
    if loss == "squared":
        return np.multiply(error, error, out=error)
    level = np.float32(loss)
    return 2 * np.maximum(level * error, (level - 1) * error)


def check_loss(loss: str | float) -> None:
    """`SettingsError` for a loss that there is not."""
    if loss in LOSSES or (not isinstance(loss, str) and 0 < loss < 1):
        return
    raise SettingsError(f"there is no loss {loss!r}; there are {LOSSES} and, for a quantile, its level between 0 and 1")


def usual_losses(y: np.ndarray, loss: str | float = "absolute") -> np.ndarray:
    """Mean loss of the forecast "as usual" (0) by horizon over all zones, shape (S,): the unit of relative losses."""
    found = point_losses(y, np.zeros((), np.float32), loss)
    known = np.isfinite(found)
    mean = np.where(known, found, 0).sum(axis=(0, 1), dtype=float) / np.maximum(known.sum(axis=(0, 1)), 1)
    return np.where(mean > 0, mean, 1.0)


@dataclass(frozen=True, eq=False)
class DaySums:
    """Relative losses summed by block of time and zone, over all horizons.

    Attributes
    ----------
    total, count : ndarray, shape (D, Z)
        `total / count` is a mean loss in units of what "as usual" loses.
    """

    total: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, losses: np.ndarray, block: np.ndarray, unit: np.ndarray) -> DaySums:
        """From losses (n, Z, S), blocks 0 .. D-1 that never fall, and the unit of each horizon (S,)."""
        known = np.isfinite(losses)
        summed = np.where(known, losses, 0).astype(float) @ (1.0 / unit)
        starts = np.flatnonzero(np.diff(block, prepend=-1))
        return cls(np.add.reduceat(summed, starts), np.add.reduceat(known.sum(axis=2, dtype=float), starts))

    @classmethod
    def joined(cls, parts: list[DaySums]) -> DaySums:
        """One after another."""
        return cls(np.concatenate([p.total for p in parts]), np.concatenate([p.count for p in parts]))

    def by_zone(self) -> np.ndarray:
        """Mean loss of each zone, shape (Z,); `nan` where nothing was scored."""
        count = self.count.sum(axis=0)
        return np.divide(self.total.sum(axis=0), count, out=np.full(count.shape, np.nan), where=count > 0)

    def by_day(self) -> np.ndarray:
        """Mean loss of each block over all zones, shape (D,)."""
        count = self.count.sum(axis=1)
        return np.divide(self.total.sum(axis=1), count, out=np.full(count.shape, np.nan), where=count > 0)

    def mean(self) -> float:
        """Mean loss over everything scored."""
        return float(self.total.sum() / max(self.count.sum(), 1.0))


def standard_error(daily: np.ndarray) -> np.ndarray:
    """Standard error of a mean over blocks of time (axis 0); infinite where there are fewer than two.

    Neighbouring blocks may go together: where their correlation `r` is positive the variance grows by
    (1 + r) / (1 - r), that of an autoregression of order one (Wilks 2011, doi:10.1016/B978-0-12-385022-5.00005-1), `r`
    taken as at most 0.5 (assumption: a few days say little of it).
    """
    known = np.isfinite(daily)
    n = known.sum(axis=0)
    mean = np.where(known, daily, 0).sum(axis=0) / np.maximum(n, 1)
    off = np.where(known, daily - mean, 0.0)
    square = (off**2).sum(axis=0)
    lasting = np.clip((off[1:] * off[:-1]).sum(axis=0) / np.maximum(square, 1e-300), 0.0, 0.5)
    variance = square / np.maximum(n - 1, 1) / np.maximum(n, 1) * (1 + lasting) / (1 - lasting)
    return np.where(n > 1, np.sqrt(variance), np.inf)


def fold_forecast(
    family: type[Learner],
    settings: Mapping[str, Any],
    rows: Rows,
    y: np.ndarray,
    fold: Fold,
    *,
    seed: int,
    zone_features: np.ndarray | None = None,
) -> np.ndarray:
    """Forecasts of a fold's block, shape (rows scored, Z, S), by a learner that saw the rows before it alone."""
    learner = family(seed=seed, **settings)
    learner.fit(rows.take(fold.fit), y[fold.fit], zone_features=zone_features)
    return learner.predict(rows.take(fold.score))


def as_class(family: str | type[Learner]) -> type[Learner]:
    """A family by class or by name."""
    return learner_class(family) if isinstance(family, str) else family


def longest(rows: Rows) -> int:
    """Rows that must lie between those fitted on and those scored."""
    return max(rows.layout.steps)
