"""What peers look at: the same readings, calendar and weather as our models, known at the forecast origin.

All is in the scale of the zone's training part (mean 0, SD 1); a gap is `nan`, which trees take as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np
import pandas as pd

from app.benchmarks.models.split import BenchmarkPanel
from models.calendar import WEEKDAY

Array = np.ndarray

N_LAGS, N_NEAR, NEAR_LAGS = 12, 4, 3
MEAN_S = (3600, 3 * 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)
#: Weight of the newest day in the usual value of a time of day, and half its smoothing over times of day (assumed).
NEWEST, SMOOTH_S = 0.15, 1800
#: A gap is bridged by the last reading for so long.
BRIDGE_S = 3 * 3600


@dataclass(frozen=True, eq=False)
class Inputs:
    """Features of one split; scales come from its training part, all else from before each origin.

    Attributes
    ----------
    bench : BenchmarkPanel
    """

    bench: BenchmarkPanel

    @cached_property
    def mean(self) -> Array:
        """Mean of each zone's training part, panel's unit, shape (Z,)."""
        return np.nanmean(self._train, axis=0)

    @cached_property
    def scale(self) -> Array:
        """SD of each zone's training part, panel's unit, shape (Z,)."""
        return np.maximum(np.nanstd(self._train, axis=0), 1e-9)

    @property
    def _train(self) -> Array:
        return self.bench.panel.values[self.bench.target][: self.bench.test_from]

    @cached_property
    def own(self) -> Array:
        """Readings in the zone's scale, shape (T, Z)."""
        return ((self.bench.panel.values[self.bench.target] - self.mean) / self.scale).astype(np.float32)

    @cached_property
    def last(self) -> Array:
        """Last reading, bridged for `BRIDGE_S`; beyond that the usual value, or 0, shape (T, Z)."""
        bridged = bridge(self.own, max(1, BRIDGE_S // self.bench.panel.step_s))
        position = np.arange(len(self.own))
        usual = self.usual(position, position)
        return np.where(np.isfinite(bridged), bridged, np.where(np.isfinite(usual), usual, 0.0)).astype(np.float32)

    def aim(self, known: Array, step: int) -> Array:
        """Readings `step` after `known` in the zone's scale; `nan` after the end, shape (n, Z)."""
        at = known + step
        found = self.own[np.minimum(at, len(self.own) - 1)]
        return np.where((at < len(self.own))[:, None], found, np.nan)

    # --- usual values -------------------------------------------------------------------------------------------------

    @cached_property
    def _usual(self) -> tuple[Array, Array, Array]:
        """Usual values before each day, of workdays and free days, (days, 2, P, Z): plain and exponential mean."""
        calendar, t = self.bench.panel.calendar, len(self.own)
        p = calendar.steps_per_day
        day = calendar.day[:t] - calendar.day[0]
        grid = np.full((int(day[-1]) + 1, p, self.own.shape[1]), np.nan, dtype=np.float32)
        grid[day, calendar.step_of_day[:t]] = self.own
        free = np.zeros(len(grid), dtype=np.int64)
        free[day] = (calendar.day_type[:t] != WEEKDAY).astype(np.int64)
        total, count = np.zeros((2, *grid.shape[1:])), np.zeros((2, *grid.shape[1:]))
        newest = np.full((2, *grid.shape[1:]), np.nan)
        plain = np.empty((len(grid), 2, *grid.shape[1:]), dtype=np.float32)
        recent = np.empty_like(plain)
        half = SMOOTH_S // self.bench.panel.step_s
        for d, today in enumerate(grid):
            both = np.divide(total.sum(0), count.sum(0), out=np.full_like(total[0], np.nan), where=count.sum(0) > 0)
            each = np.divide(total, count, out=np.stack([both, both]), where=count > 0)
            plain[d] = _smooth(each, half)
            recent[d] = np.where(np.isfinite(newest), newest, plain[d])
            k, known = free[d], np.isfinite(today)
            total[k] += np.where(known, today, 0.0)
            count[k] += known
            before = np.where(np.isfinite(newest[k]), newest[k], today)
            newest[k] = np.where(known, before + NEWEST * (today - before), newest[k])
        return plain, recent, day

    def usual(self, known: Array, at: Array, *, recent: bool = False) -> Array:
        """Usual value of the times `at`, from days that ended before that of `known`, shape (n, Z)."""
        calendar = self.bench.panel.calendar
        plain, newest, day = self._usual
        free = (calendar.day_type[at] != WEEKDAY).astype(np.int64)
        return (newest if recent else plain)[day[known], free, calendar.step_of_day[at]]

    # --- features -----------------------------------------------------------------------------------------------------

    @cached_property
    def common(self) -> Array:
        """Features that no horizon changes, at every position, shape (T, Z, F1)."""
        panel, own = self.bench.panel, self.own
        hour = max(1, 3600 // panel.step_s)
        parts = [later(own, lag) for lag in range(N_LAGS)]
        for span in MEAN_S:
            if span // panel.step_s > 1:
                parts.append(rolling_mean(own, span // panel.step_s))
        parts += [rolling_sd(own, max(3, 3 * hour)), rolling_sd(own, panel.steps_per_day)]
        weights = panel.neighbours
        near = weighted(own, weights)
        parts += [later(near, lag) for lag in (0, 1, 2, hour)] + [rolling_mean(near, 3 * hour)]
        order = np.argsort(-weights, axis=1, kind="stable")[:, :N_NEAR]
        for k in range(order.shape[1]):
            there = np.take_along_axis(weights, order, axis=1)[:, k] > 0
            one = np.where(there, own[:, order[:, k]], np.nan)
            parts += [later(one, lag) for lag in range(NEAR_LAGS)] + [rolling_mean(one, 3 * hour)]
        city = _nanmean(own)[:, None] + np.zeros_like(own)
        parts += [city, later(city, hour), rolling_mean(city, panel.steps_per_day)]
        position = np.arange(len(own))
        parts += [self.last - self.usual(position, position), near - weighted(self._usual_now, weights)]
        for name, grid in panel.values.items():
            if name != self.bench.target:
                train = grid[: self.bench.test_from]
                other = ((grid - np.nanmean(train, 0)) / np.maximum(np.nanstd(train, 0), 1e-9)).astype(np.float32)
                parts += [other, later(other, hour), rolling_mean(other, 3 * hour), rolling_mean(other, 24 * hour)]
        parts += self._weather(hour)
        parts += [np.broadcast_to(column.astype(np.float32), own.shape) for column in self._places()]
        return np.stack(parts, axis=2).astype(np.float32)

    @cached_property
    def _usual_now(self) -> Array:
        position = np.arange(len(self.own))
        return self.usual(position, position)

    def _weather(self, hour: int) -> list[Array]:
        weather = dict(self.bench.panel.weather)
        if {"wind_speed_mps", "wind_dir_deg"} <= weather.keys():
            angle = np.radians(weather.pop("wind_dir_deg"))
            weather["east"] = -weather["wind_speed_mps"] * np.sin(angle)
            weather["north"] = -weather["wind_speed_mps"] * np.cos(angle)
        parts = []
        for series in weather.values():
            column = np.asarray(series, dtype=np.float32)[:, None] + np.zeros((1, self.own.shape[1]), np.float32)
            parts += [column, column - later(column, 3 * hour), rolling_mean(column, 24 * hour)]
        return parts

    def _places(self) -> list[Array]:
        zones = self.bench.panel.zones
        parts = [self.mean, self.scale]
        if zones is not None:
            parts += [zones[name].to_numpy(dtype=float) for name in ("lat", "lon") if name in zones]
        return parts

    def ahead(self, known: Array, step: int) -> Array:
        """Features about the interval `step` after each of `known`, shape (n, Z, F2)."""
        panel, at = self.bench.panel, known + step
        calendar, t = panel.calendar, len(self.own)
        two, week = calendar.day_before[np.maximum(calendar.day_before[at], 0)], calendar.week_before[at]
        parts = []
        for back in (calendar.day_before[at], np.where(calendar.day_before[at] < 0, -1, two), week):
            back = np.where(back > known, -1, back)  # an hour lost to the clocks
            parts.append(np.where((back >= 0)[:, None], self.own[np.clip(back, 0, t - 1)], np.nan))
        usual, recent = self.usual(known, at), self.usual(known, at, recent=True)
        parts += [usual, recent, usual - self.usual(known, known), self.last[known] - usual]
        part_of_day = 2.0 * np.pi * calendar.step_of_day[at] / calendar.steps_per_day
        stamps = panel.times[0] + pd.to_timedelta(at * panel.step_s, unit="s")
        season = 2.0 * np.pi * stamps.dayofyear.to_numpy() / 365.25
        weekday = (calendar.day[at] + 3) % 7
        columns = [calendar.step_of_day[at], np.sin(part_of_day), np.cos(part_of_day), weekday, calendar.day_type[at]]
        if len(self.own) > 400 * calendar.steps_per_day:
            columns += [np.sin(season), np.cos(season)]
        parts += [np.broadcast_to(column[:, None].astype(np.float32), usual.shape) for column in columns]
        return np.stack(parts, axis=2).astype(np.float32)

    def rows(self, known: Array, step: int) -> Array:
        """All features of forecasts made when `known` was the last position, shape (n, Z, F)."""
        return np.concatenate([self.common[known], self.ahead(known, step)], axis=2)

    # --- origins to learn from ----------------------------------------------------------------------------------------

    def learned(self, step: int, *, most_rows: int) -> Array:
        """Positions of origins whose reading `step` ahead lies in the training part, thinned to `most_rows` rows."""
        first = min(self.bench.panel.steps_per_day, self.bench.test_from // 4)
        known = np.arange(first, self.bench.test_from - step)
        return thinned(known, len(self.bench.zone_ids), self.bench.panel.steps_per_day, most_rows=most_rows)


def thinned(known: Array, zones: int, steps_per_day: int, *, most_rows: int) -> Array:
    """Every k-th origin, k prime to the steps of a day so that all times of day stay."""
    every = max(1, -(-len(known) * zones // most_rows))
    while every > 1 and gcd(every, steps_per_day) > 1:
        every += 1
    return known[::every]


def later(grid: Array, lag: int) -> Array:
    """The value `lag` steps before each position; `nan` at the beginning."""
    if lag == 0:
        return grid
    out = np.full_like(grid, np.nan)
    out[lag:] = grid[:-lag]
    return out


def bridge(grid: Array, steps: int) -> Array:
    """Each gap filled by the last reading for up to `steps`."""
    position = np.where(np.isfinite(grid), np.arange(len(grid))[:, None], -1)
    seen = np.maximum.accumulate(position, axis=0)
    fresh = (seen >= 0) & (np.arange(len(grid))[:, None] - seen <= steps)
    return np.where(fresh, np.take_along_axis(grid, np.maximum(seen, 0), axis=0), np.nan)


def rolling_mean(grid: Array, steps: int) -> Array:
    """Mean of the last `steps` readings that are there; `nan` where none is."""
    total, count = _rolling(grid, steps)
    return np.divide(total, count, out=np.full(grid.shape, np.nan), where=count > 0).astype(np.float32)


def rolling_sd(grid: Array, steps: int) -> Array:
    """SD of the last `steps` readings."""
    total, count = _rolling(grid, steps)
    square, _ = _rolling(np.square(grid.astype(float)), steps)
    n = np.maximum(count, 1)
    return np.where(count > 1, np.sqrt(np.maximum(square / n - (total / n) ** 2, 0.0)), np.nan).astype(np.float32)


def _rolling(grid: Array, steps: int) -> tuple[Array, Array]:
    known = np.isfinite(grid)
    zero = np.zeros((1, grid.shape[1]))
    total = np.concatenate([zero, np.cumsum(np.where(known, grid, 0.0), axis=0, dtype=float)])
    count = np.concatenate([zero, np.cumsum(known, axis=0, dtype=float)])
    start = np.maximum(np.arange(1, len(grid) + 1) - steps, 0)
    return total[1:] - total[start], count[1:] - count[start]


def weighted(grid: Array, weights: Array) -> Array:
    """Mean of each zone's neighbours that are heard, shape (T, Z)."""
    known = np.isfinite(grid)
    total = np.where(known, grid, 0.0) @ weights.T
    heard = known @ weights.T
    return np.divide(total, heard, out=np.full(total.shape, np.nan), where=heard > 1e-6).astype(np.float32)


def _nanmean(grid: Array) -> Array:
    known = np.isfinite(grid)
    n = known.sum(axis=1)
    return np.where(n > 0, np.where(known, grid, 0.0).sum(axis=1) / np.maximum(n, 1), np.nan).astype(np.float32)


def _smooth(usual: Array, half: int) -> Array:
    """Mean over neighbouring times of day, round the clock, shape (2, P, Z)."""
    if half < 1:
        return usual
    known = np.isfinite(usual)
    filled = np.where(known, usual, 0.0)
    total, count = np.zeros_like(filled), np.zeros_like(filled)
    for shift in range(-half, half + 1):
        total += np.roll(filled, shift, axis=1)
        count += np.roll(known, shift, axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
