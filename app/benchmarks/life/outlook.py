"""Part `outlook`: do trends and changes hold what they promise, and do sensors matter where it was foretold?

Days are made of real ones: what is left of each zone's daily values after its own trend and changes, in blocks drawn
again, so that nothing changes in them but what is put in. Worth of sensors is held against what is lost when each is
left out, in the test part, which nothing was learned from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from app.benchmarks import figure
from app.benchmarks.models.cut import around_test
from app.benchmarks.models.panels import load
from data.errors import InputError
from models.outlook import Daily, changes, sensor_worth, trend
from models.outlook.sensors import correlations, distances, fitted
from models.panel import Panel
from models.profile import Profile
from models.scale import from_scale, to_scale

Array = np.ndarray
LONG = ("pm25", "no2", "auckland")  # with enough days to draw from
SENSORS = ("scats", "metr", "pm25", "no2")
TRAIN_DAYS, TEST_DAYS = 365, 180
MADE_DAYS, MADE = 180, 120  # days of each made series, series a panel
_BLOCK = 14  # days that stay together: memory within is kept
_SLOPE, _STEP = 0.01, 1.5  # put in, in standard deviations of the days: a day, and at once
_NEAREST = 3


def measure(*, seed: int) -> dict[str, Any]:
    """False alarms and finds of changes, coverage of trends; rank correlations of sensors' worth."""
    figures: list[dict[str, Any]] = []
    notes: list[str] = []
    for name in LONG:
        try:
            figures += _days(name, seed)
        except InputError as error:
            notes.append(str(error))
    for name in SENSORS:
        try:
            figures += _sensors(name, seed)
        except InputError as error:
            notes.append(str(error))
    if not figures:
        raise InputError("; ".join(notes))
    return {"figures": figures, "notes": notes}


def made_days(daily: Daily, count: int, days: int, rng: np.random.Generator) -> Array:
    """Series (count, days) of blocks drawn from each zone's days, less a moving level, at variance 1."""
    found = []
    for k in range(count):
        value = daily.value[:, k % daily.value.shape[1]]
        known = value[np.isfinite(value)]
        wide = np.convolve(known, np.ones(61) / 61, mode="same") / np.convolve(np.ones(known.size), np.ones(61) / 61,
                                                                               mode="same")  # fmt: skip
        left = known - wide  # without seasons and changes of two months and more
        start = rng.integers(0, left.size - _BLOCK, -(-days // _BLOCK))
        drawn = np.concatenate([left[s : s + _BLOCK] for s in start])[:days]
        found.append(drawn / np.std(left))
    return np.stack(found)


def _days(name: str, seed: int) -> list[dict[str, Any]]:
    bench = load(name)
    daily = Daily.of(bench.panel, bench.target)
    rng = np.random.default_rng(seed)
    still = made_days(daily, MADE, MADE_DAYS, rng)
    day = np.arange(MADE_DAYS)
    years = MADE * MADE_DAYS / 365.25
    false = sum(len(changes(day, value)) for value in still)
    slopes = [trend(day, value + _SLOPE * day) for value in still]
    covered = np.mean([s.low <= 7 * _SLOPE <= s.high for s in slopes])
    sure = np.mean([trend(day, value).sure for value in still])
    at = rng.integers(30, MADE_DAYS - 30, MADE)
    found, sized, dated = [], [], []
    for value, start in zip(still, at):
        told = [c for c in changes(day, value + _STEP * (day >= start)) if abs(c.day - start) <= 7]
        found.append(bool(told))
        if told:
            sized.append(told[0].low <= _STEP <= told[0].high)
            dated.append(told[0].first <= start <= told[0].last)
    return [
        figure(f"{name}: false changes told", false / years, "per zone-year", target=0.5, n=false, seed=seed),
        figure(f"{name}: trends put in that their interval of 90 % holds", float(covered), "1", target=0.85,
               at_most=False, n=MADE, seed=seed),
        figure(f"{name}: trends called sure where there is none", float(sure), "1", target=0.15, n=MADE, seed=seed),
        figure(f"{name}: steps of 1.5 SD found within a week of their day", float(np.mean(found)), "1", n=MADE,
               seed=seed),
        figure(f"{name}: sizes of found steps that their interval of 90 % holds", float(np.mean(sized)), "1",
               n=len(sized), seed=seed),
        figure(f"{name}: dates of found steps that their interval of 90 % holds", float(np.mean(dated)), "1",
               n=len(dated), seed=seed),
    ]  # fmt: skip


def _sensors(name: str, seed: int) -> list[dict[str, Any]]:
    bench = load(name)
    panel, start = around_test(bench, train_days=TRAIN_DAYS, test_days=TEST_DAYS)
    worth = sensor_worth(panel, bench.target, until=start)
    lost = np.array([left_out(panel, bench.target, str(zone), start) for zone in worth["zone_id"]])
    found = []
    for column, what in (("error_told", "foretold without own readings"), ("error_measured", "measured in training")):
        known = np.isfinite(lost) & np.isfinite(worth[column].to_numpy())
        rank = float(spearmanr(worth[column].to_numpy()[known], lost[known])[0])
        found.append(
            figure(f"{name}: error without a sensor, {what}, rank correlation with the test part", rank, "1",
                   n=int(known.sum()), seed=seed)
        )  # fmt: skip
    return found


def left_out(panel: Panel, target: str, zone: str, start: int) -> float:
    """Mean error in the test part of telling a zone from all others by distance; its usual day is its own."""
    values = to_scale(target, panel.values[target])
    past = panel.until(start)
    apart = distances(panel)
    own = panel.zone_ids.index(zone)
    heard = (np.isfinite(values[:start]).mean(axis=0) >= 0.2) & np.isfinite(apart[own])
    heard[own] = False
    others = np.flatnonzero(heard)
    profile, usual = Profile.with_history(values[:start][:, np.append(others, own)], past.calendar)
    away = values[:start][:, others] - usual[:, :-1]
    size = np.nanstd(away, axis=0)
    field = fitted(correlations(away), apart[np.ix_(others, others)])
    inner = field.alike(apart[np.ix_(others, others)])
    np.fill_diagonal(inner, 1.0)
    weight = np.linalg.solve(inner + 1e-9 * np.eye(others.size), field.alike(apart[own, others]))
    test = slice(start, len(panel))
    level = profile.usual(panel.calendar, test)
    now = np.nan_to_num((values[test][:, others] - level[:, :-1]) / size)
    spread = float(np.mean(size[np.argsort(apart[own, others], kind="stable")[:_NEAREST]]))
    told = from_scale(target, level[:, -1] + spread * (now @ weight))
    error = np.abs(told - panel.values[target][test, own])
    return float(np.nanmean(error)) if np.isfinite(error).any() else float("nan")
