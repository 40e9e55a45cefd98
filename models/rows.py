"""Rows: what a family learns from and forecasts with, for many zones and horizons at once.

Arrays only: a learner needs no panel, and a panel's features (see `features`) need no learner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Layout:
    """What the columns of `Rows` mean.

    Attributes
    ----------
    common : tuple of str, length F1
        Names of the features that are the same for every horizon, e.g. `own_lag_0` (the zone's last reading),
        `near1_lag_2` (two steps before, at the nearest neighbour), `weather_wind_east`.
    ahead : tuple of str, length F2
        Names of the features about the interval forecast for, e.g. `ahead_day` (same time yesterday).
    steps : tuple of int, length S
        Horizons in steps of the panel.
    """

    common: tuple[str, ...]
    ahead: tuple[str, ...]
    steps: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of `Rows.at`."""
        return (*self.common, *self.ahead)

    @property
    def flat_names(self) -> tuple[str, ...]:
        """Names of the columns of `Rows.flat`; those about a horizon end with `@` and its steps."""
        return (*self.common, *(f"{name}@{step}" for step in self.steps for name in self.ahead))

    def lags(self, who: str = "own") -> np.ndarray:
        """Places in `common` of `who_lag_0`, `who_lag_1`, ... without a gap, latest first; empty where there is none.

        Examples
        --------
        >>> Layout(("own_lag_0", "own_lag_1", "own_mean_1h"), (), (1,)).lags()
        array([0, 1])
        """
        found: list[int] = []
        while (name := f"{who}_lag_{len(found)}") in self._place:
            found.append(self._place[name])
        return np.array(found, dtype=np.int64)

    @property
    def neighbours(self) -> tuple[str, ...]:
        """Those besides the zone itself whose lags are there: `near1`, `near2`, ..., nearest first."""
        found = {m[1] for name in self.common if (m := re.fullmatch(r"(near\d+)_lag_0", name))}
        return tuple(sorted(found, key=lambda name: int(name[4:])))

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.common)}

    def at(self, horizons: Sequence[int] | np.ndarray) -> Layout:
        """The same with some of the horizons (places in `steps`)."""
        return replace(self, steps=tuple(self.steps[int(k)] for k in horizons))


@dataclass(frozen=True, eq=False)
class Rows:
    """Features of n forecast origins, Z zones and S horizons; every number finite.

    Attributes
    ----------
    common : ndarray of float32, shape (n, Z, F1)
        The same for every horizon; readings as deviations from the usual, in the zone's scale (about -3 to 3).
    ahead : ndarray of float32, shape (n, Z, S, F2)
        About the interval forecast for.
    layout : Layout
    """

    common: np.ndarray
    ahead: np.ndarray
    layout: Layout

    @property
    def shape(self) -> tuple[int, int, int]:
        """Origins, zones, horizons."""
        return self.ahead.shape[0], self.ahead.shape[1], self.ahead.shape[2]

    @property
    def width(self) -> int:
        """Features for one horizon, F1 + F2."""
        return self.common.shape[2] + self.ahead.shape[3]

    def at(self, horizon: int) -> np.ndarray:
        """All features for one horizon (its place in `layout.steps`), shape (n, Z, F1 + F2)."""
        return np.concatenate([self.common, self.ahead[:, :, horizon]], axis=2)

    def flat(self) -> np.ndarray:
        """The common features once and those of every horizon, shape (n, Z, F1 + S * F2)."""
        n, zones, _ = self.shape
        return np.concatenate([self.common, self.ahead.reshape(n, zones, -1)], axis=2)

    def take(self, origins: np.ndarray | slice) -> Rows:
        """Some of the origins."""
        return Rows(self.common[origins], self.ahead[origins], self.layout)

    def pick(self, places: np.ndarray) -> Rows:
        """Some of the zones."""
        return Rows(self.common[:, places], self.ahead[:, places], self.layout)

    def horizons(self, horizons: Sequence[int] | np.ndarray) -> Rows:
        """Some of the horizons, by place."""
        return Rows(self.common, self.ahead[:, :, np.asarray(horizons)], self.layout.at(horizons))
