"""Part `drift`: how often monitors raise alarms where nothing changed, and how soon they do where something did.

Errors are of real forecasts that no model had seen the readings of: traffic speeds and flows, pedestrians and six air
pollutants. False alarms are counted on them as they are, where some alarms are true (the readings do change), and on
series made of them that cannot change: held-out days of all zones in random order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.panels import each_there
from app.benchmarks.models.split import BenchmarkPanel
from data.errors import InputError
from models.forecasting import LearnedForecaster
from models.monitoring import Monitor, Reference, Series, reference_of, watched
from models.monitoring.settings import INPUT_KINDS, WORLD_KINDS

Array = np.ndarray
AIR = ("pm25_ug_per_m3", "no2_ug_per_m3", "o3_ug_per_m3", "pm10_ug_per_m3")
MOST_FALSE, LEAST_YEARS, LEAST_FOUND = 0.5, 50.0, 0.9
#: Clear changes that are put into quarter-hour errors: size, and for how long, days.
SHIFTS: Mapping[str, tuple[str, float, float]] = {
    "mean +2 SD for a day": ("mean", 2.0, 1.0),
    "mean -2 SD for a day": ("mean", -2.0, 1.0),
    "variance x 3 for a day": ("variance", 3.0, 1.0),
    "variance x 3 for two days": ("variance", 3.0, 2.0),
    "pattern of 0.85 SD for three days": ("pattern", 0.85, 3.0),
}
_DRAWS = 12  # of days in which a change is put: the day it falls on decides much, and all zones share it
_MADE_DAYS = 180  # of each made series
#: Whole held-out days that a made series needs to be drawn from: one bad day of a single one would come every day.
_LEAST_POOL = 5


@dataclass(frozen=True, eq=False)
class Watched:
    """A panel's forecaster, what it is watched by and its errors since."""

    name: str
    target: str
    zone_ids: tuple[str, ...]
    reference: Reference
    before: Series
    after: Series

    @property
    def years(self) -> float:
        """Zone-years of the held-out part."""
        return len(self.after) * self.after.step_s * len(self.zone_ids) / 86_400 / 365.25

    def monitor(self) -> Monitor:
        """A fresh monitor."""
        return Monitor(self.target, self.zone_ids, self.reference)


def watch(bench: BenchmarkPanel, target: str, *, seed: int) -> Watched:
    """Fit lines on the training part, make the reference there, and forecast the test part step by step."""
    known = tuple(z for z in bench.zone_ids if z in bench.train.sensed(target))
    end = bench.panel.times[bench.test_from]
    model = LearnedForecaster("ridge", seed=seed).fit(
        bench.train, target=target, zone_ids=known, train_end=end, steps=(1,)
    )
    reference = reference_of(model, bench.train)
    assert model.validation is not None
    before = watched(model, bench.panel, int(model.validation.known[0]) + 1, bench.test_from)
    after = watched(model, bench.panel, bench.test_from, len(bench.panel))
    return Watched(f"{bench.name} {target}", target, known, reference, before, after)


def panels(seed: int) -> list[Watched]:
    """All that can be watched with the data at hand; quarter hours first."""
    found: list[Watched] = []
    notes: list[str] = []
    for bench in each_there(("scats", "metr", "auckland", "pm25"), notes):
        targets = AIR if bench.name == "pm25" else (bench.target,)
        found += [watch(bench, target, seed=seed) for target in targets if target in bench.panel.values]
    if not found:
        raise InputError("; ".join(notes))
    return found


def shuffled_days(series: Series, days: int, rng: np.random.Generator) -> Series:
    """Whole days of a series in random order, all zones together: as long as wished, and nothing in it changes."""
    per_day = 86_400 // series.step_s
    first = int(
        np.argmax(np.diff(series.day, prepend=series.day[0] - 1) != 0 if series.hour[0] == 0 else series.hour == 0)
    )
    whole = (len(series) - first) // per_day
    drawn = rng.integers(0, whole, days)
    rows = (first + drawn[:, None] * per_day + np.arange(per_day)).ravel()
    start = int(series.position[first])
    return Series(
        step_s=series.step_s, position=start + np.arange(rows.size), day=np.repeat(np.arange(days), per_day),
        hour=np.tile(np.arange(per_day) * series.step_s // 3600, days), reading=series.reading[rows],
        point=series.point[rows], error=series.error[rows], outside=series.outside[rows],
        away=series.away[rows],
    )  # fmt: skip


def pooled_days(watched_: Watched, days: int, rng: np.random.Generator) -> Series:
    """Each zone lives days drawn from the held-out days of all zones, in its own usual bias and scale.

    A bad day comes as often as it did among all zone-days, and nothing changes. Readings are never at fault.
    """
    series, reference = watched_.after, watched_.reference
    per_day = 86_400 // series.step_s
    first = int(np.argmax(series.hour == 0)) if series.hour[0] else 0
    whole, zones = (len(series) - first) // per_day, len(watched_.zone_ids)
    z = (series.error - reference.bias[:, series.hour].T) / reference.scale[:, series.hour].T
    cut = slice(first, first + whole * per_day)
    away = (series.away - reference.level[:, series.hour].T) / reference.scatter[:, series.hour].T
    parts = (a[cut].reshape(whole, per_day, zones) for a in (z, series.outside - reference.miss, away))
    day, zone = rng.integers(0, whole, (days, zones)), rng.integers(0, zones, (days, zones))
    z, outside, far = (a[day, :, zone].transpose(0, 2, 1).reshape(-1, zones) for a in parts)
    hour = np.tile(np.arange(per_day) * series.step_s // 3600, days)
    error = z * reference.scale[:, hour].T + reference.bias[:, hour].T
    rows = np.arange(len(error), dtype=float)[:, None]
    middle = np.nan_to_num(0.5 * (reference.low + reference.high))
    reading = np.broadcast_to(middle + 1e-9 * (rows + 1), error.shape)
    return Series(
        step_s=series.step_s, position=int(series.position[first]) + np.arange(len(error)),
        day=np.repeat(np.arange(days), per_day), hour=hour, reading=reading, point=reading - error, error=error,
        outside=outside + reference.miss, away=far * reference.scatter[:, hour].T + reference.level[:, hour].T,
    )  # fmt: skip


def shifted(series: Series, kind: str, size: float, start: Array, length: int, sd: Array) -> Series:
    """The same with a change from row `start` (Z,) on for `length` rows, in units of the errors' SD `sd` (Z,)."""
    row = np.arange(len(series))[:, None]
    inside = (row >= start) & (row < start + length)
    wave = np.sqrt(2) * np.sin(2 * np.pi * series.hour / 24)[:, None] * sd
    if kind == "mean":
        error = series.error + size * sd
    elif kind == "variance":
        error = series.error * np.sqrt(size)
    else:
        error = series.error * np.sqrt(1 - size**2) + size * wave
    changed = np.where(inside, error, series.error)
    width = 1.645 * sd
    outside = np.where(np.isfinite(changed), np.where(inside, np.abs(changed) > width, series.outside), np.nan)
    return replace(series, error=changed, outside=outside)


def found_share(watched_: Watched, kind: str, size: float, days: float, *, seed: int) -> dict[str, Array]:
    """Whether each zone's change was found within a day (or by its end, where it lasts longer), and how soon, hours.

    Every zone has eight quiet days, then the change at a random step of the ninth.
    """
    rng = np.random.default_rng(seed)
    per_day = 86_400 // watched_.after.step_s
    quiet = 8
    series = shuffled_days(watched_.after, quiet + 5, rng)
    start = quiet * per_day + rng.integers(0, per_day, len(watched_.zone_ids))
    sd = np.nanstd(np.clip(watched_.after.error, -50, 50), axis=0)
    monitor = watched_.monitor()
    changed = shifted(series, kind, size, start, round(days * per_day), sd)
    monitor.observe(changed)
    delay = np.full(len(watched_.zone_ids), np.nan)
    before = np.zeros(delay.size, dtype=bool)
    end = int(changed.position[0])
    for alarm in monitor.alarms:
        place = watched_.zone_ids.index(alarm.zone_id)
        at = round(alarm.first_seen.timestamp() / series.step_s) - 1 - end
        if alarm.kind in INPUT_KINDS:
            continue
        if at < start[place]:
            closed = alarm.closed is None or round(alarm.closed.timestamp() / series.step_s) - 1 - end >= start[place]
            before[place] |= closed
        elif np.isnan(delay[place]):
            delay[place] = (at - start[place] + 1) * series.step_s / 3600
    return {"delay": delay, "before": before}


def measure(*, seed: int) -> dict[str, Any]:
    """False alarms per zone-year and detection of changes at known times."""
    every = panels(seed)
    figures, told = [], {}
    rng = np.random.default_rng(seed)
    sums = {"held-out": [0.0, 0, 0], "zone-days in random order": [0.0, 0, 0]}
    for one in every:
        counts: dict[str, Any] = {}
        pool = len(one.after) * one.after.step_s / 86_400
        lived = [("held-out", one.after)]
        if pool >= _LEAST_POOL:
            lived.append(("zone-days in random order", pooled_days(one, _MADE_DAYS, rng)))
        for label, series in lived:
            monitor = one.monitor()
            monitor.observe(series)
            years = len(series) * series.step_s * len(one.zone_ids) / 86_400 / 365.25
            kinds = [alarm.kind for alarm in monitor.alarms]
            counts[label] = {"zone_years": years, **{k: kinds.count(k) for k in (*WORLD_KINDS, *INPUT_KINDS)}}
            sums[label][0] += years
            sums[label][1] += sum(k in WORLD_KINDS for k in kinds)
            sums[label][2] += sum(k in INPUT_KINDS for k in kinds)
        told[one.name] = counts
    for label, (years, world, inputs) in sums.items():
        figures += [
            figure(
                f"drift: alarms per zone-year, {label}",
                world / years,
                "1/a",
                target=MOST_FALSE,
                n=round(years),
                seed=seed,
            ),
            figure(f"drift: faults of readings told per zone-year, {label}", inputs / years, "1/a", n=round(years)),
            figure(f"drift: zone-years watched, {label}", years, "a", target=LEAST_YEARS, at_most=False),
        ]
    quarter = [one for one in every if one.after.step_s == 900]
    for name, (kind, size, days) in SHIFTS.items():
        delays, clean = [], []
        for one in quarter:
            for k in range(_DRAWS):
                found = found_share(one, kind, size, days, seed=seed * 100 + k)
                delays.append(found["delay"][~found["before"]])
                clean.append(~found["before"])
        delay = np.concatenate(delays) if delays else np.zeros(0)
        hours = 24.0 * max(1.0, days) if kind == "pattern" else 24.0
        share = float((delay <= hours + 1e-9).mean()) if delay.size else float("nan")
        figures.append(
            figure(f"drift: {name}, found within {hours:.0f} h", share, "1", at_most=False, n=delay.size, seed=seed,
                   target=None if kind == "pattern" else LEAST_FOUND)
        )  # fmt: skip
        figures.append(figure(f"drift: {name}, median delay", float(np.nanmedian(delay)), "h"))
    return {"figures": figures, "panels": told}
