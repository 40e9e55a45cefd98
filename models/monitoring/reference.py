"""The reference: how large a forecaster's errors usually are, by zone and hour, and what would be news.

It is made once, of errors of the time in which the forecaster was validated, and stored beside the model.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from models.contract import Forecaster, validation_start
from models.errors import ScoresError, ShortHistoryError
from models.monitoring.inputs import longest_missing, longest_same
from models.monitoring.residuals import Series, watched
from models.monitoring.settings import WINDOWS_H, WORLD_KINDS, MonitorSettings
from models.monitoring.thresholds import limits
from models.monitoring.windows import statistics
from models.panel import Panel

HOURS = 24
LEAST_DAYS = 3.0  # days of errors without which nothing can be called unusual (assumed)
WISHED_DAYS = 28.0  # a reference should have seen every kind of day several times, where the history allows
LEAN = 24.0  # errors of an hour of the day that weigh as much as all hours (assumed)
_WILD = 6.0  # an error counts at most so many robust deviations in the usual size
#: Errors out of fold over those of readings that a model has seen, where no validation tells (assumed).
OPTIMISM = 1.1
#: Share of the allowed false alarms that each kind of change may use; what is left is for the readings' own faults. A
#: change of spread is the hardest to tell from chance and gets the most.
SHARES = {"mean": 0.15, "variance": 0.5, "pattern": 0.1, "coverage": 0.05, "drift": 0.1}


@dataclass(frozen=True, eq=False)
class Reference:
    """What is usual in Z zones.

    Attributes
    ----------
    step_s : int
    bias, scale : ndarray, shape (Z, 24)
        Mean and standard deviation of errors by local hour, in units of the usual deviation.
    level, scatter : ndarray, shape (Z, 24)
        Mean and standard deviation of readings less the usual day, likewise.
    miss : ndarray, shape (Z,)
        Share of readings outside their interval.
    spread : ndarray, shape (Z, W)
        Usual value of the `variance` statistic by window.
    limit : ndarray, shape (Z, K)
        What each statistic must reach, less its usual value, in the order of `columns`.
    low, high : ndarray, shape (Z,)
        Least and greatest reading, in the target's unit.
    missing, same : ndarray of int, shape (Z,)
        Longest runs, in steps, without a reading and of one and the same.
    days : float
        Days that it rests on.
    """

    step_s: int
    bias: np.ndarray
    scale: np.ndarray
    level: np.ndarray
    scatter: np.ndarray
    miss: np.ndarray
    spread: np.ndarray
    limit: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    same: np.ndarray
    days: float

    @classmethod
    def fit(
        cls, series: Series, *, settings: MonitorSettings | None = None, ratio: np.ndarray | None = None
    ) -> Reference:
        """Learn from a time in which the forecaster was as it should be.

        Parameters
        ----------
        series : Series
            Every step, oldest first.
        settings : MonitorSettings or None
        ratio : ndarray or None, shape (Z,)
            Size of errors out of fold over that of `series`, where the model had seen the readings of `series`.

        Raises
        ------
        ShortHistoryError
            If the series is shorter than three days.
        """
        settings = settings or MonitorSettings()
        days = len(series) * series.step_s / 86_400
        if days < LEAST_DAYS:
            raise ShortHistoryError(f"{days:.1f} days of errors are too few to be watched by; at least {LEAST_DAYS:g}")
        error = series.error
        if ratio is not None:
            if ratio.shape != error.shape[1:]:
                raise ScoresError(f"ratio must have shape {error.shape[1:]}, one a zone; found {ratio.shape}")
            error = error * ratio
        bias, scale = _by_hour(error, series.hour)
        level, scatter = _by_hour(series.away, series.hour)
        outside = series.outside
        known = np.isfinite(outside).sum(axis=0)
        miss = np.where(known > 0, np.nansum(outside, axis=0) / np.maximum(known, 1), 0.1)
        zones = error.shape[1]
        blank = np.full(zones, np.nan)
        reading = series.reading
        empty = ~np.isfinite(reading).any(axis=0)
        low, high = (
            np.where(empty, blank, f(np.where(np.isfinite(reading), reading, fill), axis=0))
            for f, fill in ((np.min, np.inf), (np.max, -np.inf))
        )
        first = cls(
            step_s=series.step_s, bias=bias, scale=scale, level=level, scatter=scatter, miss=miss,
            spread=np.zeros((zones, len(WINDOWS_H["variance"]))), limit=np.ones((zones, len(columns()))),
            low=low, high=high, missing=longest_missing(reading),
            same=longest_same(reading), days=days,
        )  # fmt: skip
        return first._with_limits(replace(series, error=error), settings)

    def _with_limits(self, series: Series, settings: MonitorSettings) -> Reference:
        found = statistics(*self.standardised(series, settings.clip), series.part, step_s=self.step_s)
        variance = found["variance"]
        spread = np.stack(
            [_medians(variance[..., w]) for w in range(variance.shape[2])], axis=1
        )  # fmt: skip
        known = replace(self, spread=spread)
        value = known.departures(found)
        limit = np.empty(self.limit.shape)
        for k, (kind, hours) in enumerate(columns()):
            per_year = settings.false_alarms_per_year * SHARES[kind] / len(WINDOWS_H[kind])
            chance = limits(value[..., k], series.day, per_year=per_year)
            limit[:, k] = np.maximum(chance, least_departure(kind, hours, settings))
        return replace(known, limit=limit)

    def standardised(self, series: Series, clip: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Errors in standard deviations of their hour, clipped, misses beyond the usual share, and readings' distance
        from the usual day, clipped: (n, Z) each.
        """
        z = (series.error - self.bias[:, series.hour].T) / self.scale[:, series.hour].T
        away = (series.away - self.level[:, series.hour].T) / self.scatter[:, series.hour].T
        return np.clip(z, -clip, clip), series.outside - self.miss, np.clip(away, -clip, clip)

    def departures(self, found: dict[str, np.ndarray]) -> np.ndarray:
        """Statistics less what is usual, (n, Z, K): the mean by its size, all others where they grow."""
        parts = [
            np.abs(found["mean"]), found["variance"] - self.spread, found["pattern"], found["coverage"],
            np.abs(found["drift"]),
        ]  # fmt: skip
        return np.concatenate(parts, axis=-1)

    def pick(self, places: np.ndarray) -> Reference:
        """Of some of the zones."""
        changed = {f.name: getattr(self, f.name)[places] for f in fields(self) if f.name not in ("step_s", "days")}
        return replace(self, **changed)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays, to store."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def restore(cls, arrays: dict[str, np.ndarray]) -> Reference:
        """Inverse of `arrays`; `ScoresError` names everything that is missing."""
        lost = [f.name for f in fields(cls) if f.name not in arrays]
        if lost:
            raise ScoresError(f"the stored reference lacks {', '.join(lost)}; make it anew from a validation")
        numbers = {f.name: arrays[f.name].copy() for f in fields(cls) if f.name not in ("step_s", "days")}
        return cls(step_s=int(arrays["step_s"]), days=float(arrays["days"]), **numbers)


def reference_of(
    model: Forecaster, panel: Panel, *, end: int | None = None, settings: MonitorSettings | None = None
) -> Reference:
    """The reference of a fitted forecaster: its errors in the part that validated it, at their size out of fold.

    Parameters
    ----------
    model : Forecaster
        With its validation; one that was loaded or refitted takes the last two fifths of what it learned from, at the
        size that errors have there.
    panel : Panel
    end : int or None
        Intervals of the panel that the model may have seen; None takes those before its `train_end`.
    settings : MonitorSettings or None
    """
    stop = panel.known_by(pd.Timestamp(model.train_end)) if end is None else end
    record = model.validation
    start = validation_start(panel, stop) if record is None else int(record.known[0]) + 1
    start = max(1, min(start, stop - int(WISHED_DAYS * panel.steps_per_day)))
    series = watched(model, panel, start, stop)
    ratio = None if record is None else optimism(model, series, start)
    return Reference.fit(series, settings=settings, ratio=ratio)


def optimism(model: Forecaster, series: Series, start: int) -> np.ndarray:
    """Typical size of errors out of fold over that in a series the model has seen, by zone (Z,); at least 1."""
    record = model.validation
    if record is None or model.anchors[0] != 1:
        return np.ones(len(model.zone_ids))
    rows = record.known + 1 - start
    inside = (rows >= 0) & (rows < len(series))
    beyond, within = (_medians(np.abs(a)) for a in (record.scores[inside][:, :, 0], series.error[rows[inside]]))
    return np.clip(np.where(within > 0, beyond / np.where(within > 0, within, 1.0), 1.0), 1.0, 3.0)


def columns() -> tuple[tuple[str, float], ...]:
    """Kind and hours of each statistic, in the order of `limit`."""
    return tuple((kind, hours) for kind in WORLD_KINDS for hours in WINDOWS_H[kind])


def least_departure(kind: str, hours: float, settings: MonitorSettings) -> float:
    """Least change worth an alarm, in the statistic's own unit; more for windows shorter than the kind's longest."""
    grown = float(np.sqrt(max(WINDOWS_H[kind]) / hours))
    least = settings.least[kind]
    if kind == "variance":
        return grown * float(np.log(least))
    return grown * (least**2 if kind == "pattern" else least)


def _by_hour(error: np.ndarray, hour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (Z, 24) by hour, each hour leaning on the whole day."""
    middle = _medians(error)
    wide = 1.4826 * _medians(np.abs(error - middle))
    wide = np.where(wide > 0, wide, np.where(np.isfinite(sd := _deviation(error)) & (sd > 0), sd, 1.0))
    x = np.clip(error - middle, -_WILD * wide, _WILD * wide)
    heard = np.isfinite(x)
    x = np.where(heard, x, 0.0)
    member = (hour[:, None] == np.arange(HOURS)).astype(float)  # (n, 24)
    number, total, square = heard.T @ member, x.T @ member, (x * x).T @ member
    n_all = np.maximum(number.sum(axis=1, keepdims=True), 1.0)
    mean_all = total.sum(axis=1, keepdims=True) / n_all
    mean = (total + LEAN * mean_all) / (number + LEAN)
    variance_all = np.maximum(square.sum(axis=1, keepdims=True) / n_all - mean_all**2, 1e-12)
    own = np.maximum(square - 2 * mean * total + number * mean**2, 0.0)
    return middle[:, None] + mean, np.sqrt((own + LEAN * variance_all) / (number + LEAN))


def _medians(values: np.ndarray) -> np.ndarray:
    """Median of each column, 0 where it is empty."""
    known = np.isfinite(values).any(axis=0)
    return np.asarray(np.where(known, np.nanmedian(np.where(known, values, 0.0), axis=0), 0.0))


def _deviation(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values).any(axis=0)
    return np.asarray(np.where(known, np.nanstd(np.where(known, values, 0.0), axis=0), 0.0))
