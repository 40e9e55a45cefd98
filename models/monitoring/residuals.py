"""What a forecaster got wrong one step ahead, interval by interval: the series that everything else watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.contract import Forecaster
from models.horizons import followed
from models.intervals import QUANTILES
from models.monitoring.settings import PATTERN_BINS
from models.panel import Panel
from models.scale import from_scale, to_scale

_AT_ONCE = 500  # origins forecast in one call


@dataclass(frozen=True, eq=False)
class Series:
    """Forecasts of the next interval and what came, n intervals and Z zones.

    Attributes
    ----------
    step_s : int
    position : ndarray of int, shape (n,)
        Interval forecast for, consecutive: steps of the grid since 1970-01-01 UTC.
    day, hour : ndarray of int, shape (n,)
        Local day and hour of that interval.
    reading, point : ndarray, shape (n, Z)
        In the target's unit; `nan` where nothing was read.
    error : ndarray, shape (n, Z)
        Reading less forecast on the model's scale, in units of the usual deviation.
    outside : ndarray, shape (n, Z)
        1 where the reading lay outside its 90 % interval, 0 inside, `nan` where there is none.
    away : ndarray, shape (n, Z)
        Reading less usual value on the model's scale, in units of the usual deviation.
    """

    step_s: int
    position: np.ndarray
    day: np.ndarray
    hour: np.ndarray
    reading: np.ndarray
    point: np.ndarray
    error: np.ndarray
    outside: np.ndarray
    away: np.ndarray

    def __len__(self) -> int:
        return len(self.position)

    @property
    def part(self) -> np.ndarray:
        """Stretch of the local day."""
        return self.hour * PATTERN_BINS // 24

    def rows(self, start: int, stop: int | None = None) -> Series:
        """Some consecutive intervals."""
        cut = slice(start, stop)
        return Series(
            self.step_s, self.position[cut], self.day[cut], self.hour[cut], self.reading[cut], self.point[cut],
            self.error[cut], self.outside[cut], self.away[cut],
        )  # fmt: skip


def watched(model: Forecaster, panel: Panel, start: int, end: int) -> Series:
    """Forecasts of the intervals from `start` up to `end`, each from what was known just before it.

    Parameters
    ----------
    model : Forecaster
        Fitted.
    panel : Panel
    start, end : int
        Positions in the panel; `start` at least 1.

    Returns
    -------
    Series
    """
    known = np.arange(max(start, 1) - 1, end - 1)
    places = np.arange(len(model.zone_ids))
    chunks = np.array_split(known, max(1, -(-known.size // _AT_ONCE)))
    levels = [model._point(panel, part, places, (1,)) for part in chunks if part.size]
    level = np.concatenate(levels)[:, :, 0] if levels else np.empty((0, places.size))
    return series_of(model, panel, known, level)


def series_of(
    model: Forecaster, panel: Panel, known: np.ndarray, level: np.ndarray, *, bounds: np.ndarray | None = None
) -> Series:
    """The series of forecasts made already.

    Parameters
    ----------
    known : ndarray of int, shape (n,)
        Last known position at each origin, consecutive.
    level : ndarray, shape (n, Z)
        Point forecasts one step ahead on the model's scale.
    bounds : ndarray or None, shape (n, Z, 2)
        Ends of the 90 % intervals in the target's unit; None takes the model's own.
    """
    assert model.profile is not None and model.intervals is not None
    aim = known[:, None] + 1
    grid = panel.values[model.target][:, panel.columns(model.zone_ids)]
    reading = followed(grid, aim)[:, :, 0]
    stray = model.profile.stray(panel.calendar, aim)[:, 0]
    usual = model.profile.usual(panel.calendar, aim)[:, 0]
    if bounds is None:
        ends = model.around(panel, level[..., None], known, np.arange(len(model.zone_ids)), (1,))[:, :, 0]
        bounds = ends[..., [QUANTILES.index(0.05), QUANTILES.index(0.95)]]
    out = np.where(np.isfinite(reading), (reading < bounds[..., 0]) | (reading > bounds[..., 1]), np.nan)
    at = known + 1
    step_of_day = panel.calendar.step_of_day[at]
    return Series(
        step_s=panel.step_s, position=panel.first_step + at, day=panel.calendar.day[at],
        hour=(step_of_day * panel.step_s) // 3600, reading=reading, point=from_scale(model.target, level),
        error=(to_scale(model.target, reading) - level) / stray, outside=out.astype(float),
        away=(to_scale(model.target, reading) - usual) / stray,
    )  # fmt: skip


def joined(parts: Sequence[Series]) -> Series:
    """Series of the same intervals and of other zones side by side."""

    def beside(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts], axis=1)

    return replace(
        parts[0],
        reading=beside("reading"),
        point=beside("point"),
        error=beside("error"),
        outside=beside("outside"),
        away=beside("away"),
    )
