"""What all linear families share: a constant and a coefficient a feature, for every zone and horizon.

The families differ in how they find the coefficients (see `ridge`, `sparse`, `quantile_linear`); how a line forecasts,
is explained and stored is the same.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np

from models.errors import NotFittedError
from models.learner import Learner, State
from models.rows import Rows


class LineLearner(Learner):
    """One line a zone and horizon.

    Attributes
    ----------
    coefficient : ndarray of float32, shape (Z, S, 1 + F1 + F2)
        Constant first, then by `layout.names`.
    low, high : ndarray of float32, shape (Z, F1 + S * F2)
        Range of each feature of `Rows.flat` in training. A line is no guide beyond it (a few days of history know
        nothing of a frost that they have not seen), so that features are held within it.
    """

    coefficient: np.ndarray | None = None
    low: np.ndarray
    high: np.ndarray

    @abstractmethod
    def _learn(self, rows: Rows, y: np.ndarray) -> None:
        """Set `coefficient` and what else the family keeps."""

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        self.layout = rows.layout
        _, zones, horizons = rows.shape
        size = rows.common.shape[2] + horizons * rows.ahead.shape[3]
        self.low = np.full((zones, size), np.inf, np.float32)
        self.high = np.full((zones, size), -np.inf, np.float32)
        self._learn(rows, y)
        return self

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        lines = self.lines()
        return self._line(rows, places, lines if places is None else lines[places])

    def _line(self, rows: Rows, places: np.ndarray | None, lines: np.ndarray) -> np.ndarray:
        """Forecasts (n, Z, S) of lines (Z, S fitted on, 1 + F) of the zones of these rows."""
        assert self.layout is not None
        if rows.layout.steps != self.layout.steps:
            lines = lines[:, self.horizon_places(rows)]
        rows, f1 = self.held(rows, places), rows.common.shape[2]
        by_zone = np.matmul(rows.common.transpose(1, 0, 2), lines[:, :, 1 : 1 + f1].transpose(0, 2, 1))
        out = by_zone.transpose(1, 0, 2)
        for k in range(rows.ahead.shape[3]):
            out = out + rows.ahead[..., k] * lines[:, :, 1 + f1 + k]
        return out + lines[:, :, 0]

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """Coefficient times value, by `layout.names`; the constant last. They add up to the forecast exactly."""
        x = np.append(self.held(rows, np.array([place])).at(horizon)[0, 0], 1.0)
        line = self.lines()[place, self.horizon_places(rows)[horizon]]
        return x * np.roll(line, -1).astype(float)

    def coefficients(self, place: int, horizon: int) -> np.ndarray:
        """Coefficients of one line by `layout.names`, the constant last; shape (F1 + F2 + 1,).

        Parameters
        ----------
        place : int
            Place of the zone among those held.
        horizon : int
            Place in `layout.steps`.

        Raises
        ------
        NotFittedError
            If there is no line yet.
        """
        return np.roll(self.lines()[place, horizon], -1)

    def pick(self, places: np.ndarray) -> Self:
        meta, arrays, blobs = self.state()
        one = type(self)(seed=self.seed, **self.settings)
        one.layout = self.layout
        one.restore(meta, {key: value[places].copy() for key, value in arrays.items()}, blobs)
        return one

    def n_parameters(self) -> int:
        """Coefficients that are not 0."""
        return int(np.count_nonzero(self.lines()))

    def state(self) -> State:
        return {}, {"coefficient": self.lines(), "low": self.low, "high": self.high}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        for key, value in arrays.items():
            setattr(self, key, value)

    def lines(self) -> np.ndarray:
        """`coefficient`; `NotFittedError` if there is none yet."""
        if self.coefficient is None:
            raise NotFittedError(f"{self.family} has no lines yet: fit it first")
        return self.coefficient

    def held(self, rows: Rows, places: np.ndarray | None = None) -> Rows:
        """The rows of the zones at `places` (None: all), features held within the range seen in training."""
        assert self.layout is not None
        low, high = (self.low, self.high) if places is None else (self.low[places], self.high[places])
        f1, f2 = rows.common.shape[2], rows.ahead.shape[3]
        common = np.minimum(np.maximum(rows.common, low[:, :f1]), high[:, :f1])
        low, high = (ends[:, f1:].reshape(len(ends), len(self.layout.steps), f2) for ends in (low, high))
        if rows.layout.steps != self.layout.steps:
            horizons = self.horizon_places(rows)
            low, high = low[:, horizons], high[:, horizons]
        return Rows(common, np.minimum(np.maximum(rows.ahead, low), high), rows.layout)

    def _see(self, rows: Rows, zones: slice) -> None:
        """Widen the range of the features of some zones."""
        n, f1 = rows.shape[0], rows.common.shape[2]
        low, high = self.low[zones], self.high[zones]
        for first in range(0, n, 256):  # few enough rows that what the least is found of is at hand for the most
            part = slice(first, first + 256)
            common = rows.common[part]
            ahead = rows.ahead[part].reshape(common.shape[0], low.shape[0], low.shape[1] - f1)
            np.minimum(low[:, :f1], common.min(axis=0), out=low[:, :f1])
            np.maximum(high[:, :f1], common.max(axis=0), out=high[:, :f1])
            np.minimum(low[:, f1:], ahead.min(axis=0), out=low[:, f1:])
            np.maximum(high[:, f1:], ahead.max(axis=0), out=high[:, f1:])
