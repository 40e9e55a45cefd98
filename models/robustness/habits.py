"""Habits: what is usual in a zone, how it goes with its companions, and how far from that good readings have strayed.

Companions are the zones whose deviations from the usual have gone together with the zone's own, near or far. A change
that they share is the world's; one that they do not share may be the sensor's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.errors import NoDataError, PanelError, ShortHistoryError
from models.panel import Panel
from models.profile import Profile
from models.scale import to_scale

LEAST_DAYS = 4.0  # as for a forecaster
N_COMPANIONS = 6  # assumed
LEAST_ALIKE = 0.2  # correlation of deviations below which a zone is no companion (assumed)
LEAST_TOGETHER = 48  # readings that two zones must have in common
MOST_SLOPE = 3.0
_NORMAL = 1.4826  # standard deviation of a normal variable over its median absolute deviation
_FLOOR = 0.3  # least robust spread, as a share of the standard deviation (assumed)


@dataclass(frozen=True, eq=False)
class Habits:
    """What is usual of one target in Z zones.

    Attributes
    ----------
    target : str
    zone_ids : tuple of str
    step_s : int
    profile : Profile
        Of the target's scale (see `models.scale`).
    companions : ndarray of int, shape (Z, K)
        Places of companions, most alike first; -1 for none.
    weight : ndarray, shape (Z, K)
        Of each companion in their mean.
    slope, spread : ndarray, shape (Z,)
        Deviation of a zone for one of its companions' mean, and the robust standard deviation of what is left on a day
        as usual; both in the zone's standard deviations.
    stretch : ndarray, shape (Z,)
        How the variance of what is left grows with the squared deviation that companions make one expect, as a share of
        `spread` squared: zones agree less closely during an episode.
    low, high : ndarray, shape (Z,)
        Least and greatest reading, in the target's unit.
    """

    target: str
    zone_ids: tuple[str, ...]
    step_s: int
    profile: Profile
    companions: np.ndarray
    weight: np.ndarray
    slope: np.ndarray
    spread: np.ndarray
    stretch: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def fit(cls, panel: Panel, target: str) -> tuple[Habits, np.ndarray]:
        """Learn from the whole of a panel (cut it first with `until`).

        Returns
        -------
        Habits
        ndarray, shape (T, Z)
            Usual value of each reading, its own day left out, on the target's scale.

        Raises
        ------
        PanelError, ShortHistoryError, NoDataError
            If the target is not there, the history is shorter than four days, or no zone has readings.
        """
        if target not in panel.values:
            raise PanelError(f"the panel has no '{target}'; it has {sorted(panel.values)}")
        days = len(panel) / panel.steps_per_day
        if days < LEAST_DAYS:
            raise ShortHistoryError(f"{days:.1f} days tell no habits of '{target}'; at least {LEAST_DAYS:g} are needed")
        values = panel.values[target]
        heard = np.isfinite(values).any(axis=0)
        if not heard.any():
            raise NoDataError(f"no zone has readings of '{target}', so that no habits can be told")
        profile, usual = Profile.with_history(to_scale(target, values), panel.calendar)
        z = (to_scale(target, values) - usual) / profile.scale
        companions, weight = _companions(z)
        low = np.where(heard, np.min(np.where(np.isfinite(values), values, np.inf), axis=0), np.nan)
        high = np.where(heard, np.max(np.where(np.isfinite(values), values, -np.inf), axis=0), np.nan)
        first = cls(
            target=target, zone_ids=panel.zone_ids, step_s=panel.step_s, profile=profile, companions=companions,
            weight=weight, slope=np.ones(len(heard)), spread=np.ones(len(heard)), stretch=np.zeros(len(heard)),
            low=low, high=high,
        )  # fmt: skip
        mean = first.companions_mean(z)
        both = np.isfinite(z) & np.isfinite(mean)
        x, y = np.where(both, np.clip(mean, -4, 4), 0.0), np.where(both, np.clip(z, -4, 4), 0.0)
        slope = np.clip((x * y).sum(axis=0) / ((x * x).sum(axis=0) + LEAST_TOGETHER * 0.1), 0.0, MOST_SLOPE)
        left = np.where(both, z - slope * mean, np.where(np.isfinite(z), z, np.nan))
        spread = np.ones(len(heard))
        if heard.any():
            middle = np.nanmedian(np.abs(left[:, heard] - np.nanmedian(left[:, heard], axis=0)), axis=0)
            spread[heard] = np.maximum(_NORMAL * middle, _FLOOR * np.nanstd(np.clip(left[:, heard], -6, 6), axis=0))
        spread = np.maximum(spread, 1e-6)
        return replace(first, slope=slope, spread=spread, stretch=_stretch(left / spread, slope * mean)), usual

    def usual(self, panel: Panel, rows: slice) -> np.ndarray:
        """Usual values on the target's scale, shape (t, Z)."""
        return self.profile.usual(panel.calendar, rows)

    def companions_mean(self, z: np.ndarray) -> np.ndarray:
        """Weighted mean of each zone's companions' deviations (t, Z); `nan` where none of them is heard."""
        known = np.isfinite(z)
        filled = np.where(known, z, 0.0)
        total, mass = np.zeros_like(filled), np.zeros_like(filled)
        for place, weight in zip(self.companions.T, self.weight.T):
            there = np.where(place >= 0, weight, 0.0)
            total += filled[:, place] * there
            mass += known[:, place] * there
        return np.where(mass > 1e-9, total / np.maximum(mass, 1e-9), np.nan)

    def expected(self, z: np.ndarray) -> np.ndarray:
        """Deviation that the companions make one expect, (t, Z); 0, as usual, where none is heard."""
        return np.asarray(np.nan_to_num(self.slope * self.companions_mean(z)))

    def less(self, z: np.ndarray, around: np.ndarray) -> np.ndarray:
        """What is left of deviations (t, Z) less those expected, in the spread that is usual at such a deviation."""
        return np.asarray((z - around) / (self.spread * np.sqrt(1 + self.stretch * around**2)))


def _stretch(left: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Slope of the squares of what is left over 1 on the squared expected deviation, weighed against extremes."""
    known = np.isfinite(left) & np.isfinite(around)
    x = np.where(known, np.minimum(around**2, 16.0), 0.0)
    y = np.where(known, np.minimum(left**2, 36.0) - 1.0, 0.0)
    weight = 1 / (1 + x) ** 2  # squares of large deviations scatter the more
    return np.asarray(np.clip((weight * x * y).sum(axis=0) / ((weight * x * x).sum(axis=0) + 1.0), 0.0, 4.0))


def _companions(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Most alike zones by the correlation of deviations, and their weights (squared correlations)."""
    known = np.isfinite(z)
    held = np.where(known, np.clip(z, -4, 4), 0.0)
    count = known.astype(np.float32).T @ known.astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        cross = held.T @ held
        square = (held**2).T @ known.astype(float)
        alike = np.where(count >= LEAST_TOGETHER, cross / np.sqrt(square * square.T), 0.0)
    alike = np.nan_to_num(alike)
    np.fill_diagonal(alike, 0.0)
    most = min(N_COMPANIONS, max(alike.shape[0] - 1, 1))
    order = np.argsort(-alike, axis=1, kind="stable")[:, :most]
    value = np.take_along_axis(alike, order, axis=1)
    chosen = value >= LEAST_ALIKE
    return np.where(chosen, order, -1), np.where(chosen, value**2, 0.0)
