"""The usual day: a series' profile by type of day and time of day, and how far readings stray from it.

Every learned model forecasts the deviation from this profile, so that what a calendar explains costs no parameters,
and a model without news falls back on the usual value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.calendar import Calendar

# All assumed.
HALF_LIFE_DAYS = 28.0  # an older day counts half as much after four weeks, so that a profile follows the season,
HALF_LIFE_SHARE = 0.5  # or after half the history where that is longer: a model may then go a year without refitting
PARENT_DAYS = 0.7  # weight of the wider group (all days, both weekend days), in days of readings
LEAN_DAYS = 0.05  # weight of the mean of all times, in days: it counts where a time of day was never seen
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
        that on the mean of all days. Gaps are left out; a column without readings gets zeros. `spread` and `scale` are
        of deviations from the profile of the other days.
        """
        return cls.with_history(values, calendar)[0]

    @classmethod
    def with_history(cls, values: np.ndarray, calendar: Calendar) -> tuple[Profile, np.ndarray]:
        """The profile, and the usual values (T, C) that each day would have had without itself.

        A day pulls its own profile towards itself, so that deviations from the full profile look smaller and shorter
        than those of a day to come. Models learn from deviations from the profile of the *other* days.
        """
        n, columns = values.shape
        spd = calendar.steps_per_day
        slot = calendar.day_type[:n] * spd + calendar.step_of_day[:n]
        weight = 0.5 ** ((n - 1 - np.arange(n)) / max(HALF_LIFE_DAYS * spd, HALF_LIFE_SHARE * n))
        known = np.isfinite(values)
        mass = known * weight[:, None]
        load = np.where(known, values, 0.0) * weight[:, None]
        total = _smooth(_by_slot(load, slot, 3 * spd).reshape(3, spd, columns), 1)
        count = _smooth(_by_slot(mass, slot, 3 * spd).reshape(3, spd, columns), 1)
        mean = _shrunk(total, count)
        others = _without_own_day(total, count, _smooth_rows(load, 1), _smooth_rows(mass, 1), calendar)
        deviation = np.where(known, values - others, 0.0)
        wide = max(1, spd // 16)
        stray = _by_slot(np.abs(deviation) * weight[:, None], slot, 3 * spd).reshape(3, spd, columns)
        spread = _shrunk(_smooth(stray, wide), _smooth(_by_slot(mass, slot, 3 * spd).reshape(3, spd, columns), wide))
        heard = np.maximum(mass.sum(axis=0), 1e-12)
        scale = np.sqrt((deviation**2 * weight[:, None]).sum(axis=0) / heard)
        overall = (np.abs(deviation) * weight[:, None]).sum(axis=0) / heard
        spread = np.maximum(spread, FLOOR_SHARE * overall + 1e-9)
        profile = cls(
            mean=np.ascontiguousarray(mean.transpose(2, 0, 1)),
            spread=np.ascontiguousarray(spread.transpose(2, 0, 1)),
            scale=np.maximum(scale, 1e-6 + 1e-4 * np.abs(mean).mean(axis=(0, 1))),
        )
        return profile, others

    def usual(self, calendar: Calendar, at: np.ndarray | slice) -> np.ndarray:
        """Usual values at grid positions: shape of `at`, then C."""
        return self.mean.transpose(1, 2, 0)[calendar.day_type[at], calendar.step_of_day[at]]

    def stray(self, calendar: Calendar, at: np.ndarray | slice) -> np.ndarray:
        """Usual absolute deviations at grid positions: shape of `at`, then C."""
        return self.spread.transpose(1, 2, 0)[calendar.day_type[at], calendar.step_of_day[at]]

    @cached_property
    def level(self) -> np.ndarray:
        """Mean over the types and times of day, shape (C,)."""
        return np.asarray(self.mean.mean(axis=(1, 2)))

    @cached_property
    def _every(self) -> np.ndarray:
        return np.arange(self.scale.size)

    def pick(self, columns: np.ndarray) -> Profile:
        """Profile of some of the series; itself where all are wanted in order."""
        if columns.size == self.scale.size and (columns == self._every).all():
            return self
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


def _smooth_rows(array: np.ndarray, reach: int) -> np.ndarray:
    """The same moving sum along the rows of (T, C), without going round."""
    out = np.zeros_like(array)
    for k in range(-reach, reach + 1):
        part = (1.0 - abs(k) / (reach + 1)) / (reach + 1)
        a, b = max(0, k), min(array.shape[0], array.shape[0] + k)
        out[a:b] += part * array[a - k : b - k]
    return out


def _shrunk(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Means by day type and step, each leaning on its wider group's mean where readings are few; shape as given."""
    grand = _ratio(total.sum(axis=(0, 1)), count.sum(axis=(0, 1)))
    every = (total.sum(axis=0) + LEAN_DAYS * grand) / (count.sum(axis=0) + LEAN_DAYS)
    weekend = (total[1:].sum(axis=0) + PARENT_DAYS * every) / (count[1:].sum(axis=0) + PARENT_DAYS)
    parent = np.stack([every, weekend, weekend])
    lean = np.array([LEAN_DAYS, PARENT_DAYS, PARENT_DAYS])[:, None, None]
    return (total + lean * parent) / (count + lean)


def _without_own_day(
    total: np.ndarray, count: np.ndarray, load: np.ndarray, mass: np.ndarray, calendar: Calendar
) -> np.ndarray:
    """`_shrunk` for each row (T, C), the row's own day taken out of every sum."""
    n = load.shape[0]
    kind, step = calendar.day_type[:n], calendar.step_of_day[:n]
    free = (kind > 0)[:, None]
    grand = _ratio(total.sum(axis=(0, 1)), count.sum(axis=(0, 1)))

    def left(sums: np.ndarray, own: np.ndarray | float) -> np.ndarray:
        return np.maximum(sums - own, 0.0)

    every = left(total.sum(axis=0)[step], load), left(count.sum(axis=0)[step], mass)
    usual = (every[0] + LEAN_DAYS * grand) / (every[1] + LEAN_DAYS)
    rest = left(total[1:].sum(axis=0)[step], load), left(count[1:].sum(axis=0)[step], mass)
    weekend = (rest[0] + PARENT_DAYS * usual) / (rest[1] + PARENT_DAYS)
    parent, lean = np.where(free, weekend, usual), np.where(free, PARENT_DAYS, LEAN_DAYS)
    return (left(total[kind, step], load) + lean * parent) / (left(count[kind, step], mass) + lean)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a / np.maximum(b, 1e-12)
