"""Panels altered on purpose: fewer zones, a target with nothing to forecast, a shift in some zones, a made city."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from app.benchmarks.models.split import BenchmarkPanel
from models.panel import Panel
from models.scale import from_scale, to_scale

Array = np.ndarray


def fewer(bench: BenchmarkPanel, zones: int) -> BenchmarkPanel:
    """At most so many of its zones, evenly spread; neighbours' weights among those that stay."""
    return replace(bench, panel=some_zones(bench.panel, zones))


def some_zones(panel: Panel, zones: int) -> Panel:
    """See `fewer`."""
    if zones >= len(panel.zone_ids):
        return panel
    kept = np.linspace(0, len(panel.zone_ids) - 1, zones).astype(int)
    near = panel.neighbours[np.ix_(kept, kept)]
    total = near.sum(axis=1, keepdims=True)
    return replace(
        panel,
        zone_ids=tuple(panel.zone_ids[k] for k in kept),
        values={name: grid[:, kept] for name, grid in panel.values.items()},
        zones=None if panel.zones is None else panel.zones.iloc[kept].reset_index(drop=True),
        neighbours=np.divide(near, total, out=np.zeros_like(near), where=total > 0),
    )


def unforecastable(panel: Panel, target: str, *, seed: int) -> Panel:
    """The target's readings in each zone in random order, every deviation from their mean with a random sign.

    On the model's scale: no reading tells of another, no hour of another day's, and the mean is the median, so that a
    constant is the best forecast. Gaps stay. (To keep the usual days would leave something to learn: profiles are
    smoothed, and what smoothing took from a sharp peak can be forecast rightly.)
    """
    rng = np.random.default_rng(seed)
    level = to_scale(target, panel.values[target])
    out = np.full(level.shape, np.nan)
    for z in range(level.shape[1]):
        heard = np.isfinite(level[:, z])
        mean = level[heard, z].mean() if heard.any() else 0.0
        off = rng.permutation(level[heard, z] - mean) * rng.choice([-1.0, 1.0], int(heard.sum()))
        out[heard, z] = mean + off
    return replace(panel, values={**panel.values, target: from_scale(target, out)})


def shifted(
    panel: Panel, target: str, zones: Sequence[int], at: int, *, factor: float, later: int
) -> Panel:  # fmt: skip
    """From an interval on, some zones read `factor` times what they would have read `later` steps before.

    As where a street is rebuilt: less traffic, and at other hours. The dynamics stay those of real readings, so that a
    model that has learned the change errs by `factor` times what it erred by before.
    """
    grid = panel.values[target].copy()
    grid[at:, list(zones)] = factor * panel.values[target][at - later : len(panel) - later, list(zones)]
    return replace(panel, values={**panel.values, target: grid})


def made_city(*, zones: int = 20, days: int = 35, step_s: int = 900, seed: int = 0) -> Panel:
    """A made city's speeds: two peaks on weekdays and one on free days, a mood that neighbours share, incidents, gaps.

    Every number in it is assumed; it stands for no city, and serves where the truth must be known.
    """
    rng = np.random.default_rng(seed)
    per_day = 86_400 // step_s
    times = pd.date_range("2025-03-03", periods=days * per_day, freq=pd.Timedelta(seconds=step_s), tz="UTC")
    hour = (np.arange(days * per_day) % per_day) * 24 / per_day
    free = times.dayofweek.to_numpy() >= 5
    busy = 0.1 + _bump(hour, 8, 1.3) + 1.1 * _bump(hour, 17, 1.8) + 0.4 * _bump(hour, 12.5, 3)
    demand = np.where(free, 0.1 + 0.6 * _bump(hour, 14, 3.5), busy)[:, None] * rng.uniform(0.6, 1.1, zones)
    keep = 0.97 ** (step_s / 900)
    mood = np.zeros((len(times), zones))
    for t in range(1, len(times)):
        shock = 0.6 * rng.standard_normal() + 0.8 * rng.standard_normal(zones)
        mood[t] = keep * mood[t - 1] + np.sqrt(1 - keep**2) * shock
    demand = demand * (1 + 0.12 * mood)
    speed = rng.uniform(8, 14, zones) * (1 - 0.3 * np.clip(demand, 0, 1.6) ** 2)
    for _ in range(days * zones // 6):
        t, z = int(rng.integers(0, len(times))), int(rng.integers(0, zones))
        speed[t : t + 3600 // step_s, z] *= 0.5
    speed = np.clip(speed + rng.normal(0, 0.35, speed.shape), 0.5, None)
    speed[rng.random(speed.shape) < 0.02] = np.nan
    ring = np.zeros((zones, zones))
    for z in range(zones):
        ring[z, [(z - 1) % zones, (z + 1) % zones]] = 0.5
    names = tuple(f"Z{z + 1:02d}" for z in range(zones))
    return Panel(times.as_unit("us"), names, {"speed_mps": speed}, "UTC", step_s, neighbours=ring)


def _bump(hour: Array, at: float, width: float) -> Array:
    return np.exp(-0.5 * ((hour - at) / width) ** 2)
