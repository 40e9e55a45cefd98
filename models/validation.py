"""Validation: out-of-fold forecasts inside the training part.

Each forecast was made by a model that had not seen its reading. Choices, weights and intervals rest on them alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from models.scale import from_scale


@dataclass(frozen=True, eq=False)
class Validation:
    """Out-of-fold point forecasts of n origins, Z zones, S horizons.

    Attributes
    ----------
    target : str
    known : ndarray of int, shape (n,)
        Last known position at each forecast origin.
    fold, day : ndarray of int, shape (n,)
        Which model made the forecast, and the local day of the origin.
    usual, deviation, reading, stray : ndarray of float32, shape (n, Z, S)
        Usual value, forecast less usual, reading (`nan` where none) and usual absolute deviation, on the model's
        scale (see `scale`).
    """

    target: str
    known: np.ndarray
    fold: np.ndarray
    day: np.ndarray
    usual: np.ndarray
    deviation: np.ndarray
    reading: np.ndarray
    stray: np.ndarray

    @classmethod
    def join(cls, folds: Sequence[Validation]) -> Validation:
        """Folds one after another."""
        names = ("known", "fold", "day", "usual", "deviation", "reading", "stray")
        joined = {name: np.concatenate([getattr(fold, name) for fold in folds]) for name in names}
        return cls(target=folds[0].target, **joined)

    def pick(self, places: np.ndarray) -> Validation:
        """Some of the zones."""
        parts = {name: getattr(self, name)[:, places] for name in ("usual", "deviation", "reading", "stray")}
        return replace(self, **parts)

    def during(self, rows: np.ndarray) -> Validation:
        """Some of the origins."""
        names = ("known", "fold", "day", "usual", "deviation", "reading", "stray")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    @cached_property
    def level(self) -> np.ndarray:
        """Point forecasts on the model's scale, shape (n, Z, S)."""
        return np.asarray(self.usual + self.deviation)

    @cached_property
    def point(self) -> np.ndarray:
        """Point forecasts in the target's unit."""
        return from_scale(self.target, self.level)

    @cached_property
    def actual(self) -> np.ndarray:
        """Readings in the target's unit; `nan` where none."""
        return from_scale(self.target, self.reading)

    @property
    def scores(self) -> np.ndarray:
        """Residuals in units of the usual deviation."""
        return np.asarray((self.reading - self.level) / self.stray)
