"""The usual day: a series' profile by type of day and time of day, and how far readings stray from it.

Every learned model forecasts the deviation from this profile, so that what a calendar explains costs no parameters,
and a model without news falls back on the usual value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.calendar import Calendar

HALF_LIFE_DAYS = 28.0  # an older day counts half as much after four weeks, so that a profile follows the season
PARENT_DAYS = 0.7  # weight of the wider group (all days, both weekend days), in days of readings
FLOOR_SHARE = 0.3  # least spread at any time of day, as a share of the mean spread


@dataclass(frozen=True, eq=False)
class Profile:
    """Usual value and usual absolute deviation of C series by day type (3) and step of the day (S).

    Attributes
    ----------
    mean, spread : ndarray, shape (C, 3, S)
        In the unit of the series; `spread` is a mean absolute deviation, above 0.
    scale : ndarray, shape (C,)
        Standard deviation of the deviations.
    """

    mean: np.ndarray
    spread: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray, calendar: Calendar) -> Profile:
        """Profile of the columns of `values`, shape (T, C), whose row 0 is the calendar's first position.

        Weekday means stand alone; Saturdays and Sundays, of which a month holds few, lean on their common mean, and
        that on the mean of all days. Gaps are left out; a column without readings gets zeros.
        """
        n, columns = values.shape
        spd = calendar.steps_per_day
        slot = calendar.day_type[:n] * spd + calendar.step_of_day[:n]
        weight = 0.5 ** ((n - 1 - np.arange(n)) / (HALF_LIFE_DAYS * spd))
        known = np.isfinite(values)
        filled = np.where(known, values, 0.0)
        total = _by_slot(filled * weight[:, None], slot, 3 * spd).reshape(3, spd, columns)
        count = _by_slot(known * weight[:, None], slot, 3 * spd).reshape(3, spd, columns)
        mean = _shrunk(_smooth(total, 1), _smooth(count, 1))
        deviation = np.where(known, values - mean.reshape(3 * spd, columns)[slot], 0.0)
        wide = max(1, spd // 16)
        stray = _by_slot(np.abs(deviation) * weight[:, None], slot, 3 * spd).reshape(3, spd, columns)
        spread = _shrunk(_smooth(stray, wide), _smooth(count, wide))
        heard = np.maximum((known * weight[:, None]).sum(axis=0), 1e-12)
        scale = np.sqrt((deviation**2 * weight[:, None]).sum(axis=0) / heard)
        overall = (np.abs(deviation) * weight[:, None]).sum(axis=0) / heard
        spread = np.maximum(spread, FLOOR_SHARE * overall + 1e-9)
        return cls(
            mean=np.ascontiguousarray(mean.transpose(2, 0, 1)),
            spread=np.ascontiguousarray(spread.transpose(2, 0, 1)),
            scale=np.maximum(scale, 1e-6 + 1e-4 * np.abs(mean).mean(axis=(0, 1))),
        )

    def usual(self, calendar: Calendar, at: np.ndarray | slice) -> np.ndarray:
        """Usual values at grid positions: shape of `at`, then C."""
        return self.mean.transpose(1, 2, 0)[calendar.day_type[at], calendar.step_of_day[at]]

    def stray(self, calendar: Calendar, at: np.ndarray | slice) -> np.ndarray:
        """Usual absolute deviations at grid positions: shape of `at`, then C."""
        return self.spread.transpose(1, 2, 0)[calendar.day_type[at], calendar.step_of_day[at]]

    def pick(self, columns: np.ndarray) -> Profile:
        """Profile of some of the series."""
        return Profile(self.mean[columns], self.spread[columns], self.scale[columns])

    def state(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays to store, their names led by `prefix`."""
        return {f"{prefix}mean": self.mean, f"{prefix}spread": self.spread, f"{prefix}scale": self.scale}

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray], prefix: str) -> Profile:
        """Inverse of `state`."""
        return cls(arrays[f"{prefix}mean"], arrays[f"{prefix}spread"], arrays[f"{prefix}scale"])


def _by_slot(values: np.ndarray, slot: np.ndarray, n_slots: int) -> np.ndarray:
    """Sums of rows by slot, shape (n_slots, C)."""
    return np.stack([np.bincount(slot, column, n_slots) for column in values.T], axis=1)


def _smooth(array: np.ndarray, reach: int) -> np.ndarray:
    """Triangular moving sum around the clock (axis 1), `reach` steps to either side."""
    out = np.zeros_like(array)
    for k in range(-reach, reach + 1):
        out += (1.0 - abs(k) / (reach + 1)) * np.roll(array, k, axis=1)
    return out / (reach + 1)


def _shrunk(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Means by day type and step, each leaning on its wider group's mean where readings are few; shape as given."""
    grand = total.sum(axis=(0, 1)) / np.maximum(count.sum(axis=(0, 1)), 1e-12)
    every = (total.sum(axis=0) + 0.05 * grand) / (count.sum(axis=0) + 0.05)
    weekend = (total[1:].sum(axis=0) + PARENT_DAYS * every) / (count[1:].sum(axis=0) + PARENT_DAYS)
    parent = np.stack([every, weekend, weekend])
    lean = np.array([0.05, PARENT_DAYS, PARENT_DAYS])[:, None, None]
    return (total + lean * parent) / (count + lean)
