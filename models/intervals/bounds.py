"""What a target can be at all: quantiles are held near the range seen in training, and no interval exceeds its width.

A dense fan around a wild forecast promises nothing; one that reaches from below zero to twice the largest value ever
read misinforms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: How far beyond the training range a quantile may lie, as a share of the range (assumption: records are broken, but
#: rarely by more than a quarter).
BEYOND = 0.25
MIN_READINGS = 100  # a zone with fewer readings takes the range of all zones (assumption)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Range of the training readings by zone.

    Attributes
    ----------
    low, high : ndarray, shape (Z,)
        In the target's unit.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, readings: np.ndarray) -> Bounds:
        """Smallest and largest reading of each zone.

        Parameters
        ----------
        readings : ndarray, shape (T, Z)
            Of the training part, in the target's unit; `nan` where none. A zone with fewer than `MIN_READINGS` takes
            the range of all zones; where nobody has a reading, everything from 0 on is allowed.
        """
        known = np.isfinite(readings)
        low = np.where(known, readings, np.inf).min(axis=0, initial=np.inf)
        high = np.where(known, readings, -np.inf).max(axis=0, initial=-np.inf)
        if not known.any():
            return cls(np.zeros(readings.shape[1]), np.full(readings.shape[1], np.inf))
        few = known.sum(axis=0) < MIN_READINGS
        return cls(np.where(few, low.min(), low), np.where(few, high.max(), high))

    def pick(self, places: np.ndarray) -> Bounds:
        """Some of the zones."""
        return Bounds(self.low[places], self.high[places])

    def apply(self, forecast: np.ndarray, *, quantiles: tuple[float, ...], beyond: float = BEYOND) -> np.ndarray:
        """Quantiles held within the bounds; order, shape and dtype stay.

        Parameters
        ----------
        forecast : ndarray, shape (n, Z, S, Q)
            In the target's unit, non-decreasing along Q.
        quantiles : tuple of float, length Q
        beyond : float
            Share of the training range by which a quantile may lie outside it.

        Returns
        -------
        ndarray, shape (n, Z, S, Q)
            Within the range extended by `beyond` on both sides and not negative; where the outermost quantiles lie
            further apart than the training range is wide, all are drawn towards the median in one proportion.
        """
        width = np.where(np.isfinite(self.high), self.high - self.low, np.inf)
        reach = np.where(np.isfinite(width), beyond * width, 0.0)
        low = np.maximum(self.low - reach, 0.0)[:, None, None]
        out = np.clip(forecast, low, (self.high + reach)[:, None, None])
        middle = out[..., [int(np.argmin(np.abs(np.asarray(quantiles) - 0.5)))]]
        spread = out[..., -1:] - out[..., :1]
        most = width[:, None, None] * (1 - 1e-6)  # so that rounding to float32 cannot exceed the range
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(spread > most, most / spread, 1.0)
        return np.asarray(np.where(share < 1, middle + share * (out - middle), out)).astype(forecast.dtype, copy=False)
