"""Daily values free of the time of day and the kind of day: what is left to have a trend or a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.errors import PanelError
from models.panel import Panel
from models.profile import Profile

LEAST_SHARE = 0.5  # of a day's readings without which the day is a gap (assumed)


@dataclass(frozen=True, eq=False)
class Daily:
    """One value a local day in Z zones.

    Attributes
    ----------
    target : str
    zone_ids : tuple of str
    day : ndarray of int, shape (D,)
        Local days, counted from 1970-01-01, without a gap.
    value : ndarray, shape (D, Z)
        Mean difference of the day's readings from the usual of their times and kind of day, in the target's unit;
        `nan` where less than half of them is known.
    level : ndarray, shape (Z,)
        Mean usual value, in the target's unit.
    """

    target: str
    zone_ids: tuple[str, ...]
    day: np.ndarray
    value: np.ndarray
    level: np.ndarray

    @classmethod
    def of(cls, panel: Panel, target: str, zone_ids: tuple[str, ...] | None = None) -> Daily:
        """Daily values of some zones; None takes all that have readings.

        Raises
        ------
        PanelError, UnknownZoneError
            If the panel has no such target or zone.
        """
        if target not in panel.values:
            raise PanelError(f"the panel has no '{target}'; it has {sorted(panel.values)}")
        ids = panel.sensed(target, share=0.01) if zone_ids is None else tuple(zone_ids)
        values = panel.values[target][:, panel.columns(ids)]
        n = len(panel)
        profile = Profile.fit(values, panel.calendar)
        away = values - profile.usual(panel.calendar, slice(0, n))
        first = int(panel.calendar.day[0])
        of = panel.calendar.day[:n] - first
        days = int(of[-1]) + 1
        known = np.isfinite(away)
        total, count = np.zeros((days, len(ids))), np.zeros((days, len(ids)))
        np.add.at(total, of, np.where(known, away, 0.0))
        np.add.at(count, of, known)
        enough = count >= LEAST_SHARE * panel.steps_per_day
        value = np.where(enough, total / np.maximum(count, 1), np.nan)
        return cls(target, ids, first + np.arange(days), value, profile.level)
