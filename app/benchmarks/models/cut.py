"""Panels cut by time and by zone, for benchmarks that pretend that less is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.benchmarks.models.split import BenchmarkPanel
from models.horizons import followed
from models.panel import Panel


def after(panel: Panel, first: int) -> Panel:
    """Without the intervals before a position."""
    return panel.during(first, len(panel))


def around_test(bench: BenchmarkPanel, *, train_days: int, test_days: int) -> tuple[Panel, int]:
    """A panel with so many days before and after the beginning of its test part, and where that lies now."""
    spd = bench.panel.steps_per_day
    first = max(0, bench.test_from - train_days * spd)
    last = min(len(bench.panel), bench.test_from + test_days * spd)
    return after(bench.panel.until(last), first), bench.test_from - first


def recent(bench: BenchmarkPanel, *, train_days: int) -> BenchmarkPanel:
    """A panel with at most so many days before its test part, which stays whole."""
    first = max(0, bench.test_from - train_days * bench.panel.steps_per_day)
    return replace(bench, panel=after(bench.panel, first), test_from=bench.test_from - first)


def hidden(panel: Panel, zones: np.ndarray, before: int) -> Panel:
    """Without some zones' readings of any target before a position."""
    values = {name: grid.copy() for name, grid in panel.values.items()}
    for grid in values.values():
        grid[: max(0, before), zones] = np.nan
    return replace(panel, values=values)


def following(grid: np.ndarray, known: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """Readings (n, Z, S) that followed last known positions; `nan` beyond the end of a grid (T, Z)."""
    return followed(grid, known[:, None] + np.asarray(steps))
