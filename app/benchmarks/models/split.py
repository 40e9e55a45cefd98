"""How a panel is split by time: what is learned from, what is chosen on, which forecasts are scored.

Nothing after `test_from` may be used for a choice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from models.errors import PanelError
from models.panel import Panel

Array = np.ndarray

#: Last share of the training days on which settings and models are chosen (assumed; at least a day).
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Task:
    """One figure of a panel: steps that are scored together, and the forecast origins they are scored on.

    Attributes
    ----------
    name : str
        E.g. `15 min`.
    steps : tuple of int
        Horizons over which errors are averaged.
    places : ndarray of int
        Places of `steps` in `BenchmarkPanel.steps`.
    rows : ndarray of int
        Places of the origins in `BenchmarkPanel.origins`.
    """

    name: str
    steps: tuple[int, ...]
    places: Array
    rows: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class BenchmarkPanel:
    """A panel, what is forecast, and its split by time.

    Attributes
    ----------
    name : str
    panel : Panel
        Ends with the test part.
    target : str
    test_from : int
        Position of the first interval of the test part; `train` ends before it.
    horizons : dict of str to tuple of int
        Steps that are averaged over, by the name of the figure.
    window : int
        Readings that must lie inside a part before its first forecast: 12 for T-GCN's windows, 0 where a model may
        look back into the part before (which has passed by then).
    whole_window : bool
        Whether all steps of a figure must lie inside the part (T-GCN), or every step that does is scored.
    unit, per_unit : str, float
        Unit that figures are told in, and how many of it make one of the panel's.
    quoted : dict of str to dict of str to float
        Published figures by who and by the name of the figure, quoted from memory.
    notes : tuple of str
    """

    name: str
    panel: Panel
    target: str
    test_from: int
    horizons: dict[str, tuple[int, ...]]
    window: int = 0
    whole_window: bool = False
    unit: str = ""
    per_unit: float = 1.0
    quoted: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def zone_ids(self) -> tuple[str, ...]:
        """All zones; every one has readings in the training part."""
        return self.panel.zone_ids

    @property
    def train(self) -> Panel:
        """What may be learned from: a view that ends before the test part."""
        return self.panel.until(self.test_from)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """Horizons that must be forecast, in steps."""
        return tuple(sorted({step for steps in self.horizons.values() for step in steps}))

    @cached_property
    def origins(self) -> Array:
        """Position of the last known interval at every forecast origin of the test part, shape (n,).

        Every step is an origin; the first has `window` readings of the test part behind it.
        """
        least = min(max(steps) if self.whole_window else min(steps) for steps in self.horizons.values())
        return np.arange(self.test_from - 1 + self.window, len(self.panel) - least)

    @cached_property
    def actual(self) -> Array:
        """What followed, shape (n, Z, S), the panel's unit; `nan` where nothing was sensed or the panel has ended."""
        return self.following(self.panel.values[self.target])

    def following(self, grid: Array) -> Array:
        """Values of a grid (T, Z) at the origins plus each step, shape (n, Z, S); `nan` (False) after its end."""
        aim = self.origins[:, None] + np.asarray(self.steps)
        inside = aim < len(grid)
        found = grid[np.minimum(aim, len(grid) - 1)].swapaxes(1, 2)
        empty = np.array(False if grid.dtype == bool else np.nan, dtype=grid.dtype)
        return np.where(inside[:, None, :], found, empty)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The panel's figures."""
        place = {step: k for k, step in enumerate(self.steps)}
        found = []
        for name, steps in self.horizons.items():
            last = len(self.panel) - (max(steps) if self.whole_window else min(steps))
            rows = np.flatnonzero(self.origins < last)
            found.append(Task(name, steps, np.array([place[step] for step in steps]), rows))
        return tuple(found)

    @cached_property
    def origin_times(self) -> pd.DatetimeIndex:
        """Instants of the origins, UTC: when the last known interval has ended."""
        start, step = self.panel.times[0], self.panel.step_s
        return start + pd.to_timedelta((self.origins + 1) * step, unit="s")

    @cached_property
    def days(self) -> Array:
        """Local day of each origin, counted from 1970-01-01, shape (n,)."""
        return self.panel.calendar.day[self.origins + 1]

    @cached_property
    def filled(self) -> Array:
        """Readings that look filled in by the publisher, shape (T, Z): see `filled_in`."""
        return filled_in(self.panel.values[self.target])

    @property
    def validation_from(self) -> int:
        """Position at which the validation part (the last `VALIDATION_SHARE` of the training days) begins."""
        day = self.panel.calendar.day[: self.test_from]
        whole = np.unique(day)
        first = whole[-max(1, round(VALIDATION_SHARE * len(whole)))]
        if self.panel.calendar.step_of_day[self.test_from] > 0 and first == day[-1] and len(whole) > 1:
            first = whole[-2]  # the last day is cut: it and the one before
        return int(np.searchsorted(day, first))

    def validation(self) -> BenchmarkPanel:
        """The same one part earlier: learn before `validation_from`, score up to `test_from`."""
        start = self.validation_from
        if start < self.panel.steps_per_day:
            raise PanelError(
                f"{self.name}: {self.test_from} steps of training are too few to set a validation part aside"
            )
        return replace(self, name=f"{self.name} validation", panel=self.train, test_from=start)

    def on_day(self, number: int) -> BenchmarkPanel:
        """Another split: test on the whole day `number` (1 is the first), learn from all days before it."""
        day = self.panel.calendar.day[: len(self.panel)]
        which = np.unique(day)[number - 1]
        start, stop = np.searchsorted(day, [which, which + 1])
        return replace(self, name=f"{self.name} day {number}", panel=self.panel.until(int(stop)), test_from=int(start))

    def each_day(self, first: int = 4) -> tuple[BenchmarkPanel, ...]:
        """A split for every whole day from the `first`."""
        day = self.panel.calendar.day[: len(self.panel)]
        which, size = np.unique(day, return_counts=True)
        last = len(which) if size[-1] == self.panel.steps_per_day else len(which) - 1
        return tuple(self.on_day(number) for number in range(first, last + 1))

    def left_out(self, share: float = 0.2, *, seed: int = 1) -> Array:
        """Places of zones that a model of new zones may not learn from, drawn by `seed`; sorted."""
        size = max(1, round(share * len(self.zone_ids)))
        return np.sort(np.random.default_rng(seed).choice(len(self.zone_ids), size, replace=False))

    def without_filled(self) -> BenchmarkPanel:
        """With gaps where the publisher filled them in: neither input nor score then knows what came after a gap."""
        values = {**self.panel.values}
        values[self.target] = np.where(self.filled, np.nan, values[self.target])
        return replace(self, name=f"{self.name} masked", panel=replace(self.panel, values=values))


def filled_in(values: Array, *, tolerance: float = 2e-6) -> Array:
    """Readings on an exactly straight line between those before and after, shape (T, Z).

    Parameters
    ----------
    values : ndarray, shape (T, Z)
        By time; regular steps.
    tolerance : float
        Second difference that still counts as none: rounding of the file (eight decimals of mph).

    Returns
    -------
    ndarray of bool
        Inner points of every run of three readings or more in which each lies midway between its neighbours (constant
        runs among them); the ends were measured and stay. By chance a measured reading lies so, too, in about one case
        of fifty where speeds come in eighths and ninths of a mph.
    """
    found = np.zeros(values.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        found[1:-1] = np.abs(values[2:] - 2.0 * values[1:-1] + values[:-2]) < tolerance
    return found
