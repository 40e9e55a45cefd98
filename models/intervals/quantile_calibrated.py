"""Conformalised quantile regression: families that forecast quantiles themselves, made to keep their promise.

A quantile that is systematically too low or too high is moved by the conformal quantile of what it missed by. Both
tails apart; a zone leans on the city as far as its own errors are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.errors import ScoresError
from models.intervals.split import LEAN_TAIL, corrected_quantiles

_LEAST_SHARE = 0.1  # least spread that an error is measured in, as a share of the zone's usual one (assumption)


@dataclass(frozen=True, eq=False)
class CalibratedQuantiles:
    """Corrections of a family's quantiles, in units of each quantile's own distance from the median forecast.

    Attributes
    ----------
    quantiles : tuple of float, length Q
        Increasing, 0.5 among them.
    shift : ndarray, shape (Z, S, Q)
        Added to each quantile, times its distance from the median; 0 at the median.
    floor : ndarray, shape (Z, S, Q)
        Least such distance, in the unit of the forecasts: where a family says "certain", errors still occur.

    References
    ----------
    Romano, Patterson & Candes (2019), arXiv:1905.03222; Sesia & Candes (2020), doi:10.1002/sta4.261 (errors in units
    of the forecast's own spread).
    """

    quantiles: tuple[float, ...]
    shift: np.ndarray
    floor: np.ndarray

    @classmethod
    def fit(
        cls,
        readings: np.ndarray,
        forecast: np.ndarray,
        *,
        quantiles: tuple[float, ...],
        steps: np.ndarray | tuple[int, ...] | None = None,
        lean_tail: float = LEAN_TAIL,
    ) -> CalibratedQuantiles:
        """Learn from forecasts that had not seen their readings.

        Parameters
        ----------
        readings : ndarray, shape (n, Z, S)
            `nan` where none.
        forecast : ndarray, shape (n, Z, S, Q)
            In the same unit.
        quantiles : tuple of float, length Q
        steps : array of int or None, shape (S,)
            Horizons in origins, see `ConformalIntervals.fit`.
        lean_tail : float
            Independent readings beyond a quantile that weigh as much as all zones together.

        Raises
        ------
        ScoresError
            If shapes or quantiles do not fit together.
        """
        levels = np.asarray(quantiles)
        faults = []
        if forecast.shape != (*readings.shape, levels.size):
            faults.append(f"forecast must have shape {(*readings.shape, levels.size)}; found {forecast.shape}")
        if 0.5 not in quantiles or not (np.diff(levels) > 0).all():
            faults.append(f"quantiles={quantiles} must increase and hold 0.5")
        if faults:
            raise ScoresError("; ".join(faults))
        n, zones, horizons = readings.shape
        apart = np.ones(horizons) if steps is None else np.maximum(1.0, np.asarray(steps, dtype=float))
        middle = quantiles.index(0.5)
        reach = np.abs(forecast - forecast[..., middle : middle + 1])
        heard = np.isfinite(readings)[..., None] & np.isfinite(reach)
        number = np.maximum(heard.sum(axis=0), 1)
        floor = np.maximum(_LEAST_SHARE * np.where(heard, reach, 0.0).sum(axis=0) / number, 1e-9)
        count = np.isfinite(readings).sum(axis=0) / apart
        shift = np.zeros((zones, horizons, levels.size))
        for q, level in enumerate(quantiles):
            if q == middle:
                continue
            missed = (readings - forecast[..., q]) / np.maximum(reach[..., q], floor[..., q])
            own = corrected_quantiles(missed, (level,))[..., 0]
            city = corrected_quantiles(missed.reshape(n * zones, 1, horizons), (level,))[0, :, 0]
            beyond = count * min(level, 1 - level)
            share = np.where(np.isnan(own), 0.0, beyond / (beyond + lean_tail))
            mixed = share * np.nan_to_num(own) + (1 - share) * np.nan_to_num(city)
            # a quantile may come as close as the median, not cross it
            shift[..., q] = np.minimum(mixed, 1.0) if level < 0.5 else np.maximum(mixed, -1.0)
        return cls(tuple(quantiles), shift, floor)

    def apply(self, forecast: np.ndarray) -> np.ndarray:
        """Calibrated quantiles, shape and unit of `forecast` (n, Z, S, Q), non-decreasing along Q; the median stays."""
        middle = self.quantiles.index(0.5)
        centre = forecast[..., middle : middle + 1]
        out = forecast + self.shift * np.maximum(np.abs(forecast - centre), self.floor)
        levels = np.asarray(self.quantiles)
        out = np.where(levels < 0.5, np.minimum(out, centre), np.where(levels > 0.5, np.maximum(out, centre), centre))
        low, high = out[..., : middle + 1], out[..., middle:]
        low = np.minimum.accumulate(low[..., ::-1], axis=-1)[..., ::-1]
        return np.concatenate([low[..., :-1], np.maximum.accumulate(high, axis=-1)], axis=-1)

    def pick(self, places: np.ndarray) -> CalibratedQuantiles:
        """Some of the zones."""
        return CalibratedQuantiles(self.quantiles, self.shift[places], self.floor[places])
