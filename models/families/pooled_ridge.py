"""Pooled ridge: one line a horizon for all zones of a city, the plainest macromodel."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from models.families.ridge import Ridge
from models.learner import Learner, State
from models.rows import Rows


class PooledRidge(Learner):
    """A ridge line a horizon, learned from the rows of all zones at once, each in its own scale.

    Settings are those of `ridge.Ridge`.

    References
    ----------
    Montero-Manso & Hyndman (2021), doi:10.1016/j.ijforecast.2021.03.004 (one model for many series).
    """

    family = "macro_ridge"
    scope = "city"
    rank = 1.2
    losses = ("squared",)
    defaults: ClassVar[Mapping[str, Any]] = Ridge.defaults
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({"share": (0.0, 0.5, 1.0)})

    line: Ridge

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        self.layout = rows.layout
        self.line = Ridge(seed=self.seed, **self.settings).fit(_stacked(rows), y.reshape(-1, 1, y.shape[2]))
        return self

    @property
    def can_update(self) -> bool:
        return self.line.can_update

    def update(self, rows: Rows, y: np.ndarray) -> Self:
        self.line.update(_stacked(rows), y.reshape(-1, 1, y.shape[2]))
        return self

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        return self.line.predict(_stacked(rows)).reshape(rows.shape)

    def pick(self, places: np.ndarray) -> Self:
        return self

    def n_parameters(self) -> int:
        return self.line.n_parameters()

    def coefficients(self, place: int, horizon: int) -> np.ndarray:
        """Coefficients by `Layout.names`, the constant last; the same for every zone."""
        return self.line.coefficients(0, horizon)

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        return self.line.contributions(rows, horizon, 0)

    def state(self) -> State:
        return self.line.state()

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        self.line = Ridge(seed=self.seed, **self.settings)
        self.line.layout = self.layout
        self.line.restore(meta, arrays, blobs)


def _stacked(rows: Rows) -> Rows:
    """Rows with the zones of an origin one after another, as one zone's: blocks of rows stay blocks of time."""
    common, ahead = (
        part.reshape(part.shape[0] * part.shape[1], 1, *part.shape[2:]) for part in (rows.common, rows.ahead)
    )
    return Rows(common, ahead, rows.layout)
