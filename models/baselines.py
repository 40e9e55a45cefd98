"""Baselines: what a forecast must beat to be worth having.

`last_value` repeats the last reading; `seasonal_naive` repeats the same local time last week where the panel knows it,
else yesterday's, else the usual value; `historical_average` is the usual value by day type and time of day.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.contract import Forecaster
from models.design import Workbench
from models.panel import Panel
from models.profile import Profile
from models.scale import to_scale


class _Baseline(Forecaster):
    """A baseline knows the profile, for its intervals and as its last resort."""

    exact_between = True

    def _learn(self, bench: Workbench, end: int) -> None:
        panel = bench.panel.until(end)
        readings = panel.values[self.target][:, panel.columns(self.zone_ids)]
        self.profile = Profile.fit(to_scale(self.target, readings), panel.calendar)

    def _n_parameters(self) -> int:
        return 0

    def _less_usual(self, panel: Panel, value: np.ndarray, aim: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Value (n, S, Z) less the usual at `aim` (n, S), 0 where the value is missing; shape (n, Z, S)."""
        assert self.profile is not None
        usual = self.profile.pick(places).usual(panel.calendar, aim)
        return np.where(np.isfinite(value), value - usual, 0.0).transpose(0, 2, 1)

    def _read(self, panel: Panel, at: np.ndarray, known: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Readings at positions (n, S) that are known, else `nan`: shape (n, S, Z)."""
        columns = panel.columns([self.zone_ids[k] for k in places])
        fine = (at >= 0) & (at <= known[:, None])
        found = panel.values[self.target][np.where(fine, at, 0)[..., None], columns]
        return to_scale(self.target, np.where(fine[..., None], found, np.nan))


class LastValue(_Baseline):
    """The last reading of the past three hours, at every horizon; the usual value where there is none."""

    kind = family = "last_value"

    def _deviations(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int], bench: Workbench | None = None
    ) -> np.ndarray:
        reach = np.arange(max(1, 3 * 3600 // self.step_s))
        recent = self._read(panel, known[:, None] - reach, known, places)
        first = np.argmax(np.isfinite(recent), axis=1)
        last = np.take_along_axis(recent, first[:, None], axis=1)
        aim = known[:, None] + np.asarray(steps)
        return self._less_usual(panel, np.broadcast_to(last, (*aim.shape, places.size)), aim, places)


class SeasonalNaive(_Baseline):
    """The same local time last week where it is known, else yesterday, else the usual value."""

    kind = family = "seasonal_naive"

    def _deviations(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int], bench: Workbench | None = None
    ) -> np.ndarray:
        aim = known[:, None] + np.asarray(steps)
        week = self._read(panel, panel.calendar.week_before[aim], known, places)
        day = self._read(panel, panel.calendar.day_before[aim], known, places)
        return self._less_usual(panel, np.where(np.isfinite(week), week, day), aim, places)


class HistoricalAverage(_Baseline):
    """The usual value of the day type and time of day."""

    kind = family = "historical_average"

    def _deviations(
        self, panel: Panel, known: np.ndarray, places: np.ndarray, steps: Sequence[int], bench: Workbench | None = None
    ) -> np.ndarray:
        return np.zeros((known.size, places.size, len(steps)))

    def _n_parameters(self) -> int:
        return 0 if self.profile is None else int(self.profile.mean.size)


BASELINES: tuple[type[Forecaster], ...] = (LastValue, SeasonalNaive, HistoricalAverage)
